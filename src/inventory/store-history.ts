/** SQL of what was: the ledger by time, the stock as it was, and what orders asked for. Reads only, a range at a time. */
import { type Reader, statement } from '../db/database.ts';
import { idFloor } from '../kernel/world.ts';
import type { Level } from './domain.ts';
import type { Asked, OrderLine } from './domain-allocation.ts';

const HEAD = 'select coalesce(max(seq), 0) as seq from stock_posting';
const FROM = 'select seq, at from stock_posting where seq >= $1 order by seq limit 1';

export const headOf = async (reader: Reader): Promise<number> => (await reader.raw<{ seq: number }>(HEAD))[0]?.seq ?? 0;

/** The place of the first posting at or after a moment; one beyond the head when there is none. The ledger is in the order of time. */
export async function placeAt(reader: Reader, at: number): Promise<number> {
  let [low, high] = [1, (await headOf(reader)) + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [posting] = await reader.raw<{ seq: number; at: number }>(FROM, [middle]);
    if (posting === undefined || posting.at >= at) high = middle;
    else low = posting.seq + 1;
  }
  return low;
}

const AVAILABLE = `case when p.to_account = 'available' then p.quantity when p.from_account = 'available' then -p.quantity else 0 end`;
const CHANGES = `
  select p.sku, p.warehouse_id, cast(sum(${AVAILABLE}) as bigint) as change from stock_posting p where p.seq >= $1 and p.seq < $2
  group by p.sku, p.warehouse_id`;
const LEVELS = `
  with newer as (select p.sku, p.warehouse_id, sum(${AVAILABLE}) as change from stock_posting p where p.seq >= $3 group by p.sku, p.warehouse_id)
  select l.sku, l.warehouse_id, w.priority, l.safety_stock, l.low_at, cast(l.available - coalesce(n.change, 0) as bigint) as available, 0 as reserved, 0 as unavailable
  from stock_level l join warehouse w on w.id = l.warehouse_id left join newer n on n.sku = l.sku and n.warehouse_id = l.warehouse_id
  where (l.sku, l.warehouse_id) > ($1, $2) order by l.sku, l.warehouse_id limit 2000`;
const POSTINGS_AT_ONCE = 10_000;

/** What was available at a place of the ledger, level by level: today's balances, less what has moved since. Rules and priorities are today's. */
export async function levelsAt(reader: Reader, place: number): Promise<Level[]> {
  const head = (await headOf(reader)) + 1;
  const since = new Map<string, number>();
  for (let from = place; from < head; from += POSTINGS_AT_ONCE) {
    const rows = await reader.raw<{ sku: string; warehouse_id: string; change: number }>(CHANGES, [from, Math.min(head, from + POSTINGS_AT_ONCE)]);
    for (const { sku, warehouse_id, change } of rows) since.set(keyOf(sku, warehouse_id), (since.get(keyOf(sku, warehouse_id)) ?? 0) + change);
  }
  const levels: Level[] = [];
  for (let after = ['', '']; ;) {
    const rows = await reader.raw<Level & Record<string, never>>(LEVELS, [...after, head]);
    levels.push(...rows.map((level) => ({ ...level, available: level.available - (since.get(keyOf(level.sku, level.warehouse_id)) ?? 0) })));
    const last = rows.at(-1);
    if (last === undefined) return levels;
    after = [last.sku, last.warehouse_id];
  }
}
const keyOf = (sku: string, warehouse_id: string): string => `${sku}\n${warehouse_id}`;

export interface HistoryPosting {
  readonly seq: number;
  readonly sku: string;
  readonly warehouse_id: string;
  readonly from_account: string;
  readonly to_account: string;
  readonly quantity: number;
  readonly ref_type: string;
  readonly ref_id: string;
  readonly at: number;
}
const POSTINGS = `
  select seq, sku, warehouse_id, from_account, to_account, quantity, ref_type, ref_id, at from stock_posting
  where seq >= $1 and seq < $2 and (from_account = 'available' or to_account = 'available') order by seq`;
/** What moved available stock between two places of the ledger, in its order. */
export const postingsBetween = (reader: Reader, from: number, to: number): Promise<HistoryPosting[]> =>
  reader.raw<HistoryPosting & Record<string, never>>(POSTINGS, [from, to]);

export interface AskedThen {
  readonly order_id: string;
  readonly created_at: number;
  /** Was all of it given back, or did it lapse? */
  readonly over: boolean;
  readonly asked: Asked | null;
  readonly lines: readonly OrderLine[];
}
type Id = { readonly order_id: string };
const HEADER = `r.order_id, r.created_at, d.asked, case when r.released_at is not null or d.expired_at is not null then 1 else 0 end as over`;
type HeaderRow = Pick<AskedThen, 'order_id' | 'created_at' | 'asked'> & { readonly over: number };
const readHeaders = statement<Id, HeaderRow>(
  { order_id: 'text' },
  (rows) => `
    select ${HEADER} from ${rows} join reservation r on r.order_id = row.order_id left join reservation_detail d on d.order_id = r.order_id`,
  { json: ['asked'] },
);
const readLines = statement<Id, OrderLine & Id>(
  { order_id: 'text' },
  (rows) =>
    `select l.order_id, l.line_id, l.sku, l.quantity from ${rows} join reservation_line l on l.order_id = row.order_id order by l.order_id, l.line_id`,
);
const readUnfilled = statement<{ after: string; before: string; since: number; until: number; most: number }, HeaderRow>(
  { after: 'text', before: 'text', since: 'bigint', until: 'bigint', most: 'bigint' },
  (rows) => `
    select ${HEADER} from ${rows} join reservation r on r.order_id > row.after and r.order_id < row.before
    left join reservation_detail d on d.order_id = r.order_id
    where r.status in ('rejected', 'parted') and r.created_at >= row.since and r.created_at < row.until
      and not exists (select 1 from stock_posting p where p.ref_id = r.order_id and p.ref_type = 'order')
    order by r.order_id limit (select row.most from ${rows})`,
  { json: ['asked'] },
);

async function withLines(reader: Reader, headers: readonly HeaderRow[]): Promise<AskedThen[]> {
  const lines = Map.groupBy(
    await reader.run(
      readLines,
      headers.map(({ order_id }) => ({ order_id })),
    ),
    ({ order_id }) => order_id,
  );
  return headers.map(({ over, ...header }) => ({ ...header, over: over === 1, lines: lines.get(header.order_id) ?? [] }));
}

/** What orders asked for; those that never came to stock are left out. */
export const askedOf = async (reader: Reader, orderIds: readonly string[]): Promise<AskedThen[]> =>
  withLines(
    reader,
    await reader.run(
      readHeaders,
      orderIds.map((order_id) => ({ order_id })),
    ),
  );

/** An order may come to stock so long after it was placed; its id tells when that was. */
const PLACED_BEFORE_MS = 2 * 24 * 3_600_000;
const UNFILLED_AT_ONCE = 1_000;

/** Orders of a while that were given nothing: they are not in the ledger. */
export async function unfilledBetween(reader: Reader, from: number, to: number, most: number): Promise<AskedThen[]> {
  const found: AskedThen[] = [];
  const before = idFloor('ord', to);
  for (let after = idFloor('ord', from - PLACED_BEFORE_MS); found.length < most; after = found.at(-1)!.order_id) {
    const headers = await reader.run(readUnfilled, [{ after, before, since: from, until: to, most: UNFILLED_AT_ONCE }]);
    found.push(...(await withLines(reader, headers)));
    if (headers.length < UNFILLED_AT_ONCE) break;
  }
  return found;
}
