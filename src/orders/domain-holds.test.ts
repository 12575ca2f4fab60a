import { describe, expect, test } from 'vitest';
import { after, answer, placed, priced, reply, rulesAt, T0, typesOf } from '../../test/orders/make.ts';
import { Refusal } from '../kernel/errors.ts';
import { request } from './domain.ts';
import { edit } from './domain-edit.ts';
import { explain } from './domain-explain.ts';
import type { HoldAsked } from './domain-holds.ts';
import type { Order, Request, Step } from './domain-order.ts';
import { place } from './domain-place.ts';
import type { ReplyName } from './domain-table.ts';
import { nextStep, statusOf, timerOf } from './domain-status.ts';
import { DEADLINES } from './domain-waybill.ts';

const TO_READY: ReplyName[] = ['stock.reserved', 'payment.authorized', 'shipment.ready'];
const at = (...replies: ReplyName[]): Order => after(placed().order, replies).order;

function ask(order: Order, what: Request, now = T0 + 2_000): Step {
  const step = request(order, what, rulesAt(now));
  if (step === undefined || step instanceof Refusal) throw step ?? new Error('nothing happened');
  return step;
}
const hold = (order: Order, more: Partial<HoldAsked> = {}): Step => ask(order, { type: 'hold', client: 'ada', hold: { reason: 'fraud', ...more } });
const release = (order: Order, i = 0): Step => ask(order, { type: 'release', hold_id: order.journey.holds![i]!.id, reason: 'looked at' });

describe('a hold on the order', () => {
  test('lets the answer under way come, and stops before the next stop', () => {
    const held = hold(placed().order, { note: 'odd address' });
    expect(held.says).toMatchObject([
      { type: 'hold.placed', data: { target: 'order', reason: 'fraud', note: 'odd address' } },
      { type: 'order.on_hold', data: { reason: 'fraud' } },
    ]);
    expect(statusOf(held.order.journey)).toEqual({ status: 'on_hold', status_reason: 'fraud' });
    const { order, says } = after(held.order, ['stock.reserved']);
    expect([says, order.journey.at, nextStep(order)]).toEqual([[], 'held', 'release_hold']);
    expect(explain(order, DEADLINES)).toMatchObject([
      { blocker: 'hold_fraud', owner: 'operator', legal_commands: ['release_hold', 'cancel'], evidence: { note: 'odd address, placed by ada' } },
    ]);
    const free = release(order);
    expect(typesOf(free.says)).toEqual(['hold.released', 'order.resumed', 'payment.authorize']);
    expect(free.says[0]!.data).toMatchObject({ release_reason: 'looked at' });
  });

  test('several: the last one that goes lets it go on', () => {
    const two = after(hold(hold(placed().order).order, { reason: 'approval' }).order, ['stock.reserved']).order;
    const one = release(two);
    expect([typesOf(one.says), one.order.journey.at]).toEqual([['hold.released'], 'held']);
    expect(typesOf(release(one.order).says)).toEqual(['hold.released', 'order.resumed', 'payment.authorize']);
  });

  test('expires by itself', () => {
    const held = after(hold(placed().order, { expires_at: T0 + 60_000 }).order, ['stock.reserved']).order;
    expect(timerOf(held)!.dueAt).toBe(T0 + 60_000);
    const early = after(held, [reply('order.check_deadline', timerOf(held)!.data)], T0 + 59_999);
    expect(early.steps).toEqual([undefined]);
    const over = after(held, [reply('order.check_deadline', timerOf(held)!.data)], T0 + 60_000);
    expect(typesOf(over.says)).toEqual(['hold.expired', 'order.resumed', 'payment.authorize']);
  });

  test('on a parcel that is ready: shipping is told, and it is not dispatched', () => {
    const held = hold(at(...TO_READY));
    expect(typesOf(held.says)).toEqual(['hold.placed', 'shipment.hold', 'order.on_hold']);
    const denied = after(held.order, ['shipment.dispatch_requested']);
    expect(denied.says).toMatchObject([{ type: 'shipment.refuse_dispatch', data: { reason: 'order_on_hold' } }]);
    const free = release(held.order);
    expect(typesOf(free.says)).toEqual(['hold.released', 'shipment.release_hold', 'order.resumed']);
    expect(typesOf(after(free.order, ['shipment.dispatch_requested']).says)).toEqual(['payment.capture']);
  });

  test('while the money is captured: it is taken, and the parcel stays', () => {
    const held = hold(at(...TO_READY, 'shipment.dispatch_requested')).order;
    const paid = after(held, ['payment.captured']);
    expect(paid.says).toMatchObject([{ type: 'shipment.refuse_dispatch', data: { reason: 'order_on_hold' } }]);
    expect(paid.order.journey.at).toBe('ready');
    expect(typesOf(after(release(paid.order).order, ['shipment.dispatch_requested']).says)).toEqual(['shipment.dispatch']);
  });

  test('cancelling drops it', () => {
    const held = after(hold(placed().order).order, ['stock.reserved']).order;
    const step = ask(held, { type: 'cancel' });
    expect(typesOf(step.says)).toEqual(['hold.released', 'stock.release']);
    expect(statusOf(after(step.order, ['stock.released']).order.journey)).toEqual({ status: 'cancelled', status_reason: 'operator' });
  });

  test('is refused where nothing is left to be stopped', () => {
    const gone = at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured');
    expect(request(gone, { type: 'hold', hold: { reason: 'manual' } }, rulesAt(T0))).toMatchObject({ code: 'order_state' });
    expect(request(placed().order, { type: 'hold', hold: { reason: 'manual', expires_at: T0 } }, rulesAt(T0))).toMatchObject({
      code: 'invalid_request',
    });
    expect(request(placed().order, { type: 'release', hold_id: 'hld_no' }, rulesAt(T0))).toMatchObject({ code: 'hold_not_found' });
    expect(request(placed().order, { type: 'hold', hold: { reason: 'manual', line_id: 'lin_x' } }, rulesAt(T0))).toMatchObject({
      code: 'line_not_found',
    });
    let full = placed().order;
    for (let i = 0; i < 50; i += 1) full = hold(full).order;
    expect(request(full, { type: 'hold', hold: { reason: 'manual' } }, rulesAt(T0))).toMatchObject({ code: 'order_state' });
  });
});

