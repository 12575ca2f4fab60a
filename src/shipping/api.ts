/** The doors of shipping: looking parcels up, handing them over, saying that they arrived. */
import { z } from 'zod';
import { decodeCursor, idSchema, pageFrom, pageOf, pageQuerySchema, textSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import { once } from '../messaging/idempotency.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { type Shipment, deliver, isTrackingNumber, requestDispatch } from './domain.ts';
import { type ShippingTables, listShipments, readShipment } from './store.ts';
import { change } from './use-cases.ts';

const status = z.enum(['pending', 'ready', 'in_transit', 'delivered', 'cancelled', 'returned']);

const shipmentSchema = z
  .object({
    id: z.string(),
    order_id: z.string().nullable(),
    order_number: z.string().nullable(),
    status,
    warehouse_id: z.string().nullable().meta({ description: 'Where it leaves from; null when it was cancelled before it was prepared.' }),
    tracking_number: z.string().nullable(),
    recipient: z.string().nullable(),
    ship_to: z.record(z.string(), z.string()).nullable(),
    lines: z.array(z.object({ line_id: z.string(), sku: z.string(), quantity: z.int() })),
    carrier: z.string().nullable(),
    label_ref: z.string().nullable(),
    estimated_delivery: timestamp.nullable(),
    dispatch_requested_at: timestamp.nullable().meta({ description: 'Somebody asked for the dispatch, and the order has not answered yet.' }),
    refused_reason: z.string().nullable().meta({ description: 'Why the order refused the dispatch that was asked for last.' }),
    dispatched_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    attempts: z.int().meta({ description: 'How often the carrier was told of it.' }),
    due_at: timestamp.nullable().meta({ description: 'When the carrier is told again; null unless pending.' }),
    error: z.string().nullable().meta({ description: 'Why the carrier did not take it.' }),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Shipment', description: 'A parcel from a warehouse to a customer.' });
const shipmentParams = z.object({ shipment_id: idSchema('shp') });

/** `sequence` counts what was said of it: that is between services. */
const present = ({ sequence: _sequence, ...shipment }: Shipment): z.output<typeof shipmentSchema> => ({
  ...shipment,
  lines: [...shipment.lines],
  estimated_delivery: rfc3339OrNull(shipment.estimated_delivery),
  dispatch_requested_at: rfc3339OrNull(shipment.dispatch_requested_at),
  dispatched_at: rfc3339OrNull(shipment.dispatched_at),
  delivered_at: rfc3339OrNull(shipment.delivered_at),
  due_at: rfc3339OrNull(shipment.due_at),
  created_at: rfc3339(shipment.created_at),
  updated_at: rfc3339(shipment.updated_at),
});

export const shippingRoutes = (mailbox: Mailbox): Route[] => [...readingRoutes(mailbox), ...parcelRoutes(mailbox)];

function readingRoutes({ db }: Mailbox): Route[] {
  const builder = db.builder<ShippingTables>();
  return [
    route({
      method: 'GET',
      path: '/v1/shipments',
      tag: 'Shipments',
      summary: 'List shipments, newest first',
      query: pageQuerySchema.extend({ order_id: idSchema('ord').optional(), status: status.optional(), tracking_number: textSchema(64).optional() }),
      output: pageOf(shipmentSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const { items, next_cursor } = pageFrom(await listShipments(db.read, builder, filter, { before, limit: limit + 1 }), limit, ({ id }) => [id]);
        return { items: items.map(present), next_cursor };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/shipments/{shipment_id}',
      tag: 'Shipments',
      summary: 'Get a shipment',
      params: shipmentParams,
      output: shipmentSchema,
      answers: 'ok',
      refuses: ['shipment_not_found'],
      async handle({ params: { shipment_id } }) {
        const shipment = await readShipment(db.read, builder, 'id', shipment_id);
        if (shipment === undefined) throw new Refusal('shipment_not_found', `there is no shipment ${shipment_id}`);
        return present(shipment);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/shipments/tracking/{number}',
      tag: 'Shipments',
      summary: 'Get a shipment by its tracking number',
      params: z.object({ number: textSchema(64) }),
      output: shipmentSchema,
      answers: 'ok',
      refuses: ['shipment_not_found'],
      async handle({ params: { number } }) {
        const shipment = await readShipment(db.read, builder, 'tracking_number', number);
        const hint = isTrackingNumber(number) ? '' : '; its check character does not fit, so it is mistyped or not one of ours';
        if (shipment === undefined) throw new Refusal('shipment_not_found', `there is no shipment with the tracking number ${number}${hint}`);
        return present(shipment);
      },
    }),
  ];
}

function parcelRoutes(mailbox: Mailbox): Route[] {
  const acts = [
    { path: '/v1/shipments/{shipment_id}/dispatch', summary: 'Ask for the dispatch of a ready shipment; its order decides', decide: requestDispatch },
    { path: '/v1/shipments/{shipment_id}/deliver', summary: 'Say that a shipment has arrived', decide: deliver },
  ];
  return acts.map(({ path, summary, decide }) =>
    route({
      method: 'POST',
      path,
      tag: 'Shipments',
      summary,
      params: shipmentParams,
      output: shipmentSchema,
      answers: 'ok',
      refuses: ['shipment_not_found', 'shipment_state'],
      handle: ({ params: { shipment_id }, context }) =>
        once(mailbox, context, `POST ${path}`, async (unit) => present(await change(unit, shipment_id, decide))),
    }),
  );
}
