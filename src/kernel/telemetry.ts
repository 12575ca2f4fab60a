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

/** Every metric, its unit in its name. Labels are few and closed, so that cardinality stays small. */
function metricsOn(registry: Registry) {
  const registers = [registry];
  const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  // A table: one metric a line.
  // oxfmt-ignore
  return {
    httpRequests: new Histogram({ name: 'waybill_http_request_seconds', help: 'Time to answer a request.', labelNames: ['method', 'route', 'status'], buckets: seconds, registers }),
    ordersPlaced: new Counter({ name: 'waybill_orders_placed_total', help: 'Orders accepted.', labelNames: ['policy'], registers }),
    orderTransitions: new Counter({ name: 'waybill_order_transitions_total', help: 'Orders that reached a status.', labelNames: ['status'], registers }),
    commits: new Histogram({ name: 'waybill_db_commit_units', help: 'Units of work that shared one commit.', labelNames: ['database'], buckets: [1, 2, 5, 10, 25, 50, 100, 250], registers }),
    outboxDepth: new Gauge({ name: 'waybill_outbox_messages', help: 'Messages committed and not yet confirmed by the broker.', labelNames: ['service'], registers }),
    published: new Counter({ name: 'waybill_messages_published_total', help: 'Messages confirmed by the broker.', labelNames: ['service'], registers }),
    consumed: new Counter({ name: 'waybill_messages_consumed_total', help: 'Messages settled, by what became of them.', labelNames: ['service', 'outcome'], registers }),
    consumerBatch: new Histogram({ name: 'waybill_consumer_batch_messages', help: 'Messages handled in one transaction.', labelNames: ['service'], buckets: [1, 2, 5, 10, 25, 50, 100, 200, 500], registers }),
    deadLetters: new Gauge({ name: 'waybill_dead_letters_open', help: 'Dead letters nobody has dealt with yet.', labelNames: ['service'], registers }),
    queueDepth: new Gauge({ name: 'waybill_queue_messages', help: 'Messages waiting in a queue of the embedded broker.', labelNames: ['queue'], registers }),
    providerCalls: new Histogram({ name: 'waybill_provider_call_seconds', help: 'Time an outside provider took.', labelNames: ['provider', 'call', 'outcome'], buckets: seconds, registers }),
    auditViolations: new Gauge({ name: 'waybill_audit_violations', help: 'Violations found by the last audit.', labelNames: ['equation'], registers }),
    spans: new Counter({ name: 'waybill_trace_spans_total', help: 'Spans handed to the collector, by whether it took them.', labelNames: ['outcome'], registers }),
    auditRows: new Gauge({ name: 'waybill_audit_rows', help: 'Rows checked by the last audit.', labelNames: ['equation'], registers }),
  };
}

export interface Metrics extends ReturnType<typeof metricsOn> {
  readonly registry: Registry;
}

/** Metrics on a registry of their own: two programs in one process (a test) do not meet. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  return { registry, ...metricsOn(registry) };
}

/** Names whose values never reach a log. */
const SECRET_PATHS = ['*.token', '*.payment.token', 'payment.token', 'token', 'req.headers.authorization', '*.password', '*.secret'];

/** Telemetry for a program. `level` is a pino level or `silent`; lines go to standard error, so that standard output stays for answers. */
export function createTelemetry({ level }: { level: string }): Telemetry {
  const log = pino({ level, base: null, redact: { paths: SECRET_PATHS, censor: '[redacted]' } }, destination({ fd: 2, sync: true }));
  return { log, metrics: createMetrics() };
}
