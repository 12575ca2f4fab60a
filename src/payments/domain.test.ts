import { describe, expect, it } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import { decide, settle } from './domain.ts';
import { ASK_AGAIN_MS, CALL_AGAIN_MS, type Kind, OPERATION_TRANSITIONS, type OperationState, type Outcome, progress } from './domain-operation.ts';
import { PAYMENT_TRANSITIONS, type Payment, type PaymentCommand, type PaymentStatus, type Step, moved } from './domain-payment.ts';

const NOW = 1_000;
const statuses = Object.keys(PAYMENT_TRANSITIONS) as PaymentStatus[];
const ordinary = statuses.filter((status) => !['part_captured', 'part_refunded', 'expired'].includes(status));
const approved: Outcome = { result: 'approved', ref: 'ref_1' };
const declined: Outcome = { result: 'declined', code: 'card_declined' };
const untaken: Outcome = { result: 'untaken', error: 'away' };

let messages = 0;
const command = <T extends PaymentCommand['type']>(type: T, data: object, id = `msg_${(messages += 1)}`): PaymentCommand => {
  const envelope: Omit<Message, 'data'> = {
    id,
    type,
    source: 'orders',
    time: 0,
    subject: 'ord_1',
    partitionkey: 'ord_1',
    correlationid: 'ord_1',
    hops: 1,
  };
  return { ...envelope, data: { order_id: 'ord_1', ...data } } as PaymentCommand;
};
const authorize = (id?: string) => command('payment.authorize', { amount: 500, currency: 'EUR', token: 'tok_ok' }, id);
const capture = (id?: string) => command('payment.capture', { shipment_id: 'shp_1' }, id);
const void_ = (id?: string) => command('payment.void', { reason: 'customer' }, id);

const given = (payment: Payment | undefined, what: PaymentCommand): Step | undefined => decide(payment, what, NOW);
const types = (step: Step | undefined): string[] => step?.events.map(({ type }) => type) ?? [];
/** Takes the step that must follow. */
const after = (payment: Payment | undefined, what: PaymentCommand): Payment => given(payment, what)!.payment;
const settled = (payment: Payment, outcome: Outcome, amount = payment.captured + payment.held || payment.amount): Step =>
  settle(payment, { kind: payment.under_way!, amount }, outcome, NOW);
const captureOf = (shipment_id: string, amount: number) => command('payment.capture', { shipment_id, amount });
const refundOf = (refund_id: string, amount: number) => command('payment.refund', { refund_id, amount, reason: 'return' });

const requested = after(undefined, authorize('msg_first'));
const authorized = settled(requested, approved).payment;
const capturing = after(authorized, capture());
const captured = settled(capturing, approved).payment;
const voiding = after(authorized, void_());
const everyStatus: Record<PaymentStatus, Payment> = {
  requested,
  authorized,
  captured,
  declined: settled(requested, declined).payment,
  failed: settled(requested, untaken).payment,
  voided: settled(voiding, approved).payment,
  refunded: settled(after(captured, void_()), approved).payment,
  part_captured: settled(after(authorized, captureOf('shp_1', 200)), approved, 200).payment,
  part_refunded: settled(after(captured, refundOf('ref_1', 200)), approved, 200).payment,
  expired: settled(after(authorized, command('payment.expire', {})), approved).payment,
};

describe('the status of a payment', () => {
  it('is reached as its name says', () => {
    for (const status of statuses) expect(everyStatus[status].status).toBe(status);
  });

  it('changes along the table and not otherwise', () => {
    const pairs = statuses.flatMap((from) => statuses.map((to) => ({ from, to, legal: PAYMENT_TRANSITIONS[from].includes(to) })));
    for (const { from, to } of pairs.filter(({ legal }) => legal)) expect(moved(everyStatus[from], to, NOW).status).toBe(to);
    for (const { from, to } of pairs.filter(({ legal }) => !legal))
      expect(() => moved(everyStatus[from], to, NOW)).toThrow(`is ${from} and cannot become ${to}`);
  });

  it('refuses an answer to an operation that is not under way', () => {
    for (const payment of Object.values(everyStatus)) {
      for (const kind of ['authorize', 'capture', 'void', 'refund'] as const) {
        if (payment.under_way === kind) continue;
        expect(() => settle(payment, { kind, amount: 500 }, approved, NOW)).toThrow('under way');
      }
    }
  });
});

