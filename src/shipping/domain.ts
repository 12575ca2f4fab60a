/**
 * What orders asks of shipments, and how they leave. README.md is the protocol, domain-table.ts the machine.
 *
 * A person asks for the dispatch of a shipment, and it stays where it is: the order decides, because only the order knows whether it
 * was cancelled meanwhile and whether the money could be taken. It answers with the command to dispatch, or to refuse it, and a
 * refused one may be asked for again. A cancellation that overtakes the preparation leaves a cancelled shipment behind, which the
 * preparation then finds. Whoever asks for what already is gets the same answer; what its order may not have heard is said once more.
 */
import { Fault, Refusal } from '../kernel/errors.ts';
import type { AnyMessage } from '../messaging/service.ts';
import { catchUp, isFetched } from './domain-parcels.ts';
import { type Shipment, type Step, about, blank, impossible, moved, openHolds, prepared, saying, silent } from './domain-shipment.ts';
import { actOf } from './domain-table.ts';

export type ShipmentCommand = AnyMessage<
  'shipment.prepare' | 'shipment.dispatch' | 'shipment.refuse_dispatch' | 'shipment.cancel' | 'shipment.hold' | 'shipment.release_hold'
>;

/** What a call to the carrier has come to. */
export type Outcome =
  | { readonly result: 'registered'; readonly carrier: string; readonly label_ref: string; readonly estimated_delivery: number }
  | { readonly result: 'failed'; readonly error: string };

/** How long to wait after the n-th call to the carrier that failed; the last one for ever, for the order has its own deadline. Milliseconds. */
export const CALL_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000, 900_000] as const;
export const pauseAfter = (attempts: number): number => CALL_AGAIN_MS[attempts - 1] ?? CALL_AGAIN_MS.at(-1)!;

/** The shipment a command is about, and what is known of it. */
export interface Addressed {
  readonly id: string;
  readonly shipment: Shipment | undefined;
}

/** What a command leads to; undefined when nothing changes and nothing is to be said. `dueAt`: when a new shipment is due for the carrier. */
export function obey({ id, shipment }: Addressed, command: ShipmentCommand, now: number, dueAt: number): Step | undefined {
  switch (command.type) {
    case 'shipment.prepare':
      return shipment === undefined ? silent(prepared(id, command.data, now, dueAt)) : prepareAgain(shipment, command);
    case 'shipment.dispatch':
      return dispatch(shipment, command, now);
    case 'shipment.refuse_dispatch':
      return refuseDispatch(shipment, command, now);
    case 'shipment.cancel':
      return cancel({ id, shipment }, command, now);
    case 'shipment.hold':
    case 'shipment.release_hold':
      return changeHolds(shipment, command, now);
  }
}

type CommandOf<T extends ShipmentCommand['type']> = Extract<ShipmentCommand, { type: T }>;

/** Whoever asks again because the answer did not come gets it once more, while the shipment has not left. */
function prepareAgain(shipment: Shipment, { data }: CommandOf<'shipment.prepare'>): Step | undefined {
  const isReady = shipment.status === 'ready' || shipment.status === 'picking' || shipment.status === 'packed';
  return data.again === true && isReady ? saying(shipment, { type: 'shipment.ready', data: about(shipment) }) : undefined;
}

const breach = (shipment: Shipment | undefined, { type, data }: ShipmentCommand): Fault =>
  new Fault(
    'contract_violation',
    shipment === undefined
      ? `order ${data.order_id} has no shipment for ${type}`
      : `shipment ${shipment.id} is ${shipment.status}: ${type} cannot be meant for it`,
  );

function dispatch(shipment: Shipment | undefined, command: CommandOf<'shipment.dispatch'>, now: number): Step | undefined {
  const act = actOf(shipment?.status, command.type);
  if (shipment === undefined || act === 'breach') throw breach(shipment, command);
  if (act === 'idle') return command.data.again === true ? saying(shipment, { type: 'shipment.dispatched', data: about(shipment) }) : undefined;
  if (openHolds(shipment).length === 0) return leave(shipment, now);
  return shipment.dispatch_ordered_at === null ? silent({ ...shipment, dispatch_ordered_at: now, updated_at: now }) : undefined;
}

