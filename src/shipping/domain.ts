/**
 * Shipments: parcels from a warehouse to a customer.
 *
 *   pending ──the carrier knows of it──> ready ──> in_transit ──> delivered
 *      └───────────────┬──────────────────┘            └──> returned
 *                      └──> cancelled
 *
 * A person asks for the dispatch of a ready shipment, and it stays ready: the order decides, because only the order knows whether it
 * was cancelled meanwhile and whether the money could be taken. It answers with the command to dispatch, or to refuse it, and a
 * refused one may be asked for again. A cancellation that overtakes the preparation leaves a cancelled shipment behind, which the
 * preparation then finds. Whoever asks for what already is gets the same answer, and nothing more is said.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault, Refusal } from '../kernel/errors.ts';
import type { AnyMessage } from '../messaging/service.ts';

export type ShipmentStatus = 'pending' | 'ready' | 'in_transit' | 'delivered' | 'cancelled' | 'returned';

export interface ShipmentLine {
  readonly line_id: string;
  readonly sku: string;
  readonly quantity: number;
}

/** A row of the table `shipment`. */
export interface Shipment {
  readonly id: string;
  readonly order_id: string | null;
  readonly order_number: string | null;
  readonly status: ShipmentStatus;
  readonly warehouse_id: string | null;
  readonly tracking_number: string | null;
  readonly recipient: string | null;
  readonly ship_to: Readonly<Record<string, string>> | null;
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
}

/** Every legal change of status. */
export const SHIPMENT_TRANSITIONS: Readonly<Record<ShipmentStatus, readonly ShipmentStatus[]>> = {
  pending: ['ready', 'cancelled'],
  ready: ['in_transit', 'cancelled'],
  in_transit: ['delivered', 'returned'],
  delivered: [],
  cancelled: [],
  returned: [],
};

/** What can be done with a shipment, in words for whoever asked for something else. */
const POSSIBLE: Readonly<Record<ShipmentStatus, string>> = {
  pending: 'the carrier does not know of it yet; it will be ready by itself, or can be cancelled with its order',
  ready: 'it can be dispatched, or be cancelled with its order',
  in_transit: 'it can be delivered',
  delivered: 'nothing more happens to it',
  cancelled: 'nothing more happens to it',
  returned: 'nothing more happens to it',
};

type Said = 'shipment.ready' | 'shipment.dispatch_requested' | 'shipment.dispatched' | 'shipment.delivered' | 'shipment.cancelled';
export type ShipmentEvent = { [T in Said]: { readonly type: T; readonly data: DataOf<T> } }[Said];
export type ShipmentCommand = AnyMessage<'shipment.prepare' | 'shipment.dispatch' | 'shipment.refuse_dispatch' | 'shipment.cancel'>;

/** What follows from a command. */
export interface Step {
  readonly shipment: Shipment;
  readonly events: readonly ShipmentEvent[];
}

/** What a call to the carrier has come to. */
export type Outcome =
  | { readonly result: 'registered'; readonly carrier: string; readonly label_ref: string; readonly estimated_delivery: number }
  | { readonly result: 'failed'; readonly error: string };

/** How long to wait after the n-th call to the carrier that failed; the last one for ever, for the order has its own deadline. Milliseconds. */
export const CALL_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000, 900_000] as const;
export const pauseAfter = (attempts: number): number => CALL_AGAIN_MS[attempts - 1] ?? CALL_AGAIN_MS.at(-1)!;

/** The id of an order's shipment: the same with another prefix, so that there can be one only, and either is found by the other. */
export const shipmentIdOf = (orderId: string): string => `shp_${orderId.startsWith('ord_') ? orderId.slice(4) : orderId}`;

/** What a command leads to; undefined when nothing changes and nothing is to be said. `dueAt`: when a new shipment is due for the carrier. */
export function obey(shipment: Shipment | undefined, command: ShipmentCommand, now: number, dueAt: number): Step | undefined {
  switch (command.type) {
    case 'shipment.prepare':
      return shipment === undefined ? { shipment: prepared(command.data, now, dueAt), events: [] } : undefined;
    case 'shipment.dispatch':
      return dispatch(known(shipment, command), now);
    case 'shipment.refuse_dispatch':
      return refuseDispatch(known(shipment, command), command.data.reason, now);
    case 'shipment.cancel':
      return cancel(shipment, command.data.order_id, now);
  }
}

function known(shipment: Shipment | undefined, { type, data }: ShipmentCommand): Shipment {
  if (shipment === undefined) throw new Fault('contract_violation', `order ${data.order_id} has no shipment for ${type}`);
  return shipment;
}

function prepared(data: DataOf<'shipment.prepare'>, now: number, dueAt: number): Shipment {
  const shipment = blank(data.order_id, 'pending', now);
  return {
    ...shipment,
    order_number: data.number,
    warehouse_id: data.warehouse_id,
    tracking_number: trackingNumberOf(shipment.id),
    recipient: data.customer.name ?? data.customer.id,
    ship_to: data.ship_to ?? null,
    lines: data.lines,
    due_at: dueAt,
  };
}

