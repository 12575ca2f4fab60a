/**
 * Webhooks of Stripe: which events say what. Others are kept and say nothing.
 *
 * | event                                             | says                                                       |
 * |---------------------------------------------------|------------------------------------------------------------|
 * | `payment_intent.*`                                | what was authorised, what is captured of it, that it is cancelled |
 * | `charge.*`                                          | what is refunded of it, in all                             |
 * | `refund.*`, `charge.refund.updated`               | one refund                                                 |
 * | `charge.dispute.*`                                | that somebody wants his money back                         |
 *
 * The metadata name our operation and our order; refunds and disputes made at Stripe name the PaymentIntent only, and that is asked.
 */
import type { Stripe } from 'stripe';
import { z } from 'zod';
import { Fault } from '../kernel/errors.ts';
import type { Claim, Notice } from './domain-webhook.ts';
import { type StripeOptions, describe, openClient } from './stripe.ts';
import { type WebhookReader, notAsItMust, signedEvent } from './webhooks.ts';

export function stripeWebhooks({ webhookSecret, ...options }: StripeOptions & { readonly webhookSecret: string }): WebhookReader {
  let opened: Promise<Stripe> | undefined;
  return {
    header: 'stripe-signature',
    read: async (body, signature, now) => noticeOf((await signedEvent(body, signature, webhookSecret, now)) as Stripe.Event),
    async orderOf(provider_ref) {
      const stripe = await (opened ??= openClient(options));
      try {
        return (await stripe.paymentIntents.retrieve(provider_ref)).metadata['waybill_order'];
      } catch (error) {
        if ((error as Partial<Stripe.errors.StripeError>).code === 'resource_missing') return undefined;
        throw new Fault('provider_unavailable', describe(error));
      }
    },
  };
}

const text = z.string().max(255);
const amount = z.int().min(0);
const currency = text.transform((given) => given.toUpperCase());
/** What Stripe names by its id, or has put in place of it. */
const reference = z.union([text, z.object({ id: text }).transform(({ id }) => id)]).nullish();
const metadata = z.object({ waybill_operation: text.optional(), waybill_order: text.optional() }).nullish();
const intent = z.object({ id: text, amount, amount_received: amount, currency, status: text, metadata });
const charge = z.object({ payment_intent: reference, amount_refunded: amount, currency, metadata });
const refund = z.object({ payment_intent: reference, amount, currency, status: text.nullish(), metadata });
const dispute = z.object({ payment_intent: reference, amount, currency });

type About = Pick<Notice, 'order_id' | 'provider_ref' | 'claims'>;
const NOTHING: About = { order_id: null, provider_ref: null, claims: [] };

/** The table above: the first kind that fits. Throws a ZodError for an object that is not as Stripe documents it. */
const KINDS: readonly (readonly [type: RegExp, read: (object: unknown) => About])[] = [
  [/^payment_intent\./, (object) => ofIntent(intent.parse(object))],
  [/^charge\.dispute\./, (object) => ofDispute(dispute.parse(object))],
  [/^(refund\.|charge\.refund\.)/, (object) => ofRefund(refund.parse(object))],
  [/^charge\./, (object) => ofCharge(charge.parse(object))],
];

function noticeOf({ id: event_id, type, created, data: { object } }: Stripe.Event): Notice {
  const read = KINDS.find(([pattern]) => pattern.test(type))?.[1];
  try {
    return { event_id, type, occurred_at: created * 1_000, ...(read === undefined ? NOTHING : read(object)) };
  } catch (error) {
    if (error instanceof z.ZodError) throw notAsItMust(`the ${type}`, error);
    throw error;
  }
}

/** One that does not name an operation of ours was made by others. */
function ofIntent(given: z.output<typeof intent>): About {
  const operation = given.metadata?.waybill_operation;
  const about = { order_id: given.metadata?.waybill_order ?? null, provider_ref: given.id };
  if (operation === undefined) return { ...about, claims: [] };
  const claims: Claim[] = [
    { what: 'authorized', operation, amount: given.amount, currency: given.currency },
    { what: 'captured', amount: given.amount_received, currency: given.currency },
  ];
  if (given.status === 'canceled') claims.push({ what: 'cancelled' });
  return { ...about, claims };
}

const ofDispute = (given: z.output<typeof dispute>): About => ({
  ...NOTHING,
  provider_ref: given.payment_intent ?? null,
  claims: [{ what: 'disputed', amount: given.amount, currency: given.currency }],
});

function ofRefund(given: z.output<typeof refund>): About {
  const failed = given.status === 'failed' || given.status === 'canceled';
  const operation = given.metadata?.waybill_operation ?? null;
  return {
    order_id: given.metadata?.waybill_order ?? null,
    provider_ref: given.payment_intent ?? null,
    claims: [{ what: 'refund', operation, amount: given.amount, currency: given.currency, failed }],
  };
}

const ofCharge = (given: z.output<typeof charge>): About => ({
  order_id: given.metadata?.waybill_order ?? null,
  provider_ref: given.payment_intent ?? null,
  claims: [{ what: 'refunded', amount: given.amount_refunded, currency: given.currency }],
});
