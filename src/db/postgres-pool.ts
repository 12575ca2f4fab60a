/**
 * Connections to PostgreSQL, as few verbs as postgres.ts needs: the `pg` driver's pool, set up so that every connection works in the
 * service's schema, waits for durable commits and gives up instead of hanging.
 */
import pg from 'pg';
import { Fault } from '../kernel/errors.ts';
import { IDLE_MAX_MS } from './database.ts';

/** A statement that has to wait for another transaction's row lock this long gives up and is tried again. */
const LOCK_MAX_MS = 3_000;
const STATEMENT_MAX_MS = 30_000;
const CONNECT_MAX_MS = 10_000;

export interface SessionResult {
  readonly rows: object[];
  /** What the server says it did, e.g. `COMMIT`, or `ROLLBACK` when it was asked to commit a failed transaction. */
  readonly command: string;
}

/** One connection, for the time of a transaction or a read. */
export interface Session {
  /** With a `name` the text is parsed and planned once per connection. */
  query(text: string, parameters?: readonly unknown[], name?: string): Promise<SessionResult>;
  /** Runs several statements. */
  script(text: string): Promise<void>;
  /** Gives the connection back; `broken` closes it instead. */
  release(broken: boolean): void;
}

export interface Sessions {
  /** Rejects with the Fault `unavailable` when there is no connection to be had. */
  acquire(): Promise<Session>;
  end(): Promise<void>;
}

/** Column types on the way out, by their oid: what SQLite would have answered for the same text. */
export const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => (text === 't' ? 1 : 0), // bool
  20: safeInteger, // int8
  1700: (text) => {
    throw new RangeError(`numeric ${text}: sums of bigint are numeric; write cast(sum(x) as bigint)`);
  },
};

function safeInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new RangeError(`bigint ${text} is larger than a number can hold exactly`);
  return number;
}

export interface PoolOptions {
  readonly name: string;
  /** `postgres://user:password@host:port/database`; TLS with `?sslmode=verify-full&sslrootcert=…`. */
  readonly url: string;
  readonly schema: string;
  readonly poolMax: number;
}

export function openPool({ name, url, schema, poolMax }: PoolOptions): Sessions {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolMax,
    application_name: `waybill ${name}`,
    connectionTimeoutMillis: CONNECT_MAX_MS,
    keepAlive: true,
    // `begin` travels with the first statement: 7,240 instead of 4,375 transactions/s of one statement on one connection.
    pipeline: true,
    types: { getTypeParser: parserOf },
    // oxlint-disable-next-line typescript/no-misused-promises -- its types say nothing of a promise, but the pool waits for it
    onConnect: (client) => prepareSession(client, schema),
  });
  // A connection that dies, idle or in use, must not end the process: whoever uses it next is told by the failed statement.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));

  let schemaReady: Promise<void> | undefined;
  async function acquire(): Promise<Session> {
    try {
      schemaReady ??= createSchema(pool, schema);
      await schemaReady;
      return session(await pool.connect());
    } catch (error) {
      schemaReady = undefined;
      throw new Fault('unavailable', `database ${name} does not answer: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  return { acquire, end: () => pool.end() };
}

const parserOf = ((oid: number, format?: 'text') => PARSERS[oid] ?? pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser;

/** One round trip for each new connection. Set here and not in the URL, so that no URL can take it away. */
async function prepareSession(client: pg.ClientBase, schema: string): Promise<void> {
  const settings = {
    search_path: pg.escapeIdentifier(schema),
    synchronous_commit: 'on',
    statement_timeout: STATEMENT_MAX_MS,
    lock_timeout: LOCK_MAX_MS,
    idle_in_transaction_session_timeout: IDLE_MAX_MS,
    client_min_messages: 'warning',
  };
  await client.query('select set_config(key, value, false) from json_each_text($1::json)', [JSON.stringify(settings)]);
}

/** Asked for first, because `create schema if not exists` needs the right to create even when there is nothing to do. */
async function createSchema(pool: pg.Pool, schema: string): Promise<void> {
  const { rows } = await pool.query('select 1 from pg_namespace where nspname = $1', [schema]);
  if (rows.length > 0) return;
  // The lock, because two starters at once would meet on the catalogue's unique index. One text is one transaction.
  await pool.query(`select pg_advisory_xact_lock(hashtext('waybill.schema'), 0); create schema if not exists ${pg.escapeIdentifier(schema)}`);
}

function session(client: pg.PoolClient): Session {
  return {
    query: (text, parameters = [], name) => client.query({ text, values: [...parameters], ...(name === undefined ? {} : { name }) }),
    async script(text) {
      await client.query(text);
    },
    release: (broken) => client.release(broken),
  };
}
