/** What a consumer does with a batch, worked by hand: duplicates, poison, outages, suspects, pauses. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { Fault } from '../../src/kernel/errors.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { type Dedupe, subscription } from '../../src/messaging/service.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, effects, event, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('a consumer on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
  });
  afterEach(() => bench.close());

  /** A service whose handler throws what `poison` answers for one of the messages. */
  const inventory = (poison: (message: Message) => Error | undefined = () => undefined, dedupe: Dedupe = 'inbox'): Promise<Station> => {
    const throwing = (_: unknown, messages: readonly Message[]): void => {
      for (const message of messages) {
        const error = poison(message);
        if (error !== undefined) throw error;
      }
    };
    return bench.service('inventory', {
      transport,
      subscriptions: [recording(['stock.release'], dedupe, throwing), recording(['stock.released'], 'natural')],
    });
  };
  const subjectsOf = async (station: Station): Promise<string[]> => (await effects(station)).map(({ subject }) => subject);
  const numbered = (count: number): Message[] => Array.from({ length: count }, (_, i) => command(`o${i}`));

  it('K05 the same message five times has one effect', async () => {
    const station = await inventory();
    const message = command('o1');
    await Promise.all([transport.deliver([message, message]), transport.deliver([message])]);
    await transport.deliver([message]);
    await transport.deliver([message], { deliveries: 2 });
    expect(await subjectsOf(station)).toEqual(['o1']);
    expect(await station.count('attempt')).toBe(0);
  });

  it('a duplicate says nothing again', async () => {
    const answering = recording(['stock.release'], 'inbox', (unit, messages) =>
      unit.say(messages.map((cause) => ({ type: 'stock.released' as const, subject: cause.subject, cause, data: { order_id: cause.subject } }))),
    );
    await bench.service('inventory', { transport, subscriptions: [answering] });
    const message = command('o1');
    await transport.deliver([message]);
    await transport.deliver([message]);
    await transport.deliver([command('o2')]);
    await until('both answers are out', () => transport.published.length === 2);
    expect(transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject))).toEqual(['o1', 'o2']);
  });

  it('K08 of 100 messages, poison at each place in turn fails alone and the others have their effect once', async () => {
    // One row for all that are handled together: it is the halving that is looked at, a thousand times.
    const together = subscription({
      types: ['stock.release'],
      dedupe: 'natural',
      async handle({ tx }, messages) {
        const subjects = messages.map(({ subject }) => subject);
        if (subjects.some((subject) => subject.endsWith('poison'))) throw new Error('poison');
        await tx.raw(`insert into effect (message_id, subject, note) values ('', $1, '')`, [subjects.join(' ')]);
      },
    });
    const station = await bench.service('inventory', { transport, subscriptions: [together], parts: ['consumer'] });
    const expected: string[] = [];
    for (let place = 0; place < 100; place += 1) {
      const subjects = Array.from({ length: 100 }, (_, i) => `${place}.${i}${i === place ? 'poison' : ''}`);
      expect(await transport.deliver(subjects.map((subject) => command(subject)))).toBe('acked');
      expected.push(...subjects.filter((_, i) => i !== place));
    }
    const handled = (await subjectsOf(station)).flatMap((row) => row.split(' '));
    expect(handled.toSorted()).toEqual(expected.toSorted());
    expect([await station.count('failure'), await station.count('timer'), await station.count('dead_letter')]).toEqual([100, 100, 0]);
  });

  it('K10 a bug is tried four times, with growing delays, and is then a dead letter that says so', async () => {
    const station = await inventory(() => new TypeError('cannot read x of 42'));
    const message = command('o1');
    await transport.deliver([message]);
    for (const [attempt, most] of [
      [1, 1_200],
      [2, 36_000],
      [3, 360_000],
    ] as const) {
      const [timer] = await station.mailbox.db.read.raw<{ due_at: number; message: string; destination: string }>(
        'select due_at, message, destination from timer',
      );
      expect(timer!.destination).toBe('inventory');
      expect(timer!.due_at - bench.world.now()).toBeLessThanOrEqual(most);
      expect(timer!.due_at - bench.world.now()).toBeGreaterThan(most / 2 - 2_000);
      expect(JSON.parse(timer!.message)).toEqual({ ...message, attempt });
      const seen = transport.published.length;
      bench.world.advance(most);
      await until('the retry is published', () => transport.published.length > seen);
      const retry = transport.published.at(-1)!;
      expect([retry.destination, retry.messages[0]!.id]).toEqual(['inventory', message.id]);
      await transport.deliver(retry.messages);
    }
    expect(await station.count('failure')).toBe(0);
    const { items } = await deadLetters.list(station.mailbox.db, { status: 'open' }, undefined, 50);
    expect(items).toMatchObject([
      { message_id: message.id, code: 'internal', attempts: 4, destination: 'inventory', status: 'open', message: { ...message } },
    ]);
    await until('it is said', () => transport.published.some(({ type }) => type === 'message.dead_lettered'));
    const said = transport.published.at(-1)!.messages[0]!;
    expect(said).toMatchObject({ correlationid: 'o1', data: { dead_letter_id: items[0]!.id, message_id: message.id } });
  });

  it('a provider that is out is asked eight times over hours', async () => {
    const station = await inventory(() => new Fault('provider_unavailable', 'no answer'));
    let messages: readonly Message[] = [command('o1')];
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      await transport.deliver(messages);
      if (attempt === 8) break;
      const seen = transport.published.length;
      bench.world.advance(3 * 3_600_000);
      await until('the retry is published', () => transport.published.length > seen);
      messages = transport.published.at(-1)!.messages;
    }
    expect(await station.count('timer')).toBe(0);
    expect(await station.count('dead_letter')).toBe(1);
  });

  it('an old copy of a message that failed does not count again, and one that succeeds ends the matter', async () => {
    let broken = true;
    const station = await inventory(() => (broken ? new Error('bug') : undefined));
    const message = command('o1');
    await transport.deliver([message]);
    await transport.deliver([{ ...message, attempt: 1 }]);
    await transport.deliver([message], { deliveries: 1 });
    expect(await station.mailbox.db.read.raw('select attempts from failure')).toEqual([{ attempts: 2 }]);
    const [timer] = await station.mailbox.db.read.raw<{ message: string }>('select message from timer');
    expect(JSON.parse(timer!.message)).toEqual({ ...message, attempt: 2 });
    broken = false;
    await transport.deliver([{ ...message, attempt: 2 }]);
    expect(await station.count('failure')).toBe(0);
    expect(await subjectsOf(station)).toEqual(['o1']);
  });

  it('transactions that meet are tried again as they are, and count nothing', async () => {
    let meetings = 2;
    const station = await inventory(() => (meetings-- > 0 ? new Fault('conflict', 'deadlock') : undefined));
    await transport.deliver([command('o1')]);
    expect(await subjectsOf(station)).toEqual(['o1']);
    expect(await station.count('failure')).toBe(0);
  });

  it.each(['unavailable', 'storage_full'] as const)('K11 while it is %s nothing is acked or counted; then it goes on', async (code) => {
    let outage = true;
    let tries = 0;
    const station = await inventory(() => {
      tries += 1;
      return outage ? new Fault(code, 'away') : undefined;
    });
    let settled: string | undefined;
    const delivery = transport.deliver(numbered(10)).then((how) => (settled = how));
    await until('it was tried three times', () => tries >= 3);
    expect(settled).toBeUndefined();
    expect((await station.control.state()).status).toBe('waiting');
    expect((await station.control.state()).last_error).toBe('away');
    outage = false;
    await delivery;
    expect(settled).toBe('acked');
    expect(await subjectsOf(station)).toHaveLength(10);
    expect(await station.count('failure')).toBe(0);
    expect((await station.control.state()).status).toBe('running');
  });

  it('K20 what cannot be right is a dead letter at once, and the rest of the delivery is handled', async () => {
    const station = await inventory();
    const wrong = [
      command('unknown', { type: 'stock.release.v9' }),
      command('data', { data: { order_id: 5 } }),
      command('foreign', { type: 'order.placed', data: {} }),
      command('', { id: 'x'.repeat(200) }),
    ];
    await transport.deliver([...wrong, command('fine', { data: { order_id: 'fine', reason: 'test', unknown_field: true } })]);
    await transport.deliver([], { undecodable: 'garbage' });
    expect(await subjectsOf(station)).toEqual(['fine']);
    const { items } = await deadLetters.list(station.mailbox.db, {}, undefined, 50);
    expect(items.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => 'contract_violation'));
    expect(items[0]!.message.data).toBe('garbage');
    expect(await station.count('timer')).toBe(0);
  });

  it('what cannot be read keeps what the transport told of it, so that the order that waits for it is named', async () => {
    const station = await inventory();
    const about = {
      id: 'msg_1',
      type: 'stock.release',
      source: 'orders',
      time: 5,
      subject: 'ord_1',
      sequence: 3,
      partitionkey: 'k',
      correlationid: 'ord_1',
    };
    await transport.deliver([], { undecodable: 'garbage', about });
    await transport.deliver([], { undecodable: 'garbage', about, deliveries: 1 }); // another copy
    await transport.deliver([], {
      undecodable: 'garbage',
      about: { id: 'msg_2', correlationid: 'ord_2', subject: 'x'.repeat(300), source: 'a\u0000b' },
    });
    await transport.deliver([command('ord_3', { subject: 'a\u0000b', correlationid: 'ord_3' })]); // readable, and no envelope
    const { items } = await deadLetters.list(station.mailbox.db, {}, undefined, 50);
    expect(items.map(({ type, source, subject, sequence, correlationid }) => [type, source, subject, sequence, correlationid])).toEqual([
      ['stock.release', 'orders', items[0]!.message_id, null, 'ord_3'],
      ['undecodable', '', items[1]!.message_id, null, 'ord_2'],
      ['stock.release', 'orders', 'ord_1', 3, 'ord_1'],
    ]);
    expect(items.at(-1)).toMatchObject({
      error: 'stock.release msg_1 from orders about ord_1 cannot be decoded: it is not JSON',
      message: { partitionkey: 'k', time: 5, data: 'garbage' },
    });
    const said = (): Message[] => transport.published.filter(({ type }) => type === 'message.dead_lettered').flatMap(({ messages }) => messages);
    await until('it is said', () => new Set(said().map(({ correlationid }) => correlationid)).size === 3);
    expect(said().find(({ correlationid }) => correlationid === 'ord_1')!.data).toMatchObject({ message_type: 'stock.release' });
  });

  it('K22 a message that caused itself too often is a dead letter, and cannot be answered before', async () => {
    const station = await inventory();
    await transport.deliver([command('loop', { hops: 65 })]);
    const { items } = await deadLetters.list(station.mailbox.db, {}, undefined, 50);
    expect(items.map(({ code }) => code)).toEqual(['too_many_hops']);
    const last = command('last', { hops: 64 });
    const answer = station.mailbox.write(async (unit) =>
      unit.say([{ type: 'stock.released', subject: 'last', cause: last, data: { order_id: 'last' } }]),
    );
    await expect(answer).rejects.toMatchObject({ code: 'too_many_hops' });
  });

  it('K09 a suspect found three times unfinished is not executed; the innocent ones with it are', async () => {
    const executed: string[] = [];
    const station = await inventory(({ subject }) => void executed.push(subject), 'natural');
    const [innocent, guilty] = [command('innocent'), command('guilty')];
    // What three processes that died in the middle of `guilty` have left behind.
    await station.mailbox.db.write((tx) => tx.raw('insert into attempt (message_id, attempts, started_at) values ($1, 3, 0)', [guilty.id]));
    await transport.deliver([innocent, guilty], { deliveries: 5 });
    expect(executed).toEqual(['innocent']);
    const { items } = await deadLetters.list(station.mailbox.db, {}, undefined, 50);
    expect(items).toMatchObject([{ code: 'crash_suspect', message_id: guilty.id }]);
    expect(await station.count('attempt')).toBe(0);
  });

  it('another copy of a suspect that was given up is not executed after a restart either; a redrive is', async () => {
    const executed: string[] = [];
    const station = await inventory(({ subject }) => void executed.push(subject), 'natural');
    const guilty = command('guilty');
    await station.mailbox.db.write((tx) => tx.raw('insert into attempt (message_id, attempts, started_at) values ($1, 3, 0)', [guilty.id]));
    await transport.deliver([guilty], { deliveries: 5 });
    await station.stop();
    const consumer = station.consumer([
      recording(['stock.release'], 'natural', (_, messages) => void executed.push(...messages.map(({ subject }) => subject))),
    ]);
    await consumer.start();
    await transport.deliver([command('innocent'), guilty]);
    expect(executed).toEqual(['innocent']);
    const [letter] = (await deadLetters.list(station.mailbox.db, {}, undefined, 50)).items;
    await station.mailbox.write((unit) => deadLetters.redrive(unit, letter!.id, 'ada'));
    await transport.deliver([{ ...guilty, redrive: letter!.id }]);
    expect(executed).toEqual(['innocent', 'guilty']);
    await consumer.stop();
  });

  it('a message that was being tried alone when the process died is tried alone again, however it comes', async () => {
    const batches: number[] = [];
    const station = await bench.service('inventory', { transport, parts: [] });
    const tried = command('tried');
    await station.mailbox.db.write((tx) => tx.raw('insert into attempt (message_id, attempts, started_at) values ($1, 1, 0)', [tried.id]));
    const consumer = station.consumer([recording(['stock.release'], 'natural', (_, messages) => void batches.push(messages.length))]);
    await consumer.start();
    await transport.deliver([command('a'), tried, command('b')]);
    await transport.deliver([command('c'), tried, command('d')]);
    expect(batches).toEqual([1, 1, 1, 3]);
    await consumer.stop();
  });

  it('suspects of different services are handled one at a time in the process', async () => {
    let inside = 0;
    let most = 0;
    const slow = (name: string) =>
      recording(['stock.release'], 'inbox', async ({ tx }) => {
        most = Math.max(most, (inside += 1));
        for (let i = 0; i < 20; i += 1) await tx.raw('select 1');
        inside -= 1;
        void name;
      });
    const other = handTransport();
    await bench.service('inventory', { transport, subscriptions: [slow('inventory')] });
    await bench.service('shipping', { transport: other, subscriptions: [slow('shipping')] });
    await Promise.all([transport.deliver(numbered(5), { deliveries: 2 }), other.deliver(numbered(5), { deliveries: 2 })]);
    expect(most).toBe(1);
  });

  it('a handler that takes a minute fails, and finds its transaction closed when it comes back', async () => {
    let late: Promise<unknown> | undefined;
    let goOn: () => void = () => undefined;
    const hanging = recording(['stock.release'], 'inbox', ({ tx }) => {
      const waited = new Promise<void>((resolve) => (goOn = resolve)).then(() => tx.raw('select 1'));
      late = waited.catch((error: unknown) => error);
      return waited.then(() => undefined);
    });
    const station = await bench.service('inventory', { transport, subscriptions: [hanging] });
    const delivery = transport.deliver([command('o1')]);
    await until('it hangs', () => late !== undefined);
    bench.world.advance(61_000);
    await delivery;
    expect(await station.count('failure')).toBe(1);
    goOn();
    expect(await late).toMatchObject({ message: 'a handler took longer than 60 s' });
  });

  it('a pause lets go of what is not begun, outlives a restart, and ends with a resume', async () => {
    const station = await inventory();
    await transport.deliver([command('before')]);
    await station.control.pause('counting the stock', 'ada');
    await until('it no longer consumes', () => !transport.consuming());
    expect(await station.control.state()).toMatchObject({
      consumer: 'inventory',
      status: 'paused',
      paused: true,
      reason: 'counting the stock',
      actor: 'ada',
    });
    await station.stop();
    await station.control.resume('ada');
    expect(await station.control.state()).toMatchObject({ status: 'elsewhere', paused: false });
  });

  it('a pause holds a consumer that starts later, until it is resumed', async () => {
    const first = await bench.service('inventory', { transport, parts: [] });
    await first.control.pause('not yet', 'ada');
    const consumer = first.consumer([recording(['stock.release'], 'inbox')]);
    await consumer.start();
    await until('it knows', () => consumer.activity().status === 'paused');
    expect(transport.consuming()).toBe(false);
    await first.control.resume('ada');
    expect(await transport.deliver([command('o1')])).toBe('acked');
    await consumer.stop();
  });

  it('K23 a stop finishes the batch under way and releases the rest', async () => {
    let begun = 0;
    let stopping = false;
    const slow = recording(['stock.release'], 'inbox', async ({ tx }) => {
      begun += 1;
      while (!stopping) {
        await tx.raw('select 1');
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    });
    const station = await bench.service('inventory', { transport, subscriptions: [slow] });
    const first = transport.deliver([command('first')]);
    await until('the first is under way', () => begun === 1);
    const second = transport.deliver([command('second')]);
    const stopped = station.stop();
    stopping = true;
    expect(await Promise.all([first, second])).toEqual(['acked', 'released']);
    await stopped;
    expect(await subjectsOf(station)).toEqual(['first']);
  });

  it('handles runs of one subscription together, in order', async () => {
    const calls: string[][] = [];
    const noting = (_: unknown, messages: readonly Message[]): void => void calls.push(messages.map(({ subject }) => subject));
    await bench.service('inventory', {
      transport,
      subscriptions: [recording(['stock.release'], 'natural', noting), recording(['stock.released'], 'natural', noting)],
    });
    await transport.deliver([command('a'), command('b'), event('c', 1), command('d')]);
    expect(calls).toEqual([['a', 'b'], ['c'], ['d']]);
  });
});
