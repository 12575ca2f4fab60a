/**
 * Dead letters that look alike, as one thing: a cause makes a thousand of them, and a person decides once.
 *
 *   alike = the same consumer, message type, error code, words of the error (without ids, quotations and numbers) and place in our code
 *
 * How many of a group are open, redriving, resolved or discarded is counted in the transaction that moves them, because a list that counts
 * a million rows each time it is looked at is no use in the storm it is for.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { decodeCursor } from '../contracts/rest.ts';
import { type Database, type Tx, statement } from '../db/database.ts';
import type { DeadLetterStatus } from './dead-letters.ts';

/** What dead letters of one group have in common. */
export interface Likeness {
  readonly fingerprint: string;
  readonly destination: string | null;
  readonly type: string;
  readonly code: string;
  /** Without what differs from one to the next. */
  readonly error: string;
}

export interface DeadLetterGroup extends Likeness, Readonly<Record<DeadLetterStatus, number>> {
  readonly first_seen_at: number;
  readonly last_seen_at: number;
  /** Ids of the newest open ones. */
  readonly samples: readonly string[];
}

const WORDS_MAX = 500;
const SAMPLES = 3;

/** The words of an error that are the same for the next message it happens to. Pure. */
export const wordsOf = (error: string): string =>
  error
    .replace(/\b[a-z]{2,4}_[0-9a-z]{26}\b/g, '*')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '*')
    .replace(/"[^"]*"/g, '*')
    .replace(/\d+/g, '#')
    .slice(0, WORDS_MAX);

