/** What is done with products and warehouses. Every change is an event whose sequence is the version it made. */
import type { DataOf } from '../contracts/messages.ts';
import { Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Reader } from '../db/database.ts';
import type { Unit } from '../messaging/mailbox.ts';
import type { AnyMessage } from '../messaging/service.ts';
import {
  PRIORITY_DEFAULT,
  type Product,
  type ProductChanges,
  type Warehouse,
  type WarehouseChanges,
  archived,
  born,
  revised,
} from './domain-catalogue.ts';
import * as store from './store.ts';
import { holdsStock, lockStock } from './store-stock.ts';
import { hasOpenTransfers } from './store-transfers.ts';
import { ruleProduct } from './use-cases-rules.ts';

type Optional<Thing> = { readonly [K in keyof Thing]?: Thing[K] | undefined };
export type NewProduct = Pick<Product, 'sku' | 'name' | 'price' | 'currency'> &
  Optional<Pick<Product, 'description' | 'safety_stock' | 'low_at' | 'backorder_limit'>>;
export type NewWarehouse = Pick<Warehouse, 'name' | 'location'> &
  Optional<Pick<Warehouse, 'priority' | 'country' | 'postal_code' | 'latitude_e6' | 'longitude_e6'>>;

export async function createProduct(unit: Unit, world: World, given: NewProduct): Promise<Product> {
  const { sku, name, price, currency, description = null, safety_stock = 0, low_at = null, backorder_limit = 0 } = given;
  const product: Product = { ...born(world.id('prd'), unit.now), sku, name, price, currency, description, safety_stock, low_at, backorder_limit };
  if (!(await store.insertProduct(unit.tx, product)))
    throw new Refusal('product_exists', `there is already a product "${sku}"`, [{ field: 'sku', rule: 'is taken' }]);
  sayProduct(unit, 'product.created', product);
  return product;
}

/** The product with this id or sku. No sku begins as the ids do. */
export async function findProduct(reader: Reader, idOrSku: string): Promise<Product> {
  const product = idOrSku.startsWith('prd_') ? await store.findProduct(reader, idOrSku) : (await store.findProductsBySku(reader, [idOrSku]))[0];
  if (product === undefined) throw new Refusal('product_not_found', `there is no product "${idOrSku}"`);
  return product;
}

/** Changes what is given and leaves the rest; nothing is said when nothing changes. */
export async function changeProduct(unit: Unit, idOrSku: string, changes: ProductChanges, expectedVersion?: number): Promise<Product> {
  const { sku, safety_stock, low_at } = await findProduct(unit.tx, idOrSku);
  const rules = changesOf({ safety_stock, low_at }, changes);
  const levels = rules ? await lockStock(unit.tx, [sku]) : []; // before the product: so everybody locks
  const product = await lockProduct(unit, idOrSku);
  const next = revised(product, changes, expectedVersion, unit.now);
  if (next === undefined) return product;
  await store.updateProduct(unit.tx, next);
  if (rules) await ruleProduct(unit, next, levels);
  sayProduct(unit, 'product.updated', next);
  return next;
}

const changesOf = (
  rule: Pick<Product, 'safety_stock' | 'low_at'>,
  { safety_stock = rule.safety_stock, low_at = rule.low_at }: ProductChanges,
): boolean => safety_stock !== rule.safety_stock || low_at !== rule.low_at;

export async function archiveProduct(unit: Unit, idOrSku: string, expectedVersion?: number): Promise<Product> {
  const product = await lockProduct(unit, idOrSku);
  const next = archived(product, expectedVersion, unit.now);
  if (next === undefined) return product;
  await store.updateProduct(unit.tx, next);
  sayProduct(unit, 'product.archived', next);
  return next;
}

async function lockProduct({ tx }: Unit, idOrSku: string): Promise<Product> {
  const { id } = await findProduct(tx, idOrSku);
  return (await store.lockProduct(tx, id))!;
}

