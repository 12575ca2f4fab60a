/** The doors of the catalogue: products and warehouses. Stock has its own, in api-stock.ts. */
import { z } from 'zod';
import {
  QUANTITY_MAX,
  amountSchema,
  currencySchema,
  decodeCursor,
  expectedVersionSchema,
  flagSchema,
  idSchema,
  longTextSchema,
  pageFrom,
  pageOf,
  pageQuerySchema,
  skuSchema,
  textSchema,
  timestamp,
} from '../contracts/rest.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import { once } from '../messaging/idempotency.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { PRIORITY_DEFAULT, type Product, type Warehouse, fromE6, toE6 } from './domain-catalogue.ts';
import { listProducts, listWarehouses } from './store.ts';
import * as cases from './use-cases-catalogue.ts';

const versionedSchema = { archived_at: timestamp.nullable(), version: z.int(), created_at: timestamp, updated_at: timestamp };
const restoreSchema = z.literal(false).optional().meta({ description: 'false takes it out of the archive.' });
const archivedFilter = flagSchema.default(false).meta({ description: 'true lists what is archived, false (the default) what is not.' });
const archiveQuery = z.object({
  expected_version: z.coerce.number().int().min(1).optional().meta({ description: 'Refuse unless it still has this version.' }),
});

const productSchema = z
  .object({
    id: z.string(),
    sku: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    price: z.int().meta({ description: 'Minor units of `currency`.' }),
    currency: z.string(),
    safety_stock: z.int(),
    low_at: z.int().nullable(),
    backorder_limit: z.int(),
    ...versionedSchema,
  })
  .meta({ id: 'Product', description: 'Something that can be ordered.' });
const piecesSchema = z.int().min(0).max(QUANTITY_MAX);
const productFields = z.object({
  name: textSchema(200),
  price: amountSchema,
  currency: currencySchema,
  description: longTextSchema(4_000).nullish(),
  safety_stock: piecesSchema
    .optional()
    .meta({ description: 'Pieces nobody is promised, in each warehouse without a rule of its own; 0 when absent.' }),
  low_at: piecesSchema.nullish().meta({ description: 'stock.low is said when so many are available in a warehouse without a rule of its own.' }),
  backorder_limit: piecesSchema.optional().meta({ description: 'Pieces that may wait for goods at a time; 0 (none) when absent.' }),
});
const newProductSchema = productFields.extend({ sku: skuSchema.regex(/^(?!prd_)/, 'must not begin as product ids do') });
const productParams = z.object({ product_id: skuSchema.meta({ description: 'The id of a product, or its sku.' }) });

const warehouseSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    location: z.string(),
    priority: z.int(),
    country: z.string().nullable(),
    postal_code: z.string().nullable(),
    latitude: z.number().nullable(),
    longitude: z.number().nullable(),
    ...versionedSchema,
  })
  .meta({ id: 'Warehouse', description: 'A place that holds stock.' });
const prioritySchema = z
  .int()
  .min(0)
  .max(1_000_000)
  .meta({ description: `The lowest is asked first for stock, among equals the oldest; ${PRIORITY_DEFAULT} when absent.` });
const degreesSchema = (most: number, what: string) =>
  z
    .number()
    .min(-most)
    .max(most)
    .nullish()
    .meta({ description: `${what}, for the strategy \`nearest\`; degrees, kept to the sixth decimal.` });
const placeFields = {
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'two capital letters')
    .nullish()
    .meta({ description: 'ISO 3166-1, two letters.', examples: ['DE'] }),
  postal_code: textSchema(20).nullish().meta({ description: 'Where there are no coordinates, distances are guessed from it.' }),
  latitude: degreesSchema(90, 'North (or, negative, south)'),
  longitude: degreesSchema(180, 'East (or, negative, west)'),
};
const warehouseFields = z.object({ name: textSchema(200), location: textSchema(500), priority: prioritySchema, ...placeFields });
const warehouseParams = z.object({ warehouse_id: idSchema('whs') });

