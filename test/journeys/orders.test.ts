/**
 * The promises of the program as stories, through HTTP, on the whole program, on every ground. Each story has a shop of its own; after each
 * the auditor recomputes everything.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { PRICE, type Shop, openShop } from '../support/shop.ts';

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
    shop = await openShop(app, { sku: `TEAPOT-${(shops += 1)}` });
  });
  afterEach(async () => {
    const audit = await shop.audit();
    expect(audit.equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect(audit.ok).toBe(true);
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  });

  describe('from checkout to doorstep', () => {
    test('an order makes its stops, leaves the house and arrives', async () => {
      const order = await shop.place();
      expect(order).toMatchObject({ status: 'pending', total: 2 * PRICE });
      await shop.reaches(order.id, 'confirmed');
      const shipment = await shop.shipment(order.id, 'ready');
      expect(await shop.level()).toMatchObject({ on_hand: 10, reserved: 2, available: 8 });
      expect(await shop.payment(order.id)).toMatchObject({ status: 'authorized', held: 2 * PRICE, captured: 0 });

      await shop.dispatch(shipment);
      await shop.reaches(order.id, 'shipped');
      expect(await shop.payment(order.id)).toMatchObject({ status: 'captured', held: 0, captured: 2 * PRICE });
      await app.until<{ items: { on_hand: number }[] }>(`/v1/stock?sku=${shop.sku}`, ({ items: [level] }) => level?.on_hand === 8);
      expect(await shop.level()).toMatchObject({ on_hand: 8, reserved: 0, available: 8 });

      await shop.deliver(await shop.shipment(order.id, 'in_transit'));
      const delivered = await shop.reaches(order.id, 'delivered');
      expect(delivered.stops.map(({ stop }) => stop)).toEqual(['stock', 'payment', 'shipping']);
      expect(await shop.blockers(order.id)).toEqual([]);
    });

    test('while it waits, it says for what, who must act and until when', async () => {
      const order = await shop.place();
      await shop.shipment(order.id, 'ready');
      const [blocker] = (
        await app.until<{ blockers: { owner: string }[] }>(`/v1/orders/${order.id}/explain`, ({ blockers: [first] }) => first?.owner === 'warehouse')
      ).blockers as never[];
      expect(blocker).toMatchObject({ owner: 'warehouse', legal_commands: expect.arrayContaining(['dispatch', 'cancel']) });
    });

    test('customers are told', async () => {
      const { id } = await shop.place();
      type Told = { items: { order_id: string; status: string }[] };
      await app.until<Told>('/v1/notifications', ({ items }) => items.some(({ order_id, status }) => order_id === id && status === 'sent'));
    });
  });

  describe('when somebody says no', () => {
    test('a declined payment cancels the order and gives the stock back', async () => {
      const order = await shop.place({ payment: { token: 'tok_declined' } });
      expect(await shop.reaches(order.id, 'cancelled')).toMatchObject({ status_reason: 'payment_declined' });
      expect(await shop.level()).toMatchObject({ reserved: 0, available: 10 });
      expect(await shop.payment(order.id)).toMatchObject({ held: 0, captured: 0 });
      expect(await shop.shipments(order.id)).toEqual([]);
    });

    test('too little stock cancels the order before money is asked for', async () => {
      const order = await shop.place({ lines: [{ sku: shop.sku, quantity: 11 }] });
      expect(await shop.reaches(order.id, 'cancelled')).toMatchObject({ status_reason: 'out_of_stock' });
      expect(await shop.level()).toMatchObject({ on_hand: 10, reserved: 0, available: 10 });
      expect(await shop.payment(order.id)).toBeUndefined();
    });

    test('the last pieces are sold once, whoever asks at the same time', async () => {
      const orders = await Promise.all(Array.from({ length: 8 }, () => shop.place())); // for 16 of 10
      const ends = await Promise.all(
        orders.map(({ id }) => app.until<{ status: string }>(`/v1/orders/${id}`, ({ status }) => status === 'confirmed' || status === 'cancelled')),
      );
      expect(ends.filter(({ status }) => status === 'confirmed')).toHaveLength(5);
      expect(await shop.level()).toMatchObject({ on_hand: 10, reserved: 10, available: 0 });
    });
  });

  describe('cancelling', () => {
    test('undoes every stop that was begun, in reverse', async () => {
      const order = await shop.place();
      const shipment = await shop.shipment(order.id, 'ready');
      await shop.cancel(order.id);
      expect(await shop.reaches(order.id, 'cancelled')).toMatchObject({ status_reason: 'customer' });
      expect(await shop.shipments(order.id)).toMatchObject([{ id: shipment.id, status: 'cancelled' }]);
      expect(await shop.payment(order.id)).toMatchObject({ status: 'voided', held: 0 });
      expect(await shop.level()).toMatchObject({ reserved: 0, available: 10 });
      const undone = (await shop.timeline(order.id)).filter((type) => ['shipment.cancelled', 'payment.voided', 'stock.released'].includes(type));
      expect(undone).toEqual(['shipment.cancelled', 'payment.voided', 'stock.released']);
    });

    test('at once after placing gives everything back as well', async () => {
      const order = await shop.place();
      await shop.cancel(order.id);
      await shop.reaches(order.id, 'cancelled');
      expect(await shop.level()).toMatchObject({ on_hand: 10, reserved: 0, available: 10 });
    });

    test('is refused once the parcel has left', async () => {
      const order = await shop.place();
      await shop.dispatch(await shop.shipment(order.id, 'ready'));
      await shop.reaches(order.id, 'shipped');
      expect(await app.ask('POST', `/v1/orders/${order.id}/cancel`, {})).toMatchObject({ status: 409, body: { code: 'order_not_cancellable' } });
    });
  });

  describe('other waybills', () => {
    test('prepaid: the money comes first', async () => {
      const order = await shop.place({ policy: 'prepaid' });
      expect(order.stops.map(({ stop }) => stop)).toEqual(['payment', 'stock', 'shipping']);
      await shop.shipment(order.id, 'ready');
      const types = await shop.timeline(order.id);
      expect(types.indexOf('payment.authorized')).toBeLessThan(types.indexOf('stock.reserved'));
    });

    test('prepaid without stock: the money is given back', async () => {
      const order = await shop.place({ policy: 'prepaid', lines: [{ sku: shop.sku, quantity: 11 }] });
      expect(await shop.reaches(order.id, 'cancelled')).toMatchObject({ status_reason: 'out_of_stock' });
      expect(await shop.payment(order.id)).toMatchObject({ held: 0, captured: 0 });
    });

    test('reserve_only: nothing but the reservation', async () => {
      const order = await shop.place({ policy: 'reserve_only' });
      await shop.reaches(order.id, 'confirmed');
      expect(await shop.level()).toMatchObject({ reserved: 2, available: 8 });
      expect(await shop.payment(order.id)).toBeUndefined();
      expect(await shop.shipments(order.id)).toEqual([]);
    });
  });

  describe('saying it twice', () => {
    test('the same order with the same key is one order with one answer', async () => {
      const key = { 'idempotency-key': 'checkout-1' };
      const first = await shop.place({}, key);
      expect(await shop.place({}, key)).toEqual(first);
      const other = await app.ask('POST', '/v1/orders', { customer: { id: 'c-2' }, currency: 'EUR', lines: [{ sku: shop.sku, quantity: 1 }] }, key);
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
      await shop.reaches(first.id, 'confirmed');
      expect(await shop.level()).toMatchObject({ reserved: 2 });
    });

    test('ten at the same time with one key are one order', async () => {
      const body = { customer: { id: 'c-1' }, currency: 'EUR', lines: [{ sku: shop.sku, quantity: 1 }] };
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => app.ask<{ id?: string; code?: string }>('POST', '/v1/orders', body, { 'idempotency-key': 'race' })),
      );
      const made = new Set(answers.filter(({ status }) => status === 201).map(({ body: { id } }) => id));
      expect(made.size).toBe(1);
      for (const {
        status,
        body: { code },
      } of answers)
        expect(status === 201 || code === 'idempotency_in_progress').toBe(true);
      await shop.reaches([...made][0]!, 'confirmed');
      expect(await shop.level()).toMatchObject({ reserved: 1 });
    });

    test('a refused order with a key may be sent again once its reason is gone', async () => {
      const unknown = { lines: [{ sku: 'CUP', quantity: 1 }] };
      const send = () =>
        app.ask<{ code?: string }>('POST', '/v1/orders', { customer: { id: 'c-1' }, currency: 'EUR', ...unknown }, { 'idempotency-key': 'cup' });
      expect(await send()).toMatchObject({ status: 422, body: { code: 'unknown_sku' } });
      await app.post('/v1/products', { sku: 'CUP', name: 'Cup', price: 500, currency: 'EUR' });
      expect(await send()).toMatchObject({ status: 201 });
    });
  });

  describe('a restart', () => {
    test('finds everything, and goes on', async () => {
      const key = { 'idempotency-key': 'before' };
      const order = await shop.place({}, key);
      const slow = await shop.place({ payment: { token: 'tok_slow' } }); // its payment is under way while the program stops
      await app.restart();
      expect(await shop.place({}, key)).toMatchObject({ id: order.id });
      const shipment = await shop.shipment(order.id, 'ready');
      await shop.shipment(slow.id, 'ready');
      await app.restart();
      await shop.dispatch(shipment);
      await shop.reaches(order.id, 'shipped');
      expect(await shop.order(slow.id)).toMatchObject({ status: 'confirmed' });
    });
  });
});
