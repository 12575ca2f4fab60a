/**
 * Reservations that are not ordinary: in several warehouses, queued, expiring, left in part, or short of goods that vanished.
 * README.md has their protocol. All functions here move what lies on the desk.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import { type Stock, free } from './domain.ts';
import { type Asked, type Candidate, type OrderLine, type Plan, type PlannedPart, allocate } from './domain-allocation.ts';
import type { Claims, Filled, Part, Piece } from './domain-claims.ts';
import { type Place, distanceBetween, placeOf } from './domain-distance.ts';
import {
  type Decision,
  type Detail,
  type Reservation,
  type StockAnswer,
  commit,
  move,
  rejected,
  rejectionOf,
  unheld,
  wantedOf,
} from './domain-reservations.ts';

/** Pieces that left with a shipment. */
export interface Departure extends Piece {
  readonly shipment_id: string;
  readonly warehouse_id: string;
  readonly quantity: number;
}
/** Pieces that came back. */
export interface TakenBack extends Piece {
  readonly return_id: string;
  readonly warehouse_id: string;
  readonly quantity: number;
  readonly disposition: DataOf<'stock.take_back'>['lines'][number]['disposition'];
}

/** What the decisions of one transaction are made on. */
export interface Desk {
  readonly stock: Stock;
  readonly claims: Claims;
  readonly now: number;
  /** Where warehouses are, by id; looked up when somebody asks for the nearest. */
  readonly places: ReadonlyMap<string, Place>;
  /** How many pieces more may wait; looked up when somebody must. */
  readonly room: ((sku: string) => number) | undefined;
  /** What left and came back before, and what does now. */
  readonly departures: { readonly before: ReadonlySet<string>; readonly now: Departure[] };
  readonly returns: { readonly before: readonly TakenBack[]; readonly now: TakenBack[] };
  /** Pieces that waited and found goods, by order. */
  readonly filled: Map<string, Filled[]>;
}

/** The decision cannot be made before it is known how long the line is. */
export const NEEDS_LINE = 'needs the line';
export type Outcome = Decision | typeof NEEDS_LINE;

const BLANK: Detail = { asked: null, plan: null, revision: 0, refused: null, expires_at: null, expired_at: null };
export const detailOf = ({ detail }: Reservation): Detail => detail ?? BLANK;

/** Stands for the shipment that took all of an ordinary reservation: which one that was, nobody wrote down. */
const THE_SHIPMENT = 'all';

/** The same reservation, each of its pieces by itself. */
export function parted(known: Reservation, { claims, departures }: Desk): Reservation & { readonly detail: Detail } {
  const detail = detailOf(known);
  if (known.status === 'parted') return { ...known, detail };
  for (const { held, gone, ...part } of partsOf(known, claims)) {
    claims.move(part, part.warehouse_id, { held, gone });
    if (gone > 0) departures.now.push({ ...part, quantity: gone, shipment_id: THE_SHIPMENT });
  }
  return { ...known, status: 'parted', detail };
}

/** Where the pieces of a reservation are, whatever its kind. */
export function partsOf(known: Reservation, claims: Claims): readonly Part[] {
  const { order_id, status, warehouse_id, lines } = known;
  if (status === 'parted') return claims.partsOf(order_id);
  if (status !== 'held' && status !== 'committed') return [];
  return lines.map(({ line_id, sku, quantity }) => ({
    order_id,
    line_id,
    sku,
    warehouse_id: warehouse_id!,
    held: status === 'held' ? quantity : 0,
    gone: status === 'committed' ? quantity : 0,
  }));
}

/** What is held now, by warehouse. */
export function heldParts(known: Reservation, claims: Claims): DataOf<'stock.changed'>['parts'] {
  const held = partsOf(known, claims).filter((part) => part.held > 0);
  return [...Map.groupBy(held, ({ warehouse_id }) => warehouse_id)].map(([warehouse_id, parts]) => ({
    warehouse_id,
    lines: parts.map(({ line_id, sku, held: quantity }) => ({ line_id, sku, quantity })),
  }));
}

