/** What is said of parcels on their way: kept once, and then looked at. */
import type { Kysely } from 'kysely';
import type { Reader } from '../db/database.ts';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { Unit } from '../messaging/mailbox.ts';
import type { TrackingCode, TrackingEvent } from './domain-parcels.ts';
import { isTrackingNumber } from './domain-number.ts';
import type { Shipment } from './domain-shipment.ts';
import { parcelsOf, track } from './domain-tracking.ts';
import { type ShippingTables, findByNumber } from './store.ts';
import { type KeptEvent, keepEvents } from './store-parcels.ts';
import { type Act, keepStep, lockShipment } from './use-cases.ts';

/** An event as a carrier sends it. */
export interface SentEvent {
  readonly carrier_event_id: string;
  readonly code: TrackingCode;
  /** Milliseconds UTC. */
  readonly carrier_at: number;
  readonly place?: string | undefined;
  readonly note?: string | undefined;
  readonly estimated_delivery?: number | undefined;
}

/** Which parcel is meant: by its id, by its number, or the only one there is. */
export interface Meant {
  readonly parcel_id?: string | undefined;
  readonly number?: string | undefined;
}

/** A carrier's clock may be ahead; a time further off would hide everything that comes after it. */
const AHEAD_MAX_MS = 24 * 3_600_000;

/** Keeps what a carrier said of one parcel. What it said before changes nothing. */
export async function receiveEvents(unit: Unit, id: string, meant: Meant, sent: readonly SentEvent[], act: Act): Promise<Shipment> {
  const { tx, now } = unit;
  const shipment = await lockShipment(unit, id);
  const parcel_id = parcelMeant(shipment, meant, now);
  refuseFarTimes(sent, now);
  const events = sent.map(({ place = null, note = null, estimated_delivery = null, ...event }): TrackingEvent => ({
    ...event,
    parcel_id,
    place,
    note,
    estimated_delivery,
  }));
  if (act.dry_run === true) return keepStep(unit, shipment, track(shipment, events, now), act);
  const fresh = await keepEvents(
    tx,
    events.map((event): KeptEvent => ({ ...event, shipment_id: id, received_at: now, entered_by: null })),
  );
  return keepStep(unit, shipment, track(shipment, fresh, now), act);
}

function parcelMeant(shipment: Shipment, { parcel_id, number }: Meant, now: number): string {
  const parcels = parcelsOf(shipment, now);
  const [only] = parcels;
  const named = parcels.find((parcel) => parcel.id === parcel_id || parcel.tracking_number === number);
  if (named !== undefined) return named.id;
  if (parcel_id !== undefined || only === undefined)
    throw new Refusal('parcel_not_found', `shipment ${shipment.id} has no parcel${parcel_id === undefined ? '' : ` ${parcel_id}`}`);
  if (parcels.length === 1) return only.id;
  const rule = `is required: the shipment has ${parcels.length} parcels`;
  throw new Refusal('invalid_request', `parcel_id ${rule}`, [
    { field: 'parcel_id', rule, remedy: `Send one of ${parcels.map((parcel) => parcel.id).join(', ')}, or use the tracking number of the parcel.` },
  ]);
}

function refuseFarTimes(sent: readonly SentEvent[], now: number): void {
  const errors = sent.flatMap(({ carrier_at }, i): FieldError[] =>
    carrier_at <= now + AHEAD_MAX_MS
      ? []
      : [{ field: `events.${i}.carrier_at`, rule: 'lies more than a day ahead', remedy: 'Correct the clock it was made by.' }],
  );
  if (errors.length > 0) throw new Refusal('invalid_request', `${errors[0]!.field} ${errors[0]!.rule}`, errors);
}

/** The shipment that has this tracking number, or a parcel with it. Throws the Refusal `shipment_not_found`. */
export async function shipmentOfNumber(
  { read, builder }: { readonly read: Reader; readonly builder: Kysely<ShippingTables> },
  number: string,
): Promise<{ readonly id: string }> {
  const id = await findByNumber(read, builder, number);
  if (id !== undefined) return { id };
  const hint = isTrackingNumber(number) ? '' : '; its check character does not fit, so it is mistyped or not one of ours';
  throw new Refusal('shipment_not_found', `there is no shipment with the tracking number ${number}${hint}`);
}
