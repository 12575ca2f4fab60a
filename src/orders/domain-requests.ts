/**
 * What the acts of the table mean that a person's request can bring about.
 */
import { Refusal } from '../kernel/errors.ts';
import { askedAgain, commitOf } from './domain-commands.ts';
import { dropHolds, pin, unpin } from './domain-holds.ts';
import { dueOf, moneyOf } from './domain-money.ts';
import { type Request, factOf } from './domain-order.ts';
import { repay, settleExternally } from './domain-refunds.ts';
import { ask } from './domain-revision.ts';
import { type Change, becoming, isIdle, sameTarget, toReduce } from './domain-revision-plan.ts';
import { isLeaving } from './domain-shipment-table.ts';
import { freeShipments, resumeShipments } from './domain-shipment-acts.ts';
import { areGoodsOnBooks, isFinished, onHold } from './domain-status.ts';
import type { Act } from './domain-table.ts';
import { type Turn, enter, lift, orderNow, plainStop, sayEvent, setStop, stand, stopState } from './domain-turn.ts';
import { goOn, release, sayPlaced, unwind } from './domain-way.ts';

export type Verdict = void | 'nothing' | Refusal;
export type RequestAct =
  | 'undo' | 'again' | 'place' | 'drop' | 'draw' | 'wait' | 'revise' | 'busy' | 'pin' | 'unpin' | 'repay' | 'settle' | 'close' | 'jot' | 'refuse' | 'same'; // oxfmt-ignore

export const REQUEST_ACTS: Readonly<Record<RequestAct & Act, (turn: Turn, asked: Request) => Verdict>> = {
  undo(turn, asked) {
    if (turn.journey.shipments?.some(isLeaving) === true)
      return new Refusal('order_not_cancellable', `a shipment of order ${turn.order.number} has left: cancel the lines that have not`);
    if (asked.type === 'cancel' && asked.reason !== undefined) turn.detail.reason = asked.reason;
    noteOperation(turn, asked);
    const reason = onHold(turn.journey) === null ? 'customer' : 'operator';
    turn.journey = { ...turn.journey, hold: null }; // not resumed: it ends
    unwind(turn, reason);
  },
  again(turn, asked) {
    noteOperation(turn, asked);
    const { hold, at } = turn.journey;
    const onBooks = areGoodsOnBooks(turn.journey);
    const resumed = resumeShipments(turn);
    if (hold === null && !resumed && !onBooks) return notOnHold(turn);
    if (onBooks) turn.says.push(askedAgain(commitOf(orderNow(turn))));
    if (hold === null) return;
    lift(turn);
    enter(turn, at, true);
  },
  place(turn, asked) {
    if (asked.type !== 'place') return;
    noteOperation(turn, asked);
    const { total, policy, number } = turn.order;
    const payment = stopState(turn, 'payment');
    if (payment !== undefined) {
      turn.token = total === 0 ? null : (asked.token ?? turn.token);
      if (total > 0 && turn.token === null)
        return new Refusal('payment_token_required', `order ${number} takes a payment`, [
          { field: 'payment.token', rule: `required by the policy ${policy}` },
        ]);
      const token = turn.token;
      setStop(turn, { stop: 'payment', state: total === 0 ? 'skipped' : 'waiting', since: turn.rules.now });
      turn.token = token;
    }
    sayPlaced(turn);
    goOn(turn);
  },
  drop(turn, asked) {
    if (asked.type === 'cancel' && asked.reason !== undefined) turn.detail.reason = asked.reason;
    noteOperation(turn, asked);
    const { now } = turn.rules;
    turn.journey = { ...turn.journey, reason: 'discarded' };
    dropHolds(turn);
    for (const { stop } of turn.journey.stops) setStop(turn, plainStop(stop, 'dropped', now));
    stand(turn, 'cancelled');
    sayEvent(turn, { type: 'order.discarded', data: factOf(turn.order) });
  },
  draw(turn, asked) {
    if (asked.type !== 'revise') return;
    noteOperation(turn, asked);
    const { target, token, reason } = asked.change;
    if (isIdle(orderNow(turn), asked.change) && target.customer === turn.order.customer) return 'nothing';
    if (reason !== undefined) turn.detail.reason = reason;
    turn.order = { ...turn.order, lines: target.lines, ...becoming(turn.order, target), ship_to: target.ship_to, customer: target.customer };
    if (token !== null) turn.token = token;
  },
  wait: revise,
  revise,
  busy: (turn) => busy(turn),
  pin(turn, asked) {
    if (asked.type !== 'hold') return;
    noteOperation(turn, asked);
    return pin(turn, asked.hold, asked.client ?? 'unknown');
  },
  unpin(turn, asked) {
    if (asked.type !== 'release') return;
    const hold = (turn.journey.holds ?? []).find(({ id }) => id === asked.hold_id);
    if (hold === undefined) return new Refusal('hold_not_found', `order ${turn.order.number} has no open hold ${asked.hold_id}`);
    noteOperation(turn, asked);
    Object.assign(turn.detail, { hold_id: hold.id, ...(asked.reason === undefined ? {} : { reason: asked.reason }) });
    unpin(turn, hold, { reason: asked.reason });
    if (turn.journey.at !== 'draft') release(turn);
  },
  repay(turn, asked) {
    if (asked.type !== 'refund') return;
    noteOperation(turn, asked);
    turn.detail.reason = asked.reason;
    return repay(turn, asked);
  },
  settle(turn, asked) {
    if (asked.type !== 'pay_externally') return;
    const { amount, method, reference } = asked;
    const refused = settleExternally(turn, amount);
    if (refused !== undefined) return refused;
    noteOperation(turn, asked);
    Object.assign(turn.detail, { amount, method, ...(reference === undefined ? {} : { reference }) });
    const order = orderNow(turn);
    const { held } = moneyOf(order);
    if (held >= dueOf(order)) {
      if (turn.journey.hold?.reason === 'payment_expired') lift(turn);
      freeShipments(turn, 'payment_expired');
    }
    if (stopState(turn, 'payment') === 'waiting' && dueOf(order) === 0) setStop(turn, { stop: 'payment', state: 'skipped', since: turn.rules.now });
    const isOpen = turn.journey.at !== 'cancelled' && turn.journey.revision === undefined;
    if (isOpen && toReduce(orderNow(turn), turn.order.total) > 0)
      ask(turn, { kind: 'external_payment', target: sameTarget(turn.order), token: null });
  },
  close(turn, asked) {
    if (asked.type !== 'close') return;
    const { holds = [], refunds = [], revision } = turn.journey;
    if (isFinished(orderNow(turn))) return 'nothing';
    if (holds.length > 0 || revision !== undefined || refunds.some(({ failed }) => failed === undefined))
      return new Refusal('order_state', `order ${turn.order.number} has a hold, a change or a refund under way; its blockers say which`);
    noteOperation(turn, asked);
    turn.detail.reason = asked.reason;
    turn.journey = { ...turn.journey, refunds: undefined, closed: { at: turn.rules.now, reason: asked.reason } };
  },
  jot(turn, asked) {
    if (asked.type !== 'note') return;
    noteOperation(turn, asked);
    turn.detail.text = asked.text;
    sayEvent(turn, { type: 'order.note_added', data: { ...factOf(turn.order), text: asked.text } });
  },
  refuse: (turn, asked) => refusalOf(turn, asked),
  same: () => 'nothing',
};