describe('an authorisation', () => {
  it('begins once, whatever comes again', () => {
    expect(given(undefined, authorize())).toMatchObject({
      payment: { status: 'requested', under_way: 'authorize', amount: 500 },
      begin: { kind: 'authorize', amount: 500 },
    });
    for (const status of ordinary.filter((status) => status !== 'failed')) expect(given(everyStatus[status], authorize())).toBeUndefined();
  });

  it('may be asked for again when it failed, but not by a duplicate and not after a void', () => {
    expect(given(everyStatus.failed, authorize())).toMatchObject({ payment: { status: 'requested' }, begin: { kind: 'authorize' } });
    expect(given(everyStatus.failed, authorize('msg_first'))).toBeUndefined();
    expect(given(after(everyStatus.failed, void_()), authorize())).toBeUndefined();
  });

  it('asked for again, because no answer came, is answered once more', () => {
    const again = (): PaymentCommand => command('payment.authorize', { amount: 500, currency: 'EUR', token: 'tok_ok', again: true });
    expect(given(authorized, again())).toEqual({
      payment: { ...authorized, sequence: authorized.sequence + 1 },
      events: [{ type: 'payment.authorized', data: { order_id: 'ord_1', payment_id: authorized.id, amount: 500, currency: 'EUR' } }],
    });
    expect(types(given(everyStatus.declined, again()))).toEqual(['payment.declined']);
    expect(given(requested, again())).toBeUndefined(); // its answer will come
    expect(given(after(authorized, void_()), again())).toBeUndefined();
    expect(given(everyStatus.failed, again())).toMatchObject({ begin: { kind: 'authorize' } });
  });

  it('says what became of it', () => {
    expect(types(settled(requested, approved))).toEqual(['payment.authorized']);
    expect(settled(requested, declined).events).toMatchObject([{ type: 'payment.declined', data: { reason: 'card_declined' } }]);
    expect(settled(requested, untaken).events).toMatchObject([{ type: 'payment.failed', data: { reason: 'provider_unavailable' } }]);
  });
});

describe('a capture', () => {
  it('takes what is held', () => {
    expect(given(authorized, capture())).toMatchObject({ begin: { kind: 'capture', amount: 500, shipment_id: 'shp_1' } });
    expect(captured).toMatchObject({ held: 0, captured: 500, refunded: 0 });
  });

  it('leaves the money held when it fails, and may be asked for again', () => {
    const step = settled(capturing, declined);
    expect(step).toMatchObject({ payment: { status: 'authorized', held: 500, under_way: null }, events: [{ type: 'payment.capture_failed' }] });
    expect(given(step.payment, capture())).toMatchObject({ begin: { kind: 'capture' } });
  });

  it('is answered again when another command asks for what is done, in silence when it is under way', () => {
    expect(types(given(captured, capture()))).toEqual(['payment.captured']);
    expect(given(capturing, capture())).toBeUndefined();
  });

  it('is refused in every other state, with the reason', () => {
    for (const status of ['requested', 'declined', 'failed', 'voided', 'refunded'] as const) {
      const step = given(everyStatus[status], capture());
      expect(step?.begin).toBeUndefined();
      expect(step?.events).toMatchObject([{ type: 'payment.capture_failed', data: { reason: expect.stringMatching(/^payment_/) as string } }]);
    }
    expect(given(settled(voiding, declined).payment, capture())?.events).toMatchObject([{ data: { reason: 'payment_void_requested' } }]);
    expect(() => given(undefined, capture())).toThrow('no payment');
  });
});

