/**
 * SQL for reservations: a header for each order ever asked about, which is also the tombstone, and a row for each line held.
 */
import { type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { Reservation, ReservedLine } from './domain-reservations.ts';

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
