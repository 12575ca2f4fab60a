/**
 * Traces: what one request sets in motion, across services, messages and calls to providers, as spans that another program draws.
 *
 *   POST /v1/orders ─┬─ create order.placed ──┬─ send order.placed
 *                    │                        └─ process order.placed (notifications) ── create notification.sent ── …
 *                    └─ create stock.reserve ─┬─ send stock.reserve
 *                                             └─ process stock.reserve (inventory) ── create stock.reserved ── …
 *
 * All that travels is a text, the traceparent of W3C Trace Context: in the header of a request, in the envelope of a message, in a row
 * of the outbox. It names a span and says whether its trace is sampled; what is not sampled costs one look at that text. What is done
 * for many messages at once has a span of its own, linked to each of them. Without a tracer (the default) there are no spans at all.
 */

/** Where traces go. Absent unless the settings name a place: whoever makes spans asks for it first. */
export interface Tracer {
  start(name: string, options: SpanOptions): Span;
}

export interface SpanOptions {
  readonly kind: 'server' | 'client' | 'producer' | 'consumer';
  /** The traceparent of the span this one is part of. Without one it begins a trace. */
  readonly parent?: string | undefined;
  /** The traceparents of spans it has to do with. */
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Span {
  /** What is to travel with whatever follows from it. */
  readonly traceparent: string;
  set(attributes: SpanAttributes): void;
  /** With what went wrong, if something did. A span that is not ended is never told of. */
  end(error?: unknown): void;
}

/** Which traces are made, in the words of OpenTelemetry's settings. */
export const SAMPLINGS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type Sampling = (typeof SAMPLINGS)[number];

export interface TracingOptions {
  /** Where spans are sent to, e.g. `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is said of this process, e.g. `service.name`. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: Sampling;
  /** The share of traces a ratio takes, 0 to 1. */
  readonly ratio: number;
}

/** Names of OpenTelemetry's conventions, all here, because those of messaging may still change. */
export const ATTRIBUTE = {
  method: 'http.request.method',
  route: 'http.route',
  path: 'url.path',
  status: 'http.response.status_code',
  error: 'error.type',
  system: 'messaging.system',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  messageId: 'messaging.message.id',
  conversation: 'messaging.message.conversation_id',
  batchCount: 'messaging.batch.message_count',
  request: 'waybill.request_id',
  subject: 'waybill.subject',
  attempt: 'waybill.attempt',
  redrive: 'waybill.redrive',
  task: 'waybill.task_id',
  outcome: 'waybill.outcome',
} as const;

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

// https://www.w3.org/TR/trace-context/: version 00 ends after the flags; of a later version what 00 has is read.
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** What a traceparent says; undefined when it is none. */
export function readTraceparent(text: string | undefined): TraceContext | undefined {
  const match = text === undefined || text.length > 512 ? null : TRACEPARENT.exec(text);
  if (match === null || (match[1] === '00' && match[5] !== undefined)) return undefined;
  return { traceId: match[2]!, spanId: match[3]!, sampled: (Number.parseInt(match[4]!, 16) & 1) === 1 };
}

export const writeTraceparent = ({ traceId, spanId, sampled }: TraceContext): string => `00-${traceId}-${spanId}-0${sampled ? 1 : 0}`;

/** Whether spans are to be made of what carries this traceparent. */
export const isSampled = (traceparent: string | undefined): traceparent is string => readTraceparent(traceparent)?.sampled === true;

/** For a log line about something that carries a traceparent. */
export function traceIds(traceparent: string | undefined): { readonly trace_id?: string; readonly span_id?: string } {
  const context = readTraceparent(traceparent);
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}
