import { describe, expect, test } from 'vitest';
import { after, answer, ANSWERS, placed, rulesAt, T0, typesOf } from '../../test/orders/make.ts';
import { Refusal } from '../kernel/errors.ts';
import { advance, mayNeedLines, request } from './domain.ts';
import { isLegal } from './domain-explain.ts';
import type { Order, Step } from './domain-order.ts';
import { isFinished, statusOf, timerOf } from './domain-status.ts';
import { type ReplyName, REPLIES, STATES, TRIGGERS, actOf } from './domain-table.ts';
import { DEADLINES } from './domain-waybill.ts';

const TO_READY: ReplyName[] = ['stock.reserved', 'payment.authorized', 'shipment.ready'];
const TO_SHIPPED: ReplyName[] = [...TO_READY, 'shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched'];

const at = (...replies: ReplyName[]): Order => after(placed().order, replies).order;
const status = (order: Order): unknown => Object.values(statusOf(order.journey)).filter(Boolean).join(' ');
const stops = (order: Order): string => order.journey.stops.map(({ stop, state }) => `${stop}=${state}`).join(' ');

function cancelled(order: Order, reason?: string) {
  const step = request(order, { type: 'cancel', reason }, rulesAt(T0 + 2_000));
  if (step === undefined || step instanceof Refusal) throw step ?? new Error('nothing happened');
  return step;
}

describe('the way forward', () => {
  test('the default policy: stock, payment, shipping', () => {
    const first = placed();
    expect(typesOf(first.says)).toEqual(['order.placed', 'stock.reserve']);
    expect(status(first.order)).toBe('pending');

    const steps = after(first.order, ['stock.reserved', 'payment.authorized', 'shipment.ready']).steps.map((step) => [
      ...typesOf(step!.says),
      '→',
      status(step!.order),
    ]);
    expect(steps).toEqual([
      ['payment.authorize', '→', 'pending'],
      ['order.confirmed', 'shipment.prepare', '→', 'confirmed'],
      ['→', 'confirmed'],
    ]);
  });

  test('prepaid: the token waits with the order until payment is asked, and is forgotten once it has answered', () => {
    const first = placed({ policy: 'prepaid' });
    expect(first.says.at(-1)).toEqual({
      type: 'payment.authorize',
      data: { order_id: 'ord_1', amount: 2_250, currency: 'EUR', token: 'tok_secret' },
    });
    expect(first.order.payment_token).toBe('tok_secret');
    const { order, says } = after(first.order, ['payment.authorized', 'stock.reserved']);
    expect(typesOf(says)).toEqual(['stock.reserve', 'order.confirmed', 'shipment.prepare']);
    expect(order.payment_token).toBeNull();
  });

  test('reserve_only ends when the stock is promised', () => {
    const { order, says } = after(placed({ policy: 'reserve_only' }).order, ['stock.reserved']);
    expect(typesOf(says)).toEqual(['order.confirmed']);
    expect([order.journey.at, isFinished(order), timerOf(order)]).toEqual(['complete', true, undefined]);
  });

  test('a total of 0 needs no payment, neither before nor at dispatch', () => {
    const free = placed({ charges: [{ code: 'gift', amount: -2_250 }] }).order;
    const { order, says } = after(free, ['stock.reserved', 'shipment.ready', 'shipment.dispatch_requested']);
    expect(typesOf(says)).toEqual(['order.confirmed', 'shipment.prepare', 'shipment.dispatch']);
    expect(stops(order)).toBe('stock=done payment=skipped shipping=done');
  });

  test('the commands carry what the stops need', () => {
    const { says } = after(placed({ ship_to: { city: 'Lyon' } }).order, ['stock.reserved', 'payment.authorized']);
    expect(says.find(({ type }) => type === 'shipment.prepare')?.data).toEqual({
      order_id: 'ord_1',
      number: 'ORD-2026-000001',
      warehouse_id: 'whs_1',
      customer: { id: 'cus_1', name: 'Ada' },
      ship_to: { city: 'Lyon' },
      lines: [
        { line_id: 'lin_2', sku: 'A', quantity: 2 },
        { line_id: 'lin_3', sku: 'B', quantity: 1 },
      ],
    });
  });

  test('dispatch: the money first, then the parcel, then the goods', () => {
    const { order, says } = after(at(...TO_READY), ['shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched', 'shipment.delivered']);
    expect(typesOf(says)).toEqual(['payment.capture', 'shipment.dispatch', 'order.shipped', 'stock.commit', 'order.delivered']);
    expect(status(order)).toBe('delivered');
    expect(isFinished(order)).toBe(false); // the goods are still on the books
    expect(isFinished(after(order, ['stock.committed']).order)).toBe(true);
  });

  test('events are numbered without gaps, steps by the version', () => {
    const first = placed();
    const { says, steps } = after(first.order, [...TO_SHIPPED, 'stock.committed', 'shipment.delivered']);
    const events = [...first.says, ...says].filter(({ type }) => type.startsWith('order.'));
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    expect(steps.map((step) => step!.entry.seq)).toEqual(steps.map((_, i) => i + 2));
  });
});