const presentVersioned = <Thing extends Pick<Product, 'archived_at' | 'created_at' | 'updated_at'>>(thing: Thing) => ({
  ...thing,
  archived_at: rfc3339OrNull(thing.archived_at),
  created_at: rfc3339(thing.created_at),
  updated_at: rfc3339(thing.updated_at),
});
const presentProduct = (product: Product): z.output<typeof productSchema> => presentVersioned(product);
const presentWarehouse = ({ latitude_e6, longitude_e6, ...warehouse }: Warehouse): z.output<typeof warehouseSchema> => ({
  ...presentVersioned(warehouse),
  latitude: latitude_e6 === null ? null : fromE6(latitude_e6),
  longitude: longitude_e6 === null ? null : fromE6(longitude_e6),
});

/** Degrees as they are kept; what was not given stays undefined. */
const keptPlace = <Fields extends { latitude?: number | null | undefined; longitude?: number | null | undefined }>({
  latitude,
  longitude,
  ...fields
}: Fields) => ({
  ...fields,
  latitude_e6: typeof latitude === 'number' ? toE6(latitude) : latitude,
  longitude_e6: typeof longitude === 'number' ? toE6(longitude) : longitude,
});

/** What a PUT does not say. */
const BLANK_WAREHOUSE = { priority: PRIORITY_DEFAULT, country: null, postal_code: null, latitude: null, longitude: null };
const defined = <Fields extends object>(fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;

export function catalogueRoutes(mailbox: Mailbox): Route[] {
  return [...productRoutes(mailbox), ...warehouseRoutes(mailbox)];
}

function productRoutes(mailbox: Mailbox): Route[] {
  const { db, world } = mailbox;
  return [
    route({
      method: 'POST',
      path: '/v1/products',
      tag: 'Products',
      summary: 'Create a product',
      body: newProductSchema,
      output: productSchema,
      answers: 'created',
      refuses: ['product_exists'],
      handle: ({ body, context }) =>
        once(mailbox, context, 'POST /v1/products', async (unit) => presentProduct(await cases.createProduct(unit, world, body))),
    }),
    route({
      method: 'GET',
      path: '/v1/products',
      tag: 'Products',
      summary: 'List products, by sku',
      query: pageQuerySchema.extend({
        sku: skuSchema.optional(),
        q: textSchema(100).optional().meta({ description: 'Part of the name or the sku, in any case.' }),
        archived: archivedFilter,
      }),
      output: pageOf(productSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const after = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const page = pageFrom(await listProducts(db, { ...filter, after, limit: limit + 1 }), limit, ({ sku }) => [sku]);
        return { ...page, items: page.items.map(presentProduct) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/products/{product_id}',
      tag: 'Products',
      summary: 'Read a product',
      params: productParams,
      output: productSchema,
      answers: 'ok',
      refuses: ['product_not_found'],
      handle: async ({ params }) => presentProduct(await cases.findProduct(db.read, params.product_id)),
    }),
    route({
      method: 'PUT',
      path: '/v1/products/{product_id}',
      tag: 'Products',
      summary: 'Replace what is said of a product',
      params: productParams,
      body: productFields.extend({ expected_version: expectedVersionSchema }),
      output: productSchema,
      answers: 'ok',
      refuses: ['product_not_found', 'version_mismatch'],
      handle: ({
        params,
        body: { expected_version, description = null, safety_stock = 0, low_at = null, backorder_limit = 0, ...fields },
        context,
      }) =>
        once(mailbox, context, 'PUT /v1/products', async (unit) =>
          presentProduct(
            await cases.changeProduct(unit, params.product_id, { ...fields, description, safety_stock, low_at, backorder_limit }, expected_version),
          ),
        ),
    }),
    route({
      method: 'PATCH',
      path: '/v1/products/{product_id}',
      tag: 'Products',
      summary: 'Change some of what is said of a product, or restore it',
      params: productParams,
      body: productFields.partial().extend({ archived: restoreSchema, expected_version: expectedVersionSchema }),
      output: productSchema,
      answers: 'ok',
      refuses: ['product_not_found', 'version_mismatch'],
      handle: ({ params, body: { expected_version, ...changes }, context }) =>
        once(mailbox, context, 'PATCH /v1/products', async (unit) =>
          presentProduct(await cases.changeProduct(unit, params.product_id, changes, expected_version)),
        ),
    }),
    route({
      method: 'DELETE',
      path: '/v1/products/{product_id}',
      tag: 'Products',
      summary: 'Archive a product: it can no longer be ordered or received, and orders still find it',
      params: productParams,
      query: archiveQuery,
      output: productSchema,
      answers: 'ok',
      refuses: ['product_not_found', 'version_mismatch'],
      handle: ({ params, query, context }) =>
        once(mailbox, context, 'DELETE /v1/products', async (unit) =>
          presentProduct(await cases.archiveProduct(unit, params.product_id, query.expected_version)),
        ),
    }),
  ];
}

function warehouseRoutes(mailbox: Mailbox): Route[] {
  const { db, world } = mailbox;
  return [
    route({
      method: 'POST',
      path: '/v1/warehouses',
      tag: 'Warehouses',
      summary: 'Create a warehouse',
      body: warehouseFields.partial({ priority: true }),
      output: warehouseSchema,
      answers: 'created',
      handle: ({ body, context }) =>
        once(mailbox, context, 'POST /v1/warehouses', async (unit) => presentWarehouse(await cases.createWarehouse(unit, world, keptPlace(body)))),
    }),
    route({
      method: 'GET',
      path: '/v1/warehouses',
      tag: 'Warehouses',
      summary: 'List warehouses, in the order in which they are asked for stock',
      query: pageQuerySchema.extend({ archived: archivedFilter }),
      output: pageOf(warehouseSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, archived } }) {
        const after = decodeCursor(cursor, z.tuple([z.int(), z.string()]));
        const page = pageFrom(await listWarehouses(db, { archived, after, limit: limit + 1 }), limit, ({ priority, id }) => [priority, id]);
        return { ...page, items: page.items.map(presentWarehouse) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/warehouses/{warehouse_id}',
      tag: 'Warehouses',
      summary: 'Read a warehouse',
      params: warehouseParams,
      output: warehouseSchema,
      answers: 'ok',
      refuses: ['warehouse_not_found'],
      handle: async ({ params }) => presentWarehouse(await cases.findWarehouse(db.read, params.warehouse_id)),
    }),
    route({
      method: 'PUT',
      path: '/v1/warehouses/{warehouse_id}',
      tag: 'Warehouses',
      summary: 'Replace what is said of a warehouse',
      params: warehouseParams,
      body: warehouseFields.partial({ priority: true }).extend({ expected_version: expectedVersionSchema }),
      output: warehouseSchema,
      answers: 'ok',
      refuses: ['warehouse_not_found', 'version_mismatch'],
      handle: ({ params, body: { expected_version, ...fields }, context }) =>
        once(mailbox, context, 'PUT /v1/warehouses', async (unit) =>
          presentWarehouse(
            await cases.changeWarehouse(unit, params.warehouse_id, keptPlace({ ...BLANK_WAREHOUSE, ...defined(fields) }), expected_version),
          ),
        ),
    }),
    route({
      method: 'PATCH',
      path: '/v1/warehouses/{warehouse_id}',
      tag: 'Warehouses',
      summary: 'Change some of what is said of a warehouse, or restore it',
      params: warehouseParams,
      body: warehouseFields.partial().extend({ archived: restoreSchema, expected_version: expectedVersionSchema }),
      output: warehouseSchema,
      answers: 'ok',
      refuses: ['warehouse_not_found', 'version_mismatch'],
      handle: ({ params, body: { expected_version, ...changes }, context }) =>
        once(mailbox, context, 'PATCH /v1/warehouses', async (unit) =>
          presentWarehouse(await cases.changeWarehouse(unit, params.warehouse_id, keptPlace(changes), expected_version)),
        ),
    }),
    route({
      method: 'DELETE',
      path: '/v1/warehouses/{warehouse_id}',
      tag: 'Warehouses',
      summary: 'Archive a warehouse that holds no stock',
      params: warehouseParams,
      query: archiveQuery,
      output: warehouseSchema,
      answers: 'ok',
      refuses: ['warehouse_not_found', 'warehouse_in_use', 'version_mismatch'],
      handle: ({ params, query, context }) =>
        once(mailbox, context, 'DELETE /v1/warehouses', async (unit) =>
          presentWarehouse(await cases.archiveWarehouse(unit, params.warehouse_id, query.expected_version)),
        ),
    }),
  ];
}
