/**
 * What only SQLite can get wrong: its disk, its flushes, its queue of units, and a second process on its file.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Database, IDLE_MAX_MS, isUniqueViolation, statement } from '../../src/db/database.ts';
import { type SqliteOptions, openSqlite } from '../../src/db/sqlite.ts';
import { Refusal, codeOf } from '../../src/kernel/errors.ts';
import { type World, realWorld } from '../../src/kernel/world.ts';

const insertRow = statement<{ id: number; body: string }>(
  { id: 'bigint', body: 'text' },
  (rows) => `insert into row_of_test (id, body) select row.id, row.body from ${rows}`,
);
const insert = (db: Database, id: number, body = ''): Promise<unknown> => db.write((tx) => tx.run(insertRow, [{ id, body }]));
const countOf = async (db: Database): Promise<number> => (await db.read.raw<{ rows: number }>('select count(*) as rows from row_of_test'))[0]!.rows;

async function opened(options: Partial<SqliteOptions> = {}): Promise<{ db: Database; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-sqlite-'));
  const file = options.file ?? join(folder, 'test.db');
  const db = openSqlite({ name: 'test', ...options, file });
  onTestFinished(async () => {
    await db.close();
    await rm(folder, { recursive: true });
  });
  await db.script('create table row_of_test (id integer primary key, body text not null) strict');
  return { db, file };
}

/** Settles when the promise has, or says `pending` once the program has had this many turns. */
async function within<T>(turns: number, promise: Promise<T>): Promise<T | 'pending'> {
  let outcome: { value: T } | undefined;
  void promise.then(
    (value) => (outcome = { value }),
    () => undefined,
  );
  for (let i = 0; i < turns && outcome === undefined; i += 1) await new Promise((resolve) => setImmediate(resolve));
  return outcome === undefined ? 'pending' : outcome.value;
}

describe('a full disk', () => {
  /** Room for this many pages of 4 KiB, on the connection that writes. */
  const limit = (db: Database, pages: number): Promise<unknown> => db.write((tx) => tx.raw(`pragma max_page_count = ${pages}`));

  it('refuses writes with storage_full, goes on reading, and writes again when there is room', async () => {
    const { db } = await opened();
    await limit(db, 20);
    let written = 0;
    const refused = await (async () => {
      for (;;) await insert(db, (written += 1), 'x'.repeat(3_000));
    })().catch((error: unknown) => error);
    expect(codeOf(refused)).toBe('storage_full');
    expect(await countOf(db)).toBe(written - 1);
    await expect(insert(db, written, 'x'.repeat(30_000))).rejects.toSatisfy((error) => codeOf(error) === 'storage_full');
    await limit(db, 10_000);
    await insert(db, written, 'x'.repeat(30_000));
    expect(await countOf(db)).toBe(written);
  });

  it('tells every unit of a shared commit what became of it', async () => {
    const { db } = await opened();
    await limit(db, 12);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => insert(db, i, 'x'.repeat(i === 3 ? 200_000 : 10))));
    const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(codeOf(outcome.reason)).toBe('storage_full');
    expect(outcomes[3]?.status).toBe('rejected');
    expect(await countOf(db)).toBe(kept);
    await insert(db, 100);
    expect(await countOf(db)).toBe(kept + 1);
  });
});

it('a transaction that SQLite itself has rolled back is lost for all its units, and told to all', async () => {
  const { db } = await opened();
  await insert(db, 1);
  const outcomes = await Promise.allSettled([
    insert(db, 2),
    db.write((tx) => tx.raw(`insert or rollback into row_of_test (id, body) values (1, '')`)),
    insert(db, 3),
  ]);
  for (const outcome of outcomes) expect(outcome.status === 'rejected' && isUniqueViolation(outcome.reason)).toBe(true);
  await insert(db, 4);
  expect(await db.read.raw('select id from row_of_test order by id')).toEqual([{ id: 1 }, { id: 4 }]);
});

