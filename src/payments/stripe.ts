/**
 * Stripe, by its own library: an authorisation is a PaymentIntent that is captured by hand.
 *
 *   authorize   creates and confirms it    capture   of what it holds; more may follow where the card allows (multicapture)
 *   void        cancels it when nothing of it stays held; less held is a word to ourselves, Stripe gives it up with the last capture
 *   refund      of what was captured
 *
 * The id of our operation is the idempotency key and is written into the metadata: Stripe forgets keys after a day, metadata never. So a
 * call whose fate is unknown is first looked for, and made again under its key when it is not found.
 *
 * | Stripe says                                                     | the operation                           |
 * |-----------------------------------------------------------------|-----------------------------------------|
 * | it is done, with our amount and currency                        | approved                                |
 * | it is done, with another amount or currency                     | unknown: nothing is posted, a person sees |
 * | card error, invalid request                                     | declined, with its code                 |
 * | wrong key, no permission, too many requests, cannot be reached  | untaken: called again                   |
 * | 409, 5xx, time-out, broken connection, anything else            | unknown: asked about                    |
 */
import type { Stripe } from 'stripe';
import { Fault } from '../kernel/errors.ts';
import type { Answer, Gateway, ProviderCall } from './gateway.ts';

export interface StripeOptions {
  readonly apiKey: string;
  /** In place of Stripe's own address. */
  readonly url?: string | undefined;
  /** How long an answer is waited for, milliseconds: less than tasks wait (messaging/tasks.ts). */
  readonly timeout?: number;
}
type Looked = Answer | { readonly result: 'absent' };
type Intent = Stripe.PaymentIntent;

const TIMEOUT_MS = 15_000;
const NOT_REACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const NOT_TAKEN = new Set(['StripeAuthenticationError', 'StripePermissionError', 'StripeRateLimitError']);
const FINAL = new Set(['StripeCardError', 'StripeInvalidRequestError']);

export function stripeGateway(options: StripeOptions): Gateway {
  let opened: Promise<Stripe> | undefined;
  const client = (): Promise<Stripe> => (opened ??= openClient(options));

  const call = (perform: (stripe: Stripe, call: ProviderCall) => Promise<Answer>) => async (what: ProviderCall) => {
    try {
      return await perform(await client(), what);
    } catch (error) {
      return answerOf(error, async () => look(await client(), what));
    }
  };
  return {
    name: 'stripe',
    authorize: call(authorize),
    capture: call(capture),
    void: call(giveUp),
    refund: call(refund),
    async lookup(_, what) {
      try {
        return await look(await client(), what);
      } catch (error) {
        return { result: 'unknown', error: describe(error) }; // a question that failed says nothing about what was asked
      }
    },
  };
}

/** Loaded only where the settings ask for it. Retries are ours: they are written down. */
export async function openClient({ apiKey, url, timeout = TIMEOUT_MS }: StripeOptions): Promise<Stripe> {
  const { default: Library } = await import('stripe');
  const address = url === undefined ? undefined : new URL(url);
  return new Library(apiKey, {
    maxNetworkRetries: 0,
    timeout,
    telemetry: false,
    ...(address && {
      host: address.hostname,
      port: address.port || (address.protocol === 'https:' ? 443 : 80),
      protocol: address.protocol === 'https:' ? 'https' : 'http',
    }),
  });
}

const keyed = ({ id }: ProviderCall) => ({ idempotencyKey: id });
/** What tells an operation from others of its authorisation, for as long as Stripe keeps either. */
const mark = ({ id, amount }: ProviderCall) => ({ [`waybill_${id}`]: String(amount) });

async function authorize(stripe: Stripe, what: ProviderCall): Promise<Answer> {
  const intent = await stripe.paymentIntents.create(
    {
      amount: what.amount,
      currency: what.currency.toLowerCase(),
      payment_method: what.token,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      payment_method_options: { card: { request_multicapture: 'if_available' } },
      capture_method: 'manual',
      confirm: true,
      error_on_requires_action: true,
      metadata: { waybill_operation: what.id, waybill_order: what.order_id },
      expand: ['latest_charge'],
    },
    keyed(what),
  );
  return authorized(intent, what);
}

function authorized(intent: Intent, { amount, currency }: ProviderCall): Answer {
  if (intent.status === 'canceled') return { result: 'declined', code: 'canceled' };
  if (intent.status !== 'requires_capture' && intent.status !== 'succeeded') return { result: 'unknown', error: `stripe says ${intent.status}` };
  if (intent.amount !== amount || intent.currency.toUpperCase() !== currency) return mismatch(intent.amount, intent.currency, amount, currency);
  const charge = typeof intent.latest_charge === 'object' ? intent.latest_charge : null;
  const before = charge?.payment_method_details?.card?.capture_before;
  return { result: 'approved', ref: intent.id, ...(before === undefined ? {} : { until: before * 1_000 }) };
}

