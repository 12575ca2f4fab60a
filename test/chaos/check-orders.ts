/** Each order that was answered is there, once, as it was ordered, with one payment and one parcel; and what was asked of it was done. */
import type { Case, Complain, Line, OrderFound, ShipmentFound } from './history.ts';

export function checkOrders(one: Case, complain: Complain): void {
  checkAnswers(one, complain);
  checkOrigins(one, complain);
  checkRequests(one, complain);
  checkParts(one, complain);
}

/** What each key was answered with. */
function checkAnswers({ callsOf, orderOf }: Case, complain: Complain): void {
  for (const [key, calls] of callsOf) {
    const answers = calls.filter(({ outcome }) => outcome === 'ok');
    const different = new Set(answers.map(({ answer }) => answer)).size;
    if (different > 1) complain('duplicated', `${key} was answered in ${different} ways`);
    if (answers[0]?.act !== 'place') continue;
    for (const id of new Set(answers.map(({ seen }) => seen!.id)))
      if (!orderOf.has(id)) complain('lost', `order ${id} of ${key} was accepted and is not there`);
  }
}

/** Where each order comes from. */
function checkOrigins({ orders, placementOf, callsOf }: Case, complain: Complain): void {
  const first = new Map<string, string>();
  for (const { id, customer, total, lines } of orders) {
    const key = customer.id;
    const placement = placementOf.get(key);
    const other = first.get(key);
    first.set(key, id);
    if (placement === undefined) complain('duplicated', `order ${id}: nobody asked for one of ${key}`);
    else if (other !== undefined) complain('duplicated', `${key} has the orders ${other} and ${id}`);
    else if (callsOf.get(key)?.every(({ outcome }) => outcome === 'refused'))
      complain('duplicated', `order ${id} of ${key} was refused and is there`);
    else if (total !== placement.total || textOf(lines) !== textOf(placement.lines))
      complain('lost', `order ${id} is ${textOf(lines)} for ${total}, ${key} asked for ${textOf(placement.lines)} for ${placement.total}`);
  }
}

/** The pieces of each sku, as a text that can be compared. */
const textOf = (lines: readonly Line[]): string =>
  [...piecesOf(lines)]
    .map(([sku, quantity]) => `${quantity} ${sku}`)
    .sort()
    .join(', ');

export function piecesOf(lines: readonly Line[]): Map<string, number> {
  const pieces = new Map<string, number>();
  for (const { sku, quantity } of lines) pieces.set(sku, (pieces.get(sku) ?? 0) + quantity);
  return pieces;
}

/** What was asked of an order or its parcel and answered with yes; and what was there once is found again. */
function checkRequests({ calls, orderOf, shipments }: Case, complain: Complain): void {
  const shipmentOf = new Map(shipments.map((shipment) => [shipment.id, shipment]));
  for (const { act, key, outcome, seen, code } of calls) {
    if (act === 'read' && outcome === 'refused') complain('lost', `${key} was answered before, and then ${code}`);
    if (outcome !== 'ok' || seen === undefined) continue;
    const order = orderOf.get(seen.id);
    const shipment = shipmentOf.get(seen.id);
    if (act === 'cancel' && order !== undefined && countsOnAll(order))
      complain('lost', `${key}: ${seen.id} was to be cancelled and is ${order.status}`);
    if (act === 'deliver' && shipment?.status !== 'delivered') complain('lost', `${key}: ${seen.id} arrived and is ${shipment?.status}`);
    if (act === 'dispatch' && isAsBefore(shipment)) complain('lost', `${key}: the dispatch of ${seen.id} was asked for, and nobody knows of it`);
  }
}

const isAsBefore = (shipment: ShipmentFound | undefined): boolean =>
  shipment?.status === 'ready' && shipment.dispatch_requested_at === null && shipment.refused_reason === null;

/** An order that counts on a payment and a parcel has them, once. */
function checkParts({ orders, orderOf, payments, shipments }: Case, complain: Complain): void {
  for (const [what, rows] of Object.entries({ payment: payments, shipment: shipments })) {
    const owners = new Map<string, number>();
    for (const { id, order_id } of rows) {
      if (order_id === null || !orderOf.has(order_id)) complain('duplicated', `${what} ${id} belongs to ${order_id}, which is no order`);
      else owners.set(order_id, (owners.get(order_id) ?? 0) + 1);
    }
    for (const [id, count] of owners) if (count > 1) complain('duplicated', `order ${id} has ${count} ${what}s`);
    for (const order of orders)
      if (countsOnAll(order) && !owners.has(order.id)) complain('lost', `order ${order.id} is ${order.status} and has no ${what}`);
  }
}

/** Confirmed, and neither on its way back nor ended by a cancellation. */
export const countsOnAll = ({ status, status_reason }: OrderFound): boolean =>
  status === 'confirmed' ? status_reason === null : hasLeft({ status });

export const hasLeft = ({ status }: Pick<OrderFound, 'status'>): boolean => status === 'shipped' || status === 'delivered';
