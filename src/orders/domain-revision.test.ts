import { describe, expect, test } from 'vitest';
import { after, answer, catalogueOf, item, placed, rulesAt, T0, typesOf } from '../../test/orders/make.ts';
import { Refusal } from '../kernel/errors.ts';
import { request } from './domain.ts';
import { asGiven } from './domain-charges.ts';
import { type EditAsked, cancelLines, edit } from './domain-edit.ts';
import { explain } from './domain-explain.ts';
import { dueOf, moneyOf, paymentFacet } from './domain-money.ts';
import type { Order, Pieces, Request, Step } from './domain-order.ts';
import type { Change } from './domain-revision-plan.ts';
import { effectsOf } from './domain-revision-plan.ts';
import type { ReplyName } from './domain-table.ts';
import { isFinished, statusOf } from './domain-status.ts';
import { DEADLINES } from './domain-waybill.ts';

const TO_READY: ReplyName[] = ['stock.reserved', 'payment.authorized', 'shipment.ready'];
const at = (...replies: ReplyName[]): Order => after(placed().order, replies).order;
const A = (quantity: number): Pieces => ({ line_id: 'lin_2', sku: 'A', quantity });
const B = (quantity: number): Pieces => ({ line_id: 'lin_3', sku: 'B', quantity });
const held = (warehouse_id: string, ...lines: Pieces[]) => ({ warehouse_id, lines });
const rules = { catalogue: catalogueOf(item('A'), item('B'), item('C')), taxes: asGiven, id: rulesAt(T0).id };

function changeOf(order: Order, asked: EditAsked): Change {
  const change = edit(order, { payment: { token: 'tok_more' }, ...asked }, rules);
  if (change instanceof Refusal) throw change;
  return change;
}
function fewer(order: Order, lines?: { line_id: string; quantity: number }[], reason?: string): Change {
  const change = cancelLines(order, { lines, reason }, rules);
  if (change instanceof Refusal) throw change;
  return change;
}
function ask(order: Order, what: Request): Step {
  const step = request(order, what, rulesAt(T0 + 5_000));
  if (step === undefined || step instanceof Refusal) throw step ?? new Error('nothing happened');
  return step;
}
const revise = (order: Order, change: Change): Step => ask(order, { type: 'revise', change });
const changed = (revision: number, parts: ReturnType<typeof held>[], queued: Pieces[] = []) =>
  answer('stock.changed', { revision, parts, queued: queued.map((line, i) => ({ ...line, place: i + 1 })) });
const topUp = (order: Order) => ({ authorization: order.journey.revision!.authorization!, amount: order.journey.revision!.top_up! });
const shipments = (order: Order): string =>
  (order.journey.shipments ?? []).map(({ state, lines }) => `${state} ${lines.map(({ sku, quantity }) => `${quantity}${sku}`).join('+')}`).join(', ');

