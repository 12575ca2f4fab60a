/**
 * An order and where it is on its journey. Its status is computed from the journey, never set: what cannot be set cannot be stuck.
 */
import type { DataOf } from '../contracts/messages.ts';
import type { IdPrefix } from '../kernel/world.ts';
import type { AnyMessage } from '../messaging/service.ts';
import { type Charge, type TaxProvider, liveOf } from './domain-charges.ts';
import type { HoldAsked, PersonsHold } from './domain-holds.ts';
import type { Money, Refund } from './domain-money.ts';
import type { Change, Revision } from './domain-revision-plan.ts';
import type { Shipment } from './domain-shipment-table.ts';
import type { ReplyName, State } from './domain-table.ts';
import type { Deadlines, Stop, StopName, StopState } from './domain-waybill.ts';

export interface Customer {
  readonly id: string;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  /** BCP 47. */
  readonly locale?: string | undefined;
}

export interface Line {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  /** Ordered; `cancelled` of them were cancelled since. */
  readonly quantity: number;
  readonly cancelled: number;
  readonly unit_price: number;
  /** Of the pieces that are not cancelled. */
  readonly amount: number;
}

export type Address = Readonly<Record<string, string>>;

/** Pieces of a line. */
export type Pieces = DataOf<'stock.reserve'>['lines'][number];
/** Pieces held in one warehouse. */
export interface Part {
  readonly warehouse_id: string;
  readonly lines: readonly Pieces[];
}
/** How goods are to be looked for; as it always was, where it says nothing. */
export type Allocation = Omit<NonNullable<DataOf<'stock.reserve'>['allocation']>, 'ship_to'>;

/** Something a person must look at lies on the order; the awaited answer lifts it. */
export interface Hold {
  readonly reason: 'technical' | 'capture_failed' | 'payment_expired';
  readonly since: number;
  readonly deadline: number;
  /** What happened, for a person. */
  readonly note: string;
  readonly dead_letter_id: string | null;
}

export type CancelReason = 'customer' | 'operator' | 'out_of_stock' | 'payment_declined' | 'timeout' | 'reservation_expired' | 'discarded';

export interface Journey {
  readonly at: State;
  readonly since: number;
  /** By when the state should be left; null at the end. */
  readonly deadline: number | null;
  /** Counts the states entered. */
  readonly epoch: number;
  /** In the order of the waybill. */
  readonly stops: readonly Stop[];
  /** Has `order.confirmed` been said? */
  readonly confirmed: boolean;
  readonly hold: Hold | null;
  /** Why it is being, or has been, cancelled. */
  readonly reason: CancelReason | null;
  /** The last ids of messages that may rightly come more than once. */
  readonly seen: readonly string[];
  // What follows an ordinary order does not have.
  /** How its goods are to be looked for. */
  readonly allocation?: Allocation | undefined;
  /** What is held and in no shipment yet; absent while all of it lies in one warehouse. */
  readonly parts?: readonly Part[] | undefined;
  /** What waits for goods. */
  readonly queued?: readonly Pieces[] | undefined;
  /** Present once the order keeps its shipments itself, each going its own way. */
  readonly shipments?: readonly Shipment[] | undefined;
  /** Of such an order: the last of `order.shipped` and `order.delivered` that was said since there was something to ship. */
  readonly told?: 'shipped' | 'delivered' | undefined;
  /** Holds that people lay; open ones only. */
  readonly holds?: readonly PersonsHold[] | undefined;
  /** A change of the order that is under way, or waits for an answer that is. */
  readonly revision?: Revision | undefined;
  /** How often stock was told of a change, and how many revisions there were. */
  readonly changes?: number | undefined;
  readonly revisions?: number | undefined;
  /** Where the money is; without, it follows from the stop. */
  readonly money?: Money | undefined;
  /** Money that is being given back. */
  readonly refunds?: readonly Refund[] | undefined;
  /** What came back, by return. */
  readonly returns?: readonly { readonly return_id: string; readonly lines: readonly Pieces[]; readonly decided?: true }[] | undefined;
  /** A person said that nothing more will happen. */
  readonly closed?: { readonly at: number; readonly reason: string } | undefined;
}

