/**
 * One step of an order being made: a working copy of its journey and the moves there are.
 *
 * A move may lead through several others (undone, and the next one to undo, and so on); changing a copy lets it read as what it does.
 * Only the finished step leaves domain.ts.
 */
import {
  type CancelReason,
  type Hold,
  type Journey,
  type Order,
  type Rules,
  type Says,
  type Step,
  factOf,
  reservedLines,
  stateOfStop,
  statusOf,
} from './domain-order.ts';
import { BACKWARD, FORWARD, type State, waitOf } from './domain-table.ts';
import type { Stop, StopName } from './domain-waybill.ts';

export interface Turn {
  readonly order: Order;
  readonly rules: Rules;
  journey: Journey;
  token: string | null;
  sequence: number;
  readonly says: Says[];
  /** What the timeline keeps beside type and status. */
  detail: Record<string, unknown>;
}

export function openTurn(order: Order, rules: Rules): Turn {
  return { order, rules, journey: order.journey, token: order.payment_token, sequence: order.sequence, says: [], detail: {} };
}

export function closeTurn(
  { order, rules, journey, token, sequence, says, detail }: Turn,
  type: string,
  more: Readonly<Record<string, unknown>>,
): Step {
  const { status, status_reason } = statusOf(journey);
  const version = order.version + 1;
  const reason = status_reason === null ? {} : { status_reason };
  const said = says.length === 0 ? {} : { says: says.map((saying) => saying.type) };
  return {
    order: { ...order, journey, payment_token: token, sequence, version, updated_at: rules.now },
    says,
    entry: { seq: version, at: rules.now, type, status, detail: { ...more, ...detail, ...reason, ...said } },
  };
}

/** Goes to the next stop of the waybill; at the last one but shipping the order is confirmed. */
export function goOn(turn: Turn): void {
  const next = turn.journey.stops.find(({ state }) => state === 'waiting');
  if (!turn.journey.confirmed && (next === undefined || next.stop === 'shipping')) {
    turn.journey = { ...turn.journey, confirmed: true };
    sayEvent(turn, { type: 'order.confirmed', data: factOf(turn.order) });
  }
  if (next !== undefined) {
    setStop(turn, plainStop(next.stop, 'requested', turn.rules.now));
    return enter(turn, FORWARD[next.stop]);
  }
  enter(turn, stateOfStop(turn.journey.stops, 'shipping') === 'done' ? 'ready' : 'complete');
}

/** Undoes the last stop that was started and is not undone; when there is none, the order is cancelled. */
export function unwind(turn: Turn, reason: CancelReason): void {
  turn.journey = { ...turn.journey, reason };
  const last = turn.journey.stops.findLast(({ state }) => state === 'requested' || state === 'done' || state === 'settled');
  if (last !== undefined) {
    setStop(turn, plainStop(last.stop, 'undoing', turn.rules.now));
    return enter(turn, BACKWARD[last.stop]);
  }
  enter(turn, 'cancelled');
  sayEvent(turn, { type: 'order.cancelled', data: { ...factOf(turn.order), reason } });
}

/** Enters a state: its deadline begins, its command is said; `again` when it was said before and no answer came. */
export function enter(turn: Turn, at: State, again = false): void {
  const { now, deadlines } = turn.rules;
  const wait = waitOf(at);
  turn.journey = {
    ...turn.journey,
    at,
    since: now,
    deadline: wait === null ? null : now + deadlines[wait.deadline],
    epoch: turn.journey.epoch + 1,
  };
  const command = commandOf(turn);
  if (command !== undefined) turn.says.push(again ? askedAgain(command) : command);
}

/** Commands whose stop, when it has done what they ask for, answers once only, unless it is asked again. The others are answered each time. */
const ANSWERED_ONCE: ReadonlySet<Says['type']> = new Set<Says['type']>([
  'stock.reserve',
  'stock.release',
  'stock.commit',
  'payment.authorize',
  'shipment.prepare',
  'shipment.dispatch',
]);

const askedAgain = (command: Says): Says =>
  ANSWERED_ONCE.has(command.type) ? ({ ...command, data: { ...command.data, again: true } } as Says) : command; // all of the set have the field

