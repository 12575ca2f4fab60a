/** With a million dead letters, what a person does about them finds its rows by key. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { GROUP_ORDERS, listGroups } from '../../src/messaging/dead-letter-groups.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { type Mailbox, openMailbox } from '../../src/messaging/mailbox.ts';
import { mailboxMigrations } from '../../src/messaging/messaging.ts';
import { openSuspects } from '../../src/messaging/suspects.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { type Watched, watchPlans } from '../support/plans.ts';
import { testWorld } from '../support/world.ts';
import { command } from './support.ts';

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
    await deadLetters.get(watched.db, items[0]!.id);
    await openSuspects(watched.db, world).load();
    expect(watched.statements()).toBeGreaterThan(15);
    expect(await watched.scans()).toEqual([]);
  });

  it('a statement that reads a whole table is found', async () => {
    begin();
    await watched.db.read.raw('select count(*) as n from dead_letter where attempts > $1', [3]);
    await watched.db.read.raw('select d.id from dead_letter d where d.id > $1', ['dl_']);
    expect(await watched.scans()).toEqual([expect.stringMatching(/^(SCAN|.*Seq Scan on) dead_letter.*attempts > \$1$/)]);
  });
});
