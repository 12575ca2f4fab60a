/** What still waits although everything works. An order that waits for a person who has not been asked for anything does not. */
import type { Case, Complain, OrderFound } from './history.ts';
import { hasLeft } from './check-orders.ts';

export function checkWaiting(one: Case, complain: Complain): void {
  const stuck = (what: string): void => complain('stuck', what);
  const { orders, payments, shipments, notifications, deadLetters, waiting } = one;
  for (const order of orders) checkOrder(order, stuck);
  for (const { id, status, under_way } of payments)
    if (status === 'requested' || under_way !== null) stuck(`payment ${id} is ${status}, ${under_way} under way`);
  for (const { id, status, dispatch_requested_at } of shipments) {
    if (status === 'pending') stuck(`shipment ${id} is pending`);
    if (dispatch_requested_at !== null) stuck(`shipment ${id} is to leave since ${dispatch_requested_at}, and its order has not answered`);
  }
  for (const { id, status } of notifications) if (status === 'pending') stuck(`notification ${id} is pending`);
  for (const { id, type, code } of deadLetters) stuck(`dead letter ${id}: ${type}, ${code}`);
  for (const [where, count] of Object.entries(waiting)) if (count > 0) stuck(`${count} messages wait in ${where}`);
  checkPairs(one, stuck);
  checkUnanswered(one, stuck);
}

function checkOrder(order: OrderFound, stuck: (what: string) => void): void {
  const { id, status, status_reason, stops } = order;
  const open = stops.filter(({ stop, state }) => OPEN.has(state) || (hasLeft(order) && stop === 'stock' && state !== 'settled'));
  const ended = status !== 'pending' && status !== 'on_hold' && status_reason !== 'cancelling';
  if (!ended || open.length > 0)
    stuck(`order ${id} is ${status} (${status_reason}), ${open.map(({ stop, state }) => `${stop} ${state}`).join(', ')}`);
}
const OPEN: ReadonlySet<string> = new Set(['requested', 'undoing']);

/** An order and its parcel are at the same place. */
function checkPairs({ shipments, orderOf }: Case, stuck: (what: string) => void): void {
  for (const { id, order_id, status } of shipments) {
    const order = orderOf.get(order_id ?? '');
    if (order === undefined || order.status === 'on_hold' || order.status === 'pending' || order.status_reason === 'cancelling') continue;
    const fits = hasLeft(order) ? status === (order.status === 'shipped' ? 'in_transit' : 'delivered') : status === SHIPMENT_OF[order.status];
    if (!fits && status !== 'pending') stuck(`order ${order.id} is ${order.status}, and its shipment ${id} is ${status}`);
  }
}
const SHIPMENT_OF: Readonly<Record<string, string>> = { confirmed: 'ready', cancelled: 'cancelled' };

/** Whoever asks long enough is answered. */
function checkUnanswered({ callsOf, abandoned }: Case, stuck: (what: string) => void): void {
  const gone = new Set(abandoned);
  for (const [key, calls] of callsOf)
    if (!gone.has(key) && calls.every(({ outcome }) => outcome === 'unknown')) stuck(`${key} was asked ${calls.length} times and never answered`);
}
