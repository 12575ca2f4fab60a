import { describe, expect, it } from 'vitest';
import { type Claim, type KnownOperation, type Notice, contradictionOf } from './domain-webhook.ts';

const said = (...claims: Claim[]): Notice => ({ event_id: 'evt', type: 'x', occurred_at: 0, order_id: 'ord_1', provider_ref: 'pi_1', claims });
const known = (kind: KnownOperation['kind'], amount: number, more: Partial<KnownOperation> = {}): KnownOperation => ({
  id: `pop_${kind}`,
  kind,
  amount,
  state: 'succeeded',
  on: 'pi_1',
  ...more,
});
const held = known('authorize', 500);
const judged = (claim: Claim, ...operations: KnownOperation[]) => contradictionOf(said(claim), 'EUR', operations);
const euros = (amount: number) => ({ amount, currency: 'EUR' });

describe('what a webhook says', () => {
  it.each<[Claim, KnownOperation[]]>([
    [{ what: 'authorized', operation: 'pop_authorize', ...euros(500) }, [held]],
    [{ what: 'captured', ...euros(0) }, [held, known('capture', 200)]],
    [{ what: 'captured', ...euros(200) }, [held, known('capture', 200, { state: 'unknown' })]],
    [{ what: 'cancelled' }, [held, known('void', 500, { state: 'requested' })]],
    [{ what: 'cancelled' }, [{ ...held, state: 'failed' }]],
    [{ what: 'refund', operation: 'pop_refund', ...euros(50), failed: false }, [held, known('refund', 50, { state: 'requested' })]],
    [{ what: 'refund', operation: 'pop_refund', ...euros(50), failed: true }, [held, known('refund', 50, { state: 'unknown' })]],
    [{ what: 'refunded', ...euros(50) }, [held, known('refund', 50), known('refund', 20, { id: 'pop_r2' })]],
  ])('agrees, however late it comes: %j', (claim, operations) => expect(judged(claim, ...operations)).toBeUndefined());

  it.each<[string, Claim, KnownOperation[], number | null, number | null]>([
    ['currency', { what: 'captured', amount: 1, currency: 'USD' }, [held], 1, null],
    ['amount', { what: 'authorized', operation: 'pop_authorize', ...euros(501) }, [held], 501, 500],
    ['unknown_operation', { what: 'authorized', operation: 'pop_else', ...euros(500) }, [held], 500, null],
    ['unknown_operation', { what: 'refund', operation: 'pop_authorize', ...euros(500), failed: false }, [held], 500, null],
    ['cancelled_elsewhere', { what: 'cancelled' }, [held], 0, 500],
    ['captured_elsewhere', { what: 'captured', ...euros(300) }, [held, known('capture', 200)], 300, 200],
    ['captured_elsewhere', { what: 'captured', ...euros(200) }, [held, known('capture', 200, { state: 'failed' })], 200, 0],
    ['captured_elsewhere', { what: 'captured', ...euros(200) }, [held, known('capture', 200, { on: 'pi_2' })], 200, 0],
    ['refunded_elsewhere', { what: 'refund', operation: null, ...euros(50), failed: false }, [held], 50, 0],
    ['refunded_elsewhere', { what: 'refunded', ...euros(80) }, [held, known('refund', 50)], 80, 50],
    ['amount', { what: 'refund', operation: 'pop_refund', ...euros(49), failed: false }, [held, known('refund', 50)], 49, 50],
    ['refund_failed_later', { what: 'refund', operation: 'pop_refund', ...euros(50), failed: true }, [held, known('refund', 50)], 0, 50],
    ['disputed', { what: 'disputed', ...euros(500) }, [held], 500, null],
  ])('contradicts: %s by %j', (reason, claim, operations, amount_said, amount_known) =>
    expect(judged(claim, ...operations)).toEqual({ reason, amount_said, amount_known }),
  );
});