// ── Reserving ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Holds what an order asks for as it asks for it, queues what may wait, or holds nothing. */
export function reserveAsAsked(data: DataOf<'stock.reserve'> & { readonly allocation: Asked }, desk: Desk): Outcome {
  const { order_id, lines, allocation } = data;
  const wanted = wantedOf(lines);
  if (wanted === undefined) return rejected(data, wanted, rejectionOf(lines, wanted, desk.stock));
  const candidates = candidatesFor(lines, allocation, desk);
  const plan = allocate(lines, candidates, allocation);
  const wait = mayWait(plan.missing, allocation, desk);
  if (wait === NEEDS_LINE) return wait;
  if (!wait) return rejected(data, wanted, rejectionFor(plan, allocation, { wanted, lines, stock: desk.stock }));

  const [first, ...more] = plan.parts;
  const expires_at = allocation.expires_at === undefined ? null : Date.parse(allocation.expires_at);
  const kept = { strategy: plan.strategy, rejected: plan.rejected };
  const detail: Detail = { ...BLANK, asked: allocation, plan: kept, expires_at };
  const header = { order_id, released_at: null, lines };
  if (first !== undefined && more.length === 0 && plan.missing.length === 0 && expires_at === null) {
    const { warehouse_id } = first;
    for (const { sku, quantity } of lines) move(desk.stock, 'reserved', { sku, warehouse_id, quantity, order_id, from: 'available', to: 'reserved' });
    // By priority there was nothing to choose: that is the ordinary reservation.
    const ordinary = plan.strategy === 'priority';
    return {
      reservation: { ...header, status: 'held', warehouse_id, ...(!ordinary && { detail }) },
      answer: { type: 'stock.reserved', data: { order_id, warehouse_id, lines: [...lines], ...(!ordinary && { plan: toldPlan(kept) }) } },
    };
  }
  const reservation: Reservation = { ...header, status: 'parted', warehouse_id: first?.warehouse_id ?? null, detail };
  holdParts(order_id, plan.parts, desk);
  enqueue(reservation, plan.missing, { turn: 1, since: desk.now, split: allocation.split ?? false }, desk);
  const reserved: DataOf<'stock.reserved'> = {
    order_id,
    // Nothing is held anywhere: `parts` says so, and this names whoever would have been asked.
    warehouse_id: first?.warehouse_id ?? plan.rejected[0]?.warehouse_id ?? 'none',
    lines: sumByLine(plan.parts),
    parts: plan.parts.map(({ warehouse_id, lines: given }) => ({ warehouse_id, lines: [...given] })),
    plan: toldPlan(kept),
  };
  return { reservation, answer: { type: 'stock.reserved', data: reserved, waits: true } };
}

/** Warehouses that have (or ever had) any of it. */
export function candidatesFor(
  lines: readonly OrderLine[],
  { strategy, ship_to }: Asked,
  { stock, places }: Pick<Desk, 'stock' | 'places'>,
  involved: ReadonlySet<string> = new Set(),
): Candidate[] {
  const there = new Map<string, { priority: number; free: Map<string, number> }>();
  for (const sku of new Set(lines.map((line) => line.sku))) {
    for (const cell of stock.cellsOf(sku)) {
      const { warehouse_id, priority } = cell.found;
      const known = there.get(warehouse_id) ?? { priority, free: new Map<string, number>() };
      known.free.set(sku, free(cell));
      there.set(warehouse_id, known);
    }
  }
  const to = strategy === 'nearest' && ship_to !== undefined ? placeOf(ship_to) : undefined;
  return [...there].map(([warehouse_id, known]) => ({
    ...known,
    warehouse_id,
    distance: to === undefined ? null : distanceBetween(places.get(warehouse_id) ?? {}, to),
    involved: involved.has(warehouse_id),
  }));
}

/** May what is missing wait? */
export function mayWait(missing: readonly OrderLine[], { backorder = false }: Asked, { room, claims }: Desk): boolean | typeof NEEDS_LINE {
  if (missing.length === 0) return true;
  if (!backorder) return false;
  if (room === undefined) return NEEDS_LINE;
  for (const [sku, quantity] of wantedOf(missing)!) if (claims.queuedMore(sku) + quantity > room(sku)) return false;
  return true;
}

function rejectionFor(
  { missing }: Plan,
  { split = false, backorder = false }: Asked,
  { wanted, lines, stock }: { wanted: ReadonlyMap<string, number>; lines: readonly OrderLine[]; stock: Stock },
): Omit<DataOf<'stock.rejected'>, 'order_id'> {
  if (!split && !backorder) return rejectionOf(lines, wanted, stock);
  const short = shortOf(missing, wanted);
  return { reason: backorder ? 'backorder_limit' : 'out_of_stock', lines: short };
}

/** What is short of each sku that is missing. */
export const shortOf = (missing: readonly OrderLine[], wanted: ReadonlyMap<string, number>): DataOf<'stock.rejected'>['lines'] =>
  [...wantedOf(missing)!].map(([sku, quantity]) => ({ sku, requested: wanted.get(sku)!, available: wanted.get(sku)! - quantity }));

export function holdParts(order_id: string, parts: readonly PlannedPart[], { stock, claims }: Pick<Desk, 'stock' | 'claims'>): void {
  for (const { warehouse_id, lines } of parts) {
    for (const { line_id, sku, quantity } of lines) {
      move(stock, 'reserved', { sku, warehouse_id, quantity, order_id, from: 'available', to: 'reserved' });
      claims.move({ order_id, line_id, sku }, warehouse_id, { held: quantity });
    }
  }
}

