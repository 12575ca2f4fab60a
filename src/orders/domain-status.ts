/**
 * What people see of an order, computed and never set: its status, the facets that status is too coarse for, whether it is over, and
 * what it must be reminded of.
 */
import type { DataOf } from '../contracts/messages.ts';
import { liveOf } from './domain-charges.ts';
import { dueOf, leftPieces, sumPieces } from './domain-money.ts';
import { type Journey, type Order, type Status, stateOfStop } from './domain-order.ts';
import { hasLeft, waitOfShipment } from './domain-shipment-table.ts';
import { waitOf } from './domain-table.ts';

/** Why the order is on hold; null when it is not. A hold on a line or a shipment lets the rest go on. */
export function onHold({ at, hold, holds = [], shipments = [] }: Journey): string | null {
  if (hold !== null) return hold.reason;
  const ofShipment = shipments.find((shipment) => shipment.hold !== undefined)?.hold;
  if (ofShipment !== undefined) return ofShipment.reason;
  if (at === 'draft' || at === 'cancelled') return null;
  const laid = holds.find(({ target }) => target === 'order') ?? (at === 'held' ? holds[0] : undefined);
  return laid?.reason ?? null;
}

/** The status people see. */
export function statusOf(journey: Journey): Status {
  const held = onHold(journey);
  if (held !== null) return { status: 'on_hold', status_reason: held };
  const { at, confirmed, reason, revision } = journey;
  switch (at) {
    case 'draft':
      return { status: 'draft', status_reason: null };
    case 'reserving':
    case 'authorizing':
    case 'held':
      return { status: 'pending', status_reason: null };
    case 'preparing':
    case 'ready':
    case 'capturing':
    case 'dispatching':
    case 'fulfilling':
    case 'complete':
      return { status: 'confirmed', status_reason: null };
    case 'raising':
    case 'topping_up':
    case 'lowering':
    case 'reducing':
      return { status: confirmed ? 'confirmed' : 'pending', status_reason: revision?.kind === 'sync' ? null : 'changing' };
    case 'recalling':
    case 'voiding':
    case 'releasing':
      return { status: confirmed ? 'confirmed' : 'pending', status_reason: 'cancelling' };
    case 'shipped':
    case 'delivered':
      return { status: at, status_reason: null };
    case 'cancelled':
      return { status: 'cancelled', status_reason: reason };
  }
}

export const FULFILMENT_FACETS = ['none', 'unallocated', 'backordered', 'allocated', 'part_shipped', 'shipped', 'delivered'] as const;

export function fulfilmentFacet(order: Order): (typeof FULFILMENT_FACETS)[number] {
  const { journey, lines } = order;
  const { at, shipments } = journey;
  if (at === 'cancelled') return 'none';
  if (shipments === undefined) {
    if (at === 'shipped' || at === 'delivered') return at;
    const stock = stateOfStop(journey.stops, 'stock');
    return stock === 'done' || stock === 'settled' ? 'allocated' : 'unallocated';
  }
  const live = (lines ?? []).reduce((sum, line) => sum + liveOf(line), 0);
  const { shipped, delivered } = countsOf(journey)!;
  const [left, arrived] = [piecesOf(shipped), piecesOf(delivered)];
  if (live === 0) return 'none';
  if (arrived >= live) return 'delivered';
  if (left >= live) return 'shipped';
  if (left > 0) return 'part_shipped';
  return (journey.queued ?? []).length > 0 ? 'backordered' : 'allocated';
}

const piecesOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0);

/** How many pieces of each line left, arrived and came back; undefined of an order that does not keep its shipments itself. */
export function countsOf(journey: Journey): Readonly<Record<'shipped' | 'delivered' | 'returned', ReadonlyMap<string, number>>> | undefined {
  const { shipments, returns = [] } = journey;
  if (shipments === undefined) return undefined;
  const delivered = sumPieces(shipments.filter(({ state }) => state === 'delivered').flatMap(({ lines }) => lines));
  const not = sumPieces(shipments.filter(({ state }) => state === 'delivered').flatMap(({ ends = [] }) => ends.flatMap(({ lines }) => lines)));
  for (const [line, count] of not) delivered.set(line, (delivered.get(line) ?? 0) - count);
  return { shipped: leftPieces(journey), delivered, returned: sumPieces(returns.flatMap(({ lines }) => lines)) };
}

export const NEXT_STEPS = [
  'place',
  'release_hold',
  'allocate',
  'authorize',
  'prepare',
  'hand_over',
  'capture',
  'deliver',
  'settle_due',
  'undo',
  'none',
] as const;