function revise(turn: Turn, asked: Request): Verdict {
  if (asked.type !== 'revise') return;
  if (turn.journey.revision !== undefined) return busy(turn);
  const { change } = asked;
  if (isIdle(orderNow(turn), change)) return 'nothing';
  noteOperation(turn, asked);
  turn.journey = { ...turn.journey, closed: undefined };
  ask(turn, change);
  Object.assign(turn.detail, whatChanges(turn, change));
}

const whatChanges = ({ order }: Turn, { kind, target }: Change): Record<string, unknown> =>
  kind === 'edit' || kind === 'cancel_lines' ? { change: kind, total_before: order.total, total: becoming(order, target).total } : { change: kind };

const busy = (turn: Turn): Refusal =>
  new Refusal('order_busy', `order ${turn.order.number} is being changed; it can be changed again once that has been answered`);

const notOnHold = (turn: Turn): Refusal => {
  const laid = turn.journey.holds?.length ?? 0;
  const why = laid > 0 ? `: it has ${laid} open hold${laid === 1 ? '' : 's'}, which somebody must release` : '';
  return new Refusal('order_not_on_hold', `nothing of order ${turn.order.number} has gone wrong that could be asked for again${why}`);
};

function refusalOf(turn: Turn, asked: Request): Refusal {
  const { number, journey } = turn.order;
  if (asked.type === 'resume') return notOnHold(turn);
  if (asked.type === 'cancel') return new Refusal('order_not_cancellable', `order ${number} is ${journey.at} and can no longer be cancelled`);
  return new Refusal('order_state', `order ${number} is ${journey.at}: ${WHEN[asked.type]}`);
}

/** When it could be asked for. */
const WHEN: Readonly<Record<Exclude<Request['type'], 'cancel' | 'resume'>, string>> = {
  place: 'it is being cancelled, or was',
  discard: 'only a draft can be discarded, other orders are cancelled',
  revise: 'it is being cancelled, or was, and can no longer be changed',
  hold: 'nothing of it can be held any more',
  release: 'it has no holds',
  refund: 'no money of it can be given back now',
  pay_externally: 'what is paid can be written down once stock and payment have answered, and not while a shipment is leaving',
  close: 'it closes by itself; by hand it can be closed once everything has left',
  note: 'it takes no notes',
};

function noteOperation(turn: Turn, { operation }: Request): void {
  if (operation !== undefined) turn.detail.operation = operation;
}
