import { describe, expect, test } from 'vitest';
import { after, answer, placed, reply, rulesAt, T0, typesOf } from '../../test/orders/make.ts';
import { Refusal } from '../kernel/errors.ts';
import { request } from './domain.ts';
import { explain } from './domain-explain.ts';
import { moneyOf } from './domain-money.ts';
import type { Order, Pieces, Request, Says, Step } from './domain-order.ts';
import { SHIPMENT_STATES, SHIPMENT_TRIGGERS, actOfShipment } from './domain-shipment-table.ts';
import { fulfilmentFacet, isFinished, statusOf, timerOf } from './domain-status.ts';
import { DEADLINES } from './domain-waybill.ts';

const A = (quantity: number): Pieces => ({ line_id: 'lin_2', sku: 'A', quantity });
const B = (quantity: number): Pieces => ({ line_id: 'lin_3', sku: 'B', quantity });
const part = (warehouse_id: string, ...lines: Pieces[]) => ({ warehouse_id, lines });

/** Two pieces of A at 1,000 and one of B at 250; what is not said otherwise comes from two warehouses. */
function reserved({ parts = [part('whs_1', A(2)), part('whs_2', B(1))], queued = [] as Pieces[], more = {} } = {}): Order {
  const data = { parts, queued: queued.map((line, i) => ({ ...line, place: i + 1 })) };
  return after(placed(more).order, [answer('stock.reserved', data), 'payment.authorized']).order;
}

const shipments = (order: Order): string => (order.journey.shipments ?? []).map(({ state, lines }) => `${state} ${wordsOf(lines)}`).join(', ');
const wordsOf = (lines: readonly Pieces[]): string => lines.map(({ sku, quantity }) => `${quantity}${sku}`).join('+');
const idOf = (order: Order, i: number): string => order.journey.shipments![i]!.id;
const changed = (revision: number, parts: ReturnType<typeof part>[], queued: Pieces[] = []) =>
  answer('stock.changed', { revision, parts, queued: queued.map((line, i) => ({ ...line, place: i + 1 })) });
const about = (order: Order, i: number) => ({ shipment_id: idOf(order, i), tracking_number: `T${i}` });
const amounts = (says: readonly Says[]): number[] => says.flatMap((one) => (one.type === 'payment.capture' ? [one.data.amount!] : []));

/** A shipment leaves: it is asked for, captured, dispatched, and its goods are off the books. */
function leaves(order: Order, i: number): { order: Order; says: Says[] } {
  const asked = after(order, [answer('shipment.dispatch_requested', about(order, i))]);
  const amount = amounts(asked.says)[0];
  const rest = after(asked.order, [
    ...(amount === undefined ? [] : [answer('payment.captured', { shipment_id: idOf(order, i), amount })]),
    answer('shipment.dispatched', about(order, i)),
    answer('stock.committed', { shipment_id: idOf(order, i) }),
  ]);
  return { order: rest.order, says: [...asked.says, ...rest.says] };
}

function asked(order: Order, what: Request): Step {
  const step = request(order, what, rulesAt(T0 + 5_000));
  if (step === undefined || step instanceof Refusal) throw step ?? new Error('nothing happened');
  return step;
}

