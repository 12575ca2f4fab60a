/**
 * The whole life of an order: in parts, waited for, changed, held, given back; through HTTP, on the whole program, on every ground. After
 * each story the auditor recomputes everything.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { PRICE, type Shipment, type Shop, openShop } from '../support/shop.ts';

interface Whole {
  readonly id: string;
  readonly status: string;
  readonly status_reason: string | null;
  readonly closed: boolean;
  readonly payment_status: string;
  readonly fulfilment_status: string;
  readonly total: number;
  readonly due: number;
  readonly lines: readonly {
    readonly id: string;
    readonly sku: string;
    readonly quantity: number;
    readonly cancelled: number;
    readonly shipped: number;
    readonly returned: number;
  }[];
  readonly shipments?: readonly {
    readonly id: string;
    readonly state: string;
    readonly warehouse_id: string;
    readonly lines: readonly { readonly quantity: number }[];
  }[];
  readonly queued?: readonly { readonly quantity: number }[];
  readonly revision?: { readonly state: string };
  readonly holds?: readonly { readonly id: string }[];
  readonly refunds?: readonly unknown[];
}

onEveryGround((ground) => {
  let opened: OpenGround;
  let app: TestApp;
  let shop: Shop;
  let shops = 0;
  beforeAll(async () => {
    opened = await ground.open();
    app = await startApp({ settings: opened.settings });
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.remove();
  });
  beforeEach(async () => {
    shop = await openShop(app, { sku: `WHOLE-${(shops += 1)}` });
  });
  afterEach(async () => {
    const audit = await shop.audit();
    expect(audit.equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  });

  const path = (id: string): string => `/v1/orders/${id}`;
  const place = (quantity: number, more: object = {}): Promise<Whole> => shop.place({ lines: [{ sku: shop.sku, quantity }], ...more }) as never;
  const until = (id: string, found: (order: Whole) => boolean): Promise<Whole> => app.until<Whole>(path(id), found);
  const states = ({ shipments = [] }: Whole): string =>
    shipments.map(({ state, lines }) => `${state} ${lines.map(({ quantity }) => quantity).join('+')}`).join(', ');
  const receive = (quantity: number, warehouse_id = shop.warehouse) =>
    app.post('/v1/stock/receipts', { warehouse_id, lines: [{ sku: shop.sku, quantity }] });
  const ship = (id: string): Promise<unknown> => shop.dispatch({ id } as Shipment);
  const arrive = (id: string): Promise<unknown> => shop.deliver({ id } as Shipment);

  async function secondWarehouse(stock: number): Promise<string> {
    const { id } = await app.post<{ id: string }>('/v1/warehouses', { name: `Lyon ${shops}`, location: 'Lyon' });
    await receive(stock, id);
    return id;
  }

  test('13 of 10 and 15 are 10 and 3: two shipments, each captured for itself, and the sum is the total', async () => {
    await secondWarehouse(15);
    const { id } = await place(13, { allocation: { split: true }, charges: [{ code: 'shipping', amount: 499 }] });
    const order = await until(id, (one) => states(one) === 'ready 10, ready 3');
    const [ten, three] = order.shipments!.map((one) => one.id) as [string, string];
    await ship(ten);
    const part = await until(id, (one) => one.shipments![0]!.state === 'shipped');
    expect(part).toMatchObject({ status: 'confirmed', fulfilment_status: 'part_shipped', lines: [{ shipped: 10 }] });
    expect(await shop.payment(id)).toMatchObject({ captured: 10 * PRICE + 499, held: 3 * PRICE });
    await ship(three);
    await shop.reaches(id, 'shipped');
    expect(await shop.payment(id)).toMatchObject({ captured: 13 * PRICE + 499, held: 0 });
    await arrive(three);
    await arrive(ten);
    await shop.reaches(id, 'delivered');
    expect(await until(id, ({ closed }) => closed)).toMatchObject({ due: 0, payment_status: 'paid', fulfilment_status: 'delivered' });
    expect(await shop.blockers(id)).toEqual([]);
  });

  test('what is not there is waited for: the rest is shipped, a receipt fills the queue, and it follows', async () => {
    const rare = `RARE-${shops}`;
    await app.post('/v1/products', { sku: rare, name: 'Rare', price: PRICE, currency: 'EUR', backorder_limit: 20 });
    await app.post('/v1/stock/receipts', { warehouse_id: shop.warehouse, lines: [{ sku: rare, quantity: 10 }] });
    const { id } = await place(12, { lines: [{ sku: rare, quantity: 12 }], allocation: { backorder: true } });
    const order = await until(id, (one) => states(one) === 'ready 10');
    expect(order).toMatchObject({ fulfilment_status: 'backordered', queued: [{ quantity: 2 }] });
    expect(await shop.blockers(id)).toContainEqual(expect.objectContaining({ blocker: 'backordered', owner: 'inventory' }));
    await ship(order.shipments![0]!.id);
    await until(id, (one) => one.shipments![0]!.state === 'shipped');
    await app.post('/v1/stock/receipts', { warehouse_id: shop.warehouse, lines: [{ sku: rare, quantity: 5 }] });
    const filled = await until(id, (one) => states(one) === 'shipped 10, ready 2');
    await ship(filled.shipments![1]!.id);
    await shop.reaches(id, 'shipped');
    expect(await shop.payment(id)).toMatchObject({ captured: 12 * PRICE, held: 0 });
  });

  test('goods that vanish: the parcel goes on with the rest, and the customer waits for what is missing', async () => {
    const { id } = await place(4);
    await shop.shipment(id, 'ready');
    await app.post('/v1/stock/counts', { warehouse_id: shop.warehouse, lines: [{ sku: shop.sku, counted: 3 }] });
    await until(id, (one) => states(one) === 'cancelled 4, ready 3' && one.queued?.[0]?.quantity === 1);
    await receive(2);
    const order = await until(id, (one) => states(one).endsWith('ready 4')); // one parcel of both, not two
    await ship(order.shipments!.findLast(({ state }) => state === 'ready')!.id);
    await shop.reaches(id, 'shipped');
    expect(await shop.payment(id)).toMatchObject({ captured: 4 * PRICE, held: 0 });
  });

  test('an edit: more pieces, another address, another charge; tried before it is made', async () => {
    const { id, lines } = await place(2);
    await shop.shipment(id, 'ready');
    const body = {
      lines: [{ line_id: lines[0]!.id, quantity: 3 }],
      charges: [{ code: 'express', amount: 700 }],
      ship_to: { city: 'Lyon' },
      payment: { token: 'tok_ok' },
    };
    const dry = await app.ask<{ after: { total: number }; effects: object }>('POST', `${path(id)}/edits`, { ...body, dry_run: true });
    expect(dry).toMatchObject({
      status: 200,
      body: { after: { total: 3 * PRICE + 700 }, effects: { authorize: PRICE + 700, reserve: [{ quantity: 1 }] } },
    });
    expect(await shop.level(shop.sku)).toMatchObject({ reserved: 2 });

    await app.post(`${path(id)}/edits`, body);
    const order = await until(id, (one) => one.revision === undefined && states(one) === 'cancelled 2, ready 3');
    expect(order).toMatchObject({ total: 3 * PRICE + 700, payment_status: 'authorized', status: 'confirmed' });
    expect(await shop.level(shop.sku)).toMatchObject({ reserved: 3 });
    const shipments = await app.get<{ items: { id: string; ship_to: object }[] }>(`/v1/shipments?order_id=${id}`);
    expect(shipments.items.find((one) => one.id === order.shipments![1]!.id)).toMatchObject({ ship_to: { city: 'Lyon' } });
    await ship(order.shipments![1]!.id);
    await shop.reaches(id, 'shipped');
    expect(await shop.payment(id)).toMatchObject({ captured: 3 * PRICE + 700, held: 0 });
  });

  test('an edit nobody pays for, and one there are no goods for, leave everything as it was', async () => {
    const { id, lines } = await place(2);
    const { id: shipment } = await shop.shipment(id, 'ready');
    await app.post(`${path(id)}/edits`, { lines: [{ line_id: lines[0]!.id, quantity: 3 }], payment: { token: 'tok_declined' } });
    const refused = await until(id, ({ revision }) => revision === undefined);
    expect([refused.total, states(refused)]).toEqual([2 * PRICE, 'ready 2']);
    await app.post(`${path(id)}/edits`, { lines: [{ line_id: lines[0]!.id, quantity: 30 }] });
    await until(id, ({ revision }) => revision === undefined);
    expect(await shop.level(shop.sku)).toMatchObject({ reserved: 2, available: 8 });
    expect((await shop.timeline(id)).filter((type) => type === 'revise')).toHaveLength(2);
    await ship(shipment);
    await shop.reaches(id, 'shipped');
    expect(await shop.payment(id)).toMatchObject({ captured: 2 * PRICE, held: 0 });
  });

  test('partial shipment, partial capture, the rest cancelled, some of it sent back: nothing is due', async () => {
    const lyon = await secondWarehouse(5);
    const { id, lines } = await place(12, { allocation: { split: true } });
    const order = await until(id, (one) => states(one) === 'ready 10, ready 2');
    expect(order.shipments![1]!.warehouse_id).toBe(lyon);
    await ship(order.shipments![0]!.id);
    await until(id, (one) => one.shipments![0]!.state === 'shipped');
    await app.post(`${path(id)}/cancel-lines`, { reason: 'enough' });
    await shop.reaches(id, 'shipped');
    expect(await until(id, ({ revision }) => revision === undefined)).toMatchObject({
      total: 10 * PRICE,
      due: 0,
      lines: [{ quantity: 12, cancelled: 2, shipped: 10 }],
    });
    expect(await shop.payment(id)).toMatchObject({ captured: 10 * PRICE, held: 0 });
    await arrive(order.shipments![0]!.id);
    await shop.reaches(id, 'delivered');

    const back = await app.post<{ id: string }>('/v1/returns', { order_id: id, lines: [{ line_id: lines[0]!.id, quantity: 3, reason: 'too many' }] });
    await app.post(`/v1/returns/${back.id}/approve`);
    await app.post(`/v1/returns/${back.id}/receive`, { lines: [{ line_id: lines[0]!.id, quantity: 3, disposition: 'restock' }] });
    const end = await until(id, ({ closed, lines: [line] }) => closed && line!.returned === 3);
    expect(end).toMatchObject({ total: 7 * PRICE, due: 0, payment_status: 'paid' });
    expect(await shop.payment(id)).toMatchObject({ captured: 7 * PRICE, refunded: 3 * PRICE, held: 0 });
  });

  test('a hold stops what has not begun, says who must act, and lets go', async () => {
    const { id } = await place(2);
    const shipment = await shop.shipment(id, 'ready');
    const held = await app.post<Whole>(`${path(id)}/holds`, { reason: 'address', note: 'no such street' });
    expect(held).toMatchObject({ status: 'on_hold', status_reason: 'address' });
    expect(await shop.blockers(id)).toContainEqual(expect.objectContaining({ blocker: 'hold_address', owner: 'operator' }));
    await app.post(`${path(id)}/holds/${held.holds![0]!.id}/release`, { reason: 'asked the customer' });
    await shop.reaches(id, 'confirmed');
    await app.until<{ holds: unknown[] }>(`/v1/shipments/${shipment.id}`, ({ holds }) => holds.length === 0);
    await ship(shipment.id);
    await shop.reaches(id, 'shipped');
  });

  test('a draft is changed and placed; another is thrown away', async () => {
    const draft = await place(1, { draft: true });
    expect(await shop.level(shop.sku)).toMatchObject({ reserved: 0 });
    await app.post(`${path(draft.id)}/edits`, { lines: [{ line_id: draft.lines[0]!.id, quantity: 4 }] });
    await app.post(`${path(draft.id)}/place`);
    await shop.reaches(draft.id, 'confirmed');
    expect(await shop.level(shop.sku)).toMatchObject({ reserved: 4 });
    const other = await place(1, { draft: true });
    expect(await app.post<Whole>(`${path(other.id)}/discard`)).toMatchObject({ status: 'cancelled', status_reason: 'discarded' });
  });

  test('money is given back by a person, as often as there is some', async () => {
    const { id } = await place(2);
    await ship((await shop.shipment(id, 'ready')).id);
    await shop.reaches(id, 'shipped');
    await app.post(`${path(id)}/refunds`, { amount: 500, reason: 'late' });
    await app.post(`${path(id)}/refunds`, { amount: 250, reason: 'scratched' });
    expect(await until(id, ({ refunds }) => refunds === undefined)).toMatchObject({ total: 2 * PRICE - 750, due: 0 });
    expect(await shop.payment(id)).toMatchObject({ captured: 2 * PRICE - 750, refunded: 750 });
    const tooMuch = await app.ask<{ code: string }>('POST', `${path(id)}/refunds`, { amount: 2 * PRICE, reason: 'x' });
    expect(tooMuch).toMatchObject({ status: 422, body: { code: 'refund_too_large' } });
  });

  test('cancelling an order of several shipments leaves nothing behind', async () => {
    await secondWarehouse(15);
    const { id } = await place(13, { allocation: { split: true } });
    await until(id, (one) => states(one) === 'ready 10, ready 3');
    await shop.cancel(id);
    await shop.reaches(id, 'cancelled');
    for (const { status } of await shop.shipments(id)) expect(status).toBe('cancelled');
    expect(await shop.payment(id)).toMatchObject({ held: 0, captured: 0 });
  });
});
