/**
 * One connection to a SQLite file: its settings, its dialect, its statements, and its errors in our words.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Fault } from '../kernel/errors.ts';
import { type Dialect, type Statement, parseJson } from './database.ts';
import type { Runner } from './unit.ts';

/** Texts of `query` and `raw` kept prepared. Those of `run` are few, and all are kept. */
const CACHE_MAX = 500;
/** How long another thread or process is waited for to let go of the file; a connection that is being opened, or only reads, stands still for it. */
export const BUSY_MAX_MS = 5_000;

// Rows arrive as one JSON text. Per row of 6 columns (10 columns), inserted 1, 20 and 200 at a time (Node 26.10, SQLite 3.53, 2 cores):
//   json_each    4.1 (5.1)   2.4 (3.0)   1.6 (2.9) µs     each row is a text, parsed again for each column
//   jsonb_each   3.3 (3.5)   1.5 (1.8)   1.2 (2.0) µs     each row is a binary one, read in place
//   a prepared statement of one row, in a loop: 1.7–2.6 (2.2–2.5) µs whatever their number
//   one array per column, joined by position: quadratic; 8.6 µs at 200 rows of 6 columns, 1.6 ms at 5 rows of 10
// A single row bound without JSON would save 1 µs of 5 (8 columns); not worth a second text for each statement, as calls are gathered.
const EACH = hasJsonbEach(process.versions.sqlite) ? 'jsonb_each' : 'json_each';

/** SQLite has it since 3.51; Node 24 may bring an older one. */
function hasJsonbEach(version = '0.0'): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  rows(columns) {
    const list = Object.keys(columns).map((column, i) => `value ->> ${i} as ${column}`);
    return `(select ${list.join(', ')} from ${EACH}($1)) as row`;
  },
  encode(columns, rows) {
    const names = Object.keys(columns);
    return [JSON.stringify(rows.map((row) => names.map((name) => row[name] ?? null)))];
  },
  forUpdate: () => '',
  skipLocked: () => '',
};

const CHECKPOINT_PAGES = 8_000;
/**
 * `synchronous=normal`, because the flush of each commit is ours (flush.ts). Checkpoints stay SQLite's own, and come rarely: the pages of
 * an order are written five times within a few hundred milliseconds, and a checkpoint between two of them copies them for nothing. Whole journeys/s
 * with one every 1,000 pages 3,268–3,279, every 8,000 3,373–3,456, every 32,000 3,439–3,498 (bench/journey.ts's load, alternating); the
 * log takes 33 MB a file. Pages of 8 KiB, a cache of 64 MB and mmap were not better beyond the noise of the disk.
 *
 * @param cacheKiB  pages kept in memory, KiB; a reader's are worth little, for each commit of the writer makes them stale
 */
export function connect(file: string, cacheKiB: number): DatabaseSync {
  const connection = new DatabaseSync(file, { timeout: BUSY_MAX_MS, enableForeignKeyConstraints: true });
  connection.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma temp_store = memory');
  connection.exec(`pragma cache_size = -${cacheKiB}; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  return connection;
}

/** Runs texts on a connection. The work is done at once; the promise is settled when it is handed out. */
export function statements(connection: DatabaseSync): Runner {
  const fixed = new WeakMap<object, StatementSync>();
  const texts = new Map<string, StatementSync>();
  const prepare = (text: string): StatementSync => connection.prepare(text.replace(/\$(\d+)/g, '?$1'));

  function fixedOf(statement: Statement<never, never>): StatementSync {
    const found = fixed.get(statement) ?? prepare(statement.text(sqliteDialect));
    fixed.set(statement, found);
    return found;
  }

  /** The least recently used one makes room. */
  function textOf(text: string): StatementSync {
    const found = texts.get(text) ?? prepare(text);
    texts.delete(text);
    if (texts.size >= CACHE_MAX) texts.delete(texts.keys().next().value!);
    texts.set(text, found);
    return found;
  }

  const translated = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      throw translate(error);
    }
  };

  return {
    run: (statement, rows) =>
      translated(() => {
        const parameters = sqliteDialect.encode(statement.columns, rows as readonly Record<string, unknown>[]);
        return parseJson(fixedOf(statement as unknown as Statement<never, never>).all(...(parameters as SQLInputValue[])), statement.json) as never;
      }),
    query: (query, options) =>
      translated(() => {
        const { sql, parameters } = query.compile();
        return parseJson(textOf(sql).all(...parameters.map(toSqlite)), options?.json ?? []) as never;
      }),
    raw: (text, parameters = []) => translated(() => textOf(text).all(...parameters.map(toSqlite)) as never),
    script: (text) => translated(() => connection.exec(text)),
  };
}

/** A whole number is an integer, as it is on PostgreSQL; bound as it is it would be a float, and 5 / 2 would be 2.5. */
const toSqlite = (value: unknown): SQLInputValue =>
  Number.isSafeInteger(value) ? BigInt(value as number) : typeof value === 'boolean' ? BigInt(value) : (value as SQLInputValue);

// https://www.sqlite.org/rescode.html: the primary code is the low byte of the extended one.
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;

/** Somebody else holds the file. */
export const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY;

/** SQLite's own errors as Faults; anything else as it is. */
export function translate(error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error;
  switch (Number(error.errcode) & 0xff) {
    case FULL:
      return new Fault('storage_full', 'the disk is full', { cause: error });
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return new Fault('conflict', 'the database is locked by another process', { cause: error });
    case IOERR:
    case CANTOPEN:
    case READONLY:
      return new Fault('unavailable', `the database does not answer: ${error.message}`, { cause: error });
    default:
      return error;
  }
}