describe('when a stop says no', () => {
  test('no stock: nothing to undo', () => {
    const { order, says } = after(placed().order, ['stock.rejected']);
    expect(typesOf(says)).toEqual(['order.cancelled']);
    expect([status(order), stops(order)]).toEqual(['cancelled out_of_stock', 'stock=refused payment=dropped shipping=dropped']);
  });

  test('no money: the stock is released first', () => {
    const { order, says } = after(at('stock.reserved'), ['payment.declined']);
    expect([typesOf(says), status(order)]).toEqual([['stock.release'], 'pending cancelling']);
    const end = after(order, ['stock.released']);
    expect([typesOf(end.says), status(end.order)]).toEqual([['order.cancelled'], 'cancelled payment_declined']);
    expect(end.order.payment_token).toBeNull();
  });

  test('prepaid and no stock: the payment is voided first', () => {
    const { says, order } = after(placed({ policy: 'prepaid' }).order, ['payment.authorized', 'stock.rejected', 'payment.voided']);
    expect([typesOf(says).slice(-2), status(order)]).toEqual([['payment.void', 'order.cancelled'], 'cancelled out_of_stock']);
  });

  test('the provider cannot be brought to an answer: on hold, and on again when it answers after all', () => {
    const held = after(at('stock.reserved'), ['payment.failed']);
    expect([typesOf(held.says), status(held.order)]).toEqual([['order.on_hold'], 'on_hold technical']);
    expect(timerOf(held.order)).toBeUndefined();
    const on = after(held.order, ['payment.authorized']);
    expect(typesOf(on.says)).toEqual(['order.resumed', 'order.confirmed', 'shipment.prepare']);
  });

  test('capturing fails: on hold, the dispatch refused; asking again resumes', () => {
    const { order, says } = after(at(...TO_READY), ['shipment.dispatch_requested', 'payment.capture_failed']);
    expect(typesOf(says)).toEqual(['payment.capture', 'shipment.refuse_dispatch', 'order.on_hold']);
    expect(status(order)).toBe('on_hold capture_failed');
    expect(typesOf(after(order, ['shipment.dispatch_requested']).says)).toEqual(['order.resumed', 'payment.capture']);
    expect(typesOf(cancelled(order).says)).toEqual(['shipment.cancel']);
  });

  test('money captured after all is not captured again', () => {
    const { order } = after(at(...TO_READY), ['shipment.dispatch_requested', 'payment.capture_failed', 'payment.captured']);
    expect(typesOf(after(order, ['shipment.dispatch_requested']).says)).toEqual(['order.resumed', 'shipment.dispatch']);
    expect(after(order, ['payment.captured']).steps).toEqual([undefined]);
  });
});

describe('cancelling', () => {
  test('undoes every started stop in reverse, one at a time', () => {
    const step = cancelled(at(...TO_READY), 'changed my mind');
    expect([typesOf(step.says), status(step.order)]).toEqual([['shipment.cancel'], 'confirmed cancelling']);
    expect(step.entry.detail).toMatchObject({ reason: 'changed my mind' });
    const { order, says, steps } = after(step.order, ['shipment.cancelled', 'payment.voided', 'stock.released']);
    expect(steps.map((one) => typesOf(one!.says))).toEqual([['payment.void'], ['stock.release'], ['order.cancelled']]);
    expect(says.at(-1)!.data).toMatchObject({ reason: 'customer' });
    expect(stops(order)).toBe('stock=undone payment=undone shipping=undone');
  });

  test('a stop that was only asked is undone too; its answer comes late and changes nothing', () => {
    const step = cancelled(at('stock.reserved'));
    expect(typesOf(step.says)).toEqual(['payment.void']);
    const late = after(step.order, ['payment.authorized']);
    expect([typesOf(late.says), late.steps[0]!.entry.detail.late]).toEqual([[], true]);
    expect(status(after(late.order, ['payment.voided', 'stock.released']).order)).toBe('cancelled customer');
  });

  test('an order on hold is cancelled by an operator', () => {
    const held = after(at('stock.reserved'), ['payment.failed']).order;
    const { order } = after(cancelled(held).order, ['payment.voided', 'stock.released']);
    expect(status(order)).toBe('cancelled operator');
  });

  test('reserve_only can be cancelled after its end', () => {
    const done = after(placed({ policy: 'reserve_only' }).order, ['stock.reserved']).order;
    expect(typesOf(cancelled(done).says)).toEqual(['stock.release']);
  });

  test('twice is once', () => {
    const step = cancelled(at(...TO_READY));
    expect(request(step.order, { type: 'cancel' }, rulesAt(T0))).toBeUndefined();
  });

  test.each([
    ['capturing', ['shipment.dispatch_requested']],
    ['dispatching', ['shipment.dispatch_requested', 'payment.captured']],
    ['shipped', ['shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched']],
  ] as const)('is refused from the pivot on: %s', (state, replies) => {
    const order = at(...TO_READY, ...replies);
    expect(order.journey.at).toBe(state);
    expect(request(order, { type: 'cancel' }, rulesAt(T0))).toMatchObject({ code: 'order_not_cancellable' });
    expect(isLegal(order, 'cancel')).toBe(false);
  });

  test('wins against a dispatch asked for later', () => {
    const { says } = after(cancelled(at(...TO_READY)).order, ['shipment.dispatch_requested']);
    expect(says).toEqual([{ type: 'shipment.refuse_dispatch', data: { order_id: 'ord_1', reason: 'order_cancelled' } }]);
  });
});

