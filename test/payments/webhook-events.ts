/** Events as providers send them, signed. */
import { Stripe } from 'stripe';

export interface SignedBody {
  readonly body: string;
  readonly signature: string;
}

/** `at`: when it was signed, milliseconds UTC. */
export function signed(event: object, secret: string, at: number): SignedBody {
  const body = JSON.stringify(event, undefined, 2); // as spaced as Stripe's own: whoever parses and writes it again breaks the signature
  return { body, signature: Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: Math.floor(at / 1_000) }) };
}

/** An event of Stripe about an object. */
export const stripeEvent = (id: string, type: string, object: object, created = 1_767_225_600) => ({
  id,
  object: 'event',
  api_version: '2025-01-01',
  created,
  type,
  data: { object },
  livemode: false,
});
