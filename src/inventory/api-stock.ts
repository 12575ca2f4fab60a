/** The doors of stock: goods in, corrections, counts, the levels and the ledger behind them. Reservations have no door: orders make them. */
import { z } from 'zod';
import {
  LINES_MAX,
  QUANTITY_MAX,
  decodeCursor,
  dryRunSchema,
  rehearsed,
  encodeCursor,
  idSchema,
  pageFrom,
  pageOf,
  pageQuerySchema,
  quantitySchema,
  skuSchema,
  textSchema,
  timestamp,
} from '../contracts/rest.ts';
import { codeOf } from '../kernel/errors.ts';
import { rfc3339 } from '../kernel/time.ts';
import { once, onceOrRehearsed } from '../messaging/idempotency.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { type StockBalances, backwards, onHand } from './domain.ts';
import { type LedgerRow, type LevelRow, listLevels, listPostings } from './store-stock.ts';
import { type LevelRule, listRules } from './store-rules.ts';
import { ruleLevel } from './use-cases-rules.ts';
import { type StockMoved, adjustStock, countStock, moveAside, receiveStock } from './use-cases-hand.ts';

const countedSchema = z.int().min(0).max(QUANTITY_MAX);
const linesOf = <Line extends z.ZodType>(line: Line) => z.array(line).min(1).max(LINES_MAX).meta({ description: 'All of them or none.' });
const referenceSchema = textSchema(200).optional().meta({ description: 'The number of the paper it came with.' });
const place = { warehouse_id: idSchema('whs'), reference: referenceSchema, dry_run: dryRunSchema };

const receiptSchema = z.object({ ...place, lines: linesOf(z.object({ sku: skuSchema, quantity: quantitySchema })) });
const adjustmentSchema = z.object({
  ...place,
  reason: textSchema(200).meta({ description: 'Why, in the ledger.', examples: ['damaged in storage'] }),
  lines: linesOf(
    z.object({
      sku: skuSchema,
      quantity: z
        .int()
        .min(-QUANTITY_MAX)
        .max(QUANTITY_MAX)
        .refine((quantity) => quantity !== 0, 'must not be 0')
        .meta({ description: 'Pieces more, or (negative) less.' }),
      account: z
        .enum(['available', 'unavailable'])
        .optional()
        .meta({ description: 'What is unavailable is on hand and not for sale. Default: available.' }),
    }),
  ),
});
const countSchema = z.object({
  ...place,
  lines: linesOf(
    z.object({
      sku: skuSchema,
      counted: countedSchema.meta({ description: 'Pieces found, reserved ones included.' }),
      expected_on_hand: countedSchema
        .optional()
        .meta({ description: 'Refuse the count unless this many are on hand: goods may have moved since it began.' }),
    }),
  ),
});

const balances = { on_hand: z.int(), reserved: z.int(), available: z.int() };
const moveSchema = z.object({
  ...place,
  reason: textSchema(200).meta({ description: 'Why, in the ledger.', examples: ['damaged in storage'] }),
  lines: linesOf(
    z.object({
      sku: skuSchema,
      quantity: quantitySchema,
      to: z
        .enum(['unavailable', 'available', 'scrap'])
        .meta({ description: 'unavailable: set aside; available: put back of what was set aside; scrap: thrown away of what was set aside.' }),
    }),
  ),
});
const movedSchema = z
  .object({
    id: z.string(),
    warehouse_id: z.string(),
    reference: z.string().nullable(),
    at: timestamp,
    lines: z.array(
      z.object({
        sku: z.string(),
        quantity: z.int().meta({ description: 'Pieces more, or (negative) less, on hand.' }),
        ...balances,
        unavailable: z.int(),
      }),
    ),
  })
  .meta({ id: 'StockMoved', description: 'Stock moved by hand, and what was there afterwards. `id` is the ref_id of its postings.' });
const levelSchema = z
  .object({
    sku: z.string(),
    warehouse_id: z.string(),
    ...balances,
    unavailable: z.int(),
    safety_stock: z.int().meta({ description: 'Of what is available, so many are not promised to anybody.' }),
    low_at: z.int().nullable(),
    updated_at: timestamp,
  })
  .meta({ id: 'StockLevel', description: 'on_hand = available + reserved + unavailable.' });