describe('a hold on a part', () => {
  const parts = [
    { warehouse_id: 'whs_1', lines: [{ line_id: 'lin_2', sku: 'A', quantity: 2 }] },
    { warehouse_id: 'whs_2', lines: [{ line_id: 'lin_3', sku: 'B', quantity: 1 }] },
  ];

  test('a line: its shipment is not prepared, the others are', () => {
    const held = hold(placed().order, { line_id: 'lin_3' });
    expect(statusOf(held.order.journey).status).toBe('pending'); // the order goes on
    const { order, says } = after(held.order, [answer('stock.reserved', { parts }), 'payment.authorized']);
    expect(typesOf(says)).toEqual(['payment.authorize', 'order.confirmed', 'shipment.prepare']);
    expect(order.journey.shipments!.map(({ state }) => state)).toEqual(['preparing', 'planned']);
    expect(typesOf(release(order).says)).toEqual(['hold.released', 'shipment.prepare']);
  });

  test('a line of an order with one shipment stops it before its shipping', () => {
    const { order } = after(hold(placed().order, { line_id: 'lin_3' }).order, ['stock.reserved', 'payment.authorized']);
    expect([order.journey.at, statusOf(order.journey).status]).toEqual(['held', 'on_hold']);
    expect(typesOf(release(order).says)).toEqual(['hold.released', 'order.resumed', 'shipment.prepare']);
  });

  test('a shipment: the others leave', () => {
    const start = after(placed().order, [answer('stock.reserved', { parts }), 'payment.authorized']).order;
    const [one, two] = start.journey.shipments!.map(({ id }) => id);
    const held = hold(start, { shipment_id: two });
    expect(held.says).toMatchObject([
      { type: 'hold.placed', data: { shipment_id: two } },
      { type: 'shipment.hold', data: { shipment_id: two } },
    ]);
    const both = after(
      held.order,
      [one, two].map((shipment_id) => answer('shipment.dispatch_requested', { shipment_id: shipment_id! })),
    );
    expect(typesOf(both.says)).toEqual(['payment.capture', 'shipment.refuse_dispatch']);
  });
});

