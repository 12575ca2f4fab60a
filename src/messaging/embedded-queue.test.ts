import { describe, expect, it } from 'vitest';
import { type Entry, type QueueStore, openQueue } from './embedded-queue.ts';
import type { Delivery } from './transport.ts';

const entry = (seq: number, count = 1): Entry => ({ seq, count, messages: [], body: '[]', deliveries: 0, trusted: true });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A disk whose reads a test answers when it likes. */
function slowDisk(): QueueStore & { readonly rows: Entry[]; answer(): Promise<void>; readonly asked: () => number } {
  const rows: Entry[] = [];
  const questions: (() => void)[] = [];
  let asked = 0;
  return {
    rows,
    asked: () => asked,
    read(_, { seq, to = Number.POSITIVE_INFINITY, limit }) {
      asked += 1;
      const found = rows.filter((row) => row.seq >= seq && row.seq <= to).slice(0, limit);
      return new Promise((resolve) => questions.push(() => resolve(found)));
    },
    settle(seq) {
      rows.splice(
        rows.findIndex((row) => row.seq === seq),
        1,
      );
    },
    failed: () => undefined,
    orphaned: () => undefined,
    answer() {
      questions.shift()?.();
      return turn();
    },
  };
}

describe('a queue of the embedded transport', () => {
  /** Fills memory, so that what follows is only on disk. */
  function full() {
    const disk = slowDisk();
    const queue = openQueue('a', disk, 0, 0);
    const offer = (seq: number, count?: number): void => {
      disk.rows.push(entry(seq, count));
      queue.offer(entry(seq, count));
    };
    offer(1, 8_000);
    offer(2);
    return { disk, queue, offer };
  }

  /** A consumer that acks at once; answers the depths it saw. */
  function acking(queue: ReturnType<typeof openQueue>): number[] {
    const depths: number[] = [];
    queue.take(100_000, (delivery) => {
      delivery.ack();
      depths.push(queue.depth());
    });
    return depths;
  }

  it('what is offered while older rows are being read is read after them', async () => {
    const { disk, queue, offer } = full();
    const depths = acking(queue);
    await turn();
    expect(disk.asked()).toBe(1); // for row 2, and the disk takes its time
    offer(3);
    await disk.answer();
    await disk.answer();
    expect([depths.length, queue.depth()]).toEqual([3, 0]);
  });

  it('once everything is in memory again, what is offered goes the short way', async () => {
    const { disk, queue, offer } = full();
    const depths = acking(queue);
    await turn();
    await disk.answer();
    offer(3);
    expect([depths.length, disk.asked()]).toEqual([3, 1]);
  });

  it('goes on after a read that failed', async () => {
    let broken = true;
    let failures = 0;
    const store: QueueStore = {
      read: async (_, { seq }) => (broken ? Promise.reject(new Error('no')) : seq <= 1 ? [entry(1)] : []),
      settle: () => undefined,
      failed: () => void (failures += 1),
      orphaned: () => undefined,
    };
    const queue = openQueue('a', store, 1, 1);
    const deliveries: Delivery[] = [];
    queue.take(10, (delivery) => void deliveries.push(delivery));
    await turn();
    expect([failures, deliveries.length]).toEqual([1, 0]);
    broken = false;
    queue.retry();
    await turn();
    expect(deliveries).toHaveLength(1);
  });

  it('counts what is out', () => {
    const queue = openQueue('a', slowDisk(), 0, 0);
    const deliveries: Delivery[] = [];
    queue.take(10, (delivery) => void deliveries.push(delivery));
    queue.offer(entry(1));
    queue.offer(entry(2));
    expect(queue.unsettled()).toBe(2);
    deliveries[0]!.ack();
    expect([queue.unsettled(), queue.depth()]).toEqual([1, 1]);
  });
});
