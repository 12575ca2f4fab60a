/**
 * What an order waits for, since when, who must act and by when. Every unfinished order has an answer; a finished one has none.
 */
import { type PersonsHold, stopsShipment } from './domain-holds.ts';
import { liveOf } from './domain-charges.ts';
import { type Refund, dueOf, refundableOf, sumPieces } from './domain-money.ts';
import type { Hold, Order } from './domain-order.ts';
import type { Revision } from './domain-revision-plan.ts';
import { type Shipment, hasLeft, isAhead, isLeaving, waitOfShipment } from './domain-shipment-table.ts';
import { areGoodsOnBooks, isFinished } from './domain-status.ts';
import { type Owner, type RequestName, type Wait, actOf, waitOf } from './domain-table.ts';
import type { Deadlines } from './domain-waybill.ts';

/** What a person may ask for: of the order, its shipment or its dead letter. */
export const LEGAL_COMMANDS = [
  'place', 'discard', 'edit', 'cancel', 'cancel_lines', 'resume', 'release_hold', 'redrive_dead_letter', 'skip_gap', 'authorize', 'refund', 'close', 'dispatch', 'deliver',
  'receive_return',
] as const; // oxfmt-ignore
export type LegalCommand = (typeof LEGAL_COMMANDS)[number];

export interface Blocker {
  /** The state the order is in, or one of a shipment, or what else it waits for. */
  readonly blocker: string;
  /** Milliseconds UTC, like `deadline`. */
  readonly since: number;
  readonly owner: Owner;
  readonly deadline: number;
  /** What a person may ask for now. */
  readonly legal_commands: readonly LegalCommand[];
  readonly evidence: Evidence;
}

export interface Evidence {
  /** The command that was said and has not been answered. */
  readonly asked: string | null;
  /** Any of these lets the order go on. */
  readonly awaits: readonly string[];
  readonly note: string | null;
  readonly dead_letter_id: string | null;
  readonly hold_id?: string | undefined;
  readonly shipment_id?: string | undefined;
  readonly line_id?: string | undefined;
  readonly refund_id?: string | undefined;
}

const nothing: Evidence = { asked: null, awaits: [], note: null, dead_letter_id: null };

/** May the request be made now? What else may be wrong with it, it says itself. */
export function isLegal(order: Order, name: RequestName): boolean {
  const { at, hold, shipments = [], revision } = order.journey;
  const act = actOf(at, name);
  if (name === 'resume') return act === 'again' && (hold !== null || areGoodsOnBooks(order.journey) || shipments.some(mayBeAskedAgain));
  if (name === 'cancel') return act === 'undo' && !shipments.some(isLeaving);
  if (name === 'revise') return act === 'draw' || ((act === 'revise' || act === 'wait') && revision === undefined);
  if (name === 'refund') return act === 'repay' && refundableOf(order) > 0;
  return act !== 'refuse' && act !== 'same' && act !== 'busy';
}

const mayBeAskedAgain = (shipment: Shipment): boolean => shipment.hold !== undefined || (hasLeft(shipment) && shipment.gone !== true);

export function explain(order: Order, deadlines: Deadlines): Blocker[] {
  const { journey } = order;
  if (isFinished(order)) return [];
  if (journey.at === 'draft') return [draftOf(order, deadlines), ...holdsOf(order)];
  const { at, hold, deadline, shipments, revision } = journey;
  const wait = waitOf(at);
  const blockers: Blocker[] = [];
  if (hold !== null) blockers.push(heldBy(order, hold, wait));
  blockers.push(...holdsOf(order));
  // Of an order that keeps its shipments itself each of them waits by itself.
  if (wait !== null && deadline !== null && !(shipments !== undefined && at === 'shipped')) blockers.push(waitsFor(order, wait, deadline));
  if (revision !== undefined && !revision.begun) blockers.push(revisionWaits(order, revision, deadlines));
  for (const shipment of shipments ?? []) blockers.push(...shipmentWaits(order, shipment, deadlines));
  blockers.push(...missingOf(order, deadlines), ...queueOf(order, deadlines), ...goodsLeaving(order, deadlines), ...moneyOpen(order, deadlines));
  return blockers;
}

function draftOf(order: Order, deadlines: Deadlines): Blocker {
  const { since } = order.journey;
  return {
    blocker: 'draft',
    since,
    owner: 'operator',
    deadline: since + deadlines.draft,
    legal_commands: ['place', 'edit', 'discard'],
    evidence: nothing,
  };
}

function waitsFor(order: Order, wait: Wait, deadline: number): Blocker {
  const { at, since } = order.journey;
  const evidence = { ...nothing, asked: wait.asks, awaits: wait.answers };
  return { blocker: at, since, owner: wait.owner, deadline, legal_commands: legalCommands(order, wait), evidence };
}

