import { afterEach, expect, test } from 'vitest';
import { type Collector, keepTraces, openCollector } from '../../test/support/tracing.ts';
import { Fault } from './errors.ts';
import { openTracing } from './open-telemetry.ts';
import { createTelemetry } from './telemetry.ts';
import { type TracingOptions, isSampled, readTraceparent } from './tracing.ts';
import { realWorld } from './world.ts';

let collector: Collector | undefined;
afterEach(async () => {
  await collector?.close();
  collector = undefined;
});

const sentTo = (url: string): TracingOptions => ({
  url,
  headers: { 'x-key': 'secret' },
  resource: { 'service.name': 'shop' },
  sampler: 'always_on',
  ratio: 1,
});

test('spans reach a collector with what is said of the process, and are counted', async () => {
  collector = await openCollector();
  const telemetry = createTelemetry({ level: 'silent' });
  const tracing = openTracing(sentTo(`${collector.url}/v1/traces`), { telemetry, world: realWorld() });
  const outer = tracing.tracer.start('outer', { kind: 'server' });
  tracing.tracer.start('inner', { kind: 'client', parent: outer.traceparent }).end(new Fault('unavailable', 'away'));
  tracing.tracer.start('never ended', { kind: 'client' });
  outer.end();
  await tracing.stop();
  const [{ path, key, body }] = collector.received as [Collector['received'][number]];
  expect({ path, key }).toEqual({ path: '/v1/traces', key: 'secret' });
  const { resource, scopeSpans } = body.resourceSpans[0]!;
  expect(resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'shop' } });
  expect(scopeSpans[0]!.spans.map(({ name }) => name)).toEqual(['inner', 'outer']);
  expect(await telemetry.metrics.registry.metrics()).toContain('waybill_trace_spans_total{outcome="sent"} 2');
});

test('a collector that refuses costs spans and nothing else; it is counted, and told once', async () => {
  collector = await openCollector(400);
  const telemetry = createTelemetry({ level: 'silent' });
  const told: unknown[] = [];
  telemetry.log.warn = (about: unknown) => void told.push(about);
  const tracing = openTracing(sentTo(collector.url), { telemetry, world: realWorld() });
  for (let i = 0; i < 3; i += 1) {
    tracing.tracer.start(`span ${i}`, { kind: 'client' }).end();
    await tracing.flush().catch(() => undefined);
  }
  await tracing.stop();
  expect(await telemetry.metrics.registry.metrics()).toContain('waybill_trace_spans_total{outcome="failed"} 3');
  expect(told).toHaveLength(1);
});

test('a ratio of nothing takes no trace, but what is linked to a sampled one, and the caller decides where one is heeded', async () => {
  const traces = keepTraces({ sampler: 'parentbased_traceidratio', ratio: 0 });
  const tracer = traces.telemetry.tracer!;
  const root = tracer.start('root', { kind: 'server' });
  expect(isSampled(root.traceparent)).toBe(false);
  const sampled = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
  const child = tracer.start('child', { kind: 'server', parent: sampled });
  const batch = tracer.start('batch', { kind: 'client', links: [root.traceparent, sampled, 'nonsense'] });
  for (const span of [root, child, batch]) span.end();
  const spans = await traces.spans();
  expect(spans.map(({ name }) => name)).toEqual(['child', 'batch']);
  expect(spans[0]).toMatchObject({ trace: '1'.repeat(32), parent: '2'.repeat(16) });
  expect(spans[1]!.links.map(({ trace }) => trace)).toEqual([readTraceparent(root.traceparent)!.traceId, '1'.repeat(32)]);
  await traces.stop();
});
