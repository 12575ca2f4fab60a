/** With a million dead letters, what a person does about them finds its rows by key. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { consumerState } from '../../src/messaging/control.ts';
import { GROUP_ORDERS, listGroups } from '../../src/messaging/dead-letter-groups.ts';
import * as jobs from '../../src/messaging/dead-letter-jobs.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { openJobRunner } from '../../src/messaging/job-runner.ts';
import { holdsAny, preview } from '../../src/messaging/job-selection.ts';
import { type Mailbox, openMailbox } from '../../src/messaging/mailbox.ts';
import { mailboxMigrations } from '../../src/messaging/messaging.ts';
import { openSuspects } from '../../src/messaging/suspects.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { type Watched, watchPlans } from '../support/plans.ts';
import { command, handTransport, telemetry, testWorld, until } from './support.ts';

describe.each(databases())('plans on $name', ({ open: openDatabase }) => {
  const world = testWorld();
  let open: OpenDatabase;
  let watched: Watched;
  let mailbox: Mailbox;
  beforeAll(async () => {
    open = await openDatabase();
    await migrate(open.db, [mailboxMigrations], world.now());
  });
  afterAll(() => open.drop());

  const begin = (): void => {
    watched = watchPlans(open.db, { lists: true });
    mailbox = openMailbox({ service: 'inventory', db: watched.db, world, committed: () => undefined });
  };
  const bury = (...subjects: string[]): Promise<void> =>
    mailbox.write((unit) =>
      deadLetters.bury(
        unit,
        subjects.map((subject) => command(subject, { id: `msg_${subject}` })),
        new Error(`no ${subjects[0]}`),
        { world, destination: 'inventory', attempts: 1, firstAt: 1 },
      ),
    );
  const newest = async (): Promise<string> => (await deadLetters.list(watched.db, { status: 'open' }, undefined, 1)).items[0]!.id;

  it('burying, moving, listing and counting dead letters scans no table', async () => {
    begin();
    await bury('a', 'b', 'c');
    await bury('a');
    await mailbox.write(async (unit) => deadLetters.redrive(unit, await newest(), 'ada'));
    await mailbox.write(async (unit) => deadLetters.discard(unit, await newest(), 'a test', 'ada'));
    for (const order of GROUP_ORDERS)
      for (const all of [false, true]) await listGroups(watched.db, { all, type: 'stock.release' }, { order, limit: 2, service: 'inventory' });
    const { items, next_cursor } = await deadLetters.list(watched.db, {}, undefined, 1);
    await deadLetters.list(watched.db, { fingerprint: items[0]!.fingerprint, status: 'open' }, next_cursor!, 1);
    await deadLetters.list(watched.db, { correlationid: 'a' }, undefined, 1);
    for (const filter of [
      { type: 'stock.release' },
      { code: 'internal', status: 'open' },
      { fingerprint: items[0]!.fingerprint, type: 'x' },
    ] as const)
      await deadLetters.list(watched.db, filter, undefined, 1);
    await consumerState(watched.db, handTransport(), 'inventory', { status: 'running', last_error: null, last_error_at: null });
    await deadLetters.get(watched.db, items[0]!.id);
    await openSuspects(watched.db, world).load();
    expect(watched.statements()).toBeGreaterThan(15);
    expect(await watched.scans()).toEqual([]);
  });

  it('rehearsing, writing down and working on a job scans no table', async () => {
    begin();
    await bury('d', 'e', 'f');
    const { fingerprint } = (await deadLetters.list(watched.db, { status: 'open' }, undefined, 1)).items[0]!;
    for (const selection of [
      {},
      { fingerprint },
      { correlationid: 'd' },
      { type: 'stock.release', code: 'internal', consumer: 'inventory', since: 1 },
    ])
      expect((await preview(watched.db.read, selection)).total).toBeGreaterThan(0);
    await preview(watched.db.read, { ids: [await newest()] });
    expect(await holdsAny(watched.db.read, { until: 1 })).toBe(false);
    const job = { actor: 'ada', reason: 'mended', rate: 1_000, ramp: true, stopAbove: 10 };
    const redriving = { ...job, id: 'dlj_1', action: 'redrive', selection: { fingerprint } } as const;
    const named = { ...job, id: 'dlj_2', action: 'discard', selection: { ids: [await newest()] } } as const;
    for (const request of [redriving, named]) await mailbox.write((unit) => jobs.createJob(unit, request));
    const runner = openJobRunner(mailbox, telemetry);
    await runner.start();
    await until('one is under way', async () => (await jobs.getJob(watched.db, 'dlj_1', 'redrive')).redriven === 1);
    const { items } = await jobs.listItems(watched.db, 'dlj_1', 'redriven', undefined, 1);
    await jobs.listItems(watched.db, 'dlj_1', undefined, undefined, 1);
    await mailbox.write((unit) => deadLetters.resolve(unit, [command('d', { redrive: items[0]!.dead_letter_id })]));
    await until('it has succeeded', async () => (await jobs.getJob(watched.db, 'dlj_1', 'redrive')).succeeded === 1);
    await mailbox.write((unit) => jobs.orderJob(unit, 'dlj_1', 'cancel', { actor: 'ada', reason: '' }));
    await until('the other is done', async () => (await jobs.getJob(watched.db, 'dlj_2', 'discard')).state === 'done');
    await jobs.listJobs(watched.db, { action: 'redrive', state: 'cancelled' }, undefined, 1);
    await runner.stop();
    expect(watched.statements()).toBeGreaterThan(30);
    expect(await watched.scans()).toEqual([]);
  });

  it('a statement that reads a whole table is found', async () => {
    begin();
    await watched.db.read.raw('select count(*) as n from dead_letter where attempts > $1', [3]);
    await watched.db.read.raw('select d.id from dead_letter d where d.id > $1', ['dl_']);
    expect(await watched.scans()).toEqual([expect.stringMatching(/^(SCAN|.*Seq Scan on) dead_letter.*attempts > \$1$/)]);
  });
});
