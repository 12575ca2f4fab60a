/**
 * Reservations: what an order holds. Here is the ordinary one, all of it in one warehouse or nothing; domain-parted.ts has the others.
 *
 *   – ──reserve──> held ──commit──> committed
 *   –, held ──release──> released
 *   – ──reserve──> rejected
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import type { Posting } from '../kernel/ledger.ts';
import { type Stock, type StockAccount, free } from './domain.ts';
import type { Asked, OrderLine, Plan } from './domain-allocation.ts';

export type ReservationStatus = 'held' | 'rejected' | 'released' | 'committed' | 'parted';

export interface Reservation {
  readonly order_id: string;
  readonly status: ReservationStatus;
  /** null when nothing was ever held; of a parted one, where it began. */
  readonly warehouse_id: string | null;
  /** When `stock.released` was said (milliseconds UTC): it is said once, whatever there was to release. */
  readonly released_at: number | null;
  /** What the order wants. Loaded where something is held or may come back. */
  readonly lines: readonly OrderLine[];
  /** Absent until it is written. */
  readonly created_at?: number;
  /** Of those that are not ordinary, or were not chosen in the ordinary way. */
  readonly detail?: Detail;
}

export interface ShortSku {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
}

export interface Detail {
  readonly asked: Asked | null;
  readonly plan: Pick<Plan, 'strategy' | 'rejected'> | null;
  /** Of the last `stock.change`; 0 before the first. */
  readonly revision: number;
  /** What that change was refused for; null when it was not. */
  readonly refused: readonly ShortSku[] | null;
  /** Milliseconds UTC; null for never. */
  readonly expires_at: number | null;
  readonly expired_at: number | null;
}

type AnswerType =
  `stock.${'reserved' | 'rejected' | 'released' | 'committed' | 'changed' | 'change_rejected' | 'shorted' | 'expired' | 'taken_back' | 'filled'}`;
/** With `waits`, what the order still waits for is added once its place in the line is known. */
export type StockAnswer = { [T in AnswerType]: { readonly type: T; readonly data: DataOf<T>; readonly waits?: true } }[AnswerType];

/** What becomes of a command; undefined for a duplicate, which changes nothing and says nothing. */
export type Decision = { readonly reservation: Reservation; readonly answer?: StockAnswer } | undefined;

/** Holds all lines of an order in one warehouse, the first that has them all, or none of them. Moves `stock`. */
export function reserve(known: Reservation | undefined, { order_id, lines }: DataOf<'stock.reserve'>, stock: Stock): Decision {
  if (known !== undefined) return undefined;
  const wanted = wantedOf(lines);
  const warehouse_id = wanted && warehouseFor(wanted, stock);
  if (warehouse_id === undefined) return rejected({ order_id, lines }, wanted, rejectionOf(lines, wanted, stock));
  for (const { sku, quantity } of lines) move(stock, 'reserved', { sku, warehouse_id, quantity, order_id, from: 'available', to: 'reserved' });
  return {
    reservation: { order_id, status: 'held', warehouse_id, released_at: null, lines },
    answer: { type: 'stock.reserved', data: { order_id, warehouse_id, lines: [...lines] } },
  };
}

/** Lines that make no sense are not kept. */
export function rejected(
  { order_id, lines }: Pick<DataOf<'stock.reserve'>, 'order_id' | 'lines'>,
  wanted: ReadonlyMap<string, number> | undefined,
  rejection: Omit<DataOf<'stock.rejected'>, 'order_id'>,
): NonNullable<Decision> {
  return {
    reservation: { order_id, status: 'rejected', warehouse_id: null, released_at: null, lines: wanted === undefined ? [] : lines },
    answer: { type: 'stock.rejected', data: { order_id, ...rejection } },
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
 * The goods of an order have left the building, all of them. Moves `stock`.
 * Throws the Fault `reservation_state` when none were held: goods that leave without a reservation are for people to look into.
 */
export function commit(known: Reservation | undefined, { order_id }: DataOf<'stock.commit'>, stock: Stock): Decision {
  if (known?.status === 'committed') return undefined;
  if (known?.status !== 'held') throw unheld(order_id, known);
  const warehouse_id = known.warehouse_id!;
  for (const { sku, quantity } of known.lines)
    move(stock, 'committed', { sku, warehouse_id, quantity, order_id, from: 'reserved', to: 'outside:customer' });
  return { reservation: { ...known, status: 'committed' }, answer: { type: 'stock.committed', data: { order_id } } };
}

export const unheld = (order_id: string, known: Reservation | undefined): Fault =>
  new Fault('reservation_state', `goods of ${order_id} have moved, and its reservation is ${known?.status ?? 'unknown'}: nothing is held for it`);

export interface OrderMove extends Posting<StockAccount> {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly order_id: string;
}

/** A posting that was looked into beforehand: when it cannot be made, a balance is not what the reservations say. */
export function move(stock: Stock, reason: string, { sku, warehouse_id, quantity, order_id, from, to }: OrderMove): void {
  if (!stock.move({ sku, warehouse_id, from, to, quantity, reason, ref_type: 'order', ref_id: order_id }))
    throw new Fault('internal', `${quantity} of ${sku} in ${warehouse_id} cannot be ${reason} for ${order_id}: the balance is too low`);
}

/** What is wanted of each sku; undefined when the lines cannot be right. */
export function wantedOf(lines: readonly OrderLine[]): ReadonlyMap<string, number> | undefined {
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
    for (const [sku, quantity] of wanted) {
      const cell = stock.cell(sku, warehouse_id);
      if (cell === undefined || free(cell) < quantity) return false;
    }
    return true;
  })?.found.warehouse_id;
}

/** Why not: the skus no warehouse has enough of, or all when each has some warehouse but no warehouse has them all. */
export function rejectionOf(
  lines: readonly OrderLine[],
  wanted: ReadonlyMap<string, number> | undefined,
  stock: Stock,
): Omit<DataOf<'stock.rejected'>, 'order_id'> {
  if (wanted === undefined) return { reason: 'invalid_lines', lines: lines.map(({ sku, quantity }) => ({ sku, requested: quantity, available: 0 })) };
  const most = (sku: string): number => Math.max(0, ...stock.cellsOf(sku).map(free));
  const all = [...wanted].map(([sku, requested]) => ({ sku, requested, available: most(sku) }));
  const short = all.filter(({ requested, available }) => available < requested);
  return short.length > 0 ? { reason: 'out_of_stock', lines: short } : { reason: 'no_single_warehouse', lines: all };
}
