/** The same stories over a RabbitMQ: one process, and one shop divided among three. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { ask, postgresUrl, throwAwayName } from '../support/databases.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';
import { until } from '../support/server.ts';
import { PRICE, type Shop, openShop } from '../support/shop.ts';

const SERVICES = ['orders', 'payments', 'inventory', 'shipping', 'notifications'];

describe.skipIf(rabbitUrl === undefined)('over RabbitMQ', () => {
  let broker: Environment;
  const apps: TestApp[] = [];
  beforeEach(() => {
    broker = { AMQP_URL: rabbitUrl, AMQP_PREFIX: throwAwayPrefix() };
  });
  afterEach(async () => {
    for (const app of apps.splice(0).reverse()) await app.stop();
    await removeTopology(rabbitUrl!, broker['AMQP_PREFIX']!, SERVICES);
  });
  async function start(settings: Environment): Promise<TestApp> {
    const app = await startApp({ settings: { ...broker, ...settings } });
    apps.push(app);
    return app;
  }

  async function fromCheckoutToDoorstep(app: TestApp, shop: Shop): Promise<void> {
    const order = await shop.place();
    await shop.reaches(order.id, 'confirmed');
    await shop.dispatch(await shop.shipment(order.id, 'ready'));
    await shop.reaches(order.id, 'shipped');
    await shop.deliver(await shop.shipment(order.id, 'in_transit'));
    await shop.reaches(order.id, 'delivered');
    const changed = await shop.place();
    await shop.cancel(changed.id);
    await shop.reaches(changed.id, 'cancelled');
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  }

  test('one process: an order arrives, another is cancelled, and the books agree', async () => {
    const app = await start({});
    const shop = await openShop(app);
    await fromCheckoutToDoorstep(app, shop);
    expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
  });

  test('orders apart from inventory: what was made a moment ago, or before orders was there, can be ordered', async () => {
    const stock = await start({ SERVICES: 'inventory' });
    const product = (sku: string) => stock.post('/v1/products', { sku, name: sku, price: PRICE, currency: 'EUR' });
    await product('OLD');
    const others = await start({ SERVICES: 'orders,payments,shipping,notifications' });
    const order = (sku: string) => ({ customer: { id: 'c-1' }, currency: 'EUR', lines: [{ sku, quantity: 1 }] });
    expect((await others.ask('POST', '/v1/orders', order('OLD'))).status).toBe(201);
    await product('NEW');
    expect((await others.ask('POST', '/v1/orders', order('NEW'))).status).toBe(201);
    expect(await others.ask('POST', '/v1/orders', order('NONE'))).toMatchObject({ status: 422, body: { code: 'unknown_sku' } });
    await stock.stop();
    apps.splice(apps.indexOf(stock), 1);
    expect(await others.ask('POST', '/v1/orders', order('NONE'))).toMatchObject({ status: 503, body: { code: 'catalogue_away', retryable: true } });
    expect((await others.ask('POST', '/v1/orders', order('NEW'))).status).toBe(201);
  });

  describe.skipIf(postgresUrl === undefined)('and PostgreSQL', () => {
    let database: string;
    let shared: Environment;
    beforeEach(async () => {
      database = throwAwayName();
      await ask(postgresUrl!, `create database ${database}`);
      const url = new URL(postgresUrl!);
      url.pathname = `/${database}`;
      shared = { DATABASE_URL: url.href };
    });
    afterEach(async () => {
      for (const app of apps.splice(0).reverse()) await app.stop();
      await ask(postgresUrl!, `drop database if exists ${database} with (force)`);
    });

    test('without a relay orders are taken until too much waits to be published; with one, every order taken goes on', async () => {
      const doors = await start({ ...shared, PARTS: 'api', SHED_OUTBOX: '40' });
      const shop = await openShop(doors, { stock: 1_000 });
      const taken: string[] = [];
      const refused = await until(async () => {
        const body = { customer: { id: 'c-1' }, currency: 'EUR', lines: [{ sku: shop.sku, quantity: 1 }] };
        const answer = await doors.ask<{ id: string; code?: string }>('POST', '/v1/orders', body);
        if (answer.status === 201) taken.push(answer.body.id);
        return answer.status === 201 ? undefined : answer;
      }, 'an order is refused');
      expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
      expect(taken.length).toBeGreaterThan(10);
      await start({ ...shared, PARTS: 'relay,worker' });
      for (const id of taken) await shop.shipment(id, 'ready');
      expect(await shop.level()).toMatchObject({ reserved: taken.length });
      await until(async () => ((await doors.ask('GET', '/health')).status === 200 ? true : undefined), 'all is well');
    });

    test('three processes: the doors, and two that carry and work', async () => {
      const doors = await start({ ...shared, PARTS: 'api' });
      await start({ ...shared, PARTS: 'relay,worker', SERVICES: 'orders,payments' });
      await start({ ...shared, PARTS: 'relay,worker', SERVICES: 'inventory,shipping,notifications' });
      const shop = await openShop(doors);
      await fromCheckoutToDoorstep(doors, shop);
      expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
    });

    test('two processes that share every outbox: each carries its half, one alone carries all', async () => {
      const parts = { ...shared, OUTBOX_SHARDS: '4' };
      const doors = await start({ ...parts, PARTS: 'api' });
      const relays = [await start({ ...parts, PARTS: 'relay,worker' }), await start({ ...parts, PARTS: 'relay,worker' })];
      /** What part of the outbox of orders each of them leads. */
      const leading = async (): Promise<number[]> =>
        Promise.all(relays.map(async (app) => Number(/waybill_relay_leads\{service="orders"\} (\S+)/.exec(await app.get<string>('/metrics'))?.[1])));
      const until = async (wanted: readonly number[]): Promise<void> => {
        while (JSON.stringify(await leading()) !== JSON.stringify(wanted));
      };
      await until([0.5, 0.5]);
      const shop = await openShop(doors, { stock: 100 });
      const orders = await Promise.all(Array.from({ length: 20 }, () => shop.place()));
      for (const { id } of orders) await shop.reaches(id, 'confirmed');
      await relays.pop()!.stop();
      apps.pop();
      await until([1]);
      await fromCheckoutToDoorstep(doors, shop);
      expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
    });
  });
});
