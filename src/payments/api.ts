/**
 * What REST clients see of payments. The token is never among it.
 */
import { z } from 'zod';
import { currencySchema, decodeCursor, idSchema, pageFrom, pageOf, pageQuerySchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import type { Database } from '../db/database.ts';
import { type Route, route } from '../messaging/service.ts';
import { REASONS } from './domain-webhook.ts';
import { type WebhookTables, listWebhooks } from './store-webhooks.ts';
import { type Operation, type PaymentTables, type VisiblePayment, listPayments, readPayment } from './store.ts';

const status = z.enum([
  'requested',
  'authorized',
  'declined',
  'failed',
  'voided',
  'captured',
  'refunded',
  'part_captured',
  'part_refunded',
  'expired',
]);
const kind = z.enum(['authorize', 'capture', 'void', 'refund', 'expire']);
const minor = (description: string) => z.int().meta({ description: `${description}, minor units.` });

const paymentSchema = z
  .object({
    id: z.string(),
    order_id: z.string(),
    status,
    amount: minor('What was to be paid'),
    currency: currencySchema,
    provider_ref: z.string().nullable().meta({ description: 'What the provider calls the authorisation.' }),
    under_way: kind.nullable().meta({ description: 'The operation whose fate is not known yet.' }),
    held: minor('Authorised and neither captured nor given back'),
    captured: minor('Captured and not given back'),
    refunded: minor('Given back after it was captured'),
    authorized_until: timestamp.nullable().meta({ description: 'Until when the first authorisation holds; null: until it is given up.' }),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Payment' });

const operationSchema = z.object({
  id: z.string().meta({ description: 'The idempotency key at the provider.' }),
  kind,
  amount: minor('The amount'),
  state: z.enum(['requested', 'unknown', 'succeeded', 'failed']),
  attempts: z.int(),
  due_at: timestamp.nullable().meta({ description: 'When it is tried or asked about again; null once its fate is known.' }),
  shipment_id: z.string().nullable(),
  authorization_id: z.string().nullable().meta({ description: 'Of another authorisation than the first; empty or null for that.' }),
  provider_ref: z.string().nullable(),
  error: z.string().nullable(),
  created_at: timestamp,
  updated_at: timestamp,
});
const postingSchema = z.object({
  operation_id: z.string(),
  from_account: z.string(),
  to_account: z.string(),
  quantity: minor('The amount moved'),
  created_at: timestamp,
});
const authorizationSchema = z.object({
  authorization: z.string().nullable().meta({ description: 'Null: the first one.' }),
  amount: minor('What it was asked for'),
  provider_ref: z.string().nullable(),
  held: minor('Held on it'),
  captured: minor('Captured of it and not given back'),
  authorized_until: timestamp.nullable(),
});
const askSchema = z.object({
  what: z.enum(['authorize', 'capture', 'reduce', 'refund', 'expire']),
  key: z.string().meta({ description: 'The authorisation, shipment, revision or refund it is for.' }),
  amount: minor('What was asked for; null: all there is').nullable(),
  taken: minor('What of it is done'),
  state: z.enum(['waiting', 'done', 'refused']),
  reason: z.string().nullable(),
});
const contradictionSchema = z.object({
  id: z.string(),
  type: z.string(),
  reason: z.enum(REASONS),
  amount_said: z.int().nullable(),
  amount_known: z.int().nullable(),
  created_at: timestamp,
});
const detailSchema = paymentSchema
  .extend({
    contradictions: z.array(contradictionSchema).meta({ description: 'What the provider said unasked that is not as we know it, newest first.' }),
    operations: z.array(operationSchema),
    postings: z.array(postingSchema),
    authorizations: z.array(authorizationSchema).meta({ description: 'Of a payment beyond the ordinary: what each holds.' }),
    asked: z.array(askSchema).meta({ description: 'Of a payment beyond the ordinary: what was asked of it, in the order of its turn.' }),
  })
  .meta({ id: 'PaymentDetail' });

/** One of another card has its token in its row. */
const visibleOperation = (row: Operation) => ({
  id: row.id,
  kind: row.kind,
  amount: row.amount,
  state: row.state,
  attempts: row.attempts,
  due_at: rfc3339OrNull(row.due_at),
  shipment_id: row.shipment_id,
  authorization_id: row.authorization_id,
  provider_ref: row.provider_ref,
  error: row.error,
  created_at: rfc3339(row.created_at),
  updated_at: rfc3339(row.updated_at),
});

/** More than these are in GET /v1/payments/webhooks. */
const CONTRADICTIONS_MAX = 50;

const visible = (payment: VisiblePayment) => ({ ...times(payment), authorized_until: rfc3339OrNull(payment.authorized_until) });
const times = <Row extends { created_at: number; updated_at: number }>(row: Row) => ({
  ...row,
  created_at: rfc3339(row.created_at),
  updated_at: rfc3339(row.updated_at),
});

export function paymentRoutes(db: Database): Route[] {
  const builder = db.builder<PaymentTables>();
  return [
    route({
      method: 'GET',
      path: '/v1/payments',
      tag: 'Payments',
      summary: 'Payments, newest first',
      query: pageQuerySchema.extend({ order_id: idSchema('ord').optional(), status: status.optional() }),
      output: pageOf(paymentSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const rows = await listPayments(db.read, builder, filter, { before, limit: limit + 1 });
        const { items, next_cursor } = pageFrom<VisiblePayment>(rows, limit, ({ id }) => [id]);
        return { items: items.map(visible), next_cursor };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/payments/{payment_id}',
      tag: 'Payments',
      summary: 'A payment with its operations at the provider and its ledger',
      params: z.object({ payment_id: idSchema('pay') }),
      output: detailSchema,
      answers: 'ok',
      refuses: ['payment_not_found'],
      async handle({ params: { payment_id } }) {
        const payment = await readPayment(db.read, builder, payment_id);
        if (payment === undefined) throw new Refusal('payment_not_found', `there is no payment ${payment_id}`);
        const { operations, postings, book, ...rest } = payment;
        const filter = { order_id: payment.order_id, verdict: 'contradicts' } as const;
        const contradictions = await listWebhooks(db.read, db.builder<WebhookTables>(), filter, { before: undefined, limit: CONTRADICTIONS_MAX });
        return {
          ...visible(rest),
          contradictions: contradictions.map(({ id, type, reason, amount_said, amount_known, created_at }) => ({
            id,
            type,
            reason: reason as (typeof REASONS)[number],
            amount_said,
            amount_known,
            created_at: rfc3339(created_at),
          })),
          authorizations: (book?.authorizations ?? []).map(({ id, amount, provider_ref, held, captured, until }) => ({
            authorization: id || null,
            amount,
            provider_ref,
            held,
            captured,
            authorized_until: rfc3339OrNull(until),
          })),
          asked: (book?.asks ?? []).map(({ what, key, amount, taken, state, reason }) => ({ what, key, amount, taken, state, reason })),
          operations: operations.map(visibleOperation),
          postings: postings.map(({ payment_id: _payment, ...posting }) => ({ ...posting, created_at: rfc3339(posting.created_at) })),
        };
      },
    }),
  ];
}
