/**
 * SQL of webhooks, and of what they are held against.
 */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import type { KnownOperation, Verdict } from './domain-webhook.ts';
import { paymentIdOf } from './domain-payment.ts';

/** A row of `payment_webhook`. */
export interface WebhookRow {
  readonly id: string;
  readonly provider: string;
  readonly event_id: string;
  readonly type: string;
  readonly payment_id: string | null;
  readonly order_id: string | null;
  readonly provider_ref: string | null;
  readonly verdict: Verdict;
  readonly reason: string | null;
  readonly amount_said: number | null;
  readonly amount_known: number | null;
  readonly currency: string | null;
  readonly deliveries: number;
  readonly occurred_at: number;
  readonly created_at: number;
}
export type NewWebhook = Omit<WebhookRow, 'deliveries'>;
export interface WebhookTables {
  payment_webhook: WebhookRow;
}

// Of two of the same the first stays, and is answered.
const insert = statement<NewWebhook, Pick<WebhookRow, 'id' | 'verdict' | 'deliveries'>>(
  {
    id: 'text',
    provider: 'text',
    event_id: 'text',
    type: 'text',
    payment_id: 'text',
    order_id: 'text',
    provider_ref: 'text',
    verdict: 'text',
    reason: 'text',
    amount_said: 'bigint',
    amount_known: 'bigint',
    currency: 'text',
    occurred_at: 'bigint',
    created_at: 'bigint',
  },
  (rows) => `
    insert into payment_webhook (id, provider, event_id, type, payment_id, order_id, provider_ref, verdict, reason, amount_said, amount_known, currency,
      occurred_at, created_at)
    select row.id, row.provider, row.event_id, row.type, row.payment_id, row.order_id, row.provider_ref, row.verdict, row.reason, row.amount_said,
      row.amount_known, row.currency, row.occurred_at, row.created_at
    from ${rows} where true on conflict (provider, event_id) do update set deliveries = payment_webhook.deliveries + 1
    returning id, verdict, deliveries`,
);

// Who has a lease is calling now, and will know.
const askNow = statement<{ payment_id: string; now: number }, { id: string }>(
  { payment_id: 'text', now: 'bigint' },
  (rows) => `
    update payment_operation set due_at = row.now from ${rows}
    where payment_operation.payment_id = row.payment_id and payment_operation.state = 'unknown' and payment_operation.lease_until is null
      and payment_operation.due_at > row.now
    returning payment_operation.id`,
);

const readKnown = statement<{ payment_id: string }, KnownOperation & { readonly currency: string }>(
  { payment_id: 'text' },
  (rows) => `
    select o.id, o.kind, o.amount, o.state, payment.currency,
      case when o.kind = 'authorize' then o.provider_ref when o.authorization_id is null then payment.provider_ref else o.authorized_as end as "on"
    from payment_operation o join ${rows} on o.payment_id = row.payment_id join payment on payment.id = o.payment_id order by o.id`,
);

/** What is known of the payment of an order: its operations; none when there is no payment. */
export const readKnownOperations = (tx: Tx, orderId: string) => tx.run(readKnown, [{ payment_id: paymentIdOf(orderId) }]);

/** Makes due now what waits to be asked about; answers how many operations that are. */
export const askAboutNow = async (tx: Tx, orderId: string, now: number): Promise<number> =>
  (await tx.run(askNow, [{ payment_id: paymentIdOf(orderId), now }])).length;

/** Keeps a webhook; answers the one that is kept, which is an earlier one when it has come before. */
export async function keepWebhook(tx: Tx, webhook: NewWebhook): Promise<Pick<WebhookRow, 'id' | 'verdict' | 'deliveries'>> {
  return (await tx.run(insert, [webhook]))[0]!;
}

export interface WebhookFilter {
  readonly order_id?: string | undefined;
  readonly verdict?: Verdict | undefined;
}

/** Webhooks, newest first, after the one with the id `before`. */
export function listWebhooks(
  read: Reader,
  builder: Kysely<WebhookTables>,
  { order_id, verdict }: WebhookFilter,
  page: { before: string | undefined; limit: number },
): Promise<WebhookRow[]> {
  let query = builder.selectFrom('payment_webhook').selectAll().orderBy('id', 'desc').limit(page.limit);
  if (order_id !== undefined) query = query.where('payment_id', '=', paymentIdOf(order_id));
  if (verdict !== undefined) query = query.where('verdict', '=', verdict);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return read.query(query);
}