function dispatch(shipment: Shipment, now: number): Step | undefined {
  if (shipment.status === 'in_transit' || shipment.status === 'delivered' || shipment.status === 'returned') return undefined;
  return said(
    { ...moved(shipment, 'in_transit', now), dispatch_requested_at: null, refused_reason: null, dispatched_at: now },
    'shipment.dispatched',
  );
}

function refuseDispatch(shipment: Shipment, reason: string, now: number): Step | undefined {
  if (shipment.dispatch_requested_at === null) return undefined;
  return { shipment: { ...shipment, dispatch_requested_at: null, refused_reason: reason, updated_at: now }, events: [] };
}

function cancel(shipment: Shipment | undefined, order_id: string, now: number): Step | undefined {
  if (shipment === undefined) return cancelled(blank(order_id, 'cancelled', now));
  if (shipment.status === 'cancelled') return cancelled(shipment); // another command wants its answer too
  return cancelled({ ...moved(shipment, 'cancelled', now), due_at: null, dispatch_requested_at: null });
}

/** Somebody wants to hand the parcel over. */
export function requestDispatch(shipment: Shipment, now: number): Step | Refusal {
  if (shipment.status === 'in_transit') return { shipment, events: [] };
  if (shipment.status !== 'ready') return impossible(shipment, 'dispatched');
  if (shipment.dispatch_requested_at !== null) return { shipment, events: [] };
  return said({ ...shipment, dispatch_requested_at: now, refused_reason: null, updated_at: now }, 'shipment.dispatch_requested');
}

/** The parcel has arrived. */
export function deliver(shipment: Shipment, now: number): Step | Refusal {
  if (shipment.status === 'delivered') return { shipment, events: [] };
  if (shipment.status !== 'in_transit') return impossible(shipment, 'delivered');
  return said({ ...moved(shipment, 'delivered', now), delivered_at: now }, 'shipment.delivered');
}

const impossible = ({ id, status }: Shipment, asked: string): Refusal =>
  new Refusal('shipment_state', `shipment ${id} is ${status} and cannot be ${asked}: ${POSSIBLE[status]}`);

/** The status after a legal change; an illegal one comes of a message that should not have been sent. */
export function moved(shipment: Shipment, to: ShipmentStatus, now: number): Shipment {
  if (!SHIPMENT_TRANSITIONS[shipment.status].includes(to)) {
    throw new Fault('contract_violation', `shipment ${shipment.id} is ${shipment.status} and cannot become ${to}`);
  }
  return { ...shipment, status: to, updated_at: now };
}

const blank = (order_id: string, status: ShipmentStatus, now: number): Shipment => ({
  id: shipmentIdOf(order_id),
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
});

const said = (shipment: Shipment, type: 'shipment.dispatch_requested' | 'shipment.dispatched' | 'shipment.delivered'): Step => ({
  shipment: { ...shipment, sequence: shipment.sequence + 1 },
  events: [{ type, data: about(shipment) }],
});
const cancelled = (shipment: Shipment): Step => ({
  shipment: { ...shipment, sequence: shipment.sequence + 1 },
  events: [{ type: 'shipment.cancelled', data: { order_id: shipment.order_id! } }],
});

/** What events say of a shipment that belongs to an order and was prepared. */
export const about = ({ id, order_id, tracking_number, warehouse_id }: Pick<Shipment, 'id' | 'order_id' | 'tracking_number' | 'warehouse_id'>) => ({
  order_id: order_id!,
  shipment_id: id,
  tracking_number: tracking_number!,
  warehouse_id: warehouse_id!,
});

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `WB`, the 60 random bits at the end of the shipment's id, and a check character. */
export function trackingNumberOf(shipmentId: string): string {
  const body = shipmentId
    .slice(shipmentId.indexOf('_') + 1)
    .toUpperCase()
    .slice(-12)
    .padStart(12, '0');
  return `WB${body}${checkCharacter(body)}`;
}

/** Is this written as a tracking number is? Any one character mistyped, and nearly any two neighbours swapped, makes it wrong. */
export function isTrackingNumber(text: string): boolean {
  const match = /^WB([0-9A-Z]{12})([0-9A-Z])$/.exec(text);
  return match !== null && checkCharacter(match[1]!) === match[2];
}

/** Luhn's sum over base 32: every other digit is doubled, and the digits of what that gives are added. */
function checkCharacter(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i += 1) {
    const digit = Math.max(0, ALPHABET.indexOf(body[body.length - 1 - i]!));
    const weighed = i % 2 === 0 ? 2 * digit : digit;
    sum += Math.floor(weighed / 32) + (weighed % 32);
  }
  return ALPHABET[(32 - (sum % 32)) % 32]!;
}