/** The hold comes first: it needs a person, whatever lies beneath it. */
function heldBy(order: Order, { since, deadline, note, dead_letter_id, reason }: Hold, wait: Wait | null): Blocker {
  const redrive: LegalCommand[] = dead_letter_id === null ? [] : ['redrive_dead_letter'];
  const authorize: LegalCommand[] = reason === 'payment_expired' ? ['authorize'] : [];
  const legal_commands = [...redrive, ...authorize, ...(wait === null ? ofOrder(order) : legalCommands(order, wait))];
  const evidence = { ...nothing, asked: wait?.asks ?? null, awaits: wait?.answers ?? [], note, dead_letter_id };
  return { blocker: 'on_hold', since, owner: 'operator', deadline, legal_commands, evidence };
}

/** Holds that people laid, each with what it lies on. */
function holdsOf(order: Order): Blocker[] {
  return (order.journey.holds ?? []).map(({ id, reason, note, since, deadline, line_id, shipment_id, placed_by }: PersonsHold) => ({
    blocker: `hold_${reason}`,
    since,
    owner: 'operator',
    deadline,
    legal_commands: ['release_hold', ...ofOrder(order)],
    evidence: {
      ...nothing,
      note: [note, `placed by ${placed_by}`].filter((one) => one !== null).join(', '),
      hold_id: id,
      ...(line_id === undefined ? {} : { line_id }),
      ...(shipment_id === undefined ? {} : { shipment_id }),
    },
  }));
}

const ANSWERED_BY: Readonly<Partial<Record<string, LegalCommand>>> = {
  'shipment.dispatch_requested': 'dispatch',
  'shipment.delivered': 'deliver',
};

function legalCommands(order: Order, { answers }: Wait): LegalCommand[] {
  return [...answers.flatMap((answer) => ANSWERED_BY[answer] ?? []), ...ofOrder(order)];
}

function ofOrder(order: Order): LegalCommand[] {
  const { hold, shipments = [] } = order.journey;
  const resume: LegalCommand[] = (hold !== null || shipments.some((one) => one.hold !== undefined)) && isLegal(order, 'resume') ? ['resume'] : [];
  return [...resume, ...(isLegal(order, 'cancel') ? (['cancel'] as const) : [])];
}

/** It begins once what is under way has been answered, and says itself what that is. */
function revisionWaits(order: Order, { since }: Revision, deadlines: Deadlines): Blocker {
  const wait = waitOf(order.journey.at);
  const owner = wait?.owner ?? 'inventory';
  const evidence = { ...nothing, awaits: wait?.answers ?? ['stock.committed'], note: 'a change waits for it' };
  return { blocker: 'changing', since, owner, deadline: since + deadlines.shipping, legal_commands: ofOrder(order), evidence };
}

function shipmentWaits(order: Order, shipment: Shipment, deadlines: Deadlines): Blocker[] {
  const { id: shipment_id, state, since, deadline, hold, exception, ends = [] } = shipment;
  const wait = waitOfShipment(state);
  const evidence = { ...nothing, shipment_id };
  const blockers: Blocker[] = [];
  if (hold !== undefined) blockers.push(withEvidence(heldBy(order, hold, wait), { shipment_id }));
  if (wait !== null && deadline !== null) {
    const note = exception === undefined ? null : `${exception.code}: ${exception.note}`;
    const legal_commands = wait.answers.flatMap((answer) => ANSWERED_BY[answer] ?? []);
    blockers.push({
      blocker: state,
      since,
      owner: wait.owner,
      deadline,
      legal_commands,
      evidence: { ...evidence, asked: wait.asks, awaits: wait.answers, note },
    });
  }
  if (state === 'planned' && !stopsShipment(order.journey, shipment))
    blockers.push({ blocker: 'planned', since, owner: 'shipping', deadline: since + deadlines.shipping, legal_commands: [], evidence });
  for (const { end, parcel_id } of order.journey.closed === undefined ? ends : []) {
    const isLost = end === 'lost';
    if (!isLost && isReceived(order, shipment)) continue;
    blockers.push({
      blocker: isLost ? 'lost' : 'came_back',
      since,
      owner: isLost ? 'operator' : 'warehouse',
      deadline: since + (isLost ? deadlines.hold : deadlines.delivery),
      legal_commands: isLost ? ['refund', 'edit', 'close'] : ['receive_return', 'refund', 'close'],
      evidence: { ...evidence, awaits: isLost ? [] : ['return.received'], note: `parcel ${parcel_id}` },
    });
  }
  return blockers;
}

