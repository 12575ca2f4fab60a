/**
 * A change of an order being carried out: stock more, money more, then the change itself, then stock less, money less. README.md draws it.
 *
 * Each function takes one step, and answers whether the revision is over: then the journey goes on.
 */
import { revisionOf } from './domain-commands.ts';
import { liveOf } from './domain-charges.ts';
import { moneyOf } from './domain-money.ts';
import { type Line, type Part, type Pieces, type Reply, factOf, linesOf, piecesOf, reservedLines, stateOfStop } from './domain-order.ts';
import { openRefund } from './domain-refunds.ts';
import {
  type Change,
  type Revision,
  becoming,
  isElsewhere,
  isPromised,
  largerOf,
  moreThan,
  sameAddress,
  toAuthorize,
  toReduce,
  sameTarget,
  toRefund,
} from './domain-revision-plan.ts';
import { isAhead } from './domain-shipment-table.ts';
import { freeShipments } from './domain-shipment-acts.ts';
import { isLeavingNow, reallocate, reopenStops, together, unfold } from './domain-shipments.ts';
import { type Turn, enter, lift, orderNow, plainStop, sayEvent, setStop, stopState } from './domain-turn.ts';
import { fulfilledStop } from './domain-waybill.ts';

type Over = boolean;

/** Asked for; whether it can begin at once is another question. */
export function ask(turn: Turn, change: Change): void {
  const number = (turn.journey.revisions ?? 0) + 1;
  turn.journey = { ...turn.journey, revisions: number, revision: { ...change, number, since: turn.rules.now, begun: false } };
  Object.assign(turn.detail, { revision: number, ...(change.reason === undefined ? {} : { reason: change.reason }) });
}

/** Stock is to say anew what it holds: what it has just said does not tell. */
export function resync(turn: Turn): void {
  const { revision } = turn.journey;
  if (revision !== undefined) return note(turn, { resync: true });
  ask(turn, { kind: 'sync', target: sameTarget(turn.order), token: null });
}

const note = (turn: Turn, more: Partial<Revision>): void => {
  turn.journey = { ...turn.journey, revision: { ...revisionOf(orderNow(turn)), ...more } };
};

const MAY_BEGIN: ReadonlySet<string> = new Set(['held', 'preparing', 'ready', 'fulfilling', 'shipped', 'delivered', 'complete']);

/** Can a revision that waits begin? Not while an answer is under way that it would change, nor while stock and orders count differently. */
export function mayBegin(turn: Turn): boolean {
  const { revision, at, shipments } = turn.journey;
  if (revision === undefined || revision.begun || !MAY_BEGIN.has(at)) return false;
  if (shipments !== undefined) return !isLeavingNow(turn);
  return !((at === 'shipped' || at === 'delivered') && stopState(turn, 'stock') === 'done');
}

export function begin(turn: Turn): Over {
  const shipping = stopState(turn, 'shipping');
  if (shipping !== undefined && shipping !== 'waiting') unfold(turn);
  // What is held and captured follows from the total no longer, because that changes.
  if (stopState(turn, 'payment') !== 'waiting') turn.journey = { ...turn.journey, money: moneyOf(orderNow(turn)) };
  note(turn, { begun: true });
  const revision = revisionOf(orderNow(turn));
  const after = piecesOf(revision.target.lines);
  const raises = revision.kind === 'sync' || moreThan(after, reservedLines(turn.order)).length > 0;
  if (!isPromised(orderNow(turn)) || !raises) return topUp(turn);
  note(turn, { raised: true });
  return tellStock(turn, 'raising');
}

function tellStock(turn: Turn, at: 'raising' | 'lowering'): Over {
  turn.journey = { ...turn.journey, changes: (turn.journey.changes ?? 0) + 1 };
  enter(turn, at);
  return false;
}

function topUp(turn: Turn): Over {
  const revision = revisionOf(orderNow(turn));
  const missing = toAuthorize(orderNow(turn), becoming(turn.order, revision.target).total);
  if (missing === 0) return apply(turn);
  note(turn, { authorization: turn.rules.id('pay'), top_up: missing });
  if (stopState(turn, 'payment') === 'skipped') setStop(turn, plainStop('payment', 'requested', turn.rules.now));
  enter(turn, 'topping_up');
  return false;
}

