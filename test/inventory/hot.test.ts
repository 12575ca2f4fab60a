/**
 * One sku that everybody wants at once. Nothing is sold twice and nothing is left over; nobody waits for anybody in a circle, so no transaction has to
 * be run again by the database; and what met something new begins again a few times at most.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/kernel/errors.ts';
import type { AnyMessage } from '../../src/messaging/service.ts';
import { type TestDatabase, databases } from '../support/databases.ts';
import { deliver } from '../support/mailbox.ts';
import { violationsIn } from './books.ts';
import { type TestInventory, openInventory } from './inventory.ts';

/** Counts how often units were asked for, and how often they were run: the difference is what the database had undone. */
function counting(database: TestDatabase): { database: TestDatabase; rerun(): number } {
  let asked = 0;
  let run = 0;
  return {
    rerun: () => run - asked,
    database: {
      name: database.name,
      async open() {
        const open = await database.open();
        const write: typeof open.db.write = (work, options) => {
          asked += 1;
          return open.db.write((tx) => {
            run += 1;
            return work(tx);
          }, options);
        };
        return { ...open, db: { ...open.db, write } };
      },
    },
  };
}

describe.each(databases())('a hot sku on $name', (plain) => {
  const { database, rerun } = counting(plain);
  let inventory: TestInventory;
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterAll(() => inventory.open.drop());

  /** As a consumer does: what met another transaction is tried again. Answers how often. */
  async function persist(messages: readonly AnyMessage<never>[] | (() => Promise<unknown>)): Promise<number> {
    for (let again = 0; ; again += 1) {
      try {
        await (typeof messages === 'function' ? messages() : deliver(inventory.mailbox, inventory.service, messages as never));
        return again;
      } catch (error) {
        if (codeOf(error) !== 'conflict' || again > 20) throw error;
      }
    }
  }
  const types = (from: number): Record<string, number> =>
    Object.fromEntries([...Map.groupBy(inventory.said.slice(from), ({ type }) => type)].map(([type, messages]) => [type, messages.length]));

  it('is sold exactly as often as it is there', async () => {
    const { stocked, reserve, said, levelOf } = inventory;
    const warehouse_id = await stocked({ HOT: 700 });
    const from = said.length;
    const buyers = Array.from({ length: 2_500 }, (_, i) => reserve(`ord_hot_${i}`, { HOT: 1 }));
    const batches = Array.from({ length: 250 }, (_, i) => buyers.slice(10 * i, 10 * i + 10));
    const again = await Promise.all(batches.map((batch) => persist(batch as never)));
    expect(types(from)).toMatchObject({ 'stock.reserved': 700, 'stock.rejected': 1_800, 'stock.out': 1 });
    expect(await levelOf(warehouse_id, 'HOT')).toEqual([700, 700, 0]);
    expect([Math.max(...again), rerun()]).toEqual([0, 0]);
    expect(await violationsIn(inventory.open.db)).toEqual([]);
  }, 120_000);

  it('is waited for, received in two places, released, counted and shipped at the same time', async () => {
    const { stocked, reserve, release, commit, allowWaiting, send, receive, said } = inventory;
    const [one, two] = [await stocked({ WANTED: 20, OTHER: 200 }), await stocked({ WANTED: 20, OTHER: 200 })];
    const third = await stocked({}); // where the sku never was
    await allowWaiting('WANTED', 10_000);
    const from = said.length;
    const order = (i: number): string => `ord_wanted_${i}`;
    const asked = Array.from({ length: 120 }, (_, i) =>
      persist([reserve(order(i), { WANTED: 2, ...(i % 3 === 0 && { OTHER: 1 }) }, { split: i % 2 === 0, backorder: true })] as never),
    );
    const moved = Array.from({ length: 24 }, (_, i) => {
      switch (i % 6) {
        case 0:
          return persist(() => receive(one, { WANTED: 5 }));
        case 1:
          return persist(() => receive(two, { WANTED: 5, OTHER: 1 }));
        case 2:
          return persist(() => receive(third, { WANTED: 3 }));
        case 3:
          return persist([release(order(3 * i)), release(order(3 * i + 1))] as never);
        case 4:
          return persist(() => send('POST', '/v1/stock/counts', { warehouse_id: one, lines: [{ sku: 'WANTED', counted: 15 }] }));
        default:
          return persist(() => receive(third, { OTHER: 1, WANTED: 1 }));
      }
    });
    const again = await Promise.all([...asked, ...moved]);
    expect(await violationsIn(inventory.open.db)).toEqual([]);
    expect(Math.max(...again)).toBeLessThan(20);
    expect(rerun()).toBe(0);
    expect(types(from)).toMatchObject({ 'stock.reserved': expect.any(Number), 'stock.filled': expect.any(Number) });
    // And off it goes: everything that is held leaves, once.
    const held = await inventory.open.db.read.raw<{ order_id: string }>(
      `select distinct order_id from reservation_part where held > 0 union select order_id from reservation where status = 'held'`,
    );
    await Promise.all(held.map(({ order_id }) => persist([commit(order_id), commit(order_id)] as never)));
    expect(await violationsIn(inventory.open.db)).toEqual([]);
    const left = await inventory.open.db.read.raw(
      `select cast(sum(reserved) as bigint) as reserved from stock_level where sku in ('WANTED', 'OTHER')`,
    );
    expect(left).toEqual([{ reserved: 0 }]);
  }, 120_000);
});
