/**
 * A clock that never goes back.
 *
 * The clock of a machine is set back by people, by a time server after a wrong start, by a virtual machine that was moved. Whatever is due
 * by it (retries, deadlines, leases, looks at tables) would wait until the hours had passed a second time. So:
 *
 *   the machine's clock is where it was expected, or ahead ──> it is the time
 *   it is behind                                           ──> time goes on from where it was, at four fifths of its pace, until the
 *                                                              machine has caught up
 *
 * Four fifths: what is due comes at most a quarter of its time late, and a lease of 15 s, from which its holder steps down after 12 s by this
 * clock (messaging/lease.ts), has not run out before that. An hour is caught up with in five.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC; never less than it was before. */
  now(): number;
  /** From now on it is at least that late: what was written down before a restart. */
  notBefore(ms: number): void;
}

const PACE = 0.8;

/**
 * @param wall     what the machine says, milliseconds since 1970-01-01 UTC
 * @param elapsed  milliseconds since some moment; nobody sets it
 */
export function steadyClock(wall: () => number, elapsed: () => number): Clock {
  let reached = wall();
  let at = elapsed();
  return {
    now() {
      const asked = elapsed();
      reached = Math.max(wall(), reached + PACE * (asked - at));
      at = asked;
      return Math.floor(reached);
    },
    notBefore(ms) {
      reached = Math.max(reached, ms);
    },
  };
}
