/** The auditor's statements find their rows by key: one that reads a whole table for each chunk makes a pass quadratic. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runPass } from '../../src/auditor/auditor.ts';
import { EQUATIONS } from '../../src/auditor/equations.ts';
import { sqlite } from '../support/databases.ts';
import { watchPlans } from '../support/plans.ts';
import { testWorld } from '../support/world.ts';
import { type Books, openBooks } from './books.ts';

let books: Books;
beforeAll(async () => {
  books = await openBooks(sqlite);
});
afterAll(() => books.drop());

test('no statement of a pass scans a table', async () => {
  const watched = Object.entries(books.databases).map(([name, db]) => [name, watchPlans(db)] as const);
  const databases = Object.fromEntries(watched.map(([name, { db }]) => [name, db]));
  const { ok } = await runPass({ equations: EQUATIONS, databases, world: testWorld(), chunk: 100, aim: 1_000, rest: () => 0 });
  expect(ok).toBe(true);
  const scans = await Promise.all(watched.map(async ([name, plans]) => (await plans.scans()).map((scan) => `${name}: ${scan}`)));
  expect(watched.reduce((sum, [, plans]) => sum + plans.statements(), 0)).toBeGreaterThan(20);
  expect(scans.flat()).toEqual([]);
});