describe('a draft', () => {
  const drafted = (more: Parameters<typeof priced>[0] = {}): Step =>
    place(priced({ draft: true, payment: undefined, ...more }), { number: 'ORD-2026-000001', client: 'local' }, rulesAt(T0));

  test('promises nothing until it is placed', () => {
    const { order, says, entry } = drafted();
    expect([typesOf(says), statusOf(order.journey).status, entry.type]).toEqual([['order.drafted'], 'draft', 'order.drafted']);
    expect(explain(order, DEADLINES)).toMatchObject([{ blocker: 'draft', owner: 'operator', legal_commands: ['place', 'edit', 'discard'] }]);
    expect(request(order, { type: 'place', token: null }, rulesAt(T0))).toMatchObject({ code: 'payment_token_required' });
    const step = ask(order, { type: 'place', token: 'tok_ok' });
    expect(typesOf(step.says)).toEqual(['order.placed', 'stock.reserve']);
    expect(after(step.order, ['stock.reserved']).says).toMatchObject([{ data: { token: 'tok_ok', amount: 2_250 } }]);
  });

  test('is edited freely: lines go, prices change, the customer too', () => {
    const { order } = drafted();
    const [a, b] = order.lines!;
    const lines = [
      { line_id: a!.id, quantity: 5, unit_price: 900 },
      { line_id: b!.id, quantity: 0 },
    ];
    const rules = { catalogue: new Map(), taxes: rulesAt(T0).taxes, id: rulesAt(T0).id };
    const change = edit(order, { lines, customer: { id: 'cus_2' }, ship_to: { city: 'Lyon' } }, rules);
    if (change instanceof Refusal) throw change;
    const step = ask(order, { type: 'revise', change });
    expect(step.says).toEqual([]);
    expect(step.order).toMatchObject({ total: 4_500, customer: { id: 'cus_2' }, ship_to: { city: 'Lyon' }, lines: [{ quantity: 5, cancelled: 0 }] });
  });

  test('made free of charge needs no payment any more', () => {
    const { order } = drafted();
    const rules = { catalogue: new Map(), taxes: rulesAt(T0).taxes, id: rulesAt(T0).id };
    const change = edit(order, { charges: [{ code: 'gift', amount: -2_250 }] }, rules);
    if (change instanceof Refusal) throw change;
    const free = ask(ask(order, { type: 'revise', change }).order, { type: 'place', token: null }).order;
    expect(free.journey.stops.map(({ state }) => state)).toEqual(['requested', 'skipped', 'waiting']);
  });

  test('is discarded, by that name or as a cancel', () => {
    for (const type of ['discard', 'cancel'] as const) {
      const step = ask(drafted().order, { type });
      expect([typesOf(step.says), statusOf(step.order.journey)]).toEqual([['order.discarded'], { status: 'cancelled', status_reason: 'discarded' }]);
    }
    expect(request(placed().order, { type: 'discard' }, rulesAt(T0))).toMatchObject({ code: 'order_state' });
  });

  test('a hold on it lies on the order once it is placed', () => {
    const held = hold(drafted().order, { reason: 'approval' });
    expect(typesOf(held.says)).toEqual(['hold.placed']);
    const step = ask(held.order, { type: 'place', token: 'tok_ok' });
    expect([typesOf(step.says), step.order.journey.at]).toEqual([['order.placed'], 'held']);
    expect(typesOf(release(step.order).says)).toEqual(['hold.released', 'order.resumed', 'stock.reserve']);
  });
});

test('a note is kept in the timeline, whatever the order is at', () => {
  const step = ask(at('stock.rejected'), { type: 'note', text: 'called the customer' });
  expect([typesOf(step.says), step.entry]).toMatchObject([['order.note_added'], { type: 'note', detail: { text: 'called the customer' } }]);
});
