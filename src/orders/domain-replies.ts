/**
 * What the acts of the table mean that a message can bring about.
 */
import { stopsShipping, unpin } from './domain-holds.ts';
import { moneyOf } from './domain-money.ts';
import { type Journey, type Reply, factOf, stateOfStop } from './domain-order.ts';
import { repaid, takeBack, unrepaid } from './domain-refunds.ts';
import type { RequestAct, Verdict } from './domain-requests.ts';
import { fall, plain, proceed, resync } from './domain-revision.ts';
import { type AboutShipment, holdOverdue, holdWaiting, moveShipment } from './domain-shipment-acts.ts';
import { unfold } from './domain-shipments.ts';
import { type Act, type State, type TriggerName, waitOf } from './domain-table.ts';
import { type Turn, enter, hold, leave, lift, orderNow, plainStop, refuseDispatch, sayEvent, setStop, settle, stopState } from './domain-turn.ts';
import { goOn, recalled, release, unwind } from './domain-way.ts';
import type { Stop, StopName, StopState } from './domain-waybill.ts';

export const REPLY_ACTS: Readonly<Record<Exclude<Act, RequestAct>, (turn: Turn, message: Reply) => Verdict>> = {
  done(turn, message) {
    lift(turn);
    setStop(turn, doneStop(message, turn.rules.now));
    if (message.type === 'stock.reserved') divide(turn, message);
    goOn(turn);
  },
  no(turn, message) {
    lift(turn);
    setStop(turn, plainStop(message.type === 'stock.rejected' ? 'stock' : 'payment', 'refused', turn.rules.now));
    unwind(turn, message.type === 'stock.rejected' ? 'out_of_stock' : 'payment_declined');
  },
  undone(turn, message) {
    lift(turn);
    setStop(turn, plainStop(waitOf(turn.journey.at)!.stop, 'undone', turn.rules.now));
    if (message.type === 'payment.voided') giveBack(turn, message.data.refunded);
    unwind(turn, turn.journey.reason!);
  },
  fail: (turn, message) => hold(turn, { reason: 'technical', note: message.type === 'payment.failed' ? message.data.reason : message.type }),
  dead(turn, message) {
    if (message.type !== 'message.dead_lettered') return;
    const { dead_letter_id, message_type, code } = message.data;
    Object.assign(turn.detail, { dead_letter_id, message_type, code });
    const said = { reason: 'technical', note: `${message_type} became a dead letter: ${code}`, dead_letter_id } as const;
    if (isAwaited(turn.journey.at, message_type, message.source)) hold(turn, said);
    holdWaiting(turn, message_type, message.source, said);
  },
  over(turn) {
    const { now } = turn.rules;
    const expired = (turn.journey.holds ?? []).filter(({ expires_at }) => expires_at !== null && expires_at <= now);
    for (const one of expired) unpin(turn, one, { expired: true });
    if (expired.length > 0) release(turn);
    const held = holdOverdue(turn);
    const { at, hold: held_, deadline } = turn.journey;
    const overdue = waitOf(at)?.overdue ?? null;
    // Else it is a reminder of a state that was left.
    if (overdue === null || held_ !== null || deadline === null || now < deadline) return expired.length > 0 || held ? undefined : 'nothing';
    if (overdue === 'cancel') return unwind(turn, 'timeout');
    hold(turn, { reason: 'technical', note: `no answer by ${new Date(deadline).toISOString()}` });
  },
  ask(turn, message) {
    lift(turn);
    const wasPreparing = turn.journey.at === 'preparing';
    if (wasPreparing) setStop(turn, doneStop(message, turn.rules.now));
    const why = whyNot(turn);
    if (why === undefined && turn.journey.money?.held === 0) settle(turn, 'payment'); // paid elsewhere
    if (why === undefined) return enter(turn, stopState(turn, 'payment') === 'done' ? 'capturing' : 'dispatching');
    if (wasPreparing) enter(turn, 'ready');
    refuseDispatch(turn, why);
    if (why === 'payment_missing') hold(turn, { reason: 'payment_expired', note: 'less is authorised than is to be captured' });
  },
  deny: (turn) =>
    refuseDispatch(turn, turn.journey.reason !== null ? 'order_cancelled' : turn.journey.at === 'held' ? 'order_on_hold' : 'order_not_ready'),
  paid(turn) {
    lift(turn);
    settle(turn, 'payment');
    takeAll(turn);
    if (!stopsShipping(turn.journey)) return enter(turn, 'dispatching');
    enter(turn, 'ready');
    refuseDispatch(turn, 'order_on_hold');
  },
  kept(turn) {
    if (stopState(turn, 'payment') !== 'done') return 'nothing';
    settle(turn, 'payment');
    takeAll(turn);
  },
  unpaid(turn, message) {
    const note = message.type === 'payment.capture_failed' ? message.data.reason : '';
    lift(turn);
    enter(turn, 'ready');
    refuseDispatch(turn, 'capture_failed');
    hold(turn, { reason: 'capture_failed', note });
  },
  sent(turn) {
    lift(turn);
    leave(turn);
  },
  here(turn) {
    lift(turn);
    if (turn.journey.at === 'dispatching') leave(turn);
    enter(turn, 'delivered');
    sayEvent(turn, { type: 'order.delivered', data: factOf(turn.order) });
  },
  gone(turn) {
    if (stopState(turn, 'stock') === 'settled') return 'nothing';
    settle(turn, 'stock');
  },
  doubt(turn, message) {
    if (message.type === 'stock.shorted') {
      const { warehouse_id, lines, reason } = message.data;
      Object.assign(turn.detail, { warehouse_id, lines, reason });
    }
    resync(turn);
  },
  lapse(turn, message) {
    if (message.type === 'payment.expired') {
      const money = moneyOf(orderNow(turn));
      turn.journey = { ...turn.journey, money: { ...money, held: Math.max(0, money.held - message.data.amount) } };
      return hold(turn, { reason: 'payment_expired', note: `the authorisation of ${message.data.amount} has expired` });
    }
    if (isPastCancelling(turn)) return hold(turn, { reason: 'technical', note: 'the reservation has expired' });
    turn.journey = { ...turn.journey, hold: null };
    unwind(turn, 'reservation_expired');
  },
  step(turn, message) {
    const over = proceed(turn, message);
    if (over === undefined) return late(turn, message);
    if (over) goOn(turn);
  },
  fall(turn, message) {
    const over = fall(turn, message);
    if (over === undefined) return late(turn, message);
    if (over) goOn(turn);
  },
  part(turn, message) {
    unfold(turn);
    return atShipment(turn, message as AboutShipment);
  },
  back(turn, message) {
    if (message.type !== 'return.received') return;
    unfold(turn);
    if (!takeBack(turn, message.data)) return 'nothing';
    turn.detail.return_id = message.data.return_id;
  },
  repaid: (turn, message) => (message.type === 'payment.refunded' && repaid(turn, message.data) ? undefined : 'nothing'),
  unrepaid: (turn, message) => (message.type === 'payment.refund_failed' && unrepaid(turn, message.data) ? undefined : 'nothing'),
  note(turn, { type, data }) {
    if (type === 'message.dead_lettered') Object.assign(turn.detail, { message_type: data.message_type, code: data.code });
    if (type === 'shipment.exception') Object.assign(turn.detail, { code: data.code, note: data.note });
  },
  late,
};