/** It leaves the building; parcels the carrier has said something of are where it says. */
function leave(shipment: Shipment, now: number): Step {
  const left = {
    ...moved(shipment, 'in_transit', now),
    dispatch_requested_at: null,
    dispatch_ordered_at: null,
    refused_reason: null,
    dispatched_at: now,
  };
  const event = { type: 'shipment.dispatched', data: about(shipment) } as const;
  return shipment.parcels.length === 0 ? saying(left, event) : catchUp(left, left.parcels, now, [event]);
}

function refuseDispatch(shipment: Shipment | undefined, command: CommandOf<'shipment.refuse_dispatch'>, now: number): Step | undefined {
  const act = actOf(shipment?.status, command.type);
  if (shipment === undefined || act === 'breach') throw breach(shipment, command);
  if (act === 'idle' || shipment.dispatch_requested_at === null) return undefined;
  return silent({ ...shipment, dispatch_requested_at: null, refused_reason: command.data.reason, updated_at: now });
}

function cancel({ id, shipment }: Addressed, command: CommandOf<'shipment.cancel'>, now: number): Step {
  const { order_id, shipment_id } = command.data;
  const act = actOf(shipment?.status, command.type);
  if (act === 'breach') throw breach(shipment, command);
  const event = { type: 'shipment.cancelled', data: { order_id, ...(shipment_id === undefined ? {} : { shipment_id }) } } as const;
  if (shipment === undefined) return saying(blank(id, order_id, 'cancelled', now), event);
  return saying(act === 'again' ? shipment : cancelled(shipment, now), event); // another command wants its answer too
}

/** A shipment that will not leave, and neither will its parcels. */
export const cancelled = (shipment: Shipment, now: number): Shipment => ({
  ...moved(shipment, 'cancelled', now),
  due_at: null,
  dispatch_requested_at: null,
  dispatch_ordered_at: null,
  parcels: shipment.parcels.map((parcel) => ({ ...parcel, status: 'cancelled', updated_at: now })),
});

function changeHolds(shipment: Shipment | undefined, command: CommandOf<'shipment.hold' | 'shipment.release_hold'>, now: number): Step | undefined {
  const { hold_id, reason = '' } = command.data;
  const act = actOf(shipment?.status, command.type);
  // The preparation is on its way and comes before long.
  if (shipment === undefined)
    throw new Fault('conflict', `${command.type} has overtaken the preparation of the shipment of ${command.data.order_id}`);
  if (act === 'idle') return undefined;
  const holds = shipment.holds ?? [];
  const known = holds.find((hold) => hold.hold_id === hold_id);
  const others = holds.filter((hold) => hold !== known);
  if (act === 'hold')
    return known === undefined
      ? silent({ ...shipment, holds: [...others, { hold_id, reason, placed_at: now, released_at: null }], updated_at: now })
      : undefined;
  if (known !== undefined && known.released_at !== null) return undefined;
  const freed = { ...shipment, holds: [...others, { placed_at: now, reason, ...known, hold_id, released_at: now }], updated_at: now };
  if (openHolds(freed).length > 0) return silent(freed);
  if (freed.dispatch_ordered_at !== null) return leave(freed, now);
  return isFetched(freed) ? askForDispatch(freed, now) : silent(freed);
}

/** Somebody wants to hand the shipment over. */
export function requestDispatch(shipment: Shipment, now: number): Step | Refusal {
  switch (actOf(shipment.status, 'request_dispatch')) {
    case 'same':
      return silent(shipment);
    case 'go':
      if (shipment.dispatch_requested_at !== null && openHolds(shipment).length > 0) return silent(shipment);
      return heldBack(shipment, 'dispatched') ?? askForDispatch(shipment, now);
    default:
      return impossible(shipment, 'dispatched');
  }
}

export const askForDispatch = (shipment: Shipment, now: number): Step =>
  saying(
    { ...shipment, dispatch_requested_at: now, refused_reason: null, updated_at: now },
    { type: 'shipment.dispatch_requested', data: about(shipment) },
  );

/** Why a shipment on hold cannot be worked on; undefined when none lies on it. */
export function heldBack(shipment: Shipment, asked: string): Refusal | undefined {
  const holds = openHolds(shipment);
  if (holds.length === 0) return undefined;
  const why = holds.map(({ reason }) => reason).join(', ');
  return new Refusal('shipment_on_hold', `shipment ${shipment.id} is on hold (${why}) and cannot be ${asked} until the order releases it`);
}