async function capture(stripe: Stripe, what: ProviderCall): Promise<Answer> {
  const intent = await stripe.paymentIntents.capture(
    what.provider_ref!,
    { amount_to_capture: what.amount, ...(what.last ? {} : { final_capture: false }), metadata: mark(what) },
    keyed(what),
  );
  return captured(intent, what);
}

/** What was received grows with each capture, so that of this one is within it. */
const captured = (intent: Intent, { amount, currency }: ProviderCall): Answer =>
  intent.amount_received < amount || intent.currency.toUpperCase() !== currency
    ? mismatch(intent.amount_received, intent.currency, amount, currency)
    : { result: 'approved', ref: intent.id };

async function giveUp(stripe: Stripe, what: ProviderCall): Promise<Answer> {
  const ref = what.provider_ref!;
  if (!what.last) return { result: 'approved', ref };
  const { status } = await stripe.paymentIntents.cancel(ref, {}, keyed(what));
  return status === 'canceled' || status === 'succeeded' ? { result: 'approved', ref } : { result: 'unknown', error: `stripe says ${status}` };
}

async function refund(stripe: Stripe, what: ProviderCall): Promise<Answer> {
  return refunded(
    await stripe.refunds.create(
      { payment_intent: what.provider_ref!, amount: what.amount, metadata: { waybill_operation: what.id, waybill_order: what.order_id } },
      keyed(what),
    ),
    what,
  );
}

function refunded({ status, amount, currency, id, failure_reason }: Stripe.Refund, what: ProviderCall): Answer {
  if (status === 'failed' || status === 'canceled') return { result: 'declined', code: failure_reason ?? status };
  if (amount !== what.amount || currency.toUpperCase() !== what.currency) return mismatch(amount, currency, what.amount, what.currency);
  return status === 'succeeded' ? { result: 'approved', ref: id } : { result: 'unknown', error: `the refund is ${status}` };
}

const mismatch = (amount: number, currency: string, asked: number, of: string): Answer => ({
  result: 'unknown',
  error: `amount_mismatch: stripe says ${amount} ${currency.toUpperCase()}, asked for were ${asked} ${of}`,
});

/** What became of an operation, by what Stripe has of it. */
async function look(stripe: Stripe, what: ProviderCall): Promise<Looked> {
  const { id, kind, provider_ref } = what;
  if (kind === 'authorize') {
    const { data } = await stripe.paymentIntents.search({ query: `metadata['waybill_operation']:'${id}'`, expand: ['data.latest_charge'] });
    return data[0] === undefined ? { result: 'absent' } : authorized(data[0], what);
  }
  if (kind === 'refund') {
    for await (const one of stripe.refunds.list({ payment_intent: provider_ref!, limit: 100 }))
      if (one.metadata?.['waybill_operation'] === id) return refunded(one, what);
    return { result: 'absent' };
  }
  if (!what.last && kind !== 'capture') return { result: 'absent' };
  const intent = await stripe.paymentIntents.retrieve(provider_ref!);
  if (kind === 'capture') return intent.metadata[`waybill_${id}`] === undefined ? { result: 'absent' } : captured(intent, what);
  return intent.status === 'canceled' ? { result: 'approved', ref: intent.id } : { result: 'absent' };
}

/** The table above. `lookAgain`: what is in another state than the call needs may be so because of an earlier one. */
async function answerOf(error: unknown, lookAgain: () => Promise<Looked>): Promise<Answer> {
  const { type, code, decline_code, detail } = error as Partial<Stripe.errors.StripeError> & { detail?: { code?: string } };
  const cause = detail?.code ?? '';
  if (NOT_TAKEN.has(type ?? '') || NOT_REACHED.has(cause)) throw new Fault('provider_unavailable', describe(error));
  if (!FINAL.has(type ?? '')) return { result: 'unknown', error: describe(error) };
  if (code === 'payment_intent_unexpected_state' || code === 'charge_already_refunded') {
    const found = await lookAgain().catch((again: unknown): Answer => ({ result: 'unknown', error: describe(again) }));
    if (found.result !== 'absent') return found;
  }
  return { result: 'declined', code: decline_code ?? code ?? 'invalid_request' };
}

/** Without the message, which may quote a key or a card. */
export function describe(error: unknown): string {
  const { type, code, statusCode } = error as Partial<Stripe.errors.StripeError>;
  return `stripe: ${[type ?? (error instanceof Error ? error.name : 'error'), code, statusCode].filter((part) => part !== undefined).join(' ')}`;
}