/** What concerns one of several shipments goes to that one. */
export function atShipment(turn: Turn, message: AboutShipment): Verdict {
  if (!moveShipment(turn, message)) return 'nothing';
  recalled(turn);
}

function late(turn: Turn, { type }: Reply): Verdict {
  if (isRepetition(turn.journey, type)) return 'nothing';
  turn.detail.late = true;
}

/** Why the only shipment of the order may not leave now. */
function whyNot(turn: Turn): string | undefined {
  const { journey, order } = turn;
  if (journey.revision !== undefined) return 'order_being_changed';
  if (stopsShipping(journey)) return 'order_on_hold';
  const short = journey.money !== undefined && journey.money.held + journey.money.captured - journey.money.refunded < order.total;
  return short && stopState(turn, 'payment') !== undefined ? 'payment_missing' : undefined;
}

/** All that was held has been captured, where that is not plain from the stop. */
function takeAll(turn: Turn): void {
  const { money } = turn.journey;
  if (money !== undefined) turn.journey = { ...turn.journey, money: { ...money, held: 0, captured: money.captured + money.held } };
}

/** Nothing of the money is held or kept any more, but what was paid elsewhere. Refunds that were under way are part of it. */
function giveBack(turn: Turn, refunded: number): void {
  const { money } = turn.journey;
  turn.journey = { ...turn.journey, refunds: undefined };
  if (money === undefined && refunded === 0) return;
  const { captured = refunded, external = 0 } = money ?? {};
  turn.journey = { ...turn.journey, money: { held: 0, captured, external, refunded: captured - external } };
}

