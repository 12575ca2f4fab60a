/**
 * An order and where it is on its journey. Its status is computed from the journey, never set: what cannot be set cannot be stuck.
 */
import type { DataOf } from '../contracts/messages.ts';
import type { AnyMessage } from '../messaging/service.ts';
import { type ReplyName, type State, waitOf } from './domain-table.ts';
import type { Deadlines, Stop, StopName, StopState } from './domain-waybill.ts';

export interface Customer {
  readonly id: string;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
}

export interface Charge {
  readonly code: string;
  /** Minor units; negative for a discount. */
  readonly amount: number;
  readonly name?: string | undefined;
}

export interface Line {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unit_price: number;
  readonly amount: number;
}

/** Something a person must look at lies on the order; the awaited answer lifts it. */
export interface Hold {
  readonly reason: 'technical' | 'capture_failed';
  readonly since: number;
  readonly deadline: number;
  /** What happened, for a person. */
  readonly note: string;
  readonly dead_letter_id: string | null;
}

export type CancelReason = 'customer' | 'operator' | 'out_of_stock' | 'payment_declined' | 'timeout';

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
  readonly ship_to: Readonly<Record<string, string>> | null;
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

/** The status people see. */
export function statusOf({ at, hold, confirmed, reason }: Journey): Status {
  if (hold !== null) return { status: 'on_hold', status_reason: hold.reason };
  switch (at) {
    case 'reserving':
    case 'authorizing':
      return { status: 'pending', status_reason: null };
    case 'preparing':
    case 'ready':
    case 'capturing':
    case 'dispatching':
    case 'complete':
      return { status: 'confirmed', status_reason: null };
    case 'recalling':
    case 'voiding':
    case 'releasing':
      return { status: confirmed ? 'confirmed' : 'pending', status_reason: 'cancelling' };
    case 'shipped':
    case 'delivered':
      return { status: at, status_reason: null };
    case 'cancelled':
      return { status: 'cancelled', status_reason: reason };
  }
}

/** A message that moves an order. */
export type Reply = AnyMessage<ReplyName>;
/** What a person asks of an order. */
export type Request =
  | { readonly type: 'cancel'; readonly reason?: string | undefined; readonly operation?: string | undefined }
  | { readonly type: 'resume'; readonly operation?: string | undefined };
export type Trigger = Reply | Request;

type SaidName =
  | `order.${'placed' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled' | 'on_hold' | 'resumed'}`
  | `stock.${'reserve' | 'release' | 'commit'}`
  | `payment.${'authorize' | 'capture' | 'void'}`
  | `shipment.${'prepare' | 'dispatch' | 'refuse_dispatch' | 'cancel'}`;
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
}

/** The deadline orders acts on, when there is one: orders on hold and orders waiting for a person have none. */
export function timerOf({ id, journey }: Order): { readonly dueAt: number; readonly data: DataOf<'order.check_deadline'> } | undefined {
  const wait = waitOf(journey.at);
  if (wait === null || wait.overdue === null || journey.hold !== null || journey.deadline === null) return undefined;
  return { dueAt: journey.deadline, data: { order_id: id, stop: wait.stop, epoch: journey.epoch } };
}

/** Is there nothing left that must happen? Goods that have left must also have been taken off the books. */
export const isFinished = (journey: Journey): boolean => waitOf(journey.at) === null && !areGoodsOnBooks(journey);

/** The goods have left the building and inventory has not said that it knows. */
export const areGoodsOnBooks = ({ at, stops }: Journey): boolean =>
  (at === 'shipped' || at === 'delivered') && stateOfStop(stops, 'stock') === 'done';

export const stateOfStop = (stops: readonly Stop[], name: StopName): StopState | undefined => stops.find(({ stop }) => stop === name)?.state;

/** What every event about an order says. */
export const factOf = ({ id, number, customer, currency, total }: Order): DataOf<'order.confirmed'> => ({
  order_id: id,
  number,
  customer,
  currency,
  total,
});

/** The lines as stops are told of them. Not having loaded them is a bug. */
export function reservedLines({ id, lines }: Order): DataOf<'stock.reserve'>['lines'] {
  if (lines === null) throw new Error(`the lines of ${id} were not loaded`);
  return lines.map((line) => ({ line_id: line.id, sku: line.sku, quantity: line.quantity }));
}
