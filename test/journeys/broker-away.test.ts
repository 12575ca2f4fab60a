/** The broker goes away and comes back: who asks what of the program, and what it answers meanwhile. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realWorld } from '../../src/kernel/world.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { type Proxy, openProxy } from '../support/proxy.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';
import { openShop } from '../support/shop.ts';

interface Health {
  readonly status: string;
  readonly checks: Record<string, { readonly status: string; readonly detail?: string }>;
}

describe.skipIf(rabbitUrl === undefined)('a broker that goes away', () => {
  const prefix = throwAwayPrefix();
  let proxy: Proxy;
  let app: TestApp;
  let later = 0; // milliseconds by which the program's clock is ahead of ours
  beforeEach(async () => {
    const url = new URL(rabbitUrl!);
    proxy = await openProxy({ host: url.hostname, port: Number(url.port || 5672) });
    url.host = `127.0.0.1:${proxy.port}`;
    const world = realWorld();
    later = 0;
    app = await startApp({
      // What waits for an hour must not have given up before: the deadline for stock would be exactly that.
      settings: { AMQP_URL: url.href, AMQP_PREFIX: prefix, DEADLINE_STOCK: '3h' },
      world: { ...world, now: () => world.now() + later },
    });
  });
  afterEach(async () => {
    await app.stop();
    await proxy.close();
    await removeTopology(rabbitUrl!, prefix, ['orders', 'payments', 'inventory', 'shipping', 'notifications']);
  });

  test('takes the program out of rotation after ten seconds, while it lives and takes orders, and loses none', async () => {
    const shop = await openShop(app);
    const status = async (path: string): Promise<number> => (await app.ask(path === '/v1/orders' ? 'POST' : 'GET', path)).status;
    expect(await status('/health/ready')).toBe(200);
    proxy.refuse(true);
    proxy.cut();
    const queue = (found: number) => async (): Promise<void> => {
      while ((await status('/health/queue')) !== found);
    };
    await queue(503)();
    expect([await status('/health/ready'), await status('/health/db'), await status('/health/live')]).toEqual([200, 200, 200]);
    later = 10_000;
    const { status: code, body } = await app.ask<Health>('GET', '/health/ready');
    expect([code, body.checks['bus']]).toEqual([503, { status: 'down', detail: expect.stringMatching(/^RabbitMQ at .* is away: /) as string }]);
    expect([await status('/health/db'), await status('/health/live')]).toEqual([200, 200]);

    const order = await shop.place(); // answered with 201
    expect(order.status).toBe('pending');
    proxy.refuse(false);
    await shop.reaches(order.id, 'confirmed');
    expect(await status('/health/ready')).toBe(200);
  });
  test('for an hour: orders are taken all the while, and when it is back they go on in the order they came', async () => {
    const shop = await openShop(app, { stock: 5 });
    proxy.refuse(true);
    proxy.cut();
    const orders: string[] = [];
    for (let minutes = 0; minutes < 60; minutes += 6) {
      later = minutes * 60_000;
      orders.push((await shop.place({ lines: [{ sku: shop.sku, quantity: 1 }] })).id);
    }
    later = 60 * 60_000;
    expect((await shop.order(orders[0]!)).status).toBe('pending');
    proxy.refuse(false);
    for (const id of orders.slice(0, 5)) await shop.reaches(id, 'confirmed'); // the five that came first have the five pieces
    for (const id of orders.slice(5)) expect(await shop.reaches(id, 'cancelled')).toMatchObject({ status_reason: 'out_of_stock' });
    expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
  });
});
