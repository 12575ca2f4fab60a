import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OrderView } from '../../src/orders/service.ts';
import type { ReplyName } from '../../src/orders/domain-table.ts';
import { databases } from '../support/databases.ts';
import { ANSWERS } from './make.ts';
import { type Room, call, deliver, messageOf, openRoom, requestContext } from './support.ts';

describe.each(databases())('the journey on $name', (database) => {
  let room: Room;
  beforeEach(async () => {
    room = await openRoom(database, { deadlines: { stock: 60_000 } });
  });
  afterEach(() => room.drop());

  const ask = (action: string, id: string, body?: object): Promise<OrderView> =>
    call(room.service, 'POST', `/v1/orders/{order_id}/${action}`, {
      params: { order_id: id },
      body,
      context: requestContext({ operation: 'desk' }),
    }) as Promise<OrderView>;
  const timers = () => room.mailbox.db.read.raw<{ key: string; due_at: number }>('select key, due_at from timer order by key');
  const timeline = async (id: string): Promise<{ seq: number; type: string; status: string; detail: Record<string, unknown> }[]> =>
    ((await call(room.service, 'GET', '/v1/orders/{order_id}/timeline', { params: { order_id: id } })) as { items: never[] }).items;
  const forward: ReplyName[] = ['stock.reserved', 'payment.authorized', 'shipment.ready'];

  test('from placing to the doorstep, with every step in the timeline', async () => {
    const { id } = await room.place({}, { operation: 'checkout' });
    for (const type of [
      ...forward,
      'shipment.dispatch_requested',
      'payment.captured',
      'shipment.dispatched',
      'stock.committed',
      'shipment.delivered',
    ] as const)
      await room.tell(type, [id]);
    expect(await room.get(id)).toMatchObject({
      status: 'delivered',
      version: 9,
      stops: [
        { stop: 'stock', state: 'settled', warehouse_id: 'whs_1' },
        { stop: 'payment', state: 'settled', payment_id: 'pay_1' },
        { stop: 'shipping', state: 'settled', tracking_number: 'TRK-1' },
      ],
    });
    expect((await timeline(id)).map(({ seq, type, status }) => `${seq} ${type} ${status}`)).toEqual([
      '1 order.placed pending',
      '2 stock.reserved pending',
      '3 payment.authorized confirmed',
      '4 shipment.ready confirmed',
      '5 shipment.dispatch_requested confirmed',
      '6 payment.captured confirmed',
      '7 shipment.dispatched shipped',
      '8 stock.committed shipped',
      '9 shipment.delivered delivered',
    ]);
    expect((await timeline(id))[0]!.detail).toEqual({ operation: 'checkout', says: ['order.placed', 'stock.reserve'] });
    expect(await timers()).toEqual([]);
  });

  test('200 orders moved together take as many statements as one', async () => {
    const ids = (await Promise.all(Array.from({ length: 201 }, () => room.place()))).map(({ id }) => id);
    for (const type of forward) {
      room.statements();
      await room.tell(type, ids.slice(0, 1));
      const one = room.statements();
      await room.tell(type, ids.slice(1));
      expect([type, room.statements()]).toEqual([type, one]);
    }
    const page = (await call(room.service, 'GET', '/v1/orders', { query: { status: 'confirmed', limit: 200 } })) as { items: OrderView[] };
    expect(page.items.length).toBe(200);
  });

  test('several messages about one order in one batch work in sequence', async () => {
    const [a, b] = [await room.place(), await room.place()];
    const messages = forward.flatMap((type) => [a, b].map(({ id }) => messageOf(room.world, type, id, { ...ANSWERS[type], order_id: id } as never)));
    room.news();
    await deliver(room.mailbox, room.service, [...messages, messages[0]!]);
    expect(await room.get(a.id)).toMatchObject({ version: 4, status: 'confirmed' });
    expect(room.news().sort()).toEqual(['order.confirmed', 'payment.authorize', 'shipment.prepare'].flatMap((type) => [type, type]));
    await deliver(room.mailbox, room.service, messages);
    expect([(await room.get(a.id)).version, room.news()]).toEqual([4, []]);
    expect(await room.metrics()).toEqual([
      'waybill_orders_placed_total{policy="default"} 2',
      'waybill_order_transitions_total{status="pending"} 2',
      'waybill_order_transitions_total{status="confirmed"} 2',
    ]);
    const prepare = room.said.find(({ type, subject }) => type === 'shipment.prepare' && subject === a.id)!;
    expect(prepare).toMatchObject({
      causationid: messages[2]!.id,
      data: {
        lines: [
          { sku: 'A', quantity: 2 },
          { sku: 'B', quantity: 1 },
        ],
      },
    });
  });

  test('messages about orders nobody knows harm nobody else in the batch', async () => {
    const { id } = await room.place();
    await room.tell('stock.reserved', ['ord_nobody', id]);
    await deliver(room.mailbox, room.service, [messageOf(room.world, 'message.dead_lettered', 'prd_1', ANSWERS['message.dead_lettered'])]);
    expect(await room.get(id)).toMatchObject({ version: 2 });
  });

  test('an order has one timer: left alone when it comes early enough, then set again, cancelled when a person is waited for', async () => {
    const { id } = await room.place();
    const key = `deadline:${id}`;
    const start = room.world.now();
    expect(await timers()).toEqual([{ key, due_at: start + 60_000 }]);
    room.world.advance(1_000);
    await room.tell('stock.reserved', [id]);
    expect(await timers()).toEqual([{ key, due_at: start + 60_000 }]);
    room.world.advance(59_000);
    await room.tell('order.check_deadline', [id]);
    expect(await timers()).toEqual([{ key, due_at: start + 1_000 + 3_600_000 }]);
    await room.tell('payment.authorized', [id]);
    await room.tell('shipment.ready', [id]);
    expect([await timers(), (await room.get(id)).version]).toEqual([[], 4]);
  });

  test('a timer that would come too late is set anew', async () => {
    const { id } = await room.place();
    await room.tell('stock.reserved', [id]);
    await room.tell('payment.authorized', [id]);
    const start = room.world.now();
    room.world.advance(60_000);
    await room.tell('order.check_deadline', [id]);
    expect((await timers())[0]!.due_at).toBe(start + 24 * 3_600_000);
    await ask('cancel', id);
    await room.tell('shipment.cancelled', [id]);
    expect((await timers())[0]!.due_at).toBe(start + 60_000 + 3_600_000);
  });

  test('when it is over, the timer’s message cancels', async () => {
    const { id } = await room.place();
    const [{ message }] = (await room.mailbox.db.read.raw<{ message: string }>('select message from timer')) as [{ message: string }];
    room.world.advance(60_001);
    room.news();
    await deliver(room.mailbox, room.service, [JSON.parse(message)]);
    expect([room.news(), (await room.get(id)).status_reason]).toEqual([['stock.release'], 'cancelling']);
    await room.tell('stock.released', [id]);
    expect(await room.get(id)).toMatchObject({ status: 'cancelled', status_reason: 'timeout' });
  });

  test('cancelling: by id or number, with its reason in the timeline, and once', async () => {
    const { id, number } = await room.place();
    await room.tell('stock.reserved', [id]);
    room.news();
    expect(await ask('cancel', number, { reason: 'found it cheaper' })).toMatchObject({ status: 'pending', status_reason: 'cancelling' });
    expect((await ask('cancel', id)).version).toBe(3);
    for (const type of ['payment.authorized', 'payment.voided', 'stock.released'] as const) await room.tell(type, [id]);
    expect(room.news()).toEqual(['payment.void', 'stock.release', 'order.cancelled']);
    expect(await ask('cancel', id)).toMatchObject({ status: 'cancelled', status_reason: 'customer' });
    const entries = await timeline(id);
    expect(entries.find(({ type }) => type === 'cancel')?.detail).toMatchObject({ reason: 'found it cheaper', operation: 'desk' });
    expect(entries.find(({ type }) => type === 'payment.authorized')?.detail).toMatchObject({ late: true });
    await expect(ask('cancel', 'ord_nobody')).rejects.toMatchObject({ code: 'order_not_found' });
    await expect(ask('cancel', 'ORD-2026-999999')).rejects.toMatchObject({ code: 'order_not_found' });
  });

  test('cancelling is refused from the pivot on, and an idempotency key answers alike', async () => {
    const { id } = await room.place();
    for (const type of [...forward, 'shipment.dispatch_requested'] as const) await room.tell(type, [id]);
    await expect(ask('cancel', id)).rejects.toMatchObject({ code: 'order_not_cancellable' });
    const other = await room.place();
    const context = requestContext({ idempotency: { key: 'c', hash: 'h' } });
    const cancel = () => call(room.service, 'POST', '/v1/orders/{order_id}/cancel', { params: { order_id: other.id }, context });
    const first = await cancel();
    await room.tell('stock.released', [other.id]);
    expect(await cancel()).toEqual(first);
  });

  test('a dead letter holds, explain says so, resuming asks again', async () => {
    const { id } = await room.place();
    const dead = messageOf(room.world, 'message.dead_lettered', id, ANSWERS['message.dead_lettered']);
    await deliver(room.mailbox, room.service, [dead, dead]);
    expect(await room.get(id)).toMatchObject({ status: 'on_hold', status_reason: 'technical', version: 2 });
    expect(await timers()).toEqual([]);
    expect(await call(room.service, 'GET', '/v1/orders/{order_id}/explain', { params: { order_id: id } })).toMatchObject({
      status: 'on_hold',
      blockers: [
        { blocker: 'on_hold', owner: 'operator', legal_commands: ['redrive_dead_letter', 'resume', 'cancel'], evidence: { dead_letter_id: 'dl_1' } },
        { blocker: 'reserving', owner: 'inventory' },
      ],
    });
    room.news();
    expect(await ask('resume', id)).toMatchObject({ status: 'pending', status_reason: null });
    expect([room.news(), (await timers()).length]).toEqual([['order.resumed', 'stock.reserve'], 1]);
    await expect(ask('resume', id)).rejects.toMatchObject({ code: 'order_not_on_hold' });
  });

  test('lists: newest first, filtered, in pages', async () => {
    const placed: OrderView[] = [];
    for (let i = 0; i < 5; i += 1) placed.push(await room.place({ external_id: `e${i}`, customer: { id: i < 3 ? 'x' : 'y' } }));
    await room.tell('stock.rejected', [placed[4]!.id]);
    const list = async (query: object): Promise<{ items: OrderView[]; next_cursor: string | null }> =>
      (await call(room.service, 'GET', '/v1/orders', { query })) as never;
    const idsOf = ({ items }: { items: OrderView[] }): string[] => items.map(({ external_id }) => external_id!);
    expect(idsOf(await list({}))).toEqual(['e4', 'e3', 'e2', 'e1', 'e0']);
    expect(idsOf(await list({ status: 'cancelled' }))).toEqual(['e4']);
    expect(idsOf(await list({ customer_id: 'x', status: 'pending' }))).toEqual(['e2', 'e1', 'e0']);
    expect(idsOf(await list({ external_id: 'e1' }))).toEqual(['e1']);
    const first = await list({ limit: 2 });
    const second = await list({ limit: 2, cursor: first.next_cursor });
    const third = await list({ limit: 2, cursor: second.next_cursor });
    expect([idsOf(first), idsOf(second), idsOf(third), third.next_cursor]).toEqual([['e4', 'e3'], ['e2', 'e1'], ['e0'], null]);
    await expect(list({ cursor: 'bm9uc2Vuc2U' })).rejects.toMatchObject({ code: 'invalid_cursor' });
  });
});