/** Alike for failures of one cause: consumer, code, type, words, and the top three frames of our own. Pure. */
export function fingerprintOf({ destination, type, code, error }: Omit<Likeness, 'fingerprint'>, stack: string | undefined): string {
  const frames = (stack ?? '')
    .split('\n')
    .filter((line) => line.includes('/src/') && !line.includes('node_modules'))
    .slice(0, 3);
  const places = frames.map((line) => line.replace(/^.*\/src\//, '').replace(/:\d+:\d+\)?$/, ''));
  return createHash('sha256')
    .update([destination ?? '', code, type, wordsOf(error), ...places].join('\n'))
    .digest('hex')
    .slice(0, 16);
}

type Counts = Readonly<Record<DeadLetterStatus, number>>;

const upsert = statement<Likeness & { open: number; at: number }>(
  { fingerprint: 'text', destination: 'text', type: 'text', code: 'text', error: 'text', open: 'bigint', at: 'bigint' },
  (rows) => `
    insert into dead_letter_group
      (fingerprint, destination, type, code, error, open, redriving, resolved, discarded, first_seen_at, last_seen_at)
    select row.fingerprint, row.destination, row.type, row.code, row.error, row.open, 0, 0, 0, row.at, row.at from ${rows} where true
    on conflict (fingerprint) do update set open = dead_letter_group.open + excluded.open, last_seen_at = excluded.last_seen_at`,
);
const shift = statement<Counts & { fingerprint: string }>(
  { fingerprint: 'text', open: 'bigint', redriving: 'bigint', resolved: 'bigint', discarded: 'bigint' },
  (rows) => `
    update dead_letter_group set open = dead_letter_group.open + row.open, redriving = dead_letter_group.redriving + row.redriving,
      resolved = dead_letter_group.resolved + row.resolved, discarded = dead_letter_group.discarded + row.discarded
    from ${rows} where dead_letter_group.fingerprint = row.fingerprint`,
);

const byFingerprint = (a: { readonly fingerprint: string }, b: { readonly fingerprint: string }): number => (a.fingerprint < b.fingerprint ? -1 : 1);

/** Counts dead letters that became open, in the transaction that opens them. */
export async function countOpened(tx: Tx, opened: readonly Likeness[], now: number): Promise<void> {
  const groups = [...Map.groupBy(opened, ({ fingerprint }) => fingerprint).values()].map((alike) => {
    const { fingerprint, destination, type, code, error } = alike[0]!;
    return { fingerprint, destination, type, code, error: wordsOf(error), open: alike.length, at: now };
  });
  await tx.run(upsert, groups.sort(byFingerprint));
}

/** Counts dead letters that left one status, for another or (`after` null) to be counted as opened. In the transaction that moves them. */
export async function countMoved(
  tx: Tx,
  moved: readonly { readonly fingerprint: string; readonly before: DeadLetterStatus; readonly after: DeadLetterStatus | null }[],
): Promise<void> {
  const groups = [...Map.groupBy(moved, ({ fingerprint }) => fingerprint)].map(([fingerprint, moves]) => {
    const change = { open: 0, redriving: 0, resolved: 0, discarded: 0 };
    for (const { before, after } of moves) {
      change[before] -= 1;
      if (after !== null) change[after] += 1;
    }
    return { fingerprint, ...change };
  });
  await tx.run(shift, groups.sort(byFingerprint));
}

export const GROUP_ORDERS = ['open', 'recent'] as const;
export type GroupOrder = (typeof GROUP_ORDERS)[number];

export interface GroupFilter {
  readonly fingerprint?: string;
  readonly consumer?: string;
  readonly type?: string;
  readonly code?: string;
  /** Those of which nothing is open any more, too. */
  readonly all?: boolean;
}

export interface GroupsAsked {
  /** `open`: the most open ones first; `recent`: the ones that were added to last. */
  readonly order: GroupOrder;
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Breaks ties between the lists of several services that are put together. */
  readonly service: string;
}

type Row = Omit<DeadLetterGroup, 'samples'> & Readonly<Record<`sample_${number}`, string | null>>;
type Tables = { dead_letter_group: Omit<DeadLetterGroup, 'samples'> };

const COLUMN = { open: 'open', recent: 'last_seen_at' } as const satisfies Record<GroupOrder, keyof DeadLetterGroup>;

/** The sort key of a group in the list of all services; the first two descend and ascend in each service's own list. */
export const groupKey = (group: Omit<DeadLetterGroup, 'samples'>, service: string, order: GroupOrder): [number, string, string] => [
  group[COLUMN[order]],
  group.fingerprint,
  service,
];

/** Groups of one service in their order, `limit + 1` at most. The counts change while one pages: a group may be met twice, or be missed. */
export async function listGroups(db: Database, filter: GroupFilter, { order, cursor, limit, service }: GroupsAsked): Promise<DeadLetterGroup[]> {
  const after = decodeCursor(cursor, z.tuple([z.int(), z.string(), z.string()]));
  const column = COLUMN[order];
  const newest = (n: number) =>
    sql<string | null>`(select d.id from dead_letter d where d.fingerprint = dead_letter_group.fingerprint and d.status = 'open'
      order by d.id desc limit 1 offset ${sql.lit(n)})`.as(`sample_${n}`);
  let query = db
    .builder<Tables>()
    .selectFrom('dead_letter_group')
    .selectAll()
    .select(Array.from({ length: SAMPLES }, (_, n) => newest(n)))
    .orderBy(column, 'desc')
    .orderBy('fingerprint')
    .limit(limit + 1);
  if (filter.all !== true) query = query.where('open', '>', sql.lit(0));
  if (filter.fingerprint !== undefined) query = query.where('fingerprint', '=', filter.fingerprint);
  if (filter.consumer !== undefined) query = query.where('destination', '=', filter.consumer);
  if (filter.type !== undefined) query = query.where('type', '=', filter.type);
  if (filter.code !== undefined) query = query.where('code', '=', filter.code);
  if (after !== undefined) {
    const [value, fingerprint, last] = after;
    query = query
      .where(column, '<=', value)
      .where((is) => is.or([is(column, '<', value), is('fingerprint', service > last ? '>=' : '>', fingerprint)]));
  }
  const rows = (await db.read.query(query)) as unknown as Row[];
  return rows.map(withSamples);
}

function withSamples(row: Row): DeadLetterGroup {
  const entries = Object.entries(row);
  const samples = entries.filter(([name, id]) => name.startsWith('sample_') && id !== null).map(([, id]) => id as string);
  return { ...(Object.fromEntries(entries.filter(([name]) => !name.startsWith('sample_'))) as unknown as DeadLetterGroup), samples };
}

/** How many dead letters of a service are open. */
export async function countOpen(db: Database): Promise<number> {
  const [row] = await db.read.raw<{ n: number }>('select cast(coalesce(sum(open), 0) as bigint) as n from dead_letter_group where open > 0');
  return row!.n;
}
