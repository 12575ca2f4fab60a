/**
 * SQL for stock levels, their ledger and reservations.
 *
 * Rows are locked in the order of their keys, reservations before levels, so that two transactions can wait for each other only in
 * one direction. What is found under a lock is decided on in memory; the update is guarded all the same.
 */
import { type Database, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { Level, LevelChange, Stock, StockAccount, StockDocument, StockMove } from './domain.ts';
import type { Reservation, ReservedLine } from './domain-reservations.ts';

// ── Levels and the ledger ────────────────────────────────────────────────────────────────────────────────────────────────────

const LEVEL = 'stock_level.sku, stock_level.warehouse_id, warehouse.priority, stock_level.available, stock_level.reserved, stock_level.unavailable';

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
const insertLevels = statement<LevelKey & { updated_at: number }>(
  { sku: 'text', warehouse_id: 'text', updated_at: 'bigint' },
  (rows) => `
    insert into stock_level (sku, warehouse_id, available, reserved, unavailable, updated_at)
    select row.sku, row.warehouse_id, 0, 0, 0, row.updated_at from ${rows} where true order by row.sku, row.warehouse_id
    on conflict (sku, warehouse_id) do nothing`,
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

/** A posting as the ledger keeps it. */
export interface PostingRow extends LevelKey {
  readonly id: string;
  readonly from_account: string;
  readonly to_account: string;
  readonly quantity: number;
  readonly reason: string;
  readonly ref_type: string;
  readonly ref_id: string;
  readonly at: number;
}

const insertPostings = statement<PostingRow>(
  {
    id: 'text',
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
    insert into stock_posting (id, sku, warehouse_id, from_account, to_account, quantity, reason, ref_type, ref_id, at)
    select row.id, row.sku, row.warehouse_id, row.from_account, row.to_account, row.quantity, row.reason, row.ref_type, row.ref_id, row.at from ${rows}`,
);

/** The levels of skus in all warehouses, locked until the transaction ends. Skus nobody ever had are left out. */
export const lockStock = (tx: Tx, skus: Iterable<string>): Promise<Level[]> =>
  tx.run(
    lockLevelsOfSkus,
    [...new Set(skus)].map((sku) => ({ sku })),
  );

/** The levels of skus in one warehouse, locked until the transaction ends; those that are missing are begun at zero. */
export async function lockStockIn(tx: Tx, warehouseId: string, skus: Iterable<string>, now: number): Promise<Level[]> {
  const keys = [...new Set(skus)].map((sku) => ({ sku, warehouse_id: warehouseId, updated_at: now }));
  await tx.run(insertLevels, keys);
  return tx.run(lockLevelsAt, keys);
}

/** Writes what was moved: sums into the levels, each move into the ledger. Throws a Fault, to be tried again, when a guard fails. */
export async function saveStock(tx: Tx, stock: Stock, { now, id }: { now: number; id(): string }): Promise<void> {
  const changes = stock.changes();
  const changed = await tx.run(
    changeLevels,
    changes.map((change) => ({ ...change, updated_at: now })),
  );
  if (changed.length !== changes.length)
    throw new Fault('conflict', `${changes.length - changed.length} stock levels were changed by another transaction`);
  await tx.run(
    insertPostings,
    stock.moves.map((move) => postingRow(move, id(), now)),
  );
}

const postingRow = ({ sku, warehouse_id, from, to, quantity, reason, ref_type, ref_id }: StockMove, id: string, at: number): PostingRow => ({
  id,
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

// ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

type ReservationRow = Omit<Reservation, 'lines'> & { readonly created_at: number; readonly updated_at: number };
type LineRow = ReservedLine & { readonly order_id: string };

const lockReservations = statement<{ order_id: string }, ReservationRow>(
  { order_id: 'text' },
  (rows, dialect) => `
    select reservation.* from ${rows} join reservation on reservation.order_id = row.order_id
    order by reservation.order_id ${dialect.forUpdate('reservation')}`,
);
const readLines = statement<{ order_id: string }, LineRow>(
  { order_id: 'text' },
  (rows) => `
    select reservation_line.* from ${rows} join reservation_line on reservation_line.order_id = row.order_id
    order by reservation_line.order_id, reservation_line.line_id`,
);
const insertReservations = statement<ReservationRow, { order_id: string }>(
  { order_id: 'text', status: 'text', warehouse_id: 'text', released_at: 'bigint', created_at: 'bigint', updated_at: 'bigint' },
  (rows) => `
    insert into reservation (order_id, status, warehouse_id, released_at, created_at, updated_at)
    select row.order_id, row.status, row.warehouse_id, row.released_at, row.created_at, row.updated_at from ${rows} where true order by row.order_id
    on conflict (order_id) do nothing returning order_id`,
);
const updateReservations = statement<Omit<ReservationRow, 'warehouse_id' | 'created_at'>>(
  { order_id: 'text', status: 'text', released_at: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update reservation set status = row.status, released_at = row.released_at, updated_at = row.updated_at
    from ${rows} where reservation.order_id = row.order_id`,
);
const insertLines = statement<LineRow>(
  { order_id: 'text', line_id: 'text', sku: 'text', quantity: 'bigint' },
  (rows) => `
    insert into reservation_line (order_id, line_id, sku, quantity)
    select row.order_id, row.line_id, row.sku, row.quantity from ${rows} order by row.order_id, row.line_id`,
);

/** What is known of orders, locked until the transaction ends; with the lines of those that still hold something. */
export async function loadReservations(tx: Tx, orderIds: Iterable<string>): Promise<Map<string, Reservation>> {
  const rows = await tx.run(
    lockReservations,
    [...new Set(orderIds)].map((order_id) => ({ order_id })),
  );
  const lines = Map.groupBy(
    await tx.run(
      readLines,
      rows.filter(({ status }) => status === 'held'),
    ),
    ({ order_id }) => order_id,
  );
  return new Map(
    rows.map(({ order_id, status, warehouse_id, released_at }) => [
      order_id,
      {
        order_id,
        status,
        warehouse_id,
        released_at,
        lines: (lines.get(order_id) ?? []).map(({ line_id, sku, quantity }) => ({ line_id, sku, quantity })),
      },
    ]),
  );
}

/**
 * Writes reservations: those not `known` before as new rows. Throws a Fault, to be tried again, when somebody else wrote one of them
 * meanwhile: what is new has no row that could be locked.
 */
export async function saveReservations(tx: Tx, known: ReadonlyMap<string, Reservation>, decided: readonly Reservation[], now: number): Promise<void> {
  const fresh = decided.filter(({ order_id }) => !known.has(order_id));
  const inserted = await tx.run(
    insertReservations,
    fresh.map((reservation) => ({ ...reservation, created_at: now, updated_at: now })),
  );
  if (inserted.length !== fresh.length) throw new Fault('conflict', 'another transaction decided about the same orders');
  await tx.run(
    insertLines,
    fresh.flatMap(({ order_id, lines }) => lines.map((line) => ({ ...line, order_id }))),
  );
  await tx.run(
    updateReservations,
    decided
      .filter(({ order_id }) => known.has(order_id))
      .map(({ order_id, status, released_at }) => ({ order_id, status, released_at, updated_at: now })),
  );
}

// ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface StockTables {
  readonly stock_level: LevelKey & Record<StockAccount | 'updated_at', number>;
  readonly stock_posting: PostingRow;
  readonly stock_document: DocumentRow;
}
export type LevelRow = StockTables['stock_level'];
export type LedgerRow = PostingRow & Pick<DocumentRow, 'reference' | 'operation'>;

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

/** Postings, the newest first, at most `limit`. */
export function listPostings(
  db: Database,
  { sku, warehouse_id, ref_id, before, limit }: StockFilter & { ref_id?: string | undefined; before?: string | undefined },
): Promise<LedgerRow[]> {
  let query = db
    .builder<StockTables>()
    .selectFrom('stock_posting')
    .leftJoin('stock_document', 'stock_document.id', 'stock_posting.ref_id')
    .selectAll('stock_posting')
    .select(['stock_document.reference', 'stock_document.operation'])
    .orderBy('stock_posting.id', 'desc')
    .limit(limit);
  if (sku !== undefined) query = query.where('stock_posting.sku', '=', sku);
  if (warehouse_id !== undefined) query = query.where('stock_posting.warehouse_id', '=', warehouse_id);
  if (ref_id !== undefined) query = query.where('stock_posting.ref_id', '=', ref_id);
  if (before !== undefined) query = query.where('stock_posting.id', '<', before);
  return db.read.query(query);
}
