/** A reservation is made to hold more or less: all of a change, or nothing of it. README.md says what is given up first. */
import type { DataOf } from '../contracts/messages.ts';
import { type Asked, type OrderLine, type Plan, allocate, ranked } from './domain-allocation.ts';
import type { Part } from './domain-claims.ts';
import {
  type Desk,
  NEEDS_LINE,
  type Outcome,
  candidatesFor,
  detailOf,
  enqueue,
  heldParts,
  holdParts,
  mayWait,
  parted,
  partsOf,
  shortOf,
} from './domain-parted.ts';
import { type Decision, type Reservation, type ShortSku, move, wantedOf } from './domain-reservations.ts';

type Change = DataOf<'stock.change'>;

/** Pieces that are given up. */
interface Lowering {
  readonly dequeued: readonly OrderLine[];
  readonly returned: readonly { readonly part: Part; readonly quantity: number }[];
}

export function change(known: Reservation, data: Change, desk: Desk): Outcome {
  const before = detailOf(known);
  if (known.released_at !== null || data.revision < before.revision) return undefined;
  if (data.revision === before.revision) return before.refused === null ? changed(known, data.revision, desk) : refused(known, data, before.refused);
  if (known.status === 'rejected') return refused(known, data, shortest(data.lines));

  const asked = data.allocation ?? before.asked ?? {};
  const lowering = lower(known, data.lines, asked, desk);
  if (!('dequeued' in lowering)) return refused(known, data, lowering);
  const more = raised(known, data.lines, desk);
  const plan = planFor(known, more, { asked, lowering }, desk);
  const wait = mayWait(plan.missing, asked, desk);
  if (wait === NEEDS_LINE) return wait;
  if (!wait) return refused(known, data, shortOf(plan.missing, wantedOf(more)!));

  const reservation = parted(known, desk);
  giveUp(known.order_id, lowering, desk);
  holdParts(known.order_id, plan.parts, desk);
  enqueue(reservation, plan.missing, { turn: 1, since: desk.now, split: asked.split ?? false }, desk);
  const kept = more.length === 0 ? before.plan : { strategy: plan.strategy, rejected: plan.rejected };
  const detail = { ...before, asked: data.allocation ?? before.asked, plan: kept, revision: data.revision, refused: null, expired_at: null };
  return changed({ ...reservation, lines: data.lines, detail }, data.revision, desk);
}

const changed = (reservation: Reservation, revision: number, { claims }: Desk): Decision => ({
  reservation,
  answer: {
    type: 'stock.changed',
    data: { order_id: reservation.order_id, revision, parts: heldParts(reservation, claims), queued: [] },
    waits: true,
  },
});

function refused(known: Reservation, { order_id, revision }: Change, lines: readonly ShortSku[]): Decision {
  return {
    reservation: { ...known, detail: { ...detailOf(known), revision, refused: lines } },
    answer: { type: 'stock.change_rejected', data: { order_id, revision, lines: [...lines] } },
  };
}

const shortest = (lines: readonly OrderLine[]): ShortSku[] => lines.map(({ sku, quantity }) => ({ sku, requested: quantity, available: 0 }));

/** What a line has in all: held, gone and queued. */
function countOf(
  known: Reservation,
  line_id: string,
  { claims }: Desk,
): { readonly parts: readonly Part[]; readonly queued: number; readonly all: number } {
  const parts = partsOf(known, claims).filter((part) => part.line_id === line_id);
  const queued = claims.entriesOf(known.order_id).find((entry) => entry.line_id === line_id)?.quantity ?? 0;
  return { parts, queued, all: parts.reduce((sum, { held, gone }) => sum + held + gone, queued) };
}

/** What is given up; or, when a line would have fewer pieces than have gone, or another sku, that nothing can be. */
function lower(known: Reservation, target: readonly OrderLine[], asked: Asked, desk: Desk): Lowering | ShortSku[] {
  const wanted = new Map(target.map((line) => [line.line_id, line]));
  if (wanted.size < target.length) return shortest(target);
  const dequeued: OrderLine[] = [];
  const returned: Lowering['returned'][number][] = [];
  const impossible: ShortSku[] = [];
  // The last warehouse that would be asked is the first that gets its pieces back.
  const order = ranked(candidatesFor(known.lines, asked, desk), asked.strategy).map(({ warehouse_id }) => warehouse_id);
  const lastFirst = (a: Part, b: Part): number => order.indexOf(b.warehouse_id) - order.indexOf(a.warehouse_id);
  for (const { line_id, sku } of known.lines) {
    const { parts, queued, all } = countOf(known, line_id, desk);
    const line = wanted.get(line_id);
    if (line !== undefined && line.sku !== sku) impossible.push({ sku: line.sku, requested: line.quantity, available: 0 });
    let rest = all - (line?.quantity ?? 0);
    if (rest <= 0) continue;
    const fromLine = Math.min(rest, queued);
    if (fromLine > 0) dequeued.push({ line_id, sku, quantity: fromLine });
    rest -= fromLine;
    for (const part of parts.toSorted(lastFirst)) {
      const quantity = Math.min(rest, part.held);
      if (quantity > 0) returned.push({ part, quantity });
      rest -= quantity;
    }
    if (rest > 0) impossible.push({ sku, requested: line?.quantity ?? 0, available: (line?.quantity ?? 0) + rest });
  }
  return impossible.length > 0 ? impossible : { dequeued, returned };
}

function raised(known: Reservation, target: readonly OrderLine[], desk: Desk): OrderLine[] {
  return target.flatMap((line) => {
    const quantity = line.quantity - countOf(known, line.line_id, desk).all;
    return quantity > 0 ? [{ ...line, quantity }] : [];
  });
}

/** Looks for more, first where the order holds something; unsplit, nowhere else. What is given up at the same time may be taken again. */
function planFor(known: Reservation, more: readonly OrderLine[], { asked, lowering }: { asked: Asked; lowering: Lowering }, desk: Desk): Plan {
  const held = new Map<string, number>();
  for (const { warehouse_id, held: pieces } of partsOf(known, desk.claims)) held.set(warehouse_id, (held.get(warehouse_id) ?? 0) + pieces);
  for (const { part, quantity } of lowering.returned) held.set(part.warehouse_id, held.get(part.warehouse_id)! - quantity);
  const involved = new Set([...held].filter(([, pieces]) => pieces > 0).map(([warehouse_id]) => warehouse_id));
  const candidates = candidatesFor(more, asked, desk, involved).map((candidate) => {
    const there = new Map(candidate.free);
    for (const { part, quantity } of lowering.returned)
      if (part.warehouse_id === candidate.warehouse_id && there.has(part.sku)) there.set(part.sku, there.get(part.sku)! + quantity);
    return { ...candidate, free: there };
  });
  const bound = asked.split !== true && involved.size > 0;
  return allocate(more, bound ? candidates.filter(({ warehouse_id }) => involved.has(warehouse_id)) : candidates, asked);
}

function giveUp(order_id: string, { dequeued, returned }: Lowering, { stock, claims }: Desk): void {
  for (const { line_id, sku, quantity } of dequeued) claims.dequeue({ order_id, line_id, sku }, quantity);
  for (const { part, quantity } of returned) {
    const { sku, warehouse_id } = part;
    move(stock, 'changed', { sku, warehouse_id, quantity, order_id, from: 'reserved', to: 'available' });
    claims.move(part, warehouse_id, { held: -quantity });
  }
}
