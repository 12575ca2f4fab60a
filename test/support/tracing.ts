/** Spans kept in memory, and a collector that keeps what it is sent. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { openTracing } from '../../src/kernel/open-telemetry.ts';
import { type Telemetry, createTelemetry } from '../../src/kernel/telemetry.ts';
import type { TracingOptions } from '../../src/kernel/tracing.ts';
import { realWorld } from '../../src/kernel/world.ts';

export interface SeenSpan {
  readonly name: string;
  readonly kind: string;
  readonly id: string;
  readonly trace: string;
  readonly parent: string | undefined;
  readonly links: readonly { readonly trace: string; readonly span: string }[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: string | undefined;
}

export interface SeenTraces {
  readonly telemetry: Telemetry;
  /** All spans that ended so far, in the order they ended. */
  spans(): Promise<SeenSpan[]>;
  stop(): Promise<void>;
}

const OPTIONS: TracingOptions = { url: 'http://127.0.0.1:1/', headers: {}, resource: {}, sampler: 'parentbased_always_on', ratio: 1 };

/** Telemetry whose spans stay in memory. */
export function keepTraces(options: Partial<TracingOptions> = {}, base = createTelemetry({ level: 'silent' })): SeenTraces {
  const exporter = new InMemorySpanExporter();
  const tracing = openTracing({ ...OPTIONS, ...options }, { telemetry: base, world: realWorld() }, exporter);
  return {
    telemetry: { ...base, tracer: tracing.tracer },
    async spans() {
      await tracing.flush();
      return exporter.getFinishedSpans().map(seen);
    },
    stop: () => tracing.stop(),
  };
}

const seen = (span: ReadableSpan): SeenSpan => ({
  name: span.name,
  kind: SpanKind[span.kind].toLowerCase(),
  id: span.spanContext().spanId,
  trace: span.spanContext().traceId,
  parent: span.parentSpanContext?.spanId,
  links: span.links.map(({ context }) => ({ trace: context.traceId, span: context.spanId })),
  attributes: span.attributes,
  error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? '') : undefined,
});

export interface Collector {
  readonly url: string;
  /** Bodies as they came, with path and headers. */
  readonly received: { readonly path: string; readonly key: unknown; readonly body: OtlpTraces }[];
  close(): Promise<void>;
}

/** What is looked at of OTLP's JSON. */
export interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly { readonly name: string; readonly traceId: string }[] }[];
  }[];
}

/** A collector of OTLP over HTTP; with another `status` than 200 it refuses what comes. */
export async function openCollector(status = 200): Promise<Collector> {
  const received: Collector['received'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as OtlpTraces;
      received.push({ path: request.url ?? '', key: request.headers['x-key'], body });
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
