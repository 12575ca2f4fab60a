import { expect, test } from 'vitest';
import { isSampled, readTraceparent, traceIds, writeTraceparent } from './tracing.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('a traceparent is read and written as it was', () => {
  for (const sampled of [true, false]) {
    const context = { traceId: TRACE, spanId: SPAN, sampled };
    expect(readTraceparent(writeTraceparent(context))).toEqual(context);
  }
  expect(writeTraceparent({ traceId: TRACE, spanId: SPAN, sampled: true })).toBe(`00-${TRACE}-${SPAN}-01`);
});

test('of a later version what version 00 has is read', () => {
  expect(readTraceparent(`cc-${TRACE}-${SPAN}-03-what-the-future-will-be-like`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
  expect(readTraceparent(`cc-${TRACE}-${SPAN}-02`)?.sampled).toBe(false);
});

test.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['another version than there can be', `ff-${TRACE}-${SPAN}-01`],
  ['more than version 00 has', `00-${TRACE}-${SPAN}-01-more`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['too few digits', `00-${TRACE.slice(1)}-${SPAN}-01`],
  ['an endless text', `cc-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`],
])('%s is no traceparent', (_, text) => {
  expect(readTraceparent(text)).toBeUndefined();
  expect(isSampled(text)).toBe(false);
  expect(traceIds(text)).toEqual({});
});

test('a log line names trace and span', () => {
  expect(traceIds(`00-${TRACE}-${SPAN}-00`)).toEqual({ trace_id: TRACE, span_id: SPAN });
});
