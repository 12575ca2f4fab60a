import { expect, test } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import { packsOf } from './outbox.ts';
import { event, handTransport } from '../../test/messaging/support.ts';
import { type SeenTraces, keepTraces } from '../../test/support/tracing.ts';
import { calling, openConversations, processing, tracedTransport } from './tracing.ts';

const SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('without traces nothing is put between: the same transport, the same messages, one function for every call', () => {
  const transport = handTransport();
  expect(tracedTransport(transport, undefined, 'orders')).toBe(transport);
  expect(processing(undefined, 'orders', [])).toBeUndefined();
  expect(calling(undefined, 'a', { id: '1', order_id: 'o' })).toBe(calling(undefined, 'b', { id: '2' }));
});

test('of conversations the latest span is remembered, for the ones heard of last', () => {
  const conversations = openConversations();
  for (let i = 0; i < 10_001; i += 1) {
    conversations.note(`o${i}`, `trace ${i}`);
    conversations.note('kept', `kept ${i}`);
  }
  expect([conversations.of('o0'), conversations.of('o1'), conversations.of('o10000'), conversations.of('kept')]).toEqual([
    undefined,
    undefined,
    'trace 10000',
    'kept 10000',
  ]);
  expect(conversations.of(null)).toBeUndefined();
});

test('a publish that fails is an error of the span it had, and of the batch', async () => {
  const seen: SeenTraces = keepTraces();
  const transport = handTransport();
  transport.publishing(async () => Promise.reject(new Error('away')));
  const traced = tracedTransport(transport, { tracer: seen.telemetry.tracer!, conversations: openConversations() }, 'orders');
  const [unseen, seenOne] = [undefined, SAMPLED].map((traceparent): Message => event('o', 1, traceparent === undefined ? {} : { traceparent }));
  await expect(traced.publish(packsOf([seenOne!]))).rejects.toThrow('away');
  await expect(traced.publish(packsOf([seenOne!, unseen!]))).rejects.toThrow('away');
  expect((await seen.spans()).map(({ name, error }) => [name, error])).toEqual([
    ['send stock.released', 'away'],
    ['send orders', 'away'],
  ]);
  await seen.stop();
});
