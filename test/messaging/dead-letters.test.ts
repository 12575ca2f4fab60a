import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { Fault } from '../../src/kernel/errors.ts';
import { countOpen, listGroups } from '../../src/messaging/dead-letter-groups.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, effects, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('dead letters on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let station: Station;
  let broken: Set<string>;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    broken = new Set();
    const throwing = (_: unknown, messages: readonly Message[]): void => {
      for (const { subject, redrive } of messages) {
        if (broken.has(subject)) throw redrive === undefined ? new Fault('contract_violation', `no ${subject}`) : new TypeError('a bug');
      }
    };
    station = await bench.service('inventory', { transport, subscriptions: [recording(['stock.release'], 'inbox', throwing)] });
  });
  afterEach(() => bench.close());

  const db = () => station.mailbox.db;
  const bury = async (...subjects: string[]): Promise<deadLetters.DeadLetter[]> => {
    for (const subject of subjects) broken.add(subject);
    await transport.deliver(subjects.map((subject) => command(subject)));
    return [...(await deadLetters.list(db(), {}, undefined, 200)).items];
  };
  const redrive = (id: string): Promise<void> => station.mailbox.write((unit) => deadLetters.redrive(unit, id, 'ada'));
  /** What the relay sent to the queue of the service, delivered to it. */
  const returned = async (): Promise<void> => {
    await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'inventory'));
    const at = transport.published.findIndex(({ destination }) => destination === 'inventory');
    const [pack] = transport.published.splice(at, 1);
    await transport.deliver(pack!.messages);
  };

  it('K16 a redrive keeps the id, resolves the row when the message is handled, and keeps the history', async () => {
    const [letter] = await bury('o1');
    broken.clear();
    await redrive(letter!.id);
    expect((await deadLetters.get(db(), letter!.id)).status).toBe('redriving');
    await returned();
    expect((await effects(station)).map(({ message_id }) => message_id)).toEqual([letter!.message_id]);
    const { status, history, redrives } = await deadLetters.get(db(), letter!.id);
    expect([status, redrives, history.map(({ action, actor }) => [action, actor])]).toEqual([
      'resolved',
      0,
      [
        ['opened', 'consumer'],
        ['redriven', 'ada'],
        ['resolved', 'consumer'],
      ],
    ]);
  });

  it('a redriven message that fails opens the same row again at once, and is said again', async () => {
    const [letter] = await bury('o1');
    await until('it is said', () => transport.published.length === 1);
    await redrive(letter!.id);
    await returned();
    const again = await deadLetters.get(db(), letter!.id);
    expect([again.status, again.redrives, again.attempts, again.error]).toEqual(['open', 1, 2, 'a bug']);
    expect(again.history.map(({ action }) => action)).toEqual(['opened', 'redriven', 'reopened']);
    expect(await station.count('timer')).toBe(0);
    await until('it is said again', () => transport.published.filter(({ type }) => type === 'message.dead_lettered').length === 2);
  });

  it('another copy of a redriven message that failed does not count again', async () => {
    const [letter] = await bury('o1');
    await redrive(letter!.id);
    await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'inventory'));
    const pack = transport.published.find(({ destination }) => destination === 'inventory')!;
    for (let copies = 0; copies < 3; copies += 1) expect(await transport.deliver(pack.messages)).toBe('acked');
    const again = await deadLetters.get(db(), letter!.id);
    expect([again.status, again.redrives, again.attempts, again.history.map(({ action }) => action)]).toEqual([
      'open',
      1,
      2,
      ['opened', 'redriven', 'reopened'],
    ]);
  });

  it('a redriven message that fails is open again, whatever retries of a stray copy are on their way', async () => {
    const [letter] = await bury('o1');
    await station.mailbox.write(async (unit) => {
      await unit.tx.raw('insert into failure (message_id, attempts, first_at, last_at) values ($1, 3, 1, 1)', [letter!.message_id]);
    });
    await redrive(letter!.id);
    await returned();
    expect(await deadLetters.get(db(), letter!.id)).toMatchObject({ status: 'open', redrives: 1 });
  });

  it('a message that breaks its contract breaks it when it is redriven, too, however it is delivered', async () => {
    await transport.deliver([command('o1', { data: { order_id: 7 } })]);
    const [letter] = (await deadLetters.list(db(), {}, undefined, 200)).items;
    await redrive(letter!.id);
    await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'inventory'));
    const pack = transport.published.find(({ destination }) => destination === 'inventory');
    await transport.deliver(pack!.messages, { trusted: true }); // as the bus within the process does
    expect(await effects(station)).toEqual([]);
    expect(await deadLetters.get(db(), letter!.id)).toMatchObject({ status: 'open', code: 'contract_violation', redrives: 1 });
  });

  it('a redriven message that had had its effect after all has none again, and is resolved', async () => {
    await transport.deliver([command('o1', { id: 'msg_known' })]);
    broken.add('o1');
    await station.mailbox.write(async (unit) => {
      await deadLetters.bury(unit, [command('o1', { id: 'msg_known' })], new Error('unclear'), {
        world: bench.world,
        destination: 'inventory',
        attempts: 1,
        firstAt: unit.now,
      });
    });
    const [letter] = (await deadLetters.list(db(), {}, undefined, 50)).items;
    await redrive(letter!.id);
    await returned();
    expect((await deadLetters.get(db(), letter!.id)).status).toBe('resolved');
    expect(await effects(station)).toHaveLength(1);
  });

  it('of redrives and discards at the same time one has its way; the other is refused', async () => {
    const [letter] = await bury('o1');
    const discard = station.mailbox.write((unit) => deadLetters.discard(unit, letter!.id, 'a test order', 'ada'));
    const outcomes = await Promise.allSettled([redrive(letter!.id), redrive(letter!.id), discard]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'dead_letter_state' });
  });

  it('a discard keeps who and why', async () => {
    const [letter] = await bury('o1');
    await station.mailbox.write((unit) => deadLetters.discard(unit, letter!.id, 'a test order', 'ada'));
    const { status, history } = await deadLetters.get(db(), letter!.id);
    expect([status, history.at(-1)]).toMatchObject(['discarded', { action: 'discarded', actor: 'ada', detail: 'a test order' }]);
    await expect(redrive(letter!.id)).rejects.toMatchObject({ code: 'dead_letter_state' });
  });

  it('one that is not there is not found', async () => {
    await expect(redrive('dl_none')).rejects.toMatchObject({ code: 'dead_letter_not_found' });
    await expect(deadLetters.get(db(), 'dl_none')).rejects.toMatchObject({ code: 'dead_letter_not_found' });
  });

  it('lists page by page, newest first, and by filter', async () => {
    const letters = await bury('a', 'b', 'c', 'd', 'e');
    const seen: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await deadLetters.list(db(), { status: 'open' }, cursor ?? undefined, 2);
      seen.push(...page.items.map(({ subject }) => subject));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
    const one = await deadLetters.list(
      db(),
      { correlationid: 'c', code: 'contract_violation', type: 'stock.release', fingerprint: letters[2]!.fingerprint },
      undefined,
      50,
    );
    expect(one.items.map(({ subject }) => subject)).toEqual(['c']);
    expect((await deadLetters.list(db(), { status: 'resolved' }, undefined, 50)).items).toEqual([]);
    await expect(deadLetters.list(db(), {}, 'nonsense', 50)).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  it('finds the few of a type or a code among many, page by page, whatever their status', async () => {
    const burial = { world: bench.world, destination: 'inventory', attempts: 1, firstAt: 1 };
    const give = (messages: readonly Message[]) => station.mailbox.write((unit) => deadLetters.bury(unit, messages, new Error('x'), burial));
    await give([command('old', { type: 'stock.commit' })]);
    await give(Array.from({ length: 4_200 }, (_, i) => command(`o${i}`)));
    await give([command('new', { type: 'stock.commit' })]);
    const filter = { type: 'stock.commit', code: 'internal' };
    const first = await deadLetters.list(db(), filter, undefined, 1);
    expect(first.items.map(({ subject }) => subject)).toEqual(['new']);
    const second = await deadLetters.list(db(), filter, first.next_cursor!, 1);
    expect([second.items.map(({ subject }) => subject), second.next_cursor]).toEqual([['old'], null]);
    await station.mailbox.write((unit) => deadLetters.discard(unit, second.items[0]!.id, 'a test', 'ada'));
    const { fingerprint } = first.items[0]!;
    expect((await deadLetters.list(db(), { fingerprint }, undefined, 5)).items.map(({ subject, status }) => [subject, status])).toEqual([
      ['new', 'open'],
      ['old', 'discarded'],
    ]);
    expect((await deadLetters.list(db(), { type: 'stock.reserve', status: 'open' }, undefined, 5)).items).toEqual([]);
  });

  it('groups what looks alike, and counts every move of it', async () => {
    const groups = () => listGroups(db(), { all: true }, { order: 'open', limit: 50, service: 'inventory' });
    const counts = async () => (await groups()).map(({ open, redriving, resolved, discarded }) => `${open} ${redriving} ${resolved} ${discarded}`);
    const [, first] = await bury('ord_01jm8r3v9qe7bvkc1xk6w2t4nz', 'ord_01jm8r3v9qe7bvkc1xk6w2t4n0');
    expect(await groups()).toMatchObject([{ destination: 'inventory', code: 'contract_violation', type: 'stock.release', error: 'no *' }]);
    expect(await counts()).toEqual(['2 0 0 0']);
    await redrive(first!.id);
    expect(await counts()).toEqual(['1 1 0 0']);
    await returned(); // it fails with a bug now: another group
    expect(await counts()).toEqual(['1 0 0 0', '1 0 0 0']);
    broken.clear();
    await redrive(first!.id);
    await returned();
    expect((await counts()).toSorted()).toEqual(['0 0 1 0', '1 0 0 0']);
    const left = (await deadLetters.list(db(), { status: 'open' }, undefined, 50)).items[0]!;
    await station.mailbox.write((unit) => deadLetters.discard(unit, left.id, 'a test order', 'ada'));
    expect((await counts()).toSorted()).toEqual(['0 0 0 1', '0 0 1 0']);
    expect(await countOpen(db())).toBe(0);
  });

  it('counts each once when several processes give the same messages up at the same time', async () => {
    const messages = Array.from({ length: 20 }, (_, i) => command(`o${i}`));
    const burial = { world: bench.world, destination: 'inventory', attempts: 1, firstAt: 1 };
    const give = (mine: readonly Message[], error: string) => station.mailbox.write((unit) => deadLetters.bury(unit, mine, new Error(error), burial));
    await Promise.all([give(messages, 'a'), give(messages.toReversed(), 'b'), give(messages.slice(5, 15), 'c'), give(messages, 'a')]);
    const kept = await db().read.raw<{ fingerprint: string; n: number }>(
      'select fingerprint, cast(count(*) as bigint) as n from dead_letter group by fingerprint order by fingerprint',
    );
    const counted = await listGroups(db(), {}, { order: 'recent', limit: 50, service: 'inventory' });
    expect(counted.map(({ fingerprint, open }) => ({ fingerprint, n: open })).toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1))).toEqual(
      kept,
    );
    expect(await countOpen(db())).toBe(20);
  });

  it('an error that quotes what no database keeps is kept all the same', async () => {
    const burial = { world: bench.world, destination: 'inventory', attempts: 1, firstAt: 1 };
    await station.mailbox.write((unit) => deadLetters.bury(unit, [command('o1')], new Error('unexpected "a\0b"'), burial));
    expect((await deadLetters.list(db(), {}, undefined, 1)).items[0]!.error).toBe('unexpected "a\ufffdb"');
  });

  it('a dead letter about a dead letter says nothing more', async () => {
    await transport.deliver([command('o1', { type: 'message.dead_lettered', data: {} })]);
    await transport.deliver([command('o2')]);
    await until('it is kept', async () => (await station.count('dead_letter')) === 1);
    expect(transport.published).toEqual([]);
  });
});