describe('an order in several parts', () => {
  test('each part is a shipment of its own, with an id of its own', () => {
    const { order, says } = after(placed().order, [
      answer('stock.reserved', { parts: [part('whs_1', A(2)), part('whs_2', B(1))] }),
      'payment.authorized',
    ]);
    expect(typesOf(says)).toEqual(['payment.authorize', 'order.confirmed', 'shipment.prepare', 'shipment.prepare']);
    const prepared = says.flatMap((one) => (one.type === 'shipment.prepare' ? [one.data] : []));
    expect(prepared.map(({ warehouse_id, lines }) => [warehouse_id, wordsOf(lines)])).toEqual([
      ['whs_1', '2A'],
      ['whs_2', '1B'],
    ]);
    expect(prepared.map(({ shipment_id }) => shipment_id)).toEqual([idOf(order, 0), idOf(order, 1)]);
    expect([shipments(order), order.journey.at]).toEqual(['preparing 2A, preparing 1B', 'fulfilling']);
  });

  test('one part and nothing queued is an ordinary order, whoever says so', () => {
    const { order } = after(placed().order, [answer('stock.reserved', { parts: [part('whs_1', A(2), B(1))], queued: [] })]);
    expect(order.journey.shipments).toBeUndefined();
  });

  test('each leaves by itself: captured for its lines, the first also for what is charged on the order, the last for the rest', () => {
    const start = reserved({ more: { charges: [{ code: 'shipping', amount: 490 }] } });
    const one = leaves(start, 0);
    expect(amounts(one.says)).toEqual([2_490]);
    expect(typesOf(one.says)).toEqual(['payment.capture', 'shipment.dispatch', 'order.part_shipped', 'stock.commit']);
    expect([fulfilmentFacet(one.order), statusOf(one.order.journey).status]).toEqual(['part_shipped', 'confirmed']);
    const two = leaves(one.order, 1);
    expect(amounts(two.says)).toEqual([250]);
    expect(typesOf(two.says)).toEqual(['payment.capture', 'shipment.dispatch', 'stock.commit', 'order.shipped']);
    expect(two.says.find(({ type }) => type === 'stock.commit')!.data).toEqual({
      order_id: 'ord_1',
      shipment_id: idOf(start, 1),
      warehouse_id: 'whs_2',
      lines: [B(1)],
    });
    expect(moneyOf(two.order)).toEqual({ held: 0, captured: 2_740, external: 0, refunded: 0 });
    expect(two.order.journey.stops.map(({ state }) => state)).toEqual(['settled', 'settled', 'settled']);

    const end = after(two.order, [answer('shipment.delivered', about(start, 1)), answer('shipment.delivered', about(start, 0))]);
    expect(typesOf(end.says)).toEqual(['order.part_delivered', 'order.delivered']);
    expect([isFinished(end.order), explain(end.order, DEADLINES)]).toEqual([true, []]);
  });

  test('rounding never adds up to anything but the total', () => {
    const charges = [{ code: 'tax', amount: 1, kind: 'tax' as const, line_id: 'lin_2' }];
    let order: Order = { ...reserved({ parts: [part('whs_1', A(1)), part('whs_2', A(1)), part('whs_3', B(1))] }), charges, total: 2_251 };
    order = { ...order, journey: { ...order.journey, money: { held: 2_251, captured: 0, external: 0, refunded: 0 } } };
    const all = [0, 1, 2].flatMap((i) => {
      const step = leaves(order, i);
      order = step.order;
      return amounts(step.says);
    });
    expect(all).toEqual([1_000, 1_000, 251]); // half a cent is even at nothing, and the last one takes it
  });

  test('a capture that fails holds its shipment, and no other', () => {
    const start = reserved();
    const failed = after(start, [
      answer('shipment.dispatch_requested', about(start, 0)),
      answer('payment.capture_failed', { shipment_id: idOf(start, 0), reason: 'no funds' }),
    ]);
    expect(typesOf(failed.says)).toEqual(['payment.capture', 'shipment.refuse_dispatch', 'order.on_hold']);
    expect(failed.says[1]!.data).toMatchObject({ shipment_id: idOf(start, 0), reason: 'capture_failed' });
    expect(statusOf(failed.order.journey)).toEqual({ status: 'on_hold', status_reason: 'capture_failed' });
    const other = leaves(failed.order, 1);
    expect(typesOf(other.says)).toEqual(['payment.capture', 'shipment.dispatch', 'order.part_shipped', 'stock.commit']);
    const again = leaves(other.order, 0);
    expect(typesOf(again.says)[0]).toBe('order.resumed');
    expect(amounts([...other.says, ...again.says])).toEqual([250, 2_000]);
  });

  test('two captures may be under way at once', () => {
    const start = reserved();
    const both = after(
      start,
      [0, 1].map((i) => answer('shipment.dispatch_requested', about(start, i))),
    );
    expect(amounts(both.says)).toEqual([2_000, 250]);
    const { order } = after(both.order, [
      answer('payment.captured', { shipment_id: idOf(start, 1), amount: 250 }),
      answer('payment.captured', { shipment_id: idOf(start, 0), amount: 2_000 }),
    ]);
    expect([shipments(order), moneyOf(order).captured]).toEqual(['dispatching 2A, dispatching 1B', 2_250]);
  });

  test('what is overdue is held; resuming says its command again', () => {
    const start = reserved();
    const timer = timerOf(start)!;
    const late = after(start, [answer('shipment.ready', about(start, 0)), reply('order.check_deadline', timer.data)], timer.dueAt);
    expect([typesOf(late.says), shipments(late.order)]).toEqual([['order.on_hold'], 'ready 2A, preparing 1B']);
    expect(typesOf(asked(late.order, { type: 'resume' }).says)).toEqual(['order.resumed', 'shipment.prepare']);
    expect(typesOf(after(late.order, [answer('shipment.ready', about(start, 1))]).says)).toEqual(['order.resumed']);
  });

  test('each answer a second time changes nothing', () => {
    const start = reserved({ parts: [part('whs_1', A(2)), part('whs_2', B(1))] });
    const messages = [
      answer('shipment.ready', about(start, 0)),
      answer('shipment.dispatch_requested', about(start, 0)),
      answer('payment.captured', { shipment_id: idOf(start, 0), amount: 2_000 }),
      answer('shipment.dispatched', about(start, 0)),
      answer('stock.committed', { shipment_id: idOf(start, 0) }),
      answer('shipment.delivered', about(start, 0)),
    ];
    let order = start;
    for (const message of messages) {
      order = after(order, [message]).order;
      expect([message.type, after(order, [message]).steps]).toEqual([message.type, [undefined]]);
    }
    expect(after(order, messages).says).toEqual([]);
  });
});

