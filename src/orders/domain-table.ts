/**
 * The journey as data: what each state waits for, and what each trigger does in each state. README.md draws it.
 *
 * Every pair of state and trigger is declared. What is not expected is declared `late` (noted when it is news, silent when it is a
 * repetition); there is no pair for which nobody has thought about what happens.
 */
import type { EventType, MessageType } from '../contracts/messages.ts';
import type { Deadlines, StopName } from './domain-waybill.ts';

/** Who must act: a service, or somebody outside. */
export const OWNERS = ['inventory', 'payments', 'shipping', 'warehouse', 'carrier', 'operator'] as const;
export type Owner = (typeof OWNERS)[number];

/** What one state waits for. */
export interface Wait {
  readonly stop: StopName;
  /** The command said on entering; null when a person moves next. */
  readonly asks: MessageType | null;
  readonly answers: readonly EventType[];
  readonly owner: Owner;
  /** Which of the deadlines is its own. */
  readonly deadline: keyof Deadlines;
  /** What orders does when it is over; null: a person's work is never overtaken by a clock. */
  readonly overdue: 'cancel' | 'hold' | null;
}

// oxfmt-ignore
export const STATES = {
  reserving:   { stop: 'stock',    asks: 'stock.reserve',     answers: ['stock.reserved', 'stock.rejected'],                               owner: 'inventory', deadline: 'stock',    overdue: 'cancel' },
  authorizing: { stop: 'payment',  asks: 'payment.authorize', answers: ['payment.authorized', 'payment.declined', 'payment.failed'],       owner: 'payments',  deadline: 'payment',  overdue: 'cancel' },
  preparing:   { stop: 'shipping', asks: 'shipment.prepare',  answers: ['shipment.ready'],                                                 owner: 'shipping',  deadline: 'shipping', overdue: 'hold' },
  ready:       { stop: 'shipping', asks: null,                answers: ['shipment.dispatch_requested'],                                    owner: 'warehouse', deadline: 'dispatch', overdue: null },
  capturing:   { stop: 'payment',  asks: 'payment.capture',   answers: ['payment.captured', 'payment.capture_failed'],                     owner: 'payments',  deadline: 'payment',  overdue: 'hold' },
  dispatching: { stop: 'shipping', asks: 'shipment.dispatch', answers: ['shipment.dispatched'],                                            owner: 'shipping',  deadline: 'shipping', overdue: 'hold' },
  shipped:     { stop: 'shipping', asks: null,                answers: ['shipment.delivered'],                                             owner: 'carrier',   deadline: 'delivery', overdue: null },
  delivered:   null,
  complete:    null,
  recalling:   { stop: 'shipping', asks: 'shipment.cancel',   answers: ['shipment.cancelled'],                                             owner: 'shipping',  deadline: 'shipping', overdue: 'hold' },
  voiding:     { stop: 'payment',  asks: 'payment.void',      answers: ['payment.voided'],                                                 owner: 'payments',  deadline: 'payment',  overdue: 'hold' },
  releasing:   { stop: 'stock',    asks: 'stock.release',     answers: ['stock.released'],                                                 owner: 'inventory', deadline: 'stock',    overdue: 'hold' },
  cancelled:   null,
  // Beyond the ordinary order. What is null waits for nothing of its own: for people, holds and shipments, each with a deadline of theirs.
  draft:       null,
  held:        null,
  fulfilling:  null,
  raising:     { stop: 'stock',    asks: 'stock.change',      answers: ['stock.changed', 'stock.change_rejected'],                         owner: 'inventory', deadline: 'stock',    overdue: 'hold' },
  topping_up:  { stop: 'payment',  asks: 'payment.authorize', answers: ['payment.authorized', 'payment.declined', 'payment.failed'],       owner: 'payments',  deadline: 'payment',  overdue: 'hold' },
  lowering:    { stop: 'stock',    asks: 'stock.change',      answers: ['stock.changed'],                                                  owner: 'inventory', deadline: 'stock',    overdue: 'hold' },
  reducing:    { stop: 'payment',  asks: 'payment.void',      answers: ['payment.reduced', 'payment.failed'],                              owner: 'payments',  deadline: 'payment',  overdue: 'hold' },
} as const satisfies Record<string, Wait | null>;

export type State = keyof typeof STATES;

/** What `state` waits for; null when it is an end. */
export const waitOf = (state: State): Wait | null => STATES[state];

