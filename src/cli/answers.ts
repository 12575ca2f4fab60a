/**
 * What the commands read of the server's answers; /openapi.json has all of it.
 */

export interface Order {
  readonly id: string;
  readonly number: string;
  readonly external_id: string | null;
  readonly status: string;
  readonly status_reason: string | null;
  readonly customer: { readonly id: string; readonly name?: string };
  readonly currency: string;
  readonly lines: readonly {
    readonly id: string;
    readonly sku: string;
    readonly name: string;
    readonly quantity: number;
    readonly unit_price: number;
    readonly amount: number;
  }[];
  readonly charges: readonly { readonly code: string; readonly name?: string; readonly amount: number; readonly kind?: string }[];
  readonly total: number;
  /** Money that is being given back. */
  readonly refunds?: readonly { readonly id: string; readonly amount: number }[];
  readonly policy: string;
  /** The waybill. */
  readonly stops: readonly Stop[];
  readonly created_at: string;
  readonly updated_at: string;
}

export interface Stop {
  readonly stop: string;
  readonly state: string;
  readonly since: string;
}

export interface Blocker {
  readonly blocker: string;
  readonly since: string;
  readonly owner: string;
  readonly deadline: string;
  readonly legal_commands: readonly string[];
  readonly evidence: {
    readonly asked: string | null;
    readonly awaits: readonly string[];
    readonly note: string | null;
    readonly dead_letter_id: string | null;
  };
}

export interface Explanation {
  readonly blockers: readonly Blocker[];
}

