/**
 * What both databases promise (src/db/database.ts), as a suite. A database passes it or is not one.
 */
import { expect, it, onTestFinished } from 'vitest';
import { type Database, type Tx, isUniqueViolation, statement } from '../../src/db/database.ts';
import { Refusal, codeOf } from '../../src/kernel/errors.ts';
import type { OpenDatabase, TestDatabase } from '../support/databases.ts';

interface Stock {
  readonly sku: string;
  readonly available: number;
  readonly note: string | null;
}
interface Tables {
  stock: Stock;
}

/** One text for SQLite and PostgreSQL, like every statement of a store. */
const TABLES = `
  create table stock (sku text primary key, available bigint not null check (available >= 0), note text);
  create table movement (seq bigint primary key, sku text not null, quantity bigint not null)`;

const columns = { sku: 'text', available: 'bigint', note: 'text' } as const;
const insertStock = statement<Stock, Stock>(
  columns,
  (rows) => `insert into stock (sku, available, note) select row.sku, row.available, row.note from ${rows} where true returning sku, available, note`,
);
const upsertStock = statement<Stock, { sku: string; available: number }>(
  columns,
  (rows) => `
    insert into stock (sku, available, note) select row.sku, row.available, row.note from ${rows} where true
    on conflict (sku) do update set available = stock.available + excluded.available
    returning sku, available`,
);
const takeStock = statement<{ sku: string; quantity: number }, { sku: string; available: number }>(
  { sku: 'text', quantity: 'bigint' },
  (rows) => `
    update stock set available = stock.available - row.quantity from ${rows}
    where stock.sku = row.sku and stock.available - row.quantity >= 0
    returning stock.sku, stock.available`,
);
const readStock = statement<{ sku: string }, Stock>(
  { sku: 'text' },
  (rows) => `select stock.sku, stock.available, stock.note from stock join ${rows} on row.sku = stock.sku order by stock.sku`,
);
const readParsed = statement<{ sku: string }, { sku: string; note: unknown }>(
  { sku: 'text' },
  (rows) => `select stock.sku, stock.note from stock join ${rows} on row.sku = stock.sku`,
  { json: ['note'] },
);
const lockStock = statement<{ sku: string }, { sku: string; available: number }>(
  { sku: 'text' },
  (rows, dialect) => `select sku, available from stock where sku in (select row.sku from ${rows}) order by sku ${dialect.forUpdate('stock')}`,
);
const setStock = statement<{ sku: string; available: number }>(
  { sku: 'text', available: 'bigint' },
  (rows) => `update stock set available = row.available from ${rows} where stock.sku = row.sku`,
);

const stock = (sku: string, available = 1, note: string | null = null): Stock => ({ sku, available, note });
const skusOf = async (db: Database): Promise<string[]> =>
  (await db.read.raw<{ sku: string }>('select sku from stock order by sku')).map(({ sku }) => sku);
const insert = (db: Database, ...rows: Stock[]): Promise<Stock[]> => db.write((tx) => tx.run(insertStock, rows));

