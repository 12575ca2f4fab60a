/**
 * Payments: one for each order, and the operations at the provider that move its money.
 *
 *   payment   requested ──> authorized ──> captured ──> refunded
 *               │   ↑  │        └──> voided
 *               │ failed (no answer to be had; may be asked for again)
 *               └──> declined
 *
 *   operation requested <──> unknown      one of them is under way at a time, so nothing can be in flight twice
 *               └──> succeeded, failed <──┘
 *
 * Where the money is: outside:psp ──authorize──> held ──capture──> captured, and back by void (of held) or refund (of captured).
 * An operation's id is the key it has at the provider. One whose fate is not known is asked about under that key, for as long as it
 * takes; that it failed is believed only on the provider's word. A void that meets an operation under way waits for its fate; a void
 * that overtakes its authorisation leaves a voided payment behind, which the authorisation then finds.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import { type Posting, post } from '../kernel/ledger.ts';
import type { AnyMessage } from '../messaging/service.ts';

export type PaymentStatus = 'requested' | 'authorized' | 'declined' | 'failed' | 'voided' | 'captured' | 'refunded';
export type Kind = 'authorize' | 'capture' | 'void' | 'refund';
export type OperationState = 'requested' | 'unknown' | 'succeeded' | 'failed';
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
  /** Events said about this payment. */
  readonly sequence: number;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export type PaymentPosting = Posting<Account>;

/** The id of an order's payment: the same with another prefix, so that there can be one only, and either is found by the other. */
export const paymentIdOf = (orderId: string): string => `pay_${orderId.startsWith('ord_') ? orderId.slice(4) : orderId}`;

/** Every legal change of status; anything else is a bug. */
export const PAYMENT_TRANSITIONS: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  requested: ['authorized', 'declined', 'failed'],
  authorized: ['captured', 'voided'],
  captured: ['refunded'],
  failed: ['requested'],
  declined: [],
  voided: [],
  refunded: [],
};

/** `unknown → requested`: the provider says that it never heard of it. */
export const OPERATION_TRANSITIONS: Readonly<Record<OperationState, readonly OperationState[]>> = {
  requested: ['succeeded', 'failed', 'unknown'],
  unknown: ['succeeded', 'failed', 'requested'],
  succeeded: [],
  failed: [],
};

type Said = 'payment.authorized' | 'payment.declined' | 'payment.failed' | 'payment.captured' | 'payment.capture_failed' | 'payment.voided';
export type PaymentEvent = { [T in Said]: { readonly type: T; readonly data: DataOf<T> } }[Said];
export type PaymentCommand = AnyMessage<'payment.authorize' | 'payment.capture' | 'payment.void'>;

/** An operation to be begun. */
export interface Beginning {
  readonly kind: Kind;
  readonly amount: number;
  readonly command_id: string;
  readonly shipment_id: string | null;
}

/** What follows from a command or from the fate of an operation. */
export interface Step {
  readonly payment: Payment;
  readonly begin?: Beginning;
  readonly posting?: PaymentPosting;
  readonly events: readonly PaymentEvent[];
}

/** The fate of an operation, as far as a call has told it. */
export type Outcome =
  | { readonly result: 'approved'; readonly ref: string }
  | { readonly result: 'declined'; readonly code: string }
  /** The provider certainly has not done it: the same call may be made again. */
  | { readonly result: 'untaken'; readonly error: string }
  /** It may have been done: ask, under the same key. */
  | { readonly result: 'unknown'; readonly error: string };

/** How long to wait after the n-th call that was not taken; after the last one the operation has failed. Milliseconds. */
export const CALL_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000] as const;
/** How long to wait after the n-th call whose fate is unknown; the last one for ever. Milliseconds. */
export const ASK_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000, 900_000] as const;

export interface OperationProgress {
  readonly state: OperationState;
  readonly attempts: number;
  /** When it is to be tried again, or null when its fate is known. */
  readonly due_at: number | null;
  readonly provider_ref: string | null;
  readonly error: string | null;
}

