/** The doors of what happens on the way: what carriers send, what people see and say. */
import { z } from 'zod';
import { decodeCursor, dryRunSchema, idSchema, pageFrom, pageOf, pageQuerySchema, textSchema, timestamp } from '../contracts/rest.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import { actFields, plainAct, run, shipmentAct } from './api-acts.ts';
import { TRACKING_CODES, type TrackingCode } from './domain-parcels.ts';
import { RESOLUTIONS, TROUBLES, deliver, resolve, trouble } from './domain-tracking.ts';
import type { ShippingTables } from './store.ts';
import { type EventKey, type KeptEvent, type TrackingTables, listEvents } from './store-parcels.ts';
import { type Meant, receiveEvents, shipmentOfNumber } from './use-cases-tracking.ts';
import { presentDetail, shipmentDetailSchema } from './view.ts';

const EVENTS_MAX = 100;
const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .meta({ examples: ['2026-03-01T09:30:00Z'] });
const codeSchema = z.enum(Object.keys(TRACKING_CODES) as [TrackingCode, ...TrackingCode[]]);

const sentSchema = z.object({
  carrier_event_id: textSchema(128).meta({ description: "The carrier's id of the event: the same one sent again changes nothing." }),
  code: codeSchema,
  carrier_at: moment.meta({ description: 'When it happened, as the carrier says.' }),
  place: textSchema(200).optional(),
  note: textSchema(500).optional(),
  estimated_delivery: moment.optional(),
});
const eventsBody = z.object({
  events: z.array(sentSchema).min(1).max(EVENTS_MAX).meta({ description: 'In any order.' }),
  dry_run: dryRunSchema,
});
const shipmentParams = z.object({ shipment_id: idSchema('shp') });
const parcelIdSchema = idSchema('prc').optional().meta({ description: 'Required when there are several it could be.' });

const eventSchema = z
  .object({
    parcel_id: z.string(),
    carrier_event_id: z.string(),
    code: z.string(),
    carrier_at: timestamp.meta({ description: 'When it happened, as the carrier says.' }),
    received_at: timestamp,
    place: z.string().nullable(),
    note: z.string().nullable(),
    estimated_delivery: timestamp.nullable(),
    entered_by: z.string().nullable().meta({ description: 'Who said it by hand; null when the carrier sent it.' }),
  })
  .meta({ id: 'TrackingEvent' });

const presentEvent = ({ shipment_id: _shipment, ...event }: KeptEvent): z.output<typeof eventSchema> => ({
  ...event,
  carrier_at: rfc3339(event.carrier_at),
  received_at: rfc3339(event.received_at),
  estimated_delivery: rfc3339OrNull(event.estimated_delivery),
});

const listing = {
  method: 'GET',
  tag: 'Shipments',
  query: pageQuerySchema,
  output: pageOf(eventSchema),
  answers: 'ok',
  refuses: ['invalid_cursor'],
} as const;

export const trackingRoutes = (mailbox: Mailbox): Route[] => [...eventRoutes(mailbox), ...handRoutes(mailbox)];

function eventRoutes(mailbox: Mailbox): Route[] {
  const { db } = mailbox;
  const tables = { read: db.read, builder: db.builder<ShippingTables & TrackingTables>() };
  const receive = (id: string, meant: Meant, { events, dry_run }: z.output<typeof eventsBody>, context: RequestContext, name: string) =>
    run(mailbox, { context, name, dry_run }, async (unit) =>
      presentDetail(await receiveEvents(unit, id, meant, events, { action: 'track', context, detail: { events: events.length }, dry_run })),
    );
  const list = async (id: string, { cursor, limit }: z.output<typeof pageQuerySchema>) => {
    const before: EventKey | undefined = decodeCursor(cursor, z.tuple([z.int(), z.string(), z.string()]));
    const found = await listEvents(tables, id, { before, limit: limit + 1 });
    const { items, next_cursor } = pageFrom(found, limit, ({ carrier_at, parcel_id, carrier_event_id }) => [carrier_at, parcel_id, carrier_event_id]);
    return { items: items.map(presentEvent), next_cursor };
  };
  return [
    route({
      method: 'POST',
      path: '/v1/shipments/{shipment_id}/tracking-events',
      tag: 'Shipments',
      summary: 'Say what happened to a parcel on its way; each event counts once, whatever the order they come in',
      params: shipmentParams,
      body: eventsBody.extend({ parcel_id: parcelIdSchema }),
      output: shipmentDetailSchema,
      answers: 'ok',
      refuses: ['shipment_not_found', 'parcel_not_found'],
      handle: ({ params: { shipment_id }, body: { parcel_id, ...body }, context }) =>
        receive(shipment_id, { parcel_id }, body, context, 'POST /v1/shipments/{shipment_id}/tracking-events'),
    }),
    route({
      method: 'POST',
      path: '/v1/shipments/tracking/{number}/tracking-events',
      tag: 'Shipments',
      summary: 'The same, by the tracking number of the parcel',
      params: z.object({ number: textSchema(64) }),
      body: eventsBody,
      output: shipmentDetailSchema,
      answers: 'ok',
      refuses: ['shipment_not_found', 'parcel_not_found'],
      async handle({ params: { number }, body, context }) {
        const { id } = await shipmentOfNumber(tables, number);
        return receive(id, { number }, body, context, 'POST /v1/shipments/tracking/{number}/tracking-events');
      },
    }),
    route({
      ...listing,
      path: '/v1/shipments/{shipment_id}/tracking-events',
      summary: 'Read what happened to the parcels of a shipment on their way, the newest first',
      params: shipmentParams,
      handle: ({ params: { shipment_id }, query }) => list(shipment_id, query),
    }),
    route({
      ...listing,
      path: '/v1/shipments/tracking/{number}/tracking-events',
      summary: 'The same, by the tracking number of the shipment or of one of its parcels',
      params: z.object({ number: textSchema(64) }),
      refuses: [...listing.refuses, 'shipment_not_found'],
      handle: async ({ params: { number }, query }) => list((await shipmentOfNumber(tables, number)).id, query),
    }),
  ];
}

/** What people say themselves. */
function handRoutes(mailbox: Mailbox): Route[] {
  return [
    plainAct(mailbox, { action: 'deliver', summary: 'Say that a shipment has arrived', decide: deliver }),
    shipmentAct(mailbox, {
      action: 'exception',
      summary: 'Say that a parcel is in trouble',
      body: z.object({ ...actFields, parcel_id: parcelIdSchema, code: z.enum(TROUBLES).default('exception'), note: textSchema(500) }),
      refuses: ['parcel_not_found'],
      decide: trouble,
    }),
    shipmentAct(mailbox, {
      action: 'resolve',
      summary: 'Say what has become of a parcel in trouble',
      body: z.object({ ...actFields, parcel_id: parcelIdSchema, as: z.enum(RESOLUTIONS), note: textSchema(500).optional() }),
      refuses: ['parcel_not_found'],
      decide: resolve,
    }),
  ];
}