describe('an edit', () => {
  test('more pieces: stock first, then the money, then it is so, and the parcel is prepared anew', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 3 }], reason: 'one more' }));
    expect(first.says).toMatchObject([{ type: 'stock.change', data: { revision: 1, lines: [A(3), B(1)] } }]);
    expect([first.order.journey.at, statusOf(first.order.journey), first.order.total]).toEqual([
      'raising',
      { status: 'confirmed', status_reason: 'changing' },
      2_250,
    ]);
    const money = after(first.order, [changed(1, [held('whs_1', A(3), B(1))])]);
    expect(money.says).toMatchObject([{ type: 'payment.authorize', data: { amount: 1_000, token: 'tok_more', authorization: expect.any(String) } }]);
    const done = after(money.order, [answer('payment.authorized', topUp(money.order))]);
    expect(typesOf(done.says)).toEqual(['order.edited', 'shipment.cancel', 'shipment.prepare']);
    expect(done.says[0]!.data).toMatchObject({
      revision: 1,
      total_before: 2_250,
      total: 3_250,
      reason: 'one more',
      lines_added: [],
      lines_changed: [{ line_id: 'lin_2', sku: 'A', from: 2, to: 3 }],
    });
    expect([shipments(done.order), moneyOf(done.order).held]).toEqual(['recalling 2A+1B, preparing 3A+1B', 3_250]);
    expect(done.order.lines).toMatchObject([{ quantity: 3, cancelled: 0, amount: 3_000 }, { quantity: 1 }]);
    expect(JSON.stringify([done.order.journey.revision, done.steps])).not.toContain('tok_more');
  });

  test('a line of another warehouse is a second shipment; the one that fits stays', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { add_lines: [{ sku: 'C', quantity: 1, unit_price: 0 }] }));
    const added = first.order.journey.revision!.target.lines[2]!;
    const C = { line_id: added.id, sku: 'C', quantity: 1 };
    const done = after(first.order, [changed(1, [held('whs_1', A(2), B(1)), held('whs_2', C)])]);
    expect([typesOf(done.says), shipments(done.order)]).toEqual([['order.edited', 'shipment.prepare'], 'ready 2A+1B, preparing 1C']);
  });

  test('no stock: nothing has changed', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 9 }] }));
    const no = after(first.order, [answer('stock.change_rejected', { revision: 1 })]);
    expect(no.says).toMatchObject([{ type: 'order.revision_rejected', data: { revision: 1, reason: 'out_of_stock' } }]);
    expect([shipments(no.order), no.order.lines, no.order.total, moneyOf(no.order)]).toEqual(['ready 2A+1B', start.lines, 2_250, moneyOf(start)]);
    expect(typesOf(after(no.order, [answer('shipment.dispatch_requested')]).says)).toEqual(['payment.capture']);
  });

  test('no money: what was raised is lowered again, which cannot be refused', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 3 }] }));
    const money = after(first.order, [changed(1, [held('whs_1', A(3), B(1))])]).order;
    const no = after(money, [answer('payment.declined', topUp(money))]);
    expect(no.says).toMatchObject([{ type: 'stock.change', data: { revision: 2, lines: [A(2), B(1)] } }]);
    const back = after(no.order, [changed(2, [held('whs_1', A(2), B(1))])]);
    expect(back.says).toMatchObject([{ type: 'order.revision_rejected', data: { reason: 'payment_declined' } }]);
    expect([shipments(back.order), back.order.total, moneyOf(back.order).held]).toEqual(['ready 2A+1B', 2_250, 2_250]);
  });

  test('more of one and less of another: up, money, then down; nothing that was refused would be missing', () => {
    const start = at('stock.reserved', 'payment.authorized');
    const first = revise(
      start,
      changeOf(start, {
        lines: [
          { line_id: 'lin_2', quantity: 3 },
          { line_id: 'lin_3', quantity: 0 },
        ],
      }),
    );
    expect(first.says[0]!.data).toMatchObject({ lines: [A(3), B(1)] });
    const money = after(first.order, [changed(1, [held('whs_1', A(3), B(1))])]);
    expect(money.says).toMatchObject([{ data: { amount: 750 } }]);
    const down = after(money.order, [answer('payment.authorized', topUp(money.order))]);
    expect(down.says).toMatchObject([{ type: 'order.edited' }, { type: 'stock.change', data: { revision: 2, lines: [A(3)] } }]);
    const done = after(down.order, [changed(2, [held('whs_1', A(3))])]);
    expect([typesOf(done.says), shipments(done.order)]).toEqual([['shipment.cancel', 'shipment.prepare'], 'recalling 2A+1B, preparing 3A']);
  });

  test('dearer by a charge only: no word to stock', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { charges: [{ code: 'express', amount: 500 }] }));
    expect(typesOf(first.says)).toEqual(['payment.authorize']);
    const done = after(first.order, [answer('payment.authorized', topUp(first.order))]);
    expect([typesOf(done.says), shipments(done.order), done.order.total]).toEqual([['order.edited'], 'ready 2A+1B', 2_750]);
  });

  test('another address: shipments that have not left are prepared anew, with it', () => {
    const start = at(...TO_READY);
    const { says, order } = revise(start, changeOf(start, { ship_to: { city: 'Lyon' } }));
    expect(typesOf(says)).toEqual(['order.address_changed', 'shipment.cancel', 'shipment.prepare']);
    expect(says[2]!.data).toMatchObject({ ship_to: { city: 'Lyon' }, lines: [A(2), B(1)], warehouse_id: 'whs_1' });
    expect(order.ship_to).toEqual({ city: 'Lyon' });
  });

  test('while stock or payment is asked it waits for the answer, and an order that is cancelled meanwhile rejects it', () => {
    const start = placed().order;
    const waiting = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 1 }] }));
    expect([waiting.says, waiting.order.journey.at]).toEqual([[], 'reserving']);
    expect(explain(waiting.order, DEADLINES).map(({ blocker, owner }) => [blocker, owner])).toEqual([
      ['reserving', 'inventory'],
      ['changing', 'inventory'],
    ]);
    const begun = after(waiting.order, ['stock.reserved']);
    expect(typesOf(begun.says)).toEqual(['order.edited', 'stock.change']);
    const done = after(begun.order, [changed(1, [held('whs_1', A(1), B(1))])]);
    expect(done.says).toMatchObject([{ type: 'payment.authorize', data: { amount: 1_250, token: 'tok_secret' } }]);
    expect(done.order.journey.shipments).toBeUndefined(); // it is an ordinary order still

    const refused = after(waiting.order, ['stock.rejected']);
    expect(typesOf(refused.says)).toEqual(['order.revision_rejected', 'order.cancelled']);
  });

  test('one at a time', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 3 }] })).order;
    const change = changeOf(first, { lines: [{ line_id: 'lin_3', quantity: 3 }] });
    expect(request(first, { type: 'revise', change }, rulesAt(T0))).toMatchObject({ code: 'order_busy' });
    const denied = after(first, [answer('shipment.dispatch_requested')]);
    expect(denied.says).toMatchObject([{ type: 'shipment.refuse_dispatch', data: { reason: 'order_being_changed' } }]);
  });

  test('cancelled on the way: everything is undone', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 3 }] })).order;
    const step = ask(first, { type: 'cancel' });
    expect(typesOf(step.says)).toEqual(['order.revision_rejected', 'shipment.cancel']);
    const late = after(step.order, [changed(1, [held('whs_1', A(3), B(1))])]);
    expect(late.says).toEqual([]);
    const { order } = after(late.order, [answer('shipment.cancelled', { shipment_id: 'shp_1' }), 'payment.voided', 'stock.released']);
    expect([statusOf(order.journey).status, dueOf(order)]).toEqual(['cancelled', 0]);
  });

  test('an answer to another question, and a second one, change nothing', () => {
    const start = at(...TO_READY);
    const first = revise(start, changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 3 }] })).order;
    expect(after(first, [changed(7, [])]).order.journey.at).toBe('raising');
    const money = after(first, [changed(1, [held('whs_1', A(3), B(1))])]).order;
    expect(after(money, [changed(1, [held('whs_1', A(3), B(1))])]).order.journey.at).toBe('topping_up');
    expect(after(money, ['payment.authorized']).order.journey.at).toBe('topping_up'); // the first authorisation, again
  });

  test('of a closed order: it opens again, and closes once the rest has arrived', () => {
    const start = at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched', 'stock.committed', 'shipment.delivered');
    expect(isFinished(start)).toBe(true);
    const first = revise(start, changeOf(start, { add_lines: [{ sku: 'C', quantity: 1, unit_price: 100 }] }));
    expect(typesOf(first.says)).toEqual(['stock.change', 'order.reopened']);
    expect(first.says[0]!.data).toMatchObject({ lines: [A(2), B(1), { sku: 'C', quantity: 1 }] }); // what has left included
    const C = { ...A(1), line_id: first.order.journey.revision!.target.lines[2]!.id, sku: 'C' };
    const money = after(first.order, [changed(1, [held('whs_2', C)])]).order;
    const done = after(money, [answer('payment.authorized', topUp(money))]);
    expect([shipments(done.order), statusOf(done.order.journey).status]).toEqual(['delivered 2A+1B, preparing 1C', 'confirmed']);
    const shipment_id = done.order.journey.shipments![1]!.id;
    const rest = after(done.order, [
      answer('shipment.dispatch_requested', { shipment_id }),
      answer('payment.captured', { shipment_id, amount: 100 }),
      answer('shipment.dispatched', { shipment_id }),
      answer('stock.committed', { shipment_id }),
      answer('shipment.delivered', { shipment_id }),
    ]);
    expect([typesOf(rest.says).slice(-2), isFinished(rest.order)]).toEqual([['order.shipped', 'order.delivered'], true]);
  });

  test('of an order under way to the customer it waits for the goods to be off the books', () => {
    const start = at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched');
    const waiting = revise(start, changeOf(start, { add_lines: [{ sku: 'C', quantity: 1, unit_price: 100 }] }));
    expect(waiting.says).toEqual([]);
    expect(typesOf(after(waiting.order, ['stock.committed']).says)).toEqual(['stock.change']);
  });

  test('that changes nothing is none', () => {
    const start = at(...TO_READY);
    const change = changeOf(start, { lines: [{ line_id: 'lin_2', quantity: 2 }], reason: 'as it was' });
    expect(request(start, { type: 'revise', change }, rulesAt(T0))).toBeUndefined();
  });

  test.each<[string, EditAsked, object]>([
    ['an unknown line', { lines: [{ line_id: 'lin_x', quantity: 1 }] }, { code: 'line_not_found', errors: [{ field: 'lines.0.line_id' }] }],
    ['an unknown sku', { add_lines: [{ sku: 'Z', quantity: 1 }] }, { code: 'unknown_sku', errors: [{ field: 'add_lines.0.sku' }] }],
    [
      'nothing left',
      {
        lines: [
          { line_id: 'lin_2', quantity: 0 },
          { line_id: 'lin_3', quantity: 0 },
        ],
      },
      { code: 'order_state' },
    ],
    ['a total below zero', { charges: [{ code: 'x', amount: -3_000 }] }, { code: 'amount_out_of_range' }],
    ['another customer', { customer: { id: 'other' } }, { code: 'order_state', errors: [{ field: 'customer' }] }],
    ['more money without a token', { charges: [{ code: 'x', amount: 1 }], payment: undefined }, { code: 'payment_token_required' }],
  ])('refuses %s', (_, asked, refusal) => {
    expect(edit(at(...TO_READY), asked, rules)).toMatchObject(refusal);
  });

  test('refuses to change what has left', () => {
    const left = at(...TO_READY, 'shipment.dispatch_requested');
    expect(edit(left, { lines: [{ line_id: 'lin_2', quantity: 1 }] }, rules)).toMatchObject({
      code: 'line_shipped',
      errors: [{ field: 'lines.0.quantity' }],
    });
    expect(edit(left, { lines: [{ line_id: 'lin_2', unit_price: 1 }] }, rules)).toMatchObject({ code: 'line_shipped' });
  });

  test('says beforehand what it comes to', () => {
    const start = at(...TO_READY);
    const change = changeOf(start, {
      lines: [
        { line_id: 'lin_2', quantity: 5 },
        { line_id: 'lin_3', quantity: 0 },
      ],
    });
    expect(effectsOf(start, change)).toEqual({ reserve: [A(3)], release: [B(1)], authorize: 2_750, give_up: 0, refund: 0, recall: [] });
    expect(effectsOf(start, fewer(start, [{ line_id: 'lin_2', quantity: 1 }]))).toMatchObject({ release: [A(1)], give_up: 1_000 });
  });
});

