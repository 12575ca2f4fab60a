/**
 * PostgreSQL: a pool of connections, a schema for each service.
 *
 * Transactions are READ COMMITTED: what a unit has read may be changed by another before it writes, unless it locked the rows
 * (`forUpdate`) or guards its update. The database itself shares flushes between concurrent commits, so units are not grouped here.
 */
import { createHash } from 'node:crypto';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { Fault } from '../kernel/errors.ts';
import { backoff } from '../kernel/lifecycle.ts';
import type { Metrics } from '../kernel/telemetry.ts';
import { type World, realWorld } from '../kernel/world.ts';
import { type Database, type Dialect, type Reader, type Tx, type Value, parseJson } from './database.ts';
import { ArrayParameter } from './postgres-array.ts';
import { type Session, type Sessions, openPool } from './postgres-pool.ts';
import { type Runner, unitOfWork } from './unit.ts';

export const postgresDialect: Dialect = {
  name: 'postgres',
  rows(columns) {
    const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${type}[]`);
    return `unnest(${arrays.join(', ')}) as row(${Object.keys(columns).join(', ')})`;
  },
  encode: (columns, rows) =>
    Object.entries(columns).map(
      ([column, type]) =>
        new ArrayParameter(
          type,
          rows.map((row) => toPostgres(row[column])),
        ),
    ),
  forUpdate: (table) => `for update of ${table}`,
  skipLocked: (table) => `for update of ${table} skip locked`,
};

/** A boolean is a number in both databases. */
const toPostgres = (value: unknown): Value => (typeof value === 'boolean' ? Number(value) : ((value as Value) ?? null));

export type Verdict = 'again' | 'stale' | 'storage_full' | 'unavailable';

/**
 * What an error of the server or of the way to it means. Keys are SQLSTATEs, the two characters of their class, or codes of Node.
 * `again`: the transaction was undone for the sake of others and is run once more from its start. `stale`: the same, after everything
 * prepared is forgotten, for a migration has changed the tables beneath it.
 */
export const VERDICTS: Readonly<Record<string, Verdict>> = {
  '40001': 'again', // serialization_failure
  '40P01': 'again', // deadlock_detected
  '55P03': 'again', // lock_not_available
  '26000': 'stale', // invalid_sql_statement_name
  '53100': 'storage_full', // disk_full
  '53': 'unavailable', // out of memory, connections, …
  '08': 'unavailable', // connection exceptions
  '57': 'unavailable', // shut down, starting up, statement cancelled
  '25P03': 'unavailable', // idle_in_transaction_session_timeout
  '25006': 'unavailable', // read-only: a fail-over under way
  '42501': 'unavailable', // no right to do that: the operator's mistake, not that of what is being done
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'unavailable',
  EHOSTUNREACH: 'unavailable',
};
/** The driver's own words for a connection that is gone; they carry no code. */
const STALE = 'cached plan must not change result type';
const GONE = /^(Connection terminated|Client (has encountered|was closed)|Cannot use a pool)/;

/** Units are run this often when the verdict is `again`: once, and three times more. */
const RUNS_MAX = 4;

export interface PostgresOptions {
  readonly name: string;
  readonly url: string;
  /** Created when missing. */
  readonly schema: string;
  readonly metrics?: Metrics;
  readonly world?: World;
  /** Connections at most; 8 when absent. */
  readonly poolMax?: number;
  /** A pooler such as PgBouncer stands between, which hands connections around after each transaction. */
  readonly handedAround?: boolean;
}

/** Connects when first used: a database that is away fails `ping`, `read` and `write`, not the opening. */
export function openPostgres({ name, url, schema, metrics, world, poolMax = 8, handedAround = false }: PostgresOptions): Database {
  const sessions = openPool({ name, url, schema, poolMax, handedAround });
  return databaseOver({ name, sessions, ...(metrics && { metrics }), ...(world && { world }) });
}

/** The Database over any source of sessions. */
export function databaseOver({
  name,
  sessions,
  metrics,
  world = realWorld(),
}: {
  name: string;
  sessions: Sessions;
  metrics?: Metrics;
  world?: World;
}): Database {
  const names = preparedNames(!sessions.handedAround);
  const underWay = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  /** Counts what is under way, so that `close` can wait for it. */
  function track<T>(start: () => Promise<T>): Promise<T> {
    if (closing !== undefined) return Promise.reject(new Fault('unavailable', `database ${name} is closed`));
    const promise = start();
    underWay.add(promise);
    const done = (): void => void underWay.delete(promise);
    promise.then(done, done);
    return promise;
  }

  async function readOnce<T>(ask: (runner: Runner) => Promise<T>): Promise<T> {
    const session = await sessions.acquire();
    let broken = true;
    try {
      const answer = await (sessions.handedAround ? alone(session, ask) : ask(runnerOver(session, names)));
      broken = false;
      return answer;
    } catch (error) {
      broken = isBroken(error) || (sessions.handedAround && (await rollback(session)));
      if (error instanceof Again && error.stale) names.renew();
      throw error;
    } finally {
      session.release(broken);
    }
  }

  /** A read in a transaction of its own, because what it runs under ends with it. */
  async function alone<T>(session: Session, ask: (runner: Runner) => Promise<T>): Promise<T> {
    const begun = session.query(sessions.begin);
    begun.catch(() => undefined); // reported by whatever follows it on the same connection
    const answer = await ask(runnerOver(session, names));
    await begun;
    await commit(session);
    return answer;
  }

  async function runUnit<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let run = 1; ; run += 1) {
      try {
        return await attempt(await sessions.acquire(), work);
      } catch (error) {
        if (!(error instanceof Again) || run === RUNS_MAX) throw error;
        if (error.stale) names.renew();
        await world.sleep(backoff(run, { first: 5, most: 100 }, world.random()));
      }
    }
  }

  async function attempt<T>(session: Session, work: (tx: Tx) => Promise<T>): Promise<T> {
    const unit = unitOfWork(runnerOver(session, names), postgresDialect);
    let broken = true;
    try {
      const begun = session.query(sessions.begin);
      begun.catch(() => undefined); // reported by whatever follows it on the same connection
      const value = await work(unit.tx);
      unit.end();
      await begun;
      if (unit.failed !== undefined) throw unit.failed.error;
      await commit(session);
      broken = false;
      metrics?.commits.observe({ database: name }, 1);
      unit.committed();
      return value;
    } catch (error) {
      unit.end();
      // Whatever `work` made of it: when others were in the way, that is why the unit failed, and it is run again.
      const cause = unit.failed?.error instanceof Again ? unit.failed.error : error;
      broken = isBroken(cause) || (await rollback(session));
      throw cause;
    } finally {
      session.release(broken);
    }
  }

  const read: Reader = {
    dialect: postgresDialect,
    run: (statement, rows) => (rows.length === 0 ? Promise.resolve([]) : track(() => readOnce((runner) => runner.run(statement, rows)))),
    query: (query, options) => track(() => readOnce((runner) => runner.query(query, options))),
    raw: (text, parameters) => track(() => readOnce((runner) => runner.raw(text, parameters))),
  };
  const write = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => track(() => runUnit(work));
  return {
    name,
    dialect: postgresDialect,
    read,
    builder: <Tables>() =>
      new Kysely<Tables>({
        dialect: {
          createAdapter: () => new PostgresAdapter(),
          createDriver: () => new DummyDriver(),
          createIntrospector: (db) => new PostgresIntrospector(db),
          createQueryCompiler: () => new PostgresQueryCompiler(),
        },
      }),
    write,
    script: (text) => write((tx) => tx.script(text)),
    async ping() {
      await read.raw('select 1');
    },
    close() {
      closing ??= Promise.allSettled(underWay).then(() => sessions.end());
      return closing;
    },
  };
}

/** Two transactions met. Within a unit it is caught by the loop that runs units; a read passes it on as what it is, a Fault. */
class Again extends Fault {
  readonly stale: boolean;
  constructor(cause: Error, verdict: 'again' | 'stale') {
    super('conflict', `another transaction was in the way: ${cause.message}`, { cause });
    this.stale = verdict === 'stale';
  }
}

/** Is the connection of no further use? */
const isBroken = (error: unknown): boolean => error instanceof Fault && error.code === 'unavailable';

async function commit(session: Session): Promise<void> {
  let command: string;
  try {
    ({ command } = await session.query('commit'));
  } catch (error) {
    throw translate(error); // without a word from the server it is `unavailable`: the outcome is unknown and it is not run again
  }
  if (command !== 'COMMIT') throw new Fault('internal', `the database answered ${command} when asked to commit`);
}

/** Answers whether the connection is broken. */
const rollback = (session: Session): Promise<boolean> =>
  session.query('rollback').then(
    () => false,
    () => true,
  );

function runnerOver(session: Session, names: Names): Runner {
  async function rowsOf(text: string, parameters: readonly unknown[], name?: string): Promise<object[]> {
    try {
      return (await session.query(text, parameters, name)).rows;
    } catch (error) {
      throw translate(error);
    }
  }
  return {
    async run(statement, rows) {
      const text = statement.text(postgresDialect);
      const parameters = postgresDialect.encode(statement.columns, rows as readonly Record<string, unknown>[]);
      return parseJson(await rowsOf(text, parameters, names.of(text)), statement.json) as never;
    },
    async query(query, options) {
      const { sql, parameters } = query.compile();
      return parseJson(await rowsOf(sql, parameters), options?.json ?? []) as never;
    },
    async raw(text, parameters = []) {
      return (await rowsOf(text, parameters)) as never;
    },
    async script(text) {
      try {
        await session.script(text);
      } catch (error) {
        throw translate(error);
      }
    },
  };
}

/** The names of prepared statements. Only `run` has them: its texts are fixed, those of `query` are without number. */
interface Names {
  of(text: string): string | undefined;
  /** From now on other names: every connection prepares anew what it uses. */
  renew(): void;
}

function preparedNames(kept: boolean): Names {
  const names = new Map<string, string>();
  let generation = 0;
  return {
    of(text) {
      if (!kept) return undefined;
      let name = names.get(text);
      if (name === undefined) {
        name = `${generation}_${createHash('sha256').update(text).digest('base64url').slice(0, 32)}`;
        names.set(text, name);
      }
      return name;
    },
    renew() {
      generation += 1;
      names.clear();
    },
  };
}

/** The verdict on an error; undefined when it is the statement's own fault. */
export function verdictOn(error: unknown): Verdict | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.message === STALE) return 'stale';
  if ('code' in error && typeof error.code === 'string')
    return VERDICTS[error.code] ?? (error.code.length === 5 ? VERDICTS[error.code.slice(0, 2)] : undefined);
  return GONE.test(error.message) ? 'unavailable' : undefined;
}

function translate(error: unknown): unknown {
  const verdict = verdictOn(error);
  if (verdict === undefined || !(error instanceof Error)) return error;
  switch (verdict) {
    case 'again':
    case 'stale':
      return new Again(error, verdict);
    case 'storage_full':
      return new Fault('storage_full', 'the disk of the database is full', { cause: error });
    case 'unavailable':
      return new Fault('unavailable', `the database does not answer: ${error.message}`, { cause: error });
  }
}
