/** Many dead letters at once: what was selected and nothing else, each sent once, slowly first, in the order of its stream. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { stopAll } from '../../src/kernel/lifecycle.ts';
import { idFloor } from '../../src/kernel/world.ts';
import * as jobs from '../../src/messaging/dead-letter-jobs.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { preview } from '../../src/messaging/job-selection.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, effects, event, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('jobs over dead letters on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let station: Station;
  /** Subjects that fail. */
  let broken: Set<string>;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    broken = new Set();
  });
  afterEach(async () => {
    await station.scheduler.stop();
    await bench.close();
  });

  const subscriptions = () => [
    recording(['stock.release', 'stock.released'], 'inbox', (_, messages) => {
      for (const { subject } of messages) if (broken.has(subject)) throw new TypeError('a bug');
    }),
  ];
  /** A service whose jobs stand still until `work` is called. */
  const open = async (over: 'bus' | 'hand'): Promise<void> => {
    const options = { subscriptions: subscriptions(), parts: ['relay', 'consumer'] as const };
    station = await bench.service('inventory', over === 'hand' ? { ...options, transport } : options);
  };
  const work = (): Promise<void> => station.scheduler.start();

  const db = () => station.mailbox.db;
  const bury = async (messages: readonly Message[], error = 'it broke', at?: number): Promise<void> => {
    let n = 1;
    // Ids of a time of the test's choosing.
    const world = at === undefined ? bench.world : { ...bench.world, id: () => `${idFloor('dl', at).slice(0, -4)}${String(n++).padStart(4, '0')}` };
    const burial = { world, destination: 'inventory', attempts: 1, firstAt: bench.world.now() };
    await station.mailbox.write((unit) => deadLetters.bury(unit, messages, new Error(error), burial));
  };
  const letters = (n: number, from = 0): Message[] => Array.from({ length: n }, (_, i) => command(`o${from + i}`));
  const create = async (more: Partial<jobs.JobRequest> = {}): Promise<string> => {
    const id = bench.world.id('dlj');
    const request = {
      id,
      action: 'redrive',
      selection: {},
      actor: 'ada',
      reason: 'mended',
      rate: 10_000,
      ramp: true,
      stopAbove: 10,
      ...more,
    } as const;
    await station.mailbox.write((unit) => jobs.createJob(unit, request));
    return id;
  };
  const order = (id: string, name: 'pause' | 'resume' | 'cancel', more: { rate?: number } = {}): Promise<void> =>
    station.mailbox.write((unit) => jobs.orderJob(unit, id, name, { actor: 'bob', reason: 'because', ...more }));
  const job = async (id: string): Promise<Awaited<ReturnType<typeof jobs.getJob>>> => jobs.getJob(db(), id, (await actionOf(id)) as 'redrive');
  const actionOf = async (id: string): Promise<string> =>
    (await db().read.raw<{ action: string }>('select action from dead_letter_job where id = $1', [id]))[0]!.action;
  const reaches = async (id: string, state: string): Promise<Awaited<ReturnType<typeof job>>> => {
    await until(`the job is ${state}`, async () => (await job(id)).state === state);
    return job(id);
  };
  const outcomes = async (id: string): Promise<string[]> =>
    (await jobs.listItems(db(), id, undefined, undefined, 200)).items.map((item) => item.outcome);
  const statuses = async (): Promise<Record<string, number>> => {
    const rows = await db().read.raw<{ status: string; n: number }>('select status, cast(count(*) as bigint) as n from dead_letter group by status');
    return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
  };
  /** Redriven messages the relay has sent, in order. */
  const sent = (): Message[] => transport.published.filter(({ destination }) => destination === 'inventory').flatMap(({ messages }) => messages);
  /** Hands those to the consumer that were sent and have not been handed to it. */
  let delivered = 0;
  const returned = async (n: number): Promise<void> => {
    await until(`${n} more are sent`, () => sent().length >= delivered + n);
    const mine = sent().slice(delivered, delivered + n);
    delivered += n;
    await transport.deliver(mine);
  };
  beforeEach(() => void (delivered = 0));

  it('K18 sends all that was selected again, each once, and says what became of each', async () => {
    await open('bus');
    const messages = letters(300);
    await bury(messages);
    broken.add('o7').add('o8');
    const id = await create({ stopAbove: 50 });
    await bury(letters(5, 1_000)); // not in it
    await work();
    const done = await reaches(id, 'done');
    expect(done).toMatchObject({ total: 300, waiting: 0, redriven: 0, succeeded: 298, failed_again: 2, skipped: 0, live: 0 });
    expect(done.history.map(({ actor, action, detail }) => [actor, action, detail])).toEqual([
      ['ada', 'created', 'mended'],
      ['runner', 'done', '298 succeeded, 2 failed again'],
    ]);
    const handled = (await effects(station)).map(({ message_id }) => message_id);
    expect(handled.toSorted()).toEqual(
      messages
        .filter(({ subject }) => !broken.has(subject))
        .map(({ id }) => id)
        .toSorted(),
    );
    expect(await statuses()).toEqual({ resolved: 298, open: 7 });
    const failed = await jobs.listItems(db(), id, 'failed_again', undefined, 50);
    expect(failed.items.map(({ detail }) => detail)).toEqual(['internal: a bug', 'internal: a bug']);
    const { history } = await deadLetters.get(db(), failed.items[0]!.dead_letter_id);
    expect(history.map(({ action, actor, detail }) => [action, actor, detail])).toEqual([
      ['opened', 'consumer', 'internal: it broke'],
      ['redriven', 'ada', `job ${id}: mended`],
      ['reopened', 'consumer', 'internal: a bug'],
    ]);
  });

  it('stops after the first message when that fails, goes on when told to, and sends none twice', async () => {
    await open('bus');
    await bury(letters(50));
    for (let i = 0; i < 50; i += 1) broken.add(`o${i}`);
    const id = await create();
    await work();
    const stopped = await reaches(id, 'stopped');
    expect(stopped).toMatchObject({ failed_again: 1, waiting: 49, redriven: 0 });
    expect(stopped.history.at(-1)).toMatchObject({ actor: 'runner', action: 'stopped' });
    expect(stopped.history.at(-1)!.detail).toMatch(/^1 of the last 1 failed again, dl_\w+ with internal: a bug$/);
    broken.clear();
    await order(id, 'resume', { rate: 5_000 });
    expect(await reaches(id, 'done')).toMatchObject({ failed_again: 1, succeeded: 49, rate: 5_000 });
    expect(await statuses()).toEqual({ open: 1, resolved: 49 });
  });

  it('begins slowly: one, then ten, then a hundred, each when the ones before have come to their end', async () => {
    await open('hand');
    await bury(letters(200));
    const id = await create();
    await work();
    for (const step of [1, 10, 100]) {
      await until(`${step} are under way`, async () => (await job(id)).redriven === step);
      await bench.world.sleep(0);
      expect(sent().length).toBeLessThanOrEqual(delivered + step);
      await returned(step);
    }
    await returned(89);
    expect(await reaches(id, 'done')).toMatchObject({ succeeded: 200 });
  });

  it('sends messages of one stream in their sequence, one at a time, whatever the order they died in', async () => {
    await open('hand');
    await bury([event('a', 3), event('b', 1), event('a', 2), event('a', 1)]);
    const id = await create({ ramp: false });
    await work();
    const sequences = (): string[] => sent().map(({ subject, sequence }) => `${subject}${sequence}`);
    await until('the first of each stream is sent', () => sent().length === 2);
    expect(sequences().toSorted()).toEqual(['a1', 'b1']);
    await bury(letters(1));
    const last = (await deadLetters.list(db(), {}, undefined, 1)).items[0]!.id;
    await reaches(await create({ action: 'discard', selection: { ids: [last] } }), 'done'); // so the first job has had its turn again
    expect(sequences()).toHaveLength(2);
    for (const next of ['a2', 'a3']) {
      await returned(sent().length - delivered);
      await until(`${next} is sent`, () => sequences().at(-1) === next);
    }
    await returned(1);
    await reaches(id, 'done');
    expect(sequences().filter((one) => one.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
  });

  it('passes over what somebody else has dealt with meanwhile, and says so', async () => {
    await open('hand');
    await bury(letters(3));
    const id = await create({ ramp: false });
    const [last, middle] = (await deadLetters.list(db(), {}, undefined, 3)).items;
    await station.mailbox.write((unit) => deadLetters.discard(unit, last!.id, 'a test order', 'bob'));
    await station.mailbox.write((unit) => deadLetters.redrive(unit, middle!.id, 'bob'));
    await work();
    await returned(2);
    expect(await reaches(id, 'done')).toMatchObject({ total: 3, succeeded: 1, skipped: 2 });
    const { items } = await jobs.listItems(db(), id, 'skipped', undefined, 50);
    expect(items.map(({ detail }) => detail)).toEqual(['it was redriving already', 'it was discarded already']);
    expect(sent()).toHaveLength(2);
  });

  it('pauses and is cancelled between messages; what is on its way comes to its end', async () => {
    await open('hand');
    await bury(letters(30));
    const id = await create();
    await work();
    await until('one is under way', async () => (await job(id)).redriven === 1);
    await order(id, 'pause');
    await returned(1);
    await until('its outcome is kept', async () => (await job(id)).succeeded === 1);
    expect(await job(id)).toMatchObject({ state: 'paused', waiting: 29, live: 0 });
    await expect(order(id, 'pause')).rejects.toMatchObject({ code: 'dead_letter_job_state' });
    await order(id, 'resume');
    await until('the slow start begins anew', async () => (await job(id)).redriven === 1);
    await order(id, 'cancel');
    await returned(1);
    await until('its outcome is kept', async () => (await job(id)).succeeded === 2);
    const cancelled = await job(id);
    expect(cancelled).toMatchObject({ state: 'cancelled', waiting: 28, redriven: 0, live: 0 });
    expect(cancelled.history.map(({ actor, action, detail }) => `${actor} ${action} ${detail}`)).toEqual([
      'ada created mended',
      'bob paused because',
      'bob resumed because',
      'bob cancelled because',
    ]);
    expect(sent()).toHaveLength(2);
    expect(await statuses()).toEqual({ open: 28, resolved: 2 });
    for (const name of ['pause', 'resume', 'cancel'] as const) await expect(order(id, name)).rejects.toMatchObject({ code: 'dead_letter_job_state' });
    await expect(order('dlj_none', 'pause')).rejects.toMatchObject({ code: 'dead_letter_job_not_found' });
  });

  it('discards all that was selected, with who and why', async () => {
    await open('hand');
    await bury(letters(250));
    const id = await create({ action: 'discard', reason: 'test orders' });
    await bury(letters(1, 1_000));
    await work();
    expect(await reaches(id, 'done')).toMatchObject({ discarded: 250, total: 250, waiting: 0 });
    expect(await statuses()).toEqual({ discarded: 250, open: 1 });
    const { items } = await jobs.listItems(db(), id, undefined, undefined, 1);
    expect((await deadLetters.get(db(), items[0]!.dead_letter_id)).history.at(-1)).toMatchObject({
      action: 'discarded',
      actor: 'ada',
      detail: `job ${id}: test orders`,
    });
  });

  it('a selection of many pieces is whole, and holds nothing that was opened after it was asked for', async () => {
    await open('hand');
    const common = letters(4_500);
    await bury(common, 'a common error');
    await bury(letters(3, 5_000), 'a rare one');
    const rare = (await deadLetters.list(db(), {}, undefined, 1)).items[0]!.fingerprint;
    const everything = await create({ action: 'discard', selection: { code: 'internal' } });
    expect(await job(everything)).toMatchObject({ total: 2_000, selected_to: expect.stringMatching(/^dl_/) });
    bench.world.advance(1_000);
    await bury(letters(3), 'again'); // other messages about the same subjects
    await bury(common.slice(-1), 'a common error'); // opened again, and not written down yet
    const few = await create({ selection: { fingerprint: rare } });
    expect(await job(few)).toMatchObject({ total: 3, selected_to: null });
    await order(few, 'cancel');
    await work();
    expect(await reaches(everything, 'done')).toMatchObject({ total: 4_502, discarded: 4_502, selected_to: null });
    expect(await statuses()).toEqual({ discarded: 4_502, open: 4 });
  });

  it('takes the ones named, whatever else there is, and refuses what is not there or fits nothing', async () => {
    await open('hand');
    await bury(letters(3));
    const [one, two] = (await deadLetters.list(db(), {}, undefined, 3)).items;
    await station.mailbox.write((unit) => deadLetters.discard(unit, two!.id, 'a test order', 'bob'));
    const id = await create({ selection: { ids: [one!.id, two!.id, one!.id] } });
    await work();
    await returned(1);
    expect(await reaches(id, 'done')).toMatchObject({ total: 2, succeeded: 1, skipped: 1 });
    await expect(create({ selection: { ids: [one!.id, 'dl_none'] } })).rejects.toMatchObject({ code: 'dead_letter_not_found' });
    await expect(create({ selection: { type: 'stock.reserve' } })).rejects.toMatchObject({ code: 'nothing_selected' });
    expect((await jobs.listJobs(db(), { action: 'redrive' }, undefined, 50)).items.map((one) => one.id)).toEqual([id]);
    await expect(jobs.getJob(db(), id, 'discard')).rejects.toMatchObject({ code: 'dead_letter_job_not_found' });
  });

  it('says beforehand what it would be about, and changes nothing', async () => {
    await open('hand');
    await bury(letters(3), 'one', 1_000_000);
    await bury([command('p1', { type: 'stock.reserve', data: { order_id: 7 } }), ...letters(1, 9)], 'another', 2_000_000);
    expect(await preview(db().read, {})).toMatchObject({
      total: 5,
      kinds: [
        { consumer: 'inventory', type: 'stock.release', code: 'internal', count: 4 },
        { consumer: 'inventory', type: 'stock.reserve', code: 'internal', count: 1 },
      ],
      others: [],
    });
    const reserve = await preview(db().read, { type: 'stock.reserve', consumer: 'inventory' });
    expect(reserve).toMatchObject({ total: 1, samples: [{ subject: 'p1', misfit: 'it breaks the contract of stock.reserve' }] });
    const since = await preview(db().read, { since: 2_000_000 });
    expect([since.total, since.samples.map(({ subject, misfit }) => [subject, misfit])]).toMatchObject([
      2,
      [
        ['p1', expect.any(String)],
        ['o9', null],
      ],
    ]);
    expect((await preview(db().read, { until: 2_000_000 })).total).toBe(3);
    expect((await preview(db().read, { correlationid: 'o1' })).total).toBe(1);
    const named = await preview(db().read, { ids: [since.samples[0]!.id, 'dl_none'] });
    expect([named.total, named.others]).toEqual([1, ['dl_none']]);
    expect(await statuses()).toEqual({ open: 5 });
    expect(await station.count('dead_letter_job')).toBe(0);
  });

  it('several processes at one job send each message once', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite files belong to one process
    await open('bus');
    const siblings = await Promise.all([1, 2].map(() => bench.sibling(station, { parts: ['relay', 'scheduler'] })));
    await bury(letters(400));
    const id = await create({ ramp: false });
    await work();
    expect(await reaches(id, 'done')).toMatchObject({ succeeded: 400, skipped: 0, failed_again: 0 });
    const log = await db().read.raw<{ n: number }>(`select cast(count(*) as bigint) as n from dead_letter_log where action = 'redriven'`);
    expect(log[0]!.n).toBe(400);
    expect(new Set(await outcomes(id))).toEqual(new Set(['succeeded']));
    await stopAll(siblings.map(({ scheduler }) => scheduler));
  });
});
