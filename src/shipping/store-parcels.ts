/** SQL of parcels and of what is said of them. */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import { type Parcel, type TrackingEvent, parcelIdOf } from './domain-parcels.ts';

const ofShipments = statement<{ shipment_id: string }, Parcel>(
  { shipment_id: 'text' },
  (rows) => `
    select p.id, p.shipment_id, p.status, p.tracking_number, p.weight_g, p.dims_mm, p.lines, p.carrier_status, p.code, p.note, p.tracked_at, p.tracked_by,
      p.estimated_delivery, p.estimated_at, p.ended_at, p.created_at, p.updated_at
    from ${rows} join parcel p on p.shipment_id = row.shipment_id where p.status <> 'cancelled'`,
  { json: ['lines', 'dims_mm'] },
);

type ParcelRow = Omit<Parcel, 'lines' | 'dims_mm'> & { readonly lines: string; readonly dims_mm: string | null };

// The first parcel of a shipment keeps its id through every unpacking.
const upsert = statement<ParcelRow>(
  {
    id: 'text',
    shipment_id: 'text',
    status: 'text',
    tracking_number: 'text',
    weight_g: 'integer',
    dims_mm: 'text',
    lines: 'text',
    carrier_status: 'text',
    code: 'text',
    note: 'text',
    tracked_at: 'bigint',
    tracked_by: 'text',
    estimated_delivery: 'bigint',
    estimated_at: 'bigint',
    ended_at: 'bigint',
    created_at: 'bigint',
    updated_at: 'bigint',
  },
  (rows) => `
    insert into parcel (id, shipment_id, status, tracking_number, weight_g, dims_mm, lines, carrier_status, code, note, tracked_at, tracked_by,
      estimated_delivery, estimated_at, ended_at, created_at, updated_at)
    select row.id, row.shipment_id, row.status, row.tracking_number, row.weight_g, row.dims_mm, row.lines, row.carrier_status, row.code, row.note,
      row.tracked_at, row.tracked_by, row.estimated_delivery, row.estimated_at, row.ended_at, row.created_at, row.updated_at
    from ${rows} where true
    on conflict (id) do update set status = excluded.status, weight_g = excluded.weight_g, dims_mm = excluded.dims_mm, lines = excluded.lines,
      carrier_status = excluded.carrier_status, code = excluded.code, note = excluded.note, tracked_at = excluded.tracked_at,
      tracked_by = excluded.tracked_by, estimated_delivery = excluded.estimated_delivery, estimated_at = excluded.estimated_at,
      ended_at = excluded.ended_at, updated_at = excluded.updated_at`,
);

/** The parcels of shipments that were not unpacked again, in the order in which they were packed. */
export async function loadParcels(read: Reader, shipmentIds: readonly string[]): Promise<ReadonlyMap<string, Parcel[]>> {
  const found = await read.run(
    ofShipments,
    shipmentIds.map((shipment_id) => ({ shipment_id })),
  );
  const isFirst = ({ id, shipment_id }: Parcel): boolean => id === parcelIdOf(shipment_id);
  const inOrder = found.sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)) || (a.id < b.id ? -1 : 1));
  return Map.groupBy(inOrder, ({ shipment_id }) => shipment_id);
}

export const saveParcels = (tx: Tx, parcels: readonly Parcel[]): Promise<unknown> =>
  tx.run(
    upsert,
    parcels.map((parcel) => ({ ...parcel, lines: JSON.stringify(parcel.lines), dims_mm: parcel.dims_mm && JSON.stringify(parcel.dims_mm) })),
  );

export interface KeptEvent extends TrackingEvent {
  readonly shipment_id: string;
  readonly received_at: number;
  /** The client that said it by hand; null when it came as an event. */
  readonly entered_by: string | null;
}

const insertEvents = statement<KeptEvent, { parcel_id: string; carrier_event_id: string }>(
  {
    parcel_id: 'text',
    carrier_event_id: 'text',
    shipment_id: 'text',
    code: 'text',
    carrier_at: 'bigint',
    received_at: 'bigint',
    place: 'text',
    note: 'text',
    estimated_delivery: 'bigint',
    entered_by: 'text',
  },
  (rows) => `
    insert into tracking_event (parcel_id, carrier_event_id, shipment_id, code, carrier_at, received_at, place, note, estimated_delivery, entered_by)
    select row.parcel_id, row.carrier_event_id, row.shipment_id, row.code, row.carrier_at, row.received_at, row.place, row.note, row.estimated_delivery,
      row.entered_by
    from ${rows} where true on conflict (parcel_id, carrier_event_id) do nothing returning parcel_id, carrier_event_id`,
);

/** Keeps events; answers those that were not kept before, each once. */
export async function keepEvents<Event extends KeptEvent>(tx: Tx, events: readonly Event[]): Promise<Event[]> {
  const nameOf = ({ parcel_id, carrier_event_id }: Pick<KeptEvent, 'parcel_id' | 'carrier_event_id'>): string => `${parcel_id} ${carrier_event_id}`;
  const different = new Map(events.map((event) => [nameOf(event), event] as const).reverse()); // of two with one id the first counts
  const kept = new Set((await tx.run(insertEvents, [...different.values()])).map(nameOf));
  return [...different.values()].filter((event) => kept.has(nameOf(event)));
}

export interface TrackingTables {
  tracking_event: KeptEvent;
}
export type EventKey = readonly [carrierAt: number, parcelId: string, carrierEventId: string];

/** What was said of the parcels of a shipment, the carrier's newest first, before the event with the key `before`. */
export function listEvents(
  { read, builder }: { read: Reader; builder: Kysely<TrackingTables> },
  shipmentId: string,
  page: { before: EventKey | undefined; limit: number },
): Promise<KeptEvent[]> {
  const { before } = page;
  let query = builder
    .selectFrom('tracking_event')
    .selectAll()
    .where('shipment_id', '=', shipmentId)
    .orderBy('carrier_at', 'desc')
    .orderBy('parcel_id', 'desc')
    .orderBy('carrier_event_id', 'desc')
    .limit(page.limit);
  if (before !== undefined)
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('carrier_at', 'parcel_id', 'carrier_event_id'), '<', tuple(before[0], before[1], before[2])),
    );
  return read.query(query);
}