/** A row of the table `orders`, but for `status`, which is computed, and with its lines. */
export interface Order {
  readonly id: string;
  readonly number: string;
  readonly client: string;
  readonly external_id: string | null;
  readonly customer: Customer;
  readonly currency: string;
  readonly charges: readonly Charge[];
  readonly goods_total: number;
  readonly charges_total: number;
  readonly total: number;
  readonly policy: string;
  readonly ship_to: Address | null;
  /** Stands for the card at the provider until payment has answered. Never shown. */
  readonly payment_token: string | null;
  readonly journey: Journey;
  /** Events said about the order. */
  readonly sequence: number;
  /** Steps made; the number of the last timeline entry. */
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
  /** Null when they were not loaded, because nothing that may come next needs them. */
  readonly lines: readonly Line[] | null;
}

export type OrderStatus = 'draft' | 'pending' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'on_hold';
export const ORDER_STATUSES = [
  'draft',
  'pending',
  'confirmed',
  'shipped',
  'delivered',
  'cancelled',
  'on_hold',
] as const satisfies readonly OrderStatus[];

export interface Status {
  readonly status: OrderStatus;
  readonly status_reason: string | null;
}

/** A message that moves an order. */
export type Reply = AnyMessage<ReplyName>;
/** What a person asks of an order. */
export type Request = { readonly operation?: string | undefined; readonly client?: string | undefined } & (
  | { readonly type: 'cancel'; readonly reason?: string | undefined }
  | { readonly type: 'resume' | 'discard' }
  | { readonly type: 'place'; readonly token: string | null }
  | { readonly type: 'revise'; readonly change: Change }
  | { readonly type: 'hold'; readonly hold: HoldAsked }
  | { readonly type: 'release'; readonly hold_id: string; readonly reason?: string | undefined }
  | { readonly type: 'refund'; readonly amount: number; readonly reason: string; readonly return_id?: string | undefined }
  | { readonly type: 'pay_externally'; readonly amount: number; readonly method: string; readonly reference?: string | undefined }
  | { readonly type: 'close'; readonly reason: string }
  | { readonly type: 'note'; readonly text: string }
);
export type Trigger = Reply | Request;

type SaidName =
  | `order.${'placed' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'on_hold' | 'resumed'}`
  | `order.${'drafted' | 'discarded' | 'edited' | 'lines_cancelled' | 'revision_rejected' | 'address_changed' | 'note_added'}`
  | `order.${'part_shipped' | 'part_delivered' | 'backordered' | 'closed' | 'reopened'}`
  | `hold.${'placed' | 'released' | 'expired'}`
  | `stock.${'reserve' | 'release' | 'commit' | 'change' | 'renew'}`
  | `payment.${'authorize' | 'capture' | 'void' | 'refund'}`
  | `shipment.${'prepare' | 'dispatch' | 'refuse_dispatch' | 'cancel' | 'hold' | 'release_hold'}`;
/** What orders says; the rest of the envelope is filled in by the use-case. */
export type Says = { [T in SaidName]: { readonly type: T; readonly data: DataOf<T>; readonly sequence?: number } }[SaidName];

/** What an order looked like after a step, and why. */
export interface Entry {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly status: OrderStatus;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** One step of an order: what it is now, what it says, what is written into its timeline. */
export interface Step {
  readonly order: Order;
  readonly says: readonly Says[];
  readonly entry: Entry;
}

export interface Rules {
  readonly now: number;
  readonly deadlines: Deadlines;
  /** A new id. */
  readonly id: (prefix: IdPrefix) => string;
  readonly taxes: TaxProvider;
}

export const stateOfStop = (stops: readonly Stop[], name: StopName): StopState | undefined => stops.find(({ stop }) => stop === name)?.state;

/** What every event about an order says. */
export const factOf = ({ id, number, customer, currency, total }: Order): DataOf<'order.confirmed'> => ({
  order_id: id,
  number,
  customer,
  currency,
  total,
});

/** Not having loaded the lines where they are needed is a bug. */
export function linesOf({ id, lines }: Pick<Order, 'id' | 'lines'>): readonly Line[] {
  if (lines === null) throw new Error(`the lines of ${id} were not loaded`);
  return lines;
}

/** The lines as stops are told of them. */
export const reservedLines = (order: Pick<Order, 'id' | 'lines'>): Pieces[] => piecesOf(linesOf(order));
export const piecesOf = (lines: readonly Line[]): Pieces[] =>
  lines.flatMap((line) => (liveOf(line) === 0 ? [] : [{ line_id: line.id, sku: line.sku, quantity: liveOf(line) }]));
