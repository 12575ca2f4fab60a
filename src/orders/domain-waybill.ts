/**
 * The waybill: the stops an order must make, the policies that choose them, and how long each may take.
 */

export type StopName = 'stock' | 'payment' | 'shipping';

/**
 * Where a stop stands; `settled`: the goods or the parcel have left, the money is taken. Only money can come back. `skipped`: there was nothing
 * to do; `dropped`: the order was cancelled before it came there.
 */
export type Stop =
  | {
      readonly stop: StopName;
      readonly state: 'waiting' | 'skipped' | 'dropped' | 'requested' | 'refused' | 'undoing' | 'undone';
      readonly since: number;
    }
  | { readonly stop: 'stock'; readonly state: 'done' | 'settled'; readonly since: number; readonly warehouse_id: string }
  | { readonly stop: 'payment'; readonly state: 'done' | 'settled'; readonly since: number; readonly payment_id: string }
  | {
      readonly stop: 'shipping';
      readonly state: 'done' | 'settled';
      readonly since: number;
      readonly shipment_id: string;
      readonly tracking_number: string;
    };
export type StopState = Stop['state'];

type Fulfilled<Name extends StopName> = Extract<Stop, { readonly stop: Name; readonly state: 'done' | 'settled' }>;

/** The stop, when it has done its part. */
export const fulfilledStop = <Name extends StopName>(stops: readonly Stop[], name: Name): Fulfilled<Name> | undefined =>
  stops.find((stop): stop is Fulfilled<Name> => stop.stop === name && (stop.state === 'done' || stop.state === 'settled'));

/** A stop that must have done its part; anything else is a bug. */
export function fulfilled<Name extends StopName>(stops: readonly Stop[], name: Name): Fulfilled<Name> {
  const found = fulfilledStop(stops, name);
  if (found === undefined) throw new Error(`the stop ${name} is not done`);
  return found;
}

/** Names of policies and the stops each takes, in order. Configuration, not code; an order keeps the stops it was placed with. */
export type Policies = Readonly<Record<string, readonly StopName[]>>;

export const DEFAULT_POLICY = 'default';

export const POLICIES: Policies = {
  [DEFAULT_POLICY]: ['stock', 'payment', 'shipping'],
  prepaid: ['payment', 'stock', 'shipping'],
  reserve_only: ['stock'],
};

/** How long each kind of wait may take, milliseconds. */
export interface Deadlines {
  readonly stock: number;
  readonly payment: number;
  readonly shipping: number;
  /** From the parcel being ready to somebody handing it over. */
  readonly dispatch: number;
  readonly delivery: number;
  /** For an operator to look at an order on hold. */
  readonly hold: number;
  /** For somebody to place a draft, or to discard it. */
  readonly draft: number;
}

const HOUR = 3_600_000;

/** Generous, because a broker may be away for long and a cancelled order does not come back. */
export const DEADLINES: Deadlines = {
  stock: HOUR,
  payment: HOUR,
  shipping: 24 * HOUR,
  dispatch: 48 * HOUR,
  delivery: 14 * 24 * HOUR,
  hold: 24 * HOUR,
  draft: 30 * 24 * HOUR,
};

/** Why policies cannot work, one sentence each; none when they can. */
export function faultsOfPolicies(policies: Policies): string[] {
  const faults = Object.entries(policies).flatMap(([name, stops]) => {
    const say = (why: string): string => `policy "${name}" ${why}`;
    return [
      ...(new Set(stops).size < stops.length ? [say('makes a stop twice')] : []),
      ...(stops.includes('stock') ? [] : [say('has no stop "stock": nothing would be promised')]),
      ...(stops.includes('shipping') && stops.at(-1) !== 'shipping' ? [say('ships before its last stop')] : []),
      ...(stops.includes('payment') && !stops.includes('shipping') ? [say('takes a payment and never ships: nothing would be captured')] : []),
    ];
  });
  return policies[DEFAULT_POLICY] === undefined ? [...faults, `there is no policy "${DEFAULT_POLICY}"`] : faults;
}