/** The first thing that has to happen next. */
export function nextStep(order: Order): (typeof NEXT_STEPS)[number] {
  const { journey } = order;
  const { at, reason, shipments = [], queued = [], holds = [] } = journey;
  if (at === 'draft') return 'place';
  if (isFinished(order)) return 'none';
  if (reason !== null) return 'undo';
  if (holds.length > 0 || onHold(journey) !== null) return 'release_hold';
  if (at === 'reserving' || at === 'raising' || at === 'lowering' || (queued.length > 0 && !shipments.some(({ state }) => state === 'ready')))
    return 'allocate';
  if (at === 'authorizing' || at === 'topping_up' || at === 'reducing') return 'authorize';
  const states = new Set<string>(shipments.length > 0 ? shipments.map(({ state }) => state) : [at]);
  if (states.has('planned') || states.has('preparing')) return 'prepare';
  if (states.has('ready') || states.has('dispatching')) return 'hand_over';
  if (states.has('capturing')) return 'capture';
  if (states.has('shipped')) return 'deliver';
  return dueOf(order) === 0 ? 'deliver' : 'settle_due';
}

/** Have all pieces arrived, or come back and been received? */
function isAccountedFor({ journey, lines }: Order): boolean {
  const { shipments = [], returns = [] } = journey;
  const lost = sumPieces(shipments.flatMap(({ ends = [] }) => ends.filter(({ end }) => end === 'lost').flatMap((one) => one.lines)));
  if (lost.size > 0) return false;
  const under = shipments.some(({ state }) => state === 'shipped' || !['delivered', 'returned', 'cancelled'].includes(state));
  const back = sumPieces(shipments.flatMap(({ ends = [] }) => ends.flatMap((one) => one.lines)));
  const received = sumPieces(returns.flatMap((one) => one.lines));
  const left = leftPieces(journey);
  return (
    !under &&
    [...back].every(([line, count]) => (received.get(line) ?? 0) >= count) &&
    (lines ?? []).every((line) => (left.get(line.id) ?? 0) >= liveOf(line))
  );
}

/** The goods of an order with one shipment have left the building, and inventory has not said that it knows. */
export const areGoodsOnBooks = ({ at, stops, shipments }: Journey): boolean =>
  shipments === undefined && (at === 'shipped' || at === 'delivered') && stateOfStop(stops, 'stock') === 'done';

/** Is there nothing left that must happen? Goods that have left must also have been taken off the books. */
export function isFinished(order: Order): boolean {
  const { journey } = order;
  const { at, shipments, refunds = [], holds = [], revision, closed } = journey;
  if (refunds.length > 0 || holds.length > 0 || revision !== undefined) return false;
  if (at === 'cancelled') return dueOf(order) === 0 || closed !== undefined;
  if (at === 'complete') return (journey.queued ?? []).length === 0;
  if (at !== 'delivered' && !(at === 'shipped' && shipments !== undefined)) return false;
  if (areGoodsOnBooks(journey) || shipments?.some((one) => hasLeft(one) && one.gone !== true) === true) return false;
  if (closed !== undefined) return true;
  return dueOf(order) === 0 && (shipments === undefined || isAccountedFor(order));
}

/** When the order must be reminded, if ever: of its own deadline, and of those of its holds, shipments and refunds on which orders itself acts. */
export function timerOf({ id, journey }: Order): { readonly dueAt: number; readonly data: DataOf<'order.check_deadline'> } | undefined {
  const dueAt = nextDue(journey);
  if (dueAt === undefined) return undefined;
  return { dueAt, data: { order_id: id, stop: waitOf(journey.at)?.stop ?? 'shipping', epoch: journey.epoch } };
}

function nextDue(journey: Journey): number | undefined {
  const { at, hold, deadline, shipments, holds } = journey;
  const wait = waitOf(at);
  const own = wait === null || wait.overdue === null || hold !== null || deadline === null ? undefined : deadline;
  if (shipments === undefined && holds === undefined) return own; // an ordinary order
  const dues = [
    ...(own === undefined ? [] : [own]),
    ...(holds ?? []).flatMap(({ expires_at }) => (expires_at === null ? [] : [expires_at])),
    ...(shipments ?? []).flatMap((one) => {
      const its = waitOfShipment(one.state);
      return its === null || its.overdue === null || one.hold !== undefined || one.deadline === null ? [] : [one.deadline];
    }),
  ];
  return dues.length === 0 ? undefined : Math.min(...dues);
}
