/**
 * What clients asked and heard, what the system says in the end, and everything in which the two contradict each other. Pure.
 *
 *   history   every request with its answer, as one client saw it; a request without an answer may have had its effect or not
 *   truth     the orders, payments, goods, parcels and notifications there are when nothing moves any more, and the mails that arrived
 *
 * | fault | means |
 * |---|---|
 * | lost | something that was answered is not there, or not as it was answered; a customer was not told |
 * | duplicated | something is there more often than it was asked for: twice, or without having been asked for at all |
 * | double_charged | more money is or was held or taken than the order is worth, or for an order that gets nothing |
 * | oversold | goods are promised that are not there, or a book of goods does not say what was moved |
 * | stuck | something waits although everything works and everybody who must act has acted |
 * | backward | a status, or a version, was seen to go back |
 */
import { checkGoods } from './check-goods.ts';
import { checkMoney } from './check-money.ts';
import { checkOrders } from './check-orders.ts';
import { checkSeen } from './check-seen.ts';
import { checkTold } from './check-told.ts';
import { checkWaiting } from './check-waiting.ts';

/** One order a client wanted, under one idempotency key, which is its customer's id, too. */
export interface Placement {
  readonly key: string;
  readonly lines: readonly Line[];
  /** What it comes to, minor units. */
  readonly total: number;
}
export interface Line {
  readonly sku: string;
  readonly quantity: number;
}
/** Goods somebody brought, under one idempotency key, which is the reference of its postings, too. */
export interface Receipt extends Line {
  readonly key: string;
}

export type Act = 'place' | 'receive' | 'cancel' | 'dispatch' | 'deliver' | 'read';

/** One request and its answer. */
export interface Call {
  readonly act: Act;
  /** The idempotency key; of a read, what is read. */
  readonly key: string;
  /** Milliseconds on the one clock all clients share. */
  readonly asked: number;
  readonly answered: number;
  /** `refused`: it had no effect. `unknown`: nobody knows. */
  readonly outcome: 'ok' | 'refused' | 'unknown';
  /** Of a refusal: why. */
  readonly code?: string;
  /** What the answer showed. */
  readonly seen?: Seen;
  /** The whole answer, or what stands for it: two answers to one key must be equal. */
  readonly answer?: string;
}
/** An order or a shipment at one moment. */
export interface Seen {
  readonly id: string;
  readonly status: string;
  readonly version: number;
}

export interface History {
  readonly placements: readonly Placement[];
  readonly receipts: readonly Receipt[];
  /** In any order. */
  readonly calls: readonly Call[];
  /** Keys whose client went away without waiting for an answer. */
  readonly abandoned: readonly string[];
}

export interface OrderFound {
  readonly id: string;
  readonly customer: { readonly id: string };
  readonly status: string;
  readonly status_reason: string | null;
  readonly version: number;
  readonly total: number;
  readonly lines: readonly Line[];
  readonly stops: readonly { readonly stop: string; readonly state: string }[];
}
export interface PaymentFound {
  readonly id: string;
  readonly order_id: string;
  readonly status: string;
  readonly under_way: string | null;
  readonly held: number;
  readonly captured: number;
  readonly refunded: number;
  readonly operations: readonly { readonly id: string; readonly kind: string; readonly state: string; readonly amount: number }[];
  readonly postings: readonly { readonly from_account: string; readonly to_account: string; readonly quantity: number }[];
}
export interface ShipmentFound {
  readonly id: string;
  readonly order_id: string | null;
  readonly status: string;
  readonly version: number;
  readonly dispatch_requested_at: string | null;
  readonly refused_reason: string | null;
}
export interface LevelFound {
  readonly sku: string;
  readonly on_hand: number;
  readonly reserved: number;
  readonly available: number;
}
export interface StockPostingFound {
  readonly sku: string;
  readonly from_account: string;
  readonly to_account: string;
  readonly quantity: number;
  readonly ref_type: string;
  readonly ref_id: string;
  readonly reference: string | null;
}
export interface NotificationFound {
  readonly id: string;
  readonly order_id: string;
  readonly topic: string;
  readonly channel: string;
  readonly status: string;
}
/** A mail as the outside got it: its name is the notification's id. A mail that came twice under one name is shown once by mail programs. */
export interface Mail {
  readonly notification_id: string;
  readonly order_id: string;
}

export interface Truth {
  readonly orders: readonly OrderFound[];
  readonly payments: readonly PaymentFound[];
  readonly shipments: readonly ShipmentFound[];
  readonly levels: readonly LevelFound[];
  readonly postings: readonly StockPostingFound[];
  readonly notifications: readonly NotificationFound[];
  /** On each of these a customer is told of everything. */
  readonly channels: readonly string[];
  readonly mails: readonly Mail[];
  /** Messages that were given up and that nobody has dealt with. */
  readonly deadLetters: readonly { readonly id: string; readonly type: string; readonly code: string }[];
  /** Messages by where they wait. */
  readonly waiting: Readonly<Record<string, number>>;
  /** What the auditor found, recomputing everything. */
  readonly audit: { readonly violations: number; readonly first?: string };
}

export const FAULTS = ['lost', 'duplicated', 'double_charged', 'oversold', 'stuck', 'backward'] as const;
export type Fault = (typeof FAULTS)[number];

export interface Finding {
  readonly count: number;
  /** The first few, in words. */
  readonly examples: readonly string[];
}
export interface Verdict {
  readonly faults: Readonly<Record<Fault, Finding>>;
  /** The auditor's own. */
  readonly audit: Finding;
  readonly sound: boolean;
}

export type Complain = (fault: Fault, what: string) => void;

/** What all checks look things up in. */
export interface Case extends History, Truth {
  readonly placementOf: ReadonlyMap<string, Placement>;
  readonly orderOf: ReadonlyMap<string, OrderFound>;
  /** The calls of each key; reads are not among them. */
  readonly callsOf: ReadonlyMap<string, readonly Call[]>;
}

const EXAMPLES = 5;

export function verdictOf(history: History, truth: Truth): Verdict {
  const nothing = (): { count: number; examples: string[] } => ({ count: 0, examples: [] });
  const faults = {
    lost: nothing(),
    duplicated: nothing(),
    double_charged: nothing(),
    oversold: nothing(),
    stuck: nothing(),
    backward: nothing(),
  } satisfies Record<Fault, Finding>;
  const complain: Complain = (fault, what) => {
    const finding = faults[fault];
    finding.count += 1;
    if (finding.examples.length < EXAMPLES) finding.examples.push(what);
  };
  const one: Case = {
    ...history,
    ...truth,
    placementOf: new Map(history.placements.map((placement) => [placement.key, placement])),
    orderOf: new Map(truth.orders.map((order) => [order.id, order])),
    callsOf: Map.groupBy(
      history.calls.filter(({ act }) => act !== 'read'),
      ({ key }) => key,
    ),
  };
  for (const check of [checkOrders, checkSeen, checkMoney, checkGoods, checkTold, checkWaiting]) check(one, complain);
  const { violations, first } = truth.audit;
  return {
    faults,
    audit: { count: violations, examples: first === undefined ? [] : [first] },
    sound: violations === 0 && Object.values(faults).every(({ count }) => count === 0),
  };
}
