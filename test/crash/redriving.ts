/**
 * A small real program: a service with dead letters and a job that sends all of them again. It seeds its work once, runs until the job is
 * over, prints `done` and ends. Killed anywhere and started again, it must come to the same end.
 *
 *   node redriving.ts FOLDER
 *
 * Each handling of a message is written down, deduped or not. One message fails again.
 */
import { join } from 'node:path';
import type { Message } from '../../src/contracts/envelope.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import { armFailpoints } from '../../src/kernel/failpoints.ts';
import { startAll, stopAll } from '../../src/kernel/lifecycle.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { createJob } from '../../src/messaging/dead-letter-jobs.ts';
import { bury } from '../../src/messaging/dead-letters.ts';
import { embeddedTransport } from '../../src/messaging/embedded.ts';
import { mailboxMigrations, messagingFor } from '../../src/messaging/messaging.ts';
import { subscription } from '../../src/messaging/service.ts';

export const LETTERS = 150;
const BROKEN = '77';

const world = realWorld();
const telemetry = createTelemetry({ level: 'silent' });
const folder = process.argv[2]!;
const transport = embeddedTransport({ file: join(folder, 'bus.db'), world, telemetry });
const db = openSqlite({ name: 'inventory', file: join(folder, 'inventory.db') });
await migrate(db, [mailboxMigrations], world.now());
await db.script('create table if not exists seeded (n integer primary key); create table if not exists effect (subject text)');
const inventory = messagingFor({ service: 'inventory', db, world, telemetry, transport });
const consumer = inventory.consumer([
  subscription({
    types: ['stock.release'],
    dedupe: 'inbox',
    async handle(unit, messages) {
      for (const { subject } of messages) {
        if (subject === BROKEN) throw new Error('it fails again');
        await unit.tx.raw('insert into effect (subject) values ($1)', [subject]);
      }
    },
  }),
]);

await transport.start();
await seed();
armFailpoints(process.env['WAYBILL_FAILPOINTS'] ?? '');
const things = [inventory.relay, consumer, inventory.scheduler]; // the queue is there before anything is sent to it
await startAll(things);
while (!(await finished())) await world.sleep(10);
await stopAll(things);
await transport.stop();
process.stdout.write('done\n');

async function seed(): Promise<void> {
  const messages = Array.from({ length: LETTERS }, (_, n): Message => {
    const subject = String(n);
    const data = { order_id: subject, reason: 'test' };
    return {
      id: world.id('msg'),
      type: 'stock.release',
      source: 'orders',
      time: world.now(),
      subject,
      partitionkey: subject,
      correlationid: subject,
      hops: 1,
      data,
    };
  });
  const job = {
    id: world.id('dlj'),
    action: 'redrive',
    selection: {},
    actor: 'ada',
    reason: 'mended',
    rate: 10_000,
    ramp: true,
    stopAbove: 50,
  } as const;
  await inventory.mailbox.write(async (unit) => {
    if ((await unit.tx.raw('select n from seeded')).length > 0) return;
    await unit.tx.raw('insert into seeded (n) values (1)');
    await bury(unit, messages, new Error('it broke'), { world, destination: 'inventory', attempts: 4, firstAt: unit.now });
    await createJob(unit, job);
  });
}

async function finished(): Promise<boolean> {
  const [left] = await db.read.raw<{ n: number }>(
    'select (select count(*) from outbox) + (select count(*) from dead_letter_job where live = 1) as n',
  );
  return left!.n === 0 && Object.values(await transport.depths()).every((depth) => depth === 0);
}
