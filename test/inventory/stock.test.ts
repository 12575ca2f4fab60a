import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listPostings } from '../../src/inventory/store-stock.ts';
import { databases } from '../support/databases.ts';
import { requestContext } from '../support/mailbox.ts';
import { type TestInventory, openInventory } from './inventory.ts';

const refusal = (code: string, ...fields: string[]): unknown =>
  expect.objectContaining({ code, errors: fields.map((field) => expect.objectContaining({ field })) });

describe.each(databases())('stock on $name', (database) => {
  let inventory: TestInventory;
  beforeAll(async () => void (inventory = await openInventory(database)));
  afterAll(() => inventory.open.drop());

  it('is received as one set, with a ledger that says what it came with', async () => {
    const { send, get, said, stocked, levelOf } = inventory;
    const warehouse_id = await stocked({ A: 0, B: 0 });
    const lines = [
      { sku: 'A', quantity: 5 },
      { sku: 'B', quantity: 2 },
      { sku: 'A', quantity: 1 },
    ];
    const context = requestContext({ operation: 'morning delivery' });
    const receipt = await send('POST', '/v1/stock/receipts', { warehouse_id, reference: 'DN-17', lines }, { context });
    expect(receipt).toMatchObject({
      warehouse_id,
      reference: 'DN-17',
      lines: [{ on_hand: 5 }, { on_hand: 2 }, { sku: 'A', quantity: 1, on_hand: 6, available: 6 }],
    });
    expect(said.slice(-3).map(({ type, subject, data }) => [type, subject, data])).toEqual([
      ['stock.received', `${warehouse_id}/A`, { warehouse_id, sku: 'A', quantity: 5, on_hand: 5, available: 5, reason: 'received', ref: receipt.id }],
      ['stock.received', `${warehouse_id}/B`, { warehouse_id, sku: 'B', quantity: 2, on_hand: 2, available: 2, reason: 'received', ref: receipt.id }],
      ['stock.received', `${warehouse_id}/A`, { warehouse_id, sku: 'A', quantity: 1, on_hand: 6, available: 6, reason: 'received', ref: receipt.id }],
    ]);
    expect(await levelOf(warehouse_id, 'A')).toEqual([6, 0, 6]);
    const { items } = await get('/v1/stock/postings', { ref_id: receipt.id });
    expect(items).toHaveLength(3);
    expect(items[0]).toMatchObject({
      sku: 'A',
      from_account: 'outside:supplier',
      to_account: 'available',
      quantity: 1,
      reason: 'received',
      ref_type: 'receipt',
      reference: 'DN-17',
      operation: 'morning delivery',
    });
  });

  it('refuses all lines of a receipt when some are wrong, and names them', async () => {
    const { send, stocked, levelOf, said } = inventory;
    const warehouse_id = await stocked({ GOOD: 1, OLD: 0 });
    await send('DELETE', '/v1/products/{product_id}', undefined, { params: { product_id: 'OLD' } });
    const count = said.length;
    const receive = (...skus: string[]) => send('POST', '/v1/stock/receipts', { warehouse_id, lines: skus.map((sku) => ({ sku, quantity: 1 })) });
    await expect(receive('GOOD', 'X', 'Y')).rejects.toEqual(refusal('unknown_sku', 'lines.1.sku', 'lines.2.sku'));
    await expect(receive('GOOD', 'OLD')).rejects.toEqual(refusal('product_archived', 'lines.1.sku'));
    await expect(send('POST', '/v1/stock/receipts', { warehouse_id: 'whs_never', lines: [{ sku: 'GOOD', quantity: 1 }] })).rejects.toEqual(
      refusal('warehouse_not_found', 'warehouse_id'),
    );
    expect(await levelOf(warehouse_id, 'GOOD')).toEqual([1, 0, 1]);
    expect(said).toHaveLength(count);
  });

  it('takes the same number of statements for 1 line and for 200', async () => {
    const { send, stocked, statements } = inventory;
    const warehouse_id = await stocked({ A: 0 });
    const receive = async (lines: number): Promise<number> => {
      statements();
      await send('POST', '/v1/stock/receipts', { warehouse_id, lines: Array.from({ length: lines }, () => ({ sku: 'A', quantity: 1 })) });
      return statements();
    };
    const many = await receive(200); // as many as one pack of the outbox holds
    expect(await receive(1)).toBe(many);
    await expect(receive(1_000)).resolves.toBeGreaterThan(0);
    await expect(receive(1_001)).rejects.toThrow();
  });

  it('is adjusted within what is available', async () => {
    const { send, get, said, stocked, levelOf } = inventory;
    const warehouse_id = await stocked({ A: 5, B: 5 });
    const adjust = (...lines: unknown[]) => send('POST', '/v1/stock/adjustments', { warehouse_id, reason: 'damaged', lines });
    await adjust({ sku: 'A', quantity: -2 }, { sku: 'B', quantity: 1 }, { sku: 'B', quantity: 1, account: 'unavailable' });
    expect([await levelOf(warehouse_id, 'A'), await levelOf(warehouse_id, 'B')]).toEqual([
      [3, 0, 3],
      [7, 0, 6],
    ]);
    expect(said.at(-3)).toMatchObject({ type: 'stock.adjusted', data: { sku: 'A', quantity: -2, on_hand: 3, reason: 'damaged' } });
    expect((await get('/v1/stock', { warehouse_id, sku: 'B' })).items[0]).toMatchObject({ unavailable: 1 });
    await expect(adjust({ sku: 'B', quantity: 1 }, { sku: 'A', quantity: -4 })).rejects.toEqual(refusal('stock_insufficient', 'lines.1.quantity'));
    expect(await levelOf(warehouse_id, 'B')).toEqual([7, 0, 6]);
    await expect(adjust({ sku: 'A', quantity: 0 })).rejects.toThrow();
  });

  it('is counted by compare and set', async () => {
    const { send, said, stocked, levelOf, reserve, tell } = inventory;
    const warehouse_id = await stocked({ COUNTED: 10 });
    await tell(reserve('ord_counted', { COUNTED: 4 }));
    const counting = (...lines: unknown[]) => send('POST', '/v1/stock/counts', { warehouse_id, lines });
    await counting({ sku: 'COUNTED', counted: 9, expected_on_hand: 10 });
    expect(said.at(-1)).toMatchObject({ type: 'stock.counted', data: { quantity: -1, on_hand: 9, available: 5 } });
    await expect(counting({ sku: 'COUNTED', counted: 9, expected_on_hand: 10 })).rejects.toEqual(
      refusal('stock_changed', 'lines.0.expected_on_hand'),
    );
    await expect(counting({ sku: 'COUNTED', counted: 9 }, { sku: 'COUNTED', counted: 8 })).rejects.toEqual(refusal('invalid_request', 'lines.1.sku'));
    expect(await levelOf(warehouse_id, 'COUNTED')).toEqual([9, 4, 5]);
  });

  it('is received once for one idempotency key', async () => {
    const { send, stocked, levelOf } = inventory;
    const warehouse_id = await stocked({ A: 0 });
    const context = requestContext({ idempotency: { key: 'receipt-1', hash: 'h' } });
    const receive = () => send('POST', '/v1/stock/receipts', { warehouse_id, lines: [{ sku: 'A', quantity: 3 }] }, { context });
    expect(await receive()).toEqual(await receive());
    expect(await levelOf(warehouse_id, 'A')).toEqual([3, 0, 3]);
  });

  it('is listed page by page', async () => {
    const { get, stocked } = inventory;
    const [one, two] = [await stocked({ P1: 1, P2: 2 }), await stocked({ P1: 3 })];
    const first = await get('/v1/stock', { sku: 'P1', limit: '1' });
    const second = await get('/v1/stock', { sku: 'P1', limit: '1', cursor: first.next_cursor });
    expect([...first.items, ...second.items].map(({ warehouse_id, on_hand }) => [warehouse_id, on_hand])).toEqual([
      [one, 1],
      [two, 3],
    ]);
    expect(second.next_cursor).toBeNull();
    expect((await get('/v1/stock', { warehouse_id: one })).items.map(({ sku }) => sku)).toEqual(['P1', 'P2']);
  });

  it('survives deliveries at the same time', async () => {
    const { send, stocked, levelOf } = inventory;
    const warehouse_id = await stocked({ M1: 0, M2: 0 });
    const receive = (skus: string[]) => send('POST', '/v1/stock/receipts', { warehouse_id, lines: skus.map((sku) => ({ sku, quantity: 1 })) });
    await Promise.all(Array.from({ length: 20 }, (_, i) => receive(i % 2 === 0 ? ['M1', 'M2'] : ['M2', 'M1'])));
    expect([await levelOf(warehouse_id, 'M1'), await levelOf(warehouse_id, 'M2')]).toEqual([
      [20, 0, 20],
      [20, 0, 20],
    ]);
  });
});