/** From here on it cannot be refused any more: the order is what it shall be, and what is too much goes. */
function apply(turn: Turn): Over {
  const before = turn.order;
  const revision = revisionOf(orderNow(turn));
  const { target } = revision;
  const elsewhere = isElsewhere(before, target);
  turn.order = { ...before, lines: target.lines, ...becoming(before, target), ship_to: target.ship_to, customer: target.customer };
  if (stopState(turn, 'payment') === 'waiting' && turn.token === null) turn.token = revision.token;
  sayChange(turn, before, revision);
  if (elsewhere) note(turn, { afresh: true, ...(revision.parts === undefined ? held(turn) : {}) });
  const promised = revision.raised === true ? largerOf(reservedLines(before), piecesOf(target.lines)) : reservedLines(before);
  if (isPromised(orderNow(turn)) && moreThan(promised, piecesOf(target.lines)).length > 0) return tellStock(turn, 'lowering');
  return reduce(turn);
}

/** What is held for shipments still to leave, as orders knows it. */
function held({ journey }: Turn): { parts?: readonly Part[]; queued?: readonly Pieces[] } {
  if (journey.shipments === undefined) return {};
  const ahead = Map.groupBy(journey.shipments.filter(isAhead), ({ warehouse_id }) => warehouse_id);
  const parts = Array.from(ahead, ([warehouse_id, shipments]) => ({ warehouse_id, lines: together(shipments.flatMap(({ lines }) => lines)) }));
  return { parts: [...parts, ...(journey.parts ?? [])], queued: journey.queued ?? [] };
}

function sayChange(turn: Turn, before: Turn['order'], { kind, number, reason, target }: Revision): void {
  const why = reason === undefined ? {} : { reason };
  const told = { ...factOf(turn.order), revision: number, total_before: before.total, ...why };
  const known = new Map(linesOf(before).map((line) => [line.id, line]));
  const changed = target.lines.filter((line) => known.has(line.id) && !sameLine(known.get(line.id)!, line));
  if (kind === 'cancel_lines') {
    sayEvent(turn, { type: 'order.lines_cancelled', data: { ...told, lines: moreThan(reservedLines(before), piecesOf(target.lines)) } });
  } else if (kind === 'edit') {
    const added = target.lines.filter(({ id }) => !known.has(id));
    const isSame = added.length + changed.length === 0 && before.total === turn.order.total;
    if (!isSame)
      sayEvent(turn, {
        type: 'order.edited',
        data: {
          ...told,
          lines_added: added.map(({ id, sku, quantity, unit_price }) => ({ line_id: id, sku, quantity, unit_price })),
          lines_changed: changed.map((line) => ({ line_id: line.id, sku: line.sku, from: liveOf(known.get(line.id)!), to: liveOf(line) })),
        },
      });
  }
  if (sameAddress(before.ship_to, target.ship_to)) return;
  const from = before.ship_to === null ? {} : { from: before.ship_to };
  sayEvent(turn, { type: 'order.address_changed', data: { ...factOf(turn.order), ...from, to: target.ship_to ?? {} } });
}

const sameLine = (a: Line, b: Line): boolean => liveOf(a) === liveOf(b) && a.unit_price === b.unit_price;

function reduce(turn: Turn): Over {
  const { parts, queued = [], afresh = false } = revisionOf(orderNow(turn));
  if (parts !== undefined) settleParts(turn, parts, queued, afresh);
  reopenStops(turn);
  const excess = toReduce(orderNow(turn), turn.order.total);
  if (excess === 0) return finish(turn);
  note(turn, { reduction: excess });
  enter(turn, 'reducing');
  return false;
}

/** Where things are held now: an order in one warehouse that has not come to its shipping stays an ordinary one. */
function settleParts(turn: Turn, parts: readonly Part[], queued: readonly Pieces[], afresh: boolean): void {
  const stock = fulfilledStop(turn.journey.stops, 'stock');
  const [only] = parts;
  if (turn.journey.shipments === undefined && parts.length === 1 && queued.length === 0 && stock?.state === 'done')
    return setStop(turn, { ...stock, warehouse_id: only!.warehouse_id });
  if (turn.journey.shipments === undefined) turn.journey = { ...turn.journey, shipments: [] };
  sayBackordered(turn, queued);
  reallocate(turn, parts, queued, { afresh });
}