/** Lets lines wait. An order that may not be split waits for the warehouse that holds the rest of it, or for whichever has something first. */
export function enqueue(
  { order_id }: Pick<Reservation, 'order_id'>,
  lines: readonly OrderLine[],
  { turn, since, split }: { readonly turn: number; readonly since: number; readonly split: boolean },
  { claims }: Pick<Desk, 'claims'>,
): void {
  const holder = split ? undefined : claims.partsOf(order_id).find((part) => part.held > 0);
  const waiting = new Set([...claims.entriesOf(order_id), ...lines].map(({ line_id }) => line_id));
  const together = !split && holder === undefined && waiting.size > 1 ? 1 : 0;
  for (const { line_id, sku, quantity } of lines)
    claims.queue({ order_id, line_id, sku, quantity, turn, since, warehouse_id: holder?.warehouse_id ?? null, together });
}

const toldPlan = ({ strategy, rejected: others }: NonNullable<Detail['plan']>): DataOf<'stock.reserved'>['plan'] => ({
  strategy,
  rejected: [...others],
});

function sumByLine(parts: readonly PlannedPart[]): OrderLine[] {
  const sums = new Map<string, OrderLine>();
  for (const line of parts.flatMap(({ lines }) => lines))
    sums.set(line.line_id, { ...line, quantity: line.quantity + (sums.get(line.line_id)?.quantity ?? 0) });
  return [...sums.values()];
}

// ── Giving back ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Gives back all that is held and lets nothing wait any more. Answers what that was. */
function giveUp({ order_id }: Reservation, reason: string, { stock, claims, filled }: Desk): OrderLine[] {
  filled.delete(order_id); // what was filled a moment ago is given back as well: nobody is told of either
  const lines: PlannedPart[] = [];
  for (const part of claims.partsOf(order_id)) {
    if (part.held === 0) continue;
    const { line_id, sku, warehouse_id, held: quantity } = part;
    move(stock, reason, { sku, warehouse_id, quantity, order_id, from: 'reserved', to: 'available' });
    claims.move(part, warehouse_id, { held: -quantity });
    lines.push({ warehouse_id, lines: [{ line_id, sku, quantity }] });
  }
  for (const { line_id, sku, quantity, ...entry } of claims.entriesOf(order_id)) {
    claims.dequeue({ order_id, line_id, sku }, quantity);
    lines.push({ warehouse_id: entry.warehouse_id ?? '', lines: [{ line_id, sku, quantity }] });
  }
  return sumByLine(lines);
}

export function releaseParted(known: Reservation, desk: Desk): Decision {
  giveUp(known, 'released', desk);
  return {
    reservation: { ...known, released_at: desk.now, detail: { ...detailOf(known), expires_at: null } },
    answer: { type: 'stock.released', data: { order_id: known.order_id } },
  };
}

/** The timer says that it is time; the reservation knows better. */
export function expire(known: Reservation, desk: Desk): Decision {
  const detail = detailOf(known);
  if (detail.expires_at === null) return undefined;
  if (detail.expires_at > desk.now) return { reservation: known }; // too early: the timer is set again
  const lines = giveUp(known, 'expired', desk);
  return {
    reservation: { ...known, detail: { ...detail, expires_at: null, expired_at: desk.now } },
    answer: { type: 'stock.expired', data: { order_id: known.order_id, lines } },
  };
}

export function renew(known: Reservation, { expires_at }: DataOf<'stock.renew'>, desk: Desk): Decision {
  const until = expires_at === undefined ? null : Date.parse(expires_at);
  const before = detailOf(known);
  if (before.expires_at === until || before.expired_at !== null) return undefined;
  const reservation = parted(known, desk);
  return { reservation: { ...reservation, detail: { ...reservation.detail, expires_at: until } } };
}

// ── Leaving, coming back, vanishing ──────────────────────────────────────────────────────────────────────────────────────────

const departureKey = (order_id: string, shipment_id: string): string => `${order_id} ${shipment_id}`;
export const departuresOf = (rows: readonly Pick<Departure, 'order_id' | 'shipment_id'>[]): ReadonlySet<string> =>
  new Set(rows.map((row) => departureKey(row.order_id, row.shipment_id)));

