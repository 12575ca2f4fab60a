/** The doors of orders. */
import { z } from 'zod';
import { decodeCursor, pageFrom, pageOf, pageQuerySchema, textSchema } from '../contracts/rest.ts';
import type { RequestContext, Route } from '../messaging/service.ts';
import { route } from '../messaging/service.ts';
import { newOrderSchema, orderParams } from './api-schemas.ts';
import { personRoutes } from './api-requests.ts';
import { explain } from './domain-explain.ts';
import { type StreamGap, blockerOfGap } from './domain-gaps.ts';
import type { Order } from './domain-order.ts';
import * as store from './store.ts';
import { findOrder } from './use-cases.ts';
import { type Placement, type PlacingDesk, previewPlacing } from './use-cases-place.ts';
import { previewOfPlacing, previewSchema } from './view-preview.ts';
import { type OrderView, explanationSchema, orderSchema, statusSchema, timelineSchema, viewOf, viewOfEntry, viewOfExplanation } from './view.ts';

const listQuery = pageQuerySchema.extend({
  status: statusSchema.optional(),
  external_id: textSchema(128).optional(),
  customer_id: textSchema(128).optional(),
});

/** What is missing for too long in streams of an order. */
export type GapsOf = (orderId: string) => Promise<readonly StreamGap[]>;

export function orderRoutes(desk: PlacingDesk, place: (placement: Placement) => Promise<OrderView>, gapsOf: GapsOf): Route[] {
  const { db } = desk.mailbox;
  const read = async (order_id: string): Promise<Order> => findOrder(db.read, order_id);
  const one = { tag: 'Orders', params: orderParams, answers: 'ok' } as const;
  return [
    route({
      method: 'POST',
      path: '/v1/orders',
      tag: 'Orders',
      summary: 'Place an order, or draft one',
      body: newOrderSchema,
      output: orderSchema,
      previews: previewSchema,
      answers: 'created',
      refuses: [
        'unknown_policy',
        'unknown_sku',
        'product_archived',
        'no_price',
        'amount_out_of_range',
        'payment_token_required',
        'external_id_reused',
        'catalogue_away',
      ],
      handle: ({ body: { dry_run, ...input }, context }) => (dry_run === true ? previewed(desk, { input, context }) : place({ input, context })),
    }),
    route({
      method: 'GET',
      path: '/v1/orders',
      tag: 'Orders',
      summary: 'List orders, newest first',
      query: listQuery,
      output: pageOf(orderSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const page = pageFrom(await store.list(db, { ...filter, before, limit: limit + 1 }), limit, ({ id }) => [id]);
        return { ...page, items: page.items.map(viewOf) };
      },
    }),
    route({
      ...one,
      method: 'GET',
      path: '/v1/orders/{order_id}',
      summary: 'Read an order',
      output: orderSchema,
      refuses: ['order_not_found'],
      handle: async ({ params }) => viewOf(await read(params.order_id)),
    }),
    ...personRoutes(desk),
    route({
      ...one,
      method: 'GET',
      path: '/v1/orders/{order_id}/timeline',
      summary: 'Read what happened to an order',
      output: timelineSchema,
      refuses: ['order_not_found'],
      async handle({ params }) {
        const { id } = await read(params.order_id);
        return { items: (await store.timelineOf(db.read, id)).map(viewOfEntry) };
      },
    }),
    route({
      ...one,
      method: 'GET',
      path: '/v1/orders/{order_id}/explain',
      summary: 'Ask what an order waits for',
      output: explanationSchema,
      refuses: ['order_not_found'],
      async handle({ params }) {
        const order = await read(params.order_id);
        const gaps = await gapsOf(order.id);
        return viewOfExplanation(order, [...explain(order, desk.deadlines), ...gaps.map(blockerOfGap)]);
      },
    }),
  ];
}

async function previewed(desk: PlacingDesk, placement: { input: Placement['input']; context: RequestContext }) {
  const { order, says } = await previewPlacing(desk, placement);
  return previewOfPlacing(order, says);
}
