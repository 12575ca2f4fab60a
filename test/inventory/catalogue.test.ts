import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { requestContext } from '../support/mailbox.ts';
import { type ItemPage, type TestInventory, openInventory } from './inventory.ts';

const shirt = { sku: 'SHIRT-M', name: 'Shirt, medium', price: 1_250, currency: 'EUR' };
const refusal = (code: string, field?: string): unknown =>
  expect.objectContaining({ code, ...(field === undefined ? {} : { errors: [expect.objectContaining({ field })] }) });

describe.each(databases())('products on $name', (database) => {
  let inventory: TestInventory;
  beforeAll(async () => void (inventory = await openInventory(database)));
  afterAll(() => inventory.open.drop());
  const path = '/v1/products/{product_id}';

  it('are created once a sku, and found by id and by sku', async () => {
    const { send, get, said } = inventory;
    const product = await send('POST', '/v1/products', { ...shirt, sku: '  SHIRT-M ' });
    expect(product).toMatchObject({ ...shirt, description: null, archived_at: null, version: 1, created_at: '2026-01-01T00:00:00.000Z' });
    expect(said.at(-1)).toMatchObject({
      type: 'product.created',
      subject: product.id,
      sequence: 1,
      data: { sku: 'SHIRT-M', price: 1_250, archived: false },
    });
    for (const product_id of [product.id, 'SHIRT-M']) expect(await get(path, {}, { product_id })).toEqual(product);
    await expect(send('POST', '/v1/products', shirt)).rejects.toEqual(refusal('product_exists', 'sku'));
    await send('POST', '/v1/products', { ...shirt, sku: 'shirt-m' }); // case matters
    await expect(get(path, {}, { product_id: 'Shirt-M' })).rejects.toEqual(refusal('product_not_found'));
    await expect(get(path, {}, { product_id: 'prd_never' })).rejects.toEqual(refusal('product_not_found'));
  });

  it('are changed version by version', async () => {
    const { send, said } = inventory;
    const params = { product_id: 'SHIRT-M' };
    expect(await send('PATCH', path, { price: 1_300, description: 'Cotton', expected_version: 1 }, { params })).toMatchObject({
      price: 1_300,
      version: 2,
    });
    expect(said.at(-1)).toMatchObject({ type: 'product.updated', sequence: 2, data: { price: 1_300 } });
    await expect(send('PATCH', path, { price: 1, expected_version: 1 }, { params })).rejects.toEqual(refusal('version_mismatch', 'expected_version'));
    const count = said.length;
    expect(await send('PATCH', path, { price: 1_300 }, { params })).toMatchObject({ version: 2 });
    expect(said).toHaveLength(count);
    const { sku: _, ...fields } = shirt;
    expect(await send('PUT', path, fields, { params })).toMatchObject({ price: 1_250, description: null, version: 3 });
  });

  it('are archived and restored, and stay in the catalogue for those who ask by sku', async () => {
    const { send, get, service, said } = inventory;
    const params = { product_id: 'SHIRT-M' };
    expect(await send('DELETE', path, undefined, { params, query: { expected_version: '3' } })).toMatchObject({ version: 4 });
    expect(said.at(-1)).toMatchObject({ type: 'product.archived', sequence: 4, data: { archived: true } });
    expect(await send('DELETE', path, undefined, { params })).toMatchObject({ version: 4 });
    expect((await get('/v1/products', { sku: 'SHIRT-M' })).items).toEqual([]);
    expect((await get('/v1/products', { sku: 'SHIRT-M', archived: 'true' })).items).toHaveLength(1);
    expect(await service.catalogue(['SHIRT-M', 'SHIRT-M', 'nothing'])).toEqual([{ ...shirt, version: 4, archived: true }]);
    expect(await send('PATCH', path, { archived: false }, { params })).toMatchObject({ archived_at: null, version: 5 });
  });

  it('are listed by sku, page by page, and found by a part of the name', async () => {
    const { send, get } = inventory;
    for (const n of [3, 1, 2]) await send('POST', '/v1/products', { ...shirt, sku: `MUG-${n}`, name: n === 2 ? '100% Mug' : 'Mug' });
    const skus = (page: ItemPage): unknown[] => page.items.map(({ sku }) => sku);
    const first = await get('/v1/products', { q: 'mUg', limit: '2' });
    expect(skus(first)).toEqual(['MUG-1', 'MUG-2']);
    const second = await get('/v1/products', { q: 'mUg', limit: '2', cursor: first.next_cursor });
    expect([skus(second), second.next_cursor]).toEqual([['MUG-3'], null]);
    expect(skus(await get('/v1/products', { q: '0% m' }))).toEqual(['MUG-2']);
    expect(skus(await get('/v1/products', { q: 'M_G' }))).toEqual([]);
    await expect(get('/v1/products', { cursor: 'nonsense' })).rejects.toEqual(refusal('invalid_cursor', 'cursor'));
  });

  it('are made once for one idempotency key', async () => {
    const { send } = inventory;
    const context = requestContext({ idempotency: { key: 'k1', hash: 'h1' } });
    const once = await send('POST', '/v1/products', { ...shirt, sku: 'KEYED' }, { context });
    expect(await send('POST', '/v1/products', { ...shirt, sku: 'KEYED' }, { context })).toEqual(once);
    const other = requestContext({ idempotency: { key: 'k1', hash: 'h2' } });
    await expect(send('POST', '/v1/products', { ...shirt, sku: 'OTHER' }, { context: other })).rejects.toEqual(refusal('idempotency_key_reused'));
  });

  it.each([{ price: -1 }, { price: 1.5 }, { currency: 'eur' }, { sku: '' }, { sku: 'prd_1' }, { name: 'a\u0000b' }])(
    'are refused with %j',
    async (wrong) => {
      await expect(inventory.send('POST', '/v1/products', { ...shirt, sku: 'WRONG', ...wrong })).rejects.toThrow();
    },
  );
});