describe('deadlines', () => {
  const over = (order: Order): ReturnType<typeof after> => after(order, ['order.check_deadline'], timerOf(order)!.dueAt);

  test('each state an answer is awaited in has one', () => {
    const order = placed().order;
    expect(timerOf(order)).toEqual({ dueAt: T0 + DEADLINES.stock, data: { order_id: 'ord_1', stop: 'stock', epoch: 1 } });
    expect(timerOf(at(...TO_READY))).toBeUndefined();
  });

  test('a pending order is cancelled', () => {
    expect(typesOf(over(placed().order).says)).toEqual(['stock.release']);
    const late = over(at('stock.reserved'));
    expect(typesOf(late.says)).toEqual(['payment.void']);
    expect(status(after(late.order, ['payment.voided', 'stock.released']).order)).toBe('cancelled timeout');
  });

  test('a confirmed order, and one being cancelled, is put on hold: the answer lifts it', () => {
    const preparing = over(at('stock.reserved', 'payment.authorized'));
    expect([typesOf(preparing.says), status(preparing.order)]).toEqual([['order.on_hold'], 'on_hold technical']);
    expect(typesOf(after(preparing.order, ['shipment.ready']).says)).toEqual(['order.resumed']);
    const releasing = over(cancelled(placed().order).order);
    expect(typesOf(after(releasing.order, ['stock.released']).says)).toEqual(['order.resumed', 'order.cancelled']);
  });

  test('a reminder that comes too early, or of a state that was left, says nothing', () => {
    const { dueAt } = timerOf(placed().order)!;
    expect(advance(placed().order, answer('order.check_deadline'), rulesAt(dueAt - 1))).toBeUndefined();
    expect(advance(at('stock.reserved'), answer('order.check_deadline'), rulesAt(dueAt))).toBeUndefined();
  });
});

