/**
 * Connections to PostgreSQL, as few verbs as postgres.ts needs: the `pg` driver's pool, set up so that everything runs in the service's
 * schema, waits for durable commits and gives up instead of hanging.
 *
 * | between us and the server | what is set up | prepared statements |
 * |---|---|---|
 * | nothing | each connection, once | yes |
 * | a pooler that hands connections around after each transaction | each transaction, on its way with `begin` | no |
 *
 * A pooler nobody told of would mix up schemas and drop the settings. So each connection brings a mark along in its very first message;
 * PgBouncer refuses the mark or swallows it, and either is noticed before anything is done.
 */
import pg from 'pg';
import { Fault } from '../kernel/errors.ts';
import { IDLE_MAX_MS } from './database.ts';
import { SESSION_LOST, placeOf, reasonOf } from './postgres-reasons.ts';

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
  /** What a transaction begins with. */
  readonly begin: string;
  /** A connection may be another one after each transaction: nothing of it may be relied on outside, prepared statements included. */
  readonly handedAround: boolean;
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
  /** A pooler stands between that hands connections around after each transaction. */
  readonly handedAround: boolean;
}

/** The mark; PostgreSQL keeps what belongs to no part of it as text. */
const MARK = 'waybill.session';

export function openPool({ name, url, schema, poolMax, handedAround }: PoolOptions): Sessions {
  const address = new URL(url);
  const options = `${address.searchParams.get('options') ?? ''} -c ${MARK}=own`.trim();
  address.searchParams.delete('options'); // a URL's word counts more for the driver than ours
  const pool = new pg.Pool({
    connectionString: handedAround ? url : address.href,
    ...(handedAround ? {} : { options }),
    max: poolMax,
    application_name: `waybill ${name}`,
    connectionTimeoutMillis: CONNECT_MAX_MS,
    keepAlive: true,
    // `begin` travels with the first statement: 7,240 instead of 4,375 transactions/s of one statement on one connection.
    pipeline: true,
    types: { getTypeParser: parserOf },
    // oxlint-disable-next-line typescript/no-misused-promises -- its types say nothing of a promise, but the pool waits for it
    onConnect: (client) => (handedAround ? undefined : prepareSession(client, schema)),
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
      throw new Fault('unavailable', `database ${name} does not answer: ${reasonOf(error, placeOf(url, schema))}`, { cause: error });
    }
  }
  const begin = handedAround ? `begin; ${setUp(schema, true)}` : 'begin';
  return { begin, handedAround, acquire, end: () => pool.end() };
}

const parserOf = ((oid: number, format?: 'text') => PARSERS[oid] ?? pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser;

/** One round trip for each new connection. Set here and not in the URL, so that no URL can take it away. */
async function prepareSession(client: pg.ClientBase, schema: string): Promise<void> {
  const answer = await client.query<{ mark: string | null }>(`select current_setting('${MARK}', true) as mark, (${setUp(schema, false)}) as done`);
  if (answer.rows[0]?.mark !== 'own') throw new Error(SESSION_LOST);
}

/** The settings everything runs under, of the transaction or of the session, as one text without parameters. */
function setUp(schema: string, ofTransaction: boolean): string {
  const settings: Readonly<Record<string, string>> = {
    search_path: pg.escapeIdentifier(schema),
    statement_timeout: String(STATEMENT_MAX_MS),
    lock_timeout: String(LOCK_MAX_MS),
    idle_in_transaction_session_timeout: String(IDLE_MAX_MS),
    client_min_messages: 'warning',
  };
  const set = ([key, value]: readonly [string, string]): string => `set_config(${pg.escapeLiteral(key)}, ${value}, ${ofTransaction})`;
  // Never weaker than `on`; stronger where the server was told to be.
  const durable = `case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end`;
  return `select concat(${[
    ...Object.entries(settings).map(([key, value]) => set([key, pg.escapeLiteral(value)])),
    set(['synchronous_commit', durable]),
  ].join(', ')})`;
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
