/**
 * What an equation is: something that must hold at every moment, as data.
 *
 * There are four shapes, by where the two sides of the equation live:
 *
 * - A **row check** has both in one database. It is one statement over one chunk of keys, so both sides come from one snapshot and
 *   whatever is being written meanwhile cannot make it lie. Each row it answers says what it is about, what was expected and what
 *   was found, in words; the row is a violation when the two differ.
 * - A **journey check** has its sides in several services, which have no common snapshot. It is a pure function over what the
 *   services say about one order. README.md says in which order that is read, and why it raises no false alarm.
 * - A **belongs check** asks of what a service keeps for an order whether there is such an order.
 * - The **stock check** compares balances with a ledger that may be very long.
 */
import type { Dialect } from '../db/database.ts';
import type { Journey } from './journey.ts';

export interface RowCheck {
  readonly kind: 'rows';
  /** Whose database. */
  readonly service: string;
  /** The parts of the key a chunk goes by: `$1`… of `text`, and the columns `k1`… of its answer. All are text. */
  readonly keys: 1 | 2;
  /**
   * SQL that answers `k1`, (`k2`,) `subject`, `expected`, `found` for the next rows after the key given, in key order. The parameter
   * after the keys is the number of rows.
   */
  text(dialect: Dialect): string;
}

export interface JourneyCheck {
  readonly kind: 'journey';
  /** Undefined when the equation holds for this order, or says nothing about it. */
  find(journey: Journey, now: number): Discrepancy | undefined;
}

/**
 * Whatever a service keeps in the name of an order must have one. The row is read before the order, because the order was committed
 * first: so nothing under way can look like an orphan.
 */
export interface BelongsCheck {
  readonly kind: 'belongs';
  readonly service: string;
  /** SQL that answers `k1` (the key the chunks go by), `order_id` and `subject` for the next `$2` rows after `$1`. */
  readonly text: string;
}

/** Stock against its ledger, which is too long to be asked by sku: stock-walk.ts walks both sides at once. */
export interface StockCheck {
  readonly kind: 'stock';
  readonly side: 'balances' | 'skus';
}

export interface Discrepancy {
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
}

export interface Equation {
  /** As in the README; stable. */
  readonly id: string;
  /** The sentence for a person. */
  readonly title: string;
  readonly checks: readonly (RowCheck | JourneyCheck | BelongsCheck | StockCheck)[];
}

export const rows = (service: string, keys: 1 | 2, text: string | ((dialect: Dialect) => string)): RowCheck => ({
  kind: 'rows',
  service,
  keys,
  text: typeof text === 'string' ? () => text : text,
});

export const journeys = (find: JourneyCheck['find']): JourneyCheck => ({ kind: 'journey', find });

/** `table` keeps rows in the name of the order in its column `order_id`, if that is not null; `key` is its primary key. */
export const belongs = (service: string, table: string, key = 'id'): BelongsCheck => ({
  kind: 'belongs',
  service,
  text: `select ${key} as k1, order_id, '${table} ' || ${key} as subject from ${table} where ${key} > $1 and order_id is not null order by ${key} limit $2`,
});
