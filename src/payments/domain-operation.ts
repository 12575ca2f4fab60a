/**
 * An operation at the provider: what a call makes of it, and when it is tried or asked about again.
 */
export type Kind = 'authorize' | 'capture' | 'void' | 'expire' | 'refund';
export type OperationState = 'requested' | 'unknown' | 'succeeded' | 'failed';

/** `unknown → requested`: the provider says that it never heard of it. */
export const OPERATION_TRANSITIONS: Readonly<Record<OperationState, readonly OperationState[]>> = {
  requested: ['succeeded', 'failed', 'unknown'],
  unknown: ['succeeded', 'failed', 'requested'],
  succeeded: [],
  failed: [],
};

/** The fate of an operation, as far as a call has told it. */
export type Outcome =
  | { readonly result: 'approved'; readonly ref: string; /** Of an authorisation: until when it holds, milliseconds UTC. */ readonly until?: number }
  | { readonly result: 'declined'; readonly code: string }
  /** The provider certainly has not done it: the same call may be made again. */
  | { readonly result: 'untaken'; readonly error: string }
  /** It may have been done: ask, under the same key. */
  | { readonly result: 'unknown'; readonly error: string };

/** How long to wait after the n-th call that was not taken; after the last one the operation has failed. Milliseconds. */
export const CALL_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000] as const;
/** How long to wait after the n-th call whose fate is unknown; the last one for ever. Milliseconds. */
export const ASK_AGAIN_MS = [500, 2_000, 10_000, 60_000, 300_000, 900_000] as const;

export interface OperationProgress {
  readonly state: OperationState;
  readonly attempts: number;
  /** When it is to be tried again, or null when its fate is known. */
  readonly due_at: number | null;
  readonly provider_ref: string | null;
  readonly error: string | null;
}

/** What a call makes of the operation it was for. `attempts` counts the calls before this one. */
export function progress(attempts: number, outcome: Outcome, now: number): OperationProgress {
  const done = { attempts: attempts + 1, provider_ref: null, error: null, due_at: null };
  switch (outcome.result) {
    case 'approved':
      return { ...done, state: 'succeeded', provider_ref: outcome.ref };
    case 'declined':
      return { ...done, state: 'failed', error: outcome.code };
    case 'untaken': {
      const pause = CALL_AGAIN_MS[attempts];
      return pause === undefined
        ? { ...done, state: 'failed', error: outcome.error }
        : { ...done, state: 'requested', due_at: now + pause, error: outcome.error };
    }
    case 'unknown':
      return { ...done, state: 'unknown', due_at: now + (ASK_AGAIN_MS[attempts] ?? ASK_AGAIN_MS.at(-1)!), error: outcome.error };
  }
}
