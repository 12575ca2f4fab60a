/**
 * Orders as clients see them: the schemas of the answers, and how an order becomes one. What must not be seen is not copied here.
 */
import { z } from 'zod';
import { allocationSchema } from '../contracts/messages.ts';
import { timestamp } from '../contracts/rest.ts';
import { rfc3339 } from '../kernel/time.ts';
import { CHARGE_KINDS, type Charge, liveOf } from './domain-charges.ts';
import { type Blocker, LEGAL_COMMANDS } from './domain-explain.ts';
import { HOLD_REASONS, type PersonsHold } from './domain-holds.ts';
import { PAYMENT_FACETS, type Refund, dueOf, paymentFacet } from './domain-money.ts';
import { type Entry, type Journey, ORDER_STATUSES, type Order, linesOf } from './domain-order.ts';
import type { Revision } from './domain-revision-plan.ts';
import { SHIPMENT_STATES, type Shipment, type ShipmentState } from './domain-shipment-table.ts';
import { FULFILMENT_FACETS, NEXT_STEPS, countsOf, fulfilmentFacet, isFinished, nextStep, statusOf } from './domain-status.ts';
import { OWNERS } from './domain-table.ts';

export const statusSchema = z.enum(ORDER_STATUSES);
const customerView = z.object({ id: z.string(), name: z.string().optional(), email: z.string().optional(), locale: z.string().optional() });
const allocationView = allocationSchema.omit({ ship_to: true });
export const amountView = z.int().meta({ description: 'Minor units of `currency`.' });

export const piecesView = z.array(z.object({ line_id: z.string(), sku: z.string(), quantity: z.int() }));
const lineView = z.object({
  id: z.string(),
  sku: z.string(),
  name: z.string(),
  quantity: z.int().meta({ description: 'Ordered.' }),
  cancelled: z.int(),
  shipped: z.int(),
  delivered: z.int(),
  returned: z.int(),
  unit_price: amountView,
  amount: amountView.meta({ description: 'Of the pieces that are not cancelled.' }),
});
const chargeView = z.object({
  code: z.string(),
  amount: amountView,
  name: z.string().optional(),
  kind: z.enum(CHARGE_KINDS).optional(),
  line_id: z.string().optional(),
  rate_ppm: z.int().optional(),
  included: z.boolean().optional(),
});
const holdView = z.object({
  id: z.string(),
  target: z.enum(['order', 'line', 'shipment']),
  line_id: z.string().optional(),
  shipment_id: z.string().optional(),
  reason: z.enum(HOLD_REASONS),
  note: z.string().nullable(),
  placed_by: z.string(),
  placed_at: timestamp,
  expires_at: timestamp.nullable(),
});
const shipmentView = z.object({
  id: z.string(),
  state: z.enum(Object.keys(SHIPMENT_STATES) as [ShipmentState, ...ShipmentState[]]),
  since: timestamp,
  warehouse_id: z.string(),
  tracking_number: z.string().nullable(),
  lines: piecesView,
});
const refundView = z.object({
  id: z.string(),
  amount: amountView,
  reason: z.string(),
  return_id: z.string().nullable(),
  since: timestamp,
  failed: z.string().nullable().meta({ description: 'Why it could not be.' }),
});