describe('pieces that wait', () => {
  test('the rest is shipped, and what waited follows once it is filled', () => {
    const start = reserved({ parts: [part('whs_1', A(2))], queued: [B(1)] });
    expect([shipments(start), fulfilmentFacet(start)]).toEqual(['preparing 2A', 'backordered']);
    expect(explain(start, DEADLINES).map(({ blocker, owner }) => [blocker, owner])).toEqual([
      ['preparing', 'shipping'],
      ['backordered', 'inventory'],
    ]);
    const gone = leaves(start, 0).order;
    expect(statusOf(gone.journey).status).toBe('confirmed');
    const filled = after(gone, ['stock.filled']);
    expect(filled.says).toMatchObject([{ type: 'stock.change', data: { revision: 1, lines: [A(2), B(1)] } }]);
    expect(statusOf(filled.order.journey)).toEqual({ status: 'confirmed', status_reason: null });
    const told = after(filled.order, [changed(1, [part('whs_2', B(1))])]);
    expect([typesOf(told.says), shipments(told.order)]).toEqual([['shipment.prepare'], 'shipped 2A, preparing 1B']);
  });

  test('everything waits: the payment is made, and no shipment yet', () => {
    const start = reserved({ parts: [], queued: [A(2), B(1)] });
    expect([shipments(start), start.journey.at]).toEqual(['', 'fulfilling']);
    expect(shipments(after(start, ['stock.filled', changed(1, [part('whs_1', A(2))], [B(1)])]).order)).toBe('preparing 2A');
  });

  test('what is filled before the payment has answered is shipped with the rest', () => {
    const data = { parts: [part('whs_1', A(2))], queued: [{ ...B(1), place: 1 }] };
    const pending = after(placed().order, [answer('stock.reserved', data), 'stock.filled', 'payment.authorized']);
    expect([typesOf(pending.says).at(-1), pending.order.journey.at]).toEqual(['stock.change', 'raising']);
    const told = after(pending.order, [changed(1, [part('whs_1', A(2)), part('whs_2', B(1))])]);
    expect(shipments(told.order)).toBe('preparing 2A, preparing 1B');
  });

  test('what stock says in between is asked about once more', () => {
    const start = reserved({ parts: [part('whs_1', A(2))], queued: [B(1)] });
    const twice = after(start, ['stock.filled', 'stock.filled']);
    expect(typesOf(twice.says)).toEqual(['stock.change']);
    const again = after(twice.order, [changed(1, [part('whs_1', A(2))], [B(1)])]);
    expect(again.says).toMatchObject([{ type: 'stock.change', data: { revision: 2 } }]);
  });
});