export function databaseSuite(test: TestDatabase): void {
  async function opened(): Promise<OpenDatabase> {
    const one = await test.open();
    onTestFinished(() => one.drop());
    await one.db.script(TABLES);
    return one;
  }

  it('keeps all of a transaction or nothing', async () => {
    const { db } = await opened();
    const failing = db.write(async (tx) => {
      await tx.run(insertStock, [stock('A')]);
      throw new Refusal('stock_insufficient', 'no');
    });
    await expect(failing).rejects.toThrow(Refusal);
    expect(await skusOf(db)).toEqual([]);
    expect(await db.write(async (tx) => (await tx.run(insertStock, [stock('A')])).length)).toBe(1);
    expect(await skusOf(db)).toEqual(['A']);
  });

  it('rolls back one unit of many started together and leaves the others', async () => {
    const { db } = await opened();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        db.write(async (tx) => {
          await tx.run(insertStock, [stock(`S${String(i).padStart(2, '0')}`)]);
          if (i % 3 === 0) throw new Refusal('stock_insufficient', `unit ${i}`);
          return i;
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map((_, i) => (i % 3 === 0 ? 'rejected' : 'fulfilled')));
    expect(await skusOf(db)).toEqual(outcomes.flatMap((_, i) => (i % 3 === 0 ? [] : [`S${String(i).padStart(2, '0')}`])));
  });

  it('cannot commit a unit in which a statement failed, whatever the work makes of the error', async () => {
    const { db } = await opened();
    await insert(db, stock('A'));
    const swallowing = db.write(async (tx) => {
      await tx.run(insertStock, [stock('B')]);
      await tx.run(insertStock, [stock('A')]).catch(() => undefined);
      await tx.run(insertStock, [stock('C')]).catch(() => undefined);
      return 'fine?';
    });
    await expect(swallowing).rejects.toSatisfy(isUniqueViolation);
    expect(await skusOf(db)).toEqual(['A']);
  });

  it('refuses a statement after the end of its transaction', async () => {
    const { db } = await opened();
    let leaked: Tx | undefined;
    await db.write(async (tx) => {
      leaked = tx;
    });
    await expect(leaked?.run(insertStock, [stock('A')])).rejects.toThrow('transaction that is over');
    expect(await skusOf(db)).toEqual([]);
  });

  it('keeps what is committed when it is closed and opened again', async () => {
    const one = await opened();
    await insert(one.db, stock('A', 7));
    const again = await one.reopen();
    expect(await again.read.run(readStock, [{ sku: 'A' }])).toEqual([stock('A', 7)]);
    await insert(again, stock('B'));
    expect(await skusOf(again)).toEqual(['A', 'B']);
  });

  it('shows readers only what is committed, and writers what they wrote', async () => {
    const { db } = await opened();
    let within: string[] = [];
    let seen: Promise<string[]> | undefined;
    const written = db.write(async (tx) => {
      await tx.run(insertStock, [stock('A')]);
      within = (await tx.raw<{ sku: string }>('select sku from stock')).map(({ sku }) => sku);
      seen = skusOf(db); // asked in the middle of the transaction, answered whenever
      throw new Refusal('stock_insufficient', 'rolled back');
    });
    await expect(written).rejects.toThrow(Refusal);
    expect(within).toEqual(['A']);
    expect(await seen).toEqual([]);
  });

  it('takes any number of rows in one statement, none included', async () => {
    const { db } = await opened();
    for (const count of [0, 1, 2, 20, 5_000]) {
      const rows = Array.from({ length: count }, (_, i) => stock(`${count}-${i}`, i));
      const returned = await insert(db, ...rows);
      expect(new Set(returned.map(({ sku }) => sku))).toEqual(new Set(rows.map(({ sku }) => sku)));
      expect(await db.read.run(readStock, rows)).toHaveLength(count);
    }
    expect(await db.read.raw('select count(*) as rows, cast(sum(available) as bigint) as total from stock')).toEqual([
      { rows: 5_023, total: 190 + 1 + 4_999 * 2_500 },
    ]);
  });

  it('gives back exactly what it was given', async () => {
    const { db } = await opened();
    const texts = [
      '',
      ' ',
      '0',
      'NULL',
      'null',
      "it's",
      '"quoted"',
      '{a,b}',
      '\\',
      '\\n',
      'a\nb\tc\r',
      '$1',
      '%s',
      '?',
      '[1,2]',
      '日本語',
      'e\u0301',
      '🧾',
      'x'.repeat(100_000),
    ];
    const rows = texts.map((text, i) => stock(`text-${String(i).padStart(2, '0')}`, i, text));
    const numbers = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1].map((number) => stock(`number-${String(number).padStart(16, '0')}`, number));
    await insert(db, ...rows, ...numbers);
    expect(await db.read.run(readStock, rows)).toEqual(rows);
    expect(await db.read.run(readStock, numbers)).toEqual(numbers);
    await insert(db, ...texts.filter((text) => text !== '').map((text) => stock(text)));
    expect(
      new Set(
        (
          await db.read.run(
            readStock,
            texts.map((sku) => ({ sku })),
          )
        ).map(({ sku }) => sku),
      ),
    ).toEqual(new Set(texts.filter((text) => text !== '')));
  });

  it('counts with whole numbers, in rows and in parameters alike', async () => {
    const { db } = await opened();
    await insert(db, stock('A', 5));
    expect(await db.read.raw('select 7 / available as one, $1 / available as two from stock where available = $2', [12, 5])).toEqual([
      { one: 1, two: 2 },
    ]);
    expect(await db.read.raw('select available = 5 as yes, available = 6 as no from stock')).toEqual([{ yes: 1, no: 0 }]);
    await expect(db.read.raw('select available * 9007199254740991 as much from stock')).rejects.toThrow(RangeError);
  });

  it('parses the json columns that are named, and no others', async () => {
    const { db } = await opened();
    const value = { lines: [{ sku: 'A', quantity: 2 }], note: 'ü "q" \\', none: null };
    await insert(db, stock('A', 1, JSON.stringify(value)), stock('B', 1, null));
    const parsed = await db.read.run(readParsed, [{ sku: 'A' }, { sku: 'B' }]);
    expect(parsed.sort((a, b) => (a.sku < b.sku ? -1 : 1))).toEqual([
      { sku: 'A', note: value },
      { sku: 'B', note: null },
    ]);
    expect((await db.read.run(readStock, [{ sku: 'A' }]))[0]?.note).toBe(JSON.stringify(value));
  });

  it('knows a broken unique rule from other errors', async () => {
    const { db } = await opened();
    await insert(db, stock('A'));
    expect(await insert(db, stock('A')).catch(isUniqueViolation)).toBe(true);
    expect(await insert(db, stock('B', -1)).catch(isUniqueViolation)).toBe(false);
    expect(await db.read.raw('select nothing from nowhere').catch(isUniqueViolation)).toBe(false);
  });

  it('inserts or updates, and returns what is there afterwards', async () => {
    const { db } = await opened();
    await insert(db, stock('A', 5));
    const after = await db.write((tx) => tx.run(upsertStock, [stock('A', 2), stock('B', 3)]));
    expect(after.sort((a, b) => (a.sku < b.sku ? -1 : 1))).toEqual([
      { sku: 'A', available: 7 },
      { sku: 'B', available: 3 },
    ]);
  });

  it('updates only the rows whose guard holds, and returns those', async () => {
    const { db } = await opened();
    await insert(db, stock('A', 5), stock('B', 1));
    expect(
      await db.write((tx) =>
        tx.run(takeStock, [
          { sku: 'A', quantity: 2 },
          { sku: 'B', quantity: 2 },
          { sku: 'C', quantity: 1 },
        ]),
      ),
    ).toEqual([{ sku: 'A', available: 3 }]);
    expect(await db.read.run(readStock, [{ sku: 'A' }, { sku: 'B' }])).toEqual([stock('A', 3), stock('B', 1)]);
  });

  it('never takes a guarded row below zero, however many ask at once', async () => {
    const { db } = await opened();
    await insert(db, stock('A', 10));
    const taken = await Promise.all(Array.from({ length: 40 }, () => db.write((tx) => tx.run(takeStock, [{ sku: 'A', quantity: 1 }]))));
    expect(taken.filter((rows) => rows.length === 1)).toHaveLength(10);
    expect(await db.read.run(readStock, [{ sku: 'A' }])).toEqual([stock('A', 0)]);
  });

  it('loses no update of rows that were locked when they were read', async () => {
    const { db } = await opened();
    await insert(db, stock('A', 0), stock('B', 0));
    await Promise.all(
      Array.from({ length: 20 }, () =>
        db.write(async (tx) => {
          const found = await tx.run(lockStock, [{ sku: 'B' }, { sku: 'A' }]);
          await tx.run(
            setStock,
            found.map(({ sku, available }) => ({ sku, available: available + 1 })),
          );
        }),
      ),
    );
    expect(await db.read.run(readStock, [{ sku: 'A' }, { sku: 'B' }])).toEqual([stock('A', 20), stock('B', 20)]);
  });

  it('comes through when units take the same rows in opposite order', async () => {
    const { db } = await opened();
    await insert(db, stock('A', 100), stock('B', 100));
    const take = (...skus: string[]) =>
      db.write(async (tx) => {
        for (const sku of skus) await tx.run(takeStock, [{ sku, quantity: 1 }]);
      });
    await Promise.all(Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? take('A', 'B') : take('B', 'A'))));
    expect(await db.read.run(readStock, [{ sku: 'A' }, { sku: 'B' }])).toEqual([stock('A', 94), stock('B', 94)]);
  }, 60_000);

  it('runs what was asked for after the commit, in order, before the answer; and not after a rollback', async () => {
    const { db } = await opened();
    const heard: string[] = [];
    await db.write(async (tx) => {
      tx.afterCommit(() => heard.push('first'));
      await tx.run(insertStock, [stock('A')]);
      tx.afterCommit(() => heard.push('second'));
      heard.push('work');
    });
    heard.push('answer');
    const failing = db.write(async (tx) => {
      tx.afterCommit(() => heard.push('never'));
      throw new Refusal('stock_insufficient', 'no');
    });
    await expect(failing).rejects.toThrow(Refusal);
    expect(heard).toEqual(['work', 'first', 'second', 'answer']);
  });

  it('runs lists built at run time: filters, keyset pages', async () => {
    const { db } = await opened();
    await insert(db, ...Array.from({ length: 25 }, (_, i) => stock(`S${String(i).padStart(2, '0')}`, i % 5, i % 2 === 0 ? '[1]' : null)));
    const build = db.builder<Tables>();
    const pages: string[][] = [];
    let after = '';
    for (;;) {
      const page = await db.read.query(
        build.selectFrom('stock').selectAll().where('available', '<', 3).where('sku', '>', after).orderBy('sku').limit(4),
      );
      if (page.length === 0) break;
      pages.push(page.map(({ sku }) => sku));
      after = page.at(-1)!.sku;
    }
    expect(pages.flat()).toEqual(
      Array.from({ length: 25 }, (_, i) => i)
        .filter((i) => i % 5 < 3)
        .map((i) => `S${String(i).padStart(2, '0')}`),
    );
    expect(pages.map(({ length }) => length)).toEqual([4, 4, 4, 3]);
    expect(await db.read.query(build.selectFrom('stock').select('note').where('sku', '=', 'S00'), { json: ['note'] })).toEqual([{ note: [1] }]);
    expect(await db.write((tx) => tx.query(build.deleteFrom('stock').where('available', '=', 4).returning('sku')))).toHaveLength(5);
  });

  it('runs a script in one transaction', async () => {
    const { db } = await opened();
    await expect(
      db.script(`insert into stock (sku, available) values ('A', 1); insert into stock (sku, available) values ('B', -1)`),
    ).rejects.toThrow();
    expect(await skusOf(db)).toEqual([]);
    await db.script(`insert into stock (sku, available) values ('A', 1); insert into stock (sku, available) values ('B', 1)`);
    expect(await skusOf(db)).toEqual(['A', 'B']);
  });

  it('closes after the writes under way, twice without harm, and then refuses', async () => {
    const one = await opened();
    const writes = Promise.all(Array.from({ length: 20 }, (_, i) => insert(one.db, stock(`S${i}`))));
    const closing = one.db.close();
    await expect(insert(one.db, stock('late'))).rejects.toSatisfy((error) => codeOf(error) === 'unavailable');
    await expect(one.db.read.raw('select 1')).rejects.toSatisfy((error) => codeOf(error) === 'unavailable');
    await writes;
    await closing;
    await one.db.close();
    expect(await skusOf(await one.reopen())).toHaveLength(20);
  });

  it('answers a ping', async () => {
    const { db } = await opened();
    await expect(db.ping()).resolves.toBeUndefined();
  });

  it('is one database to every handle on it', async () => {
    const one = await opened();
    const other = one.another();
    await insert(one.db, stock('A', 3));
    await Promise.all([one.db, other, one.db, other].map((db) => db.write((tx) => tx.run(takeStock, [{ sku: 'A', quantity: 1 }]))));
    expect(await other.read.run(readStock, [{ sku: 'A' }])).toEqual([stock('A', 0)]);
  });
}
