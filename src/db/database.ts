/**
 * The two databases behind one interface.
 *
 * Stores speak SQL of one text for SQLite and PostgreSQL, set-based: a statement takes N rows and is one round trip, whatever N.
 * What is promised of both, and shown by the conformance suite in test/conformance:
 *
 * - `write` runs a function in a transaction: all of it or nothing. The promise resolves after the commit is durable. Concurrent
 *   writes may share one commit (SQLite) without sharing fate: one that throws is rolled back alone.
 * - Inside `write` nothing may be awaited but the transaction itself. A remote call there would hold every other writer; a unit
 *   that stands still for `IDLE_MAX_MS` is rolled back.
 * - `work` may run again from the start when the database asks for it (a deadlock on PostgreSQL), so it has no effects but its rows
 *   and its `afterCommit`. A commit whose outcome is unknown (the connection broke) is not tried again: it fails as `unavailable`.
 * - A unit in which a statement failed cannot commit, even when `work` swallows the error.
 * - `read` sees what was committed before it began. Two reads are two snapshots.
 * - A statement over no rows answers `[]` without touching the database.
 * - The rows of RETURNING come in no promised order; match them by key.
 * - bigint comes and goes as a number and must be a safe integer; cast sums: `cast(sum(x) as bigint)`.
 */
import { type Compilable, type Kysely } from 'kysely';

/** `json` columns are kept as text; list them in `json` of a statement to have them parsed on the way out. */
export type ColumnType = 'text' | 'bigint' | 'integer';
export type Value = string | number | null;

/** What differs between the two SQLs. Everything else is written once. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres';
  /** A table expression named `row` over the N rows given, e.g. `unnest($1::text[]) as row(id)`. */
  rows(columns: Readonly<Record<string, ColumnType>>): string;
  /** The parameters that go with `rows`. */
  encode(columns: Readonly<Record<string, ColumnType>>, rows: readonly Readonly<Record<string, unknown>>[]): unknown[];
  /** Row locks for `select`, e.g. `for update of stock_level`; SQLite has one writer and needs none. */
  forUpdate(table: string): string;
  /** Row locks that pass over rows somebody else has locked. */
  skipLocked(table: string): string;
}

/** A fixed text over N rows. Built once, at module level; prepared once per connection. */
export interface Statement<In extends object, Out extends object> {
  readonly columns: Readonly<Record<keyof In & string, ColumnType>>;
  readonly json: readonly string[];
  /** The finished text for a dialect; `$1`… are parameters. */
  text(dialect: Dialect): string;
  /** Never set: carries the types. */
  readonly types?: [In, Out];
}

/**
 * Declares a statement.
 *
 * @param columns  the columns of the input rows and their types
 * @param text     SQL around `rows`, a table expression named `row`: `insert into t (id) select row.id from ${rows} where true …`
 *                 (SQLite needs the `where true` before `on conflict`; PostgreSQL does not mind)
 * @param options  `json`: output columns to parse
 */
export function statement<In extends object, Out extends object = Record<never, never>>(
  columns: Readonly<Record<keyof In & string, ColumnType>>,
  text: (rows: string, dialect: Dialect) => string,
  options: { readonly json?: readonly (keyof Out & string)[] } = {},
): Statement<In, Out> {
  const texts = new Map<string, string>();
  return {
    columns,
    json: options.json ?? [],
    text(dialect) {
      let finished = texts.get(dialect.name);
      if (finished === undefined) {
        finished = text(dialect.rows(columns), dialect);
        texts.set(dialect.name, finished);
      }
      return finished;
    },
  };
}

export interface Reader {
  readonly dialect: Dialect;
  /** Runs a statement over rows: one round trip. */
  run<In extends object, Out extends object>(statement: Statement<In, Out>, rows: readonly In[]): Promise<Out[]>;
  /** Runs a query built with `builder` (kysely): for lists whose filters are chosen at run time. */
  query<Out extends object>(query: Compilable<Out>, options?: { readonly json?: readonly (keyof Out & string)[] }): Promise<Out[]>;
  /** Runs a text with `$1`… parameters; for one-off questions of db, messaging and auditor. */
  raw<Out extends object = Record<string, Value>>(text: string, parameters?: readonly unknown[]): Promise<Out[]>;
}

export interface Tx extends Reader {
  /** Runs several statements separated by semicolons (migrations); `$1` parameters are not possible. */
  script(text: string): Promise<void>;
  /** `done` runs after the commit, before `write` resolves; not at all when the transaction is rolled back. Must not throw. */
  afterCommit(done: () => void): void;
}

export interface WriteOptions {
  /**
   * The commit may be lost in a power cut (never by a crash of the program), and with it only what would be done again: forgetting
   * a row that is no longer needed. It spares SQLite a flush; PostgreSQL may flush all the same.
   */
  readonly forgetful?: boolean;
}

export interface Database {
  readonly name: string;
  readonly dialect: Dialect;
  /** Reads outside any transaction. */
  readonly read: Reader;
  /** A query builder that compiles for this dialect and runs nothing: hand the query to `read.query` or `tx.query`. */
  builder<Tables>(): Kysely<Tables>;
  /** Runs `work` in a transaction; see the promises above. Throws what `work` throws, or a Fault of db/. */
  write<T>(work: (tx: Tx) => Promise<T>, options?: WriteOptions): Promise<T>;
  /** Runs a script of several statements (migrations) in one transaction; `$1` parameters are not possible. */
  script(text: string): Promise<void>;
  /** Makes sure the database answers; throws the Fault that says why it does not. */
  ping(): Promise<void>;
  /** Waits for writes under way and closes. Twice is no harm. */
  close(): Promise<void>;
}

/** A unit of work that ran no statement for this long, in milliseconds, waits for something it must not wait for. */
export const IDLE_MAX_MS = 10_000;

/** The rule both dialects break in their own words: SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY and _ROWID; SQLSTATE 23505. */
export function isUniqueViolation(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('errcode' in error) return error.errcode === 2067 || error.errcode === 1555 || error.errcode === 2579;
  return 'code' in error && error.code === '23505';
}

/** Parses the columns named in `json` in place. */
export function parseJson<Out extends object>(rows: Out[], json: readonly string[]): Out[] {
  if (json.length === 0) return rows;
  for (const row of rows as Record<string, unknown>[]) {
    for (const column of json) {
      const text = row[column];
      if (typeof text === 'string') row[column] = JSON.parse(text);
    }
  }
  return rows;
}
