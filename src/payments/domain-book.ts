/**
 * The book of a payment that is not an ordinary one: several authorisations, captures by shipment, less held, refunds, expiry.
 *
 * Asks wait in line; the first one that waits is worked on, one operation after the other, until it has taken what it is for. Each
 * operation is measured against the balance when it begins, and nothing else is under way then. README.md has the protocol.
 */
import { Fault } from '../kernel/errors.ts';
import { post } from '../kernel/ledger.ts';
import type { Kind, Outcome } from './domain-operation.ts';
import {
  type Account,
  type Ask,
  type Authorization,
  type Beginning,
  type Book,
  POSTINGS,
  type Payment,
  type PaymentCommand,
  type PaymentEvent,
  type PaymentPosting,
  type PaymentStatus,
  type Step,
  about,
  blank,
  moved,
  say,
  voided,
} from './domain-payment.ts';

type Booked = Payment & { readonly book: Book };

const VOID_ASKED = 'payment_void_requested';

/** What a command leads to that is not of an ordinary order; undefined when nothing. */
export function askByBook(payment: Payment | undefined, command: PaymentCommand, now: number): Step | undefined {
  const asked = askOf(command);
  if (asked === undefined) {
    const noted: Booked = { ...opened(payment!), void_command: command.id, updated_at: now };
    return proceed(noted, now, []);
  }
  if (payment !== undefined && payment.void_command !== null) {
    const answer = asked.what === 'authorize' ? [] : answerTo(payment, { ...asked, state: 'refused', reason: VOID_ASKED });
    return answer.length === 0 ? undefined : say(payment, now, answer);
  }
  const booked = opened(payment ?? blank(command.data.order_id, now));
  const before = booked.book.asks.find(({ what, key }) => what === asked.what && key === asked.key);
  if (before === undefined) return proceed(added(booked, asked, command), now, []);
  if (before.state === 'waiting') return undefined;
  const told = command.type === 'payment.authorize' ? command.data.again === true : before.what !== 'expire';
  if (before.state === 'done' || !before.again) return told ? say(booked, now, answerTo(booked, before)) : undefined;
  if (before.command_id === command.id) return undefined;
  const asks = [...booked.book.asks.filter((one) => one !== before), { ...asked, taken: before.taken }];
  return proceed(withBook(booked, { asks }), now, []);
}

/** Undefined for the void of everything. */
function askOf(command: PaymentCommand): Ask | undefined {
  const ask = (what: Ask['what'], key: string, amount: number | null): Ask => ({
    what,
    key,
    amount,
    taken: 0,
    state: 'waiting',
    reason: null,
    again: true,
    command_id: command.id,
  });
  const { data, type } = command;
  switch (type) {
    case 'payment.authorize':
      return ask('authorize', data.authorization ?? '', data.amount);
    case 'payment.capture':
      return ask('capture', data.shipment_id, data.amount ?? null);
    case 'payment.refund':
      return ask('refund', data.refund_id, data.amount);
    case 'payment.expire':
      return ask('expire', data.authorization ?? '', null);
    case 'payment.void':
      return data.amount === undefined ? undefined : ask('reduce', String(data.revision ?? 1), data.amount);
  }
}

/** The payment with its book; begun from what the row says when it has none. */
function opened(payment: Payment): Booked {
  if (payment.book !== null) return { ...payment, book: payment.book };
  const { authorize_command, under_way, amount, provider_ref, held, captured, authorized_until, status } = payment;
  const asks: Ask[] = [];
  const past = { taken: 0, reason: null, again: true } as const;
  if (authorize_command !== null) {
    const refused = status === 'declined' || status === 'failed';
    const state = under_way === 'authorize' ? 'waiting' : refused ? 'refused' : 'done';
    const why = refused ? { reason: status === 'declined' ? 'declined_before' : 'provider_unavailable', again: status === 'failed' } : {};
    asks.push({ ...past, what: 'authorize', key: '', amount, state, command_id: authorize_command, ...why });
  }
  // The capture of everything: its answer names no shipment, as ever.
  if (under_way === 'capture') asks.push({ ...past, what: 'capture', key: '', amount: held, state: 'waiting', command_id: authorize_command ?? '' });
  const first: Authorization = { id: '', amount, token: null, provider_ref, held, captured, until: authorized_until };
  return { ...payment, book: { authorizations: authorize_command === null ? [] : [first], asks, on: under_way === null ? null : '' } };
}

const withBook = (payment: Booked, change: Partial<Book>): Booked => ({ ...payment, book: { ...payment.book, ...change } });

