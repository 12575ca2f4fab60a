import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/kernel/errors.ts';
import { databases } from '../support/databases.ts';
import { deliver } from '../support/mailbox.ts';
import { type TestInventory, openInventory } from './inventory.ts';

describe.each(databases())('reservations on $name', (database) => {
  let inventory: TestInventory;
  beforeAll(async () => void (inventory = await openInventory(database)));
  afterAll(() => inventory.open.drop());

  it('hold, let go and let leave, with postings that say so', async () => {
    const { stocked, tell, reserve, release, commit, levelOf, said, get } = inventory;
    const warehouse_id = await stocked({ A: 5 });
    const reserving = reserve('ord_a1', { A: 2 });
    expect(await tell(reserving)).toEqual(['stock.reserved ord_a1']);
    expect(said.at(-1)).toMatchObject({
      correlationid: 'ord_a1',
      causationid: reserving.id,
      hops: 2,
      data: { order_id: 'ord_a1', warehouse_id, lines: [{ line_id: 'lin_A', sku: 'A', quantity: 2 }] },
    });
    expect(await levelOf(warehouse_id, 'A')).toEqual([5, 2, 3]);
    await tell(reserve('ord_a2', { A: 3 }));
    expect(await tell(commit('ord_a1'))).toEqual(['stock.committed ord_a1']);
    expect(await tell(release('ord_a2'))).toEqual(['stock.released ord_a2']);
    expect(await levelOf(warehouse_id, 'A')).toEqual([3, 0, 3]);
    expect(
      (await get('/v1/stock/postings', { ref_id: 'ord_a1' })).items.map(({ from_account, to_account, quantity, ref_type }) => [
        from_account,
        to_account,
        quantity,
        ref_type,
      ]),
    ).toEqual([
      ['reserved', 'outside:customer', 2, 'order'],
      ['available', 'reserved', 2, 'order'],
    ]);
  });

  it('say nothing the second time', async () => {
    const { stocked, tell, reserve, release, commit, levelOf } = inventory;
    const warehouse_id = await stocked({ B: 5 });
    const again = [reserve('ord_b1', { B: 1 }), reserve('ord_b2', { B: 9 }), release('ord_b2'), commit('ord_b1'), release('ord_b1')];
    expect(await tell(...again)).toHaveLength(5);
    expect(await tell(...again, ...again)).toEqual([]);
    expect(await levelOf(warehouse_id, 'B')).toEqual([4, 0, 4]);
  });

  it('may be released before they are made', async () => {
    const { stocked, tell, reserve, release, levelOf } = inventory;
    const warehouse_id = await stocked({ C: 5 });
    expect(await tell(release('ord_c1'))).toEqual(['stock.released ord_c1']);
    expect(await tell(reserve('ord_c1', { C: 1 }))).toEqual([]);
    expect(await tell(release('ord_c2'), reserve('ord_c2', { C: 1 }))).toEqual(['stock.released ord_c2']);
    expect(await levelOf(warehouse_id, 'C')).toEqual([5, 0, 5]);
  });

  it('are decided in the order of arrival, what is released being there for the next', async () => {
    const { stocked, tell, reserve, release, levelOf } = inventory;
    const warehouse_id = await stocked({ D: 3 });
    expect((await tell(reserve('ord_d1', { D: 2 }), reserve('ord_d2', { D: 2 }), release('ord_d1'), reserve('ord_d3', { D: 3 }))).sort()).toEqual([
      'stock.rejected ord_d2',
      'stock.released ord_d1',
      'stock.reserved ord_d1',
      'stock.reserved ord_d3',
    ]);
    expect(await levelOf(warehouse_id, 'D')).toEqual([3, 3, 0]);
  });

  it('take one warehouse for the whole order, by priority', async () => {
    const { stocked, tell, reserve, said, send } = inventory;
    const second = await stocked({ E: 9, F: 9 }, 20);
    const first = await stocked({ E: 9, F: 1 }, 10);
    const warehouse = (): unknown => said.at(-1)?.data;
    await tell(reserve('ord_e1', { E: 1, F: 1 }));
    expect(warehouse()).toMatchObject({ warehouse_id: first });
    await tell(reserve('ord_e2', { E: 1, F: 1 }));
    expect(warehouse()).toMatchObject({ warehouse_id: second });
    await send('PATCH', '/v1/warehouses/{warehouse_id}', { priority: 5 }, { params: { warehouse_id: second } });
    await tell(reserve('ord_e3', { E: 1 }));
    expect(warehouse()).toMatchObject({ warehouse_id: second });
    await tell(reserve('ord_e4', { E: 8, F: 9 }));
    expect(warehouse()).toEqual({ order_id: 'ord_e4', reason: 'out_of_stock', lines: [{ sku: 'F', requested: 9, available: 8 }] });
    await tell(reserve('ord_e5', { NOBODY_HAS_IT: 1 }));
    expect(warehouse()).toEqual({ order_id: 'ord_e5', reason: 'out_of_stock', lines: [{ sku: 'NOBODY_HAS_IT', requested: 1, available: 0 }] });
  });

  it('make goods that leave unreserved a fault, and undo what came with them', async () => {
    const { stocked, tell, reserve, commit, levelOf } = inventory;
    const warehouse_id = await stocked({ G: 1 });
    await expect(tell(reserve('ord_g1', { G: 1 }), commit('ord_g2'))).rejects.toEqual(expect.objectContaining({ code: 'reservation_state' }));
    expect(await levelOf(warehouse_id, 'G')).toEqual([1, 0, 1]);
  });

  it('take the same number of statements for 1 order and for 200', async () => {
    const { stocked, tell, reserve, release, statements } = inventory;
    await stocked({ H: 1_000, I: 1_000 });
    const run = async (from: number, to: number): Promise<number[]> => {
      const orders = Array.from({ length: to - from }, (_, i) => `ord_h${from + i}`);
      const counts = [];
      for (const commands of [orders.map((order) => reserve(order, { H: 1, I: 2 })), orders.map(release)]) {
        statements();
        await tell(...commands);
        counts.push(statements());
      }
      return counts;
    };
    const one = await run(0, 1);
    expect(await run(1, 201)).toEqual(one);
    expect(Math.max(...one)).toBeLessThanOrEqual(8);
  });

  it('sell the last piece once, whoever asks at the same time', async () => {
    const { stocked, mailbox, service, reserve, said, levelOf } = inventory;
    const warehouse_id = await stocked({ LAST: 1 });
    const from = said.length;
    await Promise.all(Array.from({ length: 500 }, (_, i) => deliver(mailbox, service, [reserve(`ord_l${i}`, { LAST: 1 })])));
    const types = said.slice(from).map(({ type }) => type);
    expect(types.filter((type) => type === 'stock.reserved')).toHaveLength(1);
    expect(types.filter((type) => type === 'stock.rejected')).toHaveLength(499);
    expect(await levelOf(warehouse_id, 'LAST')).toEqual([1, 1, 0]);
  });

  it('are made once by many deliveries of one command at the same time', async () => {
    const { stocked, mailbox, service, reserve, said, levelOf } = inventory;
    const warehouse_id = await stocked({ TWICE: 9 });
    const command = reserve('ord_twice', { TWICE: 1 });
    const from = said.length;
    // As a consumer does: what met another transaction is tried again.
    const persist = async (): Promise<void> => {
      try {
        await deliver(mailbox, service, [command]);
      } catch (error) {
        if (codeOf(error) !== 'conflict') throw error;
        await persist();
      }
    };
    await Promise.all(Array.from({ length: 20 }, persist));
    expect(said.slice(from).map(({ type }) => type)).toEqual(['stock.reserved']);
    expect(await levelOf(warehouse_id, 'TWICE')).toEqual([9, 1, 8]);
  });

  it('do not wait for each other in a circle', async () => {
    const { stocked, mailbox, service, reserve, release, levelOf } = inventory;
    const warehouse_id = await stocked({ X: 100, Y: 100 });
    const batch = (n: number) => {
      const orders = Array.from({ length: 5 }, (_, i) => `ord_x${n}_${i}`);
      const lines = (i: number) => (i % 2 === 0 ? { X: 1, Y: 1 } : { Y: 1, X: 1 });
      const commands = [...orders.map((order, i) => reserve(order, lines(i + n))), ...orders.slice(1).map(release)];
      return n % 2 === 0 ? commands : commands.toReversed();
    };
    await Promise.all(Array.from({ length: 12 }, (_, n) => deliver(mailbox, service, batch(n))));
    const [onHand, reserved, available] = await levelOf(warehouse_id, 'X');
    expect([onHand, reserved + available]).toEqual([100, 100]);
    expect(await levelOf(warehouse_id, 'Y')).toEqual([onHand, reserved, available]);
  });
});
