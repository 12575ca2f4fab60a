/**
 * Reservations: what an order holds, all of it in one warehouse or nothing.
 *
 *   – ──reserve──> held ──commit──> committed
 *   –, held ──release──> released
 *   – ──reserve──> rejected
 *
 * Commands may overtake each other. A release before its reserve leaves a tombstone (released, nothing held) and the reserve that
 * comes later is ignored. Arriving where one already is says nothing the second time.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import type { Posting } from '../kernel/ledger.ts';
import type { Stock, StockAccount } from './domain.ts';

export type ReservationStatus = 'held' | 'rejected' | 'released' | 'committed';
export type ReservedLine = DataOf<'stock.reserve'>['lines'][number];

export interface Reservation {
  readonly order_id: string;
  readonly status: ReservationStatus;
  /** null when nothing was ever held. */
  readonly warehouse_id: string | null;
  /** When `stock.released` was said (milliseconds UTC): it is said once, whatever there was to release. */
  readonly released_at: number | null;
  readonly lines: readonly ReservedLine[];
}

type AnswerType = 'stock.reserved' | 'stock.rejected' | 'stock.released' | 'stock.committed';
export type StockAnswer = { [T in AnswerType]: { readonly type: T; readonly data: DataOf<T> } }[AnswerType];

/** What becomes of a command; undefined for a duplicate, which changes nothing and says nothing. */
export type Decision = { readonly reservation: Reservation; readonly answer: StockAnswer } | undefined;

/** Holds all lines of an order in one warehouse, the first that has them all, or none of them. Moves `stock`. */
export function reserve(known: Reservation | undefined, { order_id, lines }: DataOf<'stock.reserve'>, stock: Stock): Decision {
  if (known !== undefined) return undefined;
  const wanted = totalsOf(lines);
  const warehouse_id = wanted && warehouseFor(wanted, stock);
  if (warehouse_id === undefined) {
    const reservation: Reservation = { order_id, status: 'rejected', warehouse_id: null, released_at: null, lines: [] };
    return { reservation, answer: { type: 'stock.rejected', data: { order_id, ...rejectionOf(lines, wanted, stock) } } };
  }
  for (const { sku, quantity } of lines) move(stock, 'reserved', { sku, warehouse_id, quantity, order_id, from: 'available', to: 'reserved' });
  return {
    reservation: { order_id, status: 'held', warehouse_id, released_at: null, lines },
    answer: { type: 'stock.reserved', data: { order_id, warehouse_id, lines: [...lines] } },
  };
}

/** Gives back what an order holds, if anything, and says so once. Before the reserve it leaves a tombstone. Moves `stock`. */
export function release(known: Reservation | undefined, { order_id }: DataOf<'stock.release'>, stock: Stock, now: number): Decision {
  if (known && known.released_at !== null) return undefined;
  const answer: StockAnswer = { type: 'stock.released', data: { order_id } };
  if (known === undefined) return { reservation: { order_id, status: 'released', warehouse_id: null, released_at: now, lines: [] }, answer };
  if (known.status !== 'held') return { reservation: { ...known, released_at: now }, answer };
  const warehouse_id = known.warehouse_id!;
  for (const { sku, quantity } of known.lines) move(stock, 'released', { sku, warehouse_id, quantity, order_id, from: 'reserved', to: 'available' });
  return { reservation: { ...known, status: 'released', released_at: now }, answer };
}

/**
 * The goods of an order have left the building. Moves `stock`.
 * Throws the Fault `reservation_state` when none were held: goods that leave without a reservation are for people to look into.
 */
export function commit(known: Reservation | undefined, { order_id }: DataOf<'stock.commit'>, stock: Stock): Decision {
  if (known?.status === 'committed') return undefined;
  if (known?.status !== 'held')
    throw new Fault('reservation_state', `the goods of ${order_id} have left, and its reservation is ${known?.status ?? 'unknown'}, not held`);
  const warehouse_id = known.warehouse_id!;
  for (const { sku, quantity } of known.lines)
    move(stock, 'committed', { sku, warehouse_id, quantity, order_id, from: 'reserved', to: 'outside:customer' });
  return { reservation: { ...known, status: 'committed' }, answer: { type: 'stock.committed', data: { order_id } } };
}

interface OrderMove extends Posting<StockAccount> {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly order_id: string;
}

/** A posting that was looked into beforehand: when it cannot be made, a balance is not what the reservations say. */
function move(stock: Stock, reason: string, { sku, warehouse_id, quantity, order_id, from, to }: OrderMove): void {
  if (!stock.move({ sku, warehouse_id, from, to, quantity, reason, ref_type: 'order', ref_id: order_id }))
    throw new Fault('internal', `${quantity} of ${sku} in ${warehouse_id} cannot be ${reason} for ${order_id}: the balance is too low`);
}

/** What is wanted of each sku; undefined when the lines cannot be right. */
function totalsOf(lines: readonly ReservedLine[]): ReadonlyMap<string, number> | undefined {
  const totals = new Map<string, number>();
  const ids = new Set<string>();
  for (const { line_id, sku, quantity } of lines) {
    if (!Number.isSafeInteger(quantity) || quantity < 1) return undefined;
    ids.add(line_id);
    totals.set(sku, (totals.get(sku) ?? 0) + quantity);
  }
  return lines.length > 0 && ids.size === lines.length ? totals : undefined;
}

function warehouseFor(wanted: ReadonlyMap<string, number>, stock: Stock): string | undefined {
  const [first] = wanted.keys();
  return stock.cellsOf(first!).find(({ found: { warehouse_id } }) => {
    for (const [sku, quantity] of wanted) if ((stock.cell(sku, warehouse_id)?.now.available ?? 0) < quantity) return false;
    return true;
  })?.found.warehouse_id;
}

/** Why not: the skus no warehouse has enough of, or all when each has some warehouse but no warehouse has them all. */
function rejectionOf(
  lines: readonly ReservedLine[],
  wanted: ReadonlyMap<string, number> | undefined,
  stock: Stock,
): Omit<DataOf<'stock.rejected'>, 'order_id'> {
  if (wanted === undefined) return { reason: 'invalid_lines', lines: lines.map(({ sku, quantity }) => ({ sku, requested: quantity, available: 0 })) };
  const most = (sku: string): number => Math.max(0, ...stock.cellsOf(sku).map(({ now }) => now.available));
  const all = [...wanted].map(([sku, requested]) => ({ sku, requested, available: most(sku) }));
  const short = all.filter(({ requested, available }) => available < requested);
  return short.length > 0 ? { reason: 'out_of_stock', lines: short } : { reason: 'no_single_warehouse', lines: all };
}
