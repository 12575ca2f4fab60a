/** The inbox by weeks: made ahead, dropped as a whole, and unique all the while. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import type { Message } from '../../src/contracts/envelope.ts';
import { idFloor } from '../../src/kernel/world.ts';
import { freshOf } from '../../src/messaging/dedupe.ts';
import { keepWeeks, weeksOf } from '../../src/messaging/inbox-weeks.ts';
import { INBOX_KEPT_MS } from '../../src/messaging/janitor.ts';
import { mailboxMigrations } from '../../src/messaging/messaging.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { command } from './support.ts';

const WEEK = 7 * 24 * 3_600_000;
const WEEKS_AGO = 2_900;
/** In the middle of a week. */
const NOW = WEEKS_AGO * WEEK + WEEK / 2;

describe.each(databases().filter(({ name }) => name !== 'sqlite'))('the inbox by weeks on $name', (database) => {
  let open: OpenDatabase;
  beforeEach(async () => {
    open = await database.open();
    await migrate(open.db, [mailboxMigrations], NOW);
  });
  afterEach(() => open.drop());

  const at = (ms: number, mark = ''): string => idFloor('msg', ms).slice(0, -mark.length || undefined) + mark;
  const receive = (ids: readonly string[], now = NOW): Promise<string[]> =>
    open.db.write(async (tx) => {
      const messages: Message[] = ids.map((id) => command('o1', { id, time: now }));
      return (await freshOf(tx, 'c', 'inbox', messages, now)).map(({ id }) => id);
    });
  const tableOf = async (id: string): Promise<string | undefined> =>
    (await open.db.read.raw<{ name: string }>('select tableoid::regclass::text as name from inbox where message_id = $1', [id]))[0]?.name;
  const week = (n: number): string => `inbox_week_${WEEKS_AGO + n}`;

  it('this week and the next two are made, by however many processes at once, and each message lies in its own', async () => {
    await Promise.all([keepWeeks(open.db, NOW, INBOX_KEPT_MS), keepWeeks(open.another(), NOW, INBOX_KEPT_MS)]);
    expect(await weeksOf(open.db)).toEqual([week(0), week(1), week(2)]);
    const [now, next, late, odd] = [at(NOW), at(NOW + WEEK), at(NOW - 2 * WEEK), 'another kind'];
    await receive([now, next, late, odd]);
    expect(await Promise.all([now, next, late, odd].map(tableOf))).toEqual([week(0), week(1), 'inbox_rest', 'inbox_rest']);
  });

  it('a duplicate is known in every one of them', async () => {
    await keepWeeks(open.db, NOW, INBOX_KEPT_MS);
    const ids = [at(WEEKS_AGO * WEEK), at((WEEKS_AGO + 1) * WEEK - 1, 'z'), at((WEEKS_AGO + 1) * WEEK), at(NOW - 3 * WEEK), 'odd'];
    expect(await receive(ids)).toEqual(ids);
    expect(await Promise.all(ids.slice(0, 3).map(tableOf))).toEqual([week(0), week(0), week(1)]);
    expect(await receive([...ids, ...ids])).toEqual([]);
  });

  it('a week is dropped fourteen days after its end, and only when nothing came late', async () => {
    await keepWeeks(open.db, NOW, INBOX_KEPT_MS);
    await receive([at(NOW)]);
    await receive([at(NOW + WEEK)], NOW + WEEK);
    const end = (WEEKS_AGO + 1) * WEEK;
    await keepWeeks(open.db, end + INBOX_KEPT_MS, INBOX_KEPT_MS);
    expect(await weeksOf(open.db)).toContain(week(0));
    await receive([at(NOW, 'late')], end + 1_000); // handed out again after a long outage
    await keepWeeks(open.db, end + INBOX_KEPT_MS + 1_000, INBOX_KEPT_MS);
    expect(await weeksOf(open.db)).toContain(week(0));
    await keepWeeks(open.db, end + INBOX_KEPT_MS + 1_001, INBOX_KEPT_MS);
    expect(await weeksOf(open.db)).not.toContain(week(0));
    expect(await weeksOf(open.db)).toContain(week(1));
    expect(await receive([at(NOW + WEEK)], NOW + WEEK)).toEqual([]);
  });

  it('what was received before there were weeks stays known, and keeps its week from being made', async () => {
    await receive([at(NOW)]);
    await keepWeeks(open.db, NOW, INBOX_KEPT_MS);
    expect(await weeksOf(open.db)).toEqual([week(1), week(2)]);
    expect(await receive([at(NOW), at(NOW, 'new')])).toEqual([at(NOW, 'new')]);
    expect(await tableOf(at(NOW, 'new'))).toBe('inbox_rest');
  });
});
