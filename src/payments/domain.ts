/**
 * What commands and answers of the provider make of a payment. README.md has the protocol; here is the ordinary order, which is
 * authorised, captured and given back whole. Whatever else is asked goes by the book (domain-book.ts).
 *
 * A void that meets an operation under way waits for its fate; a void that overtakes its authorisation leaves a voided payment behind,
 * which the authorisation then finds.
 */
import { Fault } from '../kernel/errors.ts';
import { post } from '../kernel/ledger.ts';
import { askByBook, settleByBook } from './domain-book.ts';
import type { Kind, Outcome } from './domain-operation.ts';
import {
  type Account,
  type Beginning,
  POSTINGS,
  type Payment,
  type PaymentCommand,
  type PaymentEvent,
  type PaymentPosting,
  type PaymentStatus,
  type Step,
  blank,
  fact,
  moved,
  refusal,
  say,
  voided,
} from './domain-payment.ts';

/**
 * What a command leads to; undefined when it changes nothing and nothing is to be said.
 * Duplicates of an authorisation are known by the payment; those of captures and voids never come here (service.ts).
 */
export function decide(payment: Payment | undefined, command: PaymentCommand, now: number): Step | undefined {
  if (payment === undefined && command.type !== 'payment.authorize' && !isWholeVoid(command))
    throw new Fault('contract_violation', `order ${command.data.order_id} has no payment that ${command.type} could be about`);
  if ((payment !== undefined && payment.book !== null) || !isOrdinary(command)) return askByBook(payment, command, now);
  switch (command.type) {
    case 'payment.authorize':
      return authorize(payment, command, now);
    case 'payment.capture':
      return capture(payment!, command, now);
    case 'payment.void':
      return giveBack(payment, command, now);
    default:
      return undefined; // never: those are not ordinary
  }
}

const isWholeVoid = (command: PaymentCommand): boolean => command.type === 'payment.void' && command.data.amount === undefined;

/** Is it of the ordinary order? */
function isOrdinary(command: PaymentCommand): boolean {
  if (command.type === 'payment.authorize') return command.data.authorization === undefined;
  if (command.type === 'payment.capture') return command.data.amount === undefined;
  return isWholeVoid(command);
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

function capture(payment: Payment, command: PaymentCommand & { type: 'payment.capture' }, now: number): Step | undefined {
  const { shipment_id } = command.data;
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

const REACHED = { authorize: 'authorized', capture: 'captured', void: 'voided', expire: 'expired', refund: 'refunded' } as const satisfies Record<
  Kind,
  PaymentStatus
>;

/** What follows once the fate of the operation under way is known. Throws when that operation is not under way. */
export function settle(payment: Payment, operation: { readonly kind: Kind; readonly amount: number }, outcome: Outcome, now: number): Step {
  if (payment.under_way !== operation.kind) throw new Fault('internal', `payment ${payment.id} has no ${operation.kind} under way`);
  if (payment.book !== null) return settleByBook(payment, operation, outcome, now);
  if (outcome.result === 'approved') return succeeded(payment, operation, outcome, now);
  return failed(payment, operation, outcome, now);
}

function succeeded(
  payment: Payment,
  { kind, amount }: { kind: Kind; amount: number },
  { ref, until }: Outcome & { result: 'approved' },
  now: number,
): Step {
  const posting: PaymentPosting = { ...POSTINGS[kind], quantity: amount };
  const balances = post<Account>({ held: payment.held, captured: payment.captured }, posting);
  if (balances === undefined) throw new Fault('internal', `payment ${payment.id} has not the ${amount} to ${kind}`);
  const next: Payment = {
    ...moved(payment, REACHED[kind], now),
    ...balances,
    refunded: payment.refunded + (kind === 'refund' ? amount : 0),
    provider_ref: kind === 'authorize' ? ref : payment.provider_ref,
    authorized_until: kind === 'authorize' ? (until ?? null) : payment.authorized_until,
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