describe('a partial cancel', () => {
  test('before anything has left: stock and money are given up, the charges of the line in proportion', () => {
    const charges = [{ code: 'vat', amount: 101, kind: 'tax' as const, line_id: 'lin_2' }];
    const start = { ...at(...TO_READY), charges, charges_total: 101, total: 2_351 };
    const first = revise(start, fewer(start, [{ line_id: 'lin_2', quantity: 1 }], 'too many'));
    expect(first.says).toMatchObject([
      { type: 'order.lines_cancelled', data: { lines: [A(1)], total_before: 2_351, total: 1_300, reason: 'too many' } },
      { type: 'stock.change', data: { revision: 1, lines: [A(1), B(1)] } },
    ]);
    const money = after(first.order, [changed(1, [held('whs_1', A(1), B(1))])]);
    expect(money.says.at(-1)).toMatchObject({ type: 'payment.void', data: { amount: 1_051, revision: 1 } });
    const done = after(money.order, [answer('payment.reduced', { amount: 1_051, revision: 1 })]);
    expect([moneyOf(done.order).held, done.order.total, paymentFacet(done.order)]).toEqual([1_300, 1_300, 'authorized']);
    expect(shipments(done.order)).toBe('recalling 2A+1B, preparing 1A+1B');
    expect(done.order.lines![0]).toMatchObject({ quantity: 2, cancelled: 1, amount: 1_000 });
  });

  test('of what has not left, after a part has: nothing is due in the end', () => {
    const parts = [held('whs_1', A(2)), held('whs_2', B(1))];
    const start = after(placed().order, [answer('stock.reserved', { parts }), 'payment.authorized']).order;
    const shipment_id = start.journey.shipments![0]!.id;
    const gone = after(start, [
      answer('shipment.dispatch_requested', { shipment_id }),
      answer('payment.captured', { shipment_id, amount: 2_000 }),
      answer('shipment.dispatched', { shipment_id }),
      answer('stock.committed', { shipment_id }),
    ]).order;
    const first = revise(gone, fewer(gone));
    expect(first.says[1]!.data).toMatchObject({ lines: [A(2)] });
    const end = after(first.order, [changed(1, []), answer('payment.reduced', { amount: 250, revision: 1 })]);
    expect(typesOf(end.says)).toEqual(['shipment.cancel', 'payment.void', 'order.shipped']);
    expect([moneyOf(end.order), dueOf(end.order)]).toEqual([{ held: 0, captured: 2_000, external: 0, refunded: 0 }, 0]);
    const arrived = after(end.order, [answer('shipment.delivered', { shipment_id })]).order;
    expect(isFinished(arrived)).toBe(false); // the other one is still being recalled
    const recalled = answer('shipment.cancelled', { shipment_id: arrived.journey.shipments![1]!.id });
    expect([typesOf(after(arrived, [recalled]).says), isFinished(after(arrived, [recalled]).order)]).toEqual([['order.closed'], true]);
  });

  test('what was captured beyond the total is refunded', () => {
    const start = at(...TO_READY, 'shipment.dispatch_requested', 'payment.capture_failed', 'payment.captured');
    const first = revise(start, fewer(start, [{ line_id: 'lin_3', quantity: 1 }]));
    const done = after(first.order, [changed(1, [held('whs_1', A(2))])]);
    expect(done.says.find(({ type }) => type === 'payment.refund')).toMatchObject({ data: { amount: 250 } });
    const { refund_id } = done.order.journey.refunds![0]!;
    const { order } = after(done.order, [answer('payment.refunded', { refund_id, amount: 250 })]);
    expect([dueOf(order), paymentFacet(order), order.charges]).toEqual([0, 'paid', []]);
  });

  test('of pieces that wait', () => {
    const start = after(placed().order, [
      answer('stock.reserved', { parts: [held('whs_1', A(2))], queued: [{ ...B(1), place: 1 }] }),
      'payment.authorized',
    ]).order;
    const first = revise(start, fewer(start, [{ line_id: 'lin_3', quantity: 1 }]));
    const done = after(first.order, [changed(1, [held('whs_1', A(2))]), answer('payment.reduced', { amount: 250, revision: 1 })]);
    expect([shipments(done.order), done.order.journey.queued]).toEqual(['preparing 2A', undefined]);
  });

  test('refuses more than there is, and what has left', () => {
    expect(cancelLines(at(...TO_READY), { lines: [{ line_id: 'lin_2', quantity: 3 }] }, rules)).toMatchObject({ code: 'line_shipped' });
    expect(cancelLines(at(...TO_READY, 'shipment.dispatch_requested'), { lines: [{ line_id: 'lin_2', quantity: 1 }] }, rules)).toMatchObject({
      code: 'line_shipped',
    });
  });
});

