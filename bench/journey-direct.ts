/**
 * The whole journey without HTTP: the same services on the same bus, placements called in this process, 400 open at a time.
 *
 *   node bench/journey-direct.ts [--orders 40000]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSqlite } from '../src/db/sqlite.ts';
import { migrate } from '../src/db/migrate.ts';
import { inventoryService } from '../src/inventory/service.ts';
import { startAll, stopAll } from '../src/kernel/lifecycle.ts';
import { createTelemetry } from '../src/kernel/telemetry.ts';
import { realWorld } from '../src/kernel/world.ts';
import { queueOf } from '../src/messaging/consumer.ts';
import { embeddedTransport } from '../src/messaging/embedded.ts';
import { mailboxMigrations, messagingFor } from '../src/messaging/messaging.ts';
import type { RequestContext, Route } from '../src/messaging/service.ts';
import { logChannel } from '../src/notifications/channels.ts';
import { notificationsService } from '../src/notifications/service.ts';
import { ordersService } from '../src/orders/service.ts';
import { simulatedGateway } from '../src/payments/gateway.ts';
import { paymentsService } from '../src/payments/service.ts';
import { simulatedCarrier } from '../src/shipping/carrier.ts';
import { shippingService } from '../src/shipping/service.ts';
import { record, until } from './support.ts';

const { values } = parseArgs({ options: { orders: { type: 'string', default: '40000' } } });
const total = Number(values.orders);
const OPEN = 400;

const world = realWorld();
const telemetry = createTelemetry({ level: 'warn' });
const folder = mkdtempSync(join(tmpdir(), 'waybill-direct-'));
const transport = embeddedTransport({ file: join(folder, 'bus.db'), world, telemetry });
const messaging = (service: string) => {
  const db = openSqlite({ name: service, file: join(folder, `${service}.db`), metrics: telemetry.metrics });
  return messagingFor({ service, db, world, telemetry, transport });
};
const parts = {
  inventory: messaging('inventory'),
  orders: messaging('orders'),
  payments: messaging('payments'),
  shipping: messaging('shipping'),
  notifications: messaging('notifications'),
};
const of = (name: keyof typeof parts) => ({ mailbox: parts[name].mailbox, telemetry });
const inventory = inventoryService(of('inventory'));
const gateway = simulatedGateway({ world });
const orders = ordersService({ ...of('orders'), catalogue: inventory.catalogue, defaultToken: gateway.defaultToken });
const services = [
  inventory,
  orders,
  paymentsService({ ...of('payments'), gateway }),
  shippingService({ ...of('shipping'), carrier: simulatedCarrier({ world }) }),
  notificationsService({ ...of('notifications'), channels: [logChannel(telemetry)] }),
];
const context: RequestContext = { requestId: 'bench', client: 'bench' };

await transport.start();
for (const service of services) {
  const { db } = parts[service.name as keyof typeof parts].mailbox;
  await migrate(db, [mailboxMigrations, { room: service.name, folder: service.migrations }], world.now());
}
await transport.declare(services.map(({ name, subscriptions }) => queueOf(name, subscriptions)));
const running = services.flatMap(({ name, subscriptions, runnables }) => {
  const { relay, scheduler, consumer } = parts[name as keyof typeof parts];
  return [relay, scheduler, ...runnables, consumer(subscriptions)];
});
await startAll(running);
try {
  await stock();
  await place(total / 10); // warm
  await settled(total / 10);

  const start = performance.now();
  const cpu = process.cpuUsage();
  await place(total);
  await settled(total + total / 10);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  record('journey-direct', {
    'whole journeys/s without HTTP': Math.round(total / seconds),
    'CPU µs per journey': Math.round((user + system) / total),
    'peak memory MB': Math.round(process.resourceUsage().maxRSS / 1024),
  });
} finally {
  await stopAll(running);
  await transport.stop();
  for (const { mailbox } of Object.values(parts)) await mailbox.db.close();
  rmSync(folder, { recursive: true, force: true });
}

async function call<T>(method: string, path: string, body: unknown): Promise<T> {
  const route = services.flatMap(({ routes }) => routes).find((one: Route) => one.method === method && one.path === path)!;
  return (await route.handle({ params: {}, query: {}, body, context } as never)) as T;
}

async function stock(): Promise<void> {
  const warehouse = await call<{ id: string }>('POST', '/v1/warehouses', { name: 'Main', location: 'Lyon' });
  for (const sku of ['TEA-1', 'CUP-1']) await call('POST', '/v1/products', { sku, name: sku, price: 450, currency: 'EUR' });
  await call('POST', '/v1/stock/receipts', { warehouse_id: warehouse.id, lines: ['TEA-1', 'CUP-1'].map((sku) => ({ sku, quantity: 50_000_000 })) });
}

async function place(count: number): Promise<void> {
  let left = count;
  const buyer = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await orders.place({
        input: {
          customer: { id: 'cus-1', name: 'Ada', email: 'ada@example.org' },
          currency: 'EUR',
          lines: [
            { sku: 'TEA-1', quantity: 1 },
            { sku: 'CUP-1', quantity: 2 },
          ],
          payment: { token: 'tok_ok' },
        },
        context,
      });
    }
  };
  await Promise.all(Array.from({ length: OPEN }, buyer));
}

/** Waits until `count` parcels are ready and customers told: each is one message said by its service. */
async function settled(count: number): Promise<void> {
  await until(async () => {
    const { values: said } = await telemetry.metrics.published.get();
    return ['shipping', 'notifications'].every((service) => said.some(({ labels, value }) => labels.service === service && value === count));
  });
}
