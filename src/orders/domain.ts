/**
 * What an order does when something happens to it: its next state, what it says, what its timeline keeps. README.md is the protocol,
 * domain-table.ts the table; here stands what each act of the table means.
 */
import { Refusal } from '../kernel/errors.ts';
import {
  type Journey,
  type Order,
  type Reply,
  type Request,
  type Rules,
  type Step,
  type Trigger,
  areGoodsOnBooks,
  factOf,
  reservedLines,
  stateOfStop,
} from './domain-order.ts';
import { type Act, type State, type TriggerName, actOf, waitOf } from './domain-table.ts';
import {
  type Turn,
  askForGoodsAgain,
  closeTurn,
  enter,
  goOn,
  hold,
  leave,
  lift,
  openTurn,
  plainStop,
  refuseDispatch,
  sayEvent,
  setStop,
  settle,
  unwind,
} from './domain-turn.ts';
import type { Stop, StopName, StopState } from './domain-waybill.ts';

const SEEN_MAX = 16;

/** The first step: an order that has just been decided on sets out. */
export function setOut(order: Order, rules: Rules, detail: Readonly<Record<string, unknown>>): Step {
  const turn = openTurn(order, rules);
  const lines = reservedLines(order).map((line, i) => ({ ...line, unit_price: order.lines![i]!.unit_price }));
  sayEvent(turn, { type: 'order.placed', data: { ...factOf(order), policy: order.policy, lines } });
  goOn(turn);
  return closeTurn(turn, 'order.placed', detail);
}

/** What a message does to an order; undefined when it changes nothing. */
export function advance(order: Order, message: Reply, rules: Rules): Step | undefined {
  const step = react(order, message, rules);
  if (step instanceof Refusal) throw step; // the table refuses requests only
  return step;
}

/** What a person's request does to an order; undefined when it is so already. */
export const request = (order: Order, asked: Request, rules: Rules): Step | undefined | Refusal => react(order, asked, rules);

/** May the request be made now? */
export const isLegal = ({ journey }: Order, name: Request['type']): boolean => {
  const act = actOf(journey.at, name);
  return name === 'resume' ? act === 'again' && (journey.hold !== null || areGoodsOnBooks(journey)) : act === 'undo';
};

/** Can a stop that is told of lines be reached within `answers` answers? Then they must be loaded. */
export const mayNeedLines = ({ journey }: Order, answers: number): boolean =>
  journey.stops
    .filter(({ state }) => state === 'waiting')
    .slice(0, answers)
    .some(({ stop }) => stop !== 'payment');

function react(order: Order, trigger: Trigger, rules: Rules): Step | undefined | Refusal {
  const act = actOf(order.journey.at, trigger.type);
  const turn = openTurn(order, rules);
  if (isMessage(trigger)) {
    if (order.journey.seen.includes(trigger.id)) return undefined;
    turn.detail.message_id = trigger.id;
    if (MAY_COME_AGAIN.has(trigger.type)) turn.journey = { ...turn.journey, seen: [...turn.journey.seen, trigger.id].slice(-SEEN_MAX) };
  }
  const verdict = ACTS[act](turn, trigger);
  if (verdict instanceof Refusal) return verdict;
  return verdict === 'nothing' ? undefined : closeTurn(turn, trigger.type, {});
}

const isMessage = (trigger: Trigger): trigger is Reply => trigger.type !== 'cancel' && trigger.type !== 'resume';

/** Everything else can be told from the state when it comes a second time. */
const MAY_COME_AGAIN: ReadonlySet<TriggerName> = new Set([
  'shipment.dispatch_requested',
  'payment.capture_failed',
  'payment.failed',
  'message.dead_lettered',
]);

type Verdict = void | 'nothing' | Refusal;