/** What a call makes of the operation it was for. `attempts` counts the calls before this one. */
export function progress(attempts: number, outcome: Outcome, now: number): OperationProgress {
  const done = { attempts: attempts + 1, provider_ref: null, error: null, due_at: null };
  switch (outcome.result) {
    case 'approved':
      return { ...done, state: 'succeeded', provider_ref: outcome.ref };
    case 'declined':
      return { ...done, state: 'failed', error: outcome.code };
    case 'untaken': {
      const pause = CALL_AGAIN_MS[attempts];
      return pause === undefined
        ? { ...done, state: 'failed', error: outcome.error }
        : { ...done, state: 'requested', due_at: now + pause, error: outcome.error };
    }
    case 'unknown':
      return { ...done, state: 'unknown', due_at: now + (ASK_AGAIN_MS[attempts] ?? ASK_AGAIN_MS.at(-1)!), error: outcome.error };
  }
}

/** ISO 4217 for "no currency": what a payment has whose void came before it. */
const NO_CURRENCY = 'XXX';

/**
 * What a command leads to; undefined when it changes nothing and nothing is to be said.
 * Duplicates of an authorisation are known by the payment; those of captures and voids never come here (service.ts).
 */
export function decide(payment: Payment | undefined, command: PaymentCommand, now: number): Step | undefined {
  switch (command.type) {
    case 'payment.authorize':
      return authorize(payment, command, now);
    case 'payment.capture':
      return capture(payment, command, now);
    case 'payment.void':
      return giveBack(payment, command, now);
  }
}

function authorize(payment: Payment | undefined, command: PaymentCommand & { type: 'payment.authorize' }, now: number): Step | undefined {
  const { order_id, amount, currency, token } = command.data;
  const begin: Beginning = { kind: 'authorize', amount, command_id: command.id, shipment_id: null };
  if (payment === undefined) {
    const asked: Payment = { ...blank(order_id, now), amount, currency, token, under_way: 'authorize', authorize_command: command.id };
    return { payment: asked, begin, events: [] };
  }
  // Asked for again after it failed, or because the answer did not come. Anything else is a duplicate, or came after its void.
  if (payment.void_command !== null) return undefined;
  if (command.data.again === true && payment.status === 'authorized') return say(payment, now, [fact(payment, 'payment.authorized', payment.held)]);
  if (command.data.again === true && payment.status === 'declined')
    return say(payment, now, [refusal(payment, 'payment.declined', 'declined_before')]);
  if (payment.status !== 'failed' || payment.authorize_command === command.id) return undefined;
  const again: Payment = { ...moved(payment, 'requested', now), under_way: 'authorize', authorize_command: command.id };
  return { payment: again, begin, events: [] };
}

function capture(payment: Payment | undefined, command: PaymentCommand & { type: 'payment.capture' }, now: number): Step | undefined {
  const { order_id, shipment_id } = command.data;
  if (payment === undefined) throw new Fault('contract_violation', `order ${order_id} has no payment that could be captured`);
  if (payment.under_way === 'capture') return undefined; // its answer will come
  if (payment.status === 'captured' && payment.void_command === null) return say(payment, now, [fact(payment, 'payment.captured', payment.captured)]);
  if (payment.status !== 'authorized' || payment.void_command !== null) {
    const reason = payment.void_command === null ? `payment_${payment.status}` : 'payment_void_requested';
    return say(payment, now, [refusal(payment, 'payment.capture_failed', reason)]);
  }
  const begin: Beginning = { kind: 'capture', amount: payment.held, command_id: command.id, shipment_id };
  return { payment: { ...payment, under_way: 'capture', updated_at: now }, begin, events: [] };
}

function giveBack(payment: Payment | undefined, command: PaymentCommand & { type: 'payment.void' }, now: number): Step | undefined {
  if (payment === undefined) {
    const tombstone: Payment = { ...blank(command.data.order_id, now), status: 'voided', void_command: command.id };
    return say(tombstone, now, [voided(tombstone)]);
  }
  const noted: Payment = { ...payment, void_command: command.id, updated_at: now };
  if (payment.under_way !== null) return { payment: noted, events: [] };
  return returnMoney(noted, now);
}

/** Begins what gives the money back, or says that there is none to give back. */
function returnMoney(payment: Payment, now: number, before: readonly PaymentEvent[] = []): Step {
  const kind = payment.held > 0 ? 'void' : payment.captured > 0 ? 'refund' : undefined;
  if (kind === undefined) return say(payment, now, [...before, voided(payment)]);
  const begin: Beginning = { kind, amount: kind === 'void' ? payment.held : payment.captured, command_id: payment.void_command!, shipment_id: null };
  return { ...say({ ...payment, under_way: kind }, now, before), begin };
}

