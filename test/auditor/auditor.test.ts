import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AuditResult, runPass } from '../../src/auditor/auditor.ts';
import { EQUATIONS } from '../../src/auditor/equations.ts';
import { databases, sqlite } from '../support/databases.ts';
import { testWorld } from '../support/world.ts';
import { type Books, openBooks } from './books.ts';
import { SPOILINGS } from './spoilings.ts';

/** A pass whose second look comes at once, over chunks so small that every table takes several. */
const audit = (books: Books): Promise<AuditResult> =>
  runPass({
    equations: EQUATIONS,
    databases: books.databases,
    world: { ...testWorld(), sleep: async () => undefined },
    chunk: 2,
    aim: 8,
    rest: () => 0,
  });

/** The equations that do not hold, and what each says first. */
const broken = ({ equations }: AuditResult): Record<string, string> =>
  Object.fromEntries(
    equations.flatMap(({ id, first }) => (first === undefined ? [] : [[id, `${first.subject}: ${first.expected} / ${first.found}`]])),
  );

describe.each(databases())('the auditor on $name', (kind) => {
  let books: Books;
  beforeAll(async () => {
    books = await openBooks(kind);
  });
  beforeEach(() => books.restore());
  afterAll(() => books.drop());

  it('finds nothing in books that add up, and has looked at all of them', async () => {
    const result = await audit(books);
    expect(broken(result)).toEqual({});
    expect(result.equations.filter(({ rows }) => rows === 0)).toEqual([]);
  });

  it.each(SPOILINGS)('finds $what', async ({ service, sql, says }) => {
    await books.spoil(service, sql);
    expect(broken(await audit(books))).toEqual(says);
  });
});

describe('what is still moving', () => {
  let books: Books;
  beforeAll(async () => {
    books = await openBooks(sqlite);
  });
  beforeEach(() => books.restore());
  afterAll(() => books.drop());

  /** A pass between whose first and second look somebody writes. */
  function auditWhile(write: () => Promise<void>): Promise<AuditResult> {
    let written: Promise<void> | undefined;
    const world = { ...testWorld(), sleep: () => (written ??= write()) };
    return runPass({ equations: EQUATIONS, databases: books.databases, world, chunk: 2, aim: 8, rest: () => 0 });
  }

  it('is no violation when the second look finds both sides in agreement', async () => {
    await books.spoil('orders', `update orders set status = 'shipped' where id = 'ord_ready'`);
    const result = await auditWhile(() => books.spoil('orders', `update orders set status = 'confirmed' where id = 'ord_ready'`));
    expect(broken(result)).toEqual({});
  });

  it('is left to the next pass when the order has moved on meanwhile', async () => {
    await books.spoil('inventory', `update reservation set status = 'released' where order_id = 'ord_ready'`);
    await books.spoil('inventory', `update stock_posting set quantity = 0 where ref_id = 'ord_ready'`);
    await books.spoil('inventory', `update stock_level set available = 8, reserved = 0 where sku = 'A'`);
    const result = await auditWhile(() => books.spoil('orders', `update orders set version = version + 1 where id = 'ord_ready'`));
    expect(Object.keys(broken(result))).toEqual([]);
  });

  it('asks for no timer while the consumer that would answer it is paused', async () => {
    await books.spoil('orders', `delete from timer`);
    await books.spoil('orders', `insert into consumer_control (consumer, paused, reason, actor, changed_at) values ('orders', 1, 'test', 'test', 1)`);
    expect(broken(await audit(books))).toEqual({});
  });
});

it('every equation has been seen to fail', () => {
  const seen = new Set(SPOILINGS.flatMap(({ says }) => Object.keys(says)));
  expect(EQUATIONS.map(({ id }) => id).filter((id) => !seen.has(id))).toEqual([]);
});
