/**
 * A storm: most of what a consumer handles fails. Going on would spend the attempts of everything that waits, and make dead letters of
 * messages nothing is wrong with. So the consumer rests, tries one message, then eight, then sixty-four, and goes on as before when most of
 * them are handled.
 *
 *            20 failures and more than half, in a minute         rest is over               1, 8, 64 tried, half of each handled
 *   calm ──────────────────────────────────────────> resting ───────────────> trying ─────────────────────────────────────> calm
 *    ^                                                 │  ^                      │
 *    └──────────── a person says resume ───────────────┘  └── more than half fail, rests twice as long, a minute at most
 *
 * What breaks its contract does not count: it can never be handled, is a dead letter at once, and must not give whoever sends it a means to
 * stop a consumer. Neither does what is redriven: somebody is watching that.
 */

const WINDOW_MS = 60_000;
const BUCKETS = 6;
const BUCKET_MS = WINDOW_MS / BUCKETS;
const FAILURES_MIN = 20;
const REST_FIRST_MS = 5_000;
const REST_MOST_MS = 60_000;
/** Messages of each trial. */
const TRIALS: readonly number[] = [1, 8, 64];

interface Counts {
  readonly settled: number;
  readonly failed: number;
}
interface Bucket extends Counts {
  readonly begins: number;
}

export type Storm =
  | { readonly state: 'calm'; readonly recent: readonly Bucket[] }
  | {
      readonly state: 'resting';
      readonly began: number;
      readonly until: number;
      readonly rests: number;
      readonly failed: number;
      readonly settled: number;
    }
  | {
      readonly state: 'trying';
      readonly began: number;
      readonly rests: number;
      readonly trial: number;
      readonly failed: number;
      readonly settled: number;
    };

export const CALM: Storm = { state: 'calm', recent: [] };

const most = ({ settled, failed }: Counts): boolean => failed * 2 > settled;

/** What is to be after messages were settled. */
export function afterSettled(storm: Storm, more: Counts, now: number): Storm {
  switch (storm.state) {
    case 'calm': {
      const recent = remember(storm.recent, more, now);
      const sum = recent.reduce<Counts>((a, b) => ({ settled: a.settled + b.settled, failed: a.failed + b.failed }), { settled: 0, failed: 0 });
      return more.failed > 0 && sum.failed >= FAILURES_MIN && most(sum) ? rest(sum, { began: now, rests: 0 }, now) : { state: 'calm', recent };
    }
    case 'trying': {
      const tried = { settled: storm.settled + more.settled, failed: storm.failed + more.failed };
      if (tried.failed * 2 > TRIALS[storm.trial]!) return rest(tried, storm, now);
      if (tried.settled < TRIALS[storm.trial]!) return { ...storm, ...tried };
      return storm.trial + 1 < TRIALS.length ? { ...storm, trial: storm.trial + 1, settled: 0, failed: 0 } : CALM;
    }
    case 'resting': // settled by another lane, or before the rest was noticed
      return storm;
  }
}

function rest(counts: Counts, { began, rests }: { readonly began: number; readonly rests: number }, now: number): Storm {
  const until = now + Math.min(REST_MOST_MS, REST_FIRST_MS * 2 ** rests);
  return { state: 'resting', began, until, rests: rests + 1, ...counts };
}

function remember(recent: readonly Bucket[], more: Counts, now: number): readonly Bucket[] {
  const begins = now - (now % BUCKET_MS);
  const last = recent.at(-1);
  if (last?.begins === begins) return [...recent.slice(0, -1), { begins, settled: last.settled + more.settled, failed: last.failed + more.failed }];
  return [...recent.filter((bucket) => bucket.begins > now - WINDOW_MS && bucket.begins < begins), { begins, ...more }];
}

/** The rest is over, perhaps. */
export const atTime = (storm: Storm, now: number): Storm =>
  storm.state === 'resting' && now >= storm.until
    ? { state: 'trying', began: storm.began, rests: storm.rests, trial: 0, settled: 0, failed: 0 }
    : storm;

/** Messages one transaction may take. */
export const atOnce = (storm: Storm): number => (storm.state === 'trying' ? TRIALS[storm.trial]! - storm.settled : Number.POSITIVE_INFINITY);
