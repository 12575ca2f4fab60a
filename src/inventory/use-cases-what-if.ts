/**
 * What if: reads what happened in a while, a range of the ledger at a time, and lets it happen again otherwise. Changes nothing.
 *
 *   place of `from` ──> levels as they were ──┐
 *   postings, a range at a time ──────────────┼──> happenings in their order ──> domain-what-if.ts
 *   what their orders asked for, where to ────┤
 *   orders that were given nothing, by time ──┘
 */
import type { Reader } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import { type Comparison, type Happening, type Otherwise, openWhatIf } from './domain-what-if.ts';
import { findPlaces } from './store.ts';
import * as history from './store-history.ts';

/** Where orders are to go, of those that are known; a port to whoever keeps orders. */
export type Destinations = (orderIds: readonly string[]) => Promise<ReadonlyMap<string, Readonly<Record<string, string>>>>;

/** The most that is gone through in one question, and the most days it may be about. */
const POSTINGS_MAX = 500_000;
const DAYS_MAX = 31;
const DAY_MS = 24 * 3_600_000;
const POSTINGS_AT_ONCE = 2_000;

export interface Question {
  /** Milliseconds UTC. */
  readonly from: number;
  readonly to: number;
  readonly otherwise: Otherwise;
}

export async function whatIf(reader: Reader, { from, to, otherwise }: Question, destinations: Destinations): Promise<Comparison> {
  if (from >= to) throw wrong('to', 'must be after from', 'name a later moment');
  if (to - from > DAYS_MAX * DAY_MS) throw wrong('to', `must be at most ${DAYS_MAX} days after from`, 'ask about a shorter while');
  const [first, last] = [await history.placeAt(reader, from), await history.placeAt(reader, to)];
  if (last - first > POSTINGS_MAX)
    throw wrong('to', `there are ${last - first} postings in between, more than ${POSTINGS_MAX}`, 'ask about a shorter while');

  const levels = await history.levelsAt(reader, first);
  const places = await findPlaces(reader, new Set([...levels.map(({ warehouse_id }) => warehouse_id), ...otherwise.without]));
  for (const id of otherwise.without)
    if (!places.has(id))
      throw new Refusal('warehouse_not_found', `there is no warehouse ${id}`, [{ field: 'without_warehouse', rule: 'names no warehouse' }]);
  const run = openWhatIf(levels, places, otherwise);
  const story = openStory(reader, destinations, { from, unfilled: await history.unfilledBetween(reader, from, to, POSTINGS_MAX) });
  for (let at = first; at < last; at += POSTINGS_AT_ONCE)
    run.take(await story.next(await history.postingsBetween(reader, at, Math.min(last, at + POSTINGS_AT_ONCE))));
  run.take(await story.rest());
  return run.result();
}

const wrong = (field: string, rule: string, remedy: string): Refusal => new Refusal('invalid_request', `${field} ${rule}`, [{ field, rule, remedy }]);

interface Story {
  next(postings: readonly history.HistoryPosting[]): Promise<Happening[]>;
  rest(): Promise<Happening[]>;
}

/** Postings into what happened since `from`; orders that were given nothing come in at their time. */
function openStory(reader: Reader, destinations: Destinations, { from, unfilled }: { from: number; unfilled: readonly history.AskedThen[] }): Story {
  /** Undefined for orders that asked before. */
  const orders = new Map<string, history.AskedThen | undefined>();
  const waiting = unfilled.toSorted((a, b) => a.created_at - b.created_at);

  async function asks(fresh: readonly history.AskedThen[]): Promise<Extract<Happening, { what: 'asked' }>[]> {
    const without = fresh.filter(({ asked }) => asked?.ship_to === undefined).map(({ order_id }) => order_id);
    const found = without.length === 0 ? new Map<string, Record<string, string>>() : await destinations(without);
    return fresh.map(({ order_id, lines, asked, created_at }) => {
      const ship_to = found.get(order_id);
      return { what: 'asked', order_id, lines, asked: { ...asked, ...(ship_to && { ship_to: { ...ship_to } }) }, at: created_at };
    });
  }

  /** What those asked for who appear for the first time. */
  async function learn(postings: readonly history.HistoryPosting[]): Promise<Map<string, Happening>> {
    const ids = new Set(postings.filter((one) => isHeld(one) && !orders.has(one.ref_id)).map(({ ref_id }) => ref_id));
    for (const id of ids) orders.set(id, undefined);
    const fresh = (await history.askedOf(reader, [...ids])).filter(({ created_at }) => created_at >= from);
    for (const order of fresh) orders.set(order.order_id, order);
    return new Map((await asks(fresh)).map((one) => [one.order_id, one]));
  }

  return {
    async next(postings) {
      const first = await learn(postings);
      const until = postings.at(-1)?.at ?? 0;
      const later = waiting.findIndex(({ created_at }) => created_at >= until); // of one moment, those who were given something came first
      const due = await asks(waiting.splice(0, later < 0 ? waiting.length : later));
      const happenings: Happening[] = [];
      for (const posting of postings) {
        while (due.length > 0 && due[0]!.at < posting.at) happenings.push(due.shift()!);
        const ask = isHeld(posting) ? first.get(posting.ref_id) : undefined;
        if (ask !== undefined) happenings.push(ask);
        first.delete(posting.ref_id);
        happenings.push(happeningOf(posting, orders.get(posting.ref_id)));
      }
      return happenings;
    },
    rest: () => asks(waiting),
  };
}

const isHeld = ({ ref_type, to_account }: history.HistoryPosting): boolean => ref_type === 'order' && to_account === 'reserved';

/** What an order of the while was given or gave back is told of the order; everything else simply moved. */
function happeningOf(
  { sku, warehouse_id, quantity, to_account, ref_type, ref_id }: history.HistoryPosting,
  order: history.AskedThen | undefined,
): Happening {
  if (ref_type !== 'order' || order === undefined)
    return { what: 'moved', sku, warehouse_id, change: to_account === 'available' ? quantity : -quantity };
  if (to_account === 'reserved') return { what: 'held', order_id: ref_id, sku, warehouse_id, quantity };
  return { what: 'gave back', order_id: ref_id, sku, quantity, all: order.over };
}