/** Customers are told of pieces that came to wait, by a change or because goods vanished. */
function sayBackordered(turn: Turn, queued: readonly Pieces[]): void {
  const lines = moreThan(together(queued), together(turn.journey.queued ?? []));
  if (lines.length === 0) return;
  const reason = revisionOf(orderNow(turn)).kind === 'sync' ? 'goods_vanished' : 'order_changed';
  sayEvent(turn, { type: 'order.backordered', data: { ...factOf(turn.order), lines: lines.map(plain), reason } });
}

export const plain = ({ line_id, sku, quantity }: Pieces): Pieces => ({ line_id, sku, quantity });

function finish(turn: Turn): Over {
  const { resync: again, kind } = revisionOf(orderNow(turn));
  turn.journey = { ...turn.journey, revision: undefined };
  const excess = toRefund(orderNow(turn), turn.order.total);
  if (excess > 0) openRefund(turn, { amount: excess, reason: kind, credit: false });
  if (again === true) resync(turn);
  return true;
}

/** It cannot be: the order is as it was. */
function reject(turn: Turn, reason: string): Over {
  const { number, kind, resync: again, parts, queued = [] } = revisionOf(orderNow(turn));
  if (parts !== undefined) settleParts(turn, parts, queued, false);
  turn.journey = { ...turn.journey, revision: undefined };
  turn.detail.rejected = reason;
  if (kind !== 'sync') sayEvent(turn, { type: 'order.revision_rejected', data: { ...factOf(turn.order), revision: number, reason } });
  if (again === true) resync(turn);
  return true;
}

/** The order is being cancelled: so its change will not be. */
export function abandon(turn: Turn): void {
  const { revision } = turn.journey;
  if (revision === undefined) return;
  turn.journey = { ...turn.journey, revision: undefined };
  if (revision.kind === 'sync' || hasApplied(turn, revision)) return;
  sayEvent(turn, { type: 'order.revision_rejected', data: { ...factOf(turn.order), revision: revision.number, reason: 'order_cancelled' } });
}

const hasApplied = ({ journey: { at } }: Turn, { rejected }: Revision): boolean => at === 'reducing' || (at === 'lowering' && rejected === undefined);

/** The answer that was awaited. Undefined when it answers something else. */
export function proceed(turn: Turn, message: Reply): Over | undefined {
  const revision = revisionOf(orderNow(turn));
  switch (message.type) {
    case 'stock.changed': {
      if (message.data.revision !== turn.journey.changes) return undefined;
      lift(turn);
      note(turn, { parts: message.data.parts, queued: message.data.queued.map(plain) });
      if (turn.journey.at === 'raising') return topUp(turn);
      return revision.rejected === undefined ? reduce(turn) : reject(turn, revision.rejected);
    }
    case 'payment.authorized': {
      const { payment_id, amount } = message.data;
      if (message.data.authorization !== revision.authorization) return undefined;
      lift(turn);
      freeShipments(turn, 'payment_expired');
      moveMoney(turn, amount);
      const payment = stateOfStop(turn.journey.stops, 'payment');
      if (payment === 'requested') setStop(turn, { stop: 'payment', state: 'done', since: turn.rules.now, payment_id });
      return apply(turn);
    }
    case 'payment.reduced': {
      if (message.data.revision !== revision.number) return undefined;
      lift(turn);
      moveMoney(turn, -message.data.amount);
      return finish(turn);
    }
    default:
      return undefined;
  }
}

function moveMoney(turn: Turn, held: number): void {
  const money = moneyOf(orderNow(turn));
  turn.journey = { ...turn.journey, money: { ...money, held: Math.max(0, money.held + held) } };
}

/** Somebody said no: what was raised is lowered again, which cannot be refused. Undefined when it answers something else. */
export function fall(turn: Turn, message: Reply): Over | undefined {
  const revision = revisionOf(orderNow(turn));
  if (message.type === 'stock.change_rejected') {
    if (message.data.revision !== turn.journey.changes) return undefined;
    lift(turn);
    turn.detail.lines = message.data.lines;
    return reject(turn, 'out_of_stock');
  }
  if (message.type !== 'payment.declined' || message.data.authorization !== revision.authorization) return undefined;
  lift(turn);
  if (stopState(turn, 'payment') === 'requested') setStop(turn, { stop: 'payment', state: 'skipped', since: turn.rules.now });
  if (revision.raised !== true) return reject(turn, 'payment_declined');
  note(turn, { rejected: 'payment_declined' });
  return tellStock(turn, 'lowering');
}
