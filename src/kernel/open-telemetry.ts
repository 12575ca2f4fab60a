/**
 * The tracer of OpenTelemetry: spans in batches to a collector, over HTTP with JSON.
 *
 * Loaded only where the settings name a collector (decision 7). A collector that is slow or away costs spans and nothing else: at most
 * `QUEUE_MAX` wait in memory, what is beyond is dropped, and a failed batch is counted and told of, once a minute.
 */
import {
  type Context,
  ROOT_CONTEXT,
  type Span as Recording,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { codeOf } from './errors.ts';
import type { Telemetry } from './telemetry.ts';
import {
  ATTRIBUTE,
  type Sampling,
  type SpanAttributes,
  type SpanOptions,
  type Tracer,
  type TracingOptions,
  readTraceparent,
  writeTraceparent,
} from './tracing.ts';
import type { World } from './world.ts';

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what waits. */
  flush(): Promise<void>;
  /** Sends what waits, for a bounded time; later spans are dropped. */
  stop(): Promise<void>;
}

/** Spans that wait to be sent, at most: about 8 MB. */
const QUEUE_MAX = 8_192;
const BATCH_MAX = 512;
const SEND_EVERY_MS = 1_000;
const SEND_MS = 10_000;
/** How long a stopping program waits for its last spans. */
const STOP_MS = 3_000;
const LOUD_MS = 60_000;

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER } as const;

/** @param exporter  in place of the collector, for tests */
export function openTracing(
  { url, headers, resource, sampler, ratio }: TracingOptions,
  { telemetry, world }: { readonly telemetry: Telemetry; readonly world: World },
  exporter: SpanExporter = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: SEND_MS }),
): Tracing {
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes(resource)),
    sampler: withLinks(samplerOf(sampler, ratio)),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: counted(exporter, telemetry, world),
        maxQueueSize: QUEUE_MAX,
        maxExportBatchSize: BATCH_MAX,
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: SEND_MS,
      }),
    ],
  });
  const spans = provider.getTracer('waybill');
  return {
    tracer: {
      start(name, options) {
        const span = spans.startSpan(name, { kind: KINDS[options.kind], ...relations(options) }, contextOf(options.parent));
        return spanOver(span);
      },
    },
    flush: () => provider.forceFlush(),
    async stop() {
      const done = new AbortController();
      await Promise.race([provider.shutdown().catch(() => undefined), world.sleep(STOP_MS, done.signal)]);
      done.abort();
    },
  };
}

const relations = ({ links = [], attributes = {} }: SpanOptions) => ({
  attributes: { ...attributes },
  links: links.flatMap((link) => {
    const context = remote(link);
    return context === undefined ? [] : [{ context }];
  }),
});

function contextOf(parent: string | undefined): Context {
  const context = remote(parent);
  return context === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context);
}

function remote(traceparent: string | undefined): SpanContext | undefined {
  const read = readTraceparent(traceparent);
  if (read === undefined) return undefined;
  return { traceId: read.traceId, spanId: read.spanId, traceFlags: read.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

function spanOver(span: Recording): ReturnType<Tracer['start']> {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: writeTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 }),
    set: (attributes: SpanAttributes) => void span.setAttributes({ ...attributes }),
    end(error) {
      if (error !== undefined) {
        span.setAttribute(ATTRIBUTE.error, codeOf(error));
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : 'something else than an error was thrown' });
      }
      span.end();
    },
  };
}

function samplerOf(name: Sampling, ratio: number): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}

/** What is done for many at once begins a trace of its own; it is sampled when one of them is, or the links to it would lead nowhere. */
function withLinks(sampler: Sampler): Sampler {
  return {
    shouldSample(context, traceId, name, kind, attributes, links) {
      if (trace.getSpanContext(context) === undefined && links.some((link) => (link.context.traceFlags & TraceFlags.SAMPLED) !== 0))
        return { decision: SamplingDecision.RECORD_AND_SAMPLED };
      return sampler.shouldSample(context, traceId, name, kind, attributes, links);
    },
    toString: () => `links or ${sampler.toString()}`,
  };
}

/** The library says nothing when spans cannot be sent. */
function counted(exporter: SpanExporter, { log, metrics }: Telemetry, world: World): SpanExporter {
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    export(spans, told) {
      exporter.export(spans, (result) => {
        const sent = result.code === 0;
        metrics.spans.inc({ outcome: sent ? 'sent' : 'failed' }, spans.length);
        if (!sent && world.now() - toldAt >= LOUD_MS) {
          toldAt = world.now();
          log.warn({ err: result.error, spans: spans.length }, 'spans could not be sent to the collector and are gone');
        }
        told(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush && { forceFlush: () => exporter.forceFlush!() }),
  };
}
