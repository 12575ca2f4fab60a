/**
 * Webhooks as they arrive: whoever knows the secret has signed the very bytes of the body, lately. The port is `WebhookReader`; stripe-webhooks.ts
 * is Stripe's, here is that of the simulated provider, which signs in the same way and whose events say what they say in our words.
 */
import { z } from 'zod';
import { currencySchema, textSchema } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Notice } from './domain-webhook.ts';

export interface WebhookReader {
  /** The header that holds the signature. */
  readonly header: string;
  /** What a body says. Throws the Refusal `webhook_signature` when it is not signed as it must be, or not lately. `now`: milliseconds UTC. */
  read(body: string, signature: string, now: number): Promise<Notice>;
  /** Whose an authorisation is, for webhooks that do not say; undefined when it is none of ours. May throw the Fault `provider_unavailable`. */
  orderOf?(provider_ref: string): Promise<string | undefined>;
}

/** How old a signature may be, seconds: whoever has overheard one cannot use it for long. Providers sign anew when they send again. */
export const TOLERANCE_S = 300;

/** The event in a signed body, by Stripe's own library. */
export async function signedEvent(body: string, signature: string, secret: string, now: number): Promise<unknown> {
  const { Stripe } = await import('stripe');
  try {
    return Stripe.webhooks.constructEvent(body, signature, secret, TOLERANCE_S, undefined, now);
  } catch {
    throw new Refusal('webhook_signature', 'the body is no event that was signed lately with the secret set here'); // whatever it choked on
  }
}

/** A signed body that is not as the provider documents it. */
export const notAsItMust = (what: string, { issues }: z.ZodError): Refusal =>
  new Refusal(
    'invalid_request',
    `${what} is not as it must be`,
    issues.map(({ path, message }) => ({ field: path.join('.'), rule: message })),
  );

const idSchema = textSchema(255);
const money = { amount: z.int().min(0), currency: currencySchema };
const operation = idSchema.nullable();
const simulatedEvent = z.object({
  id: idSchema,
  type: idSchema,
  created: z.int().min(0).max(1e11),
  order_id: idSchema.nullable(),
  provider_ref: idSchema.nullable(),
  claims: z
    .array(
      z.discriminatedUnion('what', [
        z.object({ what: z.literal('authorized'), operation, ...money }),
        z.object({ what: z.literal('captured'), ...money }),
        z.object({ what: z.literal('cancelled') }),
        z.object({ what: z.literal('refund'), operation, ...money, failed: z.boolean() }),
        z.object({ what: z.literal('refunded'), ...money }),
        z.object({ what: z.literal('disputed'), ...money }),
      ]),
    )
    .max(20),
});

export function simulatedWebhooks(secret: string): WebhookReader {
  return {
    header: 'waybill-signature',
    async read(body, signature, now) {
      const event = simulatedEvent.safeParse(await signedEvent(body, signature, secret, now));
      if (!event.success) throw notAsItMust('the event', event.error);
      const { id: event_id, created, ...said } = event.data;
      return { ...said, event_id, occurred_at: created * 1_000 };
    },
  };
}
