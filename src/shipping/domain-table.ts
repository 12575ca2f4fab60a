/**
 * The machine of a shipment as data: what each thing that happens does in each status. README.md draws it.
 *
 * Every pair is declared; there is none for which nobody has thought about what happens.
 */

/** `none`: there is no shipment yet. */
export const STATUSES = ['pending', 'ready', 'picking', 'packed', 'in_transit', 'exception', 'delivered', 'returned', 'lost', 'cancelled'] as const;
export type ShipmentStatus = (typeof STATUSES)[number];

/** Every legal change of status. */
export const SHIPMENT_TRANSITIONS: Readonly<Record<ShipmentStatus, readonly ShipmentStatus[]>> = {
  pending: ['ready', 'cancelled'],
  ready: ['picking', 'packed', 'in_transit', 'cancelled'],
  picking: ['ready', 'packed', 'cancelled'],
  packed: ['picking', 'in_transit', 'cancelled'],
  in_transit: ['exception', 'delivered', 'returned', 'lost'],
  exception: ['in_transit', 'delivered', 'returned', 'lost'],
  delivered: [],
  returned: [],
  lost: [],
  cancelled: [],
};

/**
 * What can be done:
 * - `make` a shipment; `tomb` leave a cancelled one behind; `end` it; `again` say once more that it is cancelled
 * - `leave` it leaves the building; `deny` take back that somebody asked for it; `hold` and `free` lay and lift a hold
 * - `go` what the name says; `parcel` ask the parcels; `keep` write it down, it counts later or not at all
 * - `idle` it is so, or means nothing any more; `same` it is so already; `refuse` not now, and say what is possible
 * - `wait` it came too early and is tried again; `breach` nobody could rightly have asked for it
 */
type Act =
  | 'make'
  | 'tomb'
  | 'end'
  | 'again'
  | 'leave'
  | 'deny'
  | 'hold'
  | 'free'
  | 'go'
  | 'parcel'
  | 'keep'
  | 'idle'
  | 'same'
  | 'refuse'
  | 'wait'
  | 'breach';
type Row = readonly [Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act];

const COLUMNS = ['none', ...STATUSES] as const;

// oxfmt-ignore
const TABLE = {
  //                          none      pending   ready     picking   packed    in_transit exception delivered returned  lost      cancelled
  'shipment.prepare':         ['make',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle'],
  'shipment.dispatch':        ['breach', 'breach', 'leave',  'breach', 'leave',  'idle',   'idle',   'idle',   'idle',   'idle',   'breach'],
  'shipment.refuse_dispatch': ['breach', 'idle',   'deny',   'idle',   'deny',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle'],
  'shipment.cancel':          ['tomb',   'end',    'end',    'end',    'end',    'breach', 'breach', 'breach', 'breach', 'breach', 'again'],
  'shipment.hold':            ['wait',   'hold',   'hold',   'hold',   'hold',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle'],
  'shipment.release_hold':    ['wait',   'free',   'free',   'free',   'free',   'idle',   'idle',   'idle',   'idle',   'idle',   'idle'],
  request_dispatch:           ['breach', 'refuse', 'go',     'refuse', 'go',     'same',   'same',   'refuse', 'refuse', 'refuse', 'refuse'],
  pick:                       ['breach', 'refuse', 'go',     'same',   'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  put_back:                   ['breach', 'refuse', 'same',   'go',     'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  pack:                       ['breach', 'refuse', 'go',     'go',     'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  unpack:                     ['breach', 'refuse', 'refuse', 'same',   'go',     'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  short:                      ['breach', 'refuse', 'go',     'go',     'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  deliver:                    ['breach', 'refuse', 'refuse', 'refuse', 'refuse', 'go',     'go',     'same',   'refuse', 'refuse', 'refuse'],
  trouble:                    ['breach', 'refuse', 'refuse', 'refuse', 'refuse', 'parcel', 'parcel', 'refuse', 'refuse', 'refuse', 'refuse'],
  resolve:                    ['breach', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'parcel', 'refuse', 'refuse', 'refuse', 'refuse'],
  track:                      ['breach', 'keep',   'keep',   'keep',   'keep',   'parcel', 'parcel', 'keep',   'keep',   'keep',   'keep'],
} as const satisfies Record<string, Row>;

export type Trigger = keyof typeof TABLE;
export const TRIGGERS = Object.keys(TABLE) as readonly Trigger[];
/** What a trigger may do at all. */
export type ActOf<T extends Trigger> = (typeof TABLE)[T][number];

/** What `trigger` does to a shipment of that status; undefined for the status of none. */
export function actOf<T extends Trigger>(status: ShipmentStatus | undefined, trigger: T): ActOf<T> {
  return TABLE[trigger][COLUMNS.indexOf(status ?? 'none')]!;
}

/** What can be done with a shipment, in words for whoever asked for something else. */
export const POSSIBLE: Readonly<Record<ShipmentStatus, string>> = {
  pending: 'the carrier does not know of it yet; it will be ready by itself, or can be cancelled with its order',
  ready: 'it can be picked, packed or dispatched, or be cancelled with its order',
  picking: 'it can be packed, put back, or be cancelled with its order',
  packed: 'it can be dispatched or unpacked, or be cancelled with its order',
  in_transit: 'it can be delivered, or be in trouble',
  exception: 'its trouble can be resolved, or it can be delivered',
  delivered: 'nothing more happens to it; what is sent back is a return',
  returned: 'nothing more happens to it; the return that was opened for it can be received',
  lost: 'nothing more happens to it',
  cancelled: 'nothing more happens to it',
};
