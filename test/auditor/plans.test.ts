/** The auditor's statements find their rows by key: one that reads a whole table for each chunk makes a pass quadratic. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runPass } from '../../src/auditor/auditor.ts';
import { EQUATIONS } from '../../src/auditor/equations.ts';
import type { Database, Reader } from '../../src/db/database.ts';
import { sqlite } from '../support/databases.ts';
import { testWorld } from '../support/world.ts';
import { type Books, openBooks } from './books.ts';

let books: Books;
beforeAll(async () => {
  books = await openBooks(sqlite);
});
afterAll(() => books.drop());

/** Remembers each text that is read. */
function watched(db: Database, texts: Map<string, number>): Database {
  const raw: Reader['raw'] = (text, parameters) => {
    texts.set(text, parameters?.length ?? 0);
    return db.read.raw(text, parameters);
  };
  const run: Reader['run'] = (statement, rows) => {
    texts.set(statement.text(db.dialect), 1);
    return db.read.run(statement, rows);
  };
  return { ...db, read: { ...db.read, raw, run } };
}

test('no statement of a pass scans a table', async () => {
  const texts = new Map(Object.keys(books.databases).map((name) => [name, new Map<string, number>()]));
  const databases = Object.fromEntries(Object.entries(books.databases).map(([name, db]) => [name, watched(db, texts.get(name)!)]));
  const { ok } = await runPass({ equations: EQUATIONS, databases, world: testWorld(), chunk: 100, aim: 1_000, rest: () => 0 });
  expect(ok).toBe(true);

  const scans: string[] = [];
  let read = 0;
  for (const [name, db] of Object.entries(books.databases)) {
    const tables = (await db.read.raw<{ name: string }>(`select name from sqlite_master where type = 'table'`)).map((table) => table.name);
    for (const [text, parameters] of texts.get(name)!) {
      read += 1;
      const plan = await db.read.raw<{ detail: string }>(
        `explain query plan ${text}`,
        Array.from({ length: parameters }, () => '[]'),
      );
      for (const { detail } of plan) {
        const scanned = /^SCAN (\w+)/.exec(detail)?.[1];
        // An alias counts as the table it stands for.
        const real =
          scanned !== undefined && (tables.includes(scanned) || tables.some((table) => new RegExp(`\\b${table} (as )?${scanned}\\b`).test(text)));
        if (real) scans.push(`${name}: ${detail} in ${text.trim().slice(0, 120)}`);
      }
    }
  }
  expect(read).toBeGreaterThan(20);
  expect(scans).toEqual([]);
});
