/** Reservations that are not ordinary, on both databases: after each story the books must add up. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { violationsIn } from './books.ts';
import { type TestInventory, linesOf, openInventory, partsInWords, queuedInWords } from './inventory.ts';

const fault = expect.objectContaining({ code: 'reservation_state' });
const wait = { split: true, backorder: true };

describe.each(databases())('reservations in parts on $name', (database) => {
  let inventory: TestInventory;
  let n = 0;
  /** Skus and orders of a story of its own. */
  const named = (): { sku: string; order: (name: string) => string } => {
    n += 1;
    return { sku: `S${n}`, order: (name) => `ord_${n}_${name}` };
  };
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterEach(async () => expect(await violationsIn(inventory.open.db)).toEqual([]));
  afterAll(() => inventory.open.drop());

  it('come from several warehouses when one has not enough, and the movements sum to the levels', async () => {
    const { stocked, tell, reserve, commit, release, heardOf, levelOf } = inventory;
    const { sku, order } = named();
    const [one, two] = [await stocked({ [sku]: 10 }), await stocked({ [sku]: 15 })];
    expect(await tell(reserve(order('a'), { [sku]: 13 }, { split: true }))).toEqual([`stock.reserved ${order('a')}`]);
    const said = heardOf('stock.reserved', order('a'));
    expect(said).toMatchObject({ warehouse_id: one, lines: [{ sku, quantity: 13 }] });
    expect(partsInWords(said?.parts)).toEqual([`${one}: 10 ${sku}`, `${two}: 3 ${sku}`]);
    expect([await levelOf(one, sku), await levelOf(two, sku)]).toEqual([
      [10, 10, 0],
      [15, 3, 12],
    ]);
    expect(await tell(commit(order('a'), { shipment_id: 'shp_1', warehouse_id: two, lines: { [sku]: 3 } }))).toEqual([
      `stock.committed ${order('a')}`,
    ]);
    expect(heardOf('stock.committed', order('a'))).toEqual({ order_id: order('a'), shipment_id: 'shp_1' });
    expect(await tell(release(order('a')), release(order('a')))).toEqual([`stock.released ${order('a')}`]);
    expect([await levelOf(one, sku), await levelOf(two, sku)]).toEqual([
      [10, 0, 10],
      [12, 0, 12],
    ]);
  });

  it('stay ordinary where one warehouse has everything, and say why it was taken when it was not simply the first', async () => {
    const { stocked, tell, reserve, heardOf, open } = inventory;
    const { sku, order } = named();
    const [one, two] = [await stocked({ [sku]: 9 }), await stocked({ [sku]: 9 })];
    for (const [id, postal_code] of [
      [one, '80331'],
      [two, '20095'],
    ] as const)
      await inventory.send('PATCH', '/v1/warehouses/{warehouse_id}', { country: 'DE', postal_code }, { params: { warehouse_id: id } });
    await tell(reserve(order('a'), { [sku]: 1 }, { ...wait }));
    expect(heardOf('stock.reserved', order('a'))).toEqual({ order_id: order('a'), warehouse_id: one, lines: linesOf({ [sku]: 1 }) });
    await tell(reserve(order('b'), { [sku]: 1 }, { strategy: 'nearest', ship_to: { country: 'DE', postal_code: '20099' } }));
    expect(heardOf('stock.reserved', order('b'))).toEqual({
      order_id: order('b'),
      warehouse_id: two,
      lines: linesOf({ [sku]: 1 }),
      plan: { strategy: 'nearest', rejected: [{ warehouse_id: one, why: 'is 800 km away, not 100' }] },
    });
    const rows = await open.db.read.raw(`select r.status, d.plan from reservation r left join reservation_detail d on d.order_id = r.order_id
      where r.order_id in ('${order('a')}', '${order('b')}') order by r.order_id`);
    expect(rows).toEqual([
      { status: 'held', plan: null },
      { status: 'held', plan: expect.stringContaining('nearest') },
    ]);
  });

  describe('those who wait', () => {
    it('are served in their order by what arrives, in part where need be', async () => {
      const { stocked, tell, reserve, heardOf, said } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 2 });
      await inventory.allowWaiting(sku, 20);
      expect(await tell(...['a', 'b', 'c'].map((name) => reserve(order(name), { [sku]: 4 }, wait)))).toEqual(
        ['a', 'b', 'c'].map((name) => `stock.reserved ${order(name)}`),
      );
      expect(partsInWords(heardOf('stock.reserved', order('a'))?.parts)).toEqual([`${warehouse}: 2 ${sku}`]);
      expect(['a', 'b', 'c'].map((name) => queuedInWords(heardOf('stock.reserved', order(name))?.queued))).toEqual([
        [`2 ${sku} at 1`],
        [`4 ${sku} at 2`],
        [`4 ${sku} at 3`],
      ]);
      expect(heardOf('stock.reserved', order('b'))?.parts).toEqual([]);
      const from = said.length;
      await inventory.receive(warehouse, { [sku]: 5 });
      expect(
        said
          .slice(from)
          .filter(({ type }) => type === 'stock.filled')
          .map(({ subject, correlationid }) => [subject, correlationid]),
      ).toEqual([
        [order('a'), order('a')],
        [order('b'), order('b')],
      ]);
      expect([partsInWords(heardOf('stock.filled', order('a'))?.parts), queuedInWords(heardOf('stock.filled', order('a'))?.queued)]).toEqual([
        [`${warehouse}: 2 ${sku}`],
        [],
      ]);
      expect([partsInWords(heardOf('stock.filled', order('b'))?.parts), queuedInWords(heardOf('stock.filled', order('b'))?.queued)]).toEqual([
        [`${warehouse}: 3 ${sku}`],
        [`1 ${sku} at 1`],
      ]);
      expect(await inventory.levelOf(warehouse, sku)).toEqual([7, 7, 0]);
    });

    it('are served by what is released, before those who come later', async () => {
      const { stocked, tell, reserve, release, heardOf, levelOf } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 3 });
      await inventory.allowWaiting(sku, 20);
      await tell(reserve(order('a'), { [sku]: 3 }), reserve(order('b'), { [sku]: 2 }, wait));
      expect(await tell(release(order('a')), reserve(order('c'), { [sku]: 2 }), reserve(order('d'), { [sku]: 1 }))).toEqual([
        `stock.released ${order('a')}`,
        `stock.rejected ${order('c')}`,
        `stock.reserved ${order('d')}`,
        `stock.filled ${order('b')}`,
      ]);
      expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${warehouse}: 2 ${sku}`]);
      expect(await levelOf(warehouse, sku)).toEqual([3, 3, 0]);
    });

    it('are no more than the product allows', async () => {
      const { stocked, tell, reserve, release, heardOf } = inventory;
      const { sku, order } = named();
      await stocked({ [sku]: 1 });
      await inventory.allowWaiting(sku, 5);
      expect(
        await tell(reserve(order('a'), { [sku]: 4 }, wait), reserve(order('b'), { [sku]: 3 }, wait), reserve(order('c'), { [sku]: 2 }, wait)),
      ).toEqual([`stock.reserved ${order('a')}`, `stock.reserved ${order('c')}`, `stock.rejected ${order('b')}`]);
      expect(heardOf('stock.rejected', order('b'))).toMatchObject({ reason: 'backorder_limit', lines: [{ sku, requested: 3, available: 0 }] });
      await tell(release(order('c')));
      expect(await tell(reserve(order('d'), { [sku]: 3 }, wait))).toEqual([`stock.rejected ${order('d')}`]);
      expect(await tell(reserve(order('e'), { [sku]: 2 }, wait), reserve(order('f'), { [sku]: 1 }, { split: true }))).toEqual([
        `stock.reserved ${order('e')}`,
        `stock.rejected ${order('f')}`,
      ]);
    });

    it('and may not be split wait for the warehouse that has the rest, or for whichever has something first', async () => {
      const { stocked, tell, reserve, heardOf } = inventory;
      const [{ sku: a, order }, { sku: b }] = [named(), named()];
      const [one, two] = [await stocked({ [a]: 1, [b]: 0 }), await stocked({ [a]: 0, [b]: 0 })];
      for (const sku of [a, b]) await inventory.allowWaiting(sku, 20);
      await tell(reserve(order('holds'), { [a]: 1, [b]: 1 }, { backorder: true }), reserve(order('free'), { [a]: 1, [b]: 1 }, { backorder: true }));
      await inventory.receive(two, { [b]: 1 });
      // The first waits for the first warehouse; so the second one is served, and from now on waits for the second.
      expect(heardOf('stock.filled', order('holds'))).toBeUndefined();
      expect(partsInWords(heardOf('stock.filled', order('free'))?.parts)).toEqual([`${two}: 1 ${b}`]);
      await inventory.receive(one, { [a]: 5, [b]: 5 });
      expect(partsInWords(heardOf('stock.filled', order('holds'))?.parts)).toEqual([`${one}: 1 ${b}`]);
      await inventory.receive(two, { [a]: 5 });
      expect(partsInWords(heardOf('stock.filled', order('free'))?.parts)).toEqual([`${two}: 1 ${a}`]);
    });

    it('are found however many wait for another warehouse before them', async () => {
      const { stocked, tell, reserve, release, heardOf } = inventory;
      const [{ sku: a, order }, { sku: b }] = [named(), named()];
      const one = await stocked({ [a]: 1 });
      const two = await stocked({ [b]: 9, [a]: 0 }, 200);
      for (const sku of [a, b]) await inventory.allowWaiting(sku, 50);
      await tell(reserve(order('first'), { [a]: 1 }));
      // Nine hold something in the second warehouse and wait for it; the tenth would take anything.
      await tell(...Array.from({ length: 9 }, (_, i) => reserve(order(`w${i}`), { [b]: 1, [a]: 1 }, { backorder: true })));
      await tell(reserve(order('any'), { [a]: 1 }, wait));
      await tell(release(order('first')));
      expect(partsInWords(heardOf('stock.filled', order('any'))?.parts)).toEqual([`${one}: 1 ${a}`]);
      expect(await inventory.levelOf(two, a)).toEqual([0, 0, 0]);
    });
  });

  describe('that expire', () => {
    const HOUR = 3_600_000;
    const until = (ms: number): string => new Date(inventory.world.now() + ms).toISOString();
    const timers = (order_id: string) => inventory.open.db.read.raw(`select due_at from timer where key = 'expire:${order_id}'`);

    it('give back what they hold when the time has come, and the next who waits is served', async () => {
      const { stocked, tell, reserve, message, heardOf, world } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 2 });
      await inventory.allowWaiting(sku, 20);
      await tell(reserve(order('a'), { [sku]: 2 }, { expires_at: until(HOUR) }), reserve(order('b'), { [sku]: 2 }, wait));
      const expire = () => tell(message('stock.expire', { order_id: order('a') }));
      expect(await timers(order('a'))).toEqual([{ due_at: world.now() + HOUR }]);
      expect(await expire()).toEqual([]); // early: the timer is still there
      world.advance(HOUR);
      expect(await expire()).toEqual([`stock.expired ${order('a')}`, `stock.filled ${order('b')}`]);
      expect(heardOf('stock.expired', order('a'))).toEqual({ order_id: order('a'), lines: linesOf({ [sku]: 2 }) });
      expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${warehouse}: 2 ${sku}`]);
      expect(await expire()).toEqual([]);
      await expect(tell(inventory.commit(order('a')))).rejects.toEqual(fault);
      expect(await tell(inventory.release(order('a')))).toEqual([`stock.released ${order('a')}`]);
    });

    it('are good for longer when renewed, and for ever without a time', async () => {
      const { stocked, tell, reserve, message, commit, world } = inventory;
      const { sku, order } = named();
      await stocked({ [sku]: 2 });
      await tell(reserve(order('a'), { [sku]: 2 }, { expires_at: until(HOUR) }));
      await tell(message('stock.renew', { order_id: order('a'), expires_at: until(2 * HOUR) }));
      expect(await timers(order('a'))).toEqual([{ due_at: world.now() + 2 * HOUR }]);
      world.advance(HOUR);
      expect(await tell(message('stock.expire', { order_id: order('a') }))).toEqual([]);
      expect(await tell(message('stock.renew', { order_id: order('a') }))).toEqual([]);
      expect(await timers(order('a'))).toEqual([]);
      world.advance(9 * HOUR);
      expect(await tell(message('stock.expire', { order_id: order('a') }))).toEqual([]);
      expect(await tell(commit(order('a')))).toEqual([`stock.committed ${order('a')}`]);
    });

    it('mean nothing once released, and an ordinary one may be given a time', async () => {
      const { stocked, tell, reserve, release, message } = inventory;
      const { sku, order } = named();
      await stocked({ [sku]: 2 });
      await tell(reserve(order('a'), { [sku]: 1 }, { expires_at: until(HOUR) }), reserve(order('b'), { [sku]: 1 }));
      await tell(release(order('a')), message('stock.renew', { order_id: order('a'), expires_at: until(HOUR) }));
      expect(await timers(order('a'))).toEqual([]);
      await tell(message('stock.renew', { order_id: order('b'), expires_at: until(HOUR) }), message('stock.renew', { order_id: order('never') }));
      expect(await timers(order('b'))).toHaveLength(1);
    });
  });
});