const postingSchema = z
  .object({
    seq: z.int().meta({ description: 'Its place in the ledger; places may be missing.' }),
    sku: z.string(),
    warehouse_id: z.string(),
    from_account: z.string(),
    to_account: z.string(),
    quantity: z.int(),
    reason: z.string(),
    ref_type: z.string().meta({ description: 'order, return, transfer, receipt, adjustment, count or move.' }),
    ref_id: z.string(),
    reference: z.string().nullable(),
    actor: z.string().nullable().meta({ description: 'Who moved it by hand.' }),
    operation: z.string().nullable().meta({ description: 'The operation-name header of the request.' }),
    at: timestamp,
    after: z
      .object({ available: z.int(), reserved: z.int(), unavailable: z.int() })
      .nullable()
      .meta({ description: 'The level after it, when one sku in one warehouse is asked for.' }),
  })
  .meta({ id: 'StockPosting', description: 'Pieces moved from one account to another; balances are sums of these.' });

const presentMoved = (moved: StockMoved): z.output<typeof movedSchema> => ({ ...moved, at: rfc3339(moved.at), lines: [...moved.lines] });
const presentLevel = (level: LevelRow): z.output<typeof levelSchema> => ({ ...level, on_hand: onHand(level), updated_at: rfc3339(level.updated_at) });
const presentPosting = ({ at, ...posting }: LedgerRow, after: StockBalances | null): z.output<typeof postingSchema> => ({
  seq: posting.seq,
  sku: posting.sku,
  warehouse_id: posting.warehouse_id,
  from_account: posting.from_account,
  to_account: posting.to_account,
  quantity: posting.quantity,
  reason: posting.reason,
  ref_type: posting.ref_type,
  ref_id: posting.ref_id,
  reference: posting.reference,
  actor: posting.actor,
  operation: posting.operation,
  at: rfc3339(at),
  after,
});
const ruleSchema = z
  .object({ sku: z.string(), warehouse_id: z.string(), safety_stock: z.int().nullable(), low_at: z.int().nullable(), updated_at: timestamp })
  .meta({ id: 'StockRule', description: 'What a warehouse says of a sku; null: as the product says.' });
const presentRule = (rule: LevelRule): z.output<typeof ruleSchema> => ({ ...rule, updated_at: rfc3339(rule.updated_at) });

const TRIES = 4;
/** Begins again when goods moved between the look at who holds them and the lock. */
async function patiently<Answer>(act: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      if (codeOf(error) !== 'conflict' || attempt === TRIES) throw error;
    }
  }
}

const pieces = z.int().min(0);
/** The place to go on from, and the level after the posting that comes next, where it is known. */
const ledgerCursor = z.union([z.tuple([z.int().min(1)]), z.tuple([z.int().min(1), pieces, pieces, pieces])]);
const balancesOf = ([available, reserved, unavailable]: readonly number[]): StockBalances | undefined =>
  available === undefined || reserved === undefined || unavailable === undefined ? undefined : { available, reserved, unavailable };

const stockFilter = { sku: skuSchema.optional(), warehouse_id: idSchema('whs').optional() };

