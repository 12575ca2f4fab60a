/** Webhooks at the door of the whole program: signed are the very bytes that came. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signed } from '../payments/webhook-events.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { type Payment, type Shop, openShop } from '../support/shop.ts';

const SECRET = 'of_the_simulated_provider';
let app: TestApp;
let shop: Shop;
beforeAll(async () => {
  app = await startApp({ settings: { SIMULATED_WEBHOOK_SECRET: SECRET } });
  shop = await openShop(app);
});
afterAll(() => app.stop());

const eventOf = (id: string, order_id: string | null, claims: readonly object[]) => ({
  id,
  type: 'payment.changed',
  created: Math.floor(Date.now() / 1_000),
  order_id,
  provider_ref: null,
  claims,
});
async function send(event: object, { secret = SECRET, provider = 'simulated', headers = {}, at = Date.now() } = {}) {
  const { body, signature } = signed(event, secret, at);
  const answer = await fetch(`${app.url()}/v1/payments/webhooks/${provider}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json; charset=utf-8', 'waybill-signature': signature, ...headers },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe('POST /v1/payments/webhooks/{provider}', () => {
  test('takes what is signed, once, and shows what does not agree', async () => {
    const { id } = await shop.place();
    const shipment = await shop.shipment(id, 'ready');
    await shop.dispatch(shipment);
    const { items } = await app.until<{ items: Payment[] }>(`/v1/payments?order_id=${id}`, ({ items: [payment] }) => payment?.status === 'captured');
    const event = eventOf('evt_1', id, [{ what: 'refund', operation: null, amount: 300, currency: 'EUR', failed: false }]);
    for (let deliveries = 1; deliveries <= 10; deliveries += 1)
      expect(await send(event)).toMatchObject({ status: 200, body: { verdict: 'contradicts', deliveries } });
    expect(await app.get(`/v1/payments/${items[0]!.id}`)).toMatchObject({
      status: 'captured',
      refunded: 0,
      contradictions: [{ reason: 'refunded_elsewhere', amount_said: 300, amount_known: 0 }],
    });
    expect(await app.get('/v1/payments/webhooks?verdict=contradicts')).toMatchObject({
      items: [{ event_id: 'evt_1', order_id: id, deliveries: 10 }],
    });
    expect(await shop.audit()).toMatchObject({ ok: true });
  });

  test('refuses what is not signed, or not lately, and what nobody takes', async () => {
    const event = eventOf('evt_2', null, []);
    const refused = { status: 400, body: { code: 'webhook_signature' } };
    expect(await send(event, { secret: 'of_somebody_else' })).toMatchObject(refused);
    expect(await send(event, { headers: { 'waybill-signature': 't=1' } })).toMatchObject(refused);
    expect(await send(event, { at: Date.now() - 301_000 })).toMatchObject(refused);
    expect(await app.ask('POST', '/v1/payments/webhooks/simulated')).toMatchObject(refused);
    expect(await app.ask('POST', '/v1/payments/webhooks/simulated', event)).toMatchObject(refused);
    expect(await send(event, { provider: 'stripe' })).toMatchObject({ status: 404, body: { code: 'webhooks_not_taken' } });
    expect(await send({ ...event, created: 'yesterday' })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(await send(event)).toMatchObject({ status: 200, body: { verdict: 'unrelated', deliveries: 1 } });
  });
});