describe.each(databases())('warehouses on $name', (database) => {
  let inventory: TestInventory;
  beforeAll(async () => void (inventory = await openInventory(database)));
  afterAll(() => inventory.open.drop());
  const path = '/v1/warehouses/{warehouse_id}';

  it('are listed in the order in which they are asked', async () => {
    const { send, get } = inventory;
    const ids = [];
    for (const given of [{}, {}, { priority: 1 }]) ids.push((await send('POST', '/v1/warehouses', { name: 'W', location: 'L', ...given })).id);
    const first = await get('/v1/warehouses', { limit: '2' });
    expect(first.items.map(({ id }) => id)).toEqual([ids[2], ids[0]]);
    expect((await get('/v1/warehouses', { cursor: first.next_cursor })).items.map(({ id }) => id)).toEqual([ids[1]]);
  });

  it('are changed, and archived when they are empty', async () => {
    const { send, get, said, stocked } = inventory;
    const warehouse_id = await stocked({ A: 1 });
    const params = { warehouse_id };
    expect(await send('PATCH', path, { location: 'Bergen' }, { params })).toMatchObject({ location: 'Bergen', version: 2 });
    await expect(send('DELETE', path, undefined, { params })).rejects.toEqual(refusal('warehouse_in_use'));
    await send('POST', '/v1/stock/counts', { warehouse_id, lines: [{ sku: 'A', counted: 0 }] });
    expect(await send('DELETE', path, undefined, { params })).toMatchObject({ version: 3 });
    expect(said.at(-1)).toMatchObject({ type: 'warehouse.archived', subject: warehouse_id, sequence: 3, data: { archived: true } });
    const receipt = { warehouse_id, lines: [{ sku: 'A', quantity: 1 }] };
    await expect(send('POST', '/v1/stock/receipts', receipt)).rejects.toEqual(refusal('warehouse_archived', 'warehouse_id'));
    expect(await send('PUT', path, { name: 'W', location: 'L' }, { params })).toMatchObject({ name: 'W', priority: 100, version: 4 });
    await expect(get(path, {}, { warehouse_id: 'whs_never' })).rejects.toEqual(refusal('warehouse_not_found'));
    await expect(send('PATCH', path, {}, { params: { warehouse_id: 'whs_never' } })).rejects.toEqual(refusal('warehouse_not_found'));
  });
});