/** What is said on entering the state the order is in. */
function commandOf({ order, journey, token }: Turn): Says | undefined {
  const { id, number, customer, ship_to, total, currency } = order;
  const reason = journey.reason ?? 'operator';
  switch (journey.at) {
    case 'reserving':
      return { type: 'stock.reserve', data: { order_id: id, lines: reservedLines(order) } };
    case 'authorizing':
      if (token === null) throw new Error(`${id} has no payment token`);
      return { type: 'payment.authorize', data: { order_id: id, amount: total, currency, token } };
    case 'preparing': {
      const { warehouse_id } = fulfilled(journey.stops, 'stock');
      const to = ship_to === null ? {} : { ship_to };
      return { type: 'shipment.prepare', data: { order_id: id, number, warehouse_id, customer, ...to, lines: reservedLines(order) } };
    }
    case 'capturing':
      return { type: 'payment.capture', data: { order_id: id, shipment_id: fulfilled(journey.stops, 'shipping').shipment_id } };
    case 'dispatching':
      return { type: 'shipment.dispatch', data: { order_id: id } };
    case 'recalling':
      return { type: 'shipment.cancel', data: { order_id: id, reason } };
    case 'voiding':
      return { type: 'payment.void', data: { order_id: id, reason } };
    case 'releasing':
      return { type: 'stock.release', data: { order_id: id, reason } };
    default:
      return undefined;
  }
}

/** The parcel has left, and so have its goods. */
export function leave(turn: Turn): void {
  settle(turn, 'shipping');
  enter(turn, 'shipped');
  const { tracking_number } = fulfilled(turn.journey.stops, 'shipping');
  sayEvent(turn, { type: 'order.shipped', data: { ...factOf(turn.order), tracking_number } });
  turn.says.push(takingOffTheBooks(turn));
  turn.detail.tracking_number = tracking_number;
}

const takingOffTheBooks = ({ order, journey }: Turn): Says => ({
  type: 'stock.commit',
  data: { order_id: order.id, shipment_id: fulfilled(journey.stops, 'shipping').shipment_id },
});

/** The goods have left, and inventory has not said that it knows. */
export const askForGoodsAgain = (turn: Turn): void => void turn.says.push(askedAgain(takingOffTheBooks(turn)));

export function refuseDispatch(turn: Turn, reason: string): void {
  turn.says.push({ type: 'shipment.refuse_dispatch', data: { order_id: turn.order.id, reason } });
}

/** Puts the order on hold; the first hold stays until it is lifted. */
export function hold(
  turn: Turn,
  { reason, note, dead_letter_id = null }: Pick<Hold, 'reason' | 'note'> & Partial<Pick<Hold, 'dead_letter_id'>>,
): void {
  turn.detail.note = note;
  if (turn.journey.hold !== null) return;
  const { now, deadlines } = turn.rules;
  turn.journey = { ...turn.journey, hold: { reason, since: now, deadline: now + deadlines.hold, note, dead_letter_id } };
  sayEvent(turn, { type: 'order.on_hold', data: { ...factOf(turn.order), reason } });
}

/** What was waited for has come after all. */
export function lift(turn: Turn): void {
  if (turn.journey.hold === null) return;
  turn.journey = { ...turn.journey, hold: null };
  sayEvent(turn, { type: 'order.resumed', data: factOf(turn.order) });
}

export function sayEvent(turn: Turn, event: Says): void {
  turn.sequence += 1;
  turn.says.push({ ...event, sequence: turn.sequence });
}

export function setStop(turn: Turn, stop: Stop): void {
  turn.journey = { ...turn.journey, stops: turn.journey.stops.map((old) => (old.stop === stop.stop ? stop : old)) };
  if (stop.stop === 'payment' && stop.state !== 'requested') turn.token = null; // asked and answered
}

export function settle(turn: Turn, name: StopName): void {
  const stop = turn.journey.stops.find((one) => one.stop === name);
  if (stop?.state === 'done') setStop(turn, { ...stop, state: 'settled', since: turn.rules.now });
}

export const plainStop = (stop: StopName, state: 'requested' | 'refused' | 'undoing' | 'undone', since: number): Stop => ({ stop, state, since });

type Fulfilled<Name extends StopName> = Extract<Stop, { readonly stop: Name; readonly state: 'done' | 'settled' }>;

/** A stop that must have done its part; anything else is a bug. */
function fulfilled<Name extends StopName>(stops: readonly Stop[], name: Name): Fulfilled<Name> {
  const found = stops.find((stop): stop is Fulfilled<Name> => stop.stop === name && (stop.state === 'done' || stop.state === 'settled'));
  if (found === undefined) throw new Error(`the stop ${name} is not done`);
  return found;
}