export interface TimelineEntry {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly status: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Shipment {
  readonly id: string;
  readonly order_id: string;
  readonly status: string;
  readonly tracking_number: string;
}

interface ShippedLine {
  readonly line_id: string;
  readonly sku: string;
  readonly quantity: number;
}

export interface ShipmentDetail extends Shipment {
  readonly order_number: string | null;
  readonly warehouse_id: string | null;
  readonly recipient: string | null;
  readonly lines: readonly ShippedLine[];
  readonly shorted: readonly ShippedLine[];
  readonly holds: readonly { readonly hold_id: string; readonly reason: string }[];
  readonly carrier: string | null;
  readonly estimated_delivery: string | null;
  readonly refused_reason: string | null;
  readonly dispatch_requested_at: string | null;
  readonly created_at: string;
  readonly parcels: readonly {
    readonly id: string;
    readonly status: string;
    readonly tracking_number: string;
    readonly weight_g: number | null;
    readonly lines: readonly ShippedLine[];
    readonly code: string | null;
    readonly note: string | null;
  }[];
}

export interface TrackingEvent {
  readonly parcel_id: string;
  readonly code: string;
  readonly carrier_at: string;
  readonly place: string | null;
  readonly note: string | null;
  readonly entered_by: string | null;
}

export interface Label {
  readonly parcel_id: string;
  readonly format: string;
  readonly status: string;
  readonly error: string | null;
}

export interface Return {
  readonly id: string;
  readonly number: string;
  readonly order_id: string;
  readonly order_number: string | null;
  readonly status: string;
  readonly parcel_id: string | null;
  readonly warehouse_id: string;
  readonly lines: readonly (ShippedLine & { readonly reason: string })[];
  readonly received: readonly (ShippedLine & { readonly disposition: string })[] | null;
  readonly note: string | null;
  readonly rejection: string | null;
  readonly created_at: string;
}

export interface Returnable {
  readonly line_id: string;
  readonly sku: string;
  readonly delivered: number;
  readonly returned: number;
  readonly returnable: number;
}

export interface StockLevel {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly on_hand: number;
  readonly reserved: number;
  readonly available: number;
}

export interface AllocationFigures {
  readonly orders: number;
  readonly parcels: number;
  readonly split_orders: number;
  readonly unfilled_orders: number;
  readonly unfilled_pieces: number;
  readonly distance_km: number;
  readonly parcels_of_unknown_distance: number;
  readonly cost: number | null;
}

export interface AllocationComparison {
  readonly from: string;
  readonly to: string;
  readonly was: AllocationFigures;
  readonly would_be: AllocationFigures;
  readonly different_orders: number;
  readonly differences: readonly {
    readonly order_id: string;
    readonly was: readonly string[];
    readonly would_be: readonly string[];
    readonly unfilled_was: number;
    readonly unfilled_would_be: number;
  }[];
  readonly missing_pieces: number;
}

export interface DeadLetter {
  readonly id: string;
  readonly service: string;
  readonly type: string;
  readonly subject: string;
  readonly correlationid: string;
  readonly code: string;
  readonly error: string;
  readonly stack: string | null;
  readonly attempts: number;
  readonly redrives: number;
  readonly status: string;
  readonly first_failed_at: string;
  readonly changed_at: string;
  readonly message: Readonly<Record<string, unknown>>;
  readonly history?: readonly { readonly at: string; readonly actor: string; readonly action: string; readonly detail: string }[];
}

export interface DeadLetterGroup {
  readonly service: string;
  readonly fingerprint: string;
  readonly consumer: string | null;
  readonly type: string;
  readonly code: string;
  readonly error: string;
  readonly open: number;
  readonly redriving: number;
  readonly first_seen_at: string;
  readonly last_seen_at: string;
  readonly samples: readonly string[];
}

export interface DeadLetterJob {
  readonly id: string;
  readonly service: string;
  readonly action: 'redrive' | 'discard';
  readonly state: 'running' | 'paused' | 'stopped' | 'cancelled' | 'done';
  readonly actor: string;
  readonly reason: string;
  readonly selecting: boolean;
  readonly rate: number;
  readonly total: number;
  readonly waiting: number;
  readonly redriven: number;
  readonly succeeded: number;
  readonly failed_again: number;
  readonly discarded: number;
  readonly skipped: number;
  readonly created_at: string;
  readonly history?: readonly { readonly at: string; readonly actor: string; readonly action: string; readonly detail: string }[];
}

export interface DeadLetterPreview {
  readonly dry_run: true;
  readonly total: number;
  readonly kinds: readonly {
    readonly service: string;
    readonly consumer: string | null;
    readonly type: string;
    readonly code: string;
    readonly count: number;
  }[];
  readonly samples: readonly {
    readonly id: string;
    readonly type: string;
    readonly order_id: string;
    readonly code: string;
    readonly error: string;
    readonly first_failed_at: string;
    readonly misfit: string | null;
  }[];
  readonly not_open: readonly string[];
}

export interface Gap {
  readonly id: string;
  readonly service: string;
  readonly consumer: string;
  readonly source: string;
  readonly subject: string;
  readonly order_id: string;
  readonly missing_from: number;
  readonly missing_to: number;
  readonly waiting: number;
  readonly since: string;
  readonly overdue_at: string;
  readonly overdue: boolean;
  readonly dead_letter_id: string | null;
}

export interface GapSkip {
  readonly service: string;
  readonly consumer: string;
  readonly stream: string;
  readonly missing_from: number;
  readonly missing_to: number;
  readonly at: string;
  readonly actor: string;
  readonly reason: string;
}

export interface Consumer {
  readonly consumer: string;
  readonly status: string;
  readonly paused: boolean;
  readonly reason: string;
  readonly depth: number | null;
  readonly parked: number;
  readonly dead_letters: number;
  readonly last_error: string | null;
}

export interface Audit {
  readonly ok: boolean;
  readonly violations: number;
  readonly equations: readonly {
    readonly id: string;
    readonly title: string;
    readonly rows: number;
    readonly violations: number;
    readonly first?: { readonly subject: string; readonly expected: string; readonly found: string };
  }[];
  readonly started_at: string;
  readonly finished_at: string;
}

export interface Health {
  readonly status: string;
  readonly version: string;
  readonly uptime_seconds: number;
  readonly checks: Readonly<Record<string, { readonly status: string; readonly detail?: string }>>;
}
