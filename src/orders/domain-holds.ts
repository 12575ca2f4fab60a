/**
 * Holds that people lay on an order, a line or a shipment. A hold stops what has not begun and undoes nothing; README.md says what that means
 * in each state.
 */
import { Refusal } from '../kernel/errors.ts';
import { rfc3339 } from '../kernel/time.ts';
import { type Order, factOf } from './domain-order.ts';
import { type Shipment, isAhead } from './domain-shipment-table.ts';
import { onHold } from './domain-status.ts';
import { type Turn, sayEvent } from './domain-turn.ts';

export const HOLD_REASONS = ['fraud', 'payment', 'address', 'stock', 'approval', 'manual'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];
/** Open holds an order may have at a time. */
const HOLDS_MAX = 50;

export interface PersonsHold {
  readonly id: string;
  readonly target: 'order' | 'line' | 'shipment';
  readonly line_id?: string | undefined;
  readonly shipment_id?: string | undefined;
  readonly reason: HoldReason;
  readonly note: string | null;
  readonly placed_by: string;
  readonly since: number;
  /** By when somebody should have looked. */
  readonly deadline: number;
  /** When it goes by itself, milliseconds UTC; null: when somebody releases it. */
  readonly expires_at: number | null;
}

export interface HoldAsked {
  readonly reason: HoldReason;
  readonly line_id?: string | undefined;
  readonly shipment_id?: string | undefined;
  readonly note?: string | undefined;
  /** Milliseconds UTC. */
  readonly expires_at?: number | undefined;
}

type Holds = Pick<Order['journey'], 'holds'>;

/** May the order not go on to its next stop? */
export const stopsOrder = ({ holds = [] }: Holds): boolean => holds.some(({ target }) => target === 'order');
/** May the only shipment of an order not go on? It has all the lines. */
export const stopsShipping = ({ holds = [] }: Holds): boolean => holds.length > 0;
/** May this shipment not go on? */
export const stopsShipment = ({ holds = [] }: Holds, { id, lines }: Pick<Shipment, 'id' | 'lines'>): boolean =>
  holds.some(
    ({ target, line_id, shipment_id }) =>
      target === 'order' || (target === 'shipment' ? shipment_id === id : lines.some((line) => line.line_id === line_id)),
  );

/** Lays a hold, unless it cannot be. */
export function pin(turn: Turn, asked: HoldAsked, by: string): void | Refusal {
  const { holds = [], shipments = [] } = turn.journey;
  const { now, deadlines, id } = turn.rules;
  const { line_id, shipment_id, reason, note = null, expires_at = null } = asked;
  if (holds.length >= HOLDS_MAX) return new Refusal('order_state', `order ${turn.order.number} has ${HOLDS_MAX} open holds already`);
  if (line_id !== undefined && turn.order.lines?.every((line) => line.id !== line_id))
    return new Refusal('line_not_found', `order ${turn.order.number} has no line ${line_id}`, [
      { field: 'line_id', rule: 'names no line of the order' },
    ]);
  if (shipment_id !== undefined && !shipments.some((one) => one.id === shipment_id && isAhead(one)))
    return new Refusal('shipment_state', `order ${turn.order.number} has no shipment ${shipment_id} that is still to leave`, [
      { field: 'shipment_id', rule: 'names no shipment of the order that could be held' },
    ]);
  if (expires_at !== null && expires_at <= now)
    return new Refusal('invalid_request', 'the hold would be over already', [{ field: 'expires_at', rule: 'must be in the future' }]);
  const target = line_id !== undefined ? 'line' : shipment_id !== undefined ? 'shipment' : 'order';
  const which = { ...(line_id === undefined ? {} : { line_id }), ...(shipment_id === undefined ? {} : { shipment_id }) };
  const hold: PersonsHold = {
    id: id('hld'),
    target,
    ...which,
    reason,
    note,
    placed_by: by,
    since: now,
    deadline: expires_at ?? now + deadlines.hold,
    expires_at,
  };
  changeHolds(turn, [...holds, hold], () => {
    const until = expires_at === null ? {} : { expires_at: rfc3339(expires_at) };
    sayEvent(turn, { type: 'hold.placed', data: { ...tellOf(turn, hold), ...(note === null ? {} : { note }), ...until } });
    tellShipping(turn, hold, 'shipment.hold');
  });
  turn.detail.hold_id = hold.id;
}

/** Takes a hold away, and says why. */
export function unpin(turn: Turn, hold: PersonsHold, why: { readonly expired: true } | { readonly reason: string | undefined }): void {
  changeHolds(
    turn,
    (turn.journey.holds ?? []).filter(({ id }) => id !== hold.id),
    () => {
      const data = tellOf(turn, hold);
      if ('expired' in why) sayEvent(turn, { type: 'hold.expired', data });
      else sayEvent(turn, { type: 'hold.released', data: { ...data, ...(why.reason === undefined ? {} : { release_reason: why.reason }) } });
      tellShipping(turn, hold, 'shipment.release_hold');
    },
  );
}

/** Nothing is held any more, because nothing is to happen any more. */
export function dropHolds(turn: Turn): void {
  for (const hold of turn.journey.holds ?? []) unpin(turn, hold, { reason: 'order_cancelled' });
}

const PREPARED: ReadonlySet<string> = new Set(['preparing', 'ready', 'capturing']);

/** Shipping leaves alone what it has prepared, or may go on with it. */
function tellShipping({ order, journey, says }: Turn, hold: PersonsHold, type: 'shipment.hold' | 'shipment.release_hold'): void {
  const data = { order_id: order.id, hold_id: hold.id, reason: hold.reason };
  if (journey.shipments === undefined) {
    if (PREPARED.has(journey.at)) says.push({ type, data });
    return;
  }
  for (const shipment of journey.shipments)
    if (PREPARED.has(shipment.state) && stopsShipment({ holds: [hold] }, shipment)) says.push({ type, data: { ...data, shipment_id: shipment.id } });
}

/** Whether the order is on hold may change with its holds. */
function changeHolds(turn: Turn, holds: readonly PersonsHold[], say: () => void): void {
  const before = turn.journey;
  turn.journey = { ...before, holds: holds.length === 0 ? undefined : holds };
  say();
  const [was, is] = [onHold(before), onHold(turn.journey)];
  if (was === null && is !== null) sayEvent(turn, { type: 'order.on_hold', data: { ...factOf(turn.order), reason: is } });
  if (was !== null && is === null && turn.journey.reason === null) sayEvent(turn, { type: 'order.resumed', data: factOf(turn.order) });
}

const tellOf = (turn: Turn, { id, target, line_id, shipment_id, reason }: PersonsHold) => ({
  ...factOf(turn.order),
  hold_id: id,
  target,
  ...(line_id === undefined ? {} : { line_id }),
  ...(shipment_id === undefined ? {} : { shipment_id }),
  reason,
});