/** The state in which a stop does its part, and the one in which it is undone. */
export const FORWARD = { stock: 'reserving', payment: 'authorizing', shipping: 'preparing' } as const satisfies Record<StopName, State>;
export const BACKWARD = { stock: 'releasing', payment: 'voiding', shipping: 'recalling' } as const satisfies Record<StopName, State>;

/**
 * What a message can do:
 * - `done` the stop did its part, go to the next; `no` it refused, cancel; `undone` its part is undone, go to the one before it
 * - `fail` hold until somebody mends it; `dead` the same, when the dead letter is what is waited for; `over` a deadline has passed
 * - `ask` somebody wants to dispatch: capture, then dispatch; `deny` refuse the dispatch
 * - `paid` captured, dispatch; `kept` captured after all; `unpaid` not captured, refuse the dispatch and hold
 * - `sent` the parcel left; `gone` so did its goods; `here` it arrived
 * - `doubt` stock holds something else than it said: it is asked anew; `lapse` the reservation or authorisation is no more
 * - `step` the revision goes on; `fall` it was refused, and goes back
 * - `part` from here on shipments are kept each by itself: this concerns one of them
 * - `back` goods came back; `repaid` money did; `unrepaid` it could not
 * - `note` write it down; `late` write it down unless it is a repetition
 *
 * What a request can do: `undo` begin to cancel; `again` lift the hold and say what was not answered again; `place` the draft sets out; `drop` it is
 * thrown away; `draw` change it at once; `wait` change it when the answer under way has come; `revise` change it now; `busy` it is being
 * changed; `pin`, `unpin` lay and lift a hold; `repay` give money back; `settle` money was paid elsewhere; `close` nothing more is to
 * happen; `jot` a note; `refuse` not now; `same` it is so already.
 */
export type Act =
  | 'done' | 'no' | 'undone' | 'fail' | 'dead' | 'over' | 'ask' | 'deny' | 'paid' | 'kept' | 'unpaid' | 'sent' | 'gone' | 'here'
  | 'doubt' | 'lapse' | 'step' | 'fall' | 'part' | 'back' | 'repaid' | 'unrepaid' | 'note' | 'late'
  | 'undo' | 'again' | 'place' | 'drop' | 'draw' | 'wait' | 'revise' | 'busy' | 'pin' | 'unpin' | 'repay' | 'settle' | 'close' | 'jot'
  | 'refuse' | 'same'; // oxfmt-ignore

