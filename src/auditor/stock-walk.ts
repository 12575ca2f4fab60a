/**
 * Stock balances against their ledger, over a ledger of any length.
 *
 *   fold ──> postings in the order of the ledger, a range at a time, added up by sku and warehouse
 *   walk ──> some skus at a time: their balances, and the postings newer than the fold, in one statement
 *            balance = folded + newer?  else suspect ──> exactly, from the whole ledger, in one statement ──> violation
 *
 * Why not simply sum by sku: the ledger is indexed in runs, not by sku (an index by sku cost inventory a quarter of its speed), so
 * that would read the whole ledger for every chunk of skus. The fold reads it once. On PostgreSQL a posting may be committed after a
 * newer one and be missed by the fold; that makes a suspect, not a violation.
 *
 * Memory grows with the number of stock levels, not with the ledger.
 */
import type { Database } from '../db/database.ts';
import type { Discrepancy } from './equation.ts';

export const ACCOUNTS = ['available', 'reserved', 'unavailable'] as const;
type Account = (typeof ACCOUNTS)[number];

interface Sums extends Record<Account, number> {
  /** What came from beyond the warehouses less what went there. */
  inflow: number;
}
interface SumRow extends Readonly<Sums> {
  readonly sku: string;
  readonly warehouse_id: string;
}
interface WalkRow extends SumRow {
  readonly newer_available: number;
  readonly newer_reserved: number;
  readonly newer_unavailable: number;
  readonly newer_inflow: number;
}

export interface StockWalk {
  readonly db: Database;
  /** Skus compared at a time; of postings, which are cheap to add up, some more. */
  chunk(): number;
  /** Between two statements; answers false when it is time to stop. */
  breathe(): Promise<boolean>;
  /** Told of each level and sku that was compared, and of what differs. */
  balance(discrepancy?: Discrepancy): void;
  sku(discrepancy?: Discrepancy): void;
}

/** What a posting changes about an account. */
export const changeOf = (account: Account): string =>
  `case when p.to_account = '${account}' then p.quantity when p.from_account = '${account}' then -p.quantity else 0 end`;
// What is under way in a transfer is not in any warehouse; S6 follows it there.
const WITHIN = `(${ACCOUNTS.map((account) => `'${account}'`).join(', ')})`;
const INFLOW = `case when p.from_account in ${WITHIN} then 0 else p.quantity end - case when p.to_account in ${WITHIN} then 0 else p.quantity end`;
const SUMS = [
  ...ACCOUNTS.map((account) => `cast(sum(${changeOf(account)}) as bigint) as ${account}`),
  `cast(sum(${INFLOW}) as bigint) as inflow`,
].join(', ');

const RANGE = `select p.sku, p.warehouse_id, ${SUMS} from stock_posting p where p.seq > $1 and p.seq <= $2 group by p.sku, p.warehouse_id`;
const HEAD = 'select coalesce(max(seq), 0) as seq from stock_posting';
const CHUNK = `
  with chunk as (select distinct sku from stock_level where sku > $1 order by sku limit $2),
  newer as (select p.sku, p.warehouse_id, ${SUMS} from stock_posting p where p.seq > $3 group by p.sku, p.warehouse_id)
  select l.sku, l.warehouse_id, l.available, l.reserved, l.unavailable, 0 as inflow,
    ${[...ACCOUNTS, 'inflow'].map((account) => `coalesce(n.${account}, 0) as newer_${account}`).join(', ')}
  from chunk c join stock_level l on l.sku = c.sku left join newer n on n.sku = l.sku and n.warehouse_id = l.warehouse_id
  order by l.sku, l.warehouse_id`;
/** Levels and ledger of one sku from one snapshot; a level or a ledger that is not there is null. */
const EXACTLY = `
  with moved as (select p.sku, p.warehouse_id, ${SUMS} from stock_posting p where p.sku = $1 group by p.sku, p.warehouse_id),
  keys as (select warehouse_id from moved union select warehouse_id from stock_level where sku = $1)
  select k.warehouse_id, l.available, l.reserved, l.unavailable, coalesce(m.available, 0) as moved_available, coalesce(m.reserved, 0) as moved_reserved,
    coalesce(m.unavailable, 0) as moved_unavailable, coalesce(m.inflow, 0) as moved_inflow
  from keys k left join moved m on m.warehouse_id = k.warehouse_id left join stock_level l on l.sku = $1 and l.warehouse_id = k.warehouse_id
  order by k.warehouse_id`;

