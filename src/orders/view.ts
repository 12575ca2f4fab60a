/**
 * Orders as clients see them: the schemas of the answers, and how an order becomes one. What must not be seen is not copied here.
 */
import { z } from 'zod';
import { timestamp } from '../contracts/rest.ts';
import { rfc3339 } from '../kernel/time.ts';
import type { Blocker } from './domain-explain.ts';
import { type Entry, ORDER_STATUSES, type Order, statusOf } from './domain-order.ts';

export const statusSchema = z.enum(ORDER_STATUSES);
const customerView = z.object({ id: z.string(), name: z.string().optional(), email: z.string().optional() });
const amountView = z.int().meta({ description: 'Minor units of `currency`.' });

export const orderSchema = z
  .object({
    id: z.string(),
    number: z.string().meta({ examples: ['ORD-2026-000123'] }),
    external_id: z.string().nullable(),
    status: statusSchema,
    status_reason: z.string().nullable(),
    customer: customerView,
    currency: z.string(),
    lines: z.array(z.object({ id: z.string(), sku: z.string(), name: z.string(), quantity: z.int(), unit_price: amountView, amount: amountView })),
    charges: z.array(z.object({ code: z.string(), amount: amountView, name: z.string().optional() })),
    goods_total: amountView,
    charges_total: amountView,
    total: amountView,
    policy: z.string(),
    stops: z
      .array(
        z.object({
          stop: z.enum(['stock', 'payment', 'shipping']),
          state: z.enum(['waiting', 'skipped', 'requested', 'refused', 'done', 'settled', 'undoing', 'undone']),
          since: timestamp,
          warehouse_id: z.string().optional(),
          payment_id: z.string().optional(),
          shipment_id: z.string().optional(),
          tracking_number: z.string().optional(),
        }),
      )
      .meta({ description: 'The waybill: the stops the order makes, in their order, and how far each is.' }),
    ship_to: z.record(z.string(), z.string()).nullable(),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Order', description: 'A customer’s request for goods, and how far it has come.' });
export type OrderView = z.output<typeof orderSchema>;

export function viewOf(order: Order): OrderView {
  const { id, number, external_id, customer, currency, goods_total, charges_total, total, policy, ship_to, version, journey } = order;
  if (order.lines === null) throw new Error(`the lines of ${id} were not loaded`);
  return {
    id,
    number,
    external_id,
    ...statusOf(journey),
    customer,
    currency,
    lines: [...order.lines],
    charges: [...order.charges],
    goods_total,
    charges_total,
    total,
    policy,
    stops: journey.stops.map((stop) => ({ ...stop, since: rfc3339(stop.since) })),
    ship_to,
    version,
    created_at: rfc3339(order.created_at),
    updated_at: rfc3339(order.updated_at),
  };
}

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
  owner: z.enum(['stock', 'payments', 'carrier', 'warehouse', 'operator']).meta({ description: 'Who must act.' }),
  deadline: timestamp,
  legal_commands: z.array(z.enum(['cancel', 'resume', 'redrive_dead_letter', 'skip_gap', 'dispatch', 'deliver'])),
  evidence: z.object({
    asked: z.string().nullable().meta({ description: 'The command that has not been answered.' }),
    awaits: z.array(z.string()).meta({ description: 'Any of these lets the order go on.' }),
    note: z.string().nullable(),
    dead_letter_id: z.string().nullable(),
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
