/**
 * Numbered migrations, applied once.
 *
 * A room's folder holds `NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql`; the numbers of a room are its order. Everything happens
 * in one transaction that holds the database's write lock (SQLite: begin immediate; PostgreSQL: an advisory lock of the schema), the
 * question "what is applied?" included. So of many starters one migrates, the others wait and find the work done, and a starter that
 * dies halfway leaves nothing.
 *
 * Two states are refused, because going on would destroy data: a database that knows migrations this program does not (it belongs
 * to a newer version), and an applied file whose text has changed since (this database is not what the file says).
 */
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { Fault } from '../kernel/errors.ts';
import { type Database, type Dialect, type Tx, statement } from './database.ts';

export interface MigrationSet {
  /** Whose tables these are; part of the identity of each migration. */
  readonly room: string;
  readonly folder: URL;
}

interface Migration {
  readonly room: string;
  /** The file name up to the dialect, e.g. `0001_orders`. */
  readonly name: string;
  readonly checksum: string;
  readonly text: string;
}
type Applied = Pick<Migration, 'room' | 'name' | 'checksum'>;

const readApplied = `select room, name, checksum from migration`;
const recordApplied = statement<Applied & { applied_at: number }>(
  { room: 'text', name: 'text', checksum: 'text', applied_at: 'bigint' },
  (rows) => `insert into migration (room, name, checksum, applied_at) select row.room, row.name, row.checksum, row.applied_at from ${rows}`,
);

/**
 * Brings a database up to date.
 *
 * @param sets  in the order they are to be applied
 * @param now   milliseconds UTC, recorded with what is applied
 * @throws Fault `database_from_future` or `migration_changed`; nothing was changed then
 */
export async function migrate(db: Database, sets: readonly MigrationSet[], now: number): Promise<void> {
  // Read beforehand: inside the transaction only the transaction may be awaited.
  const migrations = (await Promise.all(sets.map((set) => migrationsOf(set, db.dialect)))).flat();
  await db.write(async (tx) => {
    await lock(tx);
    await tx.raw(
      'create table if not exists migration (room text not null, name text not null, checksum text not null, applied_at bigint not null, primary key (room, name))',
    );
    const missing = pending(migrations, await tx.raw<Applied>(readApplied), db.name);
    for (const { text } of missing) await tx.script(text);
    await tx.run(
      recordApplied,
      missing.map(({ room, name, checksum }) => ({ room, name, checksum, applied_at: now })),
    );
  });
}

/** SQLite's write transaction is the lock. A migration may take its time, so PostgreSQL's time-outs do not count here. */
async function lock(tx: Tx): Promise<void> {
  if (tx.dialect.name === 'sqlite') return;
  await tx.script('set local statement_timeout = 0; set local lock_timeout = 0');
  await tx.raw(`select pg_advisory_xact_lock(hashtext('waybill.migrate'), hashtext(current_schema()))`);
}

/** What is still to be applied. Pure; throws when applied and known do not fit together. */
export function pending<M extends Applied>(known: readonly M[], applied: readonly Applied[], database: string): M[] {
  const key = ({ room, name }: Applied): string => `${room}/${name}`;
  const byKey = new Map(known.map((migration) => [key(migration), migration]));
  const done = new Set<string>();
  for (const one of applied) {
    const file = byKey.get(key(one));
    if (file === undefined) {
      throw new Fault(
        'database_from_future',
        `database ${database} has the migration ${key(one)}, which this version does not know: start the version that made it, or restore the backup made before the upgrade`,
      );
    }
    if (file.checksum !== one.checksum) {
      throw new Fault(
        'migration_changed',
        `migration ${key(one)} was applied to database ${database} and has been changed since: put its old text back and write the change as a new migration`,
      );
    }
    done.add(key(one));
  }
  return known.filter((migration) => !done.has(key(migration)));
}

async function migrationsOf({ room, folder }: MigrationSet, dialect: Dialect): Promise<Migration[]> {
  const ending = `.${dialect.name}.sql`;
  const files = (await readdir(folder)).filter((file) => file.endsWith(ending)).sort();
  const base = folder.href.endsWith('/') ? folder : new URL(`${folder.href}/`);
  return Promise.all(
    files.map(async (file) => {
      const name = file.slice(0, -ending.length);
      if (!/^\d{4}_[a-z0-9_]+$/.test(name)) throw new Error(`migration ${room}/${file}: call it NNNN_name${ending}`);
      // A checkout on Windows may have turned the line ends; the statements are the same.
      const text = (await readFile(new URL(file, base), 'utf8')).replaceAll('\r\n', '\n');
      return { room, name, checksum: createHash('sha256').update(text).digest('hex'), text };
    }),
  );
}
