/** The span of a request: whose trace it is part of, what it says, and that it reaches the use-case and the log. */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { type Edge, openEdge } from '../../src/edge/http.ts';
import { Fault, Refusal } from '../../src/kernel/errors.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { readTraceparent } from '../../src/kernel/tracing.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { type RequestContext, route } from '../../src/messaging/service.ts';
import { type SeenTraces, keepTraces } from '../support/tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

let contexts: RequestContext[];
let lines: { msg: string; trace_id?: string; span_id?: string }[];
let traces: SeenTraces;
let edge: Edge;

const reading = route({
  method: 'GET',
  path: '/v1/things/{id}',
  tag: 'things',
  summary: 'Read',
  params: z.object({ id: z.string() }),
  output: z.object({ id: z.string() }),
  answers: 'ok',
  async handle({ params: { id }, context }) {
    contexts.push(context);
    if (id === 'gone') throw new Refusal('order_not_found', 'there is no such thing');
    if (id === 'away') throw new Fault('unavailable', 'the database does not answer');
    return { id };
  },
});

async function open(tracer: boolean): Promise<void> {
  const log = pino({ level: 'debug', base: null }, new Writable({ write: (line, _, done) => (lines.push(JSON.parse(String(line))), done()) }));
  const telemetry = { ...(tracer ? traces.telemetry : createTelemetry({ level: 'silent' })), log };
  const door = { path: '/health', answer: async () => ({ status: 200, type: 'text/plain', body: 'ok' }) };
  edge = openEdge({ world: realWorld(), telemetry, host: '127.0.0.1', port: 0, routes: [reading], doors: [door], localOnly: true });
  await edge.start();
}

/** Answered and told: a span ends after its answer has left. */
async function ask(path: string, traceparent?: string): Promise<number> {
  const { status } = await fetch(edge.url() + path, traceparent === undefined ? {} : { headers: { traceparent } });
  return status;
}

beforeEach(() => {
  contexts = [];
  lines = [];
  traces = keepTraces();
});
afterEach(async () => {
  await edge.stop();
  await traces.stop();
});

test('a request that brings a traceparent is part of its trace; the use-case gets a context below it', async () => {
  await open(true);
  await ask('/v1/things/a?secret=1', `00-${TRACE}-${CALLER}-01`);
  await edge.stop();
  const [span, ...others] = await traces.spans();
  expect(others).toEqual([]);
  expect(span).toMatchObject({ name: 'GET /v1/things/{id}', kind: 'server', trace: TRACE, parent: CALLER, error: undefined });
  expect(span!.attributes).toMatchObject({
    'http.request.method': 'GET',
    'http.route': '/v1/things/{id}',
    'url.path': '/v1/things/a',
    'http.response.status_code': 200,
    'waybill.request_id': contexts[0]!.requestId,
  });
  expect(readTraceparent(contexts[0]!.traceparent)).toEqual({ traceId: TRACE, spanId: span!.id, sampled: true });
});

test('without one it begins a trace; one that cannot be read counts as none', async () => {
  await open(true);
  await ask('/v1/things/a');
  await ask('/v1/things/b', 'not a traceparent');
  await edge.stop();
  const spans = await traces.spans();
  expect(spans.map(({ parent }) => parent)).toEqual([undefined, undefined]);
  expect(spans[0]!.trace).not.toBe(spans[1]!.trace);
});

test('a caller that does not sample is heeded, and its trace goes on all the same', async () => {
  await open(true);
  await ask('/v1/things/a', `00-${TRACE}-${CALLER}-00`);
  await edge.stop();
  expect(await traces.spans()).toEqual([]);
  expect(readTraceparent(contexts[0]!.traceparent)).toMatchObject({ traceId: TRACE, sampled: false });
});

test('a fault is an error of the span, a refusal is not; both log lines name the span', async () => {
  await open(true);
  expect(await ask('/v1/things/gone')).toBe(404);
  expect(await ask('/v1/things/away')).toBe(503);
  await edge.stop();
  const spans = await traces.spans();
  expect(spans.map(({ error }) => error)).toEqual([undefined, 'the database does not answer']);
  expect(spans[1]!.attributes).toMatchObject({ 'http.response.status_code': 503, 'error.type': 'unavailable' });
  expect(lines.map(({ trace_id, span_id }) => ({ trace_id, span_id }))).toEqual(spans.map(({ trace, id }) => ({ trace_id: trace, span_id: id })));
});

test('doors and unknown paths have no span', async () => {
  await open(true);
  await ask('/health');
  await ask('/nowhere');
  await edge.stop();
  expect(await traces.spans()).toEqual([]);
});

test('without a tracer nothing is added to a request', async () => {
  await open(false);
  await ask('/v1/things/a', `00-${TRACE}-${CALLER}-01`);
  await ask('/v1/things/gone', `00-${TRACE}-${CALLER}-01`);
  expect(contexts[0]).not.toHaveProperty('traceparent');
  expect(lines[0]).not.toHaveProperty('trace_id');
});
