/** Products, stock and orders as files: out of one program and into another, with what is wrong kept apart. */
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { realWorld } from '../../src/kernel/world.ts';
import { type Client, openClient } from '../../src/cli/client.ts';
import { openOutput } from '../../src/cli/print.ts';
import { openProgress } from '../../src/cli/progress.ts';
import { exportTable, importTable } from '../../src/cli/tables/carry.ts';
import type { KindName } from '../../src/cli/tables/kinds.ts';
import { formatOf } from '../../src/cli/tables/rows.ts';
import { type TestApp, startApp } from '../support/app.ts';

let folder: string;
const apps: TestApp[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-tables-'));
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop();
  await rm(folder, { recursive: true });
});

const nowhere = (): NodeJS.WriteStream => new Writable({ write: (_chunk, _encoding, done) => done() }) as NodeJS.WriteStream;

/** A program and a command line on it. */
async function place() {
  const app = await startApp();
  apps.push(app);
  const client: Client = openClient({ url: app.url(), world: realWorld(), patience: 0 });
  let told = '';
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      told += chunk.toString();
      done();
    },
  }) as NodeJS.WriteStream;
  const output = openOutput(true, { out, err: nowhere() });
  return {
    app,
    client,
    exported: (kind: KindName, file: string) => exportTable(client, output, { kind, format: formatOf(file), out: join(folder, file) }, nowhere()),
    async imported(kind: KindName, file: string) {
      told = '';
      const errors = join(folder, `${file}.errors`);
      const options = { kind, format: formatOf(file), file: join(folder, file), errors, concurrency: 8 };
      const code = await importTable(client, output, options, openProgress(realWorld(), nowhere()));
      return { code, ...(JSON.parse(told) as { new: number; changed: number; 'as it was': number; refused: number }) };
    },
  };
}
const text = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');
const sorted = async (file: string): Promise<string[]> => (await text(file)).split(/\r?\n/).sort();

it.each(['csv', 'ndjson'])('everything as %s goes into an empty program and comes out the same; once more, it changes nothing', async (end) => {
  const [from, to] = [await place(), await place()];
  const { app } = from;
  await app.post('/v1/products', { sku: 'TEA "1", green', name: 'Tea, "long"', price: 450, currency: 'EUR', backorder_limit: 5 });
  await app.post('/v1/products', { sku: 'CUP', name: 'Tasse à café', price: 900, currency: 'EUR', description: 'two\r\nlines' });
  const { id } = await app.post<{ id: string }>('/v1/warehouses', { name: 'Main', location: 'Lyon' });
  await app.post('/v1/stock/receipts', { warehouse_id: id, lines: [{ sku: 'CUP', quantity: 40 }] });
  for (const external_id of ['web-1', 'web-2'])
    await app.post('/v1/orders', {
      external_id,
      customer: { id: 'ada', name: 'Ada', locale: 'de-AT' },
      currency: 'EUR',
      lines: [{ sku: 'CUP', quantity: 2 }],
      charges: [{ code: 'shipping', amount: 499 }],
      ship_to: { city: 'Wien' },
      policy: 'reserve_only',
    });
  const kinds = ['products', 'stock', 'orders'] as const;
  for (const kind of kinds) await from.exported(kind, `${kind}.${end}`);
  for (const [kind, rows] of [
    ['products', 2],
    ['stock', 1],
    ['orders', 2],
  ] as const) {
    const first = await to.imported(kind, `${kind}.${end}`);
    expect(first).toMatchObject({ code: 0, [kind === 'stock' ? 'changed' : 'new']: rows, refused: 0 });
    expect(await to.imported(kind, `${kind}.${end}`)).toMatchObject({ code: 0, new: 0, changed: 0, 'as it was': rows, refused: 0 });
  }
  await to.exported('products', `again.${end}`);
  expect(await sorted(`again.${end}`)).toEqual(await sorted(`products.${end}`));
  const orders = (await to.app.get<{ items: object[] }>('/v1/orders')).items;
  expect(orders).toHaveLength(2);
  expect(orders[0]).toMatchObject({
    external_id: expect.stringMatching(/^web-/) as string,
    total: 2_299,
    ship_to: { city: 'Wien' },
    customer: { id: 'ada', locale: 'de-AT' },
  });
});

