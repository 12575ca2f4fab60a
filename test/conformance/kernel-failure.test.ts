/** What the kernel promises when something fails, on every combination of database and bus: tried again, given up where people see it, sent again. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { Fault } from '../../src/kernel/errors.ts';
import * as jobs from '../../src/messaging/dead-letter-jobs.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { WINDOW_MS } from '../../src/messaging/dedupe.ts';
import { redriveEdited } from '../../src/messaging/edited.ts';
import { packsOf } from '../../src/messaging/outbox.ts';
import type { Transport } from '../../src/messaging/transport.ts';
import { type Bench, type Station, command, effects, openBench, recording, until } from '../messaging/support.ts';
import { onEveryCombination } from '../support/buses.ts';

const release = (subject: string) => ({ type: 'stock.release' as const, subject, data: { order_id: subject, reason: 'test' } });
const subjectsOf = async (station: Station): Promise<string[]> => (await effects(station)).map(({ subject }) => subject);

/** What is handed over within a process is taken on trust; after a restart it is read from the disk, and checked like a stranger's. */
const readBack = (transport: Transport): Transport => ({
  ...transport,
  consume: (queue, { prefetch, deliver }) => transport.consume(queue, { prefetch, deliver: (delivery) => deliver({ ...delivery, trusted: false }) }),
});

