import { ANSWER_KEPT_MS } from '../../src/messaging/idempotency.ts';
import { INBOX_KEPT_MS } from '../../src/messaging/janitor.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, handTransport, openBench, until } from './support.ts';

describe.each(databases())('timers on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let orders: Station;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    orders = await bench.service('orders', { transport });
  });
  afterEach(() => bench.close());

  const set = (key: string, inMs: number, subject = key): Promise<void> =>
    orders.mailbox.write((unit) =>
      unit.setTimers([
        { key, dueAt: unit.now + inMs, saying: { type: 'order.check_deadline', subject, data: { order_id: subject, stop: 'stock', epoch: 1 } } },
      ]),
    );
  const said = (): string[] => transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject));

  it('K12 a timer fires once, when it is due; a cancelled one never', async () => {
    await set('a', 60_000);
    await set('b', 60_000);
    await set('later', 120_000);
    await orders.mailbox.write((unit) => unit.cancelTimers(['b', 'unknown']));
    bench.world.advance(30_000);
    await set('now', 0);
    await until('the due one fired', () => said().length > 0);
    expect(said()).toEqual(['now']);
    bench.world.advance(31_000);
    await until('the next fired', () => said().length > 1);
    bench.world.advance(60_000);
    await until('the last fired', () => said().length > 2);
    expect(said()).toEqual(['now', 'a', 'later']);
    expect(await orders.count('timer')).toBe(0);
  });

  it('setting a timer again replaces it', async () => {
    await set('a', 60_000, 'first');
    await set('a', 120_000, 'second');
    bench.world.advance(61_000);
    await set('now', 0);
    await until('the due one fired', () => said().length > 0);
    bench.world.advance(60_000);
    await until('the replaced one fired', () => said().length > 1);
    expect(said()).toEqual(['now', 'second']);
  });

  it('a timer set in a transaction that is rolled back never was', async () => {
    await expect(
      orders.mailbox.write(async (unit) => {
        await unit.setTimers([
          { key: 'a', dueAt: unit.now, saying: { type: 'order.check_deadline', subject: 'a', data: { order_id: 'a', stop: 'stock', epoch: 1 } } },
        ]);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await orders.count('timer')).toBe(0);
  });

  it('more timers than fit into one transaction all fire, in order of their time', async () => {
    const count = 1_200;
    await orders.mailbox.write((unit) =>
      unit.setTimers(
        Array.from({ length: count }, (_, i) => {
          const n = (i * 7) % count;
          return {
            key: `t${n}`,
            dueAt: unit.now + 1_000 + n,
            saying: { type: 'order.check_deadline' as const, subject: String(n), data: { order_id: String(n), stop: 'stock', epoch: 1 } },
          };
        }),
      ),
    );
    bench.world.advance(1_000 + count);
    await until('all fired', () => said().length === count);
    expect(said()).toEqual(Array.from({ length: count }, (_, n) => String(n)));
  });

  it('what was kept for a time is forgotten after it, however much it is, and nothing else', async () => {
    const { now } = bench.world;
    await orders.mailbox.db.write(async (tx) => {
      for (let i = 0; i < 4_100; i += 1)
        await tx.raw('insert into inbox (consumer, message_id, received_at) values ($1, $2, $3)', ['c', `old${i}`, now() - INBOX_KEPT_MS + 1]);
      await tx.raw('insert into inbox (consumer, message_id, received_at) values ($1, $2, $3)', ['c', 'new', now()]);
      await tx.raw('insert into idempotency (scope, key, request_hash, created_at) values ($1, $2, $3, $4)', [
        's',
        'old',
        'h',
        now() - ANSWER_KEPT_MS + 1,
      ]);
      await tx.raw('insert into idempotency (scope, key, request_hash, created_at) values ($1, $2, $3, $4)', ['s', 'new', 'h', now()]);
    });
    bench.world.advance(3_600_000);
    await until('the old ones are gone', async () => {
      bench.world.advance(200);
      return (await orders.count('inbox')) === 1 && (await orders.count('idempotency')) === 1;
    });
    expect(await orders.mailbox.db.read.raw('select message_id from inbox')).toEqual([{ message_id: 'new' }]);
    expect(await orders.mailbox.db.read.raw('select key from idempotency')).toEqual([{ key: 'new' }]);
  });

  it('two schedulers at one database fire each timer once', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite files belong to one process
    const other = handTransport();
    await bench.sibling(orders, { transport: other, parts: ['scheduler'] });
    for (let i = 0; i < 30; i += 1) await set(`t${i}`, 1_000);
    bench.world.advance(1_000);
    await until('all fired', () => said().length >= 30);
    await until('none is left', async () => (await orders.count('outbox')) === 0 && (await orders.count('timer')) === 0);
    expect(said().toSorted()).toEqual(Array.from({ length: 30 }, (_, i) => `t${i}`).toSorted());
  });
});
