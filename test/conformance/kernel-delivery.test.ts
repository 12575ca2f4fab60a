/** What the kernel promises of messages on their way, on every combination of database and bus: said, carried, handled once, in order, in time. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { packsOf } from '../../src/messaging/outbox.ts';
import type { Dedupe, Subscription } from '../../src/messaging/service.ts';
import { type Bench, type Station, command, effects, event, openBench, recording, until } from '../messaging/support.ts';
import { onEveryCombination } from '../support/buses.ts';
import { seededChance } from '../support/proxy.ts';

const release = (subject: string) => ({ type: 'stock.release' as const, subject, data: { order_id: subject, reason: 'test' } });
const released = (subject: string, sequence: number) => ({ type: 'stock.released' as const, subject, sequence, data: { order_id: subject } });
const subjectsOf = async (station: Station): Promise<string[]> => (await effects(station)).map(({ subject }) => subject);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

onEveryCombination((combination) => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await openBench(combination.database, combination);
  });
  afterEach(() => bench.close());

  const taking = (dedupe: Dedupe): Subscription[] => [recording(['stock.release'], dedupe)];
  const hearing = (dedupe: Dedupe): Subscription[] => [recording(['stock.released'], dedupe)];
  const say = (station: Station, ...sayings: (ReturnType<typeof release> | ReturnType<typeof released>)[]): Promise<void> =>
    station.mailbox.write(async (unit) => unit.say(sayings));
  /** Straight onto the bus, as another process or a stranger would; each group is a pack, in this order. */
  async function publish(...groups: readonly (readonly Message[])[]): Promise<void> {
    for (const group of groups) expect(await bench.transport.publish(packsOf(group))).toEqual(['confirmed']);
  }
  const sequencesOf = async (station: Station, stream: string): Promise<number[]> =>
    (await effects(station)).filter(({ subject }) => subject === stream).map(({ note }) => Number(note));

  it('K01 what is said in a transaction that is rolled back is never said', async () => {
    const inventory = await bench.service('inventory', { subscriptions: taking('inbox') });
    const orders = await bench.service('orders');
    const failing = orders.mailbox.write(async (unit) => {
      unit.say([release('never')]);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await say(orders, release('after'));
    await until('the second is handled', async () => (await inventory.count('effect')) > 0);
    expect(await subjectsOf(inventory)).toEqual(['after']);
  });

  it('K02 what is said in a transaction that commits is said, all of it, and leaves nothing behind', async () => {
    const inventory = await bench.service('inventory', { subscriptions: taking('inbox') });
    const orders = await bench.service('orders');
    const first = upTo(450).map((n) => `o${n}`);
    await say(orders, ...first.map(release));
    await say(orders, release('last'));
    await until('all are handled', async () => (await inventory.count('effect')) >= 451);
    expect((await subjectsOf(inventory)).toSorted()).toEqual([...first, 'last'].toSorted());
    await until('the outbox is empty', async () => (await orders.count('outbox')) === 0);
    await until('the queue is empty', async () => (await bench.transport.depths())['inventory'] === 0);
  });

  it.runIf(combination.database.name === 'postgres')(
    'K03 two relays at one outbox, the lease taken away in between: nothing lost, order kept',
    async () => {
      const inventory = await bench.service('inventory', { subscriptions: hearing('strict') });
      const first = await bench.service('orders', { parts: ['relay'] });
      const second = await bench.sibling(first, { parts: ['relay'] });
      for (const n of upTo(30)) {
        for (const stream of ['a', 'b']) await say(n % 2 === 0 ? first : second, released(stream, n));
        if (n % 10 === 0) {
          await first.mailbox.db.write((tx) => tx.raw('update lease set expires_at = 0'));
          bench.world.advance(6_000); // both ask for it now
        }
      }
      await until('all are handled', async () => {
        bench.world.advance(200);
        return (await inventory.count('effect')) === 60;
      });
      for (const stream of ['a', 'b']) expect((await sequencesOf(inventory, stream)).toSorted((a, b) => a - b)).toEqual(upTo(30));
      expect(await inventory.count('parked')).toBe(0);
    },
  );

  it.runIf(combination.database.name === 'postgres')('K04 a transaction that commits long after later ones is not passed over', async () => {
    const inventory = await bench.service('inventory', { subscriptions: taking('inbox') });
    const orders = await bench.service('orders');
    let commit: () => void = () => undefined;
    let inserted = false;
    const late = orders.open.another().write(async (tx) => {
      const { body } = packsOf([command('late')])[0]!;
      await tx.raw(`insert into outbox (ordinal, type, destination, body, messages, created_at) values (0, 'stock.release', null, $1, 1, 0)`, [body]);
      inserted = true;
      await new Promise<void>((resolve) => (commit = resolve));
    });
    await until('the row has its place', () => inserted);
    await say(orders, release('early'));
    await until('the later one is handled', async () => (await inventory.count('effect')) === 1);
    commit();
    await late;
    bench.world.advance(600);
    await until('both are handled', async () => (await inventory.count('effect')) === 2);
    expect(await subjectsOf(inventory)).toEqual(['early', 'late']);
  });

  it('K05 five copies of a message have one effect, and what it says is said once', async () => {
    const answering = recording(['stock.release'], 'inbox', (unit, messages) => unit.say(messages.map(({ subject }) => released(subject, 1))));
    const inventory = await bench.service('inventory', { subscriptions: [answering] });
    const orders = await bench.service('orders', { subscriptions: hearing('natural') });
    const message = command('o1');
    await publish([message, message], [message], [message], [message], [command('marker')]);
    await until('the last is answered', async () => (await subjectsOf(orders)).includes('marker'));
    expect(await subjectsOf(inventory)).toEqual(['o1', 'marker']);
    expect((await subjectsOf(orders)).toSorted()).toEqual(['marker', 'o1']);
  });

  it('K06 strict: a stream in any order, every message twice, is handled in its own order, once', async () => {
    const inventory = await bench.service('inventory', { subscriptions: hearing('strict') });
    const chance = seededChance(7);
    const coming = ['a', 'b', 'c'].flatMap((stream) => upTo(20).flatMap((n) => [event(stream, n), event(stream, n)]));
    const shuffled = coming.map((message) => ({ message, place: chance() })).sort((x, y) => x.place - y.place);
    await publish(...Array.from({ length: 20 }, (_, i) => shuffled.slice(i * 6, i * 6 + 6).map(({ message }) => message)));
    await until('all are handled', async () => (await inventory.count('effect')) === 60);
    for (const stream of ['a', 'b', 'c']) expect(await sequencesOf(inventory, stream)).toEqual(upTo(20));
    expect(await inventory.count('parked')).toBe(0);
  });

  it('K07 strict: what is behind a gap is parked and seen, and follows when the gap is closed', async () => {
    const inventory = await bench.service('inventory', { subscriptions: hearing('strict') });
    await publish([event('a', 1), event('a', 3)], [event('a', 4)]);
    await until('two wait', async () => (await inventory.control.state()).parked === 2);
    expect(await sequencesOf(inventory, 'a')).toEqual([1]);
    await publish([event('a', 2)]);
    await until('all are handled', async () => (await inventory.count('effect')) === 4);
    expect(await sequencesOf(inventory, 'a')).toEqual([1, 2, 3, 4]);
    expect((await inventory.control.state()).parked).toBe(0);
  });

  it('a consumer that stands still holds up nobody else; what is for it waits in its queue', async () => {
    let begun = false;
    let standing = true;
    const slow = recording(['stock.released'], 'natural', async ({ tx }) => {
      begun = true;
      while (standing) {
        await tx.raw('select 1'); // a transaction that does nothing is cut off
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    });
    const notifications = await bench.service('notifications', { subscriptions: [slow] });
    const orders = await bench.service('orders', { subscriptions: hearing('natural') });
    await publish([event('first', 1)]);
    await until('it stands still', () => begun);
    await publish([event('second', 1)], [event('third', 1)]);
    await until('the other has all', async () => (await orders.count('effect')) === 3);
    await until('they wait', async () => ((await bench.transport.depths())['notifications'] ?? 0) >= 2);
    expect(await notifications.count('effect')).toBe(0);
    standing = false;
    await until('it has all, too', async () => (await notifications.count('effect')) === 3);
  });

  it('K12 a timer fires once, when it is due; a cancelled one never', async () => {
    const inventory = await bench.service('inventory', { subscriptions: taking('inbox') });
    const orders = await bench.service('orders');
    const set = (key: string, inMs: number): Promise<void> =>
      orders.mailbox.write((unit) => unit.setTimers([{ key, dueAt: unit.now + inMs, saying: release(key) }]));
    await set('first', 60_000);
    await set('cancelled', 60_000);
    await set('second', 120_000);
    await orders.mailbox.write((unit) => unit.cancelTimers(['cancelled', 'unknown']));
    for (const [due, count] of [
      ['first', 1],
      ['second', 2],
    ] as const) {
      bench.world.advance(60_001);
      await until(`${due} has come`, async () => (await inventory.count('effect')) === count);
      expect((await subjectsOf(inventory)).at(-1)).toBe(due);
    }
    expect(await orders.count('timer')).toBe(0);
  });

  it('K23 stopped in order under load, and started again: everything once, nothing suspected', async () => {
    const inventory = await bench.service('inventory', { subscriptions: taking('inbox') });
    const orders = await bench.service('orders');
    let stopping = false;
    let said = 0;
    const saying = (async () => {
      for (; !stopping; said += 25) await say(orders, ...upTo(25).map((n) => release(`o${said + n}`)));
    })();
    await until('it is under load', async () => (await inventory.count('effect')) > 100);
    await inventory.stop();
    stopping = true;
    await saying;
    await orders.stop();
    expect(await orders.count('outbox')).toBe(0);
    const again = await bench.sibling(inventory, { subscriptions: taking('inbox') });
    await until('all are handled', async () => (await again.count('effect')) >= said);
    expect((await subjectsOf(again)).toSorted()).toEqual(
      upTo(said)
        .map((n) => `o${n}`)
        .toSorted(),
    );
    expect([await again.count('failure'), await again.count('attempt'), await again.count('dead_letter')]).toEqual([0, 0, 0]);
  });

  it('K24 the trace a message was said in arrives with it, with its retry, and goes on in what is said next', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const seen: (string | undefined)[] = [];
    const failing = recording(['stock.release'], 'inbox', (unit, messages) => {
      for (const cause of messages) {
        seen.push(cause.traceparent);
        if (cause.attempt === undefined) throw new Error('at first');
        unit.say([{ ...released(cause.subject, 1), cause }]);
      }
    });
    const answers: (string | undefined)[] = [];
    const inventory = await bench.service('inventory', { subscriptions: [failing] });
    await bench.service('orders', {
      subscriptions: [recording(['stock.released'], 'natural', (_, messages) => void answers.push(...messages.map((one) => one.traceparent)))],
    });
    await publish([command('o1', { traceparent })]);
    await until('it is to be tried again', async () => (await inventory.count('timer')) === 1);
    bench.world.advance(1_200);
    await until('it is answered', () => answers.length > 0);
    expect(seen).toEqual([traceparent, traceparent]);
    expect(answers).toEqual([traceparent]); // without a tracer there is no span of our own
  });
});
