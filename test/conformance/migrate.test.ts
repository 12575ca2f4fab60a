import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { codeOf } from '../../src/kernel/errors.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';

describe.each(databases())('migrations on $name', (test) => {
  async function opened(): Promise<OpenDatabase> {
    const one = await test.open();
    onTestFinished(() => one.drop());
    return one;
  }

  /** A folder of migrations, the same for both dialects. */
  async function folderOf(files: Record<string, string>): Promise<{ folder: URL; change(files: Record<string, string>): Promise<void> }> {
    const path = await mkdtemp(join(tmpdir(), 'waybill-migrations-'));
    onTestFinished(() => rm(path, { recursive: true }));
    const change = async (changed: Record<string, string>): Promise<void> => {
      for (const [name, text] of Object.entries(changed)) {
        for (const dialect of ['sqlite', 'postgres']) await writeFile(join(path, `${name}.${dialect}.sql`), text);
      }
    };
    await change(files);
    return { folder: pathToFileURL(path), change };
  }

  const FILES = {
    '0001_orders': 'create table orders (id text primary key);\ncreate index orders_id on orders (id);',
    '0002_first': `insert into orders (id) values ('ord_1')`,
  };

  it('applies each once, in order, and writes down what and when', async () => {
    const { db } = await opened();
    const { folder, change } = await folderOf(FILES);
    const other = await folderOf({ '0001_orders': 'create table payments (id text primary key)' });
    const sets = [
      { room: 'orders', folder },
      { room: 'payments', folder: other.folder },
    ];
    await migrate(db, sets, 1_000);
    await migrate(db, sets, 2_000);
    await change({ '0003_second': `insert into orders (id) values ('ord_2')` });
    await migrate(db, sets, 3_000);
    expect(await db.read.raw('select id from orders order by id')).toEqual([{ id: 'ord_1' }, { id: 'ord_2' }]);
    expect(await db.read.raw('select room, name, applied_at from migration order by room, name')).toEqual([
      { room: 'orders', name: '0001_orders', applied_at: 1_000 },
      { room: 'orders', name: '0002_first', applied_at: 1_000 },
      { room: 'orders', name: '0003_second', applied_at: 3_000 },
      { room: 'payments', name: '0001_orders', applied_at: 1_000 },
    ]);
  });

  it('is done once by eight starters at the same time', async () => {
    const one = await opened();
    const { folder } = await folderOf(FILES);
    const starters = [one.db, ...Array.from({ length: 7 }, () => one.another())];
    await Promise.all(starters.map((db, i) => migrate(db, [{ room: 'orders', folder }], i)));
    expect(await one.db.read.raw('select count(*) as rows from orders')).toEqual([{ rows: 1 }]);
    expect(await one.db.read.raw('select count(*) as rows from migration')).toEqual([{ rows: 2 }]);
  });

  it('leaves nothing of what it could not finish', async () => {
    const { db } = await opened();
    const { folder, change } = await folderOf({
      ...FILES,
      '0003_broken': 'create table later (id text primary key); insert into nowhere values (1)',
    });
    await expect(migrate(db, [{ room: 'orders', folder }], 1)).rejects.toThrow('nowhere');
    await expect(db.read.raw('select * from orders')).rejects.toThrow('orders');
    await change({ '0003_broken': 'create table later (id text primary key)' });
    await migrate(db, [{ room: 'orders', folder }], 2);
    expect(await db.read.raw('select count(*) as rows from migration')).toEqual([{ rows: 3 }]);
  });

  it('refuses a database that a newer version has migrated', async () => {
    const { db } = await opened();
    const older = await folderOf({ '0001_orders': FILES['0001_orders'] });
    const newer = await folderOf(FILES);
    await migrate(db, [{ room: 'orders', folder: newer.folder }], 1);
    const refused = migrate(db, [{ room: 'orders', folder: older.folder }], 2);
    await expect(refused).rejects.toThrow('orders/0002_first, which this version does not know: start the version that made it');
    await expect(refused).rejects.toSatisfy((error) => codeOf(error) === 'database_from_future');
  });

  it('refuses an applied migration whose text has changed, and not one whose line ends have', async () => {
    const { db } = await opened();
    const { folder, change } = await folderOf(FILES);
    await migrate(db, [{ room: 'orders', folder }], 1);
    await change({ '0001_orders': FILES['0001_orders'].replaceAll('\n', '\r\n') });
    await migrate(db, [{ room: 'orders', folder }], 2);
    await change({ '0001_orders': 'create table orders (id text)' });
    const refused = migrate(db, [{ room: 'orders', folder }], 3);
    await expect(refused).rejects.toThrow('migration orders/0001_orders was applied');
    await expect(refused).rejects.toSatisfy((error) => codeOf(error) === 'migration_changed');
  });

  it('refuses a file whose name has no number', async () => {
    const { db } = await opened();
    const { folder } = await folderOf({ first: 'select 1' });
    await expect(migrate(db, [{ room: 'orders', folder }], 1)).rejects.toThrow('call it NNNN_name');
  });
});
