/**
 * Speaks the part of Stripe's API that Waybill uses, as documented: idempotency keys, PaymentIntents captured by hand, refunds; and
 * misbehaves as it is told.
 */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Intent {
  readonly id: string;
  readonly object: 'payment_intent';
  readonly currency: string;
  amount: number;
  status: string;
  amount_received: number;
  amount_capturable: number;
  metadata: Record<string, string>;
  latest_charge: unknown;
}
interface Refund {
  readonly id: string;
  readonly object: 'refund';
  readonly payment_intent: string;
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
  readonly metadata: Record<string, string>;
}
interface Reply {
  readonly status: number;
  readonly body: object;
}

/** `lost`: done, and the connection is cut before the answer; `hangs`: done, and never answered. */
export type Mood = 'well' | 'lost' | 'hangs' | 500 | 429 | 401 | 409;

export async function stripeServer() {
  const intents = new Map<string, Intent>();
  const refunds: Refund[] = [];
  const answered = new Map<string, Reply>();
  const waiting = new Set<ServerResponse>();
  let minted = 0;
  const state = {
    mood: 'well' as Mood,
    /** What an answer about an authorisation claims, in place of the truth. */
    lie: undefined as number | undefined,
    captureBefore: 1_900_000_000,
    requests: [] as string[],
  };
  const error = (status: number, type: string, code: string, more: object = {}): Reply => ({
    status,
    body: { error: { type, code, message: 'said by the test for sk_test_secret', ...more } },
  });
  const card = { card: { capture_before: state.captureBefore } };

  function act(method: string, path: string, form: URLSearchParams): Reply {
    const [, , what, id, verb] = path.split('/');
    const metadata = Object.fromEntries(
      [...form].flatMap(([name, value]) => (/^metadata\[(.+)\]$/.exec(name) ? [[/\[(.+)\]/.exec(name)![1]!, value]] : [])),
    );
    const intent = intents.get(id ?? form.get('payment_intent') ?? '');
    if (what === 'payment_intents' && id === 'search') {
      const wanted = /:'(.+)'/.exec(form.get('query')!)![1];
      return {
        status: 200,
        body: { object: 'search_result', data: [...intents.values()].filter((one) => one.metadata['waybill_operation'] === wanted), has_more: false },
      };
    }
    if (what === 'payment_intents' && method === 'POST' && id === undefined) {
      if (form.get('payment_method') === 'pm_declined') return error(402, 'card_error', 'card_declined', { decline_code: 'insufficient_funds' });
      if (form.get('capture_method') !== 'manual' || form.get('confirm') !== 'true') return error(400, 'invalid_request_error', 'parameter_missing');
      const amount = Number(form.get('amount'));
      const made: Intent = {
        id: `pi_${(minted += 1)}`,
        object: 'payment_intent',
        currency: form.get('currency')!,
        amount,
        status: 'requires_capture',
        amount_received: 0,
        amount_capturable: amount,
        metadata,
        latest_charge: { id: 'ch_1', object: 'charge', payment_method_details: card },
      };
      intents.set(made.id, made);
      return { status: 200, body: { ...made, amount: state.lie ?? made.amount } };
    }
    if (what === 'refunds' && method === 'GET')
      return {
        status: 200,
        body: { object: 'list', data: refunds.filter((one) => one.payment_intent === form.get('payment_intent')), has_more: false },
      };
    if (intent === undefined) return error(404, 'invalid_request_error', 'resource_missing');
    if (what === 'refunds') {
      const made: Refund = {
        id: `re_${(minted += 1)}`,
        object: 'refund',
        payment_intent: intent.id,
        status: 'succeeded',
        amount: Number(form.get('amount')),
        currency: intent.currency,
        metadata,
      };
      refunds.push(made);
      return { status: 200, body: made };
    }
    if (method === 'GET') return { status: 200, body: intent };
    if (intent.status !== 'requires_capture') return error(400, 'invalid_request_error', 'payment_intent_unexpected_state');
    if (verb === 'cancel') Object.assign(intent, { status: 'canceled', amount_capturable: 0 });
    else {
      const amount = Number(form.get('amount_to_capture'));
      const last = form.get('final_capture') !== 'false';
      Object.assign(intent, {
        amount_received: intent.amount_received + amount,
        status: last ? 'succeeded' : 'requires_capture',
        amount_capturable: last ? 0 : intent.amount_capturable - amount,
      });
      Object.assign(intent.metadata, metadata);
    }
    return { status: 200, body: intent };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url!, 'http://stripe.test');
    const form = request.method === 'GET' ? url.searchParams : new URLSearchParams(Buffer.concat(chunks).toString());
    state.requests.push(`${request.method} ${url.pathname}`);
    const key = request.headers['idempotency-key'] as string | undefined;
    const { mood } = state;
    if (mood === 401) return send(response, error(401, 'invalid_request_error', 'api_key_invalid'));
    if (mood === 429) return send(response, error(429, 'invalid_request_error', 'lock_timeout'));
    if (mood === 409) return send(response, error(409, 'invalid_request_error', 'idempotency_key_in_use'));
    if (mood === 500) return send(response, error(500, 'api_error', 'internal'));
    const before = key === undefined ? undefined : answered.get(key);
    const reply = before ?? structuredClone(act(request.method!, url.pathname, form));
    if (key !== undefined) answered.set(key, reply);
    if (mood === 'lost') return void request.socket.destroy();
    if (mood === 'hangs') return void waiting.add(response);
    send(response, reply);
  }
  const send = (response: ServerResponse, { status, body }: Reply): void =>
    void response.writeHead(status, { 'content-type': 'application/json', 'stripe-should-retry': 'false' }).end(JSON.stringify(body));

  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(state, {
    intents,
    refunds,
    /** As Stripe does after a day. */
    forgetKeys: () => answered.clear(),
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const response of waiting) response.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
