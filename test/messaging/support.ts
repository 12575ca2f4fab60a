/**
 * What messaging tests share: a clock that can be put forward, services with a toy handler, and waiting for a condition instead of for time.
 */
import type { Message } from '../../src/contracts/envelope.ts';
import { migrate } from '../../src/db/migrate.ts';
import { type Runnable, stopAll } from '../../src/kernel/lifecycle.ts';
import { type Telemetry, createTelemetry } from '../../src/kernel/telemetry.ts';
import { type World, realWorld } from '../../src/kernel/world.ts';
import type { Unit } from '../../src/messaging/mailbox.ts';
import { type Messaging, mailboxMigrations, messagingFor } from '../../src/messaging/messaging.ts';
import type { Dedupe, Subscription } from '../../src/messaging/service.ts';
import type { Pack } from '../../src/messaging/outbox.ts';
import type { Delivery, PublishOutcome, Transport } from '../../src/messaging/transport.ts';
import { type Combination, embedded } from '../support/buses.ts';
import type { OpenDatabase, TestDatabase } from '../support/databases.ts';

export const telemetry = createTelemetry({ level: process.env['WAYBILL_TEST_LOG'] ?? 'silent' });

export interface TestWorld extends World {
  /** Puts the clock forward; whoever sleeps until then wakes. */
  advance(ms: number): void;
}

/** Real time, which a test may put forward. */
export function testWorld(): TestWorld {
  const real = realWorld();
  const sleepers = new Set<{ until: number; wake: AbortController }>();
  let ahead = 0;
  const now = (): number => real.now() + ahead;
  return {
    ...real,
    now,
    notBefore: (ms) => void (ahead = Math.max(ahead, ms - real.now())),
    async sleep(ms, signal) {
      const sleeper = { until: now() + ms, wake: new AbortController() };
      sleepers.add(sleeper);
      const abort = (): void => sleeper.wake.abort();
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
      await real.sleep(ms, sleeper.wake.signal);
      signal?.removeEventListener('abort', abort);
      sleepers.delete(sleeper);
    },
    advance(ms) {
      ahead += ms;
      for (const { until, wake } of sleepers) if (until <= now()) wake.abort();
    },
  };
}

/** Resolves when the condition holds; throws its description when it does not within 10 s. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const world = realWorld();
  const end = world.now() + 10_000;
  while (!(await condition())) {
    if (world.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

export interface Bench {
  readonly world: TestWorld;
  readonly transport: Transport;
  /** A service on a database of its own. */
  service(name: string, options?: StationOptions): Promise<Station>;
  /** Another process of a service on the same database. */
  sibling(station: Station, options?: StationOptions): Promise<Station>;
  close(): Promise<void>;
}

export interface StationOptions {
  readonly subscriptions?: readonly Subscription[];
  readonly transport?: Transport;
  readonly telemetry?: Telemetry;
  /** Which parts run; all when absent. */
  readonly shards?: number;
  readonly divided?: boolean;
  readonly parts?: readonly ('relay' | 'scheduler' | 'consumer')[];
}

export interface Station extends Messaging {
  readonly open: OpenDatabase;
  readonly things: readonly Runnable[];
  stop(): Promise<void>;
  count(table: string): Promise<number>;
}

/** A bus of its own and services around it, all stopped and removed by `close`. */
export async function openBench(database: TestDatabase, { bus = embedded }: Partial<Combination> = {}): Promise<Bench> {
  const world = testWorld();
  const { transport, drop } = await bus.open(world);
  const stations: Station[] = [];
  const opened: OpenDatabase[] = [];

  async function start(name: string, open: OpenDatabase, db: OpenDatabase['db'], options: StationOptions): Promise<Station> {
    const { shards, divided } = options;
    const tools = { world, telemetry: options.telemetry ?? telemetry, transport: options.transport ?? transport };
    const messaging = messagingFor({ service: name, shards, divided, db, ...tools });
    const parts = options.parts ?? ['relay', 'scheduler', 'consumer'];
    const things: Runnable[] = [messaging.timekeeper];
    if (parts.includes('relay')) things.push(messaging.relay);
    if (parts.includes('scheduler')) things.push(messaging.scheduler);
    if (parts.includes('consumer') && options.subscriptions !== undefined) things.push(messaging.consumer(options.subscriptions));
    for (const thing of things) await thing.start();
    const station: Station = {
      ...messaging,
      open,
      things,
      stop: () => stopAll(things),
      count: async (table) => (await db.read.raw<{ n: number }>(`select cast(count(*) as bigint) as n from ${table}`))[0]!.n,
    };
    stations.push(station);
    return station;
  }

  return {
    world,
    transport,
    async service(name, options = {}) {
      const open = await database.open();
      opened.push(open);
      await migrate(open.db, [mailboxMigrations], world.now());
      await open.db.script('create table effect (message_id text, subject text, note text)');
      return start(name, open, open.db, options);
    },
    sibling: (station, options = {}) => start(station.service, station.open, station.open.another!(), options),
    async close() {
      await Promise.all(stations.map((station) => station.stop()));
      await drop();
      await Promise.all(opened.map((open) => open.drop()));
    },
  };
}

