/**
 * A payment: its row, the statuses it may have, what is said about it.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import type { Posting } from '../kernel/ledger.ts';
import type { AnyMessage } from '../messaging/service.ts';
import type { Kind } from './domain-operation.ts';

export type PaymentStatus =
  | 'requested'
  | 'authorized'
  | 'declined'
  | 'failed'
  | 'voided'
  | 'captured'
  | 'refunded'
  // Of a payment with a book only:
  | 'part_captured'
  | 'part_refunded'
  | 'expired';
export type Account = 'held' | 'captured';

/** A row of the table `payment`. */
export interface Payment {
  readonly id: string;
  readonly order_id: string;
  readonly status: PaymentStatus;
  /** What was to be paid, minor units. */
  readonly amount: number;
  readonly currency: string;
  /** Stands for the card at the provider. Never shown, never logged. */
  readonly token: string | null;
  /** The authorisation, as the provider calls it. */
  readonly provider_ref: string | null;
  readonly under_way: Kind | null;
  /** The message that asked for the money. */
  readonly authorize_command: string | null;
  /** The message that asked for the money back; from then on nothing else is begun. */
  readonly void_command: string | null;
  readonly held: number;
  /** What we have now; with `refunded` it is what was ever captured. */
  readonly captured: number;
  readonly refunded: number;
  /** Until when the first authorisation holds, milliseconds UTC; null for as long as it takes. */
  readonly authorized_until: number | null;
  /** Null as long as the payment is an ordinary one. */
  readonly book: Book | null;
  /** Events said about this payment. */
  readonly sequence: number;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What is known of a payment that is not an ordinary one. Its sums are those of the payment. */
export interface Book {
  /** Oldest first. */
  readonly authorizations: readonly Authorization[];
  /** What was asked, in the order of its turn; what waits is never before what had its turn. */
  readonly asks: readonly Ask[];
  /** The authorisation the operation under way is about. */
  readonly on: string | null;
}

export interface Authorization {
  /** Empty for the first one. */
  readonly id: string;
  readonly amount: number;
  /** Of another card than that of the payment. */
  readonly token: string | null;
  readonly provider_ref: string | null;
  readonly held: number;
  readonly captured: number;
  readonly until: number | null;
}

/** Something asked of a payment that takes operations until `taken` is `amount`. */
export interface Ask {
  readonly what: 'authorize' | 'capture' | 'reduce' | 'refund' | 'expire';
  /** With `what`: asked once. */
  readonly key: string;
  /** Null: all there is when its turn comes. */
  readonly amount: number | null;
  readonly taken: number;
  readonly state: 'waiting' | 'done' | 'refused';
  /** Why it was refused. */
  readonly reason: string | null;
  /** It may be asked for again. */
  readonly again: boolean;
  readonly command_id: string;
}

export type PaymentPosting = Posting<Account>;

/** The id of an order's payment: the same with another prefix, so that there can be one only, and either is found by the other. */
export const paymentIdOf = (orderId: string): string => `pay_${orderId.startsWith('ord_') ? orderId.slice(4) : orderId}`;

/** Every legal change of status; anything else is a bug. */
export const PAYMENT_TRANSITIONS: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  requested: ['authorized', 'declined', 'failed'],
  authorized: ['captured', 'voided', 'part_captured', 'expired'],
  captured: ['refunded', 'part_refunded', 'part_captured'],
  part_captured: ['captured', 'part_refunded', 'refunded'],
  part_refunded: ['refunded', 'part_captured'],
  failed: ['requested', 'authorized'],
  declined: ['authorized'],
  voided: ['authorized'],
  expired: ['authorized'],
  refunded: ['part_captured'],
};

type Said =
  | 'payment.authorized'
  | 'payment.declined'
  | 'payment.failed'
  | 'payment.captured'
  | 'payment.capture_failed'
  | 'payment.voided'
  | 'payment.reduced'
  | 'payment.refunded'
  | 'payment.refund_failed'
  | 'payment.expired';
export type PaymentEvent = { [T in Said]: { readonly type: T; readonly data: DataOf<T> } }[Said];
export type PaymentCommand = AnyMessage<`payment.${'authorize' | 'capture' | 'void' | 'refund' | 'expire'}`>;

/** An operation to be begun. */
export interface Beginning {
  readonly kind: Kind;
  readonly amount: number;
  readonly command_id: string;
  readonly shipment_id: string | null;
  /** What only operations of a payment with a book have. */
  readonly about?: About;
}

/** Which authorisation an operation is for. */
export interface About {
  readonly authorization: string;
  readonly provider_ref: string | null;
  readonly token: string | null;
  /** Nothing of the authorisation is held any more when it has succeeded. */
  readonly last: boolean;
}

/** What follows from a command or from the fate of an operation. */
export interface Step {
  readonly payment: Payment;
  readonly begin?: Beginning;
  readonly posting?: PaymentPosting;
  readonly events: readonly PaymentEvent[];
}

export const POSTINGS: Readonly<Record<Kind, Pick<PaymentPosting, 'from' | 'to'>>> = {
  authorize: { from: 'outside:psp', to: 'held' },
  capture: { from: 'held', to: 'captured' },
  void: { from: 'held', to: 'outside:psp' },
  expire: { from: 'held', to: 'outside:psp' },
  refund: { from: 'captured', to: 'outside:psp' },
};

/** The status after a legal change; an illegal one is a bug, not an outcome. */
export function moved(payment: Payment, to: PaymentStatus, now: number): Payment {
  if (!PAYMENT_TRANSITIONS[payment.status].includes(to))
    throw new Fault('internal', `payment ${payment.id} is ${payment.status} and cannot become ${to}`);
  return { ...payment, status: to, updated_at: now };
}

/** Until when authorisations hold that still hold something, by authorisation. */
export function expiriesOf({ book, held, authorized_until }: Payment): Map<string, number> {
  const live = book?.authorizations ?? [{ id: '', held, until: authorized_until }];
  return new Map(live.flatMap(({ id, held, until }) => (held > 0 && until !== null ? [[id, until] as const] : [])));
}

/** ISO 4217 for "no currency": what a payment has whose void came before it. */
const NO_CURRENCY = 'XXX';

export const blank = (order_id: string, now: number): Payment => ({
  id: paymentIdOf(order_id),
  order_id,
  status: 'requested',
  amount: 0,
  currency: NO_CURRENCY,
  token: null,
  provider_ref: null,
  under_way: null,
  authorize_command: null,
  void_command: null,
  held: 0,
  captured: 0,
  refunded: 0,
  authorized_until: null,
  book: null,
  sequence: 0,
  version: 0,
  created_at: now,
  updated_at: now,
});

export const say = (payment: Payment, now: number, events: readonly PaymentEvent[]): Step => ({
  payment: { ...payment, sequence: payment.sequence + events.length, updated_at: now },
  events,
});
export const about = ({ order_id, id, currency }: Payment, amount: number) => ({ order_id, payment_id: id, amount, currency });
export const fact = (payment: Payment, type: 'payment.authorized' | 'payment.captured', amount: number): PaymentEvent => ({
  type,
  data: about(payment, amount),
});
export const refusal = (payment: Payment, type: 'payment.declined' | 'payment.failed' | 'payment.capture_failed', reason: string): PaymentEvent => ({
  type,
  data: { ...about(payment, payment.amount), reason },
});
export const voided = ({ order_id, refunded }: Payment): PaymentEvent => ({ type: 'payment.voided', data: { order_id, refunded } });
