/**
 * An order cancelled at every step of its way, before and after the answer of the stop it stands at, and undone before it was done. The
 * program is held still at the moment that matters by pausing who would go on.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { armFailpoints } from '../../src/kernel/failpoints.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { until } from '../support/server.ts';
import { type Order, type Shop, openShop } from '../support/shop.ts';

/** A stop, who makes it, and how it is known from outside that its part is done. */
const STOPS = [
  {
    stop: 'stock',
    service: 'inventory',
    done: async ({ shop }: Place) => (await shop.level()).reserved === 2,
    did: 'stock.reserved',
    undid: 'stock.released',
  },
  {
    stop: 'payment',
    service: 'payments',
    done: async ({ shop, id }: Place) => (await shop.payment(id))?.status === 'authorized',
    did: 'payment.authorized',
    undid: 'payment.voided',
  },
  {
    stop: 'shipping',
    service: 'shipping',
    done: async ({ shop, id }: Place) => (await shop.shipments(id))[0]?.status === 'ready',
    did: 'shipment.ready',
    undid: 'shipment.cancelled',
  },
];
type Stop = (typeof STOPS)[number];
interface Place {
  readonly shop: Shop;
  readonly id: string;
}
interface Consumer {
  readonly consumer: string;
  readonly status: string;
  readonly last_error: string | null;
}

onEveryGround((ground) => {
  let opened: OpenGround;
  let app: TestApp;
  let shop: Shop;
  let shops = 0;
  beforeAll(async () => {
    opened = await ground.open();
    app = await startApp({ settings: { ...opened.settings, LOG_LEVEL: 'silent' } });
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.remove();
  });
  beforeEach(async () => {
    shop = await openShop(app, { sku: `RACE-${(shops += 1)}` });
  });
  afterEach(async () => {
    armFailpoints('');
    for (const { service } of [...STOPS, { service: 'orders' }]) await app.post(`/v1/consumers/${service}/resume`);
  });

  const consumer = (name: string, found: (one: Consumer) => boolean): Promise<unknown> =>
    app.until<{ items: Consumer[] }>('/v1/consumers', ({ items }) => found(items.find((one) => one.consumer === name)!));
  async function pause(service: string): Promise<void> {
    await app.post(`/v1/consumers/${service}/pause`, { reason: 'a race' });
    await consumer(service, ({ status }) => status === 'paused');
  }
  const resume = (service: string): Promise<unknown> => app.post(`/v1/consumers/${service}/resume`);

  /** An order that has asked a stop for its part; who makes it is paused. */
  async function heldAt({ stop, service }: Stop): Promise<Order> {
    await pause(service);
    const { id } = await shop.place();
    return app.until<Order>(`/v1/orders/${id}`, ({ stops }) => stops.find((one) => one.stop === stop)?.state === 'requested');
  }

  async function nothingIsLeftOf({ id }: Order): Promise<void> {
    expect(await shop.reaches(id, 'cancelled')).toMatchObject({ status_reason: 'customer' });
    expect(await shop.level()).toMatchObject({ on_hand: 10, reserved: 0, available: 10 });
    const payment = await shop.payment(id);
    expect([payment?.held ?? 0, payment?.captured ?? 0]).toEqual([0, 0]);
    for (const { status } of await shop.shipments(id)) expect(status).toBe('cancelled');
    expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  }

  test.each(STOPS)('K14 cancelled while $stop has only been asked', async (stop) => {
    const order = await heldAt(stop);
    await shop.cancel(order.id);
    await resume(stop.service);
    await nothingIsLeftOf(order);
  });

  test.each(STOPS)('K14 cancelled when $stop has done its part, and the answer is still on its way', async (stop) => {
    const order = await heldAt(stop);
    await pause('orders');
    await resume(stop.service);
    await until(async () => (await stop.done({ shop, id: order.id })) || undefined, `${stop.stop} has done its part`);
    await shop.cancel(order.id);
    await resume('orders');
    await nothingIsLeftOf(order);
    expect(await shop.timeline(order.id)).toContain(stop.undid);
  });

  test.each(STOPS)('K14 cancelled when the answer of $stop has been heard', async (stop) => {
    const order = await heldAt(stop);
    await resume(stop.service);
    await app.until<Order>(`/v1/orders/${order.id}`, ({ stops }) => stops.find((one) => one.stop === stop.stop)?.state === 'done');
    await shop.cancel(order.id);
    await nothingIsLeftOf(order);
  });

  /** Whether the undoing came first: on a machine that is busy, the retry may. */
  async function undoneFirst(stop: Stop): Promise<boolean> {
    const handled = async (): Promise<number> => {
      const { body } = await app.ask<string>('GET', '/metrics');
      const label = `waybill_messages_consumed_total{service="${stop.service}",outcome="handled"}`;
      return Number(
        body
          .split('\n')
          .find((line) => line.startsWith(label))
          ?.slice(label.length) ?? 0,
      );
    };
    const order = await heldAt(stop);
    const before = await handled();
    armFailpoints('consumer.in_tx=throw@1');
    await resume(stop.service);
    await consumer(stop.service, ({ last_error }) => last_error === 'failpoint consumer.in_tx');
    await shop.cancel(order.id); // the retry is due after a second
    await until(async () => (await handled()) >= before + 2 || undefined, 'the undoing, and the retry of what it undid, are handled');
    await nothingIsLeftOf(order);
    return !(await shop.timeline(order.id)).includes(stop.did);
  }

  test.each(STOPS)('K15 what $stop was asked fails at first, and is overtaken by its undoing', async (stop) => {
    let overtaken = false;
    for (let tries = 0; tries < 5 && !overtaken; tries += 1) overtaken = await undoneFirst(stop);
    expect(overtaken).toBe(true);
  });
});
