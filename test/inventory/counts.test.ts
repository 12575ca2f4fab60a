/** Counts that find less than was promised, and stock that is not for sale. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { requestContext } from '../support/mailbox.ts';
import { violationsIn } from './books.ts';
import { type TestInventory, linesOf, openInventory, partsInWords } from './inventory.ts';

describe.each(databases())('what is not there on $name', (database) => {
  let inventory: TestInventory;
  let n = 0;
  const named = (): { sku: string; order: (name: string) => string } => {
    n += 1;
    return { sku: `N${n}`, order: (name) => `ord_${n}_${name}` };
  };
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterEach(async () => expect(await violationsIn(inventory.open.db)).toEqual([]));
  afterAll(() => inventory.open.drop());
  const count = (warehouse_id: string, sku: string, counted: number) =>
    inventory.send<{ id: string; lines: unknown[] }>('POST', '/v1/stock/counts', { warehouse_id, lines: [{ sku, counted }] });

  it('is taken from what nobody was promised, then from the newest reservations, who are told once', async () => {
    const { stocked, tell, reserve, heardOf, said, levelOf } = inventory;
    const { sku, order } = named();
    const warehouse = await stocked({ [sku]: 10 });
    await tell(reserve(order('a'), { [sku]: 3 }), reserve(order('b'), { [sku]: 3 }));
    await tell(reserve(order('c'), { [sku]: 3 }));
    const from = said.length;
    const document = await count(warehouse, sku, 5);
    expect(document.lines).toEqual([{ sku, quantity: -5, on_hand: 5, reserved: 5, available: 0, unavailable: 0 }]);
    expect(
      said
        .slice(from)
        .filter(({ type }) => type === 'stock.shorted')
        .map(({ subject, data }) => [subject, data]),
    ).toEqual([
      [order('c'), { order_id: order('c'), warehouse_id: warehouse, lines: linesOf({ [sku]: 3 }), reason: `counted, ${document.id}` }],
      [order('b'), { order_id: order('b'), warehouse_id: warehouse, lines: linesOf({ [sku]: 1 }), reason: `counted, ${document.id}` }],
    ]);
    // They come first when there is some again, those first that asked first.
    await inventory.receive(warehouse, { [sku]: 2 });
    expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${warehouse}: 1 ${sku}`]);
    expect(partsInWords(heardOf('stock.filled', order('c'))?.parts)).toEqual([`${warehouse}: 1 ${sku}`]);
    expect(await levelOf(warehouse, sku)).toEqual([7, 7, 0]);
  });

  it('is made good at once by another warehouse, where an order may be split', async () => {
    const { stocked, tell, reserve, heardOf } = inventory;
    const { sku, order } = named();
    const one = await stocked({ [sku]: 2 });
    const two = await stocked({ [sku]: 2 }, 200);
    await tell(reserve(order('a'), { [sku]: 3 }, { split: true }));
    await count(one, sku, 1);
    expect(heardOf('stock.shorted', order('a'))).toMatchObject({ warehouse_id: one, lines: [{ quantity: 1 }] });
    expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${two}: 1 ${sku}`]);
  });

  it('is taken last from what was set aside', async () => {
    const { stocked, send, get, tell, reserve, heardOf } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 5 });
    await send('POST', '/v1/stock/moves', { warehouse_id, reason: 'torn', lines: [{ sku, quantity: 2, to: 'unavailable' }] });
    await tell(reserve(order('a'), { [sku]: 2 }));
    await count(warehouse_id, sku, 1);
    expect(heardOf('stock.shorted', order('a'))).toMatchObject({ lines: [{ quantity: 2 }] });
    expect((await get('/v1/stock', { warehouse_id, sku })).items).toMatchObject([{ available: 0, reserved: 0, unavailable: 1 }]);
  });

  it('is found however far back in the ledger its reservations are', async () => {
    const { stocked, send, tell, reserve, heardOf } = inventory;
    const [{ sku, order }, { sku: other }] = [named(), named()];
    const warehouse_id = await stocked({ [sku]: 2, [other]: 0 });
    await tell(reserve(order('a'), { [sku]: 2 }));
    const lines = Array.from({ length: 1_000 }, () => ({ sku: other, quantity: 1 }));
    for (let i = 0; i < 5; i += 1) await send('POST', '/v1/stock/receipts', { warehouse_id, lines });
    await count(warehouse_id, sku, 0);
    expect(heardOf('stock.shorted', order('a'))).toMatchObject({ lines: [{ quantity: 2 }] });
  });

  it('is counted while goods are released and leave, and nothing is lost twice', async () => {
    const { stocked, tell, reserve, release, commit, send } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 20 });
    const orders = Array.from({ length: 10 }, (_, i) => order(`${i}`));
    await tell(...orders.map((id) => reserve(id, { [sku]: 2 })));
    const moved = orders.map((id, i) => tell(i % 2 === 0 ? release(id) : commit(id)));
    const counted = [12, 9, 4].map((pieces) => send('POST', '/v1/stock/counts', { warehouse_id, lines: [{ sku, counted: pieces }] }));
    const ends = await Promise.allSettled([...moved, ...counted]);
    // Goods that vanished cannot leave as well: that is for a person; whoever met too often may try again. Nothing else goes wrong.
    for (const end of ends) if (end.status === 'rejected') expect(['reservation_state', 'conflict']).toContain(end.reason.code);
  });

  it('may be set aside and put back: that sells nothing and serves those who wait', async () => {
    const { stocked, send, tell, reserve, said, heardOf, get, allowWaiting } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 3 });
    await allowWaiting(sku, 9);
    const move = (quantity: number, to: string, reason = 'damaged') =>
      send(
        'POST',
        '/v1/stock/moves',
        { warehouse_id, reason, lines: [{ sku, quantity, to }] },
        { context: requestContext({ client: 'anna', operation: 'quarantine' }) },
      );
    const { id } = await move(3, 'unavailable');
    expect(said.at(-1)).toMatchObject({
      type: 'stock.moved',
      data: { quantity: 3, from: 'available', to: 'unavailable', on_hand: 3, available: 0, reason: 'damaged', ref: id },
    });
    expect(said.some(({ type, subject }) => type === 'stock.out' && subject === `${warehouse_id}/${sku}`)).toBe(true);
    expect(await tell(reserve(order('a'), { [sku]: 1 }), reserve(order('b'), { [sku]: 1 }, { backorder: true }))).toEqual([
      `stock.rejected ${order('a')}`,
      `stock.reserved ${order('b')}`,
    ]);
    await move(2, 'available', 'mended');
    expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${warehouse_id}: 1 ${sku}`]);
    await move(1, 'scrap');
    expect((await get('/v1/stock', { warehouse_id, sku })).items).toMatchObject([{ on_hand: 2, available: 1, reserved: 1, unavailable: 0 }]);
    await expect(move(1, 'scrap')).rejects.toEqual(expect.objectContaining({ code: 'stock_insufficient' }));
    expect((await get('/v1/stock/postings', { ref_id: id })).items).toMatchObject([{ ref_type: 'move', actor: 'anna', operation: 'quarantine' }]);
  });
});
