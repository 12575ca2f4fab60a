/**
 * How many messages a second the messaging kernel carries: said in a transaction, relayed, on the bus, handled, acked; all durable.
 *
 *   node bench/messaging.ts [--messages 200000] [--pack 100]
 *
 * Against the floor of the same run: the same rows (outbox in and out, bus in and out, an effect) written by bare `node:sqlite` in the
 * same number of commits, with nothing decided, checked, encoded or handed over.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { statement } from '../src/db/database.ts';
import { migrate } from '../src/db/migrate.ts';
import { openSqlite } from '../src/db/sqlite.ts';
import { startAll, stopAll } from '../src/kernel/lifecycle.ts';
import { createTelemetry } from '../src/kernel/telemetry.ts';
import { realWorld } from '../src/kernel/world.ts';
import { embeddedTransport } from '../src/messaging/embedded.ts';
import { mailboxMigrations, messagingFor } from '../src/messaging/messaging.ts';
import { subscription } from '../src/messaging/service.ts';
import { record, until } from './support.ts';

const { values } = parseArgs({ options: { messages: { type: 'string', default: '200000' }, pack: { type: 'string', default: '100' } } });
const total = Number(values.messages);
const packSize = Number(values.pack);
const folder = mkdtempSync(join(tmpdir(), 'waybill-messaging-'));
const world = realWorld();
const telemetry = createTelemetry({ level: 'warn' });

const insertEffect = statement<{ order_id: string }>(
  { order_id: 'text' },
  (rows) => `insert into effect (order_id) select row.order_id from ${rows}`,
);

try {
  const kernel = await throughTheKernel();
  const floor = bare(kernel.body);
  record('messaging', {
    'messages/s, said to acked': Math.round(kernel.perSecond),
    'CPU µs per message': kernel.cpu.toFixed(1),
    'floor: the same rows, bare node:sqlite, messages/s': Math.round(floor),
    'ratio to the floor': (kernel.perSecond / floor).toFixed(2),
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function throughTheKernel(): Promise<{ perSecond: number; cpu: number; body: string }> {
  const transport = embeddedTransport({ file: join(folder, 'bus.db'), world, telemetry });
  const open = async (name: string) => {
    const db = openSqlite({ name, file: join(folder, `${name}.db`), metrics: telemetry.metrics });
    await migrate(db, [mailboxMigrations], world.now());
    return { db, messaging: messagingFor({ service: name, db, world, telemetry, transport }) };
  };
  await transport.start();
  const sender = await open('orders');
  const receiver = await open('inventory');
  await receiver.db.script('create table effect (order_id text primary key) strict, without rowid');
  let handled = 0;
  const consumer = receiver.messaging.consumer([
    subscription({
      types: ['stock.release'],
      dedupe: 'natural',
      async handle(unit, messages) {
        await unit.tx.run(
          insertEffect,
          messages.map(({ data }) => ({ order_id: data.order_id })),
        );
        unit.tx.afterCommit(() => (handled += messages.length));
      },
    }),
  ]);
  const things = [sender.messaging.relay, receiver.messaging.relay, consumer];
  await startAll(things);

  const begun = performance.now();
  const cpuBefore = process.cpuUsage();
  let said = 0;
  // A few writers at once, as requests come; each waits for its commit, so that what is committed stays near to what is handled.
  const writer = async (): Promise<void> => {
    while (said < total) {
      said += packSize;
      await sender.messaging.mailbox.write(async (unit) => {
        unit.say(
          Array.from({ length: packSize }, () => {
            const id = world.id('ord');
            return { type: 'stock.release' as const, subject: id, data: { order_id: id, reason: 'the customer changed their mind' } };
          }),
        );
      });
      while (((await transport.depths())['inventory'] ?? 0) > 5_000) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: 4 }, writer));
  await until(async () => handled === said);
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  await stopAll(things);
  await transport.stop();
  await sender.db.close();
  await receiver.db.close();
  return { perSecond: said / seconds, cpu: (user + system) / said, body: JSON.stringify(Array.from({ length: packSize }, sample)) };
}

function sample(): object {
  const order = world.id('ord');
  const data = { order_id: order, reason: 'the customer changed their mind' };
  return {
    id: world.id('msg'),
    type: 'stock.release',
    source: 'orders',
    time: world.now(),
    subject: order,
    partitionkey: order,
    correlationid: order,
    hops: 1,
    data,
  };
}

/** The rows alone: five writes in three commits a pack pair, as the kernel makes under load. */
function bare(body: string): number {
  const connect = (name: string): DatabaseSync => {
    const db = new DatabaseSync(join(folder, name));
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16000');
    return db;
  };
  const orders = connect('floor-orders.db');
  const bus = connect('floor-bus.db');
  const inventory = connect('floor-inventory.db');
  orders.exec('create table outbox (seq integer primary key, body text not null)');
  bus.exec('create table bus_message (seq integer primary key, queue text, body text not null); create index q on bus_message (queue, seq)');
  inventory.exec('create table effect (order_id text primary key) without rowid');
  const said = orders.prepare('insert into outbox (seq, body) values (?, ?)');
  const unsaid = orders.prepare('delete from outbox where seq = ?');
  const put = bus.prepare('insert into bus_message (seq, queue, body) values (?, ?, ?)');
  const took = bus.prepare('delete from bus_message where seq = ?');
  const effect = inventory.prepare('insert into effect (order_id) select value from json_each(?)');
  const group = 4;
  const begun = performance.now();
  for (let seq = 1; seq * packSize <= total; seq += group) {
    const seqs = Array.from({ length: group }, (_, i) => seq + i);
    transaction(orders, () => seqs.forEach((n) => (said.run(n, body), unsaid.run(n - group))));
    transaction(bus, () => seqs.forEach((n) => (put.run(n, 'inventory', body), took.run(n - group))));
    transaction(inventory, () => seqs.forEach(() => effect.run(JSON.stringify(Array.from({ length: packSize }, () => world.id('ord'))))));
  }
  const perSecond = total / ((performance.now() - begun) / 1_000);
  for (const db of [orders, bus, inventory]) db.close();
  return perSecond;
}

function transaction(db: DatabaseSync, work: () => void): void {
  db.exec('begin immediate');
  work();
  db.exec('commit');
}
