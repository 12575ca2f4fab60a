/** SQL for products and warehouses. */
import { sql } from 'kysely';
import { type Database, type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { type Product, type Warehouse, placeOfWarehouse } from './domain-catalogue.ts';
import type { Place } from './domain-distance.ts';

// oxfmt-ignore
const VERSIONED = { id: 'text', archived_at: 'bigint', version: 'bigint', created_at: 'bigint', updated_at: 'bigint' } as const;
const PRODUCT = {
  ...VERSIONED,
  sku: 'text',
  name: 'text',
  description: 'text',
  price: 'bigint',
  currency: 'text',
  safety_stock: 'bigint',
  low_at: 'bigint',
  backorder_limit: 'bigint',
} as const;
const WAREHOUSE = {
  ...VERSIONED,
  name: 'text',
  location: 'text',
  priority: 'bigint',
  country: 'text',
  postal_code: 'text',
  latitude_e6: 'bigint',
  longitude_e6: 'bigint',
} as const;

const names = (columns: object): string => Object.keys(columns).join(', ');
const ofRow = (columns: object): string =>
  Object.keys(columns)
    .map((column) => `row.${column}`)
    .join(', ');

const insertProducts = statement<Product, { id: string }>(
  PRODUCT,
  (rows) => `insert into product (${names(PRODUCT)}) select ${ofRow(PRODUCT)} from ${rows} where true on conflict (sku) do nothing returning id`,
);
const updateProducts = statement<Product, { id: string }>(
  PRODUCT,
  (rows) => `
    update product set name = row.name, description = row.description, price = row.price, currency = row.currency,
      safety_stock = row.safety_stock, low_at = row.low_at, backorder_limit = row.backorder_limit,
      archived_at = row.archived_at, version = row.version, updated_at = row.updated_at
    from ${rows} where product.id = row.id and product.version = row.version - 1 returning product.id`,
);
const lockProducts = statement<{ id: string }, Product>(
  { id: 'text' },
  (rows, dialect) => `select product.* from ${rows} join product on product.id = row.id order by product.id ${dialect.forUpdate('product')}`,
);
const readProducts = statement<{ id: string }, Product>(
  { id: 'text' },
  (rows) => `select product.* from ${rows} join product on product.id = row.id`,
);
const readProductsBySku = statement<{ sku: string }, Product>(
  { sku: 'text' },
  (rows) => `select product.* from ${rows} join product on product.sku = row.sku`,
);

const insertWarehouses = statement<Warehouse>(
  WAREHOUSE,
  (rows) => `insert into warehouse (${names(WAREHOUSE)}) select ${ofRow(WAREHOUSE)} from ${rows}`,
);
const updateWarehouses = statement<Warehouse, { id: string }>(
  WAREHOUSE,
  (rows) => `
    update warehouse set name = row.name, location = row.location, priority = row.priority, country = row.country, postal_code = row.postal_code,
      latitude_e6 = row.latitude_e6, longitude_e6 = row.longitude_e6, archived_at = row.archived_at, version = row.version,
      updated_at = row.updated_at
    from ${rows} where warehouse.id = row.id and warehouse.version = row.version - 1 returning warehouse.id`,
);
const lockWarehouseRows = statement<{ id: string }, Warehouse>(
  { id: 'text' },
  (rows, dialect) =>
    `select warehouse.* from ${rows} join warehouse on warehouse.id = row.id order by warehouse.id ${dialect.forUpdate('warehouse')}`,
);
const readWarehouses = statement<{ id: string }, Warehouse>(
  { id: 'text' },
  (rows) => `select warehouse.* from ${rows} join warehouse on warehouse.id = row.id`,
);

/** False when the sku is taken. */
export const insertProduct = async (tx: Tx, product: Product): Promise<boolean> => (await tx.run(insertProducts, [product])).length === 1;
export const insertWarehouse = (tx: Tx, warehouse: Warehouse): Promise<unknown> => tx.run(insertWarehouses, [warehouse]);

/** Writes the next version over the one before. */
export async function updateProduct(tx: Tx, product: Product): Promise<void> {
  if ((await tx.run(updateProducts, [product])).length === 0) throw overtaken(product.id);
}
export async function updateWarehouse(tx: Tx, warehouse: Warehouse): Promise<void> {
  if ((await tx.run(updateWarehouses, [warehouse])).length === 0) throw overtaken(warehouse.id);
}
const overtaken = (id: string): Fault => new Fault('conflict', `${id} was changed by another transaction`);

export const lockProduct = async (tx: Tx, id: string): Promise<Product | undefined> => (await tx.run(lockProducts, [{ id }]))[0];
export const lockWarehouses = (tx: Tx, ids: Iterable<string>): Promise<Warehouse[]> =>
  tx.run(
    lockWarehouseRows,
    [...new Set(ids)].map((id) => ({ id })),
  );
export const lockWarehouse = async (tx: Tx, id: string): Promise<Warehouse | undefined> => (await lockWarehouses(tx, [id]))[0];
export const findProduct = async (reader: Reader, id: string): Promise<Product | undefined> => (await reader.run(readProducts, [{ id }]))[0];
export const findWarehouse = async (reader: Reader, id: string): Promise<Warehouse | undefined> => (await reader.run(readWarehouses, [{ id }]))[0];

/** The products with these skus, in no order; unknown skus are left out. */
export const findProductsBySku = (reader: Reader, skus: readonly string[]): Promise<Product[]> =>
  reader.run(
    readProductsBySku,
    [...new Set(skus)].map((sku) => ({ sku })),
  );

const readPlaces = statement<{ id: string }, WarehousePlace>(
  { id: 'text' },
  (rows) => `
    select warehouse.id, warehouse.country, warehouse.postal_code, warehouse.latitude_e6, warehouse.longitude_e6
    from ${rows} join warehouse on warehouse.id = row.id`,
);
type WarehousePlace = Pick<Warehouse, 'id' | 'country' | 'postal_code' | 'latitude_e6' | 'longitude_e6'>;

/** Where warehouses are, by id. */
export async function findPlaces(reader: Reader, ids: Iterable<string>): Promise<Map<string, Place>> {
  const rows = await reader.run(
    readPlaces,
    [...new Set(ids)].map((id) => ({ id })),
  );
  return new Map(rows.map((row) => [row.id, placeOfWarehouse(row)]));
}

interface CatalogueTables {
  readonly product: Product;
  readonly warehouse: Warehouse;
}

export interface ProductFilter {
  readonly sku?: string | undefined;
  /** Part of the name or the sku, in any case. */
  readonly q?: string | undefined;
  readonly archived: boolean;
  /** The last sku of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Products in order of their sku, at most `limit`. */
export function listProducts(db: Database, { sku, q, archived, after, limit }: ProductFilter): Promise<Product[]> {
  let query = db.builder<CatalogueTables>().selectFrom('product').selectAll().orderBy('sku').limit(limit);
  query = query.where('archived_at', archived ? 'is not' : 'is', null);
  if (sku !== undefined) query = query.where('sku', '=', sku);
  if (after !== undefined) query = query.where('sku', '>', after);
  if (q !== undefined) {
    const pattern = `%${q.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
    query = query.where(sql<boolean>`(lower(name) like ${pattern} escape '\\' or lower(sku) like ${pattern} escape '\\')`);
  }
  return db.read.query(query);
}

/** Warehouses in the order in which they are asked for stock, at most `limit`; `after` is the place of the last one before. */
export function listWarehouses(
  db: Database,
  { archived, after, limit }: { archived: boolean; after?: readonly [number, string] | undefined; limit: number },
): Promise<Warehouse[]> {
  let query = db.builder<CatalogueTables>().selectFrom('warehouse').selectAll().orderBy('priority').orderBy('id').limit(limit);
  query = query.where('archived_at', archived ? 'is not' : 'is', null);
  if (after !== undefined) query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('priority', 'id'), '>', tuple(...after)));
  return db.read.query(query);
}