const POSTINGS: Readonly<Record<Kind, Pick<PaymentPosting, 'from' | 'to'>>> = {
  authorize: { from: 'outside:psp', to: 'held' },
  capture: { from: 'held', to: 'captured' },
  void: { from: 'held', to: 'outside:psp' },
  refund: { from: 'captured', to: 'outside:psp' },
};
const REACHED = { authorize: 'authorized', capture: 'captured', void: 'voided', refund: 'refunded' } as const satisfies Record<Kind, PaymentStatus>;

/** What follows once the fate of the operation under way is known. Throws when that operation is not under way. */
export function settle(payment: Payment, operation: { readonly kind: Kind; readonly amount: number }, outcome: Outcome, now: number): Step {
  if (payment.under_way !== operation.kind) throw new Fault('internal', `payment ${payment.id} has no ${operation.kind} under way`);
  if (outcome.result === 'approved') return succeeded(payment, operation, outcome.ref, now);
  return failed(payment, operation, outcome, now);
}

function succeeded(payment: Payment, { kind, amount }: { kind: Kind; amount: number }, ref: string, now: number): Step {
  const posting: PaymentPosting = { ...POSTINGS[kind], quantity: amount };
  const balances = post<Account>({ held: payment.held, captured: payment.captured }, posting);
  if (balances === undefined) throw new Fault('internal', `payment ${payment.id} has not the ${amount} to ${kind}`);
  const next: Payment = {
    ...moved(payment, REACHED[kind], now),
    ...balances,
    refunded: payment.refunded + (kind === 'refund' ? amount : 0),
    provider_ref: kind === 'authorize' ? ref : payment.provider_ref,
    under_way: null,
  };
  if (kind === 'void' || kind === 'refund') return { ...say(next, now, [voided(next)]), posting };
  const events = [fact(next, kind === 'authorize' ? 'payment.authorized' : 'payment.captured', amount)];
  return { ...(next.void_command === null ? say(next, now, events) : returnMoney(next, now, events)), posting };
}

function failed(payment: Payment, { kind }: { kind: Kind }, outcome: Outcome, now: number): Step {
  const idle: Payment = { ...payment, under_way: null, updated_at: now };
  const reason = outcome.result === 'declined' ? outcome.code : 'provider_unavailable';
  if (kind === 'void' || kind === 'refund') return say(idle, now, [refusal(idle, 'payment.failed', `${kind}_failed: ${reason}`)]);
  const declined = outcome.result === 'declined';
  const next = kind === 'authorize' ? moved(idle, declined ? 'declined' : 'failed', now) : idle;
  const events = [refusal(next, kind === 'capture' ? 'payment.capture_failed' : declined ? 'payment.declined' : 'payment.failed', reason)];
  return next.void_command === null ? say(next, now, events) : returnMoney(next, now, events);
}

/** The status after a legal change; an illegal one is a bug, not an outcome. */
export function moved(payment: Payment, to: PaymentStatus, now: number): Payment {
  if (!PAYMENT_TRANSITIONS[payment.status].includes(to))
    throw new Fault('internal', `payment ${payment.id} is ${payment.status} and cannot become ${to}`);
  return { ...payment, status: to, updated_at: now };
}

const blank = (order_id: string, now: number): Payment => ({
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
  sequence: 0,
  version: 0,
  created_at: now,
  updated_at: now,
});

const say = (payment: Payment, now: number, events: readonly PaymentEvent[]): Step => ({
  payment: { ...payment, sequence: payment.sequence + events.length, updated_at: now },
  events,
});
const about = ({ order_id, id, currency }: Payment, amount: number) => ({ order_id, payment_id: id, amount, currency });
const fact = (payment: Payment, type: 'payment.authorized' | 'payment.captured', amount: number): PaymentEvent => ({
  type,
  data: about(payment, amount),
});
const refusal = (payment: Payment, type: 'payment.declined' | 'payment.failed' | 'payment.capture_failed', reason: string): PaymentEvent => ({
  type,
  data: { ...about(payment, payment.amount), reason },
});
const voided = ({ order_id, refunded }: Payment): PaymentEvent => ({ type: 'payment.voided', data: { order_id, refunded } });