/** Stock holds the order's goods in several places, or queued some: from here on it keeps its shipments itself. */
function divide(turn: Turn, { data }: Extract<Reply, { type: 'stock.reserved' }>): void {
  const { parts, queued = [] } = data;
  if (parts === undefined || (parts.length === 1 && queued.length === 0)) return;
  const waiting = queued.map(plain);
  turn.journey = { ...turn.journey, shipments: [], parts, queued: waiting.length === 0 ? undefined : waiting };
  if (waiting.length > 0) sayEvent(turn, { type: 'order.backordered', data: { ...factOf(turn.order), lines: waiting, reason: 'out_of_stock' } });
}

const PAST: ReadonlySet<State> = new Set(['capturing', 'dispatching', 'shipped', 'delivered']);
const isPastCancelling = ({ journey: { at, shipments = [] } }: Turn): boolean =>
  PAST.has(at) || shipments.some(({ state }) => !['planned', 'preparing', 'ready', 'recalling', 'cancelled'].includes(state));

/** The stop as the answer tells that it is done. */
function doneStop(message: Reply, since: number): Stop {
  switch (message.type) {
    case 'stock.reserved':
      return { stop: 'stock', state: 'done', since, warehouse_id: message.data.warehouse_id };
    case 'payment.authorized':
      return { stop: 'payment', state: 'done', since, payment_id: message.data.payment_id };
    case 'shipment.ready':
    case 'shipment.dispatch_requested': {
      const { shipment_id, tracking_number } = message.data;
      return { stop: 'shipping', state: 'done', since, shipment_id, tracking_number };
    }
    default:
      throw new Error(`${message.type} does not do a stop`);
  }
}

/** Does the order wait for this message, or for what it would bring about? Answers count when it is orders that gave them up. */
function isAwaited(at: State, type: string, source: string): boolean {
  const wait = waitOf(at);
  if (wait === null) return false;
  if (type === wait.asks || type === 'order.check_deadline') return true;
  if (at === 'ready' && type === 'shipment.refuse_dispatch') return true;
  return source === 'orders' && wait.answers.some((answer) => answer === type);
}

/** In which states of which stop an answer has been taken already. */
const TAKEN: Readonly<Partial<Record<TriggerName, readonly [StopName, ...StopState[]]>>> = {
  'stock.reserved': ['stock', 'done', 'settled'],
  'stock.rejected': ['stock', 'refused'],
  'stock.released': ['stock', 'undone'],
  'stock.committed': ['stock', 'settled'],
  'payment.authorized': ['payment', 'done', 'settled'],
  'payment.declined': ['payment', 'refused'],
  'payment.captured': ['payment', 'settled'],
  'payment.voided': ['payment', 'undone'],
  'shipment.ready': ['shipping', 'done', 'settled'],
  'shipment.dispatched': ['shipping', 'settled'],
  'shipment.cancelled': ['shipping', 'undone'],
};

function isRepetition({ at, stops }: Journey, type: TriggerName): boolean {
  if (type === 'shipment.delivered') return at === 'delivered';
  if (type === 'shipment.dispatch_requested') return at === 'shipped' || at === 'delivered';
  const [stop, ...states] = TAKEN[type] ?? [];
  return stop !== undefined && states.some((state) => state === stateOfStop(stops, stop));
}
