/**
 * One shipment of several, as data: where it stands, what it waits for, what each trigger does to it. An order of one shipment has none
 * of this: there the order itself is where its shipment is.
 */
import type { Hold, Pieces } from './domain-order.ts';
import { type ReplyName, STATES, type Wait } from './domain-table.ts';

// oxfmt-ignore
export const SHIPMENT_STATES = {
  /** To be prepared, once no hold lies on it and the order is not being changed. */
  planned:     null,
  preparing:   STATES.preparing,
  ready:       STATES.ready,
  capturing:   STATES.capturing,
  dispatching: STATES.dispatching,
  shipped:     STATES.shipped,
  delivered:   null,
  recalling:   STATES.recalling,
  cancelled:   null,
  lost:        null,
  returned:    null,
} as const satisfies Record<string, Wait | null>;

export type ShipmentState = keyof typeof SHIPMENT_STATES;

export const waitOfShipment = (state: ShipmentState): Wait | null => SHIPMENT_STATES[state];

export interface Shipment {
  readonly id: string;
  readonly state: ShipmentState;
  readonly since: number;
  /** By when the state should be left; null where it is an end or waits for a hold. */
  readonly deadline: number | null;
  readonly warehouse_id: string;
  readonly lines: readonly Pieces[];
  readonly tracking_number?: string | undefined;
  /** What was asked of payments when it was to leave, minor units. */
  readonly amount?: number | undefined;
  /** The amount has been captured. */
  readonly paid?: boolean | undefined;
  /** Its goods are off the books. */
  readonly gone?: boolean | undefined;
  /** Orders itself holds it: a person must look at it. The awaited answer lifts it. */
  readonly hold?: Hold | undefined;
  /** The carrier is in trouble with it. */
  readonly exception?: { readonly code: string; readonly note: string; readonly since: number } | undefined;
  /** Parcels that did not arrive. */
  readonly ends?: readonly ParcelEnd[] | undefined;
}

export interface ParcelEnd {
  readonly parcel_id: string;
  readonly end: 'lost' | 'returned';
  readonly lines: readonly Pieces[];
}

/**
 * - `made` it is ready; `ask` somebody wants to dispatch it; `deny` not now
 * - `paid` captured, dispatch; `kept` captured after all; `unpaid` not captured, refuse and hold
 * - `left` it left; `gone` so did its goods; `here` it arrived; `end` it will not leave
 * - `fewer` it goes on with what is left; `mishap`, `mend` in trouble, and out of it; `lose` a parcel did not arrive
 * - `late` write it down unless it is a repetition
 */
export type ShipmentAct =
  | 'made' | 'ask' | 'deny' | 'paid' | 'kept' | 'unpaid' | 'left' | 'gone' | 'here' | 'end' | 'fewer' | 'mishap' | 'mend' | 'lose' | 'late'; // oxfmt-ignore

type Row = readonly [
  ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct, ShipmentAct,
]; // oxfmt-ignore

// oxfmt-ignore
const TABLE = {
  //                             planned   preparing ready     capturing dispatching shipped   delivered recalling cancelled lost      returned
  'shipment.ready':              ['late',   'made',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.dispatch_requested': ['deny',   'ask',    'ask',    'late',   'late',     'late',   'late',   'deny',   'deny',   'late',   'late'],
  'shipment.dispatched':         ['late',   'late',   'late',   'late',   'left',     'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.delivered':          ['late',   'late',   'late',   'late',   'here',     'here',   'late',   'late',   'late',   'late',   'late'],
  'shipment.cancelled':          ['late',   'end',    'end',    'late',   'late',     'late',   'late',   'end',    'late',   'late',   'late'],
  'shipment.shorted':            ['late',   'fewer',  'fewer',  'fewer',  'fewer',    'fewer',  'fewer',  'late',   'late',   'late',   'late'],
  'shipment.exception':          ['late',   'late',   'late',   'late',   'mishap',   'mishap', 'late',   'late',   'late',   'late',   'late'],
  'shipment.resolved':           ['late',   'late',   'late',   'late',   'mend',     'mend',   'late',   'late',   'late',   'late',   'late'],
  'shipment.lost':               ['late',   'late',   'late',   'late',   'lose',     'lose',   'lose',   'late',   'late',   'late',   'late'],
  'shipment.returned':           ['late',   'late',   'late',   'late',   'lose',     'lose',   'lose',   'late',   'late',   'late',   'late'],
  'payment.captured':            ['late',   'late',   'kept',   'paid',   'late',     'late',   'late',   'kept',   'kept',   'late',   'late'],
  'payment.capture_failed':      ['late',   'late',   'late',   'unpaid', 'late',     'late',   'late',   'late',   'late',   'late',   'late'],
  'stock.committed':             ['late',   'late',   'late',   'late',   'late',     'gone',   'gone',   'late',   'late',   'gone',   'gone'],
} as const satisfies Partial<Record<ReplyName, Row>>;

export type ShipmentTrigger = keyof typeof TABLE;
export const SHIPMENT_TRIGGERS = Object.keys(TABLE) as readonly ShipmentTrigger[];
export const isAboutShipment = (name: string): name is ShipmentTrigger => Object.hasOwn(TABLE, name);

const COLUMNS = Object.keys(SHIPMENT_STATES) as ShipmentState[];
const ACTS = Object.fromEntries(
  SHIPMENT_TRIGGERS.map((trigger) => [trigger, Object.fromEntries(COLUMNS.map((state, i) => [state, TABLE[trigger][i]]))]),
) as Record<ShipmentTrigger, Record<ShipmentState, ShipmentAct>>;

export const actOfShipment = (state: ShipmentState, trigger: ShipmentTrigger): ShipmentAct => ACTS[trigger][state];

/** States in which it has left, or is on the point of it: its pieces cannot be cancelled any more. */
const LEAVING: ReadonlySet<ShipmentState> = new Set(['capturing', 'dispatching', 'shipped', 'delivered', 'lost', 'returned']);
const LEFT: ReadonlySet<ShipmentState> = new Set(['shipped', 'delivered', 'lost', 'returned']);
export const isLeaving = ({ state }: Shipment): boolean => LEAVING.has(state);
export const hasLeft = ({ state }: Shipment): boolean => LEFT.has(state);
/** It is to leave, and has not begun to. */
export const isAhead = ({ state }: Shipment): boolean => state === 'planned' || state === 'preparing' || state === 'ready';