describe('a void', () => {
  it('that comes first leaves a voided payment behind, which the authorisation finds', () => {
    const step = given(undefined, void_())!;
    expect(step).toMatchObject({ payment: { status: 'voided', amount: 0 }, events: [{ type: 'payment.voided', data: { refunded: 0 } }] });
    expect(given(step.payment, authorize())).toBeUndefined();
  });

  it('waits for the fate of what is under way', () => {
    const noted = given(requested, void_())!;
    expect(noted).toMatchObject({ payment: { under_way: 'authorize' }, events: [] });
    expect(noted.begin).toBeUndefined();
    expect(settled(noted.payment, approved)).toMatchObject({ begin: { kind: 'void', amount: 500 }, events: [{ type: 'payment.authorized' }] });
    expect(types(settled(noted.payment, declined))).toEqual(['payment.declined', 'payment.voided']);
    expect(types(settled(noted.payment, untaken))).toEqual(['payment.failed', 'payment.voided']);
    expect(settled(after(capturing, void_()), approved)).toMatchObject({ begin: { kind: 'refund', amount: 500 } });
    expect(settled(after(capturing, void_()), declined)).toMatchObject({ begin: { kind: 'void', amount: 500 } });
  });

  it('gives back what there is, and says how much', () => {
    expect(given(authorized, void_())).toMatchObject({ begin: { kind: 'void', amount: 500 }, events: [] });
    expect(given(captured, void_())).toMatchObject({ begin: { kind: 'refund', amount: 500 }, events: [] });
    expect(settled(after(captured, void_()), approved)).toMatchObject({
      payment: { captured: 0, refunded: 500 },
      events: [{ type: 'payment.voided', data: { refunded: 500 } }],
    });
    for (const status of ['declined', 'failed', 'voided', 'refunded'] as const)
      expect(types(given(everyStatus[status], void_()))).toEqual(['payment.voided']);
  });

  it('that the provider refuses is said, and is not tried in a circle', () => {
    const step = settled(voiding, declined);
    expect(step).toMatchObject({
      payment: { status: 'authorized', held: 500 },
      events: [{ type: 'payment.failed', data: { reason: 'void_failed: card_declined' } }],
    });
    expect(step.begin).toBeUndefined();
    expect(given(step.payment, void_())).toMatchObject({ begin: { kind: 'void' } });
  });
});

describe('events', () => {
  it('are counted without gaps', () => {
    const story: Payment[] = [requested, authorized, capturing, captured, after(captured, void_()), everyStatus.refunded];
    expect(story.map(({ sequence }) => sequence)).toEqual([0, 1, 1, 2, 2, 3]);
  });
});

describe('an operation', () => {
  const outcomes: Outcome[] = [approved, declined, untaken, { result: 'unknown', error: 'no answer' }];

  it('moves along the table only', () => {
    for (const state of ['requested', 'unknown'] as OperationState[]) {
      for (const outcome of outcomes) {
        for (let attempts = 0; attempts < 10; attempts += 1) {
          const next = progress(attempts, outcome, NOW);
          expect([state, ...OPERATION_TRANSITIONS[state]]).toContain(next.state);
          expect(next.attempts).toBe(attempts + 1);
          expect(next.due_at === null).toBe(OPERATION_TRANSITIONS[next.state].length === 0);
        }
      }
    }
  });

  it('is called again after each pause of the table, then fails', () => {
    expect(CALL_AGAIN_MS.map((_, attempts) => progress(attempts, untaken, NOW).due_at! - NOW)).toEqual([...CALL_AGAIN_MS]);
    expect(progress(CALL_AGAIN_MS.length, untaken, NOW)).toMatchObject({ state: 'failed', due_at: null, error: 'away' });
  });

  it('is asked about for ever when its fate is unknown', () => {
    const unknown: Outcome = { result: 'unknown', error: 'no answer' };
    expect(progress(0, unknown, NOW).due_at).toBe(NOW + ASK_AGAIN_MS[0]);
    expect(progress(1_000, unknown, NOW)).toMatchObject({ state: 'unknown', due_at: NOW + ASK_AGAIN_MS.at(-1)! });
  });
});

describe('the ledger', () => {
  it('refuses to capture what is not held', () => {
    const broken: Payment = { ...capturing, held: 100 };
    expect(() => settle(broken, { kind: 'capture' satisfies Kind, amount: 500 }, approved, NOW)).toThrow('has not the 500 to capture');
  });
});
