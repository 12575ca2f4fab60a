/** A shipment and what it is made of; the moves all of shipping's domain makes. README.md is the protocol. */
import type { DataOf } from '../contracts/messages.ts';
import { Fault, Refusal } from '../kernel/errors.ts';
import { trackingNumberOf } from './domain-number.ts';
import type { Parcel, TrackingEvent } from './domain-parcels.ts';
import { POSSIBLE, SHIPMENT_TRANSITIONS, type ShipmentStatus } from './domain-table.ts';

export interface ShipmentLine {
  readonly line_id: string;
  readonly sku: string;
  readonly quantity: number;
}

/** While one is open nobody picks, packs, or asks for the dispatch. */
export interface Hold {
  readonly hold_id: string;
  readonly reason: string;
  readonly placed_at: number;
  readonly released_at: number | null;
}

/** A row of the table `shipment`, with its parcels. */
export interface Shipment {
  readonly id: string;
  readonly order_id: string | null;
  readonly order_number: string | null;
  readonly status: ShipmentStatus;
  readonly warehouse_id: string | null;
  readonly tracking_number: string | null;
  readonly recipient: string | null;
  readonly ship_to: Readonly<Record<string, string>> | null;
  /** What was asked for; less `shorted` it is what is shipped. */
  readonly lines: readonly ShipmentLine[];
  readonly carrier: string | null;
  readonly label_ref: string | null;
  readonly estimated_delivery: number | null;
  /** Somebody wants to hand the parcel over, and the order has not answered yet. */
  readonly dispatch_requested_at: number | null;
  /** Why the order refused the dispatch that was asked for last. */
  readonly refused_reason: string | null;
  readonly dispatched_at: number | null;
  readonly delivered_at: number | null;
  /** Calls to the carrier whose outcome was written down. */
  readonly attempts: number;
  /** When the carrier is to be told (again); null unless pending. */
  readonly due_at: number | null;
  readonly error: string | null;
  /** Events said about this shipment. */
  readonly sequence: number;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;

  // What an ordinary shipment has not.
  /** What was not where it should be. */
  readonly shorted: readonly ShipmentLine[] | null;
  readonly holds: readonly Hold[] | null;
  /** The order has decided that it leaves, and a hold lies on it still. */
  readonly dispatch_ordered_at: number | null;
  /** How many parcels have rows of their own; null when it is one parcel without. */
  readonly parcel_count: number | null;
  /** Those that were not unpacked again. */
  readonly parcels: readonly Parcel[];
}

type Said = `shipment.${
  | 'ready'
  | 'dispatch_requested'
  | 'dispatched'
  | 'delivered'
  | 'cancelled'
  | 'picking'
  | 'packed'
  | 'shorted'
  | 'exception'
  | 'resolved'
  | 'lost'
  | 'returned'}`;
export type ShipmentEvent = { [T in Said]: { readonly type: T; readonly data: DataOf<T> } }[Said];

/** What follows from a command. */
export interface Step {
  readonly shipment: Shipment;
  readonly events: readonly ShipmentEvent[];
  /** What a person says of parcels, to be kept with what the carrier says. */
  readonly tracked?: readonly TrackingEvent[];
}

/** The id of an order's only shipment: the same with another prefix, so that either is found by the other. */
export const shipmentIdOf = (orderId: string): string => `shp_${orderId.startsWith('ord_') ? orderId.slice(4) : orderId}`;

/** A shipment nothing is known of but whose it is. */
export const blank = (id: string, order_id: string, status: ShipmentStatus, now: number): Shipment => ({
  id,
  order_id,
  order_number: null,
  status,
  warehouse_id: null,
  tracking_number: null,
  recipient: null,
  ship_to: null,
  lines: [],
  carrier: null,
  label_ref: null,
  estimated_delivery: null,
  dispatch_requested_at: null,
  refused_reason: null,
  dispatched_at: null,
  delivered_at: null,
  attempts: 0,
  due_at: null,
  error: null,
  sequence: 0,
  version: 0,
  created_at: now,
  updated_at: now,
  shorted: null,
  holds: null,
  dispatch_ordered_at: null,
  parcel_count: null,
  parcels: [],
});

/** A new shipment, which the carrier is to be told of. */
export function prepared(id: string, data: DataOf<'shipment.prepare'>, now: number, dueAt: number): Shipment {
  return {
    ...blank(id, data.order_id, 'pending', now),
    order_number: data.number,
    warehouse_id: data.warehouse_id,
    tracking_number: trackingNumberOf(id),
    recipient: data.customer.name ?? data.customer.id,
    ship_to: data.ship_to ?? null,
    lines: data.lines,
    due_at: dueAt,
  };
}

/** The status after a legal change; an illegal one comes of a message that should not have been sent. */
export function moved(shipment: Shipment, to: ShipmentStatus, now: number): Shipment {
  if (!SHIPMENT_TRANSITIONS[shipment.status].includes(to)) {
    throw new Fault('contract_violation', `shipment ${shipment.id} is ${shipment.status} and cannot become ${to}`);
  }
  return { ...shipment, status: to, updated_at: now };
}

/** A step that says things, each one further on in the stream of the shipment. */
export const saying = (shipment: Shipment, ...events: readonly ShipmentEvent[]): Step => ({
  shipment: { ...shipment, sequence: shipment.sequence + events.length },
  events,
});
export const silent = (shipment: Shipment): Step => ({ shipment, events: [] });

export const impossible = ({ id, status }: Shipment, asked: string): Refusal =>
  new Refusal('shipment_state', `shipment ${id} is ${status} and cannot be ${asked}: ${POSSIBLE[status]}`);

/** What events say of a shipment that belongs to an order and was prepared. */
export const about = ({ id, order_id, tracking_number, warehouse_id }: Pick<Shipment, 'id' | 'order_id' | 'tracking_number' | 'warehouse_id'>) => ({
  order_id: order_id!,
  shipment_id: id,
  tracking_number: tracking_number!,
  warehouse_id: warehouse_id!,
});

export const openHolds = ({ holds }: Pick<Shipment, 'holds'>): readonly Hold[] => (holds ?? []).filter(({ released_at }) => released_at === null);

/** `lines` less `others`, line by line; what is nothing is left out. */
export function less(lines: readonly ShipmentLine[], others: readonly ShipmentLine[]): ShipmentLine[] {
  const gone = new Map<string, number>();
  for (const { line_id, quantity } of others) gone.set(line_id, (gone.get(line_id) ?? 0) + quantity);
  return lines.flatMap((line) => {
    const quantity = line.quantity - (gone.get(line.line_id) ?? 0);
    return quantity > 0 ? [{ ...line, quantity }] : [];
  });
}

/** What is really shipped. */
export const shippedLines = ({ lines, shorted }: Pick<Shipment, 'lines' | 'shorted'>): readonly ShipmentLine[] =>
  shorted === null ? lines : less(lines, shorted);