const withEvidence = (blocker: Blocker, more: Partial<Evidence>): Blocker => ({ ...blocker, evidence: { ...blocker.evidence, ...more } });

/** Has what came back of the shipment been received? */
function isReceived({ journey: { returns = [] } }: Order, { ends = [] }: Shipment): boolean {
  const received = new Map<string, number>();
  for (const { line_id, quantity } of returns.flatMap(({ lines }) => lines)) received.set(line_id, (received.get(line_id) ?? 0) + quantity);
  const back = ends.filter(({ end }) => end === 'returned').flatMap(({ lines }) => lines);
  return back.every(({ line_id, quantity }) => (received.get(line_id) ?? 0) >= quantity);
}

/** Pieces that a shipment went on without, and of which stock has not said yet what becomes of them. */
function missingOf({ journey, lines }: Order, deadlines: Deadlines): Blocker[] {
  const { shipments, queued = [], parts = [], since, at, reason } = journey;
  if (shipments === undefined || at !== 'fulfilling' || reason !== null) return [];
  const there = sumPieces([...shipments.filter((one) => isAhead(one) || isLeaving(one)), ...parts].flatMap((one) => one.lines).concat(queued));
  const missing = (lines ?? []).filter((line) => (there.get(line.id) ?? 0) < liveOf(line));
  if (missing.length === 0) return [];
  const note = missing.map((line) => `${line.sku} × ${liveOf(line) - (there.get(line.id) ?? 0)}`).join(', ');
  const evidence = { ...nothing, awaits: ['stock.shorted'], note };
  return [{ blocker: 'missing', since, owner: 'inventory', deadline: since + deadlines.stock, legal_commands: [], evidence }];
}

/** Pieces that wait for goods. */
function queueOf(order: Order, deadlines: Deadlines): Blocker[] {
  const { queued = [], since, reason } = order.journey;
  if (queued.length === 0 || reason !== null) return [];
  const note = queued.map(({ sku, quantity }) => `${sku} × ${quantity}`).join(', ');
  const legal_commands: LegalCommand[] = isLegal(order, 'revise') ? ['cancel_lines', 'edit', ...ofOrder(order)] : ofOrder(order);
  const evidence = { ...nothing, awaits: ['stock.filled'], note };
  return [{ blocker: 'backordered', since, owner: 'inventory', deadline: since + deadlines.delivery, legal_commands, evidence }];
}

/** The parcel has left; until inventory confirms, its goods still stand on the books. */
function goodsLeaving({ journey }: Order, deadlines: Deadlines): Blocker[] {
  const blocker = (since: number, which: Partial<Evidence> = {}): Blocker => ({
    blocker: 'stock_commit',
    since,
    owner: 'inventory',
    deadline: since + deadlines.stock,
    legal_commands: ['resume'],
    evidence: { ...nothing, asked: 'stock.commit', awaits: ['stock.committed'], ...which },
  });
  const left = (journey.shipments ?? []).filter((one) => hasLeft(one) && one.gone !== true);
  if (!areGoodsOnBooks(journey)) return left.map(({ id, since }) => blocker(since, { shipment_id: id }));
  return [blocker(journey.stops.find(({ stop }) => stop === 'shipping')?.since ?? journey.since)];
}

/** Money that is being given back, or must be, or is still to come although everything has left. */
function moneyOpen(order: Order, deadlines: Deadlines): Blocker[] {
  const { refunds = [], at, since, closed, reason } = order.journey;
  const ofRefund = ({ refund_id, amount, since: asked, deadline, failed }: Refund): Blocker => ({
    blocker: failed === undefined ? 'refunding' : 'refund_failed',
    since: asked,
    owner: failed === undefined ? 'payments' : 'operator',
    deadline,
    legal_commands: failed === undefined ? [] : ['refund', 'close'],
    evidence: {
      ...nothing,
      asked: 'payment.refund',
      awaits: failed === undefined ? ['payment.refunded', 'payment.refund_failed'] : [],
      note: failed ?? `${amount}`,
      refund_id,
    },
  });
  const due = dueOf(order);
  const isAtEnd = at === 'shipped' || at === 'delivered' || (at === 'cancelled' && reason !== null);
  if (!isAtEnd || due === 0 || refunds.length > 0 || closed !== undefined) return refunds.map(ofRefund);
  const legal_commands: LegalCommand[] = due > 0 ? ['authorize', 'close'] : ['refund', 'close'];
  const note = due > 0 ? `${due} is due` : `${-due} was taken too much`;
  return [{ blocker: 'settle_due', since, owner: 'operator', deadline: since + deadlines.hold, legal_commands, evidence: { ...nothing, note } }];
}
