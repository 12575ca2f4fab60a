/** What people may ask: where the goods of an order are, why there, who waits and where he stands. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { type ItemPage, type TestInventory, openInventory } from './inventory.ts';

interface Told {
  readonly status: string;
  readonly strategy: string;
  readonly worked_out: boolean;
  readonly expires_at: string | null;
  readonly parts: readonly { warehouse_id: string; lines: readonly { sku: string; held: number; gone: number }[] }[];
  readonly queued: readonly { sku: string; quantity: number; place: number; reason: string; waits_for: string | null; since: string }[];
  readonly rejected: readonly { warehouse_id: string; why: string }[] | null;
}

describe.each(databases())('allocations on $name', (database) => {
  let inventory: TestInventory;
  let n = 0;
  const named = (): { sku: string; order: (name: string) => string } => {
    n += 1;
    return { sku: `A${n}`, order: (name) => `ord_${n}_${name}` };
  };
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterAll(() => inventory.open.drop());
  const read = (order_id: string) => inventory.get<Told>('/v1/allocations/{order_id}', {}, { order_id });

  it('of ordinary orders keep no reasons; they are worked out from the ledger', async () => {
    const { stocked, tell, reserve, release, commit, receive } = inventory;
    const { sku, order } = named();
    const [small, chosen, later] = [await stocked({ [sku]: 1 }), await stocked({ [sku]: 5 }), await stocked({ [sku]: 5 })];
    await tell(reserve(order('a'), { [sku]: 2 }));
    // What has moved since does not matter.
    await tell(reserve(order('b'), { [sku]: 3 }), release(order('b')));
    await receive(small, { [sku]: 9 });
    expect(await read(order('a'))).toMatchObject({
      status: 'held',
      strategy: 'priority',
      parts: [{ warehouse_id: chosen, lines: [{ sku, held: 2, gone: 0 }] }],
      queued: [],
      rejected: [
        { warehouse_id: small, why: `has 1 of 2 ${sku}` },
        { warehouse_id: later, why: 'is asked later: it is newer' },
      ],
      worked_out: true,
      expires_at: null,
    });
    await tell(commit(order('a')));
    expect(await read(order('a'))).toMatchObject({ status: 'committed', parts: [{ lines: [{ held: 0, gone: 2 }] }], worked_out: true });
    // By the rules of today it would have been another one: then nothing is claimed.
    await inventory.send('PATCH', '/v1/warehouses/{warehouse_id}', { priority: 1 }, { params: { warehouse_id: later } });
    expect(await read(order('a'))).toMatchObject({ rejected: null, worked_out: false });
  });

  it('of others say what was asked, what was chosen and why not elsewhere', async () => {
    const { stocked, tell, reserve, allowWaiting, world } = inventory;
    const { sku, order } = named();
    const [one, two, three] = [await stocked({ [sku]: 2 }), await stocked({ [sku]: 3 }), await stocked({ [sku]: 1 })];
    await allowWaiting(sku, 9);
    const expires_at = new Date(world.now() + 60_000).toISOString();
    await tell(
      reserve(order('a'), { [sku]: 5 }, { strategy: 'fewest_parcels', split: true, expires_at }),
      reserve(order('b'), { [sku]: 4 }, { split: true, backorder: true }),
    );
    expect(await read(order('a'))).toMatchObject({
      status: 'held',
      strategy: 'fewest_parcels',
      parts: [
        { warehouse_id: one, lines: [{ held: 2 }] },
        { warehouse_id: two, lines: [{ held: 3 }] },
      ],
      rejected: [{ warehouse_id: three, why: 'is not among the 2 that have everything' }],
      worked_out: false,
      expires_at,
    });
    expect(await read(order('b'))).toMatchObject({
      status: 'queued',
      parts: [{ warehouse_id: three, lines: [{ held: 1 }] }],
      queued: [{ sku, quantity: 3, place: 1, reason: 'backordered', waits_for: null, since: new Date(world.now()).toISOString() }],
    });
  });

  it('say how an order ended', async () => {
    const { stocked, tell, reserve, release, message, world } = inventory;
    const { sku, order } = named();
    await stocked({ [sku]: 2 });
    await tell(
      reserve(order('no'), { [sku]: 3 }),
      release(order('early')),
      reserve(order('free'), { [sku]: 1 }, { split: true, expires_at: new Date(world.now()).toISOString() }),
    );
    expect([(await read(order('no'))).status, (await read(order('early'))).status, (await read(order('free'))).status]).toEqual([
      'rejected',
      'released',
      'held',
    ]);
    expect(await read(order('no'))).toMatchObject({ lines: [{ sku, quantity: 3 }], parts: [], rejected: null });
    await tell(message('stock.expire', { order_id: order('free') }));
    expect((await read(order('free'))).status).toBe('expired');
    await tell(release(order('free')));
    expect((await read(order('free'))).status).toBe('released');
    await expect(read('ord_never')).rejects.toEqual(expect.objectContaining({ code: 'reservation_not_found' }));
  });

  it('say who waits, those whose goods vanished before the others', async () => {
    const { stocked, tell, reserve, get, allowWaiting, send, world } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 2 });
    await allowWaiting(sku, 90);
    await tell(reserve(order('had'), { [sku]: 2 }));
    for (const name of ['x', 'y', 'z']) {
      world.advance(1_000);
      await tell(reserve(order(name), { [sku]: 1 }, { split: true, backorder: true }));
    }
    await send('POST', '/v1/stock/counts', { warehouse_id, lines: [{ sku, counted: 1 }] });
    const places = ({ items }: ItemPage): unknown[] =>
      items.map(({ order_id, place, quantity, reason, waits_for }) => [order_id, place, quantity, reason, waits_for]);
    const first = await get('/v1/backorders', { sku, limit: '3' });
    const second = await get('/v1/backorders', { sku, limit: '3', cursor: first.next_cursor });
    expect([...places(first), ...places(second)]).toEqual([
      [order('had'), 1, 1, 'vanished', warehouse_id],
      [order('x'), 2, 1, 'backordered', null],
      [order('y'), 3, 1, 'backordered', null],
      [order('z'), 4, 1, 'backordered', null],
    ]);
    expect(second.next_cursor).toBeNull();
    expect((await get('/v1/backorders')).items.length).toBeGreaterThan(4);
  });
});
