/**
 * The journey as data: what each state waits for, and what each trigger does in each state. README.md draws it.
 *
 * Every pair of state and trigger is declared. What is not expected is declared `late` (noted when it is news, silent when it is a
 * repetition); there is no pair for which nobody has thought about what happens.
 */
import type { EventType, MessageType } from '../contracts/messages.ts';
import type { Deadlines, StopName } from './domain-waybill.ts';

/** What one state waits for. */
export interface Wait {
  readonly stop: StopName;
  /** The command said on entering; null when a person moves next. */
  readonly asks: MessageType | null;
  readonly answers: readonly EventType[];
  readonly owner: 'stock' | 'payments' | 'carrier' | 'warehouse';
  /** Which of the deadlines is its own. */
  readonly deadline: keyof Deadlines;
  /** What orders does when it is over; null: a person's work is never overtaken by a clock. */
  readonly overdue: 'cancel' | 'hold' | null;
}

// oxfmt-ignore
export const STATES = {
  reserving:   { stop: 'stock',    asks: 'stock.reserve',     answers: ['stock.reserved', 'stock.rejected'],                               owner: 'stock',     deadline: 'stock',    overdue: 'cancel' },
  authorizing: { stop: 'payment',  asks: 'payment.authorize', answers: ['payment.authorized', 'payment.declined', 'payment.failed'],       owner: 'payments',  deadline: 'payment',  overdue: 'cancel' },
  preparing:   { stop: 'shipping', asks: 'shipment.prepare',  answers: ['shipment.ready'],                                                 owner: 'carrier',   deadline: 'shipping', overdue: 'hold' },
  ready:       { stop: 'shipping', asks: null,                answers: ['shipment.dispatch_requested'],                                    owner: 'warehouse', deadline: 'dispatch', overdue: null },
  capturing:   { stop: 'payment',  asks: 'payment.capture',   answers: ['payment.captured', 'payment.capture_failed'],                     owner: 'payments',  deadline: 'payment',  overdue: 'hold' },
  dispatching: { stop: 'shipping', asks: 'shipment.dispatch', answers: ['shipment.dispatched'],                                            owner: 'carrier',   deadline: 'shipping', overdue: 'hold' },
  shipped:     { stop: 'shipping', asks: null,                answers: ['shipment.delivered'],                                             owner: 'carrier',   deadline: 'delivery', overdue: null },
  delivered:   null,
  complete:    null,
  recalling:   { stop: 'shipping', asks: 'shipment.cancel',   answers: ['shipment.cancelled'],                                             owner: 'carrier',   deadline: 'shipping', overdue: 'hold' },
  voiding:     { stop: 'payment',  asks: 'payment.void',      answers: ['payment.voided'],                                                 owner: 'payments',  deadline: 'payment',  overdue: 'hold' },
  releasing:   { stop: 'stock',    asks: 'stock.release',     answers: ['stock.released'],                                                 owner: 'stock',     deadline: 'stock',    overdue: 'hold' },
  cancelled:   null,
} as const satisfies Record<string, Wait | null>;

export type State = keyof typeof STATES;

/** What `state` waits for; null when it is an end. */
export const waitOf = (state: State): Wait | null => STATES[state];

/** The state in which a stop does its part, and the one in which it is undone. */
export const FORWARD = { stock: 'reserving', payment: 'authorizing', shipping: 'preparing' } as const satisfies Record<StopName, State>;
export const BACKWARD = { stock: 'releasing', payment: 'voiding', shipping: 'recalling' } as const satisfies Record<StopName, State>;

/**
 * What can be done:
 * - `done` the stop did its part, go to the next; `no` it refused, cancel; `undone` its part is undone, go to the one before it
 * - `fail` hold until somebody mends it; `dead` the same, when the dead letter is what is waited for; `over` the deadline has passed
 * - `ask` somebody wants to dispatch: capture, then dispatch; `deny` refuse the dispatch
 * - `paid` captured, dispatch; `kept` captured after all; `unpaid` not captured, refuse the dispatch and hold
 * - `sent` the parcel left; `gone` so did its goods; `here` it arrived
 * - `undo` begin to cancel; `again` lift the hold and say what was not answered again; `refuse` not now; `same` it is so already
 * - `note` write it down; `late` write it down unless it is a repetition; `idle` nothing
 */
export type Act =
  | 'done' | 'no' | 'undone' | 'fail' | 'dead' | 'over' | 'ask' | 'deny' | 'paid' | 'kept' | 'unpaid' | 'sent' | 'gone' | 'here'
  | 'undo' | 'again' | 'refuse' | 'same' | 'note' | 'late' | 'idle'; // oxfmt-ignore

type Row = readonly [Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act];

const COLUMNS = Object.keys(STATES) as State[];

// oxfmt-ignore
const TABLE = {
  //                             reserving authorizing preparing ready     capturing dispatching shipped   delivered complete  recalling voiding   releasing cancelled
  'stock.reserved':              ['done',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'stock.rejected':              ['no',     'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'stock.released':              ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'undone', 'late'],
  'stock.committed':             ['late',   'late',     'late',   'late',   'late',   'late',     'gone',   'gone',   'late',   'late',   'late',   'late',   'late'],
  'payment.authorized':          ['late',   'done',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.declined':            ['late',   'no',       'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.failed':              ['late',   'fail',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.captured':            ['late',   'late',     'late',   'kept',   'paid',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.capture_failed':      ['late',   'late',     'late',   'late',   'unpaid', 'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.voided':              ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'undone', 'late',   'late'],
  'shipment.ready':              ['late',   'late',     'done',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.dispatch_requested': ['deny',   'deny',     'ask',    'ask',    'late',   'late',     'late',   'late',   'deny',   'deny',   'deny',   'deny',   'deny'],
  'shipment.dispatched':         ['late',   'late',     'late',   'late',   'late',   'sent',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.delivered':          ['late',   'late',     'late',   'late',   'late',   'here',     'here',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.cancelled':          ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'undone', 'late',   'late',   'late'],
  'order.check_deadline':        ['over',   'over',     'over',   'idle',   'over',   'over',     'idle',   'idle',   'idle',   'over',   'over',   'over',   'idle'],
  'message.dead_lettered':       ['dead',   'dead',     'dead',   'dead',   'dead',   'dead',     'note',   'note',   'note',   'dead',   'dead',   'dead',   'note'],
  cancel:                        ['undo',   'undo',     'undo',   'undo',   'refuse', 'refuse',   'refuse', 'refuse', 'undo',   'same',   'same',   'same',   'same'],
  resume:                        ['again',  'again',    'again',  'again',  'again',  'again',    'again',  'again',  'refuse', 'again',  'again',  'again',  'refuse'],
} as const satisfies Record<string, Row>;

export type TriggerName = keyof typeof TABLE;
export const TRIGGERS = Object.keys(TABLE) as readonly TriggerName[];
/** The messages among the triggers: what this room subscribes to. */
export type ReplyName = Exclude<TriggerName, 'cancel' | 'resume'>;
export const REPLIES = TRIGGERS.filter((name): name is ReplyName => name !== 'cancel' && name !== 'resume');

const ACTS = Object.fromEntries(
  TRIGGERS.map((trigger) => [trigger, Object.fromEntries(COLUMNS.map((state, i) => [state, TABLE[trigger][i]]))]),
) as Record<TriggerName, Record<State, Act>>;

/** What `trigger` does in `state`. */
export const actOf = (state: State, trigger: TriggerName): Act => ACTS[trigger][state];
