/**
 * SQL for stock levels and their ledger.
 *
 * Levels are locked in the order of their keys, after warehouses and reservations, so that two transactions can wait for each other
 * only in one direction. What is found under a lock is decided on in memory; the update is guarded all the same.
 */
import { sql } from 'kysely';
import { type Database, type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { Level, LevelChange, Stock, StockAccount, StockBalances, StockMove } from './domain.ts';
import type { StockDocument } from './domain-hand.ts';

const LEVEL = `stock_level.sku, stock_level.warehouse_id, warehouse.priority, stock_level.available, stock_level.reserved, stock_level.unavailable,
  stock_level.safety_stock, stock_level.low_at`;

const lockLevelsOfSkus = statement<{ sku: string }, Level>(
  { sku: 'text' },
  (rows, dialect) => `
    select ${LEVEL} from ${rows} join stock_level on stock_level.sku = row.sku join warehouse on warehouse.id = stock_level.warehouse_id
    order by stock_level.sku, stock_level.warehouse_id ${dialect.forUpdate('stock_level')}`,
);
const lockLevelsAt = statement<LevelKey, Level>(
  { sku: 'text', warehouse_id: 'text' },
  (rows, dialect) => `
    select ${LEVEL} from ${rows} join stock_level on stock_level.sku = row.sku and stock_level.warehouse_id = row.warehouse_id
    join warehouse on warehouse.id = stock_level.warehouse_id
    order by stock_level.sku, stock_level.warehouse_id ${dialect.forUpdate('stock_level')}`,
);
const insertLevels = statement<LevelKey & { updated_at: number }, LevelKey>(
  { sku: 'text', warehouse_id: 'text', updated_at: 'bigint' },
  (rows) => `
    insert into stock_level (sku, warehouse_id, available, reserved, unavailable, safety_stock, low_at, updated_at)
    select distinct row.sku, row.warehouse_id, 0, 0, 0, coalesce(own.safety_stock, p.safety_stock, 0), coalesce(own.low_at, p.low_at), row.updated_at
    from ${rows} left join product p on p.sku = row.sku
    left join stock_setting own on own.sku = row.sku and own.warehouse_id = row.warehouse_id where true order by row.sku, row.warehouse_id
    on conflict (sku, warehouse_id) do nothing returning sku, warehouse_id`,
);
const changeLevels = statement<LevelChange & { updated_at: number }, { sku: string }>(
  { sku: 'text', warehouse_id: 'text', available: 'bigint', reserved: 'bigint', unavailable: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update stock_level set available = stock_level.available + row.available, reserved = stock_level.reserved + row.reserved,
      unavailable = stock_level.unavailable + row.unavailable, updated_at = row.updated_at
    from ${rows} where stock_level.sku = row.sku and stock_level.warehouse_id = row.warehouse_id
      and stock_level.available + row.available >= 0 and stock_level.reserved + row.reserved >= 0 and stock_level.unavailable + row.unavailable >= 0
    returning stock_level.sku`,
);

interface LevelKey {
  readonly sku: string;
  readonly warehouse_id: string;
}

interface NewPosting extends LevelKey {
  readonly from_account: string;
  readonly to_account: string;
  readonly quantity: number;
  readonly reason: string;
  readonly ref_type: string;
  readonly ref_id: string;
  readonly at: number;
}

/** A posting as the ledger keeps it; `seq` is its place. */
export interface PostingRow extends NewPosting {
  readonly seq: number;
}

const insertPostings = statement<NewPosting>(
  {
    sku: 'text',
    warehouse_id: 'text',
    from_account: 'text',
    to_account: 'text',
    quantity: 'bigint',
    reason: 'text',
    ref_type: 'text',
    ref_id: 'text',
    at: 'bigint',
  },
  (rows) => `
    insert into stock_posting (sku, warehouse_id, from_account, to_account, quantity, reason, ref_type, ref_id, at)
    select row.sku, row.warehouse_id, row.from_account, row.to_account, row.quantity, row.reason, row.ref_type, row.ref_id, row.at from ${rows}`,
);

const countLevelsOf = statement<{ sku: string }, { levels: number }>(
  { sku: 'text' },
  (rows) => `select cast(count(*) as bigint) as levels from ${rows} join stock_level on stock_level.sku = row.sku`,
);
/** How many levels skus have, whoever holds them. */
export const countLevels = async (tx: Tx, skus: Iterable<string>): Promise<number> =>
  (
    await tx.run(
      countLevelsOf,
      [...new Set(skus)].map((sku) => ({ sku })),
    )
  )[0]?.levels ?? 0;

/** The levels of skus in all warehouses, locked until the transaction ends. Skus nobody ever had are left out. */
export const lockStock = (tx: Tx, skus: Iterable<string>): Promise<Level[]> =>
  tx.run(
    lockLevelsOfSkus,
    [...new Set(skus)].map((sku) => ({ sku })),
  );

const readLevelsAt = statement<LevelKey, Level>(
  { sku: 'text', warehouse_id: 'text' },
  (rows) => `
    select ${LEVEL} from ${rows} join stock_level on stock_level.sku = row.sku and stock_level.warehouse_id = row.warehouse_id
    join warehouse on warehouse.id = stock_level.warehouse_id`,
);
/** The levels of skus in one warehouse, as they are now. */
export const findLevels = (reader: Reader, warehouseId: string, lines: readonly { readonly sku: string }[]): Promise<Level[]> =>
  reader.run(
    readLevelsAt,
    lines.map(({ sku }) => ({ sku, warehouse_id: warehouseId })),
  );

/**
 * The levels of skus in one warehouse (and, with `everywhere`, in all others), locked until the transaction ends; those that are missing in
 * that one are begun at zero.
 */
export async function lockStockIn(
  tx: Tx,
  warehouseId: string,
  skus: Iterable<string>,
  now: number,
  { everywhere = false }: { readonly everywhere?: boolean } = {},
): Promise<Level[]> {
  const keys = [...new Set(skus)].map((sku) => ({ sku, warehouse_id: warehouseId }));
  const begun = new Set((await beginLevels(tx, keys, now)).map(({ sku }) => sku));
  const levels = await tx.run(everywhere ? lockLevelsOfSkus : lockLevelsAt, keys);
  return levels.map((level) => (level.warehouse_id === warehouseId && begun.has(level.sku) ? { ...level, begun: true } : level));
}

/** The levels of skus in one warehouse, as far as there are any, locked until the transaction ends. */
export const lockLevelsIn = (tx: Tx, warehouseId: string, skus: Iterable<string>): Promise<Level[]> =>
  tx.run(
    lockLevelsAt,
    [...new Set(skus)].map((sku) => ({ sku, warehouse_id: warehouseId })),
  );

/** Begins levels at zero where there are none; answers those. */
export const beginLevels = (tx: Tx, keys: readonly LevelKey[], now: number): Promise<LevelKey[]> =>
  tx.run(
    insertLevels,
    keys.map((key) => ({ ...key, updated_at: now })),
  );

/** Writes what was moved: sums into the levels, each move into the ledger. Throws a Fault, to be tried again, when a guard fails. */
export async function saveStock(tx: Tx, stock: Stock, now: number): Promise<void> {
  const changes = stock.changes();
  const changed = await tx.run(
    changeLevels,
    changes.map((change) => ({ ...change, updated_at: now })),
  );
  if (changed.length !== changes.length)
    throw new Fault('conflict', `${changes.length - changed.length} stock levels were changed by another transaction`);
  await tx.run(
    insertPostings,
    stock.moves.map((move) => postingRow(move, now)),
  );
}

const postingRow = ({ sku, warehouse_id, from, to, quantity, reason, ref_type, ref_id }: StockMove, at: number): NewPosting => ({
  sku,
  warehouse_id,
  from_account: from,
  to_account: to,
  quantity,
  reason,
  ref_type,
  ref_id,
  at,
});

const readStockOf = statement<{ warehouse_id: string }, { warehouse_id: string }>(
  { warehouse_id: 'text' },
  (rows) => `
    select row.warehouse_id from ${rows} where exists (
      select 1 from stock_level where stock_level.warehouse_id = row.warehouse_id and available + reserved + unavailable > 0)`,
);
export const holdsStock = async (tx: Tx, warehouseId: string): Promise<boolean> =>
  (await tx.run(readStockOf, [{ warehouse_id: warehouseId }])).length > 0;

export interface DocumentRow extends Pick<StockDocument, 'id' | 'kind' | 'warehouse_id'> {
  readonly reference: string | null;
  readonly client: string;
  readonly operation: string | null;
  readonly created_at: number;
}
const insertDocuments = statement<DocumentRow>(
  { id: 'text', kind: 'text', warehouse_id: 'text', reference: 'text', client: 'text', operation: 'text', created_at: 'bigint' },
  (rows) => `
    insert into stock_document (id, kind, warehouse_id, reference, client, operation, created_at)
    select row.id, row.kind, row.warehouse_id, row.reference, row.client, row.operation, row.created_at from ${rows}`,
);
export const insertDocument = (tx: Tx, document: DocumentRow): Promise<unknown> => tx.run(insertDocuments, [document]);

interface StockTables {
  readonly stock_level: LevelKey & Record<StockAccount | 'safety_stock' | 'updated_at', number> & Pick<Level, 'low_at'>;
  readonly stock_posting: PostingRow;
  readonly stock_document: DocumentRow;
}
export type LevelRow = StockTables['stock_level'];
export type LedgerRow = PostingRow & Pick<DocumentRow, 'reference' | 'operation'> & { readonly actor: string | null };

interface StockFilter {
  readonly sku?: string | undefined;
  readonly warehouse_id?: string | undefined;
  readonly limit: number;
}

/** Levels in order of sku and warehouse, at most `limit`. */
export function listLevels(
  db: Database,
  { sku, warehouse_id, after, limit }: StockFilter & { after?: readonly [string, string] | undefined },
): Promise<LevelRow[]> {
  let query = db.builder<StockTables>().selectFrom('stock_level').selectAll().orderBy('sku').orderBy('warehouse_id').limit(limit);
  if (sku !== undefined) query = query.where('sku', '=', sku);
  if (warehouse_id !== undefined) query = query.where('warehouse_id', '=', warehouse_id);
  if (after !== undefined) query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('sku', 'warehouse_id'), '>', tuple(...after)));
  return db.read.query(query);
}

// The index by sku is one for each run of 2^12 postings (see the migration), so that a look at a sku's history is a seek in each run.
export const RUN_BITS = 12;
/** Runs looked at for one page: a million postings by sku (256 seeks), 65,536 when only a warehouse narrows them down. */
const RUNS_BY_SKU = 256;
const RUNS_ELSE = 16;

export interface PostingFilter extends StockFilter {
  readonly ref_id?: string | undefined;
  /** Only postings before this place. */
  readonly before?: number | undefined;
  /** Runs to look at, for tests. */
  readonly runs?: number;
}

/**
 * Postings, the newest first, at most `limit`; `next` is where to go on, null at the end. There may be more after a short page, even an empty
 * one. `level` is the level of the first of them at the moment they were read.
 */
export async function listPostings(
  db: Database,
  filter: PostingFilter,
): Promise<{ items: LedgerRow[]; next: number | null; level: StockBalances | undefined }> {
  const { sku, warehouse_id, ref_id, limit, runs = sku === undefined ? RUNS_ELSE : RUNS_BY_SKU } = filter;
  const before = filter.before ?? (await lastSeq(db)) + 1;
  const lastRun = Math.floor((before - 1) / 2 ** RUN_BITS);
  const firstRun = ref_id === undefined ? Math.max(0, lastRun - runs + 1) : 0; // ref_id has an index of its own
  let query = db
    .builder<StockTables>()
    .selectFrom('stock_posting')
    .leftJoin('stock_document', 'stock_document.id', 'stock_posting.ref_id')
    .leftJoin('stock_level', (join) =>
      join.onRef('stock_level.sku', '=', 'stock_posting.sku').onRef('stock_level.warehouse_id', '=', 'stock_posting.warehouse_id'),
    )
    .selectAll('stock_posting')
    .select(['stock_document.reference', 'stock_document.client as actor', 'stock_document.operation'])
    .select(['stock_level.available', 'stock_level.reserved', 'stock_level.unavailable'])
    .where('stock_posting.seq', '<', before)
    .orderBy('stock_posting.seq', 'desc')
    .limit(limit + 1);
  if (ref_id !== undefined) query = query.where('stock_posting.ref_id', '=', ref_id);
  else if (sku === undefined) query = query.where('stock_posting.seq', '>=', firstRun * 2 ** RUN_BITS);
  else
    query = query.where(
      sql<number>`stock_posting.seq >> ${sql.lit(RUN_BITS)}`,
      'in',
      Array.from({ length: lastRun - firstRun + 1 }, (_, i) => firstRun + i),
    );
  if (sku !== undefined) query = query.where('stock_posting.sku', '=', sku);
  if (warehouse_id !== undefined) query = query.where('stock_posting.warehouse_id', '=', warehouse_id);
  const rows = await db.read.query(query);
  const [first] = rows;
  const level = first && { available: first.available ?? 0, reserved: first.reserved ?? 0, unavailable: first.unavailable ?? 0 };
  const items = rows.slice(0, limit);
  if (rows.length > limit) return { items, next: items.at(-1)!.seq, level };
  return { items, next: firstRun > 0 ? firstRun * 2 ** RUN_BITS : null, level };
}

async function lastSeq(db: Database): Promise<number> {
  const query = db.builder<StockTables>().selectFrom('stock_posting').select('seq').orderBy('seq', 'desc').limit(1);
  return (await db.read.query(query))[0]?.seq ?? 0;
}
