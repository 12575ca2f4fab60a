/**
 * One step of an order being made: a working copy of it and the moves there are.
 *
 * A move may lead through several others (undone, and the next one to undo, and so on); changing a copy lets it read as what it does.
 * Only the finished step leaves domain.ts.
 */
import { askedAgain, commandOf, commitOf } from './domain-commands.ts';
import { type Hold, type Journey, type Order, type Rules, type Says, type Step, factOf, stateOfStop } from './domain-order.ts';
import { statusOf } from './domain-status.ts';
import { type State, waitOf } from './domain-table.ts';
import { type Stop, type StopName, fulfilled } from './domain-waybill.ts';

export interface Turn {
  /** As it is by now, but for what stands beside it here. */
  order: Order;
  readonly rules: Rules;
  journey: Journey;
  token: string | null;
  sequence: number;
  readonly says: Says[];
  /** What the timeline keeps beside type and status. */
  readonly detail: Record<string, unknown>;
}

export function openTurn(order: Order, rules: Rules): Turn {
  return { order, rules, journey: order.journey, token: order.payment_token, sequence: order.sequence, says: [], detail: {} };
}

/** The order as the turn has made it so far. */
export const orderNow = ({ order, journey, token, sequence }: Turn): Order => ({ ...order, journey, payment_token: token, sequence });

export function closeTurn(turn: Turn, type: string, more: Readonly<Record<string, unknown>>): Step {
  const { rules, journey, says, detail } = turn;
  const { status, status_reason } = statusOf(journey);
  const version = turn.order.version + 1;
  const reason = status_reason === null ? {} : { status_reason };
  const said = says.length === 0 ? {} : { says: says.map((saying) => saying.type) };
  return {
    order: { ...orderNow(turn), version, updated_at: rules.now },
    says,
    entry: { seq: version, at: rules.now, type, status, detail: { ...more, ...detail, ...reason, ...said } },
  };
}

/** Enters a state: its deadline begins, its command is said; `again` when it was said before and no answer came. */
export function enter(turn: Turn, at: State, again = false): void {
  stand(turn, at);
  const command = commandOf(orderNow(turn));
  if (command !== undefined) turn.says.push(again ? askedAgain(command) : command);
}

/** Enters a state without a word: what is said there has been said, or is said by its shipments. */
export function stand(turn: Turn, at: State): void {
  const { now, deadlines } = turn.rules;
  const wait = waitOf(at);
  const deadline = wait === null ? null : now + deadlines[wait.deadline];
  turn.journey = { ...turn.journey, at, since: now, deadline, epoch: turn.journey.epoch + 1 };
}

/** The parcel has left, and so have its goods. */
export function leave(turn: Turn): void {
  settle(turn, 'shipping');
  enter(turn, 'shipped');
  const { tracking_number } = fulfilled(turn.journey.stops, 'shipping');
  sayEvent(turn, { type: 'order.shipped', data: { ...factOf(turn.order), tracking_number } });
  turn.says.push(commitOf(orderNow(turn)));
  turn.detail.tracking_number = tracking_number;
}

export function refuseDispatch(turn: Turn, reason: string, shipment_id?: string): void {
  const which = shipment_id === undefined ? {} : { shipment_id };
  turn.says.push({ type: 'shipment.refuse_dispatch', data: { order_id: turn.order.id, ...which, reason } });
}

export type HoldSaid = Pick<Hold, 'reason' | 'note'> & Partial<Pick<Hold, 'dead_letter_id'>>;

export function holdOf({ now, deadlines }: Rules, { reason, note, dead_letter_id = null }: HoldSaid): Hold {
  return { reason, since: now, deadline: now + deadlines.hold, note, dead_letter_id };
}

/** Puts the order on hold; the first hold stays until it is lifted. */
export function hold(turn: Turn, said: HoldSaid): void {
  turn.detail.note = said.note;
  if (turn.journey.hold !== null) return;
  turn.journey = { ...turn.journey, hold: holdOf(turn.rules, said) };
  sayEvent(turn, { type: 'order.on_hold', data: { ...factOf(turn.order), reason: said.reason } });
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

export const plainStop = (stop: StopName, state: 'requested' | 'refused' | 'undoing' | 'undone' | 'dropped', since: number): Stop => ({
  stop,
  state,
  since,
});

export const stopState = (turn: Turn, name: StopName) => stateOfStop(turn.journey.stops, name);
