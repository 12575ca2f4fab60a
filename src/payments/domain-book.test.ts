import { describe, expect, it } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import { decide, settle } from './domain.ts';
import type { Outcome } from './domain-operation.ts';
import { type Payment, type PaymentCommand, type Step, expiriesOf } from './domain-payment.ts';

const NOW = 1_000;
const approved: Outcome = { result: 'approved', ref: 'ref_1' };
const declined: Outcome = { result: 'declined', code: 'no' };
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
const authorize = (amount: number, authorization?: string) =>
  command('payment.authorize', { amount, currency: 'EUR', token: 'tok', ...(authorization === undefined ? {} : { authorization }) });
const capture = (shipment_id: string, amount?: number) => command('payment.capture', { shipment_id, ...(amount === undefined ? {} : { amount }) });
const reduce = (revision: number, amount: number) => command('payment.void', { reason: 'edit', revision, amount });
const refund = (refund_id: string, amount: number) => command('payment.refund', { refund_id, amount, reason: 'return' });
const voidAll = () => command('payment.void', { reason: 'customer' });

/** A payment to whom things happen; every operation begun is kept, every event heard. */
function story() {
  let payment: Payment | undefined;
  let begun: Step['begin'];
  const events: string[] = [];
  const operations: string[] = [];
  const take = (step: Step | undefined): void => {
    if (step === undefined) return;
    ({ payment } = step);
    if (step.begin !== undefined) {
      begun = step.begin;
      operations.push(
        `${begun.kind} ${begun.amount}${begun.about?.authorization ? ` of ${begun.about.authorization}` : ''}${begun.about?.last === false ? ' …' : ''}`,
      );
    }
    for (const { type, data } of step.events) {
      const { amount, reason, refunded } = data as { amount?: number; reason?: string; refunded?: number };
      events.push([type.replace('payment.', ''), reason ?? amount ?? refunded].join(' '));
    }
  };
  const told = {
    ask: (what: PaymentCommand) => (take(decide(payment, what, NOW)), told),
    answer: (outcome: Outcome = approved) => (take(settle(payment!, begun!, outcome, NOW)), told),
    get payment() {
      return payment!;
    },
    operations: () => operations.splice(0),
    events: () => events.splice(0),
  };
  return told;
}
/** 500 held, nothing else. */
const held = () => {
  const one = story().ask(authorize(500)).answer();
  one.events();
  one.operations();
  return one;
};

describe('captures by shipment', () => {
  it('take one after the other, each once, and leave nothing', () => {
    const one = held().ask(capture('shp_1', 200)).ask(capture('shp_2', 300)).ask(capture('shp_1', 200));
    expect(one.operations()).toEqual(['capture 200 …']);
    one.answer();
    expect(one.payment).toMatchObject({ status: 'part_captured', held: 300, captured: 200 });
    one.answer().ask(capture('shp_1', 200));
    expect(one.operations()).toEqual(['capture 300']);
    expect(one.payment).toMatchObject({ status: 'captured', held: 0, captured: 500, under_way: null });
    expect(one.events()).toEqual(['captured 200', 'captured 300', 'captured 200']);
  });

  it('are refused beyond what is held, without asking the provider, and may be asked for again', () => {
    const one = held().ask(capture('shp_1', 400)).answer().ask(capture('shp_2', 200));
    expect(one.events()).toEqual(['captured 400', 'capture_failed not_enough_held']);
    one.ask(authorize(100, 'aut_2')).answer().ask(capture('shp_2', 200));
    expect(one.operations()).toEqual(['capture 400 …', 'authorize 100 of aut_2 …', 'capture 100']);
    one.answer().answer();
    expect(one.operations()).toEqual(['capture 100 of aut_2']);
    expect(one.events()).toEqual(['authorized 100', 'captured 200']);
    expect(one.payment).toMatchObject({ status: 'captured', amount: 600, captured: 600 });
  });

  it('that cost nothing are captured at once', () => {
    const one = held().ask(capture('shp_1', 0));
    expect([one.operations(), one.events()]).toEqual([[], ['captured 0']]);
  });

  it('go on where a refusal stopped them', () => {
    const one = held().ask(authorize(100, 'aut_2')).answer().ask(capture('shp_1', 600)).answer().answer(declined);
    expect(one.payment).toMatchObject({ held: 100, captured: 500 });
    expect(one.events()).toEqual(['authorized 100', 'capture_failed no']);
    one.operations();
    one.ask(capture('shp_1', 600)).answer();
    expect([one.operations(), one.events()]).toEqual([['capture 100 of aut_2'], ['captured 600']]);
  });

  it('of everything take what is left when their turn comes', () => {
    const one = held().ask(capture('shp_1', 200)).ask(capture('shp_2')).answer().answer();
    expect(one.operations()).toEqual(['capture 200 …', 'capture 300']);
    expect(one.events()).toEqual(['captured 200', 'captured 300']);
  });

  it('meet the capture of everything that is under way: nothing is left for them', () => {
    const one = held().ask(capture('shp_1')).ask(capture('shp_2', 100)).answer();
    expect(one.events()).toEqual(['captured 500', 'capture_failed not_enough_held']);
  });
});

