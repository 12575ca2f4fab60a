/**
 * Returns: goods that come back, sent by a customer or undelivered. README.md draws the states; the table below is the machine.
 *
 * What may be returned is what was delivered and is in no other return that counts. What came is said once, when it came; stock takes it
 * back, and only then it is received.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault, type FieldError, Refusal } from '../kernel/errors.ts';
import { checkedNumber } from './domain-number.ts';
import type { Parcel } from './domain-parcels.ts';
import { returnIdOf } from './domain-parcels.ts';
import { type Shipment, type ShipmentLine, shippedLines } from './domain-shipment.ts';

export const RETURN_STATUSES = ['requested', 'approved', 'receiving', 'received', 'closed', 'rejected', 'cancelled'] as const;
export type ReturnStatus = (typeof RETURN_STATUSES)[number];
export type Disposition = DataOf<'stock.take_back'>['lines'][number]['disposition'];

export interface ReturnLine extends ShipmentLine {
  readonly reason: string;
}
export interface ReceivedLine extends ShipmentLine {
  readonly disposition: Disposition;
}

/** A row of the table `returns`. */
export interface Return {
  readonly id: string;
  /** What the customer writes on the parcel. */
  readonly number: string;
  readonly order_id: string;
  readonly order_number: string | null;
  readonly status: ReturnStatus;
  /** The parcel that came back by itself; null when a customer sends something. */
  readonly parcel_id: string | null;
  /** Where it is expected, and once it came, where it came. */
  readonly warehouse_id: string;
  /** What is expected. */
  readonly lines: readonly ReturnLine[];
  /** What came; null before. */
  readonly received: readonly ReceivedLine[] | null;
  readonly note: string | null;
  readonly rejection: string | null;
  readonly received_at: number | null;
  /** Events said about it. */
  readonly sequence: number;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

type Said = `return.${'requested' | 'approved' | 'rejected' | 'received' | 'cancelled' | 'closed'}`;
export type ReturnEvent = { [T in Said]: { readonly type: T; readonly data: DataOf<T> } }[Said];
type TakeBack = { readonly type: 'stock.take_back'; readonly data: DataOf<'stock.take_back'> };
export interface ReturnStep {
  readonly back: Return;
  readonly events: readonly ReturnEvent[];
  readonly asks?: TakeBack;
}

type Act = 'go' | 'same' | 'refuse' | 'breach' | 'idle';
type Row = readonly [Act, Act, Act, Act, Act, Act, Act];
// oxfmt-ignore
const TABLE = {
  //           requested approved  receiving received  closed    rejected  cancelled
  approve:    ['go',     'same',   'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  reject:     ['go',     'refuse', 'refuse', 'refuse', 'refuse', 'same',   'refuse'],
  cancel:     ['go',     'go',     'refuse', 'refuse', 'refuse', 'refuse', 'same'],
  receive:    ['refuse', 'go',     'go',     'refuse', 'refuse', 'refuse', 'refuse'],
  taken_back: ['breach', 'breach', 'go',     'idle',   'idle',   'breach', 'breach'],
  close:      ['refuse', 'refuse', 'refuse', 'go',     'same',   'refuse', 'refuse'],
} as const satisfies Record<string, Row>;
export type ReturnTrigger = keyof typeof TABLE;
export const RETURN_TRIGGERS = Object.keys(TABLE) as readonly ReturnTrigger[];
export const returnActOf = (status: ReturnStatus, trigger: ReturnTrigger): Act => TABLE[trigger][RETURN_STATUSES.indexOf(status)]!;

const POSSIBLE: Readonly<Record<ReturnStatus, string>> = {
  requested: 'it can be approved, rejected or cancelled',
  approved: 'it can be received or cancelled',
  receiving: 'what came can be received, once; then stock takes it back',
  received: 'it can be closed',
  closed: 'nothing more happens to it',
  rejected: 'nothing more happens to it',
  cancelled: 'nothing more happens to it',
};

// ── What may be returned ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** One line of an order, in pieces. */
export interface Returnable {
  readonly line_id: string;
  readonly sku: string;
  readonly delivered: number;
  /** In returns that are neither rejected nor cancelled; of received ones, what came. */
  readonly returned: number;
  readonly returnable: number;
}

/** What was delivered of an order, line by line, and what of it may still be returned. */
export function returnables(shipments: readonly Shipment[], returns: readonly Return[]): Returnable[] {
  const delivered = sums(shipments.flatMap(deliveredLines));
  const returned = sums(returns.filter(countsAgainst).flatMap(({ lines, received }): readonly ShipmentLine[] => received ?? lines));
  return [...delivered.values()].map(({ line_id, sku, quantity }) => {
    const gone = returned.get(line_id)?.quantity ?? 0;
    return { line_id, sku, delivered: quantity, returned: gone, returnable: quantity - gone };
  });
}

/** What came back undelivered never was delivered. */
const countsAgainst = ({ status, parcel_id }: Return): boolean => parcel_id === null && status !== 'rejected' && status !== 'cancelled';

function deliveredLines(shipment: Shipment): readonly ShipmentLine[] {
  if (shipment.parcels.length === 0) return shipment.status === 'delivered' ? shippedLines(shipment) : [];
  return shipment.parcels.filter(({ status }) => status === 'delivered').flatMap(({ lines }) => lines);
}

function sums(lines: readonly ShipmentLine[]): Map<string, ShipmentLine> {
  const found = new Map<string, ShipmentLine>();
  for (const line of lines) found.set(line.line_id, { ...line, quantity: line.quantity + (found.get(line.line_id)?.quantity ?? 0) });
  return found;
}

// ── The steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Wish {
  readonly order_id: string;
  readonly lines: readonly { readonly line_id: string; readonly quantity: number; readonly reason: string }[];
  readonly note?: string | undefined;
}

/** Somebody wants to send goods back. `shipments` and `returns` are all there are of the order. */
export function request(
  { order_id, lines: wanted, note }: Wish,
  { shipments, returns }: { readonly shipments: readonly Shipment[]; readonly returns: readonly Return[] },
  { id, now }: { readonly id: string; readonly now: number },
): ReturnStep | Refusal {
  const possible = new Map(returnables(shipments, returns).map((line) => [line.line_id, line]));
  if (possible.size === 0)
    return new Refusal('not_returnable', `nothing of order ${order_id} has been delivered`, [{ field: 'order_id', rule: 'has nothing delivered' }]);
  const errors = wanted.flatMap(({ line_id, quantity }, i): FieldError[] => {
    const line = possible.get(line_id);
    if (line === undefined) return [{ field: `lines.${i}.line_id`, rule: 'names no line of the order that was delivered' }];
    if (wanted.findIndex((one) => one.line_id === line_id) < i) return [{ field: `lines.${i}.line_id`, rule: 'names a line a second time' }];
    const { returnable, delivered, returned } = line;
    return quantity <= returnable
      ? []
      : [{ field: `lines.${i}.quantity`, rule: `must be at most ${returnable}: ${delivered} delivered, ${returned} in returns` }];
  });
  if (errors.length > 0) return new Refusal('not_returnable', `that cannot be returned: ${errors[0]!.field} ${errors[0]!.rule}`, errors);
  const lines = wanted.map(({ line_id, quantity, reason }) => ({ line_id, sku: possible.get(line_id)!.sku, quantity, reason }));
  const from = shipments.find((shipment) => deliveredLines(shipment).some(({ line_id }) => line_id === lines[0]!.line_id))!;
  const back = { ...opened(from, { id, lines, now }), status: 'requested', parcel_id: null, note: note ?? null } as const;
  return saying(back, 'return.requested');
}

/** A parcel that came back is a return that need not be asked for. */
export function cameBack(shipment: Shipment, parcel: Parcel, now: number): Return {
  const lines = parcel.lines.map((line) => ({ ...line, reason: parcel.note ?? 'undelivered' }));
  return { ...opened(shipment, { id: returnIdOf(parcel.id), lines, now }), status: 'receiving', parcel_id: parcel.id, note: null };
}

const opened = (
  { order_id, order_number, warehouse_id }: Shipment,
  { id, lines, now }: { readonly id: string; readonly lines: readonly ReturnLine[]; readonly now: number },
): Omit<Return, 'status' | 'parcel_id' | 'note'> => ({
  id,
  number: checkedNumber('RT', id),
  order_id: order_id!,
  order_number,
  warehouse_id: warehouse_id!,
  lines,
  received: null,
  rejection: null,
  received_at: null,
  sequence: 0,
  version: 0,
  created_at: now,
  updated_at: now,
});

/** A plain step along the table, `asked` being what was asked for in words. */
function step(back: Return, trigger: ReturnTrigger, asked: string, go: () => ReturnStep | Refusal): ReturnStep | Refusal {
  const act = returnActOf(back.status, trigger);
  if (act === 'same') return { back, events: [] };
  if (act === 'go') return go();
  return new Refusal('return_state', `return ${back.number} is ${back.status} and cannot be ${asked}: ${POSSIBLE[back.status]}`);
}

export const approve = (back: Return, now: number): ReturnStep | Refusal =>
  step(back, 'approve', 'approved', () => saying({ ...back, status: 'approved', updated_at: now }, 'return.approved'));

export const reject = (back: Return, { reason }: { readonly reason: string }, now: number): ReturnStep | Refusal =>
  step(back, 'reject', 'rejected', () => saying({ ...back, status: 'rejected', rejection: reason, updated_at: now }, 'return.rejected'));

export const cancelReturn = (back: Return, now: number): ReturnStep | Refusal =>
  step(back, 'cancel', 'cancelled', () => saying({ ...back, status: 'cancelled', updated_at: now }, 'return.cancelled'));

export const close = (back: Return, now: number): ReturnStep | Refusal =>
  step(back, 'close', 'closed', () => saying({ ...back, status: 'closed', updated_at: now }, 'return.closed'));

export interface Receipt {
  readonly warehouse_id: string;
  readonly lines: readonly { readonly line_id: string; readonly quantity: number; readonly disposition: Disposition }[];
}

/** This came, and this is done with it. What did not come stays where it is. */
export function receive(back: Return, { warehouse_id, lines }: Receipt, now: number): ReturnStep | Refusal {
  return step(back, 'receive', 'received', () => {
    if (back.received !== null) return new Refusal('return_state', `return ${back.number} was received already: stock is taking it back`);
    const fault = contentsFault(back, lines);
    if (fault !== undefined) return fault;
    const skus = new Map(back.lines.map(({ line_id, sku }) => [line_id, sku]));
    const received = lines.map(({ line_id, quantity, disposition }) => ({ line_id, sku: skus.get(line_id)!, quantity, disposition }));
    return {
      back: { ...back, status: 'receiving', warehouse_id, received, received_at: now, updated_at: now },
      events: [],
      asks: { type: 'stock.take_back', data: { order_id: back.order_id, return_id: back.id, warehouse_id, lines: received } },
    };
  });
}

function contentsFault(back: Return, lines: Receipt['lines']): Refusal | undefined {
  const came = sums(lines.map((line) => ({ ...line, sku: '' })));
  const errors = lines.flatMap(({ line_id }, i): FieldError[] => {
    const expected = back.lines.find((line) => line.line_id === line_id)?.quantity;
    if (expected === undefined) return [{ field: `lines.${i}.line_id`, rule: 'names no line of this return' }];
    const { quantity } = came.get(line_id)!;
    const remedy = 'What else came needs a return of its own.';
    return quantity <= expected ? [] : [{ field: `lines.${i}.quantity`, rule: `must be together at most ${expected}, not ${quantity}`, remedy }];
  });
  if (errors.length === 0) return undefined;
  return new Refusal('lines_do_not_match', `that is not what return ${back.number} expects: ${errors[0]!.field} ${errors[0]!.rule}`, errors);
}

/** Stock has taken it back; undefined when that is known. */
export function takenBack(back: Return | undefined, returnId: string, now: number): ReturnStep | undefined {
  const act = back === undefined ? 'breach' : returnActOf(back.status, 'taken_back');
  if (act === 'idle') return undefined;
  if (back === undefined || act === 'breach' || back.received === null)
    throw new Fault('contract_violation', `stock took back ${returnId}, which ${back === undefined ? 'does not exist' : `is ${back.status}`}`);
  return saying({ ...back, status: 'received', updated_at: now }, 'return.received');
}

function saying(back: Return, type: Said): ReturnStep {
  const { order_id, id: return_id, parcel_id, warehouse_id, rejection } = back;
  const reasons = new Map(back.lines.map((line) => [line.line_id, line.reason]));
  const lines = back.received === null ? [...back.lines] : back.received.map((line) => ({ ...line, reason: reasons.get(line.line_id)! }));
  const data = { order_id, return_id, ...(parcel_id === null ? {} : { parcel_id }), lines, warehouse_id, rejection: rejection ?? '' };
  return { back: { ...back, sequence: back.sequence + 1 }, events: [{ type, data }] };
}
