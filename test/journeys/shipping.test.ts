/**
 * What a warehouse and a carrier do with a parcel, and how it comes back: through HTTP, on the whole program, on every ground. After each
 * story the auditor recomputes everything.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { type Shop, openShop } from '../support/shop.ts';

interface Detail {
  readonly id: string;
  readonly status: string;
  readonly lines: readonly { readonly line_id: string }[];
  readonly parcels: readonly { readonly id: string; readonly tracking_number: string; readonly status: string }[];
}
interface Placed extends Detail {
  readonly warehouse_id: string;
  readonly lines: readonly { readonly line_id: string; readonly quantity: number }[];
}
interface Back {
  readonly id: string;
  readonly status: string;
  readonly lines: readonly { readonly line_id: string; readonly quantity: number }[];
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
    shop = await openShop(app, { sku: `PARCEL-${(shops += 1)}` });
  });
  afterEach(async () => {
    const audit = await shop.audit();
    expect(audit.equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  });

  const onHand = (quantity: number) =>
    app.until<{ items: { on_hand: number }[] }>(`/v1/stock?sku=${shop.sku}`, ({ items: [level] }) => level?.on_hand === quantity);

  /** An order of two teapots in two parcels, handed over. */
  async function inTwoParcels() {
    const order = await shop.place();
    const { id } = await shop.shipment(order.id, 'ready');
    const { lines } = await app.get<Detail>(`/v1/shipments/${id}`);
    const one = { lines: [{ line_id: lines[0]!.line_id, quantity: 1 }] };
    await app.post(`/v1/shipments/${id}/pick`);
    const { parcels } = await app.post<Detail>(`/v1/shipments/${id}/pack`, { parcels: [{ ...one, weight_g: 900, dims_mm: [200, 200, 300] }, one] });
    return { order, id, line_id: lines[0]!.line_id, parcels };
  }

  test('a parcel is picked, packed, labelled, handed over and followed to the door', async () => {
    const { order, id, parcels } = await inTwoParcels();
    await app.post(`/v1/shipments/${id}/labels`);
    await app.until<{ items: { status: string }[] }>(`/v1/shipments/${id}/labels`, ({ items }) => items.every(({ status }) => status === 'bought'));
    const label = await fetch(`${app.url()}/v1/shipments/${id}/labels/${parcels[0]!.id}`);
    expect(label.headers.get('content-type')).toBe('application/pdf');
    expect(Buffer.from(await label.arrayBuffer()).toString('latin1')).toMatch(/^%PDF-1\.4[^]*%%EOF\n$/);

    await app.post(`/v1/shipments/${id}/dispatch`);
    await shop.reaches(order.id, 'shipped');
    const event = { carrier_at: new Date().toISOString(), place: 'Bremen' };
    for (const [i, { tracking_number }] of parcels.entries()) {
      const path = `/v1/shipments/tracking/${tracking_number}/tracking-events`;
      await app.post(path, {
        events: [
          { ...event, carrier_event_id: 'b', code: 'delivered' },
          { ...event, carrier_event_id: 'a', code: 'picked_up' },
        ],
      });
      const { status } = await app.get<Detail>(`/v1/shipments/tracking/${tracking_number}`);
      expect(status).toBe(i === 0 ? 'in_transit' : 'delivered');
    }
    await shop.reaches(order.id, 'delivered');
    const events = await app.get<{ items: { code: string }[] }>(`/v1/shipments/${id}/tracking-events`);
    expect(events.items).toHaveLength(4);
  });

  test('an order of two warehouses is two shipments, and what one of them misses comes from the other', async () => {
    const { id: second } = await app.post<{ id: string }>('/v1/warehouses', { name: 'Bremen', location: 'Bremen', priority: 900 });
    await app.post('/v1/stock/receipts', { warehouse_id: second, lines: [{ sku: shop.sku, quantity: 5 }] });
    const order = await shop.place({ lines: [{ sku: shop.sku, quantity: 12 }], allocation: { split: true, backorder: true } });
    const those = async (status: string, fit: (items: readonly Placed[]) => boolean) =>
      (await app.until<{ items: readonly Placed[] }>(`/v1/shipments?order_id=${order.id}&status=${status}`, ({ items }) => fit(items))).items;
    const ready = await those('ready', (items) => items.length === 2);
    const here = ready.find(({ warehouse_id }) => warehouse_id === shop.warehouse)!;
    await app.post(`/v1/shipments/${here.id}/pick`);
    await app.post(`/v1/shipments/${here.id}/short`, { lines: [{ line_id: here.lines[0]!.line_id, quantity: 1 }], reason: 'it fell' });
    const [there] = await those('ready', ([one, more]) => more === undefined && one?.lines[0]!.quantity === 3);
    expect(there!.warehouse_id).toBe(second);
    expect(await app.post<Detail>(`/v1/shipments/${here.id}/pack`)).toMatchObject({ parcels: [{ lines: [{ quantity: 9 }] }] });
    for (const { id } of [here, there!]) await app.post(`/v1/shipments/${id}/dispatch`);
    for (const { id } of await those('in_transit', (items) => items.length === 2)) await app.post(`/v1/shipments/${id}/deliver`);
    await shop.reaches(order.id, 'delivered');
    expect(await shop.payment(order.id)).toMatchObject({ held: 0, captured: order.total });
    const isLeft = (pieces: number, items: readonly { on_hand: number }[]): boolean => items.some(({ on_hand }) => on_hand === pieces);
    await app.until<{ items: { on_hand: number }[] }>(`/v1/stock?sku=${shop.sku}`, ({ items }) => isLeft(0, items) && isLeft(2, items));
  });

  test('what a customer sends back is on the shelf again', async () => {
    const order = await shop.place();
    await shop.dispatch(await shop.shipment(order.id, 'ready'));
    await onHand(8);
    await shop.deliver(await shop.shipment(order.id, 'in_transit'));
    await shop.reaches(order.id, 'delivered');
    const { items } = await app.get<{ items: { line_id: string; returnable: number }[] }>(`/v1/returns/returnable/${order.id}`);
    expect(items).toMatchObject([{ returnable: 2 }]);
    const { line_id } = items[0]!;
    const asked = await app.post<Back>('/v1/returns', { order_id: order.id, lines: [{ line_id, quantity: 2, reason: 'a chip in the spout' }] });
    await app.post(`/v1/returns/${asked.id}/approve`);
    const came = [{ line_id, quantity: 1, disposition: 'restock' }, { line_id, quantity: 1, disposition: 'scrap' }]; // oxfmt-ignore
    await app.post(`/v1/returns/${asked.id}/receive`, { lines: came });
    await app.until<Back>(`/v1/returns/${asked.id}`, ({ status }) => status === 'received');
    await onHand(9);
    await app.until<{ items: { refunded: number }[] }>(
      `/v1/payments?order_id=${order.id}`,
      ({ items: [payment] }) => payment?.refunded === order.total,
    );
    expect(await app.post<Back>(`/v1/returns/${asked.id}/close`)).toMatchObject({ status: 'closed' });
  });

  test('what comes back undelivered comes back by the same path', async () => {
    const { order, id, line_id, parcels } = await inTwoParcels();
    await app.post(`/v1/shipments/${id}/dispatch`);
    await shop.reaches(order.id, 'shipped');
    await onHand(8);
    await app.post(`/v1/shipments/${id}/exception`, { parcel_id: parcels[1]!.id, code: 'returning', note: 'refused at the door' });
    await app.post(`/v1/shipments/${id}/resolve`, { as: 'returned' });
    await app.post(`/v1/shipments/${id}/deliver`);
    await shop.reaches(order.id, 'delivered');
    const { items } = await app.get<{ items: Back[] }>(`/v1/returns?order_id=${order.id}`);
    expect(items).toMatchObject([{ status: 'receiving', lines: [{ quantity: 1 }] }]);
    await app.post(`/v1/returns/${items[0]!.id}/receive`, { lines: [{ line_id, quantity: 1, disposition: 'restock' }] });
    await app.until<Back>(`/v1/returns/${items[0]!.id}`, ({ status }) => status === 'received');
    await onHand(9);
  });
});
