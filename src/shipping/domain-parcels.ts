/**
 * Parcels on their way: what the carrier says of them, in whatever order it says it, and what a shipment is because of them.
 *
 * Where the carrier says a parcel is (`carrier_status`) is kept apart from where we say it is (`status`): the carrier may have it before
 * the order has decided that it leaves.
 */
import { type Shipment, type ShipmentEvent, type ShipmentLine, type Step, about, less, moved, saying, shippedLines } from './domain-shipment.ts';

export const PARCEL_STATUSES = ['packed', 'in_transit', 'exception', 'delivered', 'returned', 'lost', 'cancelled'] as const;
export type ParcelStatus = (typeof PARCEL_STATUSES)[number];
type End = 'delivered' | 'returned' | 'lost';

/** A row of the table `parcel`. */
export interface Parcel {
  readonly id: string;
  readonly shipment_id: string;
  readonly status: ParcelStatus;
  readonly tracking_number: string;
  readonly weight_g: number | null;
  /** Length, width, height. */
  readonly dims_mm: readonly number[] | null;
  readonly lines: readonly ShipmentLine[];
  readonly carrier_status: 'in_transit' | 'exception' | End | null;
  /** What moved it last, and why it is in trouble. */
  readonly code: TrackingCode | null;
  readonly note: string | null;
  /** Of the event that counts: the carrier's time (milliseconds UTC) and its id. */
  readonly tracked_at: number | null;
  readonly tracked_by: string | null;
  readonly estimated_delivery: number | null;
  /** The carrier's time of the event that named it. */
  readonly estimated_at: number | null;
  readonly ended_at: number | null;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What carriers say, and what a parcel is because of it. */
// oxfmt-ignore
export const TRACKING_CODES = {
  announced:          null,
  picked_up:          'in_transit',
  in_transit:         'in_transit',
  out_for_delivery:   'in_transit',
  delivery_attempted: 'exception',
  returning:          'exception',
  exception:          'exception',
  delivered:          'delivered',
  returned:           'returned',
  lost:               'lost',
} as const satisfies Record<string, Parcel['carrier_status']>;
export type TrackingCode = keyof typeof TRACKING_CODES;

/** Something that happened to a parcel; a row of the table `tracking_event` but for what only readers want. */
export interface TrackingEvent {
  readonly parcel_id: string;
  /** The carrier's id of it. */
  readonly carrier_event_id: string;
  readonly code: TrackingCode;
  /** When it happened, as the carrier says; milliseconds UTC. */
  readonly carrier_at: number;
  readonly place: string | null;
  readonly note: string | null;
  readonly estimated_delivery: number | null;
}

const isEnd = (status: string | null): status is End => status === 'delivered' || status === 'returned' || status === 'lost';
export const hasEnded = ({ status }: Parcel): boolean => isEnd(status);

/** The parcel of a shipment that has none of its own: all its lines under its tracking number. */
export const onlyParcel = (shipment: Shipment, now: number): Parcel =>
  newParcel(shipment, { id: parcelIdOf(shipment.id), tracking_number: shipment.tracking_number!, lines: shippedLines(shipment) }, now);

/** The first parcel of a shipment has its id with another prefix. */
export const parcelIdOf = (shipmentId: string): string => `prc_${shipmentId.slice(shipmentId.indexOf('_') + 1)}`;
/** The return of a parcel that came back: the same id with another prefix, so that there can be one only. */
export const returnIdOf = (parcelId: string): string => `rtn_${parcelId.slice(parcelId.indexOf('_') + 1)}`;

export const newParcel = (
  { id: shipment_id, status, estimated_delivery, dispatched_at }: Shipment,
  given: Pick<Parcel, 'id' | 'tracking_number' | 'lines'> & Partial<Pick<Parcel, 'weight_g' | 'dims_mm'>>,
  now: number,
): Parcel => ({
  weight_g: null,
  dims_mm: null,
  ...given,
  shipment_id,
  status: status === 'cancelled' ? 'cancelled' : dispatched_at === null ? 'packed' : 'in_transit',
  carrier_status: null,
  code: null,
  note: null,
  tracked_at: null,
  tracked_by: null,
  estimated_delivery,
  estimated_at: null,
  ended_at: null,
  created_at: now,
  updated_at: now,
});

/** A parcel after the carrier has said something of it: an end stays, of the rest the carrier's latest counts. */
export function heard(parcel: Parcel, event: TrackingEvent, now: number): Parcel {
  return { ...placed(estimated(parcel, event), event), updated_at: now };
}

function placed(parcel: Parcel, { code, note, carrier_at, carrier_event_id }: TrackingEvent): Parcel {
  const to = TRACKING_CODES[code];
  if (to === null || isEnd(parcel.carrier_status) || parcel.status === 'cancelled') return parcel;
  const { tracked_at, tracked_by } = parcel;
  const later = tracked_at === null || carrier_at > tracked_at || (carrier_at === tracked_at && carrier_event_id > tracked_by!);
  if (!isEnd(to) && !later) return parcel;
  return {
    ...parcel,
    carrier_status: to,
    code,
    note,
    tracked_at: carrier_at,
    tracked_by: carrier_event_id,
    ended_at: isEnd(to) ? carrier_at : null,
  };
}

function estimated(parcel: Parcel, { estimated_delivery, carrier_at }: TrackingEvent): Parcel {
  if (estimated_delivery === null || carrier_at < (parcel.estimated_at ?? 0)) return parcel;
  // Of two said at the same time, the later one, whichever came first.
  const expected = carrier_at === parcel.estimated_at ? Math.max(estimated_delivery, parcel.estimated_delivery!) : estimated_delivery;
  return { ...parcel, estimated_delivery: expected, estimated_at: carrier_at };
}

/** Does the carrier have a parcel nobody has dispatched? */
export const isFetched = ({ status, parcels }: Shipment): boolean =>
  (status === 'ready' || status === 'packed') && parcels.some(({ carrier_status }) => carrier_status !== null);

/** What a shipment that has left is, because of its parcels. */
export function statusOfParcels(parcels: readonly Pick<Parcel, 'status'>[]): 'in_transit' | 'exception' | End {
  const some = (status: ParcelStatus): boolean => parcels.some((parcel) => parcel.status === status);
  return (['exception', 'in_transit', 'delivered', 'returned'] as const).find(some) ?? 'lost';
}

/**
 * A shipment that has left catches up with what the carrier says of its parcels: their status, its own, and what is to be said of both.
 * `heardParcels` are its parcels as they are now; `events` is what was said before in the same step.
 */
export function catchUp(shipment: Shipment, heardParcels: readonly Parcel[], now: number, events: readonly ShipmentEvent[] = []): Step {
  const parcels = heardParcels.map((parcel) => caughtUp(parcel, now));
  const changes = parcels.map((after, i) => ({ before: shipment.parcels[i], after }));
  const status = statusOfParcels(parcels);
  const over = parcels.every(hasEnded) && status !== 'delivered';
  const last = changes.findLast(({ before, after }) => before?.status !== after.status);
  const said = changes.flatMap((change) => tellOf(shipment, change, over && change === last));
  const arrived = status === 'delivered' ? [arrival(shipment, parcels)] : [];
  const expected = Math.max(...parcels.map(({ estimated_delivery }) => estimated_delivery ?? 0));
  const next = {
    ...(status === shipment.status ? shipment : moved(shipment, status, now)),
    parcels,
    parcel_count: parcels.length,
    estimated_delivery: expected === 0 ? shipment.estimated_delivery : expected,
    delivered_at: status === 'delivered' ? Math.max(...parcels.map(({ ended_at }) => ended_at ?? 0)) : null,
    updated_at: now,
  };
  return saying(next, ...events, ...said, ...arrived);
}

function caughtUp(parcel: Parcel, now: number): Parcel {
  const status = hasEnded(parcel) ? parcel.status : (parcel.carrier_status ?? 'in_transit');
  return status === parcel.status ? parcel : { ...parcel, status, updated_at: now };
}

/** What is said of a parcel that changed; one that was not there before was on its way, unseen. */
function tellOf(
  shipment: Shipment,
  { before, after }: { readonly before: Parcel | undefined; readonly after: Parcel },
  over: boolean,
): ShipmentEvent[] {
  const parcel = { ...about(shipment), parcel_id: after.id };
  const same = after.status === before?.status;
  switch (after.status) {
    case 'exception':
      return same && before!.code === after.code
        ? []
        : [{ type: 'shipment.exception', data: { ...parcel, code: after.code!, note: after.note ?? '' } }];
    case 'in_transit':
      return before?.status === 'exception' ? [{ type: 'shipment.resolved', data: parcel }] : [];
    case 'lost':
      return same ? [] : [{ type: 'shipment.lost', data: { ...parcel, lines: [...after.lines], over } }];
    case 'returned':
      return same ? [] : [{ type: 'shipment.returned', data: { ...parcel, lines: [...after.lines], over, return_id: returnIdOf(after.id) } }];
    default:
      return []; // a delivery is said of the whole shipment
  }
}

/** What is said of a shipment that arrived, or those parcels of it that did. */
export const arrival = (shipment: Shipment, parcels: readonly Parcel[]): ShipmentEvent => ({
  type: 'shipment.delivered',
  data: { ...about(shipment), ...partOf(shipment, parcels) },
});

/** The lines that arrived, when not all did. */
function partOf(shipment: Shipment, parcels: readonly Parcel[]): { lines?: ShipmentLine[] } {
  if (parcels.every(({ status }) => status === 'delivered')) return {};
  const elsewhere = parcels.filter(({ status }) => status !== 'delivered').flatMap(({ lines }) => lines);
  return { lines: less(shippedLines(shipment), elsewhere) };
}
