/** Waybill itself, all of it, in one process over PostgreSQL and RabbitMQ; only HTTP is left out, as it is for the others. */
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config.ts';
import { openCrew, runnablesOf } from '../../src/crew.ts';
import { migrate } from '../../src/db/migrate.ts';
import { startAll } from '../../src/kernel/lifecycle.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { queueOf } from '../../src/messaging/consumer.ts';
import { mailboxMigrations } from '../../src/messaging/messaging.ts';
import { rabbitTransport } from '../../src/messaging/rabbit.ts';
import { done, drive, task } from './driver.ts';
import { PAIRS } from './steps.ts';

const job = task();
const world = realWorld();
const telemetry = createTelemetry({ level: 'warn' });
const config = loadConfig({ DATABASE_URL: job.databaseUrl, AMQP_URL: job.amqpUrl, DATA_DIR: tmpdir() }); // nothing is written there
const { url, prefix, tls } = config.amqp!;
const transport = rabbitTransport({ broker: { url, tls, client: 'bench' }, prefix, world, telemetry });
const crew = openCrew(config, { transport, world, telemetry });
await transport.start();
for (const { name, migrations } of crew.services)
  await migrate(crew.databases.get(name as never)!, [mailboxMigrations, { room: name, folder: migrations }], world.now());
await transport.declare(crew.services.map(({ name, subscriptions }) => queueOf(name, subscriptions)));
const { relays, workers } = runnablesOf(crew, () => true);
await startAll([...[...crew.messagings.values()].map(({ timekeeper }) => timekeeper), ...relays, ...workers]);

const context = { requestId: 'bench', client: 'bench' };
const routes = new Map(crew.services.flatMap((service) => service.routes).map((route) => [`${route.method} ${route.path}`, route]));
const call = <T>(name: string, body: unknown): Promise<T> =>
  Promise.resolve(routes.get(name)!.handle({ params: {}, query: {}, body, context } as never) as T);

const warehouse = await call<{ id: string }>('POST /v1/warehouses', { name: 'Main', location: 'Lyon' });
for (let pair = 0; pair < PAIRS; pair += 1) {
  const skus = [`TEA-${pair}`, `CUP-${pair}`];
  for (const sku of skus) await call('POST /v1/products', { sku, name: sku, price: 450, currency: 'EUR' });
  await call('POST /v1/stock/receipts', { warehouse_id: warehouse.id, lines: skus.map((sku) => ({ sku, quantity: 50_000_000 })) });
}

/** Orders whose shipment is ready and whose customer has been told: each is one message said by its service. */
async function told(): Promise<number> {
  const { values } = await telemetry.metrics.published.get();
  return Math.min(...['shipping', 'notifications'].map((name) => values.find(({ labels }) => labels.service === name)?.value ?? 0));
}
let counted = 0;
async function count(): Promise<never> {
  for (;;) {
    const now = await told();
    done(now - counted);
    counted = now;
    await sleep(10);
  }
}
void count();

await drive(job, {
  bulk: 1,
  submitters: 400,
  open: 4_000,
  submit: ([id]) =>
    call('POST /v1/orders', {
      customer: { id: 'cus-1', name: 'Ada', email: 'ada@example.org' },
      currency: 'EUR',
      lines: [
        { sku: `TEA-${id! % PAIRS}`, quantity: 1 },
        { sku: `CUP-${id! % PAIRS}`, quantity: 2 },
      ],
      payment: { token: 'tok_ok' },
    }),
  async exact(orders) {
    const counts = await Promise.all(
      (['shipping.shipment', 'notifications.notification'] as const).map(async (table) => {
        const [service, name] = table.split('.') as ['shipping' | 'notifications', string];
        const [row] = await crew.databases.get(service)!.read.raw<{ n: number }>(`select count(distinct order_id) as n from ${name}`);
        return Number(row!.n);
      }),
    );
    return counts.every((n) => n === orders);
  },
});
