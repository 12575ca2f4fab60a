/**
 * What a provider says unasked, held against what we know. It is never believed: what is open is asked about, and what does not agree with
 * what is known is kept for a person. README.md, "Webhooks".
 *
 * Doubled, late or out of order it does no harm: sums a provider tells only grow, and so do ours, in which what is under way counts. So
 * less than ours is old news, and only more is a contradiction.
 */
import type { Kind, OperationState } from './domain-operation.ts';

/** One thing a webhook says. Amounts are minor units. */
export type Claim =
  /** An authorisation is for this much. */
  | { readonly what: 'authorized'; readonly operation: string | null; readonly amount: number; readonly currency: string }
  /** So much of it has been captured, in all. */
  | { readonly what: 'captured'; readonly amount: number; readonly currency: string }
  /** It was given up. */
  | { readonly what: 'cancelled' }
  /** One refund. */
  | { readonly what: 'refund'; readonly operation: string | null; readonly amount: number; readonly currency: string; readonly failed: boolean }
  /** So much has been refunded, in all. */
  | { readonly what: 'refunded'; readonly amount: number; readonly currency: string }
  /** The owner of the card wants his money back, from his bank. */
  | { readonly what: 'disputed'; readonly amount: number; readonly currency: string };

/** A webhook as it was understood. */
export interface Notice {
  /** The provider's id of it. */
  readonly event_id: string;
  readonly type: string;
  /** By the provider's clock, milliseconds UTC. */
  readonly occurred_at: number;
  /** Null when the webhook does not name it. */
  readonly order_id: string | null;
  /** What the provider calls the authorisation it is about. */
  readonly provider_ref: string | null;
  readonly claims: readonly Claim[];
}

export const VERDICTS = ['asked', 'agrees', 'contradicts', 'unrelated', 'says_nothing'] as const;
export type Verdict = (typeof VERDICTS)[number];

export const REASONS = [
  'currency',
  'amount',
  'unknown_operation',
  'cancelled_elsewhere',
  'captured_elsewhere',
  'refunded_elsewhere',
  'refund_failed_later',
  'disputed',
] as const;
export interface Contradiction {
  readonly reason: (typeof REASONS)[number];
  readonly amount_said: number | null;
  readonly amount_known: number | null;
}

/** What is known of an operation. */
export interface KnownOperation {
  readonly id: string;
  readonly kind: Kind;
  readonly amount: number;
  readonly state: OperationState;
  /** The authorisation it is on, as the provider calls it; null while that is not known. */
  readonly on: string | null;
}

/** The first thing said that cannot be, as far as we know. */
export function contradictionOf(notice: Notice, currency: string, operations: readonly KnownOperation[]): Contradiction | undefined {
  const about = notice.provider_ref;
  /** Done or under way. */
  const sum = (kind: Kind): number =>
    operations.reduce((all, one) => (one.kind === kind && one.state !== 'failed' && one.on === about ? all + one.amount : all), 0);
  const more = (reason: Contradiction['reason'], said: number, known: number) =>
    said > known ? { reason, amount_said: said, amount_known: known } : undefined;

  function contradiction(claim: Claim): Contradiction | undefined {
    if (claim.what !== 'cancelled' && claim.currency !== currency) return { reason: 'currency', amount_said: claim.amount, amount_known: null };
    switch (claim.what) {
      case 'authorized':
        return ofOperation(claim, operations, 'authorize');
      case 'captured':
        return more('captured_elsewhere', claim.amount, sum('capture'));
      case 'cancelled':
        return ofCancelled(operations, about);
      case 'refund':
        return ofRefund(claim, operations);
      case 'refunded':
        return more('refunded_elsewhere', claim.amount, sum('refund'));
      case 'disputed':
        return { reason: 'disputed', amount_said: claim.amount, amount_known: null };
    }
  }
  for (const claim of notice.claims) {
    const found = contradiction(claim);
    if (found !== undefined) return found;
  }
  return undefined;
}

function ofOperation(
  claim: { operation: string | null; amount: number },
  operations: readonly KnownOperation[],
  kind: Kind,
): Contradiction | undefined {
  const known = operations.find(({ id }) => id === claim.operation);
  if (known?.kind !== kind) return { reason: 'unknown_operation', amount_said: claim.amount, amount_known: null };
  return known.amount === claim.amount ? undefined : { reason: 'amount', amount_said: claim.amount, amount_known: known.amount };
}

function ofRefund(claim: Claim & { what: 'refund' }, operations: readonly KnownOperation[]): Contradiction | undefined {
  if (claim.operation === null) return claim.failed ? undefined : { reason: 'refunded_elsewhere', amount_said: claim.amount, amount_known: 0 };
  const different = ofOperation(claim, operations, 'refund');
  if (different !== undefined || !claim.failed) return different;
  const { state, amount } = operations.find(({ id }) => id === claim.operation)!;
  return state === 'succeeded' ? { reason: 'refund_failed_later', amount_said: 0, amount_known: amount } : undefined;
}

/** Nobody here has given it up, and nothing of it was captured or is about to be. */
function ofCancelled(operations: readonly KnownOperation[], about: string | null): Contradiction | undefined {
  const ours = operations.filter(({ on, state }) => on === about && state !== 'failed');
  if (ours.some(({ kind }) => kind === 'void' || kind === 'expire')) return undefined;
  const authorized = ours.find(({ kind, state }) => kind === 'authorize' && state === 'succeeded');
  return authorized && { reason: 'cancelled_elsewhere', amount_said: 0, amount_known: authorized.amount };
}
