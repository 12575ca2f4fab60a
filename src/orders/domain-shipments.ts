/**
 * The shipments of an order that keeps them itself: how they come to be, and what they make of the order.
 */
import { askedAgain, commandOfShipment } from './domain-commands.ts';
import { liveOf } from './domain-charges.ts';
import { stopsShipment } from './domain-holds.ts';
import { leftPieces, moneyOf, sumPieces } from './domain-money.ts';
import { type Part, type Pieces, factOf, linesOf, reservedLines } from './domain-order.ts';
import { type Shipment, type ShipmentState, hasLeft, isAhead, isLeaving, waitOfShipment } from './domain-shipment-table.ts';
import { type Turn, orderNow, sayEvent, setStop, stand, stopState } from './domain-turn.ts';
import { fulfilled, fulfilledStop } from './domain-waybill.ts';

export const shipmentsOf = (turn: Turn): readonly Shipment[] => turn.journey.shipments ?? [];

export function change(turn: Turn, shipment: Shipment): Shipment {
  turn.journey = { ...turn.journey, shipments: shipmentsOf(turn).map((old) => (old.id === shipment.id ? shipment : old)) };
  return shipment;
}

/** The shipment enters a state: its deadline begins, its command is said; `again` when it was said before and no answer came. */
export function enterShipment(turn: Turn, shipment: Shipment, state: ShipmentState, again = false): Shipment {
  const { now, deadlines } = turn.rules;
  const wait = waitOfShipment(state);
  const entered = change(turn, { ...shipment, state, since: now, deadline: wait === null ? null : now + deadlines[wait.deadline] });
  const command = commandOfShipment(orderNow(turn), entered);
  if (command !== undefined) turn.says.push(again ? askedAgain(command) : command);
  return entered;
}

// ── How they come to be ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The id shipping gives to the only shipment of an order. */
const onlyShipmentId = (orderId: string): string => `shp_${orderId.startsWith('ord_') ? orderId.slice(4) : orderId}`;

/** From here on the order keeps its shipments itself: the one it has is as the order stood. */
export function unfold(turn: Turn): void {
  const { journey, order } = turn;
  if (journey.shipments !== undefined) return;
  const { at, since, deadline, stops, hold } = journey;
  const stock = fulfilledStop(stops, 'stock');
  if (stock === undefined) return;
  const whole: Part = { warehouse_id: stock.warehouse_id, lines: reservedLines(order) };
  const shipping = stopState(turn, 'shipping');
  if (shipping === undefined || shipping === 'waiting') {
    turn.journey = { ...journey, shipments: [], parts: [whole] };
    return;
  }
  const known = fulfilledStop(stops, 'shipping');
  const isPaid = stopState(turn, 'payment') === 'settled';
  const { held, captured } = moneyOf(orderNow(turn));
  const shipment: Shipment = {
    id: known?.shipment_id ?? onlyShipmentId(order.id),
    state: at as Exclude<typeof at, 'complete'> & ShipmentState,
    since,
    deadline,
    ...whole,
    ...(known === undefined ? {} : { tracking_number: known.tracking_number }),
    ...(isPaid || at === 'capturing' ? { amount: held + captured } : {}),
    ...(isPaid ? { paid: true } : {}),
    ...(stock.state === 'settled' ? { gone: true } : {}),
    ...(hold === null ? {} : { hold }),
  };
  const told = at === 'shipped' || at === 'delivered' ? at : undefined;
  turn.journey = { ...journey, shipments: [shipment], hold: null, told };
  if (at !== 'shipped' && at !== 'delivered') stand(turn, 'fulfilling');
}

/** Shipments of what is held, planned: nothing is said yet. */
function plan(turn: Turn, parts: readonly Part[]): void {
  const { now, id } = turn.rules;
  const planned = parts
    .filter(({ lines }) => lines.length > 0)
    .map((part): Shipment => ({ id: id('shp'), state: 'planned', since: now, deadline: null, ...part }));
  turn.journey = { ...turn.journey, shipments: [...shipmentsOf(turn), ...planned] };
}

/** What waits in `planned` sets out, unless a hold lies on it or the order is being changed. */
export function prepare(turn: Turn): void {
  if (turn.journey.revision !== undefined || turn.journey.reason !== null) return;
  for (const shipment of shipmentsOf(turn))
    if (shipment.state === 'planned' && !stopsShipment(turn.journey, shipment)) enterShipment(turn, shipment, 'preparing');
}

/** The order has come to its shipping: each part becomes a shipment. */
export function ship(turn: Turn): void {
  plan(turn, turn.journey.parts ?? []);
  turn.journey = { ...turn.journey, parts: undefined };
  stand(turn, 'fulfilling');
  prepare(turn);
  tally(turn);
}

/**
 * Stock says anew what is held where. Shipments that still fit stay, the others are recalled, and what is in none of them is planned; where
 * there is one beside it, together with that one.
 * `afresh`: none stays, because something else about them has changed.
 */