describe('another authorisation', () => {
  it('that is declined leaves everything as it was and stays declined', () => {
    const one = held().ask(authorize(100, 'aut_2')).answer(declined).ask(authorize(100, 'aut_2'));
    expect(one.payment).toMatchObject({ status: 'authorized', amount: 500, held: 500 });
    expect(one.events()).toEqual(['declined no']);
  });

  it('that failed may be asked for again', () => {
    const one = held().ask(authorize(100, 'aut_2')).answer({ result: 'untaken', error: 'away' }).ask(authorize(100, 'aut_2')).answer();
    expect(one.events()).toEqual(['failed provider_unavailable', 'authorized 100']);
    expect(one.payment).toMatchObject({ held: 600, amount: 600 });
  });

  it('may be the first that holds', () => {
    const one = story().ask(authorize(500)).answer(declined).ask(authorize(500, 'aut_2')).answer();
    expect(one.payment).toMatchObject({ status: 'authorized', held: 500 });
  });

  it('waits for the one that is under way', () => {
    const one = story().ask(authorize(500)).ask(authorize(100, 'aut_2'));
    expect(one.operations()).toEqual(['authorize 500']);
    one.answer().answer();
    expect(one.events()).toEqual(['authorized 500', 'authorized 100']);
  });
});

describe('less held', () => {
  it('is taken from the newest first, once for each revision, and never more than there is', () => {
    const one = held().ask(authorize(100, 'aut_2')).answer().ask(reduce(1, 150)).ask(reduce(1, 150)).answer().answer().ask(reduce(1, 150));
    expect(one.operations()).toEqual(['authorize 100 of aut_2 …', 'void 100 of aut_2', 'void 50 …']);
    expect(one.payment).toMatchObject({ held: 450, status: 'authorized' });
    one.ask(reduce(2, 1_000)).answer();
    expect(one.events()).toEqual(['authorized 100', 'reduced 150', 'reduced 150', 'reduced 450']);
    expect(one.payment.status).toBe('voided');
  });
});

describe('refunds', () => {
  it('give back in parts, each once, and no more than was captured', () => {
    const one = held().ask(capture('shp_1')).answer().ask(refund('ref_1', 200)).ask(refund('ref_2', 301)).answer().ask(refund('ref_1', 200));
    expect(one.payment).toMatchObject({ status: 'part_refunded', captured: 300, refunded: 200 });
    expect(one.operations()).toEqual(['capture 500', 'refund 200 …']);
    expect(one.events()).toEqual(['captured 500', 'refunded 200', 'refund_failed more_than_captured', 'refunded 200']);
    one.ask(refund('ref_2', 300)).answer();
    expect(one.payment).toMatchObject({ status: 'refunded', captured: 0, refunded: 500 });
  });

  it('that the provider refuses are said, and leave the money where it is', () => {
    const one = held().ask(capture('shp_1')).answer().ask(refund('ref_1', 200)).answer(declined);
    expect(one.payment).toMatchObject({ status: 'captured', captured: 500, under_way: null });
    expect(one.events()).toEqual(['captured 500', 'refund_failed no']);
  });
});

describe('an expiry', () => {
  it('gives up what an authorisation holds, and nothing when all of it was captured', () => {
    const one = story()
      .ask(authorize(500))
      .answer({ ...approved, until: 9_000 });
    expect([...expiriesOf(one.payment)]).toEqual([['', 9_000]]);
    one.ask(capture('shp_1', 200)).ask(command('payment.expire', {})).answer().answer();
    expect(one.operations()).toEqual(['authorize 500', 'capture 200 …', 'expire 300']);
    expect(one.events()).toEqual(['authorized 500', 'captured 200', 'expired 300']);
    expect(one.payment).toMatchObject({ status: 'captured', held: 0 });
    expect(expiriesOf(one.payment).size).toBe(0);
    one.ask(capture('shp_2', 300));
    expect(one.events()).toEqual(['capture_failed not_enough_held']);
    const other = held().ask(capture('shp_1')).answer();
    other.events();
    expect(other.ask(command('payment.expire', {})).events()).toEqual([]);
  });
});

describe('a void of everything', () => {
  it('refuses what waits, gives back what is held and kept on every authorisation, and then says so', () => {
    const one = held().ask(authorize(100, 'aut_2')).answer().ask(capture('shp_1', 200)).ask(capture('shp_2', 100)).ask(voidAll());
    one.answer().answer().answer().answer();
    expect(one.operations()).toEqual(['authorize 100 of aut_2 …', 'capture 200 …', 'void 300', 'void 100 of aut_2', 'refund 200 …']);
    expect(one.events()).toEqual(['authorized 100', 'captured 200', 'capture_failed payment_void_requested', 'voided 200']);
    expect(one.payment).toMatchObject({ held: 0, captured: 0, refunded: 200, status: 'refunded', under_way: null });
    one.ask(capture('shp_3', 1)).ask(refund('ref_1', 1)).ask(authorize(1, 'aut_3'));
    expect(one.events()).toEqual(['capture_failed payment_void_requested', 'refund_failed payment_void_requested']);
  });

  it('that the provider refuses is said and not tried in a circle', () => {
    const one = held().ask(capture('shp_1', 200)).answer().ask(voidAll()).answer(declined);
    expect(one.payment.under_way).toBeNull();
    expect(one.events()).toEqual(['captured 200', 'failed void_failed: no']);
    one.ask(voidAll()).answer().answer();
    expect(one.events()).toEqual(['voided 200']);
  });
});

it('needs a payment, and one currency', () => {
  expect(() => story().ask(refund('ref_1', 1))).toThrow('no payment');
  const dollars = command('payment.authorize', { amount: 1, currency: 'USD', token: 'tok', authorization: 'aut_2' });
  expect(() => held().ask(dollars)).toThrow('is in EUR');
});