function added(payment: Booked, ask: Ask, command: PaymentCommand): Booked {
  const asks = [...payment.book.asks, ask];
  if (command.type !== 'payment.authorize') return withBook(payment, { asks });
  const { amount, token, currency } = command.data;
  if (payment.authorize_command !== null && currency !== payment.currency)
    throw new Fault('contract_violation', `payment ${payment.id} is in ${payment.currency}, and an authorisation is asked for in ${currency}`);
  const one: Authorization = { id: ask.key, amount, token, provider_ref: null, held: 0, captured: 0, until: null };
  const first = payment.authorize_command === null ? { authorize_command: command.id, amount: 0, currency, token } : {};
  return withBook({ ...payment, ...first }, { asks, authorizations: [...payment.book.authorizations, one] });
}

/** Takes turns until an operation is under way or nothing waits. */
function proceed(payment: Booked, now: number, before: readonly PaymentEvent[], posting?: PaymentPosting): Step {
  const events = [...before];
  const step = (last: Booked, begin?: Beginning): Step => ({
    ...say(last, now, events),
    ...(begin === undefined ? {} : { begin }),
    ...(posting === undefined ? {} : { posting }),
  });
  let current = payment;
  while (current.under_way === null) {
    if (current.void_command !== null) {
      const waiting = current.book.asks.filter(({ state }) => state === 'waiting').map(refused(VOID_ASKED, true));
      events.push(...waiting.flatMap((ask) => answerTo(current, ask)));
      current = withBook(current, { asks: current.book.asks.map((ask) => (ask.state === 'waiting' ? refused(VOID_ASKED, true)(ask) : ask)) });
      const back = operationBack(current);
      if (back === undefined) events.push(voided(current));
      return step(back === undefined ? current : doing(current, back), back);
    }
    const waits = current.book.asks.find(({ state }) => state === 'waiting');
    if (waits === undefined) break;
    const ask = measured(current, waits);
    current = replaced(current, waits, ask);
    const next = turnOf(current, ask);
    if ('kind' in next) return step(doing(current, next), next);
    events.push(...answerTo(current, next));
    current = replaced(current, ask, next);
  }
  return step(current);
}

const doing = (payment: Booked, { kind, about: on }: Beginning): Booked => ({
  ...payment,
  under_way: kind,
  book: { ...payment.book, on: on!.authorization },
});
const replaced = (payment: Booked, ask: Ask, by: Ask): Booked =>
  withBook(payment, { asks: payment.book.asks.map((one) => (one === ask ? by : one)) });
const refused =
  (reason: string, again: boolean) =>
  (ask: Ask): Ask => ({ ...ask, state: 'refused', reason, again });

/** An ask for all there is learns how much that is when its turn comes. */
const measured = (payment: Booked, ask: Ask): Ask =>
  ask.what === 'capture' && ask.amount === null ? { ...ask, amount: payment.held + ask.taken } : ask;

/** The operation that is next for an ask, or what has become of the ask when there is none. */
function turnOf(payment: Booked, ask: Ask): Beginning | Ask {
  const { authorizations } = payment.book;
  const own = authorizations.find(({ id }) => id === ask.key);
  const from = (one: Authorization, kind: Kind, amount: number): Beginning => operation(one, kind, amount, ask.command_id, ask);
  if (ask.what === 'authorize') return from(own!, 'authorize', ask.amount!);
  if (ask.what === 'expire')
    return own === undefined || own.held === 0 ? { ...ask, state: 'done', amount: ask.taken } : from(own, 'expire', own.held);

  const account: Account = ask.what === 'refund' ? 'captured' : 'held';
  const there = payment[account];
  const left = ask.amount! - ask.taken;
  if (ask.what !== 'reduce' && left > there) return refused(ask.what === 'refund' ? 'more_than_captured' : 'not_enough_held', true)(ask);
  const line = ask.what === 'reduce' ? authorizations.toReversed() : authorizations;
  const one = line.find((authorization) => authorization[account] > 0);
  if (left === 0 || one === undefined) return { ...ask, state: 'done', amount: ask.taken };
  return from(one, ask.what === 'reduce' ? 'void' : ask.what, Math.min(left, one[account]));
}

/** What gives the next piece of the money back when nothing shall be held or kept. */
function operationBack({ book: { authorizations }, void_command }: Booked): Beginning | undefined {
  const holding = authorizations.find(({ held }) => held > 0);
  if (holding !== undefined) return operation(holding, 'void', holding.held, void_command!);
  const kept = authorizations.find(({ captured }) => captured > 0);
  return kept && operation(kept, 'refund', kept.captured, void_command!);
}

const operation = (one: Authorization, kind: Kind, amount: number, command_id: string, ask?: Ask): Beginning => ({
  kind,
  amount,
  command_id,
  shipment_id: ask?.what === 'capture' && ask.key !== '' ? ask.key : null,
  about: { authorization: one.id, provider_ref: one.provider_ref, token: one.token, last: kind !== 'refund' && amount === one.held },
});