// oxfmt-ignore
const ORDINARY = {
  //                             reserving authorizing preparing ready     capturing dispatching shipped   delivered complete  recalling voiding   releasing cancelled
  'stock.reserved':              ['done',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'stock.rejected':              ['no',     'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'stock.released':              ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'undone', 'late'],
  'stock.committed':             ['late',   'late',     'late',   'late',   'late',   'late',     'gone',   'gone',   'late',   'late',   'late',   'late',   'late'],
  'stock.filled':                ['doubt',  'doubt',    'doubt',  'doubt',  'doubt',  'doubt',    'doubt',  'doubt',  'doubt',  'late',   'late',   'late',   'late'],
  'stock.shorted':               ['doubt',  'doubt',    'doubt',  'doubt',  'doubt',  'doubt',    'doubt',  'doubt',  'doubt',  'late',   'late',   'late',   'late'],
  'stock.expired':               ['late',   'lapse',    'lapse',  'lapse',  'lapse',  'lapse',    'note',   'note',   'lapse',  'late',   'late',   'late',   'late'],
  'stock.changed':               ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'stock.change_rejected':       ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.authorized':          ['late',   'done',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.declined':            ['late',   'no',       'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.failed':              ['late',   'fail',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'fail',   'late',   'late'],
  'payment.captured':            ['late',   'late',     'late',   'kept',   'paid',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.capture_failed':      ['late',   'late',     'late',   'late',   'unpaid', 'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.voided':              ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'undone', 'late',   'late'],
  'payment.reduced':             ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.expired':             ['lapse',  'late',     'lapse',  'lapse',  'note',   'note',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'payment.refunded':            ['repaid', 'repaid',   'repaid', 'repaid', 'repaid', 'repaid',   'repaid', 'repaid', 'repaid', 'repaid', 'repaid', 'repaid', 'repaid'],
  'payment.refund_failed':       ['unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid'],
  'shipment.ready':              ['late',   'late',     'done',   'late',   'late',   'late',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.dispatch_requested': ['deny',   'deny',     'ask',    'ask',    'late',   'late',     'late',   'late',   'deny',   'deny',   'deny',   'deny',   'deny'],
  'shipment.dispatched':         ['late',   'late',     'late',   'late',   'late',   'sent',     'late',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.delivered':          ['late',   'late',     'late',   'late',   'late',   'here',     'here',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.cancelled':          ['late',   'late',     'late',   'late',   'late',   'late',     'late',   'late',   'late',   'undone', 'late',   'late',   'late'],
  'shipment.shorted':            ['late',   'late',     'part',   'part',   'part',   'part',     'part',   'part',   'late',   'late',   'late',   'late',   'late'],
  'shipment.exception':          ['late',   'late',     'late',   'late',   'late',   'note',     'note',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.resolved':           ['late',   'late',     'late',   'late',   'late',   'note',     'note',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.lost':               ['late',   'late',     'late',   'late',   'late',   'part',     'part',   'late',   'late',   'late',   'late',   'late',   'late'],
  'shipment.returned':           ['late',   'late',     'late',   'late',   'late',   'part',     'part',   'late',   'late',   'late',   'late',   'late',   'late'],
  'return.received':             ['late',   'late',     'late',   'late',   'late',   'late',     'back',   'back',   'late',   'late',   'late',   'late',   'late'],
  'order.check_deadline':        ['over',   'over',     'over',   'over',   'over',   'over',     'over',   'over',   'over',   'over',   'over',   'over',   'over'],
  'message.dead_lettered':       ['dead',   'dead',     'dead',   'dead',   'dead',   'dead',     'note',   'note',   'note',   'dead',   'dead',   'dead',   'note'],
  cancel:                        ['undo',   'undo',     'undo',   'undo',   'refuse', 'refuse',   'refuse', 'refuse', 'undo',   'same',   'same',   'same',   'same'],
  resume:                        ['again',  'again',    'again',  'again',  'again',  'again',    'again',  'again',  'refuse', 'again',  'again',  'again',  'refuse'],
  place:                         ['same',   'same',     'same',   'same',   'same',   'same',     'same',   'same',   'same',   'refuse', 'refuse', 'refuse', 'refuse'],
  discard:                       ['refuse', 'refuse',   'refuse', 'refuse', 'refuse', 'refuse',   'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  revise:                        ['wait',   'wait',     'revise', 'revise', 'revise', 'revise',   'revise', 'revise', 'revise', 'refuse', 'refuse', 'refuse', 'refuse'],
  hold:                          ['pin',    'pin',      'pin',    'pin',    'pin',    'refuse',   'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  release:                       ['unpin',  'unpin',    'unpin',  'unpin',  'unpin',  'unpin',    'unpin',  'unpin',  'unpin',  'unpin',  'unpin',  'unpin',  'unpin'],
  refund:                        ['repay',  'repay',    'repay',  'repay',  'repay',  'repay',    'repay',  'repay',  'repay',  'refuse', 'refuse', 'refuse', 'repay'],
  pay_externally:                ['refuse', 'refuse',   'settle', 'settle', 'refuse', 'refuse',   'settle', 'settle', 'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  close:                         ['refuse', 'refuse',   'refuse', 'refuse', 'refuse', 'refuse',   'close',  'close',  'refuse', 'refuse', 'refuse', 'refuse', 'refuse'],
  note:                          ['jot',    'jot',      'jot',    'jot',    'jot',    'jot',      'jot',    'jot',    'jot',    'jot',    'jot',    'jot',    'jot'],
} as const satisfies Record<string, readonly [Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act, Act]>;

export type TriggerName = keyof typeof ORDINARY;

// Of an order that keeps its shipments itself, what is about one of them goes to that one (domain-shipment-table.ts), whatever stands here.
// oxfmt-ignore
const BEYOND = {
  //                             draft     held      fulfilling raising    topping_up lowering   reducing
  'stock.reserved':              ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'stock.rejected':              ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'stock.released':              ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'stock.committed':             ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'stock.filled':                ['late',   'doubt',  'doubt',    'doubt',   'doubt',   'doubt',   'doubt'],
  'stock.shorted':               ['late',   'doubt',  'doubt',    'doubt',   'doubt',   'doubt',   'doubt'],
  'stock.expired':               ['late',   'lapse',  'lapse',    'lapse',   'lapse',   'lapse',   'lapse'],
  'stock.changed':               ['late',   'late',   'late',     'step',    'late',    'step',    'late'],
  'stock.change_rejected':       ['late',   'late',   'late',     'fall',    'late',    'fail',    'late'],
  'payment.authorized':          ['late',   'late',   'late',     'late',    'step',    'late',    'late'],
  'payment.declined':            ['late',   'late',   'late',     'late',    'fall',    'late',    'late'],
  'payment.failed':              ['late',   'late',   'late',     'late',    'fail',    'late',    'fail'],
  'payment.captured':            ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'payment.capture_failed':      ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'payment.voided':              ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'payment.reduced':             ['late',   'late',   'late',     'late',    'late',    'late',    'step'],
  'payment.expired':             ['late',   'lapse',  'lapse',    'lapse',   'lapse',   'lapse',   'lapse'],
  'payment.refunded':            ['late',   'repaid', 'repaid',   'repaid',  'repaid',  'repaid',  'repaid'],
  'payment.refund_failed':       ['late',   'unrepaid','unrepaid','unrepaid','unrepaid','unrepaid','unrepaid'],
  'shipment.ready':              ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.dispatch_requested': ['deny',   'deny',   'deny',     'deny',    'deny',    'deny',    'deny'],
  'shipment.dispatched':         ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.delivered':          ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.cancelled':          ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.shorted':            ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.exception':          ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.resolved':           ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.lost':               ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'shipment.returned':           ['late',   'late',   'late',     'late',    'late',    'late',    'late'],
  'return.received':             ['late',   'back',   'back',     'back',    'back',    'back',    'back'],
  'order.check_deadline':        ['over',   'over',   'over',     'over',    'over',    'over',    'over'],
  'message.dead_lettered':       ['note',   'note',   'dead',     'dead',    'dead',    'dead',    'dead'],
  cancel:                        ['drop',   'undo',   'undo',     'undo',    'undo',    'undo',    'undo'],
  resume:                        ['refuse', 'refuse', 'again',    'again',   'again',   'again',   'again'],
  place:                         ['place',  'same',   'same',     'same',    'same',    'same',    'same'],
  discard:                       ['drop',   'refuse', 'refuse',   'refuse',  'refuse',  'refuse',  'refuse'],
  revise:                        ['draw',   'revise', 'revise',   'busy',    'busy',    'busy',    'busy'],
  hold:                          ['pin',    'pin',    'pin',      'pin',     'pin',     'pin',     'pin'],
  release:                       ['unpin',  'unpin',  'unpin',    'unpin',   'unpin',   'unpin',   'unpin'],
  refund:                        ['refuse', 'repay',  'repay',    'busy',    'busy',    'busy',    'busy'],
  pay_externally:                ['refuse', 'settle', 'settle',   'busy',    'busy',    'busy',    'busy'],
  close:                         ['refuse', 'refuse', 'refuse',   'refuse',  'refuse',  'refuse',  'refuse'],
  note:                          ['jot',    'jot',    'jot',      'jot',     'jot',     'jot',     'jot'],
} as const satisfies Record<TriggerName, readonly [Act, Act, Act, Act, Act, Act, Act]>;

const COLUMNS = Object.keys(STATES) as State[];

export const TRIGGERS = Object.keys(ORDINARY) as readonly TriggerName[];
export const REQUESTS = ['cancel', 'resume', 'place', 'discard', 'revise', 'hold', 'release', 'refund', 'pay_externally', 'close', 'note'] as const;
export type RequestName = (typeof REQUESTS)[number];
/** The messages among the triggers: what this room subscribes to. */
export type ReplyName = Exclude<TriggerName, RequestName>;
const isRequest = (name: TriggerName): name is RequestName => (REQUESTS as readonly TriggerName[]).includes(name);
export const REPLIES = TRIGGERS.filter((name): name is ReplyName => !isRequest(name));

const ACTS = Object.fromEntries(
  TRIGGERS.map((trigger) => [trigger, Object.fromEntries(COLUMNS.map((state, i) => [state, [...ORDINARY[trigger], ...BEYOND[trigger]][i]]))]),
) as Record<TriggerName, Record<State, Act>>;

/** What `trigger` does in `state`. */
export const actOf = (state: State, trigger: TriggerName): Act => ACTS[trigger][state];
