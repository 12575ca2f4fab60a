/** The doors of orders. */
import { z } from 'zod';
import {
  amountSchema,
  currencySchema,
  decodeCursor,
  idSchema,
  pageFrom,
  pageOf,
  pageQuerySchema,
  quantitySchema,
  skuSchema,
  textSchema,
} from '../contracts/rest.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import { once } from '../messaging/idempotency.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import { explain } from './domain-explain.ts';
import { type StreamGap, blockerOfGap } from './domain-gaps.ts';
import type { Order, Request } from './domain-order.ts';
import * as store from './store.ts';
import { ask, findOrder } from './use-cases.ts';
import type { Placement, PlacingDesk } from './use-cases-place.ts';
import { type OrderView, explanationSchema, orderSchema, statusSchema, timelineSchema, viewOf, viewOfEntry, viewOfExplanation } from './view.ts';

/** The most lines of one order: its messages must stay far below what brokers take. */
const ORDER_LINES_MAX = 500;
const CHARGES_MAX = 100;
const ADDRESS_FIELDS_MAX = 30;

const newOrderSchema = z.object({
  external_id: textSchema(128)
    .optional()
    .meta({ description: 'Your own id, unique among your orders: the same order sent again is answered again.' }),
  customer: z.object({ id: textSchema(128), name: textSchema(200).optional(), email: textSchema(254).optional() }),
  currency: currencySchema,
  lines: z
    .array(z.object({ sku: skuSchema, quantity: quantitySchema, unit_price: amountSchema.optional() }))
    .min(1)
    .max(ORDER_LINES_MAX)
    .meta({ description: 'A line without unit_price takes the price of the catalogue.' }),
  charges: z
    .array(z.object({ code: textSchema(64), amount: z.int().min(-AMOUNT_MAX).max(AMOUNT_MAX), name: textSchema(200).optional() }))
    .max(CHARGES_MAX)
    .optional()
    .meta({ description: 'What is paid beside the goods; discounts are negative.' }),
  ship_to: z
    .record(textSchema(64), textSchema(500))
    .refine((fields) => Object.keys(fields).length <= ADDRESS_FIELDS_MAX, `at most ${ADDRESS_FIELDS_MAX} fields`)
    .optional(),
  policy: textSchema(64)
    .optional()
    .meta({ description: 'Which stops the order makes.', examples: ['default', 'prepaid', 'reserve_only'] }),
  payment: z
    .object({ token: textSchema(255) })
    .optional()
    .meta({ description: 'Stands for the card at the provider; never shown again.' }),
});

const listQuery = pageQuerySchema.extend({
  status: statusSchema.optional(),
  external_id: textSchema(128).optional(),
  customer_id: textSchema(128).optional(),
});
const orderParams = z.object({ order_id: idSchema('ord').meta({ description: 'The id of an order, or its number.' }) });
const cancelBody = z.object({ reason: textSchema(200).optional() }).optional();

/** What is missing for too long in streams of an order. */
export type GapsOf = (orderId: string) => Promise<readonly StreamGap[]>;

export function orderRoutes(desk: PlacingDesk, place: (placement: Placement) => Promise<OrderView>, gapsOf: GapsOf): Route[] {
  const { db } = desk.mailbox;
  const askOnce = (context: RequestContext, path: string, order_id: string, asked: Request): Promise<OrderView> =>
    once(desk.mailbox, context, `POST ${path}`, async (unit) => viewOf(await ask(unit, desk, order_id, asked)));
  const operationOf = ({ operation }: RequestContext): { operation?: string } => (operation === undefined ? {} : { operation });
  const read = async (order_id: string): Promise<Order> => findOrder(db.read, order_id);
  const one = { tag: 'Orders', params: orderParams, answers: 'ok' } as const;
  return [
    route({
      method: 'POST',
      path: '/v1/orders',
      tag: 'Orders',
      summary: 'Place an order',
      body: newOrderSchema,
      output: orderSchema,
      answers: 'created',
      refuses: [
        'unknown_policy',
        'unknown_sku',
        'product_archived',
        'no_price',
        'amount_out_of_range',
        'payment_token_required',
        'external_id_reused',
      ],
      handle: ({ body, context }) => place({ input: body, context }),
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
    route({
      ...one,
      method: 'POST',
      path: '/v1/orders/{order_id}/cancel',
      summary: 'Cancel an order: what was begun is undone first',
      body: cancelBody,
      output: orderSchema,
      refuses: ['order_not_found', 'order_not_cancellable'],
      handle: ({ params, body, context }) =>
        askOnce(context, '/v1/orders/{order_id}/cancel', params.order_id, { type: 'cancel', reason: body?.reason, ...operationOf(context) }),
    }),
    route({
      ...one,
      method: 'POST',
      path: '/v1/orders/{order_id}/resume',
      summary: 'Resume an order on hold: what it waits for is asked for again',
      output: orderSchema,
      refuses: ['order_not_found', 'order_not_on_hold'],
      handle: ({ params, context }) => askOnce(context, '/v1/orders/{order_id}/resume', params.order_id, { type: 'resume', ...operationOf(context) }),
    }),
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
