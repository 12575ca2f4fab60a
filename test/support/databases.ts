/**
 * The databases a suite runs on: `describe.each(databases())('… on $name', ({ open }) => …)`.
 *
 * SQLite always, in a file of its own. PostgreSQL at WAYBILL_TEST_POSTGRES_URL, else on this machine, in a throw-away schema; where
 * there is none, PGlite stands in and says so, unless CI=true: there a missing PostgreSQL is a failure.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Database } from '../../src/db/database.ts';
import { databaseOver, openPostgres } from '../../src/db/postgres.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import { dropPgliteSchema, pgliteSessions } from './pglite.ts';

export interface OpenDatabase {
  readonly db: Database;
  /** Closes it and opens the same data anew. */
  reopen(): Promise<Database>;
  /** Opens a second handle on the same data, as another process would. */
  another(): Database;
  /** Closes every handle and removes the data. */
  drop(): Promise<void>;
}

export interface TestDatabase {
  readonly name: 'sqlite' | 'postgres' | 'pglite' | 'pgbouncer';
  open(): Promise<OpenDatabase>;
}

/** Handles on one set of data; `drop` closes them all before `remove`. */
function handles(openOne: () => Database, remove: () => Promise<void>): OpenDatabase {
  const opened = [openOne()];
  const another = (): Database => {
    const handle = openOne();
    opened.push(handle);
    return handle;
  };
  return {
    db: opened[0]!,
    async reopen() {
      await Promise.all(opened.map((handle) => handle.close()));
      return another();
    },
    another,
    async drop() {
      await Promise.all(opened.map((handle) => handle.close()));
      await remove();
    },
  };
}

const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'waybill-test-'));
const remover = (folder: string) => (): Promise<void> => rm(folder, { recursive: true, force: true });

export const sqlite: TestDatabase = {
  name: 'sqlite',
  async open() {
    const folder = await temporaryFolder();
    return handles(() => openSqlite({ name: 'test', file: join(folder, 'test.db') }), remover(folder));
  },
};

/** A name nobody else has, for what a test creates and drops in a shared server. It begins with the second it was made in. */
export const throwAwayName = (now = Date.now()): string => `waybill_test_${Math.floor(now / 1_000).toString(36)}_${randomBytes(6).toString('hex')}`;

/** Whether a thing of this name was left behind: by a run that was killed or interrupted, since an hour ago no other can be under way. */
export function isLeftBehind(name: string, now = Date.now()): boolean {
  const second = /^waybill_test_([0-9a-z]+)_[0-9a-f]{12}$/.exec(name)?.[1];
  return second !== undefined && now - Number.parseInt(second, 36) * 1_000 > 3_600_000;
}

const pglite: TestDatabase = {
  name: 'pglite',
  async open() {
    const schema = throwAwayName();
    return handles(
      () => databaseOver({ name: 'test', sessions: pgliteSessions(schema) }),
      () => dropPgliteSchema(schema),
    );
  },
};

/** `through`: the address of a pooler in front of it, which hands connections around. */
export function postgresAt(url: string, through?: string): TestDatabase {
  return {
    name: through === undefined ? 'postgres' : 'pgbouncer',
    async open() {
      const schema = throwAwayName();
      return handles(
        () => openPostgres({ name: 'test', url: through ?? url, schema, poolMax: 4, handedAround: through !== undefined }),
        () => ask(url, `drop schema if exists ${schema} cascade`),
      );
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function ask(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function findPostgres(): Promise<string | undefined> {
  const told = process.env.WAYBILL_TEST_POSTGRES_URL;
  const socket = '/var/run/postgresql/.s.PGSQL.5432';
  const guesses = [
    'postgres://postgres@127.0.0.1:5432/postgres',
    ...(existsSync(socket) ? ['postgres://postgres@localhost/postgres?host=/var/run/postgresql'] : []),
  ];
  for (const url of told === undefined ? guesses : [told]) {
    const answers = await ask(url, 'select 1').then(
      () => true,
      () => false,
    );
    if (answers) return url;
  }
  if (process.env.CI === 'true')
    throw new Error(`no PostgreSQL at ${told ?? guesses.join(' or ')}, and CI=true: start one, or set WAYBILL_TEST_POSTGRES_URL`);
  return undefined;
}

/** Where PostgreSQL answers, asked once; undefined when nowhere. */
export const postgresUrl = await findPostgres();
// One line for each test file, because a suite that silently ran on less than it seems proves less than it seems.
if (postgresUrl === undefined) process.stderr.write('databases: SQLite and PGlite; NO PostgreSQL FOUND (set WAYBILL_TEST_POSTGRES_URL)\n');

export function databases(): TestDatabase[] {
  return [sqlite, postgresUrl === undefined ? pglite : postgresAt(postgresUrl)];
}
