/**
 * What an order does when something happens to it: its next state, what it says, what its timeline keeps. README.md is the protocol,
 * domain-table.ts the table; domain-replies.ts and domain-requests.ts say what its acts mean.
 */
import { Refusal } from '../kernel/errors.ts';
import { type Order, type Reply, type Request, type Rules, type Step, type Trigger, factOf } from './domain-order.ts';
import { REPLY_ACTS, atShipment } from './domain-replies.ts';
import { REQUEST_ACTS, type Verdict } from './domain-requests.ts';
import { isAboutShipment } from './domain-shipment-table.ts';
import type { AboutShipment } from './domain-shipment-acts.ts';
import { isFinished } from './domain-status.ts';
import { REQUESTS, type TriggerName, actOf } from './domain-table.ts';
import { type Turn, closeTurn, openTurn, orderNow, sayEvent, stand } from './domain-turn.ts';
import { consider, goOn, sayPlaced } from './domain-way.ts';

const SEEN_MAX = 16;

/** The first step: an order that has just been decided on sets out. */
export function setOut(order: Order, rules: Rules, detail: Readonly<Record<string, unknown>>): Step {
  const turn = openTurn(order, rules);
  sayPlaced(turn);
  goOn(turn);
  return closeTurn(turn, 'order.placed', detail);
}

/** The first step of an order that is to be looked at again. */
export function draw(order: Order, rules: Rules, detail: Readonly<Record<string, unknown>>): Step {
  const turn = openTurn(order, rules);
  stand(turn, 'draft');
  sayEvent(turn, { type: 'order.drafted', data: { ...factOf(order), policy: order.policy } });
  return closeTurn(turn, 'order.drafted', detail);
}

/** What a message does to an order; undefined when it changes nothing. */
export function advance(order: Order, message: Reply, rules: Rules): Step | undefined {
  const step = react(order, message, rules);
  if (step instanceof Refusal) throw step; // the table refuses requests only
  return step;
}

/** What a person's request does to an order; undefined when it is so already. */
export const request = (order: Order, asked: Request, rules: Rules): Step | undefined | Refusal => react(order, asked, rules);

/** Must the lines be loaded before `answers` answers are taken? They are what stops are told of, and what a change is a change of. */
export const mayNeedLines = ({ journey }: Order, answers: readonly Reply[]): boolean =>
  journey.shipments !== undefined ||
  journey.revision !== undefined ||
  answers.some(({ type }) => NEEDS_LINES.has(type)) ||
  journey.stops
    .filter(({ state }) => state === 'waiting')
    .slice(0, answers.length)
    .some(({ stop }) => stop !== 'payment');

const NEEDS_LINES: ReadonlySet<TriggerName> = new Set([
  'stock.filled',
  'stock.shorted',
  'shipment.shorted',
  'shipment.lost',
  'shipment.returned',
  'return.received',
]);

function react(order: Order, trigger: Trigger, rules: Rules): Step | undefined | Refusal {
  const turn = openTurn(order, rules);
  if (isMessage(trigger)) {
    if (order.journey.seen.includes(trigger.id)) return undefined;
    turn.detail.message_id = trigger.id;
    if (MAY_COME_AGAIN.has(trigger.type)) turn.journey = { ...turn.journey, seen: [...turn.journey.seen, trigger.id].slice(-SEEN_MAX) };
  }
  const verdict = act(turn, trigger);
  if (verdict instanceof Refusal) return verdict;
  if (verdict === 'nothing') return undefined;
  if (turn.journey.revision !== undefined) consider(turn);
  sayOpenOrClosed(turn, order, trigger.type);
  return closeTurn(turn, trigger.type, {});
}

function act(turn: Turn, trigger: Trigger): Verdict {
  const { at, shipments } = turn.journey;
  if (!isMessage(trigger)) return REQUEST_ACTS[actOf(at, trigger.type) as keyof typeof REQUEST_ACTS](turn, trigger);
  if (shipments !== undefined && isAboutShipment(trigger.type)) return atShipment(turn, trigger as AboutShipment);
  return REPLY_ACTS[actOf(at, trigger.type) as keyof typeof REPLY_ACTS](turn, trigger);
}

const REQUEST_NAMES: ReadonlySet<string> = new Set(REQUESTS);
const isMessage = (trigger: Trigger): trigger is Reply => !REQUEST_NAMES.has(trigger.type);

/** Everything else can be told from the state when it comes a second time. */
const MAY_COME_AGAIN: ReadonlySet<TriggerName> = new Set([
  'shipment.dispatch_requested',
  'shipment.exception',
  'shipment.resolved',
  'shipment.shorted',
  'payment.capture_failed',
  'payment.expired',
  'payment.failed',
  'stock.filled',
  'stock.shorted',
  'message.dead_lettered',
]);

/** A closed order may open again, and one may close long after it arrived. */
function sayOpenOrClosed(turn: Turn, before: Order, reason: TriggerName): void {
  const { at } = turn.journey;
  if (at !== before.journey.at && at !== 'shipped' && at !== 'delivered') {
    if (isClosed(before)) sayEvent(turn, { type: 'order.reopened', data: { ...factOf(turn.order), reason } });
    return;
  }
  if (at !== 'shipped' && at !== 'delivered') return;
  const [was, is] = [isClosed(before), isClosed(orderNow(turn))];
  if (was && !is) sayEvent(turn, { type: 'order.reopened', data: { ...factOf(turn.order), reason } });
  if (!was && is && !turn.says.some(({ type }) => type === 'order.delivered'))
    sayEvent(turn, { type: 'order.closed', data: { ...factOf(turn.order), reason } });
}

const isClosed = (order: Order): boolean => (order.journey.at === 'shipped' || order.journey.at === 'delivered') && isFinished(order);