export function reallocate(turn: Turn, parts: readonly Part[], queued: readonly Pieces[], { afresh = false } = {}): void {
  const begun = shipmentsOf(turn).length > 0;
  turn.journey = { ...turn.journey, queued: queued.length === 0 ? undefined : queued };
  if (!begun) {
    turn.journey = { ...turn.journey, parts };
    return;
  }
  const rest = new Map(parts.map(({ warehouse_id, lines }) => [warehouse_id, lines]));
  const kept = new Map<string, Shipment>();
  for (const shipment of shipmentsOf(turn).filter(isAhead)) {
    const without = minus(rest.get(shipment.warehouse_id) ?? [], shipment.lines);
    if (without === undefined || afresh) {
      recall(turn, shipment);
      continue;
    }
    rest.set(shipment.warehouse_id, without);
    kept.set(shipment.warehouse_id, shipment);
  }
  for (const [warehouse_id, lines] of rest) {
    const beside = kept.get(warehouse_id);
    if (lines.length === 0 || beside === undefined) continue;
    recall(turn, beside); // one parcel of both, not two
    rest.set(warehouse_id, together([...beside.lines, ...lines]));
  }
  plan(
    turn,
    Array.from(rest, ([warehouse_id, lines]) => ({ warehouse_id, lines })),
  );
}

/** The pieces of each line as one. */
export function together(pieces: readonly Pieces[]): Pieces[] {
  const sums = new Map<string, Pieces>();
  for (const one of pieces) sums.set(one.line_id, { ...one, quantity: one.quantity + (sums.get(one.line_id)?.quantity ?? 0) });
  return [...sums.values()];
}

/** What is left of `all` without `some`; undefined when it is not all there. */
function minus(all: readonly Pieces[], some: readonly Pieces[]): Pieces[] | undefined {
  const taken = sumPieces(some);
  const left = all.map((line) => ({ ...line, quantity: line.quantity - (taken.get(line.line_id) ?? 0) }));
  const there = new Set(all.map(({ line_id }) => line_id));
  if (left.some(({ quantity }) => quantity < 0) || some.some(({ line_id }) => !there.has(line_id))) return undefined;
  return left.filter(({ quantity }) => quantity > 0);
}

function recall(turn: Turn, shipment: Shipment): void {
  enterShipment(turn, { ...shipment, hold: undefined }, shipment.state === 'planned' ? 'cancelled' : 'recalling');
}

/** None of them is to leave. Answers whether that is so already. */
export function recallAll(turn: Turn): boolean {
  for (const shipment of shipmentsOf(turn).filter(isAhead)) recall(turn, shipment);
  return areRecalled(turn);
}

export const areRecalled = (turn: Turn): boolean => shipmentsOf(turn).every(({ state }) => state === 'cancelled');

// ── What they make of the order ──────────────────────────────────────────────────────────────────────────────────────────────

/** Have all pieces that are not cancelled left? */
export function hasAllLeft(turn: Turn): boolean {
  const left = leftPieces(turn.journey);
  return linesOf(turn.order).every((line) => (left.get(line.id) ?? 0) >= liveOf(line)) && shipmentsOf(turn).some(hasLeft);
}

/** And is none under way any more, and did one arrive? */
export const isOver = (turn: Turn): boolean =>
  hasAllLeft(turn) && shipmentsOf(turn).every(({ state }) => state !== 'shipped') && shipmentsOf(turn).some(({ state }) => state === 'delivered');

/** Where the order is, by where its shipments are; and its stops with it. */
export function tally(turn: Turn): void {
  const { reason, revision, at } = turn.journey;
  if (reason !== null || revision !== undefined || !hasAllLeft(turn)) return;
  settleStops(turn);
  if (at === 'fulfilling') stand(turn, 'shipped');
  if (turn.journey.told === undefined) tell(turn, 'shipped', shipmentsOf(turn).findLast(hasLeft)!);
  if (turn.journey.at !== 'shipped' || !isOver(turn)) return;
  stand(turn, 'delivered');
  if (turn.journey.told === 'shipped')
    tell(
      turn,
      'delivered',
      shipmentsOf(turn).findLast(({ state }) => state === 'delivered')!,
    );
}

function tell(turn: Turn, what: 'shipped' | 'delivered', { id: shipment_id, tracking_number = '', lines }: Shipment): void {
  turn.journey = { ...turn.journey, told: what };
  const data = { ...factOf(turn.order), shipment_id, lines: [...lines] };
  sayEvent(turn, what === 'shipped' ? { type: 'order.shipped', data: { ...data, tracking_number } } : { type: 'order.delivered', data });
}

function settleStops(turn: Turn): void {
  const shipments = shipmentsOf(turn);
  const since = turn.rules.now;
  const last = shipments.findLast(hasLeft)!;
  if (stopState(turn, 'shipping') !== 'settled')
    setStop(turn, { stop: 'shipping', state: 'settled', since, shipment_id: last.id, tracking_number: last.tracking_number ?? '' });
  const payment = turn.journey.stops.find(({ stop }) => stop === 'payment');
  if (payment?.state === 'done') setStop(turn, { ...payment, state: 'settled', since });
  if (stopState(turn, 'stock') === 'done' && shipments.filter(hasLeft).every(({ gone }) => gone === true))
    setStop(turn, { ...fulfilled(turn.journey.stops, 'stock'), state: 'settled', since });
}

/** There is something to do again for stops that were done with: the order has more to ship than has left. */
export function reopenStops(turn: Turn): void {
  if (hasAllLeft(turn)) return;
  turn.journey = { ...turn.journey, told: undefined };
  const since = turn.rules.now;
  for (const stop of turn.journey.stops) if (stop.state === 'settled') setStop(turn, { ...stop, state: 'done', since });
}

/** Is a shipment on the point of leaving, or its goods not off the books yet? Then stock's word about what is held would be ambiguous. */
export const isLeavingNow = (turn: Turn): boolean => shipmentsOf(turn).some((shipment) => isLeaving(shipment) && shipment.gone !== true);