it('rows that cannot be taken are kept with their reasons, and brought in once they are mended', async () => {
  const { imported, app } = await place();
  const head = 'sku,name,price,currency';
  await writeFile(
    join(folder, 'products.csv'),
    `\uFEFF${head}\r\nA,Fine,100,EUR\r\nB,Too dear,12.50,EUR\r\n,Nameless,1,EUR\r\nC,Wrong money,1,euro\r\n`,
  );
  expect(await imported('products', 'products.csv')).toMatchObject({ code: 1, new: 1, refused: 3 });
  const errors = await text('products.csv.errors');
  expect(errors).toContain('line,error,sku,name,price,currency');
  expect(errors).toMatch(/^3,"price: must be a whole number/m);
  expect(errors).toMatch(/^4,sku: is missing/m);
  expect(errors).toMatch(/^5,.*currency: .*three capital letters/m);
  await writeFile(join(folder, 'mended.csv'), errors.replace('12.50', '1250').replace('euro', 'EUR').replace(',,Nameless', ',N,Nameless'));
  expect(await imported('products', 'mended.csv')).toMatchObject({ code: 0, new: 3, refused: 0 });
  expect((await app.get<{ items: object[] }>('/v1/products')).items).toHaveLength(4);
  await writeFile(join(folder, 'dearer.csv'), `${head}\nA,Fine,200,EUR\n`);
  expect(await imported('products', 'dearer.csv')).toMatchObject({ code: 0, changed: 1 });
  expect(await app.get('/v1/products/A')).toMatchObject({ price: 200, name: 'Fine' });
  await expect(stat(join(folder, 'dearer.csv.errors'))).rejects.toThrow('ENOENT');
});

it('stock is counted: warehouses are made when they are missing, unknown skus are told', async () => {
  const { imported, app } = await place();
  await app.post('/v1/products', { sku: 'A', name: 'A', price: 1, currency: 'EUR' });
  await writeFile(join(folder, 'stock.ndjson'), '{"sku":"A","warehouse":"Brest","on_hand":7}\n{"sku":"NONE","warehouse":"Brest","on_hand":1}\n\n');
  expect(await imported('stock', 'stock.ndjson')).toMatchObject({ code: 1, changed: 1, refused: 1 });
  expect((await app.get<{ items: object[] }>('/v1/stock')).items).toMatchObject([{ sku: 'A', on_hand: 7 }]);
  expect((await app.get<{ items: object[] }>('/v1/warehouses')).items).toHaveLength(1);
  expect(JSON.parse((await text('stock.ndjson.errors')).trim())).toMatchObject({
    line: 2,
    sku: 'NONE',
    error: expect.stringContaining('NONE') as string,
  });
});

it('what is no such file is said, with the line; what came before it is in', async () => {
  const { imported, app } = await place();
  await writeFile(join(folder, 'products.ndjson'), '{"sku":"A","name":"A","price":1,"currency":"EUR"}\n');
  await appendFile(join(folder, 'products.ndjson'), 'sku,name\n');
  await expect(imported('products', 'products.ndjson')).rejects.toThrow(/line 2 is not JSON/);
  expect((await app.get<{ items: object[] }>('/v1/products')).items).toHaveLength(1);
  await expect(imported('orders', 'none.csv')).rejects.toMatchObject({ code: 'file_unreadable' });
});

it('warehouses of one name are told apart by a person, not guessed', async () => {
  const { imported, app } = await place();
  await app.post('/v1/products', { sku: 'A', name: 'A', price: 1, currency: 'EUR' });
  for (let i = 0; i < 2; i += 1) await app.post('/v1/warehouses', { name: 'Main', location: 'Lyon' });
  await writeFile(join(folder, 'stock.csv'), 'sku,warehouse,on_hand\nA,Main,7\n');
  expect(await imported('stock', 'stock.csv')).toMatchObject({ code: 1, refused: 1 });
  expect(await text('stock.csv.errors')).toContain('there are several called Main');
});

it('a file that cannot be written is said, and none is left that looks whole; the file of errors is never the file itself', async () => {
  const { exported, client } = await place();
  await expect(exported('products', 'nowhere/products.csv')).rejects.toMatchObject({ code: 'file_unwritable' });
  const file = join(folder, 'products.csv');
  await writeFile(file, 'sku,name,price,currency\n,Nameless,1,EUR\n');
  const bring = (errors: string) =>
    importTable(
      client,
      openOutput(true, { out: nowhere(), err: nowhere() }),
      { kind: 'products', format: 'csv', file, errors, concurrency: 8 },
      openProgress(realWorld(), nowhere()),
    );
  await expect(bring(join(folder, '.', 'products.csv'))).rejects.toMatchObject({ code: 'usage' });
  expect(await text('products.csv')).toContain('Nameless');
  await expect(bring(join(folder, 'nowhere', 'errors.csv'))).rejects.toMatchObject({ code: 'file_unwritable' });
});

it('whoever reads only the first lines ends an export without a complaint', async () => {
  const { client } = await place();
  const closed = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' })) });
  expect(await exportTable(client, openOutput(true), { kind: 'products', format: 'csv' }, closed)).toBe(0);
});

it.each([
  ['latin.csv', Buffer.from('sku,name,price,currency\nA,Caf\xe9,1,EUR\n', 'latin1'), /not UTF-8/],
  ['latin.ndjson', Buffer.from('{"sku":"A","name":"Caf\xe9","price":1,"currency":"EUR"}\n', 'latin1'), /not UTF-8/],
  ['semicolons.csv', 'sku;name;price;currency\nA;A;1;EUR\n', /no column sku.*with commas between them/],
  ['twice.csv', 'sku,name,price,price,currency\nA,A,1,2,EUR\n', /the column price twice/],
  ['empty.csv', '', /it is empty/],
])('%s is refused as a whole, and nothing of it is in', async (file, content, complaint) => {
  const { imported, app } = await place();
  await writeFile(join(folder, file), content);
  await expect(imported('products', file)).rejects.toMatchObject({ code: 'file_unreadable', message: expect.stringMatching(complaint) as string });
  expect((await app.get<{ items: object[] }>('/v1/products')).items).toEqual([]);
});

it('a folder is no file; cells beyond the columns are told with what is in them', async () => {
  const { imported } = await place();
  await expect(imported('products', '.')).rejects.toMatchObject({ code: 'file_unreadable' });
  await writeFile(join(folder, 'products.csv'), 'sku,name,price,currency\nA,A,1,EUR, black and strong\n');
  expect(await imported('products', 'products.csv')).toMatchObject({ code: 1, refused: 1 });
  expect(await text('products.csv.errors')).toContain('black and strong');
});

it('what was exported goes back into the same program and changes nothing', async () => {
  const { imported, exported, app } = await place();
  await app.post('/v1/products', { sku: 'A', name: 'A', price: 1, currency: 'EUR' });
  for (const location of ['Lyon', 'Brest']) {
    const { id } = await app.post<{ id: string }>('/v1/warehouses', { name: 'Main', location });
    await app.post('/v1/stock/receipts', { warehouse_id: id, lines: [{ sku: 'A', quantity: location.length }] });
  }
  const { id } = await app.post<{ id: string }>('/v1/orders', {
    customer: { id: 'ada' },
    currency: 'EUR',
    lines: [{ sku: 'A', quantity: 1 }],
    policy: 'reserve_only',
  });
  await app.until<{ status: string }>(`/v1/orders/${id}`, ({ status }) => status === 'confirmed');
  const before = (await app.get<{ items: object[] }>('/v1/stock')).items;
  for (const [kind, rows] of [
    ['products', 1],
    ['stock', 2],
    ['orders', 1],
  ] as const) {
    await exported(kind, `${kind}.csv`);
    expect(await imported(kind, `${kind}.csv`)).toMatchObject({ code: 0, new: 0, changed: 0, 'as it was': rows });
  }
  expect((await app.get<{ items: object[] }>('/v1/stock')).items).toMatchObject(
    before.map((level) => ({ ...level, updated_at: expect.any(String) as string })),
  );
  expect((await app.get<{ items: object[] }>('/v1/orders')).items).toHaveLength(1);
});
