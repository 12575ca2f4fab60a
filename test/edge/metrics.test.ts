/** /metrics after real traffic: every metric there is has moved, here or in the test that can make it move. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metricDefinitions } from '../../src/kernel/telemetry.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { type Sample, samplesOf, valueOf } from '../support/metrics.ts';
import { until } from '../support/server.ts';
import { openShop } from '../support/shop.ts';

const SERVICES = ['orders', 'payments', 'inventory', 'shipping', 'notifications'];

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  const shop = await openShop(app);
  const { id } = await shop.place();
  await shop.dispatch(await shop.shipment(id, 'ready'));
  await shop.reaches(id, 'shipped');
  const gone = await shop.place();
  await shop.cancel(gone.id);
  await shop.reaches(gone.id, 'cancelled');
  await app.get('/v1/audit?fresh=true');
  await app.ask('GET', '/v1/orders/none');
}, 60_000);
afterAll(() => app.stop());

const scrape = async (): Promise<Sample[]> => samplesOf((await app.ask<string>('GET', '/metrics')).body);

type Moved = (samples: readonly Sample[], name: string) => boolean;
const above =
  (least: number, labels: Record<string, string> = {}): Moved =>
  (samples, name) =>
    (valueOf(samples, name, labels) ?? 0) > least;
const counted: Moved = (samples, name) => (valueOf(samples, `${name}_count`) ?? 0) > 0;
/** Told of each service, and 0 now: what makes it more is in another test. */
const quiet: Moved = (samples, name) => SERVICES.every((service) => valueOf(samples, name, { service }) === 0);
const everyService =
  (value: number): Moved =>
  (samples, name) =>
    SERVICES.every((service) => valueOf(samples, name, { service }) === value);

const METERING = 'test/messaging/metering.test.ts';
/** What each metric says after that, and the test that makes it say more. */
const EXPECTED: Record<string, { readonly here?: Moved; readonly elsewhere?: string }> = {
  waybill_http_request_seconds: {
    here: (samples) => valueOf(samples, 'waybill_http_request_seconds_count', { route: '/v1/orders', status: '201' }) === 2,
  },
  waybill_shedding: { here: (samples, name) => valueOf(samples, name) === 0, elsewhere: 'test/edge/system.test.ts' },
  waybill_event_loop_delay_seconds: { here: counted, elsewhere: 'src/kernel/event-loop.test.ts' },
  waybill_orders_placed_total: { here: (samples, name) => valueOf(samples, name, { policy: 'default' }) === 2 },
  waybill_order_transitions_total: { here: above(0, { status: 'cancelled' }) },
  waybill_order_journey_seconds: { here: (samples) => valueOf(samples, 'waybill_order_journey_seconds_count', { status: 'shipped' }) === 1 },
  waybill_orders_open: {
    here: (samples, name) => valueOf(samples, name, { status: 'shipped' }) === 1 && valueOf(samples, name, { status: 'pending' }) === 0,
  },
  waybill_orders_oldest_seconds: { here: above(0, { status: 'shipped' }) },
  waybill_db_commit_units: { here: counted },
  waybill_database_up: { here: everyService(1), elsewhere: METERING },
  waybill_data_free_bytes: { here: above(1_000) },
  waybill_postgres_horizon_seconds: { elsewhere: METERING },
  waybill_postgres_outbox_dead_rows: { elsewhere: METERING },
  waybill_outbox_messages: { here: quiet, elsewhere: METERING },
  waybill_outbox_oldest_seconds: { here: quiet, elsewhere: METERING },
  waybill_relay_leads: { here: everyService(1) },
  waybill_publish_confirm_seconds: { here: counted },
  waybill_messages_published_total: { here: above(10) },
  waybill_messages_returned_total: { elsewhere: METERING },
  waybill_publish_failures_total: { elsewhere: METERING },
  waybill_broker_nacks_total: { elsewhere: 'test/messaging/rabbit.test.ts' },
  waybill_broker_up: { here: (samples, name) => valueOf(samples, name) === 1 },
  waybill_broker_blocked: { here: (samples, name) => valueOf(samples, name) === 0, elsewhere: 'test/crash/rabbit.test.ts' },
  waybill_queue_messages: { here: (samples, name) => valueOf(samples, name, { queue: 'shipping' }) === 0, elsewhere: METERING },
  waybill_queue_unsettled_messages: { here: (samples, name) => valueOf(samples, name, { queue: 'shipping' }) === 0, elsewhere: METERING },
  waybill_queue_consumers: { here: (samples, name) => valueOf(samples, name, { queue: 'shipping' }) === 1 },
  waybill_consumer_state: { here: (samples, name) => SERVICES.every((service) => valueOf(samples, name, { service, state: 'running' }) === 1) },
  waybill_messages_consumed_total: { here: above(10, { outcome: 'handled' }) },
  waybill_message_wait_seconds: { here: counted },
  waybill_consumer_batch_messages: { here: counted },
  waybill_consumer_batch_seconds: { here: counted },
  waybill_message_failures_total: { elsewhere: METERING },
  waybill_suspect_deliveries_total: { elsewhere: METERING },
  waybill_gaps_overdue: { here: quiet, elsewhere: METERING },
  waybill_consumer_storms_total: { elsewhere: 'test/messaging/storm.test.ts' },
  waybill_parked_messages: { here: quiet, elsewhere: METERING },
  waybill_parked_oldest_seconds: { here: quiet, elsewhere: METERING },
  waybill_timers_overdue: { here: quiet, elsewhere: METERING },
  waybill_timers_overdue_seconds: { here: quiet, elsewhere: METERING },
  waybill_dead_letters_open: { here: quiet, elsewhere: METERING },
  waybill_dead_letter_group_open: { elsewhere: METERING },
  waybill_provider_call_seconds: { here: (samples) => (valueOf(samples, 'waybill_provider_call_seconds_count', { call: 'authorize' }) ?? 0) > 0 },
  waybill_audit_violations: { here: (samples, name) => valueOf(samples, name) === 0 },
  waybill_audit_rows: { here: above(0) },
  waybill_audit_finished_timestamp_seconds: { here: above(1_700_000_000) },
  waybill_trace_spans_total: { elsewhere: 'src/kernel/open-telemetry.test.ts' },
  waybill_build_info: { here: (samples, name) => valueOf(samples, name) === 1 },
  process_cpu_seconds_total: { here: above(0) },
  process_resident_memory_bytes: { here: above(10_000_000) },
  nodejs_heap_size_used_bytes: { here: above(1_000_000) },
  process_start_time_seconds: { here: above(1_700_000_000) },
};

