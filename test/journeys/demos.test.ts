/**
 * Those of the twelve demonstrations (README.md beside this) that no other story tells: on every ground, through HTTP, by a clock that can
 * be moved on. After each the auditor recomputes everything.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { PRICE, type Order, type Shop, openShop } from '../support/shop.ts';
import { type MovableWorld, movableWorld } from '../support/world.ts';

const MINUTE = 60_000;
/** More than any queue of the doors holds: some of them have to be answered while others wait. */
const BUYERS = 500;

interface Whole extends Order {
  readonly queued?: readonly { readonly quantity: number }[];
}

onEveryGround((ground) => {
  let opened: OpenGround;
  let app: TestApp;
  let world: MovableWorld;
  let shop: Shop;
  let shops = 0;
  beforeAll(async () => {
    opened = await ground.open();
    world = movableWorld();
    app = await startApp({ settings: opened.settings, world });
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.remove();
  });
  beforeEach(async () => {
    shop = await openShop(app, { sku: `DEMO-${(shops += 1)}`, stock: 1 });
  });
  afterEach(async () => {
    const audit = await shop.audit();
    expect(audit.equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  });

  const one = (more: object = {}): object => ({ lines: [{ sku: shop.sku, quantity: 1 }], ...more });
  const mayWait = (): Promise<unknown> => app.ask('PATCH', `/v1/products/${shop.sku}`, { backorder_limit: 20 });
  const until = (id: string, found: (order: Whole) => boolean): Promise<Whole> => app.until<Whole>(`/v1/orders/${id}`, found);

  test('500 buyers and one piece: one order', async () => {
    const orders = await Promise.all(Array.from({ length: BUYERS }, (_, i) => shop.place(one({ customer: { id: `c-${i}` } }))));
    const ends = await Promise.all(orders.map(({ id }) => until(id, ({ status }) => status === 'confirmed' || status === 'cancelled')));
    expect(ends.filter(({ status }) => status === 'confirmed')).toHaveLength(1);
    expect(new Set(ends.filter(({ status }) => status === 'cancelled').map(({ status_reason }) => status_reason))).toEqual(new Set(['out_of_stock']));
    expect(await shop.level()).toMatchObject({ on_hand: 1, reserved: 1, available: 0 });
    const paid = await Promise.all(orders.map(({ id }) => shop.payment(id)));
    expect(paid.filter((payment) => payment !== undefined)).toHaveLength(1);
  });

  test('the provider does not answer in time, neither to the authorisation nor to the capture: it is asked, and charges once', async () => {
    const { id } = await shop.place(one({ payment: { token: 'tok_unknown' } }));
    await shop.dispatch(await shop.shipment(id, 'ready'));
    await shop.reaches(id, 'shipped');
    const { id: payment } = (await shop.payment(id))!;
    const detail = await app.get<{ operations: { kind: string; state: string; attempts: number }[] }>(`/v1/payments/${payment}`);
    expect(detail).toMatchObject({ status: 'captured', held: 0, captured: PRICE, refunded: 0 });
    expect(detail.operations.map(({ kind, state, attempts }) => [kind, state, attempts > 1])).toEqual([
      ['authorize', 'succeeded', true],
      ['capture', 'succeeded', true],
    ]);
  });

  test('a reservation is given up when its time is over, and whoever waits is served', async () => {
    await mayWait();
    const expires_at = new Date(world.now() + 15 * MINUTE).toISOString();
    const first = await shop.place(one({ policy: 'reserve_only', allocation: { expires_at } }));
    await shop.reaches(first.id, 'confirmed');
    const second = await shop.place(one({ allocation: { backorder: true } }));
    await until(second.id, ({ queued }) => queued?.[0]?.quantity === 1);
    expect(await shop.shipments(second.id)).toEqual([]);

    world.advance(15 * MINUTE);
    expect(await shop.reaches(first.id, 'cancelled')).toMatchObject({ status_reason: 'reservation_expired' });
    await shop.shipment(second.id, 'ready');
    expect((await shop.order(second.id)).status).toBe('confirmed');
    expect(await shop.level()).toMatchObject({ on_hand: 1, reserved: 1, available: 0 });
  });

  test('a count below what is reserved shorts the newest reservation, and only its customer hears of it, once', async () => {
    await mayWait();
    await app.post('/v1/stock/receipts', { warehouse_id: shop.warehouse, lines: [{ sku: shop.sku, quantity: 1 }] });
    const older = await shop.place(one());
    await shop.shipment(older.id, 'ready');
    const newer = await shop.place(one());
    await shop.shipment(newer.id, 'ready');
    await app.post('/v1/stock/counts', { warehouse_id: shop.warehouse, lines: [{ sku: shop.sku, counted: 1 }] });
    await until(newer.id, ({ queued }) => queued?.[0]?.quantity === 1);
    const told = async (id: string): Promise<number> => (await shop.timeline(id)).filter((type) => type === 'stock.shorted').length;
    expect([await told(older.id), await told(newer.id)]).toEqual([0, 1]);
    await shop.dispatch(await shop.shipment(older.id, 'ready'));
    await shop.reaches(older.id, 'shipped');
  });
});
