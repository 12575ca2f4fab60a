/**
 * What the program tells of itself: log lines with a correlation, and metrics whose names all stand here.
 */
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { type Logger, destination, pino } from 'pino';
import type { Tracer } from './tracing.ts';

export type { Logger } from 'pino';

export interface Telemetry {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Absent unless the settings say where spans go: whoever makes them asks for it first. */
  readonly tracer?: Tracer | undefined;
}

/**
 * Every metric, its unit in its name. Labels are closed sets, so that cardinality stays small: services, queues, statuses, error codes; the
 * one exception, fingerprints of dead letters, is cut off after the largest few of each service.
 *
 * What only tables know is counted when metrics are read (edge/gauges.ts), by every process that has the service: to be looked at by `max`,
 * not by `sum`. docs/operating/observability.md says of each what it tells.
 */
function metricsOn(registry: Registry) {
  const registers = [registry];
  const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400];
  const patient = [...seconds, 30, MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY];
  // A table: one metric a line.
  // oxfmt-ignore
  return {
    httpRequests: new Histogram({ name: 'waybill_http_request_seconds', help: 'Time to answer a request.', labelNames: ['method', 'route', 'status'], buckets: seconds, registers }),
    shedding: new Gauge({ aggregator: 'max', name: 'waybill_shedding', help: '1 while new orders are refused because too much waits.', registers }),
    eventLoopDelay: new Histogram({ name: 'waybill_event_loop_delay_seconds', help: 'How late the process answers its own timers; looked at 20 times a second.', buckets: seconds, registers }),
    ordersPlaced: new Counter({ name: 'waybill_orders_placed_total', help: 'Orders accepted.', labelNames: ['policy'], registers }),
    orderTransitions: new Counter({ name: 'waybill_order_transitions_total', help: 'Orders that reached a status.', labelNames: ['status'], registers }),
    orderJourney: new Histogram({ name: 'waybill_order_journey_seconds', help: 'Time from placing an order to its reaching a status.', labelNames: ['status'], buckets: patient, registers }),
    openOrders: new Gauge({ aggregator: 'max', name: 'waybill_orders_open', help: 'Orders of a status that is not the end; 10,000 are counted at most.', labelNames: ['status'], registers }),
    oldestOrder: new Gauge({ aggregator: 'max', name: 'waybill_orders_oldest_seconds', help: 'Time since the oldest order of a status was placed.', labelNames: ['status'], registers }),
    commits: new Histogram({ name: 'waybill_db_commit_units', help: 'Units of work that shared one commit.', labelNames: ['database'], buckets: [1, 2, 5, 10, 25, 50, 100, 250], registers }),
    databaseUp: new Gauge({ aggregator: 'max', name: 'waybill_database_up', help: '1 while the database of a service answers.', labelNames: ['service'], registers }),
    dataFree: new Gauge({ aggregator: 'max', name: 'waybill_data_free_bytes', help: 'Free space where the data folder lies.', registers }),
    postgresHorizon: new Gauge({ aggregator: 'max', name: 'waybill_postgres_horizon_seconds', help: 'Age of the oldest snapshot PostgreSQL has to keep old rows for.', labelNames: ['service'], registers }),
    outboxDeadRows: new Gauge({ aggregator: 'max', name: 'waybill_postgres_outbox_dead_rows', help: 'Deleted rows of the outbox that PostgreSQL has not cleaned up.', labelNames: ['service'], registers }),
    outboxDepth: new Gauge({ aggregator: 'max', name: 'waybill_outbox_messages', help: 'Messages committed and not yet confirmed by the broker.', labelNames: ['service'], registers }),
    outboxAge: new Gauge({ aggregator: 'max', name: 'waybill_outbox_oldest_seconds', help: 'Time since the oldest of them was committed.', labelNames: ['service'], registers }),
    relayLeads: new Gauge({ aggregator: 'max', name: 'waybill_relay_leads', help: 'The share of the outbox of a service that the relay of this process publishes: 1 is all of it.', labelNames: ['service'], registers }),
    publishing: new Histogram({ name: 'waybill_publish_confirm_seconds', help: 'Time from publishing to the confirm of the broker.', labelNames: ['service'], buckets: seconds, registers }),
    published: new Counter({ name: 'waybill_messages_published_total', help: 'Messages confirmed by the broker.', labelNames: ['service'], registers }),
    returned: new Counter({ name: 'waybill_messages_returned_total', help: 'Messages no queue takes; each is a dead letter.', labelNames: ['service'], registers }),
    publishFailures: new Counter({ name: 'waybill_publish_failures_total', help: 'Publishes that failed as a whole and are made again.', labelNames: ['service'], registers }),
    nacks: new Counter({ name: 'waybill_broker_nacks_total', help: 'Packs RabbitMQ did not take.', registers }),
    brokerUp: new Gauge({ aggregator: 'max', name: 'waybill_broker_up', help: '1 while messages can be published.', registers }),
    brokerBlocked: new Gauge({ aggregator: 'max', name: 'waybill_broker_blocked', help: '1 while the broker takes no messages because it is short of memory or disk.', registers }),
    queueDepth: new Gauge({ aggregator: 'max', name: 'waybill_queue_messages', help: 'Messages waiting in a queue or in hand.', labelNames: ['queue'], registers }),
    queueUnsettled: new Gauge({ aggregator: 'max', name: 'waybill_queue_unsettled_messages', help: 'Those of them that are in hand in this process.', labelNames: ['queue'], registers }),
    queueConsumers: new Gauge({ aggregator: 'max', name: 'waybill_queue_consumers', help: 'Who takes messages from a queue, in all processes.', labelNames: ['queue'], registers }),
    consumerState: new Gauge({ aggregator: 'max', name: 'waybill_consumer_state', help: '1 for the state the consumer of a service is in.', labelNames: ['service', 'state'], registers }),
    consumed: new Counter({ name: 'waybill_messages_consumed_total', help: 'Messages settled, by what became of them; passed_over are duplicates, and what waits behind a gap.', labelNames: ['service', 'outcome'], registers }),
    messageWait: new Histogram({ name: 'waybill_message_wait_seconds', help: 'Time from a message being said to its being handled; the first of each batch, without retries.', labelNames: ['service'], buckets: [...seconds, 30, MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR], registers }),
    consumerBatch: new Histogram({ name: 'waybill_consumer_batch_messages', help: 'Messages handled in one transaction.', labelNames: ['service'], buckets: [1, 2, 5, 10, 25, 50, 100, 200, 500], registers }),
    consumerTime: new Histogram({ name: 'waybill_consumer_batch_seconds', help: 'Time one such transaction took, its commit included.', labelNames: ['service'], buckets: seconds, registers }),
    failures: new Counter({ name: 'waybill_message_failures_total', help: 'Messages whose handling failed, by class of failure.', labelNames: ['service', 'class'], registers }),
    storms: new Counter({ name: 'waybill_consumer_storms_total', help: 'Times a consumer rested because most of what it handled failed.', labelNames: ['service'], registers }),
    suspects: new Counter({ name: 'waybill_suspect_deliveries_total', help: 'Deliveries handed out twice before without being settled.', labelNames: ['service'], registers }),
    parked: new Gauge({ aggregator: 'max', name: 'waybill_parked_messages', help: 'Messages that wait behind a gap of their stream.', labelNames: ['service'], registers }),
    parkedAge: new Gauge({ aggregator: 'max', name: 'waybill_parked_oldest_seconds', help: 'Time since the oldest of them came.', labelNames: ['service'], registers }),
    gapsOverdue: new Gauge({ aggregator: 'max', name: 'waybill_gaps_overdue', help: 'Streams that lack a message for longer than GAP_LIMIT.', labelNames: ['service'], registers }),
    timersOverdue: new Gauge({ aggregator: 'max', name: 'waybill_timers_overdue', help: 'Timers and retries that are due and not yet said.', labelNames: ['service'], registers }),
    timersAge: new Gauge({ aggregator: 'max', name: 'waybill_timers_overdue_seconds', help: 'Time since the oldest of them was due.', labelNames: ['service'], registers }),
    deadLetters: new Gauge({ aggregator: 'max', name: 'waybill_dead_letters_open', help: 'Dead letters nobody has dealt with yet.', labelNames: ['service'], registers }),
    deadLetterGroups: new Gauge({ aggregator: 'max', name: 'waybill_dead_letter_group_open', help: 'Open dead letters that look alike; the ten largest groups of a service.', labelNames: ['service', 'code', 'fingerprint'], registers }),
    providerCalls: new Histogram({ name: 'waybill_provider_call_seconds', help: 'Time an outside provider took.', labelNames: ['provider', 'call', 'outcome'], buckets: seconds, registers }),
    auditViolations: new Gauge({ aggregator: 'max', name: 'waybill_audit_violations', help: 'Violations found by the last audit.', labelNames: ['equation'], registers }),
    auditRows: new Gauge({ aggregator: 'max', name: 'waybill_audit_rows', help: 'Rows checked by the last audit.', labelNames: ['equation'], registers }),
    auditFinished: new Gauge({ aggregator: 'max', name: 'waybill_audit_finished_timestamp_seconds', help: 'When the last audit came to its end, seconds since 1970.', registers }),
    spans: new Counter({ name: 'waybill_trace_spans_total', help: 'Spans handed to the collector, by whether it took them.', labelNames: ['outcome'], registers }),
    build: new Gauge({ aggregator: 'max', name: 'waybill_build_info', help: 'Always 1; the version that runs.', labelNames: ['version'], registers }),
    // What every process tells, by the names others know.
    cpu: new Counter({ aggregator: 'max', name: 'process_cpu_seconds_total', help: 'Processor time used.', registers, collect() { this.reset(); this.inc(cpuSeconds()); } }),
    memory: new Gauge({ aggregator: 'max', name: 'process_resident_memory_bytes', help: 'Memory in use.', registers, collect() { this.set(process.memoryUsage.rss()); } }),
    heap: new Gauge({ name: 'nodejs_heap_size_used_bytes', help: 'Of it, what JavaScript uses.', registers, collect() { this.set(process.memoryUsage().heapUsed); } }),
    started: new Gauge({ aggregator: 'max', name: 'process_start_time_seconds', help: 'When the process was started, seconds since 1970.', registers }),
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export interface Metrics extends ReturnType<typeof metricsOn> {
  readonly registry: Registry;
  /** Where other threads of the program are asked for theirs, as JSON. */
  readonly others: (() => Promise<object>)[];
}

/** All metrics of the program in the text format of Prometheus. Counts of several threads are added up; of gauges the highest counts. */
export async function exposition({ registry, others }: Metrics): Promise<string> {
  if (others.length === 0) return registry.metrics();
  const all = await Promise.all([registry.getMetricsAsJSON(), ...others.map((ask) => ask())]);
  return Registry.aggregate(all).metrics();
}

/** What there is to know of a metric before it has a value. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Every metric there is, in the order of the table. */
export function metricDefinitions(): MetricDefinition[] {
  const typeOf = (metric: object): MetricDefinition['type'] =>
    metric instanceof Counter ? 'counter' : metric instanceof Histogram ? 'histogram' : 'gauge';
  return Object.values(metricsOn(new Registry())).map((metric) => {
    // The library keeps what it was made of, and does not say so in its types.
    const { name, help, labelNames } = metric as unknown as { name: string; help: string; labelNames: readonly string[] };
    return { name, help, labels: labelNames, type: typeOf(metric) };
  });
}

/** Metrics on a registry of their own: two programs in one process (a test) do not meet. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  return { registry, others: [], ...metricsOn(registry) };
}

/** Names whose values never reach a log. */
const SECRET_PATHS = ['*.token', '*.payment.token', 'payment.token', 'token', 'req.headers.authorization', '*.password', '*.secret'];

/** Telemetry for a program. `level` is a pino level or `silent`; lines go to standard error, so that standard output stays for answers. */
export function createTelemetry({ level }: { level: string }): Telemetry {
  const log = pino({ level, base: null, redact: { paths: SECRET_PATHS, censor: '[redacted]' } }, destination({ fd: 2, sync: true }));
  return { log, metrics: createMetrics() };
}
