import { expect, test } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import { PACK_MAX, packsOf } from './outbox.ts';

const message = (type: string, subject: string, text = ''): Message => ({
  id: subject,
  type,
  source: 'orders',
  time: 1,
  subject,
  partitionkey: subject,
  correlationid: subject,
  hops: 1,
  data: { text },
});
const sizes = (messages: readonly Message[]): number[] => packsOf(messages).map((pack) => pack.messages.length);

test('messages of one type share a pack, in the order they were said; its body is their JSON', () => {
  const said = [message('a', '1'), message('b', '2'), message('a', '3')];
  const packs = packsOf(said, 'payments');
  expect(packs.map(({ type, destination, messages }) => [type, destination, messages.map(({ id }) => id)])).toEqual([
    ['a', 'payments', ['1', '3']],
    ['b', 'payments', ['2']],
  ]);
  expect(packs.map(({ body }) => JSON.parse(body))).toEqual([[said[0], said[2]], [said[1]]]);
});

test('a pack is full at 200 messages, or at two million characters', () => {
  expect(sizes(Array.from({ length: PACK_MAX + 1 }, (_, i) => message('a', String(i))))).toEqual([PACK_MAX, 1]);
  expect(sizes(Array.from({ length: 7 }, (_, i) => message('a', String(i), 'x'.repeat(900_000))))).toEqual([3, 3, 1]);
});