export function stockRoutes(mailbox: Mailbox): Route[] {
  const { db, world } = mailbox;
  return [
    route({
      method: 'POST',
      path: '/v1/stock/receipts',
      tag: 'Stock',
      summary: 'Receive goods',
      body: receiptSchema,
      output: movedSchema,
      previews: rehearsed(movedSchema),
      answers: 'created',
      refuses: ['warehouse_not_found', 'warehouse_archived', 'unknown_sku', 'product_archived'],
      handle: ({ body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: 'POST /v1/stock/receipts',
          dry_run,
          work: async (unit) => presentMoved(await receiveStock(unit, world, context, body)),
        }),
    }),
    route({
      method: 'POST',
      path: '/v1/stock/adjustments',
      tag: 'Stock',
      summary: 'Correct stock up or down, never below what is available',
      body: adjustmentSchema,
      output: movedSchema,
      previews: rehearsed(movedSchema),
      answers: 'created',
      refuses: ['warehouse_not_found', 'warehouse_archived', 'unknown_sku', 'stock_insufficient'],
      handle: ({ body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: 'POST /v1/stock/adjustments',
          dry_run,
          work: async (unit) => presentMoved(await adjustStock(unit, world, context, body)),
        }),
    }),
    route({
      method: 'POST',
      path: '/v1/stock/counts',
      tag: 'Stock',
      summary: 'Make what was counted what is on hand; when that is less than is reserved, the newest reservations wait for other goods',
      body: countSchema,
      output: movedSchema,
      previews: rehearsed(movedSchema),
      answers: 'created',
      refuses: ['warehouse_not_found', 'warehouse_archived', 'unknown_sku', 'stock_changed'],
      handle: ({ body: { dry_run, ...body }, context }) =>
        patiently(() =>
          onceOrRehearsed(mailbox, context, {
            route: 'POST /v1/stock/counts',
            dry_run,
            work: async (unit) => presentMoved(await countStock(unit, world, context, body)),
          }),
        ),
    }),
    route({
      method: 'POST',
      path: '/v1/stock/moves',
      tag: 'Stock',
      summary: 'Set stock aside, put it back, or throw away what was set aside',
      body: moveSchema,
      output: movedSchema,
      previews: rehearsed(movedSchema),
      answers: 'created',
      refuses: ['warehouse_not_found', 'warehouse_archived', 'unknown_sku', 'stock_insufficient'],
      handle: ({ body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: 'POST /v1/stock/moves',
          dry_run,
          work: async (unit) => presentMoved(await moveAside(unit, world, context, body)),
        }),
    }),
    route({
      method: 'GET',
      path: '/v1/stock',
      tag: 'Stock',
      summary: 'List stock levels, by sku and warehouse',
      query: pageQuerySchema.extend(stockFilter),
      output: pageOf(levelSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const after = decodeCursor(cursor, z.tuple([z.string(), z.string()]));
        const page = pageFrom(await listLevels(db, { ...filter, after, limit: limit + 1 }), limit, ({ sku, warehouse_id }) => [sku, warehouse_id]);
        return { ...page, items: page.items.map(presentLevel) };
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/stock/rules',
      tag: 'Stock',
      summary: 'Say of a sku in a warehouse how much is not promised to anybody, and when it is low',
      body: z.object({ sku: skuSchema, warehouse_id: idSchema('whs'), safety_stock: countedSchema.nullable(), low_at: countedSchema.nullable() }),
      output: ruleSchema,
      answers: 'ok',
      refuses: ['warehouse_not_found', 'warehouse_archived', 'unknown_sku'],
      handle: ({ body, context }) => once(mailbox, context, 'PUT /v1/stock/rules', async (unit) => presentRule(await ruleLevel(unit, body))),
    }),
    route({
      method: 'GET',
      path: '/v1/stock/rules',
      tag: 'Stock',
      summary: 'List what warehouses say of skus, by sku and warehouse',
      query: pageQuerySchema.extend(stockFilter),
      output: pageOf(ruleSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const after = decodeCursor(cursor, z.tuple([z.string(), z.string()]));
        const page = pageFrom(await listRules(db, { ...filter, after, limit: limit + 1 }), limit, ({ sku, warehouse_id }) => [sku, warehouse_id]);
        return { ...page, items: page.items.map(presentRule) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/stock/postings',
      tag: 'Stock',
      summary: 'Read the ledger, the newest first; a page may be short, go on until next_cursor is null',
      query: pageQuerySchema.extend({
        ...stockFilter,
        ref_id: idSchema('ord').optional().meta({ description: 'An order, a return, a transfer, a receipt, an adjustment, a count or a move.' }),
      }),
      output: pageOf(postingSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const [before, ...carried] = decodeCursor(cursor, ledgerCursor) ?? [];
        const { items, next, level } = await listPostings(db, { ...filter, before, limit });
        const one = filter.sku !== undefined && filter.warehouse_id !== undefined && filter.ref_id === undefined;
        const { afters, left } = backwards(items, one ? (before === undefined ? level : balancesOf(carried)) : undefined);
        return {
          items: items.map((posting, i) => presentPosting(posting, afters[i] ?? null)),
          next_cursor: next === null ? null : encodeCursor([next, ...(left ? [left.available, left.reserved, left.unavailable] : [])]),
        };
      },
    }),
  ];
}
