/** What people do with orders beyond the ordinary one, on both databases: what is asked, said, kept and shown. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DataOf } from '../../src/contracts/messages.ts';
import type { OrderView } from '../../src/orders/service.ts';
import { databases } from '../support/databases.ts';
import { type Room, call, openRoom, requestContext } from './support.ts';

interface Preview {
  readonly dry_run: true;
  readonly before: { status: string; total: number; due: number } | null;
  readonly after: { status: string; total: number; due: number };
  readonly order: OrderView;
  readonly says: { type: string; data: Record<string, unknown> }[];
  readonly effects?: Record<string, unknown>;
}

describe.each(databases())('an order on $name', (database) => {
  let room: Room;
  beforeEach(async () => {
    room = await openRoom(database);
  });
  afterEach(() => room.drop());

  const ask = <Answer = OrderView>(end: string, id: string, body?: object, more: { params?: object; context?: object } = {}): Promise<Answer> =>
    call(room.service, 'POST', `/v1/orders/{order_id}/${end}`, {
      params: { order_id: id, ...more.params },
      body,
      context: requestContext({ operation: 'desk', ...more.context }),
    }) as Promise<Answer>;
  const post = <Answer = OrderView>(body: object): Promise<Answer> => call(room.service, 'POST', '/v1/orders', { body }) as Promise<Answer>;
  const explain = async (id: string): Promise<{ blocker: string; owner: string; evidence: Record<string, unknown> }[]> =>
    ((await call(room.service, 'GET', '/v1/orders/{order_id}/explain', { params: { order_id: id } })) as { blockers: never[] }).blockers;
  const timers = () => room.mailbox.db.read.raw<{ key: string; due_at: number }>('select key, due_at from timer order by key');
  const saidLast = <T extends Parameters<Room['tell']>[0] | 'stock.change' | 'payment.authorize' | 'payment.refund'>(type: T) =>
    room.said.findLast((message) => message.type === type)!.data as never;
  const lineOf = ({ id, sku }: OrderView['lines'][number], quantity: number) => ({ line_id: id, sku, quantity });

  async function toReady(): Promise<OrderView> {
    const { id } = await room.place();
    for (const type of ['stock.reserved', 'payment.authorized', 'shipment.ready'] as const) await room.tell(type, [id]);
    room.news();
    return room.get(id);
  }

  test('a draft is priced, changed freely, and placed', async () => {
    const draft = await post({ customer: { id: 'c' }, currency: 'EUR', lines: [{ sku: 'A', quantity: 2 }], draft: true });
    expect(draft).toMatchObject({ status: 'draft', number: 'ORD-2026-000001', total: 2_000, next_step: 'place', payment_status: 'unpaid' });
    expect([room.news(), await timers()]).toEqual([['order.drafted'], []]);
    const edited = await ask('edits', draft.id, {
      lines: [{ line_id: draft.lines[0]!.id, quantity: 0 }],
      add_lines: [{ sku: 'B', quantity: 3, unit_price: 500, charges: [{ code: 'vat', amount: 240, kind: 'tax', included: true }] }],
      customer: { id: 'other', name: 'Grace' },
      ship_to: { city: 'Lyon' },
    });
    expect(edited).toMatchObject({ status: 'draft', total: 1_500, customer: { id: 'other' }, ship_to: { city: 'Lyon' }, version: 2 });
    expect(edited.lines).toMatchObject([{ sku: 'B', quantity: 3, cancelled: 0 }]);
    expect(await room.get(draft.id)).toEqual(edited);
    const list = (await call(room.service, 'GET', '/v1/orders', { query: { customer_id: 'other', status: 'draft' } })) as { items: OrderView[] };
    expect(list.items).toEqual([edited]);
    await expect(ask('place', draft.id)).rejects.toMatchObject({ code: 'payment_token_required' });
    expect(await ask('place', draft.id, { payment: { token: 'tok_x' } })).toMatchObject({ status: 'pending' });
    expect(room.news()).toEqual(['order.placed', 'stock.reserve']);
    expect(JSON.stringify(await room.get(draft.id))).not.toContain('tok_x');

    const other = await post({ customer: { id: 'c' }, currency: 'EUR', lines: [{ sku: 'A', quantity: 2 }], draft: true });
    expect(await ask('discard', other.id)).toMatchObject({ status: 'cancelled', status_reason: 'discarded', closed: true });
    await expect(ask('place', other.id, { payment: { token: 'tok_x' } })).rejects.toMatchObject({ code: 'order_state' });
  });

  test('several parts are several shipments, kept with the order and shown', async () => {
    const order = await room.place({ allocation: { split: true, backorder: true, strategy: 'nearest' }, ship_to: { city: 'Lyon' } });
    expect(room.said.find(({ type }) => type === 'stock.reserve')!.data).toMatchObject({
      allocation: { split: true, backorder: true, strategy: 'nearest', ship_to: { city: 'Lyon' } },
    });
    const [a, b] = order.lines as [OrderView['lines'][number], OrderView['lines'][number]];
    const part = { warehouse_id: 'whs_2', lines: [lineOf(a, 1)] };
    await room.tell('stock.reserved', [order.id], {
      parts: [{ warehouse_id: 'whs_1', lines: [lineOf(a, 1)] }, part],
      queued: [{ ...lineOf(b, 1), place: 4 }],
    });
    await room.tell('payment.authorized', [order.id]);
    const view = await room.get(order.id);
    expect(view).toMatchObject({
      fulfilment_status: 'backordered',
      queued: [{ sku: 'B', quantity: 1 }],
      shipments: [{ state: 'preparing' }, { state: 'preparing' }],
    });
    expect((await explain(order.id)).map(({ blocker }) => blocker)).toEqual(['preparing', 'preparing', 'backordered']);
    const [one, two] = view.shipments!.map(({ id }) => id) as [string, string];
    const shipment = { tracking_number: 'T1', warehouse_id: 'whs_1' };
    await room.tell('shipment.dispatch_requested', [order.id], { ...shipment, shipment_id: one });
    expect(saidLast('payment.capture' as never)).toMatchObject({ shipment_id: one, amount: 1_000 });
    await room.tell('payment.captured', [order.id], { shipment_id: one, amount: 1_000 });
    await room.tell('shipment.dispatched', [order.id], { ...shipment, shipment_id: one });
    await room.tell('stock.committed', [order.id], { shipment_id: one });
    expect(await room.get(order.id)).toMatchObject({
      fulfilment_status: 'part_shipped',
      payment_status: 'authorized',
      due: 1_250,
      money: { held: 1_250, captured: 1_000, external: 0, refunded: 0 },
      lines: [{ shipped: 1, delivered: 0 }, { shipped: 0 }],
    });
    expect(two).not.toBe(one);
    // Each shipment has a deadline of its own; the order one timer for all of them.
    expect(await timers()).toHaveLength(1);
  });

  test('an edit is tried first, then made, and what it said is what happens', async () => {
    const order = await toReady();
    const [a] = order.lines as [OrderView['lines'][number]];
    const body = { lines: [{ line_id: a.id, quantity: 4 }], payment: { token: 'tok_more' }, reason: 'guests' };
    const dry = await ask<Preview>('edits', order.id, { ...body, dry_run: true });
    expect(dry).toMatchObject({
      dry_run: true,
      before: { status: 'confirmed', total: 2_250, due: 2_250 },
      after: { total: 4_250, due: 4_250 },
      order: { total: 4_250, lines: [{ quantity: 4 }, { quantity: 1 }] },
      says: [{ type: 'stock.change' }],
      effects: { reserve: [{ line_id: a.id, quantity: 2 }], release: [], authorize: 2_000, give_up: 0, refund: 0 },
    });
    expect([await room.get(order.id), room.news()]).toEqual([order, []]);

    await expect(ask('edits', order.id, { ...body, expected_version: 3 })).rejects.toMatchObject({ code: 'version_mismatch' });
    const context = { idempotency: { key: 'edit-1', hash: 'h' } };
    const changing = await ask('edits', order.id, { ...body, expected_version: 4 }, { context });
    expect(changing).toMatchObject({
      status: 'confirmed',
      status_reason: 'changing',
      total: 2_250,
      revision: { number: 1, kind: 'edit', state: 'raising' },
    });
    expect(await ask('edits', order.id, { ...body, expected_version: 4 }, { context })).toEqual(changing);
    await expect(ask('edits', order.id, body)).rejects.toMatchObject({ code: 'order_busy' });
    expect((await explain(order.id))[0]).toMatchObject({ blocker: 'raising', owner: 'inventory' });

    const held = order.lines.map((line) => lineOf(line, line.id === a.id ? 4 : line.quantity));
    await room.tell('stock.changed', [order.id], { revision: 1, parts: [{ warehouse_id: 'whs_1', lines: held }], queued: [] });
    const { authorization, amount } = saidLast<'payment.authorize'>('payment.authorize') as DataOf<'payment.authorize'>;
    expect(amount).toBe(2_000);
    await room.tell('payment.authorized', [order.id], { authorization, amount });
    const done = await room.get(order.id);
    expect(done).toMatchObject({ status: 'confirmed', status_reason: null, total: 4_250, lines: [{ quantity: 4, amount: 4_000 }, { quantity: 1 }] });
    expect(done.revision).toBeUndefined();
    expect(room.news()).toEqual(['stock.change', 'payment.authorize', 'order.edited', 'shipment.cancel', 'shipment.prepare']);
  });

  test('pieces are cancelled, and all of them are the order', async () => {
    const order = await toReady();
    const [a, b] = order.lines as [OrderView['lines'][number], OrderView['lines'][number]];
    await ask('cancel-lines', order.id, { lines: [{ line_id: b.id, quantity: 1 }], reason: 'not needed' });
    await room.tell('stock.changed', [order.id], { revision: 1, parts: [{ warehouse_id: 'whs_1', lines: [lineOf(a, 2)] }], queued: [] });
    await room.tell('payment.reduced', [order.id], { revision: 1, amount: 250 });
    expect(await room.get(order.id)).toMatchObject({
      total: 2_000,
      lines: [{ cancelled: 0 }, { quantity: 1, cancelled: 1, amount: 0 }],
      money: { held: 2_000 },
    });
    await expect(ask('cancel-lines', order.id, { lines: [{ line_id: a.id, quantity: 3 }] })).rejects.toMatchObject({ code: 'line_shipped' });
    expect(await ask('cancel-lines', order.id)).toMatchObject({ status: 'confirmed', status_reason: 'cancelling' });
  });

  test('a hold is laid, explained, and released, or goes when its time has come', async () => {
    const { id } = await room.place();
    const until = new Date(room.world.now() + 60_000).toISOString();
    const held = await ask('holds', id, { reason: 'fraud', note: 'three cards tried', expires_at: until }, { context: { client: 'risk' } });
    expect(held).toMatchObject({
      status: 'on_hold',
      status_reason: 'fraud',
      next_step: 'release_hold',
      holds: [{ reason: 'fraud', placed_by: 'risk' }],
    });
    await ask('holds', id, { reason: 'approval' });
    await room.tell('stock.reserved', [id]);
    const blockers = await explain(id);
    expect(blockers.map(({ blocker, owner }) => [blocker, owner])).toEqual([
      ['hold_fraud', 'operator'],
      ['hold_approval', 'operator'],
    ]);
    expect(await timers()).toEqual([{ key: `deadline:${id}`, due_at: room.world.now() + 60_000 }]);
    room.news();
    const hold_id = (await room.get(id)).holds!.find(({ reason }) => reason === 'approval')!.id;
    const dry = await ask<Preview>('holds/{hold_id}/release', id, { dry_run: true }, { params: { hold_id } });
    expect(dry.says.map(({ type }) => type)).toEqual(['hold.released']);
    await ask('holds/{hold_id}/release', id, { reason: 'approved by phone' }, { params: { hold_id } });
    await expect(ask('holds/{hold_id}/release', id, {}, { params: { hold_id } })).rejects.toMatchObject({ code: 'hold_not_found' });
    room.world.advance(60_000);
    await room.tell('order.check_deadline', [id]);
    expect(room.news()).toEqual(['hold.released', 'hold.expired', 'order.resumed', 'payment.authorize']);
    expect((await room.get(id)).holds).toBeUndefined();
  });

  test('money is given back as a credit; money paid elsewhere is written down', async () => {
    const { id } = await toReady();
    await ask('external-payments', id, { amount: 250, method: 'cash', reference: 'till 3' });
    await room.tell('payment.reduced', [id], { revision: 1, amount: 250 });
    expect(await room.get(id)).toMatchObject({ payment_status: 'authorized', due: 2_000, money: { held: 2_000, captured: 250, external: 250 } });
    const { shipments } = await room.get(id);
    const about = { shipment_id: shipments![0]!.id };
    await room.tell('shipment.dispatch_requested', [id], about);
    expect(saidLast('payment.capture' as never)).toMatchObject({ amount: 2_000 });
    await room.tell('payment.captured', [id], { ...about, amount: 2_000 });
    for (const type of ['shipment.dispatched', 'stock.committed', 'shipment.delivered'] as const) await room.tell(type, [id], about);
    expect(await room.get(id)).toMatchObject({ status: 'delivered', closed: true, payment_status: 'paid', due: 0 });

    const dry = await ask<Preview>('refunds', id, { amount: 300, reason: 'scratched', dry_run: true });
    expect(dry).toMatchObject({ before: { total: 2_250, due: 0 }, after: { total: 1_950, due: -300 } });
    await expect(ask('refunds', id, { amount: 2_001, reason: 'x' })).rejects.toMatchObject({ code: 'refund_too_large' });
    expect(await ask('refunds', id, { amount: 300, reason: 'scratched' })).toMatchObject({ closed: false, total: 1_950, refunds: [{ amount: 300 }] });
    const { refund_id } = saidLast<'payment.refund'>('payment.refund') as DataOf<'payment.refund'>;
    await room.tell('payment.refunded', [id], { refund_id, amount: 300 });
    const view = await room.get(id);
    expect(view).toMatchObject({ closed: true, due: 0, charges: [{ code: 'refund', kind: 'credit', amount: -300 }], money: { refunded: 300 } });
    expect(room.news().slice(-3)).toEqual(['payment.refund', 'order.reopened', 'order.closed']);
    const { items } = (await call(room.service, 'GET', '/v1/orders/{order_id}/timeline', { params: { order_id: id } })) as {
      items: { type: string; detail: object }[];
    };
    expect(items.find(({ type }) => type === 'pay_externally')!.detail).toMatchObject({
      amount: 250,
      method: 'cash',
      reference: 'till 3',
      operation: 'desk',
    });
  });

  test('placing, cancelling and noting can be tried, too', async () => {
    const body = { customer: { id: 'c' }, currency: 'EUR', lines: [{ sku: 'A', quantity: 2 }], payment: { token: 'tok_dry' } };
    const dry = await post<Preview>({ ...body, dry_run: true });
    expect(dry).toMatchObject({
      dry_run: true,
      before: null,
      after: { status: 'pending', total: 2_000 },
      says: [{ type: 'order.placed' }, { type: 'stock.reserve' }],
    });
    expect(JSON.stringify(dry)).not.toContain('tok_dry');
    await expect(post({ ...body, lines: [{ sku: 'nope', quantity: 1 }], dry_run: true })).rejects.toMatchObject({ code: 'unknown_sku' });
    const { id, number } = await room.place();
    expect(number).toBe('ORD-2026-000001');
    const cancel = await ask<Preview>('cancel', id, { dry_run: true });
    expect([cancel.after.status, cancel.says]).toMatchObject(['pending', [{ type: 'stock.release', data: { reason: 'customer' } }]]);
    expect((await room.get(id)).version).toBe(1);
    await ask('notes', id, { text: 'Ring twice.\nThe dog is kind.' });
    expect(room.news()).toEqual(['order.placed', 'stock.reserve', 'order.note_added']);
  });

  test('placing takes as many statements as before, whatever an order asks for', async () => {
    await room.place();
    const count = async (more: object): Promise<number> => {
      room.statements();
      await room.place(more);
      return room.statements();
    };
    const plain = await count({});
    const charges = [{ code: 'vat', amount: 100, kind: 'tax' as const }];
    const lines = [{ sku: 'A', quantity: 1, charges }];
    expect([await count({ lines }), await count({ allocation: { split: true } })]).toEqual([plain, plain]);
    expect(await count({ draft: true })).toBeLessThan(plain); // it has no deadline
  });
});
