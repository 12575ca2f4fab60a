/**
 * Where the money of an order is, and what follows: what is due, what may be given back, what a shipment is to be captured for.
 *
 * Of an ordinary order it follows from the payment stop: all of it is held, or all of it is captured. From the first thing that makes it
 * otherwise, it is kept with the journey.
 */
import { liveOf, onOrder, worthOf } from './domain-charges.ts';
import { type Order, linesOf, stateOfStop } from './domain-order.ts';
import { type Shipment, hasLeft, isLeaving } from './domain-shipment-table.ts';

/** Minor units, as payments told. */
export interface Money {
  /** Authorised, neither captured nor given up. */
  readonly held: number;
  /** Ever captured, and paid elsewhere. */
  readonly captured: number;
  /** Of `captured`: paid elsewhere, as a person said. */
  readonly external: number;
  readonly refunded: number;
}

/** Money that is being given back, or could not be. */
export interface Refund {
  readonly refund_id: string;
  readonly amount: number;
  readonly reason: string;
  readonly since: number;
  readonly deadline: number;
  readonly return_id?: string | undefined;
  /** Why it could not be; such a one stays until money is given back anew. */
  readonly failed?: string | undefined;
}

type Paying = Pick<Order, 'total' | 'journey'>;

export function moneyOf({ total, journey }: Paying): Money {
  if (journey.money !== undefined) return journey.money;
  const nothing: Money = { held: 0, captured: 0, external: 0, refunded: 0 };
  switch (stateOfStop(journey.stops, 'payment')) {
    case 'done':
    case 'undoing':
      return { ...nothing, held: total };
    case 'settled':
      return { ...nothing, captured: total };
    default:
      return nothing;
  }
}

/** Asked for and not answered. */
export const refundingOf = ({ refunds = [] }: Order['journey']): number =>
  refunds.reduce((sum, { amount, failed }) => sum + (failed === undefined ? amount : 0), 0);

/** What can be given back the way it came: what was paid elsewhere is given back elsewhere. */
export const refundableOf = (order: Paying): number => {
  const { captured, external, refunded } = moneyOf(order);
  return captured - external - refunded - refundingOf(order.journey);
};

/** Does the waybill take money? Without, it is somebody else's business. */
const takesMoney = ({ journey }: Paying): boolean => stateOfStop(journey.stops, 'payment') !== undefined;

/** What is to be paid in the end. */
const payableOf = ({ total, journey }: Paying): number => (journey.at === 'cancelled' || journey.reason !== null ? 0 : total);

/** Below zero when more was taken than is to be paid. */
export function dueOf(order: Paying): number {
  if (!takesMoney(order)) return 0;
  const { captured, refunded } = moneyOf(order);
  return payableOf(order) - (captured - refunded);
}

export const PAYMENT_FACETS = ['not_required', 'unpaid', 'partial', 'authorized', 'paid', 'overpaid', 'refunded'] as const;

export function paymentFacet(order: Paying): (typeof PAYMENT_FACETS)[number] {
  const payable = payableOf(order);
  const { held, captured, refunded } = moneyOf(order);
  const net = captured - refunded;
  if (!takesMoney(order)) return 'not_required';
  if (net > payable) return 'overpaid';
  if (net === 0 && refunded > 0) return 'refunded';
  if (order.total === 0) return 'not_required';
  if (payable > 0 && net === payable) return 'paid';
  if (payable > 0 && net + held >= payable) return 'authorized';
  if (net + held > 0) return 'partial';
  return 'unpaid';
}

/** What is asked of payments for shipments that are about to leave. */
const capturing = ({ shipments = [] }: Order['journey']): number =>
  shipments.reduce((sum, { state, amount = 0, paid }) => sum + (state === 'capturing' && paid !== true ? amount : 0), 0);

/** What has been neither taken nor asked for. */
const remainingOf = (order: Order): number => {
  const { captured, refunded } = moneyOf(order);
  return order.total - (captured - refunded - refundingOf(order.journey)) - capturing(order.journey);
};

/**
 * What a shipment is captured for: its pieces; the first one also pays what is charged on the order; the last one takes what is left, so
 * that the sum is exact. Never more than is left, and nothing where the waybill takes no money.
 */
export function captureFor(order: Order, shipment: Shipment): number {
  const { journey } = order;
  if (!takesMoney(order)) return 0;
  const remaining = Math.max(0, remainingOf(order));
  const lines = linesOf(order);
  const leaving = (journey.shipments ?? []).filter((other) => other.id !== shipment.id && isLeaving(other));
  const covered = sumPieces([...leaving, shipment].flatMap((one) => one.lines));
  if (lines.every((line) => (covered.get(line.id) ?? 0) >= liveOf(line))) return remaining;
  const worth = worthOf({ lines, charges: order.charges }, shipment.lines) + (leaving.length === 0 ? onOrder(order.charges) : 0);
  return Math.min(remaining, Math.max(0, worth));
}

/** Pieces of each line that have left, by line. */
export function leftPieces({ shipments = [] }: Order['journey']): Map<string, number> {
  return sumPieces(shipments.filter(hasLeft).flatMap(({ lines }) => lines));
}

export function sumPieces(pieces: readonly { readonly line_id: string; readonly quantity: number }[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { line_id, quantity } of pieces) sums.set(line_id, (sums.get(line_id) ?? 0) + quantity);
  return sums;
}
