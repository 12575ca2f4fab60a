/** Webhooks: lost, doubled, late, out of order, forged. Whatever comes, each operation is posted once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import type { Service } from '../../src/messaging/service.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import { paymentsService } from '../../src/payments/service.ts';
import { stripeWebhooks } from '../../src/payments/stripe-webhooks.ts';
import { stripeGateway } from '../../src/payments/stripe.ts';
import { paymentUseCases } from '../../src/payments/use-cases.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { type TestMailbox, call, deliver, messageOf, openTestMailbox, requestContext } from '../support/mailbox.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { brokenEquations } from './equations.ts';
import { stripeServer } from './stripe-server.ts';
import { type SignedBody, signed, stripeEvent } from './webhook-events.ts';

const migrations = new URL('../../src/payments/migrations/', import.meta.url);
const telemetry = createTelemetry({ level: 'silent' });
const SECRET = 'whsec_of_the_test';
const order_id = 'ord_1';
const MINUTE = 60_000;

describe.each(databases())('webhooks of Stripe on $name', ({ open }) => {
  let opened: OpenDatabase;
  let server: Awaited<ReturnType<typeof stripeServer>>;
  let world: TestWorld;
  let test: TestMailbox;
  let service: Service;
  let operations: ReturnType<typeof paymentUseCases>['operations'];
  beforeEach(async () => {
    [opened, server, world] = [await open(), await stripeServer(), testWorld()];
    test = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
    const options = { apiKey: 'sk_test_secret', url: server.url };
    const context = { mailbox: test.mailbox, telemetry, gateway: stripeGateway(options) };
    service = paymentsService({ ...context, webhooks: { stripe: stripeWebhooks({ ...options, webhookSecret: SECRET }) } });
    ({ operations } = paymentUseCases(context));
  });
  afterEach(async () => {
    const broken = await brokenEquations(opened.db.read);
    await Promise.all([opened.drop(), server.close()]);
    expect(broken).toEqual({});
  });

  /** Performs whatever is due, as the worker does; answers how much that was. */
  async function work({ firstCall = false } = {}): Promise<number> {
    const claimed = await test.mailbox.write((unit) => operations.claim(unit, { limit: 10, leaseUntil: unit.now + LEASE_MS }));
    const tasks = firstCall ? claimed.map((task) => ({ ...task, state: 'requested' as const })) : claimed;
    const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await operations.perform(task) })));
    if (done.length > 0) await test.mailbox.write((unit) => operations.conclude(unit, done));
    return tasks.length;
  }
  const authorize = () =>
    deliver(test.mailbox, service, [
      messageOf(world, 'payment.authorize', order_id, { order_id, amount: 500, currency: 'EUR', token: 'pm_card_visa' }),
    ]);
  const refund = (refund_id: string, amount: number) =>
    deliver(test.mailbox, service, [messageOf(world, 'payment.refund', order_id, { order_id, refund_id, amount, reason: 'return' })]);
  async function captured(): Promise<void> {
    await authorize();
    world.advance(LEASE_MS);
    await work();
    await deliver(test.mailbox, service, [messageOf(world, 'payment.capture', order_id, { order_id, shipment_id: 'shp_1' })]);
    world.advance(LEASE_MS);
    await work();
  }
  /** Asks for the money, whose answer is lost, and then for what became of it in vain until the next time is minutes away. */
  async function authorizedUnheard(): Promise<void> {
    await authorize();
    world.advance(LEASE_MS);
    server.mood = 'lost';
    for (let i = 0; i < 5; i += 1) {
      expect(await work({ firstCall: i === 0 })).toBe(1);
      world.advance(MINUTE);
    }
    server.mood = 'well';
    expect(await work()).toBe(0);
  }
  const post = ({ body, signature }: SignedBody, provider = 'stripe') =>
    call(service, 'POST', '/v1/payments/webhooks/{provider}', {
      params: { provider },
      body: JSON.parse(body) as object,
      context: requestContext({ raw: { body, header: (name) => (name === 'stripe-signature' ? signature : undefined) } }),
    });
  const send = (id: string, type: string, object: object) => post(signed(stripeEvent(id, type, object), SECRET, world.now()));
  const intent = () => structuredClone([...server.intents.values()][0]!);
  const list = (query: object = {}) =>
    call(service, 'GET', '/v1/payments/webhooks', { query }) as Promise<{ items: Record<string, unknown>[]; next_cursor: string | null }>;
  const postings = () => opened.db.read.raw<{ n: number }>('select operation_id from payment_posting');
  const types = () => test.said.map(({ type }) => type);

  it('concludes what is not known without waiting for its time', async () => {
    await authorizedUnheard();
    expect(await send('evt_1', 'payment_intent.amount_capturable_updated', intent())).toMatchObject({ verdict: 'asked', deliveries: 1 });
    expect(types()).toEqual([]); // the word of a webhook is nothing yet
    expect(await work()).toBe(1);
    expect(types()).toEqual(['payment.authorized']);
    expect([server.intents.size, (await postings()).length]).toEqual([1, 1]);
  });

  it('comes ten times, and backwards: one posting each', async () => {
    await authorizedUnheard();
    const early = intent();
    for (let i = 1; i <= 10; i += 1) {
      expect(await send('evt_1', 'payment_intent.amount_capturable_updated', early)).toMatchObject({ verdict: 'asked', deliveries: i });
      await work();
    }
    await deliver(test.mailbox, service, [messageOf(world, 'payment.capture', order_id, { order_id, shipment_id: 'shp_1' })]);
    world.advance(LEASE_MS);
    await work();
    const late = intent();
    for (const [i, object] of [late, early, late, early].entries())
      expect(await send(`evt_b${i}`, 'payment_intent.succeeded', object)).toMatchObject({ verdict: 'agrees' });
    expect(types()).toEqual(['payment.authorized', 'payment.captured']);
    expect((await postings()).length).toBe(2);
    expect((await list({ verdict: 'contradicts' })).items).toEqual([]);
    expect((await list({ order_id })).items.map(({ event_id, deliveries }) => [event_id, deliveries])).toEqual([
      ['evt_b3', 1],
      ['evt_b2', 1],
      ['evt_b1', 1],
      ['evt_b0', 1],
      ['evt_1', 10],
    ]);
  });

  it('leaves alone whoever is calling now', async () => {
    await authorize();
    const [before] = await opened.db.read.raw('select state, due_at, lease_until from payment_operation');
    await send('evt_1', 'payment_intent.created', {
      id: 'pi_x',
      amount: 500,
      amount_received: 0,
      currency: 'eur',
      status: 'requires_capture',
      metadata: { waybill_order: order_id },
    });
    expect(await opened.db.read.raw('select state, due_at, lease_until from payment_operation')).toEqual([before]);
  });

  it('is refused when it is not signed as it must be, and changes nothing', async () => {
    await authorizedUnheard();
    const event = stripeEvent('evt_1', 'payment_intent.succeeded', intent());
    const good = signed(event, SECRET, world.now());
    const refused = expect.objectContaining({ code: 'webhook_signature' }) as Error;
    await expect(post(signed(event, 'whsec_of_another', world.now()))).rejects.toEqual(refused);
    await expect(post({ ...good, body: good.body.replace('"amount": 500', '"amount": 501') })).rejects.toEqual(refused);
    await expect(post({ ...good, body: JSON.stringify(event) })).rejects.toEqual(refused); // the same, spaced otherwise
    await expect(post(signed(event, SECRET, world.now() - 6 * MINUTE))).rejects.toEqual(refused);
    for (const signature of ['', 'nonsense', 't=1,v1=']) await expect(post({ ...good, signature })).rejects.toEqual(refused);
    await expect(call(service, 'POST', '/v1/payments/webhooks/{provider}', { params: { provider: 'stripe' } })).rejects.toEqual(refused);
    for (const provider of ['simulated', 'constructor'])
      await expect(post(good, provider)).rejects.toEqual(expect.objectContaining({ code: 'webhooks_not_taken' }));
    expect([await work(), (await list()).items]).toEqual([0, []]);
    for (const object of [{}, { ...intent(), amount: -1 }])
      await expect(send('evt_1', 'payment_intent.succeeded', object)).rejects.toMatchObject({ code: 'invalid_request' });
    await post(good);
    expect(await work()).toBe(1);
  });

  it('shows what was done at Stripe and not here, and moves nothing for it', async () => {
    await captured();
    await refund('rfd_1', 100);
    world.advance(LEASE_MS);
    await work();
    const before = await opened.db.read.raw('select * from payment');
    const [ours] = server.refunds;
    const theirs = { ...ours!, id: 're_dashboard', amount: 50, metadata: {} };
    expect(await send('evt_1', 'refund.created', ours!)).toMatchObject({ verdict: 'agrees' });
    expect(await send('evt_2', 'refund.created', theirs)).toMatchObject({ verdict: 'contradicts' });
    expect(await send('evt_2', 'refund.created', theirs)).toMatchObject({ verdict: 'contradicts', deliveries: 2 });
    expect(await send('evt_3', 'charge.dispute.created', { id: 'dp_1', payment_intent: 'pi_1', amount: 400, currency: 'eur' })).toMatchObject({
      verdict: 'contradicts',
    });
    await send('evt_4', 'charge.refunded', { id: 'ch_1', payment_intent: 'pi_1', amount_refunded: 150, currency: 'eur', metadata: {} });
    await send('evt_5', 'charge.refunded', { id: 'ch_1', payment_intent: 'pi_1', amount_refunded: 100, currency: 'eur', metadata: {} });
    expect(await opened.db.read.raw('select * from payment')).toEqual(before);
    const contradictions = [
      { reason: 'refunded_elsewhere', amount_said: 150, amount_known: 100 },
      { reason: 'disputed', amount_said: 400, amount_known: null },
      { reason: 'refunded_elsewhere', amount_said: 50, amount_known: 0 },
    ];
    expect((await list({ verdict: 'contradicts' })).items).toMatchObject(contradictions);
    expect(await call(service, 'GET', '/v1/payments/{payment_id}', { params: { payment_id: 'pay_1' } })).toMatchObject({ contradictions });
  });

  it('keeps what is about nobody here, and cannot be sure while Stripe is away', async () => {
    const dispute = { id: 'dp_1', payment_intent: 'pi_none', amount: 400, currency: 'eur' };
    expect(await send('evt_1', 'charge.dispute.created', dispute)).toMatchObject({ verdict: 'unrelated' });
    expect(await send('evt_2', 'customer.created', { id: 'cus_1' })).toMatchObject({ verdict: 'unrelated' });
    server.mood = 500;
    await expect(send('evt_3', 'charge.dispute.created', dispute)).rejects.toMatchObject({ code: 'provider_unavailable' });
    const first = await list({ limit: '1' });
    expect(first.items).toMatchObject([{ event_id: 'evt_2' }]);
    expect(await list({ limit: '1', cursor: first.next_cursor })).toMatchObject({ items: [{ event_id: 'evt_1' }], next_cursor: null });
  });
});
