/** The relay against a transport that can be made to fail: nothing lost, nothing out of order, nothing left behind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Pack, packsOf } from '../../src/messaging/outbox.ts';
import type { PublishOutcome } from '../../src/messaging/transport.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, handTransport, openBench, until } from './support.ts';

describe.each(databases())('the relay on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
  });
  afterEach(() => bench.close());

  const say = (station: Station, ...subjects: string[]): Promise<void> =>
    station.mailbox.write(async (unit) =>
      unit.say(subjects.map((subject) => ({ type: 'stock.release', subject, data: { order_id: subject, reason: 'test' } }))),
    );
  const subjects = (): string[] => transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject));
  const empty = (station: Station) => (): Promise<boolean> => station.count('outbox').then((n) => n === 0);

  it('K02 publishes exactly what was committed, in order, and deletes it', async () => {
    const orders = await bench.service('orders', { transport });
    const expected: string[] = [];
    for (let i = 0; i < 50; i += 1) {
      expected.push(`a${i}`, `b${i}`);
      await say(orders, `a${i}`, `b${i}`);
    }
    await until('the outbox is empty', empty(orders));
    expect(subjects()).toEqual(expected);
  });

  it('while the transport is away nothing is given up; afterwards the same packs go in order', async () => {
    const orders = await bench.service('orders', { transport });
    let refused = 0;
    transport.publishing(async () => {
      refused += 1;
      throw new Error('connection refused');
    });
    const expected = Array.from({ length: 150 }, (_, i) => `o${i}`); // more than one publish takes
    for (const subject of expected) await say(orders, subject);
    await until('it tried again', () => refused >= 3);
    expect(await orders.count('outbox')).toBe(150);
    transport.publishing(undefined);
    await until('the outbox is empty', empty(orders));
    expect(subjects()).toEqual(expected);
  });

  it('a transport that stays away is asked ever more rarely, however much there is to be published', async () => {
    const orders = await bench.service('orders', { transport });
    const tries: number[] = [];
    transport.publishing(async () => {
      tries.push(bench.world.now());
      throw new Error('connection refused');
    });
    await until('it tried five times', async () => {
      await say(orders, 'one more');
      return tries.length >= 5;
    });
    // By the clock of its world: the rest after the fourth refusal is 200 ms at least, after the first 25.
    expect(tries[4]! - tries[3]!).toBeGreaterThanOrEqual(190);
    transport.publishing(undefined);
    await until('the outbox is empty', empty(orders));
  });

  it('a confirm that does not come holds up nothing behind it; what is refused goes again, in order, when all has come to its end', async () => {
    const orders = await bench.service('orders', { transport });
    const first = Promise.withResolvers<PublishOutcome[]>();
    const tried: string[][] = [];
    transport.publishing((packs) => {
      tried.push(packs.flatMap(({ messages }) => messages.map(({ subject }) => subject)));
      return tried.length === 1
        ? first.promise
        : tried.length === 2
          ? Promise.reject(new Error('refused'))
          : Promise.resolve(packs.map(() => 'confirmed'));
    });
    await say(orders, 'slow');
    await until('it is under way', () => tried.length === 1);
    await say(orders, 'refused');
    await until('the next one went out all the same', () => tried.length === 2);
    await say(orders, 'later');
    first.resolve(['confirmed']);
    await until('the outbox is empty', empty(orders));
    expect(tried.slice(2).flat()).toEqual(['refused', 'later']);
    expect(subjects()).toEqual(['slow', 'refused', 'later']);
  });

  it('a transport that is away is not asked once for every commit', async () => {
    const orders = await bench.service('orders', { transport });
    let asked = 0;
    transport.publishing(async () => {
      asked += 1;
      throw new Error('connection refused');
    });
    for (let i = 0; i < 200; i += 1) await say(orders, `o${i}`);
    expect(asked).toBeLessThan(100);
    transport.publishing(undefined);
    await until('the outbox is empty', empty(orders));
  });

  it('finds what an earlier process left behind, before what is said now', async () => {
    const orders = await bench.service('orders', { transport, parts: [] });
    const left = Array.from({ length: 150 }, (_, i) => `left${i}`); // more than one look takes
    for (const subject of left) await say(orders, subject);
    const gate = Promise.withResolvers<void>();
    let begun = false;
    transport.publishing(async (packs) => {
      begun = true;
      await gate.promise;
      return packs.map(() => 'confirmed');
    });
    await orders.relay.start();
    await until('the first are in flight', () => begun);
    await say(orders, 'new');
    gate.resolve();
    await until('the outbox is empty', empty(orders));
    expect(subjects()).toEqual([...left, 'new']);
    await orders.relay.stop();
  });

  it('holds a bounded number of messages, and reads the rest back in order', async () => {
    const orders = await bench.service('orders', { transport });
    let goOn: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    transport.publishing(async (packs) => {
      await gate;
      return packs.map(() => 'confirmed');
    });
    const expected: string[] = [];
    for (let i = 0; i < 130; i += 1) {
      const pack = Array.from({ length: 200 }, (_, n) => `o${i * 200 + n}`);
      expected.push(...pack);
      await say(orders, ...pack);
    }
    transport.publishing(undefined);
    goOn();
    await until('the outbox is empty', empty(orders));
    const packs = transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject));
    expect(packs).toEqual(expected);
  });

  it('confirmed rows that cannot be deleted are not published again while the process lives', async () => {
    const orders = await bench.service('orders', { transport });
    await say(orders, 'o1');
    await until('the outbox is empty', empty(orders));
    bench.world.advance(600);
    await say(orders, 'o2');
    bench.world.advance(600);
    await until('the outbox is empty', empty(orders));
    expect(subjects()).toEqual(['o1', 'o2']);
  });

  it('a command no queue takes is a dead letter, and holds up nothing', async () => {
    const orders = await bench.service('orders', { transport });
    const deaf = (packs: readonly Pack[]): Promise<PublishOutcome[]> =>
      Promise.resolve(packs.map(({ messages }) => (messages[0]!.subject === 'lost' ? 'unroutable' : 'confirmed')));
    transport.publishing(deaf);
    await say(orders, 'before');
    await say(orders, 'lost');
    await say(orders, 'after');
    await until('the outbox is empty', empty(orders));
    await until('it is said', () => transport.published.some(({ type }) => type === 'message.dead_lettered'));
    expect(subjects().filter((subject) => !subject.startsWith('msg_'))).toEqual(['before', 'after']);
    const { items } = await deadLetters.list(orders.mailbox.db, {}, undefined, 50);
    expect(items).toMatchObject([{ code: 'unroutable', subject: 'lost', destination: null, status: 'open' }]);

    await orders.mailbox.write((unit) => deadLetters.redrive(unit, items[0]!.id, 'ada'));
    await until('it is open again', async () => (await deadLetters.get(orders.mailbox.db, items[0]!.id)).redrives === 1);
    transport.publishing(undefined);
    await orders.mailbox.write((unit) => deadLetters.redrive(unit, items[0]!.id, 'ada'));
    await until('it is resolved', async () => (await deadLetters.get(orders.mailbox.db, items[0]!.id)).status === 'resolved');
    const { history } = await deadLetters.get(orders.mailbox.db, items[0]!.id);
    expect(history.map(({ action }) => action)).toEqual(['opened', 'redriven', 'reopened', 'redriven', 'resolved']);
  });

  it('K23 a stop publishes what is committed', async () => {
    const orders = await bench.service('orders', { transport });
    const saying = Array.from({ length: 30 }, (_, i) => say(orders, `o${i}`));
    await Promise.all(saying);
    await orders.stop();
    expect(subjects()).toHaveLength(30);
    expect(await orders.count('outbox')).toBe(0);
  });

  it('a stop does not wait for ever for a transport that never answers', async () => {
    const orders = await bench.service('orders', { transport });
    let asked = false;
    transport.publishing(() => {
      asked = true;
      return new Promise(() => undefined);
    });
    await say(orders, 'o1');
    await until('it is in flight', () => asked);
    let stopped = false;
    void orders.stop().then(() => (stopped = true));
    await until('it gave up', () => {
      bench.world.advance(1_000);
      return stopped;
    });
    expect(await orders.count('outbox')).toBe(1);
  });

  it('K03 of two relays one is at work; when it is gone the other goes on; nothing is lost', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite files belong to one process
    const first = await bench.service('orders', { transport, parts: ['relay'] });
    await say(first, 'a1');
    await until('the first is at work', empty(first));
    const other = handTransport();
    const second = await bench.sibling(first, { transport: other, parts: ['relay'] });
    await say(second, 'a2');
    await until('both are out', empty(first));
    expect([subjects(), other.published.length]).toEqual([['a1', 'a2'], 0]);
    await first.stop();
    await say(second, 'a3');
    bench.world.advance(1_100);
    await until('it took over', empty(second));
    expect(other.published.flatMap(({ messages }) => messages.map(({ subject }) => subject))).toEqual(['a3']);
  });

  it('K03 a lease that ran out is taken; the frozen holder notices before it publishes again', async (context) => {
    if (database.name !== 'postgres') context.skip();
    const first = await bench.service('orders', { transport, parts: ['relay'] });
    const other = handTransport();
    await say(first, 'a1');
    await until('the first is at work', empty(first));
    const second = await bench.sibling(first, { transport: other, parts: ['relay'] });
    await first.mailbox.db.write((tx) => tx.raw('update lease set expires_at = 0'));
    bench.world.advance(1_100);
    await until('the second has it', async () => {
      const [lease] = await first.mailbox.db.read.raw<{ expires_at: number }>('select expires_at from lease');
      return lease!.expires_at > 0;
    });
    bench.world.advance(6_000);
    for (let i = 0; i < 10; i += 1) await say(i % 2 === 0 ? first : second, `b${i}`);
    bench.world.advance(1_100);
    await until('all are out', empty(first));
    const out = [...subjects(), ...other.published.flatMap(({ messages }) => messages.map(({ subject }) => subject))];
    expect(new Set(out)).toEqual(new Set(['a1', ...Array.from({ length: 10 }, (_, i) => `b${i}`)]));
  });

  it('K04 a transaction that commits long after later ones is not passed over', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite has one writer at a time
    const orders = await bench.service('orders', { transport });
    const writer = orders.open.another!();
    let commit: () => void = () => undefined;
    let inserted = false;
    const late = writer.write(async (tx) => {
      const body = packsOf([command('late')])[0]!.body;
      await tx.raw(`insert into outbox (ordinal, type, destination, body, messages, created_at) values (0, 'stock.release', null, $1, 1, 0)`, [body]);
      inserted = true;
      await new Promise<void>((resolve) => (commit = resolve));
    });
    await until('the row has its place', () => inserted);
    await say(orders, 'early');
    await until('the later one is out', () => subjects().length === 1);
    bench.world.advance(600);
    commit();
    await late;
    bench.world.advance(600);
    await until('both are out', empty(orders));
    expect(subjects()).toEqual(['early', 'late']);
  });
});
