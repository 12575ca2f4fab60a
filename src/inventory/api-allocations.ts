/** The doors of allocations: where the goods of an order are and why there; who waits for what. */
import { z } from 'zod';
import { decodeCursor, idSchema, pageFrom, pageOf, pageQuerySchema, skuSchema, timestamp } from '../contracts/rest.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { type Waiting, listWaiting } from './store-allocations.ts';
import { ALLOCATION_STATUSES, type Allocation, findAllocation } from './use-cases-allocations.ts';

const placeSchema = z.int().meta({ description: 'How many come before, and one.' });
const waitsFor = z.string().nullable().meta({ description: 'The only warehouse whose goods will do; null for any.' });
const reasonSchema = z
  .enum(['backordered', 'vanished'])
  .meta({ description: 'vanished: goods held for it were not there; it comes before the others.' });
const reasonOf = ({ turn }: Pick<Waiting, 'turn'>): z.output<typeof reasonSchema> => (turn === 0 ? 'vanished' : 'backordered');

const allocationSchema = z
  .object({
    order_id: z.string(),
    status: z.enum(ALLOCATION_STATUSES).meta({ description: 'queued: some of it waits for goods; committed: all of it has left.' }),
    strategy: z.string(),
    split: z.boolean(),
    backorder: z.boolean(),
    lines: z.array(z.object({ line_id: z.string(), sku: z.string(), quantity: z.int() })).meta({ description: 'What the order wants.' }),
    parts: z
      .array(
        z.object({
          warehouse_id: z.string(),
          lines: z.array(z.object({ line_id: z.string(), sku: z.string(), held: z.int(), gone: z.int() })),
        }),
      )
      .meta({ description: 'Where its pieces are held, and from where they have gone.' }),
    queued: z.array(
      z.object({
        line_id: z.string(),
        sku: z.string(),
        quantity: z.int(),
        place: placeSchema,
        since: timestamp,
        reason: reasonSchema,
        waits_for: waitsFor,
      }),
    ),
    rejected: z
      .array(z.object({ warehouse_id: z.string(), why: z.string() }))
      .nullable()
      .meta({ description: 'The other warehouses, and why not; null when nobody knows any more.' }),
    worked_out: z.boolean().meta({ description: 'The reasons were not kept but worked out again from the ledger, by the rules of today.' }),
    revision: z.int(),
    expires_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Allocation', description: 'Where the goods of an order are, why there, and for what it waits.' });

function present({ detail, parts, queued, plan, created_at, ...allocation }: Allocation): z.output<typeof allocationSchema> {
  const { asked, revision, expires_at } = detail;
  return {
    ...allocation,
    lines: [...allocation.lines],
    strategy: asked?.strategy ?? 'priority',
    split: asked?.split ?? false,
    backorder: asked?.backorder ?? false,
    parts: [...Map.groupBy(parts, ({ warehouse_id }) => warehouse_id)].map(([warehouse_id, own]) => ({
      warehouse_id,
      lines: own.map(({ line_id, sku, held, gone }) => ({ line_id, sku, held, gone })),
    })),
    queued: queued.map((entry) => {
      const { line_id, sku, quantity, place, since, warehouse_id } = entry;
      return { line_id, sku, quantity, place, since: rfc3339(since), reason: reasonOf(entry), waits_for: warehouse_id };
    }),
    rejected: plan && [...plan.rejected],
    revision,
    expires_at: rfc3339OrNull(expires_at),
    created_at: rfc3339(created_at),
  };
}

const backorderSchema = z
  .object({
    sku: z.string(),
    place: placeSchema,
    order_id: z.string(),
    line_id: z.string(),
    quantity: z.int(),
    since: timestamp,
    reason: reasonSchema,
    waits_for: waitsFor,
  })
  .meta({ id: 'Backorder', description: 'A line of an order that waits for goods.' });
const presentWaiting = (entry: Waiting): z.output<typeof backorderSchema> => {
  const { sku, place, order_id, line_id, quantity, since, warehouse_id } = entry;
  return { sku, place, order_id, line_id, quantity, since: rfc3339(since), reason: reasonOf(entry), waits_for: warehouse_id };
};

const cursorSchema = z.tuple([z.string(), z.int(), z.int(), z.string(), z.string()]);

export function allocationRoutes({ db }: Mailbox): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/allocations/{order_id}',
      tag: 'Stock',
      summary: 'Where the goods of an order are held, why there, and for what it waits',
      params: z.object({ order_id: idSchema('ord') }),
      output: allocationSchema,
      answers: 'ok',
      refuses: ['reservation_not_found'],
      handle: async ({ params: { order_id } }) => present(await findAllocation(db.read, order_id)),
    }),
    route({
      method: 'GET',
      path: '/v1/backorders',
      tag: 'Stock',
      summary: 'Who waits for goods, by sku, in the order in which they are served',
      query: pageQuerySchema.extend({ sku: skuSchema.optional() }),
      output: pageOf(backorderSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, sku } }) {
        const after = decodeCursor(cursor, cursorSchema);
        const waiting = await listWaiting(db, { sku, after, limit: limit + 1 });
        const page = pageFrom(waiting, limit, (one) => [one.sku, one.turn, one.since, one.order_id, one.line_id]);
        return { ...page, items: page.items.map(presentWaiting) };
      },
    }),
  ];
}
