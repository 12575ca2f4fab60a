/** Builders of orders and messages for tests. */
import type { DataOf } from '../../src/contracts/messages.ts';
import { advance } from '../../src/orders/domain.ts';
import { type TaxProvider, asGiven } from '../../src/orders/domain-charges.ts';
import type { Order, Reply, Rules, Says, Step } from '../../src/orders/domain-order.ts';
import { type CatalogueItem, type PlaceOrder, type PricedOrder, place, price } from '../../src/orders/domain-place.ts';
import type { ReplyName } from '../../src/orders/domain-table.ts';
import { DEADLINES, POLICIES } from '../../src/orders/domain-waybill.ts';
import { Refusal } from '../../src/kernel/errors.ts';

export const T0 = Date.UTC(2026, 2, 1, 9, 30);

export const item = (sku: string, more: Partial<CatalogueItem> = {}): CatalogueItem => ({
  sku,
  name: `Name of ${sku}`,
  price: 1_000,
  currency: 'EUR',
  archived: false,
  version: 1,
  ...more,
});

export const catalogueOf = (...items: readonly CatalogueItem[]): ReadonlyMap<string, CatalogueItem> => new Map(items.map((one) => [one.sku, one]));

export const wish = (more: Partial<PlaceOrder> = {}): PlaceOrder => ({
  customer: { id: 'cus_1', name: 'Ada' },
  currency: 'EUR',
  lines: [
    { sku: 'A', quantity: 2 },
    { sku: 'B', quantity: 1, unit_price: 250 },
  ],
  payment: { token: 'tok_secret' },
  ...more,
});

/** Ids that count up: `ord_1`, `lin_2`, … */
export function counting(): (prefix: string) => string {
  let count = 0;
  return (prefix) => `${prefix}_${++count}`;
}

export const shop = { catalogue: catalogueOf(item('A'), item('B'), item('C')), policies: POLICIES };

export function priced(more: Partial<PlaceOrder> = {}, taxes: TaxProvider = asGiven): PricedOrder {
  const result = price(wish(more), { ...shop, taxes });
  if (result instanceof Refusal) throw result;
  return result;
}

/** An order that has just set out. */
export const placed = (more: Partial<PlaceOrder> = {}, now = T0): Step =>
  place(priced(more), { number: 'ORD-2026-000001', client: 'local' }, { ...rulesAt(now), id: counting() });

let messages = 0;

/** A message to the order, with an id of its own unless one is given. */
export function reply<T extends ReplyName>(type: T, data: DataOf<T>, more: { id?: string; source?: string } = {}): Reply {
  messages += 1;
  const id = more.id ?? `msg_${messages}`;
  const order_id = 'ord_1';
  const rest = { source: more.source ?? 'somebody', time: T0, subject: order_id, partitionkey: order_id, correlationid: order_id, hops: 1 };
  return { id, type, data, ...rest } as unknown as Reply;
}

const order_id = 'ord_1';
const payment = { order_id, payment_id: 'pay_1', amount: 2_250, currency: 'EUR' };
const shipment = { order_id, shipment_id: 'shp_1', tracking_number: 'TRK-1', warehouse_id: 'whs_1' };

/** What each stop answers, one of a kind. */
export const ANSWERS: { readonly [T in ReplyName]: DataOf<T> } = {
  'stock.reserved': { order_id, warehouse_id: 'whs_1', lines: [] },
  'stock.rejected': { order_id, reason: 'insufficient', lines: [] },
  'stock.released': { order_id },
  'stock.committed': { order_id },
  'payment.authorized': payment,
  'payment.declined': { ...payment, reason: 'no funds' },
  'payment.failed': { ...payment, reason: 'provider away' },
  'payment.captured': payment,
  'payment.capture_failed': { ...payment, reason: 'expired' },
  'payment.voided': { order_id, refunded: 0 },
  'shipment.ready': shipment,
  'shipment.dispatch_requested': shipment,
  'shipment.dispatched': shipment,
  'shipment.delivered': shipment,
  'shipment.cancelled': { order_id },
  'stock.filled': { order_id, parts: [], queued: [] },
  'stock.shorted': { order_id, warehouse_id: 'whs_1', lines: [], reason: 'counted' },
  'stock.expired': { order_id, lines: [] },
  'stock.changed': { order_id, revision: 1, parts: [], queued: [] },
  'stock.change_rejected': { order_id, revision: 1, lines: [] },
  'payment.reduced': { ...payment, revision: 1 },
  'payment.expired': payment,
  'payment.refunded': { ...payment, refund_id: 'rfd_1' },
  'payment.refund_failed': { ...payment, refund_id: 'rfd_1', reason: 'provider away', refunded: 0 },
  'shipment.shorted': { ...shipment, lines: [], left: [], reason: 'not found' },
  'shipment.exception': { ...shipment, parcel_id: 'prc_1', code: 'delivery_attempted', note: '' },
  'shipment.resolved': { ...shipment, parcel_id: 'prc_1' },
  'shipment.lost': { ...shipment, parcel_id: 'prc_1', lines: [], over: true },
  'shipment.returned': { ...shipment, parcel_id: 'prc_1', lines: [], over: true, return_id: 'rtn_1' },
  'return.received': { order_id, return_id: 'rtn_1', lines: [], warehouse_id: 'whs_1' },
  'order.check_deadline': { order_id, stop: 'stock', epoch: 1 },
  'message.dead_lettered': { dead_letter_id: 'dl_1', message_id: 'msg_x', message_type: 'stock.reserve', code: 'internal', error: 'boom' },
};

export const answer = <T extends ReplyName>(type: T, more: Partial<DataOf<T>> = {}, envelope: { id?: string; source?: string } = {}): Reply =>
  reply(type, { ...ANSWERS[type], ...more } as DataOf<T>, envelope);

const ids = counting();
export const rulesAt = (now: number): Rules => ({ now, deadlines: DEADLINES, id: (prefix) => ids(`${prefix}_x`), taxes: asGiven });

/** The order after these messages, and all that was said on the way. */
export function after(
  start: Order,
  replies: readonly (ReplyName | Reply)[],
  now = T0 + 1_000,
): { order: Order; says: Says[]; steps: (Step | undefined)[] } {
  let order = start;
  const says: Says[] = [];
  const steps = replies.map((one) => {
    const step = advance(order, typeof one === 'string' ? answer(one) : one, rulesAt(now));
    if (step !== undefined) {
      order = step.order;
      says.push(...step.says);
    }
    return step;
  });
  return { order, says, steps };
}

export const typesOf = (says: readonly { readonly type: string }[]): string[] => says.map(({ type }) => type);
