/**
 * A small real program: two services, a bus, and a handler on each side that counts. It seeds its work once, runs until nothing is left to
 * do, prints `done` and ends. Killed anywhere and started again, it must come to the same end.
 *
 *   node pipeline.ts PLACE [killer] [written]      PLACE as in pipeline-ground.ts, as JSON
 *
 * orders says 60 commands in units of 5; inventory gives each the next place in one of five streams and says so; orders hears the streams
 * in strict order. Every twentieth command fails at its first attempt. With `killer`, one command kills whoever executes it;
 * with `written`, the bus writes each pack before it hands it out.
 */
import { join } from 'node:path';
import { migrate } from '../../src/db/migrate.ts';
import { armFailpoints } from '../../src/kernel/failpoints.ts';
import { startAll, stopAll } from '../../src/kernel/lifecycle.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { embeddedTransport } from '../../src/messaging/embedded.ts';
import { mailboxMigrations, messagingFor } from '../../src/messaging/messaging.ts';
import { rabbitTransport } from '../../src/messaging/rabbit.ts';
import { subscription } from '../../src/messaging/service.ts';
import { type PipelinePlace, openPlace } from './pipeline-ground.ts';

export const COMMANDS = 60;
export const STREAMS = 5;

const [given, ...words] = process.argv.slice(2);
const place = JSON.parse(given!) as PipelinePlace;
const killer = words.includes('killer');
const world = realWorld();
const telemetry = createTelemetry({ level: 'error' });
const transport =
  place.rabbit === undefined
    ? embeddedTransport({ file: join(place.folder, 'bus.db'), world, telemetry, ...(words.includes('written') && { writeAfterMs: 0 }) })
    : rabbitTransport({ broker: { url: place.rabbit.url }, prefix: place.rabbit.prefix, world, telemetry });

async function open(name: string, tables: (counted: string) => string) {
  const db = openPlace(place, name);
  await migrate(db, [mailboxMigrations], world.now());
  await db.script(tables(db.dialect.name === 'sqlite' ? 'integer primary key autoincrement' : 'bigint generated always as identity'));
  return messagingFor({ service: name, db, world, telemetry, transport });
}

await transport.start();
const orders = await open(
  'orders',
  (counted) =>
    `create table if not exists seeded (n integer primary key); create table if not exists heard (place ${counted}, stream text, sequence integer)`,
);
const inventory = await open(
  'inventory',
  () => 'create table if not exists effect (subject text); create table if not exists stream (name text primary key, sequence integer)',
);

const giving = inventory.consumer([
  subscription({
    types: ['stock.release'],
    dedupe: 'inbox',
    async handle(unit, messages) {
      for (const message of messages) {
        const n = Number(message.subject);
        if (message.subject === 'killer') process.kill(process.pid, 'SIGKILL');
        if (n % 20 === 7 && message.attempt === undefined) throw new Error(`${n} fails at first`);
        await unit.tx.raw('insert into effect (subject) values ($1)', [message.subject]);
        const stream = `s${n % STREAMS}`;
        const [place] = await unit.tx.raw<{ sequence: number }>(
          'insert into stream (name, sequence) values ($1, 1) on conflict (name) do update set sequence = stream.sequence + 1 returning sequence',
          [stream],
        );
        unit.say([{ type: 'stock.released', subject: stream, sequence: place!.sequence, cause: message, data: { order_id: message.subject } }]);
      }
    },
  }),
]);
const hearing = orders.consumer([
  subscription({
    types: ['stock.released'],
    dedupe: 'strict',
    async handle(unit, messages) {
      for (const { subject, sequence } of messages) await unit.tx.raw('insert into heard (stream, sequence) values ($1, $2)', [subject, sequence]);
    },
  }),
]);
const things = [orders.timekeeper, inventory.timekeeper, orders.relay, inventory.relay, orders.scheduler, inventory.scheduler, giving, hearing];

armFailpoints(process.env['WAYBILL_FAILPOINTS'] ?? '');
await startAll(things);
await seed();
while (!(await finished())) await world.sleep(10);
await stopAll(things);
await transport.stop();
for (const { mailbox } of [orders, inventory]) await mailbox.db.close();
process.stdout.write('done\n');

async function seed(): Promise<void> {
  for (let first = 0; first < COMMANDS; first += 5) {
    await orders.mailbox.write(async (unit) => {
      const [known] = await unit.tx.raw('select n from seeded where n = $1', [first]);
      if (known !== undefined) return;
      await unit.tx.raw('insert into seeded (n) values ($1)', [first]);
      const subjects = Array.from({ length: 5 }, (_, i) => String(first + i));
      if (killer && first === 30) subjects.push('killer');
      unit.say(subjects.map((subject) => ({ type: 'stock.release' as const, subject, data: { order_id: subject, reason: 'test' } })));
    });
  }
}

async function finished(): Promise<boolean> {
  const nothing = async ({ mailbox }: typeof orders): Promise<boolean> => {
    const [left] = await mailbox.db.read.raw<{ n: number }>(
      'select cast((select count(*) from outbox) + (select count(*) from timer) + (select count(*) from parked) as bigint) as n',
    );
    return left!.n === 0;
  };
  const depths = Object.values(await transport.depths());
  if (depths.some((depth) => depth > 0)) return false;
  const [heard] = await orders.mailbox.db.read.raw<{ n: number }>('select cast(count(*) as bigint) as n from heard');
  return heard!.n >= COMMANDS && (await nothing(orders)) && (await nothing(inventory));
}
