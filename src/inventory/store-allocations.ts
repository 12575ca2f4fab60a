/** SQL for those who want to know where an order's goods are, who waits, and what lay where at some moment. Reads only. */
import { sql } from 'kysely';
import { type Database, type Reader, statement } from '../db/database.ts';
import type { Entry, Part } from './domain-claims.ts';
import type { Detail, Reservation } from './domain-reservations.ts';
import { RUN_BITS } from './store-stock.ts';

type Id = { readonly order_id: string };
type Header = Pick<Reservation, 'order_id' | 'status' | 'warehouse_id' | 'released_at'> & { readonly created_at: number };

const readHeaders = statement<Id, Header>(
  { order_id: 'text' },
  (rows) => `
    select r.order_id, r.status, r.warehouse_id, r.released_at, r.created_at from ${rows} join reservation r on r.order_id = row.order_id`,
);
const readLines = statement<Id, { line_id: string; sku: string; quantity: number }>(
  { order_id: 'text' },
  (rows) => `select l.line_id, l.sku, l.quantity from ${rows} join reservation_line l on l.order_id = row.order_id order by l.line_id`,
);
const readDetails = statement<Id, Detail>(
  { order_id: 'text' },
  (rows) => `
    select d.asked, d.plan, d.revision, d.refused, d.expires_at, d.expired_at from ${rows} join reservation_detail d on d.order_id = row.order_id`,
  { json: ['asked', 'plan', 'refused'] },
);

/** The header of a reservation, with its lines and its detail if it has one; undefined when nothing was ever asked of stock for the order. */
export async function findReservation(reader: Reader, order_id: string): Promise<(Reservation & { readonly created_at: number }) | undefined> {
  const [header] = await reader.run(readHeaders, [{ order_id }]);
  if (header === undefined) return undefined;
  const [detail] = await reader.run(readDetails, [{ order_id }]);
  return { ...header, lines: await reader.run(readLines, [{ order_id }]), ...(detail && { detail }) };
}

const firstPosting = statement<Id, { seq: number | null }>(
  { order_id: 'text' },
  (rows) => `
    select min(p.seq) as seq from ${rows} join stock_posting p on p.ref_id = row.order_id where p.ref_type = 'order' and p.to_account = 'reserved'`,
);
const changesSince = statement<{ run: number; sku: string; seq: number }, { sku: string; warehouse_id: string; change: number }>(
  { run: 'bigint', sku: 'text', seq: 'bigint' },
  (rows) => `
    select p.sku, p.warehouse_id, cast(sum(case when p.to_account = 'available' then p.quantity when p.from_account = 'available' then -p.quantity else 0 end) as bigint) as change
    from ${rows} join stock_posting p on p.seq >> ${RUN_BITS} = row.run and p.sku = row.sku where p.seq >= row.seq group by p.sku, p.warehouse_id`,
);
const levelsOf = statement<{ sku: string }, LevelThen>(
  { sku: 'text' },
  (rows) => `
    select l.sku, l.warehouse_id, w.priority, l.available, l.safety_stock from ${rows} join stock_level l on l.sku = row.sku
    join warehouse w on w.id = l.warehouse_id`,
);
/** Runs of the ledger that are looked through, at most: a million postings. */
const RUNS_MAX = 256;

/** What was available of a sku in a warehouse; the rules are those of today. */
export interface LevelThen {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly priority: number;
  readonly available: number;
  readonly safety_stock: number;
}

/** What lay where before an order was first given anything; undefined when nothing was, or too long ago to be worked out. */
export async function levelsBefore(reader: Reader, order_id: string, skus: readonly string[]): Promise<LevelThen[] | undefined> {
  const [first] = await reader.run(firstPosting, [{ order_id }]);
  const seq = first?.seq ?? undefined;
  if (seq === undefined) return undefined;
  const unique = [...new Set(skus)];
  const levels = await reader.run(
    levelsOf,
    unique.map((sku) => ({ sku })),
  );
  // After the levels: what moves between the two is in one of the sums only, and the answer a little off. It is an explanation, not a balance.
  const [last] = await reader.raw<{ seq: number }>('select coalesce(max(seq), 0) as seq from stock_posting');
  const [from, to] = [Math.floor(seq / 2 ** RUN_BITS), Math.floor((last?.seq ?? 0) / 2 ** RUN_BITS)];
  if (to - from >= RUNS_MAX) return undefined;
  const changes = await reader.run(
    changesSince,
    unique.flatMap((sku) => Array.from({ length: to - from + 1 }, (_, i) => ({ run: from + i, sku, seq }))),
  );
  const change = new Map(changes.map((one) => [`${one.sku}\n${one.warehouse_id}`, one.change]));
  return levels.map((level) => ({ ...level, available: level.available - (change.get(`${level.sku}\n${level.warehouse_id}`) ?? 0) }));
}

/** Where somebody stands who waits. */
export interface Waiting extends Entry {
  readonly place: number;
}
interface WaitingFilter {
  readonly sku?: string | undefined;
  readonly after?: readonly [sku: string, turn: number, since: number, order_id: string, line_id: string] | undefined;
  readonly limit: number;
}

/** Those who wait, by sku and place, at most `limit`. */
export function listWaiting(db: Database, { sku, after, limit }: WaitingFilter): Promise<Waiting[]> {
  const builder = db.builder<{ stock_queue: Entry }>();
  let placed = builder
    .selectFrom('stock_queue')
    .selectAll()
    .select(sql<number>`cast(row_number() over (partition by sku order by turn, since, order_id, line_id) as bigint)`.as('place'));
  if (sku !== undefined) placed = placed.where('sku', '=', sku);
  const order = ['sku', 'turn', 'since', 'order_id', 'line_id'] as const;
  let query = builder
    .selectFrom(placed.as('placed'))
    .selectAll()
    .orderBy([...order])
    .limit(limit);
  if (after !== undefined) query = query.where(({ eb, refTuple, tuple }) => eb(refTuple(...order), '>', tuple(...after)));
  return db.read.query(query);
}

const waitingOf = statement<Id, Waiting>(
  { order_id: 'text' },
  (rows) => `
    select * from (
      select q.order_id, q.line_id, q.sku, q.quantity, q.turn, q.since, q.warehouse_id, q.together,
        cast(row_number() over (partition by q.sku order by q.turn, q.since, q.order_id, q.line_id) as bigint) as place
      from stock_queue q where q.sku in (select own.sku from ${rows} join stock_queue own on own.order_id = row.order_id)
    ) as placed where placed.order_id in (select row.order_id from ${rows}) order by placed.line_id`,
);
/** The lines of an order that wait, with their places. */
export const waitingOfOrder = (reader: Reader, order_id: string): Promise<Waiting[]> => reader.run(waitingOf, [{ order_id }]);

const partsOfOrder = statement<Id, Part>(
  { order_id: 'text' },
  (rows) => `
    select p.order_id, p.line_id, p.sku, p.warehouse_id, p.held, p.gone from ${rows} join reservation_part p on p.order_id = row.order_id
    where p.held > 0 or p.gone > 0 order by p.warehouse_id, p.line_id`,
);
export const findParts = (reader: Reader, order_id: string): Promise<Part[]> => reader.run(partsOfOrder, [{ order_id }]);