interface ExactRow {
  readonly warehouse_id: string;
  readonly available: number | null;
  readonly reserved: number | null;
  readonly unavailable: number | null;
  readonly moved_available: number;
  readonly moved_reserved: number;
  readonly moved_unavailable: number;
  readonly moved_inflow: number;
}

/** Postings folded for each sku compared: they take about as long. */
const POSTINGS_PER_SKU = 10;

const nameOf = (sku: string, warehouse: string): string => `${sku}\n${warehouse}`;

export async function walkStock(walk: StockWalk): Promise<void> {
  const { db, breathe } = walk;
  const folded = new Map<string, Sums>();
  let head = 0;

  /** Adds up to the head of the ledger. */
  async function fold(): Promise<boolean> {
    const [top] = await db.read.raw<{ seq: number }>(HEAD);
    while (head < top!.seq) {
      const until = Math.min(top!.seq, head + walk.chunk() * POSTINGS_PER_SKU);
      for (const row of await db.read.raw<SumRow>(RANGE, [head, until])) add(folded, row);
      head = until;
      if (!(await breathe())) return false;
    }
    return true;
  }

  let after = '';
  const visited = new Set<string>();
  while (await fold()) {
    const rows = await db.read.raw<WalkRow>(CHUNK, [after, walk.chunk(), head]);
    const last = rows.at(-1);
    if (last === undefined) break;
    for (const [sku, levels] of Map.groupBy(rows, (row) => row.sku)) {
      visited.add(sku);
      const fits = compareSku(sku, levels, folded);
      for (const level of levels) folded.delete(nameOf(level.sku, level.warehouse_id));
      if (fits) {
        for (const _ of levels) walk.balance();
        walk.sku();
      } else await exactly(walk, sku);
    }
    after = last.sku;
    if (!(await breathe())) return;
  }
  // What is left of the fold has no level: pieces that are nowhere.
  const lost = new Set([...folded.keys()].map((name) => name.slice(0, name.indexOf('\n'))));
  for (const sku of lost) if (!visited.has(sku)) await exactly(walk, sku);
}

function add(folded: Map<string, Sums>, { sku, warehouse_id, ...sums }: SumRow): void {
  const name = nameOf(sku, warehouse_id);
  const known = folded.get(name) ?? { available: 0, reserved: 0, unavailable: 0, inflow: 0 };
  known.available += sums.available;
  known.reserved += sums.reserved;
  known.unavailable += sums.unavailable;
  known.inflow += sums.inflow;
  folded.set(name, known);
}

/** Do the levels of a sku, and their sum, agree with what moved? Also false when a ledger of the sku has no level. */
function compareSku(sku: string, levels: readonly WalkRow[], folded: ReadonlyMap<string, Sums>): boolean {
  let inside = 0;
  let inflow = 0;
  for (const level of levels) {
    const before = folded.get(nameOf(sku, level.warehouse_id));
    for (const account of ACCOUNTS) {
      if (level[account] !== (before?.[account] ?? 0) + level[`newer_${account}`]) return false;
      inside += level[account];
    }
    inflow += (before?.inflow ?? 0) + level.newer_inflow;
  }
  return inside === inflow;
}

/** The whole truth about one sku. */
async function exactly({ db, balance, sku: told }: StockWalk, sku: string): Promise<void> {
  const rows = await db.read.raw<ExactRow>(EXACTLY, [sku]);
  for (const row of rows) {
    const expected = inWords(row.moved_available, row.moved_reserved, row.moved_unavailable);
    const found = row.available === null ? 'no stock level' : inWords(row.available, row.reserved ?? 0, row.unavailable ?? 0);
    const empty = row.available === null && row.moved_available === 0 && row.moved_reserved === 0 && row.moved_unavailable === 0;
    balance(expected === found || empty ? undefined : { subject: `stock of ${sku} in ${row.warehouse_id}`, expected, found });
  }
  const inside = rows.reduce((sum, row) => sum + (row.available ?? 0) + (row.reserved ?? 0) + (row.unavailable ?? 0), 0);
  const inflow = rows.reduce((sum, row) => sum + row.moved_inflow, 0);
  told(inside === inflow ? undefined : { subject: `stock of ${sku}`, expected: `${inflow} pieces inside`, found: `${inside} pieces inside` });
}

const inWords = (available: number, reserved: number, unavailable: number): string =>
  `available ${available}, reserved ${reserved}, unavailable ${unavailable}`;
