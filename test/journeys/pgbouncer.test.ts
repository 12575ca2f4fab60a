/** The whole program behind a PgBouncer in transaction mode, several processes of it, on few connections. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { type PrivateCluster, type PrivateServer, bouncerProgram, clusterPrograms, startBouncer, startCluster } from '../support/cluster.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';
import { openShop } from '../support/shop.ts';

describe.skipIf(bouncerProgram === undefined || clusterPrograms === undefined || rabbitUrl === undefined)('behind PgBouncer', () => {
  const prefix = throwAwayPrefix();
  let cluster: PrivateCluster;
  let bouncer: PrivateServer;
  const apps: TestApp[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
    bouncer = await startBouncer(cluster);
  });
  afterEach(async () => {
    for (const app of apps.splice(0).reverse()) await app.stop();
  });
  afterAll(async () => {
    await bouncer.drop();
    await cluster.drop();
    await removeTopology(rabbitUrl!, prefix, ['orders', 'payments', 'inventory', 'shipping', 'notifications']);
  });
  async function start(PARTS: string): Promise<TestApp> {
    const settings = { DATABASE_URL: bouncer.url, DATABASE_POOLER: 'transaction', AMQP_URL: rabbitUrl, AMQP_PREFIX: prefix, PARTS };
    const app = await startApp({ settings });
    apps.push(app);
    return app;
  }

  test('orders arrive, timers fire, leases are kept, and the books agree', async () => {
    const doors = await start('api');
    await start('relay,worker');
    await start('relay,worker'); // stands by, or shares
    const shop = await openShop(doors, { stock: 100 });
    const orders = await Promise.all(Array.from({ length: 20 }, () => shop.place()));
    for (const { id } of orders) await shop.reaches(id, 'confirmed');
    await shop.dispatch(await shop.shipment(orders[0]!.id, 'ready'));
    await shop.reaches(orders[0]!.id, 'shipped');
    expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect((await doors.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
  });
});
