/**
 * Money given back: by a person, because an order costs less than was taken, or because goods came back.
 *
 * What is given back beyond what was taken too much is a credit: a charge below zero. So the total stays what is to be paid in the end, and
 * what is due stays zero.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Refusal } from '../kernel/errors.ts';
import { type Charge, totalsOf, worthOf } from './domain-charges.ts';
import { moneyOf, refundableOf, refundingOf } from './domain-money.ts';
import { type Order, linesOf } from './domain-order.ts';
import { type Turn, orderNow } from './domain-turn.ts';

interface RefundAsked {
  readonly amount: number;
  readonly reason: string;
  readonly return_id?: string | undefined;
  /** Does the order cost less by it? */
  readonly credit: boolean;
}

/** Asks payments to give money back. The amount can be: that was looked at before. */
export function openRefund(turn: Turn, { amount, reason, return_id, credit }: RefundAsked): void {
  const { id, now, deadlines } = turn.rules;
  const money = moneyOf(orderNow(turn)); // as it was before the total changes
  const refund_id = id('rfd');
  if (credit) addCredit(turn, amount - Math.min(amount, takenTooMuch(orderNow(turn))));
  const which = return_id === undefined ? {} : { return_id };
  const refund = { refund_id, amount, reason, since: now, deadline: now + deadlines.payment, ...which };
  const open = (turn.journey.refunds ?? []).filter(({ failed }) => failed === undefined);
  turn.journey = { ...turn.journey, money, refunds: [...open, refund] };
  turn.says.push({ type: 'payment.refund', data: { order_id: turn.order.id, refund_id, amount, reason } });
  Object.assign(turn.detail, { refund_id, amount });
}

const takenTooMuch = (order: Order): number => {
  const { captured, refunded } = moneyOf(order);
  const payable = order.journey.at === 'cancelled' ? 0 : order.total;
  return Math.max(0, captured - refunded - refundingOf(order.journey) - payable);
};

function addCredit(turn: Turn, amount: number): void {
  if (amount === 0) return;
  const credit: Charge = { code: 'refund', kind: 'credit', amount: -amount };
  const charges = [...turn.order.charges, credit];
  turn.order = { ...turn.order, charges, ...totalsOf(linesOf(turn.order), charges) };
}

/** A person gives money back. */
export function repay(turn: Turn, { amount, reason, return_id }: Omit<RefundAsked, 'credit'>): void | Refusal {
  const refundable = refundableOf(orderNow(turn));
  if (amount > refundable) {
    const rule = `at most ${refundable} can be given back`;
    return new Refusal('refund_too_large', `${rule} of order ${turn.order.number}, not ${amount}`, [{ field: 'amount', rule }]);
  }
  if (return_id !== undefined) {
    const { returns = [] } = turn.journey;
    if (returns.some((one) => one.return_id === return_id))
      return new Refusal('order_state', `the money for return ${return_id} has been seen to already`, [{ field: 'return_id', rule: 'was refunded' }]);
    turn.journey = { ...turn.journey, returns: [...returns, { return_id, lines: [], decided: true }] };
  }
  openRefund(turn, { amount, reason, return_id, credit: true });
}

/** Goods came back: their price with its share of what is charged on their lines, unless a person has decided otherwise. False when known. */
export function takeBack(turn: Turn, { return_id, lines, parcel_id }: DataOf<'return.received'>): boolean {
  const { returns = [] } = turn.journey;
  const known = returns.find((one) => one.return_id === return_id);
  if (known !== undefined && (known.decided !== true || known.lines.length > 0)) return false;
  const pieces = lines.map(({ line_id, sku, quantity }) => ({ line_id, sku, quantity }));
  turn.journey = { ...turn.journey, returns: [...returns.filter((one) => one !== known), { ...known, return_id, lines: pieces }] };
  if (known !== undefined) return true;
  const worth = worthOf({ lines: linesOf(turn.order), charges: turn.order.charges }, pieces);
  const amount = Math.min(Math.max(0, worth), refundableOf(orderNow(turn)));
  if (amount > 0) openRefund(turn, { amount, reason: parcel_id === undefined ? 'returned' : 'undeliverable', return_id, credit: true });
  return true;
}

/** Given back. False when it was not asked for, or is known. */
export function repaid(turn: Turn, { refund_id, amount }: DataOf<'payment.refunded'>): boolean {
  const { refunds = [] } = turn.journey;
  if (!refunds.some((one) => one.refund_id === refund_id)) return false;
  const left = refunds.filter((one) => one.refund_id !== refund_id);
  const money = moneyOf(orderNow(turn));
  turn.journey = { ...turn.journey, refunds: left.length === 0 ? undefined : left, money: { ...money, refunded: money.refunded + amount } };
  Object.assign(turn.detail, { refund_id, amount });
  return true;
}

/** Not given back, or not all of it: the rest stays, until a person gives it back anew. False when it was not asked for, or is known. */
export function unrepaid(turn: Turn, { refund_id, reason, refunded }: DataOf<'payment.refund_failed'>): boolean {
  const { refunds = [] } = turn.journey;
  const asked = refunds.find((one) => one.refund_id === refund_id);
  if (asked === undefined || asked.failed !== undefined) return false;
  const { now, deadlines } = turn.rules;
  const money = moneyOf(orderNow(turn));
  const failed = { ...asked, amount: asked.amount - refunded, failed: reason, since: now, deadline: now + deadlines.hold };
  turn.journey = {
    ...turn.journey,
    refunds: refunds.map((one) => (one === asked ? failed : one)),
    money: { ...money, refunded: money.refunded + refunded },
  };
  Object.assign(turn.detail, { refund_id, refunded, note: reason });
  return true;
}

/** Paid elsewhere, or (below zero) given back there. */
export function settleExternally(turn: Turn, amount: number): void | Refusal {
  const money = moneyOf(orderNow(turn));
  const { total, number } = turn.order;
  const due = (turn.journey.at === 'cancelled' ? 0 : total) - (money.captured - money.refunded);
  if (amount > Math.max(0, due)) {
    const rule = `at most ${Math.max(0, due)} is due`;
    return new Refusal('amount_out_of_range', `of order ${number} ${rule}`, [{ field: 'amount', rule }]);
  }
  if (amount < -money.external) {
    const rule = `${money.external} was paid elsewhere`;
    return new Refusal('amount_out_of_range', `of order ${number} ${rule}, so no more can be given back there`, [{ field: 'amount', rule }]);
  }
  turn.journey = { ...turn.journey, money: { ...money, captured: money.captured + amount, external: money.external + amount } };
}