describe('flushes', () => {
  it('nobody is answered before the flush: neither who wrote nor who read it', async () => {
    const flushes: (() => void)[] = [];
    let held = false;
    const { db } = await opened({ flushFile: () => (held ? new Promise((resolve) => flushes.push(resolve)) : Promise.resolve()) });
    held = true;
    onTestFinished(() => flushes.forEach((flush) => flush())); // or closing would wait for them
    const hooks: string[] = [];
    const written = db.write(async (tx) => {
      tx.afterCommit(() => hooks.push('committed'));
      await tx.run(insertRow, [{ id: 1, body: '' }]);
      return 'written';
    });
    while (flushes.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const seen = countOf(db);
    expect(await within(20, written)).toBe('pending');
    expect(await within(20, seen)).toBe('pending');
    expect(hooks).toEqual([]);
    held = false;
    flushes[0]!();
    expect(await written).toBe('written');
    expect(await seen).toBe(1);
    expect(hooks).toEqual(['committed']);
  });

  it('a flush that fails is the end: nothing is trusted until it is opened anew', async () => {
    let broken = false;
    const { db, file } = await opened({ flushFile: () => (broken ? Promise.reject(new Error('EIO')) : Promise.resolve()) });
    await insert(db, 1);
    broken = true;
    await expect(insert(db, 2)).rejects.toSatisfy((error) => codeOf(error) === 'unavailable');
    broken = false;
    await expect(insert(db, 3)).rejects.toSatisfy((error) => codeOf(error) === 'unavailable');
    await expect(db.ping()).rejects.toThrow('could not be flushed');
    await db.close();
    const again = openSqlite({ name: 'test', file });
    onTestFinished(() => again.close());
    expect(await countOf(again)).toBeGreaterThanOrEqual(1);
    await insert(again, 4);
  });
});

describe('the queue of units', () => {
  it('gives up a unit that awaits something other than its transaction, and goes on', async () => {
    let asleep: (() => void) | undefined;
    const world: World = { ...realWorld(), sleep: (ms) => (ms === IDLE_MAX_MS ? new Promise((resolve) => (asleep = resolve)) : Promise.resolve()) };
    const { db } = await opened({ world });
    const standing = db.write(async (tx) => {
      await tx.run(insertRow, [{ id: 1, body: '' }]);
      await new Promise(() => undefined);
    });
    const others = Promise.all([insert(db, 2), insert(db, 3)]);
    while (asleep === undefined) await new Promise((resolve) => setImmediate(resolve));
    asleep();
    await expect(standing).rejects.toThrow('awaits something other than its transaction');
    await others;
    expect(await db.read.raw('select id from row_of_test order by id')).toEqual([{ id: 2 }, { id: 3 }]);
  });

  it('lets a unit rest a little: only one that stands still is given up', async () => {
    const { db } = await opened();
    await db.write(async (tx) => {
      await new Promise((resolve) => setImmediate(resolve));
      await tx.run(insertRow, [{ id: 1, body: '' }]);
    });
    expect(await countOf(db)).toBe(1);
  });

  it('keeps the order of units and shares commits between them', async () => {
    const { db } = await opened();
    const answered: number[] = [];
    await Promise.all(
      Array.from({ length: 600 }, async (_, i) => {
        await insert(db, i);
        answered.push(i);
      }),
    );
    expect(answered).toEqual(Array.from({ length: 600 }, (_, i) => i));
  });

  it('a bug in what runs after the commit keeps nobody from the answer', async () => {
    const loud: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => loud.push(error));
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    });
    const { db } = await opened();
    const answer = await db.write(async (tx) => {
      tx.afterCommit(() => {
        throw new Error('a bug');
      });
      await tx.run(insertRow, [{ id: 1, body: '' }]);
      return 'kept';
    });
    expect(answer).toBe('kept');
    while (loud.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(String(loud[0])).toBe('Error: a bug');
  });

  it('keeps in memory what is asked to be in memory, with the same promises', async () => {
    const { db } = await opened({ file: ':memory:' });
    await insert(db, 1);
    const failing = db.write(async (tx) => {
      await tx.run(insertRow, [{ id: 2, body: '' }]);
      throw new Refusal('stock_insufficient', 'no');
    });
    const seen = countOf(db);
    await expect(failing).rejects.toThrow(Refusal);
    expect(await seen).toBe(1);
  });
});

describe('two processes on one file', () => {
  it('take turns and lose nothing', async () => {
    const { db, file } = await opened();
    const child = fork(new URL('./sqlite-writer.ts', import.meta.url), [file, '1000000', '200'], { stdio: 'inherit' });
    const ended = once(child, 'exit');
    for (let i = 0; i < 200; i += 1) await insert(db, i);
    expect(await ended).toEqual([0, null]);
    expect(await countOf(db)).toBe(400);
  });
});
