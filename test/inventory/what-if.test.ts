/** What would have been, worked out of the ledger and the reservations alone; nothing is changed by asking. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { type OpenDatabase } from '../support/databases.ts';
import { type TestInventory, openInventory } from './inventory.ts';

interface Figures {
  readonly orders: number;
  readonly parcels: number;
  readonly split_orders: number;
  readonly unfilled_orders: number;
  readonly unfilled_pieces: number;
  readonly distance_km: number;
  readonly parcels_of_unknown_distance: number;
  readonly cost: number | null;
}
interface Told {
  readonly was: Figures;
  readonly would_be: Figures;
  readonly different_orders: number;
  readonly differences: readonly { order_id: string; was: string[]; would_be: string[] }[];
}
const HOUR = 3_600_000;

describe.each(databases())('what if, on $name', (database) => {
  const opened: OpenDatabase[] = [];
  let inventory: TestInventory;
  let from: string;
  beforeEach(async () => {
    inventory = await openInventory(database);
    opened.push(inventory.open);
    from = new Date(inventory.world.now()).toISOString();
  });
  afterAll(async () => void (await Promise.all(opened.map((one) => one.drop()))));
  const ask = (query: object = {}) =>
    inventory.get<Told>('/v1/what-if/allocation', { from, to: new Date(inventory.world.now() + 1).toISOString(), ...query });
  const order = (): string => inventory.world.id('ord');
  const later = (): void => inventory.world.advance(HOUR);

  /** A day: two warehouses, some orders, one of them rejected, one cancelled, and goods that came in between. */
  async function day(): Promise<{ one: string; two: string }> {
    const { stocked, tell, reserve, release, commit, receive } = inventory;
    const [one, two] = [await stocked({ A: 4, B: 4 }), await stocked({ A: 4 })];
    await tell(reserve('ord_before', { A: 1 })); // before the while that is asked about
    later();
    from = new Date(inventory.world.now()).toISOString();
    const orders = Array.from({ length: 5 }, order);
    await tell(reserve(orders[0]!, { A: 3, B: 1 }));
    later();
    await tell(reserve(orders[1]!, { A: 2 }), commit(orders[0]!));
    later();
    await tell(reserve(orders[2]!, { A: 3 })); // too many for one
    later();
    await tell(release(orders[1]!), reserve(orders[3]!, { A: 4 }));
    later();
    await receive(one, { A: 5 });
    await tell(release('ord_before'));
    later();
    await tell(reserve(orders[4]!, { A: 6 }));
    later();
    await receive(one, { A: 50 }); // after it
    return { one, two };
  }

  it('nothing had been otherwise, it is as it was', async () => {
    await day();
    const { was, would_be, different_orders } = await ask({ to: new Date(inventory.world.now()).toISOString() });
    expect(was).toMatchObject({ orders: 5, parcels: 4, split_orders: 0, unfilled_orders: 1, unfilled_pieces: 3 });
    expect([would_be, different_orders]).toEqual([was, 0]);
  });

  it('orders had been split, or a warehouse closed', async () => {
    const { one, two } = await day();
    const split = await ask({ split: 'true', strategy: 'fewest_parcels' });
    expect(split.would_be).toMatchObject({ orders: 5, unfilled_orders: 1, split_orders: 0 });
    const closed = await ask({ without_warehouse: two, cost_per_parcel: '450' });
    expect(closed.would_be).toMatchObject({ parcels: 2, cost: 900 });
    expect(closed.differences.every(({ would_be }) => !would_be.includes(two))).toBe(true);
    expect((await ask({ without_warehouse: `${one},${two}` })).would_be).toMatchObject({ parcels: 0, unfilled_orders: 5 });
  });

  it('goods had gone the shortest way', async () => {
    const { stocked, tell, reserve, send } = inventory;
    const [one, two] = [await stocked({ A: 9 }), await stocked({ A: 9 })];
    for (const [warehouse_id, latitude, longitude] of [
      [one, 48.14, 11.58],
      [two, 53.55, 9.99],
    ] as const)
      await send('PATCH', '/v1/warehouses/{warehouse_id}', { latitude, longitude }, { params: { warehouse_id } });
    const ship_to = { latitude: '53.6', longitude: '10.0' };
    const known = order();
    inventory.destinations.set(known, ship_to);
    await tell(reserve(known, { A: 1 }, { split: true, ship_to }), reserve(order(), { A: 1 }));
    const { was, would_be, differences } = await ask({ strategy: 'nearest', cost_per_km: '1' });
    expect(was.distance_km).toBeGreaterThan(590);
    expect(would_be.distance_km).toBeLessThan(10);
    expect([was.parcels_of_unknown_distance, would_be.parcels_of_unknown_distance]).toEqual([1, 1]);
    expect(differences).toMatchObject([{ was: [one], would_be: [two] }]);
  });

  it('asks those who keep the orders where they go to', async () => {
    const { stocked, tell, reserve, send } = inventory;
    const [one, two] = [await stocked({ A: 9 }), await stocked({ A: 9 })];
    for (const [warehouse_id, postal_code] of [
      [one, '80331'],
      [two, '20095'],
    ] as const)
      await send('PATCH', '/v1/warehouses/{warehouse_id}', { country: 'DE', postal_code }, { params: { warehouse_id } });
    const id = order();
    inventory.destinations.set(id, { country: 'DE', postal_code: '20097' });
    await tell(reserve(id, { A: 1 }));
    const { was, would_be } = await ask({ strategy: 'nearest' });
    expect([was.distance_km, would_be.distance_km]).toEqual([800, 100]);
  });

  it('is asked about any stretch of a long ledger', async () => {
    const { stocked, tell, reserve, send } = inventory;
    const warehouse_id = await stocked({ A: 1, B: 0 });
    const much = async (): Promise<void> => {
      const lines = Array.from({ length: 1_000 }, () => ({ sku: 'B', quantity: 1 }));
      for (let i = 0; i < 3; i += 1) {
        later();
        await send('POST', '/v1/stock/receipts', { warehouse_id, lines });
      }
    };
    await much();
    later();
    from = new Date(inventory.world.now()).toISOString();
    await tell(reserve(order(), { A: 1, B: 3_000 }), reserve(order(), { B: 1 }));
    await much();
    const { was, would_be } = await ask();
    expect(was).toMatchObject({ orders: 2, parcels: 1, unfilled_orders: 1 });
    expect(would_be).toEqual(was);
    expect((await ask({ backorder: 'true' })).would_be).toMatchObject({ parcels: 2, unfilled_orders: 0 });
  });

  it('changes nothing', async () => {
    await day();
    const everything = async (): Promise<unknown[]> => {
      const tables = ['stock_level', 'stock_posting', 'reservation', 'reservation_line', 'reservation_part', 'stock_queue', 'outbox'];
      return Promise.all(tables.map((table) => inventory.open.db.read.raw(`select * from ${table}`)));
    };
    const before = await everything();
    await ask({ split: 'true', backorder: 'true', strategy: 'nearest' });
    expect(await everything()).toEqual(before);
  });

  it.each([
    [{ to: '2025-12-31T00:00:00Z' }, 'invalid_request'],
    [{ from: '2025-01-01T00:00:00Z' }, 'invalid_request'],
    [{ without_warehouse: 'whs_never' }, 'warehouse_not_found'],
  ])('is refused for %j', async (wrong, code) => {
    await expect(ask(wrong)).rejects.toEqual(expect.objectContaining({ code }));
  });
  it.each([{ from: 'yesterday' }, { without_warehouse: ',' }, { strategy: 'best' }, { cost_per_km: '-1' }])(
    'is not understood: %j',
    async (wrong) => {
      await expect(ask(wrong)).rejects.toThrow();
    },
  );
});
