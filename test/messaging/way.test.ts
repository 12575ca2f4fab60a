/** From one service's transaction to another's: committed means sent, rolled back means never said. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { type Bench, effects, openBench, recording, until } from './support.ts';

describe.each(databases())('the way of a message on $name', (database) => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await openBench(database);
  });
  afterEach(() => bench.close());

  it('what is said in a transaction arrives once, and leaves nothing behind', async () => {
    const inventory = await bench.service('inventory', { subscriptions: [recording(['stock.release'], 'inbox')] });
    const orders = await bench.service('orders');
    await orders.mailbox.write(async (unit) => {
      unit.say(
        Array.from({ length: 450 }, (_, i) => ({ type: 'stock.release' as const, subject: `o${i}`, data: { order_id: `o${i}`, reason: 'test' } })),
      );
    });
    await until('all are handled', async () => (await inventory.count('effect')) === 450);
    expect(new Set((await effects(inventory)).map(({ subject }) => subject)).size).toBe(450);
    await until('the outbox is empty', async () => (await orders.count('outbox')) === 0);
    await until('the queue is empty', async () => (await bench.transport.depths())['inventory'] === 0);
  });

  it('what is said in a transaction that is rolled back is never said', async () => {
    const inventory = await bench.service('inventory', { subscriptions: [recording(['stock.release'], 'inbox')] });
    const orders = await bench.service('orders');
    const failing = orders.mailbox.write(async (unit) => {
      unit.say([{ type: 'stock.release', subject: 'never', data: { order_id: 'never', reason: 'test' } }]);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await orders.mailbox.write(async (unit) => {
      unit.say([{ type: 'stock.release', subject: 'after', data: { order_id: 'after', reason: 'test' } }]);
    });
    await until('the second is handled', async () => (await inventory.count('effect')) > 0);
    expect((await effects(inventory)).map(({ subject }) => subject)).toEqual(['after']);
  });

  it('an event reaches all who subscribe, and an answer comes back to who asked', async () => {
    const answering = recording(['stock.release'], 'inbox', (unit, messages) =>
      unit.say(messages.map((cause) => ({ type: 'stock.released' as const, subject: cause.subject, cause, data: { order_id: cause.subject } }))),
    );
    const inventory = await bench.service('inventory', { subscriptions: [answering] });
    const notifications = await bench.service('notifications', { subscriptions: [recording(['stock.released'], 'inbox')] });
    const orders = await bench.service('orders', { subscriptions: [recording(['stock.released'], 'inbox')] });
    await orders.mailbox.write(async (unit) => {
      unit.say([{ type: 'stock.release', subject: 'o1', correlationid: 'o1', data: { order_id: 'o1', reason: 'test' } }]);
    });
    await until('both heard', async () => (await orders.count('effect')) === 1 && (await notifications.count('effect')) === 1);
    expect(await inventory.count('effect')).toBe(1);
  });
});
