/**
 * How many messages a second travel over RabbitMQ: said in a transaction, relayed with confirms, consumed, handled, acked; all durable.
 *
 *   node bench/rabbit.ts [--messages 40000] [--pack 100] [--amqp amqp://guest:guest@127.0.0.1:5672]
 *
 * Against the floor of the same run: as many bodies of one message each, and as many packs, published bare with amqplib to a queue of the
 * same kind, 1,000 confirms under way. The databases are SQLite files; what is compared is the broker's part.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { statement } from '../src/db/database.ts';
import { migrate } from '../src/db/migrate.ts';
import { openSqlite } from '../src/db/sqlite.ts';
import { startAll, stopAll } from '../src/kernel/lifecycle.ts';
import { createTelemetry } from '../src/kernel/telemetry.ts';
import { realWorld } from '../src/kernel/world.ts';
import { mailboxMigrations, messagingFor } from '../src/messaging/messaging.ts';
import { rabbitTransport } from '../src/messaging/rabbit.ts';
import { serviceTopology } from '../src/messaging/rabbit-topology.ts';
import { subscription } from '../src/messaging/service.ts';
import { removeTopology, throwAwayPrefix } from '../test/support/rabbit.ts';
import { record, until } from './support.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '40000' },
    pack: { type: 'string', default: '100' },
    amqp: { type: 'string', default: 'amqp://guest:guest@127.0.0.1:5672' },
  },
});
const total = Number(values.messages);
const url = values.amqp;
const prefix = throwAwayPrefix();
const folder = mkdtempSync(join(tmpdir(), 'waybill-rabbit-'));
const world = realWorld();
const telemetry = createTelemetry({ level: 'warn' });
const DATA = { reason: 'the customer changed their mind' };

const insertEffect = statement<{ order_id: string }>(
  { order_id: 'text' },
  (rows) => `insert into effect (order_id) select row.order_id from ${rows}`,
);

try {
  const figures: Record<string, string | number> = {};
  for (const packSize of [Number(values.pack), 1]) {
    const messages = packSize === 1 ? total / 4 : total;
    const ours = await throughTheKernel(packSize, messages);
    const floor = await bare(packSize, messages);
    figures[`packs of ${packSize}: messages/s, said to acked`] = Math.round(ours.perSecond);
    figures[`packs of ${packSize}: CPU µs per message`] = ours.cpu.toFixed(1);
    figures[`packs of ${packSize}: floor, bare confirms of the same packs, messages/s`] = Math.round(floor);
    figures[`packs of ${packSize}: ratio to the floor`] = (ours.perSecond / floor).toFixed(2);
  }
  record('rabbit', figures);
} finally {
  await removeTopology(url, prefix, ['inventory', 'floor']);
  rmSync(folder, { recursive: true, force: true });
}

async function throughTheKernel(packSize: number, messages: number): Promise<{ perSecond: number; cpu: number }> {
  const transport = rabbitTransport({ broker: { url }, prefix, world, telemetry });
  await transport.start();
  const open = async (name: string) => {
    const db = openSqlite({ name, file: join(folder, `${name}-${packSize}.db`), metrics: telemetry.metrics });
    await migrate(db, [mailboxMigrations], world.now());
    return { db, messaging: messagingFor({ service: name, db, world, telemetry, transport }) };
  };
  const sender = await open('orders');
  const receiver = await open('inventory');
  await receiver.db.script('create table effect (order_id text primary key) strict, without rowid');
  let handled = 0;
  const consumer = receiver.messaging.consumer([
    subscription({
      types: ['stock.release'],
      dedupe: 'natural',
      async handle(unit, batch) {
        await unit.tx.run(
          insertEffect,
          batch.map(({ data }) => ({ order_id: data.order_id })),
        );
        unit.tx.afterCommit(() => (handled += batch.length));
      },
    }),
  ]);
  const things = [sender.messaging.relay, receiver.messaging.relay, consumer];
  await startAll(things);

  const begun = performance.now();
  const cpuBefore = process.cpuUsage();
  let said = 0;
  // As requests come: some writers at once, each waiting for its commit, and for those who handle when they are far behind.
  const writer = async (): Promise<void> => {
    while (said < messages) {
      said += packSize;
      await sender.messaging.mailbox.write(async (unit) => {
        unit.say(
          Array.from({ length: packSize }, () => {
            const id = world.id('ord');
            return { type: 'stock.release' as const, subject: id, data: { order_id: id, ...DATA } };
          }),
        );
      });
      while (said - handled > 10_000) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: packSize === 1 ? 64 : 4 }, writer));
  await until(async () => handled === said);
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  await stopAll(things);
  await transport.stop();
  await sender.db.close();
  await receiver.db.close();
  return { perSecond: said / seconds, cpu: (user + system) / said };
}

/** Publishing alone: nobody consumes, nothing is stored, decided or encoded anew. */
async function bare(packSize: number, messages: number): Promise<number> {
  const [, queue] = serviceTopology(prefix, { name: 'floor', types: [] }).queues;
  const order = world.id('ord');
  const one = {
    id: world.id('msg'),
    type: 'stock.release',
    source: 'orders',
    time: world.now(),
    subject: order,
    partitionkey: order,
    hops: 1,
    data: { order_id: order, ...DATA },
  };
  const body = Buffer.from(JSON.stringify(Array.from({ length: packSize }, () => one)));
  const model = await connect(url, { noDelay: true });
  const channel = await model.createConfirmChannel();
  await channel.assertQueue(queue!.name, { durable: true, arguments: queue!.arguments });
  const begun = performance.now();
  let sent = 0;
  const publish = (): Promise<void> =>
    new Promise(
      (resolve, reject) =>
        void channel.sendToQueue(queue!.name, body, { persistent: true }, (error: Error | null) => (error ? reject(error) : resolve())),
    );
  const lane = async (): Promise<void> => {
    while (sent < messages) {
      sent += packSize;
      await publish();
    }
  };
  await Promise.all(Array.from({ length: 1_000 }, lane));
  const perSecond = sent / ((performance.now() - begun) / 1_000);
  await model.close();
  return perSecond;
}