describe('goods that vanish', () => {
  test('a count takes them from an ordinary order: its shipment is recalled and prepared anew with the rest', () => {
    const ordinary = after(placed().order, ['stock.reserved', 'payment.authorized', 'shipment.ready']).order;
    const short = after(ordinary, [answer('stock.shorted', { lines: [A(1)] })]);
    expect([typesOf(short.says), short.order.journey.at]).toEqual([['stock.change'], 'raising']);
    expect(short.says[0]!.data).toMatchObject({ revision: 1, lines: [A(2), B(1)] });
    const told = after(short.order, [answer('stock.changed', { revision: 1, parts: [part('whs_1', A(1), B(1))], queued: [{ ...A(1), place: 1 }] })]);
    expect(typesOf(told.says)).toEqual(['order.backordered', 'shipment.cancel', 'shipment.prepare']);
    expect(shipments(told.order)).toBe('recalling 2A+1B, preparing 1A+1B');
    const { order } = after(told.order, [answer('shipment.cancelled', { shipment_id: 'shp_1' })]);
    expect([shipments(order), fulfilmentFacet(order)]).toEqual(['cancelled 2A+1B, preparing 1A+1B', 'backordered']);
  });

  test('a short pick: the shipment goes on with what is left', () => {
    const start = reserved({ parts: [part('whs_1', A(2)), part('whs_2', B(1))] });
    const { order, says } = after(start, [
      answer('shipment.ready', about(start, 0)),
      answer('shipment.shorted', { ...about(start, 0), lines: [A(1)], left: [A(1)] }),
      answer('stock.shorted', { lines: [A(1)] }),
      answer('stock.changed', { revision: 1, parts: [part('whs_1', A(1)), part('whs_2', B(1))], queued: [{ ...A(1), place: 1 }] }),
    ]);
    expect([typesOf(says), shipments(order)]).toEqual([['stock.change', 'order.backordered'], 'ready 1A, preparing 1B']);
    expect(amounts(leaves(order, 0).says)).toEqual([1_000]);
  });

  test('while a shipment is leaving stock is not asked; then it is', () => {
    const start = reserved();
    const leaving = after(start, [
      answer('shipment.dispatch_requested', about(start, 0)),
      answer('stock.shorted', { warehouse_id: 'whs_2', lines: [B(1)] }),
    ]);
    expect([typesOf(leaving.says), leaving.order.journey.at]).toEqual([['payment.capture'], 'fulfilling']);
    expect(explain(leaving.order, DEADLINES).map(({ blocker }) => blocker)).toContain('changing');
    const denied = after(leaving.order, [answer('shipment.dispatch_requested', about(start, 1))]);
    expect(denied.says).toMatchObject([{ type: 'shipment.refuse_dispatch', data: { reason: 'order_being_changed' } }]);
    const gone = after(leaving.order, [
      answer('payment.captured', { shipment_id: idOf(start, 0), amount: 2_000 }),
      answer('shipment.dispatched', about(start, 0)),
      answer('stock.committed', { shipment_id: idOf(start, 0) }),
    ]);
    expect(typesOf(gone.says).at(-1)).toBe('stock.change');
  });
});

