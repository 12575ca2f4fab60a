/** The doors of transfers: goods from one warehouse to another. */
import { z } from 'zod';
import {
  LINES_MAX,
  decodeCursor,
  dryRunSchema,
  rehearsed,
  expectedVersionSchema,
  idSchema,
  pageFrom,
  pageOf,
  pageQuerySchema,
  quantitySchema,
  skuSchema,
  textSchema,
  timestamp,
} from '../contracts/rest.ts';
import { rfc3339 } from '../kernel/time.ts';
import { onceOrRehearsed } from '../messaging/idempotency.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { TRANSFER_STATUSES, type Transfer, underWay } from './domain-transfers.ts';
import { listTransfers } from './store-transfers.ts';
import * as cases from './use-cases-transfers.ts';

const pieces = z.object({ sku: skuSchema, quantity: quantitySchema });
const linesOf = <Line extends z.ZodType>(line: Line) => z.array(line).min(1).max(LINES_MAX);
const newSchema = z.object({
  from_warehouse_id: idSchema('whs'),
  to_warehouse_id: idSchema('whs').meta({ examples: ['whs_01k9v2c3d4e5f6g7h8j9k0m1n3'] }),
  reference: textSchema(200).optional().meta({ description: 'The number of the paper it goes with.' }),
  lines: linesOf(pieces).meta({ description: 'Each sku once. All of them or none.' }),
  dry_run: dryRunSchema,
});
const versioned = { expected_version: expectedVersionSchema, dry_run: dryRunSchema };
const sendSchema = z.object({
  lines: linesOf(pieces).optional().meta({ description: 'What is really sent; all that was planned when absent. The rest is given back.' }),
  ...versioned,
});
const receiveSchema = z.object({
  lines: linesOf(
    pieces.extend({
      account: z
        .enum(['available', 'unavailable'])
        .optional()
        .meta({ description: 'unavailable: it came, and is not for sale. Default: available.' }),
    }),
  )
    .optional()
    .meta({ description: 'What has come; all that is under way when absent. More may come later.' }),
  ...versioned,
});
const writeOffSchema = z.object({
  reason: textSchema(200).meta({ description: 'Why, in the ledger.', examples: ['lost by the carrier'] }),
  lines: linesOf(pieces).optional().meta({ description: 'What will not come; all that is under way when absent.' }),
  ...versioned,
});

const transferSchema = z
  .object({
    id: z.string(),
    from_warehouse_id: z.string(),
    to_warehouse_id: z.string(),
    status: z.enum(TRANSFER_STATUSES),
    reference: z.string().nullable(),
    actor: z.string().meta({ description: 'Who made it.' }),
    operation: z.string().nullable().meta({ description: 'The operation-name header of the request that made it.' }),
    lines: z.array(
      z.object({
        sku: z.string(),
        quantity: z.int().meta({ description: 'Planned.' }),
        sent: z.int(),
        received: z.int(),
        written_off: z.int(),
        under_way: z.int().meta({ description: 'sent - received - written_off' }),
      }),
    ),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Transfer', description: 'Goods on their way from one warehouse to another. `id` is the ref_id of its postings.' });

const present = ({ client, created_at, updated_at, lines, ...transfer }: Transfer): z.output<typeof transferSchema> => ({
  ...transfer,
  actor: client,
  lines: lines.map((line) => ({ ...line, under_way: underWay(line) })),
  created_at: rfc3339(created_at),
  updated_at: rfc3339(updated_at),
});

const params = z.object({ transfer_id: idSchema('trf') });
const stepRefuses = ['transfer_not_found', 'transfer_state', 'version_mismatch', 'unknown_sku'];

export function transferRoutes(mailbox: Mailbox): Route[] {
  const { db, world } = mailbox;
  const one = '/v1/transfers/{transfer_id}';
  const step = { method: 'POST', tag: 'Transfers', params, output: transferSchema, previews: rehearsed(transferSchema), answers: 'ok' } as const;
  return [
    route({
      method: 'POST',
      path: '/v1/transfers',
      tag: 'Transfers',
      summary: 'Plan a transfer: the goods are reserved where they leave from',
      body: newSchema,
      output: transferSchema,
      previews: rehearsed(transferSchema),
      answers: 'created',
      refuses: ['warehouse_not_found', 'warehouse_archived', 'unknown_sku', 'stock_insufficient'],
      handle: ({ body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: 'POST /v1/transfers',
          dry_run,
          work: async (unit) => present(await cases.createTransfer(unit, world, context, body)),
        }),
    }),
    route({
      method: 'GET',
      path: '/v1/transfers',
      tag: 'Transfers',
      summary: 'List transfers, the newest first',
      query: pageQuerySchema.extend({
        status: z.enum(TRANSFER_STATUSES).optional(),
        warehouse_id: idSchema('whs').optional().meta({ description: 'Where it leaves from, or goes to.' }),
      }),
      output: pageOf(transferSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const page = pageFrom(await listTransfers(db, { ...filter, before, limit: limit + 1 }), limit, ({ id }) => [id]);
        return { ...page, items: page.items.map(present) };
      },
    }),
    route({
      method: 'GET',
      path: one,
      tag: 'Transfers',
      summary: 'Read a transfer',
      params,
      output: transferSchema,
      answers: 'ok',
      refuses: ['transfer_not_found'],
      handle: async ({ params: { transfer_id } }) => present(await cases.findTransfer(db.read, transfer_id)),
    }),
    route({
      ...step,
      path: `${one}/send`,
      summary: 'Send a transfer: the goods leave the warehouse',
      body: sendSchema,
      refuses: stepRefuses,
      handle: ({ params: { transfer_id }, body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: `POST ${one}/send`,
          dry_run,
          work: async (unit) => present(await cases.sendTransfer(unit, transfer_id, body)),
        }),
    }),
    route({
      ...step,
      path: `${one}/receive`,
      summary: 'Receive what has come of a transfer',
      body: receiveSchema,
      refuses: stepRefuses,
      handle: ({ params: { transfer_id }, body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: `POST ${one}/receive`,
          dry_run,
          work: async (unit) => present(await cases.receiveTransfer(unit, transfer_id, body)),
        }),
    }),
    route({
      ...step,
      path: `${one}/write-off`,
      summary: 'Give up what will not come of a transfer',
      body: writeOffSchema,
      refuses: stepRefuses,
      handle: ({ params: { transfer_id }, body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: `POST ${one}/write-off`,
          dry_run,
          work: async (unit) => present(await cases.writeOffTransfer(unit, transfer_id, body)),
        }),
    }),
    route({
      ...step,
      path: `${one}/cancel`,
      summary: 'Cancel a transfer that was not sent: the goods are given back',
      body: z.object(versioned),
      refuses: ['transfer_not_found', 'transfer_state', 'version_mismatch'],
      handle: ({ params: { transfer_id }, body: { dry_run, ...body }, context }) =>
        onceOrRehearsed(mailbox, context, {
          route: `POST ${one}/cancel`,
          dry_run,
          work: async (unit) => present(await cases.cancelTransfer(unit, transfer_id, body)),
        }),
    }),
  ];
}
