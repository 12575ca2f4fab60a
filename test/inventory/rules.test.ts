/** Safety stock and marks: what nobody is promised, and what is said when a level is crossed. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/kernel/errors.ts';
import { databases } from '../support/databases.ts';
import { violationsIn } from './books.ts';
import { type ItemPage, type TestInventory, openInventory, partsInWords } from './inventory.ts';

describe.each(databases())('rules on $name', (database) => {
  let inventory: TestInventory;
  let n = 0;
  const named = (): { sku: string; order: (name: string) => string } => {
    n += 1;
    return { sku: `R${n}`, order: (name) => `ord_${n}_${name}` };
  };
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterEach(async () => expect(await violationsIn(inventory.open.db)).toEqual([]));
  afterAll(() => inventory.open.drop());

  const ofProduct = (sku: string, rule: object) => inventory.send('PATCH', '/v1/products/{product_id}', rule, { params: { product_id: sku } });
  const ofLevel = (warehouse_id: string, sku: string, rule: { safety_stock: number | null; low_at: number | null }) =>
    inventory.send('PUT', '/v1/stock/rules', { warehouse_id, sku, ...rule });
  const levels = async (sku: string) => (await inventory.get('/v1/stock', { sku })).items.map(({ safety_stock, low_at }) => [safety_stock, low_at]);
  const crossings = (from: number): string[] =>
    inventory.said
      .slice(from)
      .flatMap(({ type, data }) => (/^stock\.(low|out|back)$/.test(type) ? [`${type} ${(data as { available: number }).available}`] : []));

  it('hold for a product everywhere, and for a level that has its own', async () => {
    const { stocked, tell, reserve, heardOf, get } = inventory;
    const { sku, order } = named();
    const [one, two] = [await stocked({ [sku]: 5 }), await stocked({ [sku]: 5 })];
    await ofProduct(sku, { safety_stock: 2, low_at: 3 });
    expect(await levels(sku)).toEqual([
      [2, 3],
      [2, 3],
    ]);
    await ofLevel(two, sku, { safety_stock: 0, low_at: null });
    expect(await levels(sku)).toEqual([
      [2, 3],
      [0, 3],
    ]);
    await ofProduct(sku, { safety_stock: 4, low_at: null });
    expect(await levels(sku)).toEqual([
      [4, null],
      [0, null],
    ]);
    expect(await tell(reserve(order('a'), { [sku]: 5 }), reserve(order('b'), { [sku]: 2 }))).toEqual([
      `stock.reserved ${order('a')}`,
      `stock.rejected ${order('b')}`,
    ]);
    expect(heardOf('stock.reserved', order('a'))).toMatchObject({ warehouse_id: two });
    expect(heardOf('stock.rejected', order('b'))).toMatchObject({ lines: [{ requested: 2, available: 1 }] });
    expect((await get('/v1/stock/rules', { sku })).items).toMatchObject([{ warehouse_id: two, safety_stock: 0, low_at: null }]);
    await ofLevel(two, sku, { safety_stock: null, low_at: null });
    expect((await levels(sku))[1]).toEqual([4, null]);
    expect(await tell(reserve(order('c'), { [sku]: 1 }))).toEqual([`stock.reserved ${order('c')}`]); // of the first, which has one to spare
    expect(heardOf('stock.reserved', order('c'))).toMatchObject({ warehouse_id: one });
  });

  it('hold for goods that come later', async () => {
    const { stocked, receive } = inventory;
    const { sku } = named();
    const warehouse_id = await stocked({ [sku]: 0 });
    await ofProduct(sku, { safety_stock: 7, low_at: 9 });
    await ofLevel(warehouse_id, sku, { safety_stock: 3, low_at: null });
    await receive(warehouse_id, { [sku]: 1 });
    const other = await stocked({ [sku]: 1 });
    expect((await inventory.get('/v1/stock', { sku, warehouse_id: other })).items).toMatchObject([{ safety_stock: 7, low_at: 9 }]);
    expect((await inventory.get('/v1/stock', { sku, warehouse_id })).items).toMatchObject([{ safety_stock: 3, low_at: 9 }]);
  });

  it('serve those who wait when they let more go', async () => {
    const { stocked, tell, reserve, heardOf, allowWaiting } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 5 });
    await ofProduct(sku, { safety_stock: 4 });
    await allowWaiting(sku, 9);
    await tell(reserve(order('a'), { [sku]: 4 }, { backorder: true }));
    await ofProduct(sku, { safety_stock: 2 });
    expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${warehouse_id}: 2 ${sku}`]);
    await ofLevel(warehouse_id, sku, { safety_stock: 0, low_at: null });
    expect(heardOf('stock.filled', order('a'))).toMatchObject({ parts: [{ lines: [{ quantity: 1 }] }], queued: [] });
  });

  it('are said to be crossed once, whatever crosses them', async () => {
    const { stocked, tell, reserve, release, receive, said, send } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 6 });
    const during = async (act: () => Promise<unknown>): Promise<string[]> => {
      const from = said.length;
      await act();
      return crossings(from);
    };
    expect(await during(() => ofProduct(sku, { safety_stock: 1, low_at: 4 }))).toEqual([]);
    expect(await during(() => tell(reserve(order('a'), { [sku]: 1 })))).toEqual([]);
    expect(await during(() => tell(reserve(order('b'), { [sku]: 1 })))).toEqual(['stock.low 4']);
    expect(await during(() => tell(reserve(order('c'), { [sku]: 1 })))).toEqual([]);
    expect(await during(() => tell(reserve(order('d'), { [sku]: 2 })))).toEqual(['stock.out 1']);
    expect(await during(() => send('POST', '/v1/stock/adjustments', { warehouse_id, reason: 'lost', lines: [{ sku, quantity: -1 }] }))).toEqual([]);
    expect(await during(() => tell(release(order('d'))))).toEqual(['stock.back 2']);
    expect(await during(() => tell(reserve(order('e'), { [sku]: 1 }), release(order('e'))))).toEqual([]);
    expect(await during(() => receive(warehouse_id, { [sku]: 9 }))).toEqual([]);
    expect(await during(() => ofLevel(warehouse_id, sku, { safety_stock: 20, low_at: null }))).toEqual(['stock.out 11']);
    expect(await during(() => ofLevel(warehouse_id, sku, { safety_stock: null, low_at: 11 }))).toEqual(['stock.low 11', 'stock.back 11']);
  });

  it.each([
    [{ safety_stock: -1, low_at: null }, 'not what the schema says'],
    [{ safety_stock: 1.5, low_at: null }, 'not what the schema says'],
    [{ safety_stock: 1, low_at: null, sku: 'NEVER' }, 'unknown_sku'],
    [{ safety_stock: 1, low_at: null, warehouse_id: 'whs_never' }, 'warehouse_not_found'],
  ])('are refused: %j', async (wrong, code) => {
    const { sku } = named();
    const warehouse_id = await inventory.stocked({ [sku]: 1 });
    const refused = await inventory.send('PUT', '/v1/stock/rules', { warehouse_id, sku, ...wrong }).then(
      () => 'taken',
      (error: unknown) => (error instanceof Refusal ? error.code : 'not what the schema says'),
    );
    expect(refused).toBe(code);
    expect(await levels(sku)).toEqual([[0, null]]);
  });

  it('leave a ledger that tells the level after each posting', async () => {
    const { stocked, tell, reserve, release, receive, get, send } = inventory;
    const { sku, order } = named();
    const warehouse_id = await stocked({ [sku]: 5 });
    await tell(reserve(order('a'), { [sku]: 2 }), reserve(order('b'), { [sku]: 1 }));
    await tell(release(order('a')));
    await send('POST', '/v1/stock/moves', { warehouse_id, reason: 'torn', lines: [{ sku, quantity: 1, to: 'unavailable' }] });
    type Posting = { after: { available: number; reserved: number; unavailable: number } | null };
    const first = await get<ItemPage & { items: Posting[] }>('/v1/stock/postings', { sku, warehouse_id, limit: '2' });
    await receive(warehouse_id, { [sku]: 9 }); // between two pages
    const second = await get<ItemPage & { items: Posting[] }>('/v1/stock/postings', { sku, warehouse_id, cursor: first.next_cursor });
    expect([...first.items, ...second.items].map(({ after }) => after && [after.available, after.reserved, after.unavailable])).toEqual([
      [3, 1, 1],
      [4, 1, 0],
      [2, 3, 0],
      [3, 2, 0],
      [5, 0, 0],
    ]);
    const everywhere = await get<ItemPage & { items: Posting[] }>('/v1/stock/postings', { sku });
    expect(everywhere.items.map(({ after }) => after)).toEqual([null, null, null, null, null, null]);
  });
});
