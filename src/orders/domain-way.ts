/**
 * Where an order goes next: to the next stop of its waybill, to its shipments, to the end; or back, stop by stop.
 */
import { dropHolds, stopsOrder, stopsShipping } from './domain-holds.ts';
import { type CancelReason, factOf, linesOf } from './domain-order.ts';
import { abandon, begin, mayBegin } from './domain-revision.ts';
import { areRecalled, prepare, recallAll, ship } from './domain-shipments.ts';
import { BACKWARD, FORWARD } from './domain-table.ts';
import type { StopName } from './domain-waybill.ts';
import { type Turn, enter, plainStop, sayEvent, setStop, stand, stopState } from './domain-turn.ts';

export function sayPlaced(turn: Turn): void {
  const { order } = turn;
  const lines = linesOf(order).map(({ id, sku, quantity, unit_price }) => ({ line_id: id, sku, quantity, unit_price }));
  sayEvent(turn, { type: 'order.placed', data: { ...factOf(order), policy: order.policy, lines } });
}

/** Goes to the next stop of the waybill; at the last one but shipping the order is confirmed. */
export function goOn(turn: Turn): void {
  const { journey } = turn;
  const next = journey.stops.find(({ state }) => state === 'waiting');
  if (!journey.confirmed && (next === undefined || next.stop === 'shipping')) confirm(turn, next !== undefined);
  if (next === undefined) return arrive(turn);
  if (journey.revision !== undefined || isStopped(turn, next.stop)) return stand(turn, 'held');
  setStop(turn, plainStop(next.stop, 'requested', turn.rules.now));
  if (next.stop === 'shipping' && journey.shipments !== undefined) return ship(turn);
  enter(turn, FORWARD[next.stop]);
}

function isStopped({ journey }: Turn, next: StopName): boolean {
  if (next !== 'shipping') return stopsOrder(journey);
  return journey.shipments === undefined && stopsShipping(journey); // else each shipment is stopped by itself
}

/** No stop is left to be made. */
function arrive(turn: Turn): void {
  const shipping = stopState(turn, 'shipping');
  if (shipping === undefined) return enter(turn, 'complete');
  if (turn.journey.shipments === undefined) return enter(turn, 'ready');
  ship(turn);
}

/** Everything is promised. From here on goods on their way must not expire. */
function confirm(turn: Turn, ships: boolean): void {
  turn.journey = { ...turn.journey, confirmed: true };
  sayEvent(turn, { type: 'order.confirmed', data: factOf(turn.order) });
  if (ships && turn.journey.allocation?.expires_at !== undefined) turn.says.push({ type: 'stock.renew', data: { order_id: turn.order.id } });
}

/** A hold is gone: what it stopped goes on. */
export function release(turn: Turn): void {
  if (turn.journey.at === 'held') return goOn(turn);
  prepare(turn);
}

/** A revision that waits begins as soon as it may, and one that is over lets the journey go on. */
export function consider(turn: Turn): void {
  while (mayBegin(turn)) if (begin(turn)) goOn(turn);
}

/** Undoes the last stop that was started and is not undone; when there is none, the order is cancelled. */
export function unwind(turn: Turn, reason: CancelReason): void {
  abandon(turn);
  turn.journey = { ...turn.journey, reason };
  dropHolds(turn);
  const { now } = turn.rules;
  const last = turn.journey.stops.findLast(({ state }) => state === 'requested' || state === 'done' || state === 'settled');
  if (last !== undefined) {
    setStop(turn, plainStop(last.stop, 'undoing', now));
    enter(turn, BACKWARD[last.stop]);
    if (last.stop === 'shipping' && turn.journey.shipments !== undefined && recallAll(turn)) recalled(turn);
    return;
  }
  for (const { stop, state } of turn.journey.stops) if (state === 'waiting') setStop(turn, plainStop(stop, 'dropped', now));
  enter(turn, 'cancelled');
  sayEvent(turn, { type: 'order.cancelled', data: { ...factOf(turn.order), reason } });
}

/** A shipment that was recalled may have been the last one. */
export function recalled(turn: Turn): void {
  if (turn.journey.at !== 'recalling' || !areRecalled(turn)) return;
  setStop(turn, plainStop('shipping', 'undone', turn.rules.now));
  unwind(turn, turn.journey.reason!);
}