describe('money', () => {
  test('an authorisation that has expired: nothing leaves until it is authorised anew', () => {
    const expired = after(at(...TO_READY), ['payment.expired']);
    expect([typesOf(expired.says), statusOf(expired.order.journey).status_reason]).toEqual([['order.on_hold'], 'payment_expired']);
    const denied = after(expired.order, ['shipment.dispatch_requested']);
    expect(typesOf(denied.says)).toContain('shipment.refuse_dispatch');
    const target = { lines: expired.order.lines!, charges: [], ship_to: null, customer: expired.order.customer };
    const first = revise(expired.order, { kind: 'payment', target, token: 'tok_new' });
    expect(first.says).toMatchObject([{ type: 'payment.authorize', data: { amount: 2_250, token: 'tok_new' } }]);
    const done = after(first.order, [answer('payment.authorized', topUp(first.order))]).order;
    expect([statusOf(done.journey).status, moneyOf(done).held]).toEqual(['confirmed', 2_250]);
    const { says } = after(done, ['shipment.dispatch_requested']);
    expect(says).toMatchObject([{ type: 'payment.capture', data: { amount: 2_250 } }]);
  });

  test('paid elsewhere: what is held is given up, and nothing is captured', () => {
    const paid = ask(at(...TO_READY), { type: 'pay_externally', amount: 2_250, method: 'cash' });
    expect(paid.says).toMatchObject([{ type: 'payment.void', data: { amount: 2_250, revision: 1 } }]);
    const done = after(paid.order, [answer('payment.reduced', { amount: 2_250, revision: 1 })]).order;
    expect([paymentFacet(done), dueOf(done)]).toEqual(['paid', 0]);
    expect(typesOf(after(done, ['shipment.dispatch_requested']).says)).toEqual(['shipment.dispatch']);
    expect(request(done, { type: 'pay_externally', amount: 1, method: 'cash' }, rulesAt(T0))).toMatchObject({ code: 'amount_out_of_range' });
    expect(request(done, { type: 'refund', amount: 1, reason: 'x' }, rulesAt(T0))).toMatchObject({ code: 'refund_too_large' });
  });

  const delivered = (): Order =>
    at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched', 'stock.committed', 'shipment.delivered');

  test('given back by a person: a credit, so that nothing is due', () => {
    const step = ask(delivered(), { type: 'refund', amount: 500, reason: 'scratched' });
    expect(step.says).toMatchObject([{ type: 'payment.refund', data: { amount: 500, reason: 'scratched' } }, { type: 'order.reopened' }]);
    expect([step.order.total, step.order.charges]).toEqual([1_750, [{ code: 'refund', kind: 'credit', amount: -500 }]]);
    expect(explain(step.order, DEADLINES)).toMatchObject([{ blocker: 'refunding', owner: 'payments' }]);
    const { refund_id } = step.order.journey.refunds![0]!;
    const done = after(step.order, [answer('payment.refunded', { refund_id, amount: 500 })]);
    expect([typesOf(done.says), dueOf(done.order), isFinished(done.order)]).toEqual([['order.closed'], 0, true]);
    expect(after(done.order, [answer('payment.refunded', { refund_id, amount: 500 })]).steps).toEqual([undefined]);
    expect(request(done.order, { type: 'refund', amount: 1_751, reason: 'x' }, rulesAt(T0))).toMatchObject({ code: 'refund_too_large' });
  });

  test('that cannot be given back is owed, and may be asked for again', () => {
    const step = ask(delivered(), { type: 'refund', amount: 500, reason: 'scratched' });
    const { refund_id } = step.order.journey.refunds![0]!;
    const failed = after(step.order, [answer('payment.refund_failed', { refund_id, reason: 'card closed' })]).order;
    expect([dueOf(failed), paymentFacet(failed)]).toEqual([-500, 'overpaid']);
    expect(explain(failed, DEADLINES)).toMatchObject([{ blocker: 'refund_failed', owner: 'operator', evidence: { note: 'card closed' } }]);
    const again = ask(failed, { type: 'refund', amount: 500, reason: 'again' }).order;
    expect(again.total).toBe(1_750); // credited once
    const done = after(again, [answer('payment.refunded', { refund_id: again.journey.refunds![0]!.refund_id, amount: 500 })]).order;
    expect([dueOf(done), isFinished(done)]).toEqual([0, true]);
  });

  test('a return is refunded by rule, once; a person may decide otherwise beforehand', () => {
    const back = answer('return.received', { return_id: 'rtn_9', lines: [{ ...A(1), reason: 'too small' }] });
    const one = after(delivered(), [back]);
    expect(one.says).toMatchObject([{ type: 'payment.refund', data: { amount: 1_000, reason: 'returned' } }, { type: 'order.reopened' }]);
    expect(after(one.order, [back]).steps).toEqual([undefined]);

    const decided = ask(delivered(), { type: 'refund', amount: 300, reason: 'worn', return_id: 'rtn_9' }).order;
    const received = after(decided, [back]);
    expect(typesOf(received.says)).toEqual([]);
    expect(received.order.journey.returns).toMatchObject([{ return_id: 'rtn_9', lines: [A(1)] }]);
  });
});
