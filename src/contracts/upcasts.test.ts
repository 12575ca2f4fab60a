import { describe, expect, it } from 'vitest';
import type { Message } from './envelope.ts';
import { type Upcast, reads, upcast } from './upcasts.ts';

const message: Message = {
  id: 'msg_1',
  type: 'order.cancelled',
  source: 'orders',
  time: 1,
  subject: 'ord_1',
  sequence: 4,
  partitionkey: 'ord_1',
  correlationid: 'ord_1',
  hops: 1,
  redrive: 'dl_1',
  data: { reason: 'customer' },
};
const upcasts: Upcast[] = [
  { from: 'order.cancelled', to: 'order.cancelled.v2', data: (old) => ({ ...(old as object), cancelled_by: 'unknown' }) },
  {
    from: 'order.cancelled.v2',
    to: 'order.cancelled.v3',
    data(old) {
      const { reason, ...rest } = old as { readonly reason: string };
      return { ...rest, because: { reason } };
    },
  },
  { from: 'order.cancelled.v3', to: 'order.cancelled.v2', data: (old) => old },
];
const only =
  (...types: string[]) =>
  (type: string): boolean =>
    types.includes(type);

describe('K21 an upcast', () => {
  it('reads an old message as the type that is wanted, and leaves the envelope as it is', () => {
    const read = upcast(message, only('order.cancelled.v2'), upcasts);
    expect(read).toEqual({ ...message, type: 'order.cancelled.v2', data: { reason: 'customer', cancelled_by: 'unknown' } });
  });

  it('goes over as many types as it takes', () => {
    const read = upcast(message, only('order.cancelled.v3'), upcasts);
    expect(read).toMatchObject({ id: 'msg_1', type: 'order.cancelled.v3', data: { cancelled_by: 'unknown', because: { reason: 'customer' } } });
  });

  it('changes nothing where the old type is wanted, or where no way leads to one that is', () => {
    expect(upcast(message, only('order.cancelled', 'order.cancelled.v2'), upcasts)).toBe(message);
    expect(upcast(message, only('order.placed'), upcasts)).toBe(message); // and comes to an end, though the way is a circle
    expect(upcast(message, only('order.placed'), [])).toBe(message);
  });

  it('is told the data of the old contract and gives those of the new one', () => {
    const step = reads('stock.released', 'stock.committed', ({ order_id }) => ({ order_id }));
    expect(upcast({ ...message, type: 'stock.released', data: { order_id: 'o' } }, only('stock.committed'), [step])).toMatchObject({
      data: { order_id: 'o' },
    });
  });
});
