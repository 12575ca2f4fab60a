/** Orders and inventory in two processes: what orders has not heard of, it asks about by message. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { databases } from '../support/databases.ts';
import { type TestInventory, openInventory } from '../inventory/inventory.ts';
import { type Room, deliver, openRoom } from './support.ts';

describe.each(databases())('a catalogue kept elsewhere, on $name', (database) => {
  let room: Room;
  let inventory: TestInventory;
  beforeEach(async () => {
    room = await openRoom(database, { catalogue: undefined });
    inventory = await openInventory(database);
  });
  afterEach(async () => {
    await room.drop();
    await inventory.open.drop();
  });

  const product = (sku: string, price: number): Promise<unknown> =>
    inventory.send('POST', '/v1/products', { sku, name: `Name of ${sku}`, price, currency: 'EUR' });
  const order = (...skus: string[]) => room.place({ lines: skus.map((sku) => ({ sku, quantity: 1 })) });
  const questions = () => room.said.filter(({ type }) => type === 'product.tell');
  /** Carries the n-th question to inventory, and its answer back. */
  async function carry(n: number): Promise<void> {
    await room.heard('product.tell', n);
    await inventory.tell(questions()[n - 1]!);
    await deliver(room.mailbox, room.service, [inventory.said.filter(({ type }) => type === 'product.told').at(-1)!]);
  }
  /** Lets time pass until the promise has settled. */
  async function passing<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): void => void (settled = true);
    promise.then(done, done);
    while (!settled) {
      room.world.advance(250); // ends one rest
      await new Promise((resolve) => setImmediate(resolve));
    }
    return promise;
  }

  test('a product made before this room first started can be ordered; the next order asks nobody', async () => {
    await product('OLD', 70);
    const first = order('OLD');
    await carry(1);
    expect((await passing(first)).total).toBe(70);
    expect((await order('OLD')).total).toBe(70);
    expect(questions()).toHaveLength(1);
  });

  test('what the owner does not know either is refused as ever', async () => {
    const wrong = order('NONE');
    wrong.catch(() => undefined);
    await carry(1);
    await expect(passing(wrong)).rejects.toMatchObject({ code: 'unknown_sku', errors: [{ field: 'lines.0.sku' }] });
  });

  test('without an answer the order is refused for now, and naming what is not known; a late answer helps the next try', async () => {
    await product('OLD', 70);
    await expect(passing(order('OLD'))).rejects.toMatchObject({ code: 'catalogue_away', errors: [{ field: 'lines.0.sku' }] });
    await carry(1);
    expect((await order('OLD')).total).toBe(70);
  });

  test('what the copy does know it may say without the owner', async () => {
    await product('OLD', 70);
    const first = order('OLD');
    await carry(1);
    await passing(first);
    await expect(passing(room.place({ currency: 'USD', lines: [{ sku: 'OLD', quantity: 1 }] }))).rejects.toMatchObject({ code: 'no_price' });
  });

  test('requests that come while a question is open share the next one', async () => {
    await Promise.all(['A', 'B', 'C'].map((sku, i) => product(sku, 10 * (i + 1))));
    const first = order('A');
    await room.heard('product.tell', 1);
    const others = [order('B'), order('C'), order('C', 'B')];
    await carry(1);
    expect((await passing(first)).total).toBe(10);
    await carry(2);
    expect((await passing(Promise.all(others))).map(({ total }) => total)).toEqual([20, 30, 50]);
    expect(questions().map(({ data }) => (data as { skus: string[] }).skus.toSorted())).toEqual([['A'], ['B', 'C']]);
  });
});
