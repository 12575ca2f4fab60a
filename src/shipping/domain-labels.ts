/**
 * Labels: bought of the carrier for a packed parcel, one at a time, and given back when nobody needs them.
 *
 *   requested, unknown ──bought──> bought ──nobody wants it──> voiding ──> voided
 *        │   └──refused──> refused    (wanted no more meanwhile: straight to voiding)       or kept, when the carrier will not take it back
 *
 * `unknown`: an answer was lost. The carrier is asked what became of it before anything is sent again.
 */
export type LabelStatus = 'requested' | 'unknown' | 'bought' | 'refused' | 'voiding' | 'voided' | 'kept';
export const LABEL_STATUSES = ['requested', 'unknown', 'bought', 'refused', 'voiding', 'voided', 'kept'] as const satisfies readonly LabelStatus[];
export const LABEL_FORMATS = ['pdf', 'zpl'] as const;
export type LabelFormat = (typeof LABEL_FORMATS)[number];

/** A row of the table `label`, without its document. */
export interface Label {
  /** The idempotency key at the carrier. */
  readonly id: string;
  readonly shipment_id: string;
  readonly parcel_id: string;
  readonly format: LabelFormat;
  readonly status: LabelStatus;
  /** Nobody needs it any more: 1 when so. */
  readonly unwanted: number;
  /** Calls to the carrier whose outcome was written down. */
  readonly attempts: number;
  /** When the carrier is asked (again); null when nothing is to be asked. */
  readonly due_at: number | null;
  readonly carrier: string | null;
  /** What the carrier calls it. */
  readonly carrier_ref: string | null;
  readonly content_type: string | null;
  readonly sha256: string | null;
  readonly error: string | null;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What a call to the carrier has come to. */
export type LabelOutcome =
  | { readonly result: 'bought'; readonly carrier: string; readonly carrier_ref: string; readonly document: LabelDocument }
  /** A final no. */
  | { readonly result: 'refused'; readonly error: string }
  | { readonly result: 'voided' }
  /** The carrier never heard of it, and it is not wanted any more. */
  | { readonly result: 'absent' }
  /** Certainly not done: to be sent again. */
  | { readonly result: 'untaken'; readonly error: string }
  /** It may have been done. */
  | { readonly result: 'unknown'; readonly error: string };

export interface LabelDocument {
  readonly content_type: string;
  readonly content: Uint8Array;
  readonly sha256: string;
}

/** How long to wait after the n-th call that came to nothing; the last one for ever. Milliseconds. */
const ASK_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000, 900_000] as const;

const isOpen = ({ status }: Label): boolean => status === 'requested' || status === 'unknown';

/** A label after an answer of the carrier. */
export function concluded(label: Label, outcome: LabelOutcome, now: number): Label {
  const attempts = label.attempts + 1;
  const next = { ...label, attempts, due_at: null, error: null, updated_at: now };
  switch (outcome.result) {
    case 'bought': {
      const { carrier, carrier_ref, document } = outcome;
      const bought = { ...next, carrier, carrier_ref, content_type: document.content_type, sha256: document.sha256 };
      return label.unwanted === 1 ? { ...bought, status: 'voiding', due_at: now } : { ...bought, status: 'bought' };
    }
    case 'refused':
      return { ...next, status: isOpen(label) ? 'refused' : 'kept', error: outcome.error };
    case 'voided':
    case 'absent':
      return { ...next, status: 'voided' };
    case 'untaken':
    case 'unknown': {
      const status = outcome.result === 'unknown' && isOpen(label) ? 'unknown' : label.status;
      const pause = ASK_AGAIN_MS[attempts - 1] ?? ASK_AGAIN_MS.at(-1)!;
      return { ...next, status, error: outcome.error, due_at: now + pause };
    }
  }
}

/** A label nobody needs any more. One whose fate is not known is given back when it is. */
export function unwanted(label: Label, now: number): Label {
  if (label.status === 'bought') return { ...label, unwanted: 1, status: 'voiding', due_at: now, updated_at: now };
  return isOpen(label) ? { ...label, unwanted: 1, updated_at: now } : label;
}

/** Is this the label of its parcel, or on its way to be? */
export const isLive = (label: Label): boolean => label.unwanted === 0 && (isOpen(label) || label.status === 'bought');
