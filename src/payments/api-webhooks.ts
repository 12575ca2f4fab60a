/**
 * The doors of webhooks: the one providers call, and the one where people see what they said.
 */
import { z } from 'zod';
import { currencySchema, decodeCursor, idSchema, pageFrom, pageOf, pageQuerySchema, timestamp } from '../contracts/rest.ts';
import { rfc3339 } from '../kernel/time.ts';
import type { Database } from '../db/database.ts';
import { type Route, route } from '../messaging/service.ts';
import { REASONS, VERDICTS } from './domain-webhook.ts';
import { type WebhookRow, type WebhookTables, listWebhooks } from './store-webhooks.ts';
import type { webhookUseCase } from './use-cases-webhooks.ts';

const verdict = z.enum(VERDICTS).meta({
  description:
    'What came of it: `asked`, an operation whose fate was not known is asked about now; `agrees` with what is known; `contradicts` it, and a person must look; `unrelated`, about no payment of ours; `says_nothing` that could be compared.',
});

const webhookSchema = z
  .object({
    id: z.string(),
    provider: z.string(),
    event_id: z.string().meta({ description: "The provider's id of it: the same one counts once." }),
    type: z.string(),
    payment_id: z.string().nullable(),
    order_id: z.string().nullable(),
    provider_ref: z.string().nullable().meta({ description: 'What the provider calls the authorisation.' }),
    verdict,
    reason: z.enum(REASONS).nullable().meta({ description: 'What contradicts.' }),
    amount_said: z.int().nullable().meta({ description: 'What the provider says, minor units.' }),
    amount_known: z.int().nullable().meta({ description: 'What we know, minor units.' }),
    currency: currencySchema.nullable(),
    deliveries: z.int().meta({ description: 'How often it came.' }),
    occurred_at: timestamp,
    created_at: timestamp,
  })
  .meta({ id: 'PaymentWebhook' });

/** Nothing is read of it before its signature is checked; then whoever checked it reads it. */
const signedBody = z.looseObject({}).transform(() => null);

const visible = (row: WebhookRow) => ({
  ...row,
  reason: row.reason as z.infer<typeof webhookSchema>['reason'],
  occurred_at: rfc3339(row.occurred_at),
  created_at: rfc3339(row.created_at),
});

export function webhookRoutes(db: Database, receive: ReturnType<typeof webhookUseCase>): Route[] {
  const builder = db.builder<WebhookTables>();
  return [
    route({
      method: 'GET',
      path: '/v1/payments/webhooks',
      tag: 'Payments',
      summary: 'What payment providers said unasked, newest first',
      query: pageQuerySchema.extend({ order_id: idSchema('ord').optional(), verdict: verdict.optional() }),
      output: pageOf(webhookSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const rows = await listWebhooks(db.read, builder, filter, { before, limit: limit + 1 });
        const { items, next_cursor } = pageFrom<WebhookRow>(rows, limit, ({ id }) => [id]);
        return { items: items.map(visible), next_cursor };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/payments/webhooks/{provider}',
      tag: 'Payments',
      summary: 'For payment providers: a signed event, which is a hint and is never believed',
      params: z.object({
        provider: z
          .string()
          .max(32)
          .meta({ examples: ['stripe'] }),
      }),
      body: signedBody,
      signed: true,
      output: z.object({ id: z.string(), verdict, deliveries: z.int() }),
      answers: 'ok',
      refuses: ['webhooks_not_taken', 'webhook_signature', 'provider_unavailable'],
      handle: ({ params: { provider }, context }) => receive(provider, context.raw),
    }),
  ];
}