/** What the acts of the table mean. */
const ACTS: Readonly<Record<Act, (turn: Turn, trigger: Trigger) => Verdict>> = {
  done(turn, trigger) {
    lift(turn);
    setStop(turn, doneStop(trigger, turn.rules.now));
    goOn(turn);
  },
  no(turn, trigger) {
    lift(turn);
    setStop(turn, plainStop(trigger.type === 'stock.rejected' ? 'stock' : 'payment', 'refused', turn.rules.now));
    unwind(turn, trigger.type === 'stock.rejected' ? 'out_of_stock' : 'payment_declined');
  },
  undone(turn) {
    lift(turn);
    setStop(turn, plainStop(waitOf(turn.journey.at)!.stop, 'undone', turn.rules.now));
    unwind(turn, turn.journey.reason!);
  },
  fail: (turn, trigger) => hold(turn, { reason: 'technical', note: trigger.type === 'payment.failed' ? trigger.data.reason : trigger.type }),
  dead(turn, trigger) {
    if (trigger.type !== 'message.dead_lettered') return;
    const { dead_letter_id, message_type, code } = trigger.data;
    Object.assign(turn.detail, { dead_letter_id, message_type, code });
    if (isAwaited(turn.journey.at, message_type, trigger.source))
      hold(turn, { reason: 'technical', note: `${message_type} became a dead letter: ${code}`, dead_letter_id });
  },
  over(turn) {
    const { at, hold: held, deadline } = turn.journey;
    if (held !== null || deadline === null || turn.rules.now < deadline) return 'nothing'; // a reminder of a state that was left
    if (waitOf(at)!.overdue === 'cancel') return unwind(turn, 'timeout');
    hold(turn, { reason: 'technical', note: `no answer by ${new Date(deadline).toISOString()}` });
  },
  ask(turn, trigger) {
    lift(turn);
    if (turn.journey.at === 'preparing') setStop(turn, doneStop(trigger, turn.rules.now));
    enter(turn, stateOfStop(turn.journey.stops, 'payment') === 'done' ? 'capturing' : 'dispatching');
  },
  deny: (turn) => refuseDispatch(turn, turn.journey.reason === null ? 'order_not_ready' : 'order_cancelled'),
  paid(turn) {
    lift(turn);
    settle(turn, 'payment');
    enter(turn, 'dispatching');
  },
  kept(turn) {
    if (stateOfStop(turn.journey.stops, 'payment') !== 'done') return 'nothing';
    settle(turn, 'payment');
  },
  unpaid(turn, trigger) {
    const note = trigger.type === 'payment.capture_failed' ? trigger.data.reason : '';
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
    if (stateOfStop(turn.journey.stops, 'stock') === 'settled') return 'nothing';
    settle(turn, 'stock');
  },
  undo(turn, trigger) {
    if (trigger.type === 'cancel' && trigger.reason !== undefined) turn.detail.reason = trigger.reason;
    noteOperation(turn, trigger);
    const reason = turn.journey.hold === null ? 'customer' : 'operator';
    turn.journey = { ...turn.journey, hold: null }; // not resumed: it ends
    unwind(turn, reason);
  },
  again(turn, trigger) {
    const { at, hold: held } = turn.journey;
    if (held === null && !areGoodsOnBooks(turn.journey)) return notOnHold(turn);
    noteOperation(turn, trigger);
    if (held === null) return askForGoodsAgain(turn);
    lift(turn);
    enter(turn, at, true);
  },
  refuse(turn, trigger) {
    const { number, journey } = turn.order;
    return trigger.type === 'resume'
      ? notOnHold(turn)
      : new Refusal('order_not_cancellable', `order ${number} is ${journey.at} and can no longer be cancelled`);
  },
  same: () => 'nothing',
  idle: () => 'nothing',
  note(turn, trigger) {
    if (trigger.type === 'message.dead_lettered') Object.assign(turn.detail, { message_type: trigger.data.message_type, code: trigger.data.code });
  },
  late(turn, trigger) {
    if (isRepetition(turn.journey, trigger.type)) return 'nothing';
    turn.detail.late = true;
  },
};

const notOnHold = ({ order }: Turn): Refusal => new Refusal('order_not_on_hold', `order ${order.number} is not on hold`);

/** The stop as the answer tells that it is done. */
function doneStop(trigger: Trigger, since: number): Stop {
  switch (trigger.type) {
    case 'stock.reserved':
      return { stop: 'stock', state: 'done', since, warehouse_id: trigger.data.warehouse_id };
    case 'payment.authorized':
      return { stop: 'payment', state: 'done', since, payment_id: trigger.data.payment_id };
    case 'shipment.ready':
    case 'shipment.dispatch_requested': {
      const { shipment_id, tracking_number } = trigger.data;
      return { stop: 'shipping', state: 'done', since, shipment_id, tracking_number };
    }
    default:
      throw new Error(`${trigger.type} does not do a stop`);
  }
}

function noteOperation(turn: Turn, trigger: Trigger): void {
  if (!isMessage(trigger) && trigger.operation !== undefined) turn.detail.operation = trigger.operation;
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
