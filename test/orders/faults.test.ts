/** An order when something breaks around it: a commit nobody answered, a program that has changed. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fault } from '../../src/kernel/errors.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import type { Mailbox } from '../../src/messaging/mailbox.ts';
import { ordersService } from '../../src/orders/service.ts';
import { databases } from '../support/databases.ts';
import { ANSWERS, item, wish } from './make.ts';
import { type Room, call, deliver, messageOf, openRoom, requestContext } from './support.ts';

describe.each(databases())('an order on $name', (database) => {
  let room: Room;
  beforeEach(async () => {
    room = await openRoom(database);
  });
  afterEach(() => room.drop());

  const serviceOver = (mailbox: Mailbox, more: object = {}) =>
    ordersService({
      mailbox,
      telemetry: createTelemetry({ level: 'silent' }),
      catalogue: async (skus) => skus.map((sku) => item(sku)),
      ...more,
    });

  test('whose commit was not answered is found again by its key: one order, and the answer it had', async () => {
    let answering = false;
    const deaf: Mailbox = {
      ...room.mailbox,
      async write(work) {
        const result = await room.mailbox.write(work);
        if (!answering) throw new Fault('unavailable', 'the connection broke before the answer');
        return result;
      },
    };
    const context = requestContext({ idempotency: { key: 'checkout-1', hash: 'h' } });
    const place = () => serviceOver(deaf).place({ input: wish({}), context });
    await expect(place()).rejects.toMatchObject({ code: 'unavailable' });
    answering = true;
    const first = await place();
    expect(await place()).toEqual(first);
    expect(await room.mailbox.db.read.raw('select id from orders')).toEqual([{ id: first.id }]);
    expect(room.news()).toEqual(['order.placed', 'stock.reserve']);
  });

  test('goes the way it was placed with, whatever the policies say since', async () => {
    const before = serviceOver(room.mailbox, { policies: { default: ['payment', 'stock', 'shipping'] } });
    const { id } = await before.place({ input: wish({}), context: requestContext() });
    const after = serviceOver(room.mailbox, { policies: { default: ['stock'] } });
    for (const type of ['payment.authorized', 'stock.reserved', 'shipment.ready'] as const)
      await deliver(room.mailbox, after, [messageOf(room.world, type, id, { ...ANSWERS[type], order_id: id } as never)]);
    expect(await call(after, 'GET', '/v1/orders/{order_id}', { params: { order_id: id } })).toMatchObject({
      status: 'confirmed',
      stops: [
        { stop: 'payment', state: 'done' },
        { stop: 'stock', state: 'done' },
        { stop: 'shipping', state: 'done' },
      ],
    });
  });
});
