/** The doors of shipping that only look; what people do with shipments is in api-work.ts, what happens on the way in api-tracking.ts. */
import { z } from 'zod';
import { decodeCursor, idSchema, pageFrom, pageOf, pageQuerySchema, textSchema } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { historyRoute } from './api-acts.ts';
import { trackingRoutes } from './api-tracking.ts';
import { workRoutes } from './api-work.ts';
import { type ShippingTables, listShipments, readShipment } from './store.ts';
import { shipmentOfNumber } from './use-cases-tracking.ts';
import { present, presentDetail, shipmentDetailSchema, shipmentSchema, shipmentStatusSchema } from './view.ts';

const shipmentParams = z.object({ shipment_id: idSchema('shp') });
export const shippingRoutes = (mailbox: Mailbox): Route[] => [...readingRoutes(mailbox), ...workRoutes(mailbox), ...trackingRoutes(mailbox)];

function readingRoutes({ db }: Mailbox): Route[] {
  const tables = { read: db.read, builder: db.builder<ShippingTables>() };
  const read = async (shipment_id: string) => {
    const shipment = await readShipment(db.read, tables.builder, shipment_id);
    if (shipment === undefined) throw new Refusal('shipment_not_found', `there is no shipment ${shipment_id}`);
    return shipment;
  };
  return [
    route({
      method: 'GET',
      path: '/v1/shipments',
      tag: 'Shipments',
      summary: 'List shipments, newest first',
      query: pageQuerySchema.extend({
        order_id: idSchema('ord').optional(),
        status: shipmentStatusSchema.optional(),
        warehouse_id: idSchema('whs').optional(),
        tracking_number: textSchema(64).optional(),
      }),
      output: pageOf(shipmentSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const { items, next_cursor } = pageFrom(await listShipments(tables, filter, { before, limit: limit + 1 }), limit, ({ id }) => [id]);
        return { items: items.map(present), next_cursor };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/shipments/{shipment_id}',
      tag: 'Shipments',
      summary: 'Get a shipment with its parcels',
      params: shipmentParams,
      output: shipmentDetailSchema,
      answers: 'ok',
      refuses: ['shipment_not_found'],
      handle: async ({ params: { shipment_id } }) => presentDetail(await read(shipment_id)),
    }),
    route({
      method: 'GET',
      path: '/v1/shipments/tracking/{number}',
      tag: 'Shipments',
      summary: 'Get a shipment by its tracking number, or that of one of its parcels',
      params: z.object({ number: textSchema(64) }),
      output: shipmentDetailSchema,
      answers: 'ok',
      refuses: ['shipment_not_found'],
      handle: async ({ params: { number } }) => presentDetail(await read((await shipmentOfNumber(tables, number)).id)),
    }),
    historyRoute(
      db,
      { path: '/v1/shipments/{shipment_id}/history', tag: 'Shipments', of: 'a shipment', refuses: ['shipment_not_found'], params: shipmentParams },
      async ({ shipment_id }) => (await read(shipment_id)).id,
    ),
  ];
}