export const orderSchema = z
  .object({
    id: z.string(),
    number: z.string().meta({ examples: ['ORD-2026-000123'] }),
    external_id: z.string().nullable(),
    status: statusSchema,
    status_reason: z.string().nullable(),
    closed: z.boolean().meta({ description: 'Nothing is left to happen.' }),
    payment_status: z.enum(PAYMENT_FACETS),
    fulfilment_status: z.enum(FULFILMENT_FACETS),
    next_step: z.enum(NEXT_STEPS),
    customer: customerView,
    currency: z.string(),
    lines: z.array(lineView),
    charges: z.array(chargeView),
    goods_total: amountView,
    charges_total: amountView.meta({ description: 'Of the charges that are not included in the prices.' }),
    total: amountView,
    due: amountView.meta({ description: 'What is still to be taken; below zero: to be given back.' }),
    policy: z.string(),
    stops: z
      .array(
        z.object({
          stop: z.enum(['stock', 'payment', 'shipping']),
          state: z.enum(['waiting', 'skipped', 'dropped', 'requested', 'refused', 'done', 'settled', 'undoing', 'undone']),
          since: timestamp,
          warehouse_id: z.string().optional(),
          payment_id: z.string().optional(),
          shipment_id: z.string().optional(),
          tracking_number: z.string().optional(),
        }),
      )
      .meta({ description: 'The waybill: the stops the order makes, in their order, and how far each is.' }),
    ship_to: z.record(z.string(), z.string()).nullable(),
    allocation: allocationView.optional(),
    holds: z.array(holdView).optional().meta({ description: 'Open holds that people laid.' }),
    shipments: z.array(shipmentView).optional().meta({ description: 'Of an order that has, or had, several.' }),
    queued: piecesView.optional().meta({ description: 'Pieces that wait for goods.' }),
    revision: z
      .object({ number: z.int(), kind: z.string(), state: z.string(), since: timestamp, reason: z.string().nullable() })
      .optional()
      .meta({ description: 'A change of the order that is under way.' }),
    money: z
      .object({ held: amountView, captured: amountView, external: amountView, refunded: amountView })
      .optional()
      .meta({ description: 'Where the money is, when it is not all in one place.' }),
    refunds: z.array(refundView).optional().meta({ description: 'Money that is being given back, or could not be.' }),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Order', description: 'A customer’s request for goods, and how far it has come.' });
export type OrderView = z.output<typeof orderSchema>;

export function viewOf(order: Order): OrderView {
  const { id, number, external_id, customer, currency, goods_total, charges_total, total, policy, ship_to, version, journey } = order;
  return {
    id,
    number,
    external_id,
    ...statusOf(journey),
    closed: journey.at !== 'complete' && isFinished(order),
    payment_status: paymentFacet(order),
    fulfilment_status: fulfilmentFacet(order),
    next_step: nextStep(order),
    customer,
    currency,
    lines: linesView(order),
    charges: order.charges.map(viewOfCharge),
    goods_total,
    charges_total,
    total,
    due: dueOf(order),
    policy,
    stops: journey.stops.map((stop) => ({ ...stop, since: rfc3339(stop.since) })),
    ship_to,
    ...moreOf(journey),
    version,
    created_at: rfc3339(order.created_at),
    updated_at: rfc3339(order.updated_at),
  };
}

function linesView(order: Order): OrderView['lines'] {
  const { journey } = order;
  const counts = countsOf(journey);
  const allShipped = journey.shipments === undefined && (journey.at === 'shipped' || journey.at === 'delivered');
  const allDelivered = journey.shipments === undefined && journey.at === 'delivered';
  return linesOf(order).map((line) => ({
    ...line,
    shipped: allShipped ? liveOf(line) : (counts?.shipped.get(line.id) ?? 0),
    delivered: allDelivered ? liveOf(line) : (counts?.delivered.get(line.id) ?? 0),
    returned: counts?.returned.get(line.id) ?? 0,
  }));
}

/** What an ordinary order does not have. */
function moreOf({ at, allocation, holds, shipments, queued, revision, money, refunds }: Journey): Partial<OrderView> {
  return {
    ...(allocation === undefined ? {} : { allocation }),
    ...(holds === undefined ? {} : { holds: holds.map(viewOfHold) }),
    ...(shipments === undefined ? {} : { shipments: shipments.map(viewOfShipment) }),
    ...(queued === undefined ? {} : { queued: [...queued] }),
    ...(revision === undefined || revision.kind === 'sync' ? {} : { revision: viewOfRevision(at, revision) }),
    ...(money === undefined ? {} : { money }),
    ...(refunds === undefined ? {} : { refunds: refunds.map(viewOfRefund) }),
  };
}

const viewOfCharge = ({ code, amount, name, kind, line_id, rate_ppm, included }: Charge): z.output<typeof chargeView> => ({
  code,
  amount,
  ...(name === undefined ? {} : { name }),
  ...(kind === undefined ? {} : { kind }),
  ...(line_id === undefined ? {} : { line_id }),
  ...(rate_ppm === undefined ? {} : { rate_ppm }),
  ...(included === undefined ? {} : { included }),
});
const viewOfHold = ({ id, target, line_id, shipment_id, reason, note, placed_by, since, expires_at }: PersonsHold): z.output<typeof holdView> => ({
  id,
  target,
  ...(line_id === undefined ? {} : { line_id }),
  ...(shipment_id === undefined ? {} : { shipment_id }),
  reason,
  note,
  placed_by,
  placed_at: rfc3339(since),
  expires_at: expires_at === null ? null : rfc3339(expires_at),
});
const viewOfShipment = ({ id, state, since, warehouse_id, tracking_number, lines }: Shipment): z.output<typeof shipmentView> => ({
  id,
  state,
  since: rfc3339(since),
  warehouse_id,
  tracking_number: tracking_number ?? null,
  lines: [...lines],
});
const viewOfRevision = (at: string, { number, kind, begun, since, reason }: Revision) => ({
  number,
  kind,
  state: begun ? at : 'waiting',
  since: rfc3339(since),
  reason: reason ?? null,
});
const viewOfRefund = ({ refund_id, amount, reason, return_id, since, failed }: Refund): z.output<typeof refundView> => ({
  id: refund_id,
  amount,
  reason,
  return_id: return_id ?? null,
  since: rfc3339(since),
  failed: failed ?? null,
});

export const entrySchema = z.object({
  seq: z.int(),
  at: timestamp,
  type: z.string().meta({ description: 'The message or request that moved the order.', examples: ['stock.reserved'] }),
  status: statusSchema.meta({ description: 'The status of the order since.' }),
  detail: z.record(z.string(), z.unknown()),
});
export const timelineSchema = z.object({ items: z.array(entrySchema) }).meta({ id: 'OrderTimeline' });

export const viewOfEntry = ({ at, detail, ...entry }: Entry): z.output<typeof entrySchema> => ({ ...entry, at: rfc3339(at), detail: { ...detail } });

export const blockerSchema = z.object({
  blocker: z.string().meta({ examples: ['authorizing'] }),
  since: timestamp,
  owner: z.enum(OWNERS).meta({ description: 'Who must act: a service, or somebody outside.' }),
  deadline: timestamp,
  legal_commands: z.array(z.enum(LEGAL_COMMANDS)),
  evidence: z.object({
    asked: z.string().nullable().meta({ description: 'The command that has not been answered.' }),
    awaits: z.array(z.string()).meta({ description: 'Any of these lets the order go on.' }),
    note: z.string().nullable(),
    dead_letter_id: z.string().nullable(),
    hold_id: z.string().optional(),
    shipment_id: z.string().optional(),
    line_id: z.string().optional(),
    refund_id: z.string().optional(),
  }),
});
export const explanationSchema = z
  .object({
    order_id: z.string(),
    number: z.string(),
    status: statusSchema,
    status_reason: z.string().nullable(),
    blockers: z.array(blockerSchema).meta({ description: 'Empty when nothing is left to happen.' }),
  })
  .meta({ id: 'OrderExplanation', description: 'What an order waits for, since when, who must act and by when.' });

export function viewOfExplanation({ id, number, journey }: Order, blockers: readonly Blocker[]): z.output<typeof explanationSchema> {
  return {
    order_id: id,
    number,
    ...statusOf(journey),
    blockers: blockers.map(({ since, deadline, legal_commands, evidence, ...rest }) => ({
      ...rest,
      since: rfc3339(since),
      deadline: rfc3339(deadline),
      legal_commands: [...legal_commands],
      evidence: { ...evidence, awaits: [...evidence.awaits] },
    })),
  };
}
