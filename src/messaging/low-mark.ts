/**
 * From where a look at an outbox begins that several processes write into.
 *
 * Transactions commit in another order than they took their places, so it cannot be the highest place known. It is the highest one known
 * 10 s ago, which passes over the rows that were deleted since; and every 30 s it is the beginning, for whatever took longer. Between its
 * place and its end a transaction has but one commit.
 */
const LATE_MS = 10_000;
const SWEEP_MS = 30_000;
const MARK_MS = 200;

export interface LowMark {
  /** The place above which a look begins now; `top` is the highest one known. */
  next(now: number, top: number): { readonly above: number; readonly sweep: boolean };
  /** What was known is not known any more. */
  forget(): void;
}

export function lowMark(): LowMark {
  let marks: { readonly at: number; readonly top: number }[] = [];
  let sweepAt = Number.NEGATIVE_INFINITY;
  return {
    next(now, top) {
      const old = marks.findLastIndex(({ at }) => now - at >= LATE_MS);
      if (old > 0) marks = marks.slice(old);
      if (now - (marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= MARK_MS) marks.push({ at: now, top });
      const sweep = now >= sweepAt;
      if (sweep) sweepAt = now + SWEEP_MS;
      return { above: sweep || old < 0 ? 0 : marks[0]!.top, sweep };
    },
    forget() {
      marks = [];
    },
  };
}
