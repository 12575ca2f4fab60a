import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { databases } from '../support/databases.ts';
import { item, wish } from './make.ts';
import { type Room, call, deliver, messageOf, openRoom, requestContext } from './support.ts';

describe.each(databases())('placing orders on $name', (database) => {
  let room: Room;
  beforeEach(async () => {
    room = await openRoom(database);
  });
  afterEach(() => room.drop());

  const rowsOf = async (table: string): Promise<number> => {
    const [row] = await room.mailbox.db.read.raw<{ n: number }>(`select cast(count(*) as bigint) as n from ${table}`);
    return row!.n;
  };

  test('answers the whole order, and again when it is read by id or number', async () => {
    const order = await room.place({ external_id: 'shop-1', charges: [{ code: 'shipping', amount: 490 }], ship_to: { city: 'Lyon' } });
    expect(order).toMatchObject({
      number: 'ORD-2026-000001',
      external_id: 'shop-1',
      status: 'pending',
      status_reason: null,
      customer: { id: 'cus_1', name: 'Ada' },
      lines: [
        { sku: 'A', name: 'Name of A', quantity: 2, unit_price: 1_000, amount: 2_000 },
        { sku: 'B', unit_price: 250 },
      ],
      goods_total: 2_250,
      charges_total: 490,
      total: 2_740,
      stops: [
        { stop: 'stock', state: 'requested' },
        { stop: 'payment', state: 'waiting' },
        { stop: 'shipping', state: 'waiting' },
      ],
      ship_to: { city: 'Lyon' },
      created_at: '2026-01-01T00:00:00.000Z',
      version: 1,
    });
    expect(await room.get(order.id)).toEqual(order);
    expect(await room.get('ORD-2026-000001')).toEqual(order);
    expect(room.news()).toEqual(['order.placed', 'stock.reserve']);
    expect(room.said[0]).toMatchObject({ subject: order.id, sequence: 1, correlationid: order.id });
  });

  test('200 orders together, or one of 50 lines, take as many statements as one', async () => {
    await room.place(); // from here on the catalogue is known
    const placements = (count: number, lines: number) =>
      Array.from({ length: count }, (_, i) => ({
        input: wish({
          external_id: `n${count}-${lines}-${i}`,
          lines: Array.from({ length: lines }, (_, n) => ({ sku: 'AB'[n % 2]!, quantity: 1 })),
        }),
        context: requestContext({ idempotency: { key: `k${count}-${lines}-${i}`, hash: 'h' } }),
      }));
    const count = async (orders: number, lines: number): Promise<number> => {
      room.statements();
      await room.mailbox.write((unit) => room.service.placeMany(unit, placements(orders, lines)));
      return room.statements();
    };
    const one = await count(1, 1);
    expect([await count(200, 2), await count(1, 50), await count(200, 50)]).toEqual([one, one, one]);
    expect(await rowsOf('orders')).toBe(403);
    expect(await rowsOf('order_line')).toBe(1 + 400 + 50 + 10_000 + 2);
  });

  test('orders placed at the same time get numbers without gaps, refused ones none', async () => {
    const settled = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => room.place(i % 3 === 0 ? { policy: 'no' } : {})));
    const numbers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.number] : [])).sort();
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => `ORD-2026-${String(i + 1).padStart(6, '0')}`));
  });

  test('50 requests with one idempotency key make one order', async () => {
    const context = { idempotency: { key: 'k', hash: 'h' } };
    const settled = await Promise.allSettled(Array.from({ length: 50 }, () => room.place({}, context)));
    const answers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : []));
    const refusals = settled.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code: string }).code] : []));
    expect(new Set(answers).size).toBe(1);
    expect(new Set(refusals)).toEqual(refusals.length > 0 ? new Set(['idempotency_in_progress']) : new Set());
    expect(await rowsOf('orders')).toBe(1);
    const again = await room.place({}, context);
    expect([again.id, room.news()]).toEqual([answers[0], ['order.placed', 'stock.reserve']]);
    await expect(room.place({}, { idempotency: { key: 'k', hash: 'other' } })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
  });

  test('the same external_id: the same order for the same request, else a refusal; clients do not meet', async () => {
    const ship_to = { city: 'Lyon', street: 'Rue' };
    const together = await Promise.all(Array.from({ length: 50 }, () => room.place({ external_id: 'x', ship_to })));
    expect(new Set(together.map(({ id }) => id)).size).toBe(1);
    const [first] = together;
    expect(await room.place({ external_id: 'x', ship_to: { street: 'Rue', city: 'Lyon' } })).toEqual(first);
    await expect(room.place({ external_id: 'x', currency: 'EUR', lines: [{ sku: 'A', quantity: 3 }] })).rejects.toMatchObject({
      code: 'external_id_reused',
      errors: [{ field: 'external_id', rule: expect.stringContaining(first!.id) }],
    });
    expect((await room.place({ external_id: 'x', ship_to }, { client: 'other' })).id).not.toBe(first!.id);
    expect(room.news()).toEqual(['order.placed', 'stock.reserve', 'order.placed', 'stock.reserve']);
  });

  test('an external_id is answered even when its product can no longer be ordered', async () => {
    const order = await room.place({ external_id: 'x' });
    await deliver(room.mailbox, room.service, [
      messageOf(room.world, 'product.archived', 'prd_A', { product_id: 'prd_A', ...item('A'), archived: true }, { sequence: 2 }),
    ]);
    expect(await room.place({ external_id: 'x' })).toEqual(order);
  });

  test('the owner of the catalogue is asked when the copy is in doubt, once', async () => {
    await room.place();
    await room.place();
    expect(room.asked).toEqual([['A', 'B']]);
    await expect(
      room.place({
        lines: [
          { sku: 'A', quantity: 1 },
          { sku: 'Z', quantity: 1 },
        ],
      }),
    ).rejects.toMatchObject({
      code: 'unknown_sku',
      errors: [{ field: 'lines.1.sku' }],
    });
    room.products.set('Z', item('Z', { price: 7 }));
    expect((await room.place({ lines: [{ sku: 'Z', quantity: 1 }] })).total).toBe(7);
    await expect(room.place({ lines: [{ sku: 'Q', quantity: 1, unit_price: 5 }] })).rejects.toMatchObject({ code: 'unknown_sku' });
  });

  test('products told of are known, and older news changes nothing', async () => {
    const told = (sequence: number, price: number) =>
      messageOf(room.world, 'product.updated', 'prd_N', { product_id: 'prd_N', ...item('N', { price }) }, { sequence });
    await deliver(room.mailbox, room.service, [told(2, 20), told(3, 30)]);
    await deliver(room.mailbox, room.service, [told(1, 10)]);
    expect((await room.place({ lines: [{ sku: 'N', quantity: 1 }] })).total).toBe(30);
    expect(room.asked).toEqual([]);
  });

  test('the token is said to payments and nowhere else', async () => {
    const order = await room.place({ policy: 'prepaid' }, { operation: 'checkout' });
    const [row] = await room.mailbox.db.read.raw('select payment_token from orders');
    expect(row).toEqual({ payment_token: 'tok_secret' });
    await room.tell('payment.authorized', [order.id]);
    expect(await room.mailbox.db.read.raw('select payment_token from orders')).toEqual([{ payment_token: null }]);
    const shown = [
      await room.get(order.id),
      await call(room.service, 'GET', '/v1/orders'),
      await call(room.service, 'GET', '/v1/orders/{order_id}/timeline', { params: { order_id: order.id } }),
      await call(room.service, 'GET', '/v1/orders/{order_id}/explain', { params: { order_id: order.id } }),
      room.said.filter(({ type }) => type !== 'payment.authorize'),
    ];
    expect(JSON.stringify(shown)).not.toContain('tok_secret');
    expect(room.said.find(({ type }) => type === 'payment.authorize')?.data).toMatchObject({ token: 'tok_secret' });
  });

  test('requests are checked at the door', async () => {
    const post = (body: object) => call(room.service, 'POST', '/v1/orders', { body, context: requestContext() });
    await expect(post({ ...wish(), lines: [] })).rejects.toThrow();
    await expect(post({ ...wish(), lines: Array.from({ length: 501 }, () => ({ sku: 'A', quantity: 1 })) })).rejects.toThrow();
    await expect(post({ ...wish(), charges: [{ code: 'x', amount: 1.5 }] })).rejects.toThrow();
    await expect(post({ ...wish(), ship_to: Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`f${i}`, 'x'])) })).rejects.toThrow();
    expect(await post({ ...wish(), charges: [{ code: 'voucher', amount: -50 }] })).toMatchObject({ total: 2_200 });
  });
});