describe('dead letters', () => {
  const dead = (message_type: string, source = 'inventory') => answer('message.dead_lettered', { message_type }, { source });

  test('of what is waited for: on hold; resuming says the command again', () => {
    const held = after(placed().order, [dead('stock.reserve')]).order;
    expect(held.journey.hold).toMatchObject({ reason: 'technical', dead_letter_id: 'dl_1' });
    const again = request(held, { type: 'resume', operation: 'ops' }, rulesAt(T0 + 5_000));
    if (again === undefined || again instanceof Refusal) throw new Error('not resumed');
    expect([typesOf(again.says), again.entry.detail.operation]).toEqual([['order.resumed', 'stock.reserve'], 'ops']);
    expect(again.says[1]).toMatchObject({ data: { again: true } }); // the stop may have done it, and its answer be lost
    expect(timerOf(again.order)).toMatchObject({ dueAt: T0 + 5_000 + DEADLINES.stock });
  });

  test('an answer counts when orders itself gave it up, not when another listener did', () => {
    expect(after(placed().order, [dead('stock.reserved', 'orders')]).order.journey.hold).not.toBeNull();
    expect(after(placed().order, [dead('stock.reserved', 'notifications')]).order.journey.hold).toBeNull();
  });

  test('of anything else: written down', () => {
    const { order, steps } = after(placed().order, [dead('order.placed', 'notifications')]);
    expect([order.journey.hold, steps[0]!.says]).toEqual([null, []]);
    expect(steps[0]!.entry.detail).toMatchObject({ message_type: 'order.placed' });
  });

  test('after the pivot nothing is undone: resuming goes on', () => {
    const held = after(at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured'), [dead('shipment.dispatch', 'shipping')]).order;
    expect(isLegal(held, 'cancel')).toBe(false);
    const again = request(held, { type: 'resume' }, rulesAt(T0));
    expect(again).toMatchObject({ says: [{ type: 'order.resumed' }, { type: 'shipment.dispatch' }] });
  });

  test('resuming what is not on hold is refused', () => {
    expect(request(placed().order, { type: 'resume' }, rulesAt(T0))).toMatchObject({ code: 'order_not_on_hold' });
    expect(request(at(...TO_SHIPPED, 'stock.committed'), { type: 'resume' }, rulesAt(T0))).toMatchObject({ code: 'order_not_on_hold' });
    expect(isLegal(at(...TO_SHIPPED, 'stock.committed'), 'resume')).toBe(false);
  });

  test.each([
    ['shipped', at(...TO_SHIPPED)],
    ['delivered', at(...TO_SHIPPED, 'shipment.delivered')],
  ])('goods that left and are still on the books are asked for again when it is %s', (state, order) => {
    expect(isLegal(order, 'resume')).toBe(true);
    const step = request(order, { type: 'resume' }, rulesAt(T0));
    expect(step).toMatchObject({ order: { journey: { at: state } }, says: [{ type: 'stock.commit', data: { again: true } }] });
    expect((step as Step).says.length).toBe(1);
  });
});

describe('repetition and disorder', () => {
  test('each answer a second time changes nothing', () => {
    let order = placed().order;
    for (const type of [...TO_SHIPPED, 'stock.committed', 'shipment.delivered'] satisfies ReplyName[]) {
      const message = answer(type);
      order = after(order, [message]).order;
      expect([type, advance(order, message, rulesAt(T0))]).toEqual([type, undefined]);
    }
  });

  test('a dispatch request delivered again after its capture failed asks for nothing', () => {
    const asked = answer('shipment.dispatch_requested');
    const failed = answer('payment.capture_failed');
    const order = after(at(...TO_READY), [asked, failed]).order;
    expect(advance(order, asked, rulesAt(T0))).toBeUndefined();
    const second = after(order, ['shipment.dispatch_requested']).order;
    expect(second.journey.at).toBe('capturing');
    expect(advance(second, failed, rulesAt(T0))).toBeUndefined();
  });

  test('delivered overtakes dispatched', () => {
    const { order, says } = after(at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured'), ['shipment.delivered', 'shipment.dispatched']);
    expect(typesOf(says)).toEqual(['order.shipped', 'stock.commit', 'order.delivered']);
    expect(order.journey.at).toBe('delivered');
  });

  test('a dispatch request overtakes ready', () => {
    const { order, says } = after(at('stock.reserved', 'payment.authorized'), ['shipment.dispatch_requested', 'shipment.ready']);
    expect([typesOf(says), order.journey.at]).toEqual([['payment.capture'], 'capturing']);
  });

  test('a stop that comes late never revives a cancelled order', () => {
    const dead = after(cancelled(placed().order).order, ['stock.released']).order;
    for (const type of REPLIES.filter((name) => name !== 'shipment.dispatch_requested')) {
      const step = advance(dead, answer(type), rulesAt(T0));
      expect([type, step?.says ?? [], step?.order.journey.at ?? 'cancelled']).toEqual([type, [], 'cancelled']);
    }
  });
});

describe('the table', () => {
  test('K13 declares every pair of state and trigger', () => {
    for (const state of Object.keys(STATES) as (keyof typeof STATES)[])
      for (const trigger of TRIGGERS) expect([state, trigger, typeof actOf(state, trigger)]).toEqual([state, trigger, 'string']);
    expect(new Set(REPLIES)).toEqual(new Set(Object.keys(ANSWERS)));
  });

  test('each answer a state waits for is expected there', () => {
    for (const [state, wait] of Object.entries(STATES))
      for (const name of wait?.answers ?? []) expect(['late', 'idle']).not.toContain(actOf(state as keyof typeof STATES, name));
  });
});

test('lines are asked for when a stop that needs them is near', () => {
  const one = [answer('stock.reserved')];
  expect(mayNeedLines(placed().order, one)).toBe(false); // payment is next
  expect(mayNeedLines(placed().order, [...one, answer('payment.authorized')])).toBe(true);
  expect(mayNeedLines(at('stock.reserved'), one)).toBe(true);
  expect(mayNeedLines(at(...TO_READY), [...one, ...one])).toBe(false);
  const bare = { ...at('stock.reserved'), lines: null };
  expect(() => advance(bare, answer('payment.authorized'), rulesAt(T0))).toThrow('were not loaded');
});