const definitions = metricDefinitions();

test('every metric there is has an expectation, and no other', () => {
  expect(Object.keys(EXPECTED).toSorted()).toEqual(definitions.map(({ name }) => name).toSorted());
  for (const [name, { here, elsewhere }] of Object.entries(EXPECTED)) expect(here ?? elsewhere, name).toBeDefined();
});

test('each is as expected after orders were placed, shipped and cancelled', async () => {
  const late = await until(async () => {
    const samples = await scrape();
    const missing = Object.entries(EXPECTED).flatMap(([name, { here }]) => (here === undefined || here(samples, name) ? [] : [name]));
    return missing.length === 0 ? missing : undefined;
  }, 'all metrics have moved').catch(async () => {
    const samples = await scrape();
    return Object.entries(EXPECTED).flatMap(([name, { here }]) => (here === undefined || here(samples, name) ? [] : [name]));
  });
  expect(late).toEqual([]);
});

test.each(Object.entries(EXPECTED).flatMap(([name, { elsewhere }]) => (elsewhere === undefined ? [] : [[name, elsewhere]])))(
  '%s is made to say more in %s',
  (name, file) => expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).toContain(name!),
);

describe('cardinality', () => {
  test('paths that are not there, ids and odd methods make no series of their own', async () => {
    const seriesOf = async (): Promise<number> => (await scrape()).filter(({ name }) => name === 'waybill_http_request_seconds_count').length;
    for (const id of ['a', 'b']) await Promise.all([app.ask('GET', `/v1/orders/${id}`), app.ask('GET', `/nowhere/${id}`)]);
    const before = await seriesOf();
    for (let i = 0; i < 20; i += 1) await Promise.all([app.ask('GET', `/v1/orders/ord_${i}`), app.ask('GET', `/nowhere/${i}`)]);
    expect(await seriesOf()).toBe(before);
  });

  test('no label is an id: every value is short and one of few', async () => {
    const labels = (await scrape()).flatMap(({ name, labels: all }) => Object.entries(all).map(([key, value]) => ({ name, key, value })));
    const values = Map.groupBy(labels, ({ name, key }) => `${name} ${key}`);
    for (const [series, all] of values) expect(new Set(all.map(({ value }) => value)).size, series).toBeLessThan(60);
    for (const { value } of labels) expect(value).not.toMatch(/^[a-z]{2,4}_[0-9a-z]{26}$/);
  });
});

test('a metric is named after its unit, and explained in a sentence', () => {
  for (const { name, type, help } of definitions) {
    expect(name, name).toMatch(/^(waybill|process|nodejs)_[a-z_]+$/);
    expect(help, name).toMatch(/^[A-Z1].{10,}\.$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
  }
});