/** Pieces of an order have left with a shipment, each from where it was held: else it is a Fault, because they were not that order's. */
export function commitAsAsked(known: Reservation, data: DataOf<'stock.commit'>, desk: Desk): Decision {
  const { order_id, shipment_id, warehouse_id, lines } = data;
  const whole = lines === undefined && warehouse_id === undefined;
  if (known.status === 'held' && whole) return commit(known, data, desk.stock);
  if (hasLeft(order_id, shipment_id, desk) || (whole && hasLeft(order_id, THE_SHIPMENT, desk))) return undefined;
  const { departures, claims, stock } = desk;
  const reservation = parted(known, desk);
  const held = (): Part[] => claims.partsOf(order_id).filter((part) => part.held > 0 && part.warehouse_id === (warehouse_id ?? part.warehouse_id));
  const asked = lines ?? held().map(({ line_id, sku, held: quantity }) => ({ line_id, sku, quantity }));
  if (asked.length === 0) throw unheld(order_id, known);
  for (const { line_id, sku, quantity } of asked) {
    let rest = quantity;
    for (const part of held()) {
      if (part.line_id !== line_id || rest === 0) continue;
      const taken = Math.min(rest, part.held);
      move(stock, 'committed', { sku, warehouse_id: part.warehouse_id, quantity: taken, order_id, from: 'reserved', to: 'outside:customer' });
      claims.move(part, part.warehouse_id, { held: -taken, gone: taken });
      departures.now.push({ order_id, line_id, sku, shipment_id, warehouse_id: part.warehouse_id, quantity: taken });
      rest -= taken;
    }
    if (rest > 0)
      throw new Fault(
        'reservation_state',
        `${shipment_id} takes ${quantity} of ${sku} from ${warehouse_id ?? 'anywhere'}, and ${quantity - rest} are held there for ${order_id}`,
      );
  }
  return { reservation, answer: { type: 'stock.committed', data: { order_id, shipment_id } } };
}

const hasLeft = (order_id: string, shipment_id: string, { departures }: Desk): boolean =>
  departures.before.has(departureKey(order_id, shipment_id)) ||
  departures.now.some((one) => one.order_id === order_id && one.shipment_id === shipment_id);

/** Goods come back, never more than have gone. */
export function takeBack(known: Reservation, data: DataOf<'stock.take_back'>, { stock, claims, returns }: Desk): Decision {
  const { order_id, return_id, warehouse_id } = data;
  const all = (): TakenBack[] => [...returns.before, ...returns.now].filter((one) => one.order_id === order_id);
  if (all().some((one) => one.return_id === return_id)) return undefined;
  const gone = new Map<string, number>();
  for (const part of partsOf(known, claims)) gone.set(part.line_id, (gone.get(part.line_id) ?? 0) + part.gone);
  for (const { line_id, sku, quantity, disposition } of data.lines) {
    const back = all().reduce((sum, one) => sum + (one.line_id === line_id ? one.quantity : 0), 0);
    const out = (gone.get(line_id) ?? 0) - back;
    if (quantity > out) throw new Fault('reservation_state', `${return_id} brings back ${quantity} of ${sku} for ${order_id}, and ${out} are out`);
    const posting = { sku, warehouse_id, quantity, ref_type: 'return', ref_id: return_id };
    const to = disposition === 'restock' ? 'available' : 'unavailable';
    stock.move({ ...posting, from: 'outside:customer', to, reason: 'taken back' });
    if (disposition === 'scrap') stock.move({ ...posting, from: to, to: 'outside:shrink', reason: 'scrapped' });
    returns.now.push({ order_id, return_id, line_id, sku, warehouse_id, quantity, disposition });
  }
  return { reservation: known, answer: { type: 'stock.taken_back', data: { order_id, return_id } } };
}

/**
 * Goods held for an order are not there: they are written off, and the order waits for others, at the head of the line. What is not held
 * (any more) is left out; undefined when that is everything.
 */
export function short(
  known: Reservation,
  { warehouse_id, lines, reason }: Pick<DataOf<'stock.shorted'>, 'warehouse_id' | 'lines' | 'reason'>,
  desk: Desk,
): Decision {
  const { order_id } = known;
  const there = new Map(
    partsOf(known, desk.claims)
      .filter((part) => part.warehouse_id === warehouse_id)
      .map((part) => [part.line_id, part.held]),
  );
  const lost = lines
    .map((line) => ({ ...line, quantity: Math.min(line.quantity, there.get(line.line_id) ?? 0) }))
    .filter(({ quantity }) => quantity > 0);
  if (lost.length === 0) return undefined;
  const reservation = parted(known, desk);
  for (const { line_id, sku, quantity } of lost) {
    move(desk.stock, `not there: ${reason}`, { sku, warehouse_id, quantity, order_id, from: 'reserved', to: 'outside:shrink' });
    desk.claims.move({ order_id, line_id, sku }, warehouse_id, { held: -quantity });
  }
  const split = reservation.detail.asked?.split ?? false;
  enqueue(reservation, lost, { turn: 0, since: known.created_at ?? desk.now, split }, desk);
  const answer: StockAnswer = { type: 'stock.shorted', data: { order_id, warehouse_id, lines: lost, reason } };
  return { reservation, answer };
}
