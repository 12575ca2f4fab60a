/**
 * What is said of a shipment on its way: by its carrier, in events that may come twice, late and out of order, or by a person.
 *
 * Both are tracking events, and both move parcels along the one path of domain-parcels.ts.
 */
import { Refusal } from '../kernel/errors.ts';
import { askForDispatch, heldBack } from './domain.ts';
import { type Parcel, type TrackingCode, type TrackingEvent, arrival, catchUp, hasEnded, heard, isFetched, onlyParcel } from './domain-parcels.ts';
import { type Shipment, type Step, impossible, moved, saying, silent } from './domain-shipment.ts';
import { actOf } from './domain-table.ts';

/** The parcels of a shipment; one that has none of its own is one. A shipment that was never prepared has nothing to be in them. */
export const parcelsOf = (shipment: Shipment, now: number): readonly Parcel[] =>
  shipment.parcels.length > 0 || shipment.tracking_number === null ? shipment.parcels : [onlyParcel(shipment, now)];

/** What the carrier said of its parcels, each thing for the first time. */
export function track(shipment: Shipment, events: readonly TrackingEvent[], now: number): Step {
  if (events.length === 0) return silent(shipment);
  const parcels = parcelsOf(shipment, now).map((parcel) =>
    events.filter(({ parcel_id }) => parcel_id === parcel.id).reduce((known, event) => heard(known, event, now), parcel),
  );
  if (actOf(shipment.status, 'track') === 'parcel') return catchUp(shipment, parcels, now);
  const kept = { ...shipment, parcels, parcel_count: parcels.length, updated_at: now };
  const asks = isFetched(kept) && kept.dispatch_requested_at === null && heldBack(kept, 'dispatched') === undefined;
  return asks ? askForDispatch(kept, now) : silent(kept);
}

/** Everything has arrived that had not ended otherwise. */
export function deliver(shipment: Shipment, now: number): Step | Refusal {
  switch (actOf(shipment.status, 'deliver')) {
    case 'same': // somebody who asks again sees that the order does not know it
      return saying(shipment, arrival(shipment, shipment.parcels));
    case 'go':
      // The ordinary shipment needs no parcel for this.
      if (shipment.parcels.length === 0) return saying({ ...moved(shipment, 'delivered', now), delivered_at: now }, arrival(shipment, []));
      return byHand(
        shipment,
        shipment.parcels.filter((parcel) => !hasEnded(parcel)),
        { code: 'delivered', note: null },
        now,
      );
    default:
      return impossible(shipment, 'delivered');
  }
}

export const TROUBLES = ['exception', 'delivery_attempted', 'returning'] as const satisfies readonly TrackingCode[];
export interface Trouble {
  readonly parcel_id?: string | undefined;
  readonly code: (typeof TROUBLES)[number];
  readonly note: string;
}

/** A parcel is in trouble. */
export function trouble(shipment: Shipment, { parcel_id, ...what }: Trouble, now: number): Step | Refusal {
  if (actOf(shipment.status, 'trouble') !== 'parcel') return impossible(shipment, 'in trouble');
  const parcel = oneOf(
    shipment,
    parcelsOf(shipment, now).filter((one) => !hasEnded(one)),
    parcel_id,
    'under way',
  );
  return parcel instanceof Refusal ? parcel : byHand(shipment, [parcel], what, now);
}

export const RESOLUTIONS = ['in_transit', 'delivered', 'returned', 'lost'] as const satisfies readonly TrackingCode[];
export interface Resolution {
  readonly parcel_id?: string | undefined;
  readonly as: (typeof RESOLUTIONS)[number];
  readonly note?: string | undefined;
}

/** What has become of a parcel in trouble. */
export function resolve(shipment: Shipment, { parcel_id, as, note }: Resolution, now: number): Step | Refusal {
  if (actOf(shipment.status, 'resolve') !== 'parcel') return impossible(shipment, 'resolved');
  const parcel = oneOf(
    shipment,
    shipment.parcels.filter(({ status }) => status === 'exception'),
    parcel_id,
    'in trouble',
  );
  return parcel instanceof Refusal ? parcel : byHand(shipment, [parcel], { code: as, note: note ?? null }, now);
}

/** The parcel that is meant: the one named, or the only one there is. */
function oneOf({ id }: Shipment, parcels: readonly Parcel[], named: string | undefined, what: string): Parcel | Refusal {
  if (named === undefined && parcels.length > 1) {
    const rule = `is required: ${parcels.length} parcels are ${what}`;
    return new Refusal('invalid_request', `parcel_id ${rule}`, [
      { field: 'parcel_id', rule, remedy: `Send one of ${parcels.map((one) => one.id).join(', ')}.` },
    ]);
  }
  const found = named === undefined ? parcels[0] : parcels.find((parcel) => parcel.id === named);
  return found ?? new Refusal('parcel_not_found', `shipment ${id} has no parcel ${named} that is ${what}`);
}

/** A person's word counts from now on, whatever times the carrier wrote before. */
function byHand(shipment: Shipment, parcels: readonly Parcel[], { code, note }: Pick<TrackingEvent, 'code' | 'note'>, now: number): Step {
  const tracked = parcels.map(({ id, tracked_at }): TrackingEvent => ({
    parcel_id: id,
    carrier_event_id: `by-hand-${shipment.version + 1}`,
    code,
    carrier_at: Math.max(now, (tracked_at ?? 0) + 1),
    place: null,
    note,
    estimated_delivery: null,
  }));
  return { ...track(shipment, tracked, now), tracked };
}