/** What follows once the fate of the operation under way is known. */
export function settleByBook(payment: Payment, { kind, amount }: { kind: Kind; amount: number }, outcome: Outcome, now: number): Step {
  const booked = opened(payment);
  const { book } = booked;
  const idle: Booked = { ...booked, under_way: null, book: { ...book, on: null } };
  const one = book.authorizations.find(({ id }) => id === book.on)!;
  // Asks are refused when a void begins, so what still waits then is what the operation was for.
  const ask = book.asks.find(({ state }) => state === 'waiting');
  if (outcome.result !== 'approved') return failed(idle, ask, kind, outcome, now);

  const posting: PaymentPosting = { ...POSTINGS[kind], quantity: amount };
  const own = post<Account>({ held: one.held, captured: one.captured }, posting);
  const sums = post<Account>({ held: payment.held, captured: payment.captured }, posting);
  if (own === undefined || sums === undefined) throw new Fault('internal', `payment ${payment.id} has not the ${amount} to ${kind}`);
  const authorized = kind === 'authorize' ? { amount, provider_ref: outcome.ref, until: outcome.until ?? null } : {};
  const paid: Booked = {
    ...idle,
    ...sums,
    refunded: payment.refunded + (kind === 'refund' ? amount : 0),
    // What was to be paid is what was asked for and not declined; the first was counted when it was asked for.
    amount: payment.amount + (kind === 'authorize' && one.id !== '' ? amount : 0),
    provider_ref: kind === 'authorize' && one === book.authorizations[0] ? outcome.ref : payment.provider_ref,
    book: { ...idle.book, authorizations: book.authorizations.map((any) => (any === one ? { ...one, ...own, ...authorized } : any)) },
  };
  const next = inStatus(paid, kind, now);
  if (ask === undefined) return proceed(next, now, [], posting);
  const further: Ask = { ...ask, taken: ask.taken + amount };
  const over = kind === 'authorize' || kind === 'expire' || further.taken === further.amount;
  const after: Ask = over ? { ...further, state: 'done', amount: further.taken } : further;
  return proceed(replaced(next, ask, after), now, over ? answerTo(next, after) : [], posting);
}

function failed(idle: Booked, ask: Ask | undefined, kind: Kind, outcome: Outcome, now: number): Step {
  const declined = outcome.result === 'declined';
  const reason = declined ? outcome.code : 'provider_unavailable';
  // What gives everything back and is refused is not tried in a circle.
  if (ask === undefined) return say(idle, now, [failure(idle, `${kind}_failed: ${reason}`)]);
  const after = refused(reason, !(declined && kind === 'authorize'))(ask);
  const to = declined ? 'declined' : 'failed';
  const next = kind === 'authorize' && idle.status === 'requested' ? { ...moved(idle, to, now), book: idle.book } : idle;
  return proceed(replaced(next, ask, after), now, answerTo(next, after));
}

const failure = (payment: Payment, reason: string): PaymentEvent => ({
  type: 'payment.failed',
  data: { ...about(payment, payment.amount), reason },
});

/** What is said of an ask that is done or refused. */
function answerTo(payment: Payment, { what, key, amount, taken, state, reason, again }: Ask): PaymentEvent[] {
  const done = state === 'done';
  const data = about(payment, done ? taken : (amount ?? payment.held));
  const why = reason ?? 'refused';
  const named = key === '' ? {} : { authorization: key };
  const shipment = key === '' ? {} : { shipment_id: key };
  switch (what) {
    case 'authorize':
      return [
        done
          ? { type: 'payment.authorized', data: { ...data, ...named, amount: amount! } }
          : { type: again ? 'payment.failed' : 'payment.declined', data: { ...data, ...named, reason: why } },
      ];
    case 'capture':
      return [
        done
          ? { type: 'payment.captured', data: { ...data, ...shipment } }
          : { type: 'payment.capture_failed', data: { ...data, ...shipment, reason: why } },
      ];
    case 'refund':
      return [
        done
          ? { type: 'payment.refunded', data: { ...data, refund_id: key } }
          : { type: 'payment.refund_failed', data: { ...data, refund_id: key, reason: why, refunded: taken } },
      ];
    case 'reduce':
      if (done) return [{ type: 'payment.reduced', data: { ...data, revision: Number(key) } }];
      return why === VOID_ASKED ? [] : [failure(payment, `void_failed: ${why}`)];
    case 'expire':
      return done && taken > 0 ? [{ type: 'payment.expired', data: { ...data, ...named } }] : [];
  }
}

/** The status is what the money says. */
function inStatus(payment: Booked, kind: Kind, now: number): Booked {
  const to = statusOf(payment, kind);
  return to === payment.status ? payment : { ...moved(payment, to, now), book: payment.book };
}

function statusOf({ held, captured, refunded }: Payment, kind: Kind): PaymentStatus {
  if (held > 0) return captured + refunded > 0 ? 'part_captured' : 'authorized';
  if (captured > 0) return refunded > 0 ? 'part_refunded' : 'captured';
  if (refunded > 0) return 'refunded';
  return kind === 'expire' ? 'expired' : 'voided';
}