onEveryCombination((combination) => {
  let bench: Bench;
  let orders: Station;
  /** What handling a message throws. */
  let poison: (message: Message) => Error | undefined;
  let tries: number;
  beforeEach(async () => {
    bench = await openBench(combination.database, combination);
    orders = await bench.service('orders', { subscriptions: [recording(['message.dead_lettered'], 'natural')] });
    poison = () => undefined;
    tries = 0;
  });
  afterEach(() => bench.close());

  const inventoryOf = (transport = bench.transport): Promise<Station> =>
    bench.service('inventory', {
      transport,
      subscriptions: [
        recording(['stock.release'], 'inbox', (_, messages) => {
          tries += 1;
          for (const message of messages) {
            const error = poison(message);
            if (error !== undefined) throw error;
          }
        }),
      ],
    });
  const say = (...subjects: string[]): Promise<void> => orders.mailbox.write(async (unit) => unit.say(subjects.map(release)));
  const publish = (...messages: readonly Message[]): Promise<unknown> => bench.transport.publish(packsOf(messages, 'inventory'));
  const lettersOf = async ({ mailbox }: Station): Promise<readonly deadLetters.DeadLetter[]> =>
    (await deadLetters.list(mailbox.db, {}, undefined, 50)).items;
  const dead = (station: Station, count = 1): Promise<void> =>
    until(`${count} dead letters`, async () => (await station.count('dead_letter')) === count);

  it.each([0, 50, 99])('K08 of a hundred messages, poison at place %i fails alone, and the others have their effect once', async (place) => {
    const inventory = await inventoryOf();
    const all = Array.from({ length: 100 }, (_, i) => `o${i}`);
    poison = ({ subject }) => (subject === `o${place}` ? new Error('poison') : undefined);
    await say(...all);
    await until('all others are handled', async () => (await inventory.count('effect')) >= 99);
    expect(await subjectsOf(inventory)).toEqual(all.filter((_, i) => i !== place));
    await until('it will be tried again', async () => (await inventory.count('timer')) === 1);
    expect(await inventory.mailbox.db.read.raw('select attempts from failure')).toEqual([{ attempts: 1 }]);
  });

  it('K10 a bug is tried four times, by the table, and is then a dead letter of which everybody is told', async () => {
    const inventory = await inventoryOf();
    poison = () => new TypeError('a bug');
    await say('o1');
    for (const [attempts, most] of [
      [1, 1_200],
      [2, 36_000],
      [3, 360_000],
    ] as const) {
      const failed = async (): Promise<boolean> =>
        (await inventory.mailbox.db.read.raw<{ attempts: number }>('select attempts from failure'))[0]?.attempts === attempts;
      await until(`it failed for the ${attempts}. time`, failed);
      bench.world.advance(most);
    }
    await dead(inventory);
    expect([tries, await inventory.count('failure'), await inventory.count('timer')]).toEqual([4, 0, 0]);
    expect(await lettersOf(inventory)).toMatchObject([{ subject: 'o1', code: 'internal', attempts: 4, destination: 'inventory', status: 'open' }]);
    await until('everybody is told', async () => (await orders.count('effect')) === 1);
  });

  it('K10 what cannot be right is not tried again', async () => {
    const inventory = await inventoryOf();
    poison = () => new Fault('contract_violation', 'whenever it is tried');
    await say('o1');
    await dead(inventory);
    expect(tries).toBe(1);
  });

  it('K11 while its database is away nothing is acked and nothing counted; then it goes on', async () => {
    const inventory = await inventoryOf();
    const outage = new Fault('unavailable', 'the database is away');
    poison = () => outage;
    await say('o1', 'o2', 'o3');
    await until('it was tried three times', () => tries >= 3);
    expect((await inventory.control.state()).status).toBe('waiting');
    expect([await inventory.count('effect'), await inventory.count('failure'), (await bench.transport.depths())['inventory']]).toEqual([0, 0, 3]);
    poison = () => undefined;
    await until('all are handled', async () => (await inventory.count('effect')) === 3);
    await until('all are settled', async () => (await bench.transport.depths())['inventory'] === 0);
    expect([await inventory.count('failure'), await inventory.count('attempt')]).toEqual([0, 0]);
  });

  it('K16 a redrive keeps the id and the history, and resolves the dead letter when the message is handled', async () => {
    const inventory = await inventoryOf();
    poison = () => new Fault('contract_violation', 'not yet');
    await say('o1');
    await dead(inventory);
    const [{ id, message_id }] = (await lettersOf(inventory)) as [deadLetters.DeadLetter];
    const redrive = (): Promise<void> => inventory.mailbox.write((unit) => deadLetters.redrive(unit, id, 'ada'));
    await redrive();
    await until('it is open again', async () => (await deadLetters.get(inventory.mailbox.db, id)).redrives === 1);
    poison = () => undefined;
    await redrive();
    await until('it is resolved', async () => (await deadLetters.get(inventory.mailbox.db, id)).status === 'resolved');
    expect((await effects(inventory)).map((one) => one.message_id)).toEqual([message_id]);
    const { history } = await deadLetters.get(inventory.mailbox.db, id);
    expect(history.map(({ action }) => action)).toEqual(['opened', 'redriven', 'reopened', 'redriven', 'resolved']);
  });

  it('K17 a dead letter sent again with other data is another message, and resolved by its handling', async () => {
    const inventory = await inventoryOf(readBack(bench.transport));
    await publish(command('o1', { data: { order_id: 1, reason: 'test' } }));
    await dead(inventory);
    const [{ id, message_id }] = (await lettersOf(inventory)) as [deadLetters.DeadLetter];
    const right = { order_id: 'o1', reason: 'test' };
    await inventory.mailbox.write((unit) => redriveEdited(unit, id, right, { actor: 'ada', reason: 'a typing error' }, bench.world));
    await until('it is resolved', async () => (await deadLetters.get(inventory.mailbox.db, id)).status === 'resolved');
    const [effect] = await effects(inventory);
    expect(effect!.message_id).not.toBe(message_id);
    const { message, history } = await deadLetters.get(inventory.mailbox.db, id);
    expect(message).toMatchObject({ id: effect!.message_id, causationid: message_id, data: right });
    expect(history.map(({ action }) => action)).toEqual(['opened', 'edited', 'redriven', 'resolved']);
  });

  it('K18 a job sends again what was selected when it was asked for, and stops by itself when that fails', async () => {
    const inventory = await inventoryOf();
    poison = () => new Fault('contract_violation', 'not yet');
    await say(...Array.from({ length: 30 }, (_, i) => `o${i}`));
    await dead(inventory, 30);
    const id = bench.world.id('dlj');
    const asked = { selection: {}, actor: 'ada', reason: 'mended', rate: 10_000, ramp: true, stopAbove: 10 };
    await inventory.mailbox.write((unit) => jobs.createJob(unit, { id, action: 'redrive', ...asked }));
    const job = (): ReturnType<typeof jobs.getJob> => jobs.getJob(inventory.mailbox.db, id, 'redrive');
    await until('it has stopped', async () => (await job()).state === 'stopped');
    expect(await job()).toMatchObject({ failed_again: 1, waiting: 29, total: 30 });
    await say('later'); // not in it
    await dead(inventory, 31);
    poison = () => undefined;
    await inventory.mailbox.write((unit) => jobs.orderJob(unit, id, 'resume', { actor: 'ada', reason: 'mended by now' }));
    await until('it is done', async () => (await job()).state === 'done');
    expect(await job()).toMatchObject({ succeeded: 29, failed_again: 1, waiting: 0, redriven: 0 });
    expect(await inventory.count('effect')).toBe(29);
    expect((await lettersOf(inventory)).filter(({ status }) => status === 'open')).toHaveLength(2);
  });

  it('K19 a message older than the inbox remembers is refused, and said to be', async () => {
    const inventory = await inventoryOf();
    await publish(command('old', { time: bench.world.now() - WINDOW_MS - 1 }), command('young'));
    await dead(inventory);
    await until('the other one is handled', async () => (await inventory.count('effect')) === 1);
    expect(await lettersOf(inventory)).toMatchObject([{ subject: 'old', code: 'outside_dedupe_window' }]);
    expect(await subjectsOf(inventory)).toEqual(['young']);
  });

  it('K20 a type nobody knows, and data that break their contract, are dead letters at once; a field nobody knows is none', async () => {
    const inventory = await inventoryOf(readBack(bench.transport));
    const more = { order_id: 'more', reason: 'test', of_a_later_version: true };
    await publish(command('other', { type: 'stock.release.v9' }), command('wrong', { data: { order_id: 5 } }), command('more', { data: more }));
    await dead(inventory, 2);
    await until('the other one is handled', async () => (await inventory.count('effect')) === 1);
    expect((await lettersOf(inventory)).map(({ subject, code, attempts }) => `${subject} ${code} ${attempts}`).toSorted()).toEqual([
      'other contract_violation 1',
      'wrong contract_violation 1',
    ]);
    expect(await subjectsOf(inventory)).toEqual(['more']);
  });

  it('K22 a message that causes itself comes to an end, as a dead letter', async () => {
    const inventory = await bench.service('inventory', {
      subscriptions: [recording(['stock.release'], 'inbox', (unit, messages) => unit.say(messages.map((cause) => ({ ...release('loop'), cause }))))],
    });
    await say('loop');
    await dead(inventory);
    expect(await lettersOf(inventory)).toMatchObject([{ code: 'too_many_hops', message: { hops: 64 } }]);
    expect(await inventory.count('effect')).toBe(63);
    expect(await inventory.count('timer')).toBe(0);
  });
});