describe.each(databases())('the ledger on $name', (database) => {
  let inventory: TestInventory;
  let warehouse_id: string;
  beforeAll(async () => {
    inventory = await openInventory(database);
    warehouse_id = await inventory.stocked({ OLD: 1, MUCH: 0, NEW: 0 });
    // More than two runs of 4,096 postings between the first and the last.
    const lines = Array.from({ length: 1_000 }, () => ({ sku: 'MUCH', quantity: 1 }));
    for (let i = 0; i < 9; i += 1) await inventory.send('POST', '/v1/stock/receipts', { warehouse_id, lines });
    for (const quantity of [1, 2, 3]) await inventory.send('POST', '/v1/stock/receipts', { warehouse_id, lines: [{ sku: 'NEW', quantity }] });
  });
  afterAll(() => inventory.open.drop());

  it('is read from the newest to the oldest', async () => {
    const { get } = inventory;
    const first = await get('/v1/stock/postings', { sku: 'NEW', limit: '2' });
    const second = await get('/v1/stock/postings', { sku: 'NEW', limit: '2', cursor: first.next_cursor });
    expect([...first.items, ...second.items].map(({ quantity }) => quantity)).toEqual([3, 2, 1]);
    expect(second.next_cursor).toBeNull();
    expect((await get('/v1/stock/postings', { sku: 'OLD', warehouse_id })).items).toMatchObject([{ quantity: 1 }]);
    expect((await get('/v1/stock/postings', { limit: '200' })).items).toHaveLength(200);
    expect(await get('/v1/stock/postings', { sku: 'NEVER' })).toEqual({ items: [], next_cursor: null });
  });

  it.each([{ sku: 'OLD' }, { sku: 'OLD', warehouse_id: 'mine' }])('finds what is further back than one look reaches: %j', async (filter) => {
    const { db } = inventory.open;
    const found = [];
    let looks = 0;
    for (let before: number | undefined; ; looks += 1) {
      const { items, next } = await listPostings(db, { ...filter, ...(filter.warehouse_id && { warehouse_id }), limit: 5, runs: 1, before });
      found.push(...items);
      if (next === null) break;
      before = next;
    }
    expect(found).toMatchObject([{ sku: 'OLD', quantity: 1 }]);
    expect(looks).toBe(2);
  });

  it('reads every posting once, whatever the pages', async () => {
    const { db } = inventory.open;
    const seqs: number[] = [];
    for (let before: number | undefined; ;) {
      const { items, next } = await listPostings(db, { limit: 1_500, runs: 1, before });
      seqs.push(...items.map(({ seq }) => seq));
      if (next === null) break;
      before = next;
    }
    expect(seqs).toHaveLength(9_004);
    expect(new Set(seqs).size).toBe(9_004);
  });
});
