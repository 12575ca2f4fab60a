/** What metrics say when something waits or fails; test/edge/metrics.test.ts says which of them are tested here. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGauges } from '../../src/edge/gauges.ts';
import { Fault } from '../../src/kernel/errors.ts';
import { type Telemetry, createTelemetry } from '../../src/kernel/telemetry.ts';
import { embeddedTransport } from '../../src/messaging/embedded.ts';
import { databases } from '../support/databases.ts';
import { samplesIn, valueOf } from '../support/metrics.ts';
import { type Bench, type HandTransport, type Station, event, handTransport, openBench, recording, until } from './support.ts';

const SERVICE = { service: 'orders' };

describe.each(databases())('metrics of messages on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let telemetry: Telemetry;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    telemetry = createTelemetry({ level: 'silent' });
  });
  afterEach(() => bench.close());

  const refresher = (stations: readonly Station[]) =>
    openGauges({
      transport,
      services: stations,
      measures: [],
      consumes: true,
      folder: tmpdir(),
      gapLimit: 30_000,
      world: bench.world,
      metrics: telemetry.metrics,
    });
  async function read(...stations: readonly Station[]): Promise<(name: string, labels?: Record<string, string>) => number | undefined> {
    await refresher(stations)();
    const samples = await samplesIn(telemetry.metrics);
    return (name, labels = SERVICE) => valueOf(samples, name, labels);
  }
  const release = (subject: string) => ({ type: 'stock.release' as const, subject, data: { order_id: subject, reason: 'test' } });
  const say = (station: Station, ...subjects: string[]) => station.mailbox.write(async (unit) => unit.say(subjects.map(release)));

  it('what waits in the outbox, and for how long', async () => {
    const orders = await bench.service('orders', { transport, telemetry, parts: [] });
    await say(orders, 'a', 'b');
    bench.world.advance(60_000);
    const metric = await read(orders);
    expect(metric('waybill_outbox_messages')).toBe(2);
    expect(metric('waybill_outbox_oldest_seconds')).toBeGreaterThanOrEqual(60);
    expect(metric('waybill_database_up')).toBe(1);
    expect(metric('waybill_consumer_state', { ...SERVICE, state: 'elsewhere' })).toBe(1);
  });

  it('a publish that fails is counted and made again; what no queue takes is counted, and a dead letter of its group', async () => {
    const orders = await bench.service('orders', { transport, telemetry, parts: ['relay'] });
    transport.publishing(async () => Promise.reject(new Fault('unavailable', 'the broker is away')));
    await say(orders, 'a', 'b');
    await until('it has failed', async () => (await read(orders))('waybill_publish_failures_total') !== undefined);
    transport.publishing(async (packs) => packs.map(({ type }) => (type === 'stock.release' ? 'unroutable' : 'confirmed')));
    bench.world.advance(10_000);
    await until('it is a dead letter', async () => (await orders.count('dead_letter')) === 2);
    const metric = await read(orders);
    expect(metric('waybill_messages_returned_total')).toBe(2);
    expect(metric('waybill_publish_confirm_seconds_count')).toBeGreaterThan(0);
    expect(metric('waybill_dead_letters_open')).toBe(2);
    expect(metric('waybill_dead_letter_group_open', { ...SERVICE, code: 'unroutable' })).toBe(2);
  });

  it('a group of dead letters that is dealt with is told of no more', async () => {
    const orders = await bench.service('orders', { transport, telemetry, subscriptions: [recording(['stock.released'], 'inbox')] });
    const refresh = refresher([orders]);
    const groups = async () => (await samplesIn(telemetry.metrics)).filter(({ name }) => name === 'waybill_dead_letter_group_open');
    await transport.deliver([event('a', 1, { data: {} })]);
    await refresh();
    expect((await groups()).map(({ labels, value }) => [labels['code'], value])).toEqual([['contract_violation', 1]]);
    await orders.mailbox.db.write((tx) => tx.raw('update dead_letter_group set open = 0'));
    await refresh();
    expect(await groups()).toEqual([]);
  });

  it('what fails is counted by class; its retry is overdue while nobody fires it', async () => {
    const failing = recording(['stock.released'], 'inbox', () => {
      throw new Error('a bug');
    });
    const orders = await bench.service('orders', { transport, telemetry, subscriptions: [failing], parts: ['consumer'] });
    await transport.deliver([event('a', 1), event('b', 1)]);
    bench.world.advance(60_000);
    const metric = await read(orders);
    expect(metric('waybill_message_failures_total', { ...SERVICE, class: 'bug' })).toBe(2);
    expect(metric('waybill_messages_consumed_total', { ...SERVICE, outcome: 'retry' })).toBe(2);
    expect(metric('waybill_timers_overdue')).toBe(2);
    expect(metric('waybill_timers_overdue_seconds')).toBeGreaterThan(50);
    expect(metric('waybill_consumer_state', { ...SERVICE, state: 'running' })).toBe(1);
  });

  it('what is behind a gap, what comes twice, what was handed out before, and how long it took', async () => {
    const orders = await bench.service('orders', { transport, telemetry, subscriptions: [recording(['stock.released'], 'strict')] });
    await transport.deliver([event('a', 3), event('a', 4)]);
    await transport.deliver([event('b', 1), event('b', 1)]);
    await transport.deliver([event('c', 1)], { deliveries: 2 });
    bench.world.advance(120_000);
    const metric = await read(orders);
    expect(metric('waybill_parked_messages')).toBe(2);
    expect(metric('waybill_parked_oldest_seconds')).toBeGreaterThanOrEqual(120);
    expect(metric('waybill_gaps_overdue')).toBe(1);
    expect(metric('waybill_messages_consumed_total', { ...SERVICE, outcome: 'passed_over' })).toBe(3);
    expect(metric('waybill_suspect_deliveries_total')).toBe(1);
    expect(metric('waybill_consumer_batch_seconds_count')).toBe(3);
    expect(metric('waybill_message_wait_seconds_count')).toBe(3);
  });

  it('a queue says what waits in it, what is in hand, and who takes from it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-bus-'));
    const bus = embeddedTransport({ file: join(folder, 'bus.db'), world: bench.world, telemetry });
    await bus.start();
    const gate = Promise.withResolvers<void>();
    const slow = recording(['stock.release'], 'inbox', () => gate.promise);
    const inventory = await bench.service('inventory', { transport: bus, telemetry, subscriptions: [slow], parts: ['consumer'] });
    const orders = await bench.service('orders', { transport: bus, telemetry, parts: ['relay'] });
    const told = async () => {
      await bus.depths();
      const samples = await samplesIn(telemetry.metrics);
      return ['waybill_queue_messages', 'waybill_queue_unsettled_messages', 'waybill_queue_consumers'].map((name) =>
        valueOf(samples, name, { queue: 'inventory' }),
      );
    };
    try {
      await say(orders, 'a', 'b');
      await until('both are in hand', async () => (await told())[1] === 2);
      expect(await told()).toEqual([2, 2, 1]);
      gate.resolve();
      await until('the queue is empty', async () => (await told())[0] === 0);
    } finally {
      gate.resolve();
      await Promise.all([orders.stop(), inventory.stop()]);
      await bus.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('a database that does not answer is down; the others are told all the same', async () => {
    const orders = await bench.service('orders', { transport, telemetry, parts: [] });
    const inventory = await bench.service('inventory', { transport, telemetry, parts: [] });
    const hanging = { ...orders.mailbox.db, read: { ...orders.mailbox.db.read, raw: () => new Promise<never>(() => undefined) } };
    const stuck = { ...orders, mailbox: { ...orders.mailbox, db: hanging } };
    const refreshed = refresher([stuck, inventory])();
    const up = async (service: string) => valueOf(await samplesIn(telemetry.metrics), 'waybill_database_up', { service });
    await until('the other one is told', async () => (await up('inventory')) === 1);
    bench.world.advance(2_000);
    await refreshed;
    expect([await up('orders'), await up('inventory')]).toEqual([0, 1]);
  });

  it('what keeps PostgreSQL from cleaning up is told there, and nowhere else', async () => {
    const orders = await bench.service('orders', { transport, telemetry, parts: [] });
    await say(orders, 'a');
    await orders.mailbox.db.write((tx) => tx.raw('delete from outbox'));
    const metric = await read(orders);
    const told = database.name === 'sqlite' ? [] : ['waybill_postgres_horizon_seconds', 'waybill_postgres_outbox_dead_rows'];
    for (const name of ['waybill_postgres_horizon_seconds', 'waybill_postgres_outbox_dead_rows'])
      if (told.includes(name)) expect(metric(name), name).toBeGreaterThanOrEqual(0);
      else expect(metric(name), name).toBeUndefined();
  });
});