function sayProduct({ say }: Unit, type: 'product.created' | 'product.updated' | 'product.archived', product: Product): void {
  const { id, sku, name, price, currency, archived_at, version } = product;
  const data: DataOf<typeof type> = { product_id: id, sku, name, price, currency, archived: archived_at !== null };
  say([{ type, subject: id, sequence: version, data }]);
}

/** What orders need to know of products when they are placed; unknown skus are left out. */
export interface CatalogueEntry extends Pick<Product, 'sku' | 'name' | 'price' | 'currency' | 'version'> {
  readonly archived: boolean;
}
export async function readCatalogue(reader: Reader, skus: readonly string[]): Promise<CatalogueEntry[]> {
  const products = await store.findProductsBySku(reader, skus);
  return products.map(({ sku, name, price, currency, version, archived_at }) => ({
    sku,
    name,
    price,
    currency,
    version,
    archived: archived_at !== null,
  }));
}

/** Answers services whose copy of the catalogue is in doubt. */
export async function tellProducts({ tx, say }: Unit, questions: readonly AnyMessage<'product.tell'>[]): Promise<void> {
  const skus = new Set(questions.flatMap(({ data }) => data.skus));
  const known = new Map((await readCatalogue(tx, [...skus])).map((entry) => [entry.sku, entry]));
  say(
    questions.map((cause) => {
      const { question_id } = cause.data;
      const products = [...new Set(cause.data.skus)].flatMap((sku) => known.get(sku) ?? []);
      return { type: 'product.told', subject: question_id, cause, data: { question_id, products } };
    }),
  );
}

export async function createWarehouse(unit: Unit, world: World, given: NewWarehouse): Promise<Warehouse> {
  const { name, location, priority = PRIORITY_DEFAULT, country = null, postal_code = null, latitude_e6 = null, longitude_e6 = null } = given;
  const warehouse: Warehouse = { ...born(world.id('whs'), unit.now), name, location, priority, country, postal_code, latitude_e6, longitude_e6 };
  await store.insertWarehouse(unit.tx, warehouse);
  sayWarehouse(unit, 'warehouse.created', warehouse);
  return warehouse;
}

export async function findWarehouse(reader: Reader, id: string): Promise<Warehouse> {
  return (await store.findWarehouse(reader, id)) ?? noWarehouse(id);
}

/** Changes what is given and leaves the rest; nothing is said when nothing changes. */
export async function changeWarehouse(unit: Unit, id: string, changes: WarehouseChanges, expectedVersion?: number): Promise<Warehouse> {
  const warehouse = (await store.lockWarehouse(unit.tx, id)) ?? noWarehouse(id);
  const next = revised(warehouse, changes, expectedVersion, unit.now);
  if (next === undefined) return warehouse;
  await store.updateWarehouse(unit.tx, next);
  sayWarehouse(unit, 'warehouse.updated', next);
  return next;
}

/** Refused while anything lies there, or is on its way: archived stock would be counted and never sold. */
export async function archiveWarehouse(unit: Unit, id: string, expectedVersion?: number): Promise<Warehouse> {
  const warehouse = (await store.lockWarehouse(unit.tx, id)) ?? noWarehouse(id);
  const next = archived(warehouse, expectedVersion, unit.now);
  if (next === undefined) return warehouse;
  if (await holdsStock(unit.tx, id)) throw new Refusal('warehouse_in_use', `warehouse ${id} still holds stock`);
  if (await hasOpenTransfers(unit.tx, id)) throw new Refusal('warehouse_in_use', `a transfer from or to warehouse ${id} is not over`);
  await store.updateWarehouse(unit.tx, next);
  sayWarehouse(unit, 'warehouse.archived', next);
  return next;
}

function noWarehouse(id: string): never {
  throw new Refusal('warehouse_not_found', `there is no warehouse ${id}`);
}

function sayWarehouse({ say }: Unit, type: 'warehouse.created' | 'warehouse.updated' | 'warehouse.archived', warehouse: Warehouse): void {
  const { id, name, location, archived_at, version } = warehouse;
  const data: DataOf<typeof type> = { warehouse_id: id, name, location, archived: archived_at !== null };
  say([{ type, subject: id, sequence: version, data }]);
}
