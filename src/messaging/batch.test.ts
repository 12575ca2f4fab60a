import { describe, expect, it } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import type { Upcast } from '../contracts/upcasts.ts';
import { routingOf, sort } from './batch.ts';
import { subscription } from './service.ts';

const routing = routingOf([subscription({ types: ['stock.committed'], dedupe: 'natural', handle: async () => undefined })]);
const old = (data: unknown, more: Partial<Message> = {}): Message => ({
  id: 'msg_1',
  type: 'stock.released',
  source: 'inventory',
  time: 1,
  subject: 'ord_1',
  partitionkey: 'ord_1',
  correlationid: 'ord_1',
  hops: 1,
  data,
  ...more,
});
const to = (data: (order: { order_id: string }) => unknown): Upcast[] => [
  { from: 'stock.released', to: 'stock.committed', data: (from) => data(from as { order_id: string }) },
];
const sorted = (message: Message, upcasts: Upcast[]) =>
  sort([{ messages: [message], trusted: true, deliveries: 0, ack: () => undefined, release: () => undefined }], routing, upcasts);
const whyNot = (message: Message, upcasts: Upcast[]): string[] => sorted(message, upcasts).unsound.map(({ fault }) => fault.message);

describe('K21 a message in a type that another one replaced', () => {
  it('is read as that one', () => {
    const { sound, unsound } = sorted(
      old({ order_id: 'ord_1' }),
      to(({ order_id }) => ({ order_id: `${order_id}!` })),
    );
    expect(sound).toEqual([old({ order_id: 'ord_1!' }, { type: 'stock.committed' })]);
    expect(unsound).toEqual([]);
  });

  it('must keep the old contract, and come to keep the new one; whatever goes wrong is told, and it stays as it came', () => {
    expect(
      whyNot(
        old({ order_id: 7 }),
        to((order) => order),
      )[0],
    ).toContain('order_id');
    expect(
      whyNot(
        old({ order_id: 'ord_1' }),
        to(() => ({})),
      )[0],
    ).toContain('read as stock.committed');
    const throwing = to(() => {
      throw new TypeError('a bug');
    });
    expect(whyNot(old({ order_id: 'ord_1' }), throwing)).toEqual(['stock.released about ord_1: cannot be read as another type: TypeError: a bug']);
    expect(sorted(old({ order_id: 'ord_1' }), throwing).unsound[0]!.message.type).toBe('stock.released');
    expect(whyNot(old({ order_id: 'ord_1' }), [])).toEqual(['stock.released about ord_1: no subscription here takes this type']);
  });
});
