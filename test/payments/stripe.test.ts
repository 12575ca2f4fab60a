import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProviderCall } from '../../src/payments/gateway.ts';
import { stripeGateway } from '../../src/payments/stripe.ts';
import { stripeServer } from './stripe-server.ts';

let server: Awaited<ReturnType<typeof stripeServer>>;
beforeEach(async () => void (server = await stripeServer()));
afterEach(() => server.close());

const gatewayOf = (timeout = 15_000) => stripeGateway({ apiKey: 'sk_test_secret', url: server.url, timeout });
const call = (id: string, kind: ProviderCall['kind'], amount: number, more: Partial<ProviderCall> = {}): ProviderCall => ({
  id,
  order_id: 'ord_1',
  kind,
  amount,
  currency: 'EUR',
  token: 'pm_card_visa',
  provider_ref: kind === 'authorize' ? null : 'pi_1',
  last: true,
  attempts: 0,
  ...more,
});
const authorize = call('pop_a', 'authorize', 500);

describe('Stripe', () => {
  it('authorises, captures by parts, refunds and gives up', async () => {
    const gateway = gatewayOf();
    expect(await gateway.authorize(authorize)).toEqual({ result: 'approved', ref: 'pi_1', until: 1_900_000_000_000 });
    expect(await gateway.capture(call('pop_b', 'capture', 200, { last: false }))).toEqual({ result: 'approved', ref: 'pi_1' });
    expect(server.intents.get('pi_1')).toMatchObject({ status: 'requires_capture', amount_received: 200, amount_capturable: 300 });
    expect(await gateway.void(call('pop_c', 'void', 100, { last: false }))).toMatchObject({ result: 'approved' });
    expect(await gateway.capture(call('pop_d', 'capture', 200))).toMatchObject({ result: 'approved' });
    expect(await gateway.refund(call('pop_e', 'refund', 150))).toMatchObject({ result: 'approved', ref: expect.stringMatching(/^re_/) as string });
    expect(server.intents.get('pi_1')).toMatchObject({ status: 'succeeded', amount_received: 400 });
    await gateway.authorize(call('pop_f', 'authorize', 70));
    const other = [...server.intents.keys()].at(-1)!;
    expect(await gateway.void(call('pop_g', 'void', 70, { provider_ref: other }))).toEqual({ result: 'approved', ref: other });
    expect(server.intents.get(other)!.status).toBe('canceled');
  });

  it('does each operation once, however often it is called', async () => {
    const gateway = gatewayOf();
    const first = await gateway.authorize(authorize);
    expect(await gateway.authorize(authorize)).toEqual(first);
    const capture = call('pop_b', 'capture', 200, { last: false });
    await gateway.capture(capture);
    await gateway.capture(capture);
    const refund = call('pop_c', 'refund', 50);
    await gateway.refund(refund);
    await gateway.refund(refund);
    expect([server.intents.size, server.intents.get('pi_1')!.amount_received, server.refunds.length]).toEqual([1, 200, 1]);
  });

  it.each(['lost', 'hangs'] as const)(
    'knows nothing of an answer that is %s, and finds what was done, also when keys are forgotten',
    async (mood) => {
      const gateway = gatewayOf(mood === 'hangs' ? 200 : undefined);
      const steps = [authorize, call('pop_b', 'capture', 200, { last: false }), call('pop_c', 'refund', 50), call('pop_d', 'void', 300)] as const;
      for (const step of steps) {
        server.mood = 'well';
        expect(await gateway.lookup(step.id, step)).toEqual({ result: 'absent' });
        server.mood = mood;
        expect(await gateway[step.kind as 'capture'](step)).toMatchObject({ result: 'unknown' });
        expect(await gateway.lookup(step.id, step)).toMatchObject({ result: 'unknown' });
        server.mood = 'well';
        server.forgetKeys();
        expect(await gateway.lookup(step.id, step)).toMatchObject({ result: 'approved' });
      }
      expect([server.intents.size, server.intents.get('pi_1')!.amount_received, server.refunds.length]).toEqual([1, 200, 1]);
    },
  );

  it('finds what it did before, when Stripe says that it cannot be done now', async () => {
    const gateway = gatewayOf();
    await gateway.authorize(authorize);
    const capture = call('pop_b', 'capture', 500);
    await gateway.capture(capture);
    server.forgetKeys();
    expect(await gateway.capture(capture)).toMatchObject({ result: 'approved' });
    expect(await gateway.capture(call('pop_c', 'capture', 1))).toEqual({ result: 'declined', code: 'payment_intent_unexpected_state' });
    expect(server.intents.get('pi_1')!.amount_received).toBe(500);
  });

  it('tells a no from what was not taken and what is not known', async () => {
    const gateway = gatewayOf();
    expect(await gateway.authorize(call('pop_x', 'authorize', 5, { token: 'pm_declined' }))).toEqual({
      result: 'declined',
      code: 'insufficient_funds',
    });
    expect(await gateway.capture(call('pop_y', 'capture', 5, { provider_ref: 'pi_none' }))).toEqual({ result: 'declined', code: 'resource_missing' });
    for (const mood of [401, 429] as const) {
      server.mood = mood;
      await expect(gateway.authorize(authorize)).rejects.toMatchObject({ code: 'provider_unavailable' });
    }
    for (const mood of [500, 409] as const) {
      server.mood = mood;
      expect(await gateway.authorize(authorize)).toMatchObject({ result: 'unknown' });
    }
    expect(server.intents.size).toBe(0);
    await server.close();
    await expect(gateway.authorize(authorize)).rejects.toMatchObject({ code: 'provider_unavailable' });
    server = await stripeServer();
  });

  it('believes no other amount than ours', async () => {
    server.lie = 1;
    expect(await gatewayOf().authorize(authorize)).toEqual({
      result: 'unknown',
      error: 'amount_mismatch: stripe says 1 EUR, asked for were 500 EUR',
    });
  });

  it('never repeats what Stripe says in words, nor the key', async () => {
    const gateway = gatewayOf();
    server.mood = 401;
    await expect(gateway.authorize(authorize)).rejects.toThrow(/^stripe: StripeAuthenticationError/);
    server.mood = 500;
    expect(JSON.stringify(await gateway.authorize(authorize))).not.toContain('sk_test');
  });
});