describe('cancelling', () => {
  test('recalls each shipment, then undoes the rest', () => {
    const start = after(reserved(), [answer('shipment.ready', {})]).order;
    const step = asked(start, { type: 'cancel' });
    expect(typesOf(step.says)).toEqual(['shipment.cancel', 'shipment.cancel']);
    const one = after(step.order, [answer('shipment.cancelled', { shipment_id: idOf(start, 1) })]);
    expect(typesOf(one.says)).toEqual([]);
    const { order, says } = after(one.order, [answer('shipment.cancelled', { shipment_id: idOf(start, 0) }), 'payment.voided', 'stock.released']);
    expect([typesOf(says), statusOf(order.journey).status]).toEqual([['payment.void', 'stock.release', 'order.cancelled'], 'cancelled']);
  });

  test('with nothing prepared yet there is nothing to recall', () => {
    const step = asked(reserved({ parts: [], queued: [A(2), B(1)] }), { type: 'cancel' });
    expect(typesOf(step.says)).toEqual(['payment.void']);
  });

  test('is refused once a shipment is leaving', () => {
    const start = reserved();
    const leaving = after(start, [answer('shipment.dispatch_requested', about(start, 0))]).order;
    expect(request(leaving, { type: 'cancel' }, rulesAt(T0))).toMatchObject({ code: 'order_not_cancellable' });
  });
});

describe('a parcel that does not arrive', () => {
  const shipped = after(placed().order, [
    'stock.reserved',
    'payment.authorized',
    'shipment.ready',
    'shipment.dispatch_requested',
    'payment.captured',
    'shipment.dispatched',
    'stock.committed',
  ]).order;

  test('lost: a person must act, and may close the order', () => {
    const { order } = after(shipped, [answer('shipment.lost', { lines: [A(2), B(1)], over: true })]);
    expect([shipments(order), isFinished(order)]).toEqual(['lost 2A+1B', false]);
    expect(explain(order, DEADLINES)).toMatchObject([{ blocker: 'lost', owner: 'operator', legal_commands: ['refund', 'edit', 'close'] }]);
    const closed = asked(order, { type: 'close', reason: 'refunded by the carrier' });
    expect([typesOf(closed.says), isFinished(closed.order)]).toEqual([['order.closed'], true]);
  });

  test('come back: the return refunds it, and then the order is closed', () => {
    const back = after(shipped, [answer('shipment.returned', { lines: [A(2), B(1)], over: true })]).order;
    expect(explain(back, DEADLINES)).toMatchObject([{ blocker: 'came_back', owner: 'warehouse' }]);
    const goods = [A(2), B(1)].map((line) => ({ ...line, reason: 'refused' }));
    const received = after(back, [answer('return.received', { parcel_id: 'prc_1', lines: goods })]);
    expect(received.says).toMatchObject([{ type: 'payment.refund', data: { amount: 2_250 } }]);
    expect(received.order.total).toBe(0);
    const refund_id = received.order.journey.refunds![0]!.refund_id;
    const { order, says } = after(received.order, [answer('payment.refunded', { refund_id, amount: 2_250 })]);
    expect([typesOf(says), isFinished(order)]).toEqual([['order.closed'], true]);
  });
});

test('the table declares every pair of state and trigger', () => {
  for (const state of Object.keys(SHIPMENT_STATES) as (keyof typeof SHIPMENT_STATES)[])
    for (const trigger of SHIPMENT_TRIGGERS) expect([state, trigger, typeof actOfShipment(state, trigger)]).toEqual([state, trigger, 'string']);
});

test('each answer a shipment waits for is expected there', () => {
  for (const [state, wait] of Object.entries(SHIPMENT_STATES))
    for (const name of wait?.answers ?? []) expect(actOfShipment(state as keyof typeof SHIPMENT_STATES, name as never)).not.toBe('late');
});