/** A handler that keeps a row a message, and may do more. */
export function recording(
  types: readonly string[],
  dedupe: Dedupe,
  more: (unit: Unit, messages: readonly Message[]) => Promise<void> | void = () => undefined,
): Subscription {
  return {
    types,
    dedupe,
    async handle(unit: Unit, messages: readonly Message[]) {
      for (const { id, subject, sequence } of messages) {
        await unit.tx.raw('insert into effect (message_id, subject, note) values ($1, $2, $3)', [id, subject, String(sequence ?? '')]);
      }
      await more(unit, messages);
    },
  } as unknown as Subscription;
}

/** The messages that had an effect, in order of insertion on SQLite. */
export const effects = (station: Station): Promise<{ message_id: string; subject: string; note: string }[]> =>
  station.mailbox.db.read.raw('select message_id, subject, note from effect');

export interface HandTransport extends Transport {
  /** Everything published, in order. */
  readonly published: Pack[];
  /** Puts something else in place of publishing; undefined restores it. */
  publishing(instead: ((packs: readonly Pack[]) => Promise<PublishOutcome[]>) | undefined): void;
  /** Hands messages to the consumer as one delivery; resolves with what became of it. */
  deliver(messages: readonly Message[], more?: Partial<Delivery>): Promise<'acked' | 'released'>;
  readonly consuming: () => boolean;
}

/** A transport a test works by hand. */
export function handTransport(): HandTransport {
  const published: Pack[] = [];
  const confirmAll = async (packs: readonly Pack[]): Promise<PublishOutcome[]> => packs.map(() => 'confirmed');
  let publish = confirmAll;
  let taker: ((delivery: Delivery) => void) | undefined;
  return {
    name: 'by hand',
    start: async () => undefined,
    stop: async () => undefined,
    published,
    publishing: (instead) => void (publish = instead ?? confirmAll),
    declare: async () => undefined,
    async publish(packs) {
      const outcomes = await publish(packs);
      published.push(...packs.filter((_, i) => outcomes[i] === 'confirmed'));
      return outcomes;
    },
    async consume(_queue, { deliver }) {
      taker = deliver;
      return { cancel: async () => void (taker = undefined) };
    },
    depths: async () => ({}),
    health: async () => ({ ok: true }),
    consuming: () => taker !== undefined,
    async deliver(messages, more = {}) {
      if (taker === undefined) await until('somebody consumes', () => taker !== undefined);
      return new Promise((resolve) => {
        taker!({ messages, deliveries: 0, ack: () => resolve('acked'), release: () => resolve('released'), ...more });
      });
    },
  };
}

const ids = realWorld();
const SAID_AT = ids.now();

/** A command to inventory, as its sender would have made it. */
export const command = (subject: string, more: Partial<Message> = {}): Message => ({
  id: ids.id('msg'),
  type: 'stock.release',
  source: 'orders',
  time: SAID_AT,
  subject,
  partitionkey: subject,
  correlationid: subject,
  hops: 1,
  data: { order_id: subject, reason: 'test' },
  ...more,
});

/** An event of a stream. */
export const event = (subject: string, sequence: number, more: Partial<Message> = {}): Message => ({
  id: `msg_${subject}_${sequence}`,
  type: 'stock.released',
  source: 'inventory',
  time: SAID_AT,
  subject,
  sequence,
  partitionkey: subject,
  correlationid: subject,
  hops: 1,
  data: { order_id: subject },
  ...more,
});
