/**
 * What goes wrong, and when. The plan follows from the seed; each kind of trouble has a lane of its own, so that a broker is not killed
 * while it is frozen, but a database may well go away while a process is dying.
 *
 *   process    ──kill────freeze──────restart──kill──> …       (seconds apart)
 *   network    ────cut──delay────hold──refuse──────> …
 *   broker     ────────kill──────────memory────────> …
 *   database   ──────────crash──────────restart────> …
 *   outside    ──────────────mail refused──────────> …
 */
import { seededChance } from '../support/proxy.ts';
import { pause } from './kept.ts';
import { hashOf } from './wishes.ts';

export type Lane = 'process' | 'network' | 'broker' | 'database' | 'outside';

/** A kind of trouble on a given site. */
export interface Trouble {
  readonly kind: string;
  readonly lane: Lane;
  /** How often it has its turn in a round; once when absent. */
  readonly turns?: number;
  /** Milliseconds it lasts: mostly little, seldom much. */
  readonly lasts: readonly [number, number];
  /** What it can be done to; one of them, by name. */
  readonly targets: ReadonlyMap<string, (ms: number) => Promise<void>>;
}

export interface PlannedFault {
  /** Milliseconds after the one before in its lane has ended. */
  readonly after: number;
  readonly lane: Lane;
  readonly kind: string;
  readonly target: string;
  readonly lasts: number;
}

/** Milliseconds between two faults of a lane: rests in which something gets done, or there would be nothing to break. */
const GAPS: Readonly<Record<Lane, readonly [number, number]>> = {
  process: [500, 5_000],
  network: [2_000, 8_000],
  broker: [6_000, 15_000], // at least: 3.10 writes the list of its queues half a second late, and one killed before forgets the new ones
  database: [10_000, 25_000],
  outside: [5_000, 15_000],
};

/** The faults of one lane, without end. Pure. Every kind has had its turns before the next round. */
export function* planOf(lane: Lane, troubles: readonly Trouble[], seed: number): Generator<PlannedFault> {
  const chance = seededChance(hashOf(`${seed} ${lane}`));
  const between = ([least, most]: readonly [number, number], share: number): number => Math.round(least + (most - least) * share);
  const own = troubles
    .filter((trouble) => trouble.lane === lane && trouble.targets.size > 0)
    .flatMap((trouble) => Array<typeof trouble>(trouble.turns ?? 1).fill(trouble));
  while (own.length > 0) {
    const order = own.map((trouble) => ({ trouble, at: chance() })).sort((a, b) => a.at - b.at);
    for (const { trouble } of order) {
      const names = [...trouble.targets.keys()];
      yield {
        after: between(GAPS[lane], chance()),
        lane,
        kind: trouble.kind,
        target: names[Math.floor(chance() * names.length)]!,
        lasts: between(trouble.lasts, chance() ** 3),
      };
    }
  }
}

export interface Storm {
  /** By kind. */
  counts(): Readonly<Record<string, number>>;
  /** What goes on now, in words. */
  now(): readonly string[];
  /** Rejects when something could not be done or undone: the run means nothing then. */
  readonly failed: Promise<never>;
  /** Begins nothing more; resolves when all is whole again. */
  end(): Promise<void>;
}

/** `pace` stretches the time between two faults. */
export function startStorm(troubles: readonly Trouble[], seed: number, pace = 1): Storm {
  const counts: Record<string, number> = Object.fromEntries(troubles.filter(({ targets }) => targets.size > 0).map(({ kind }) => [kind, 0]));
  const active = new Set<string>();
  const over = new AbortController();
  const troubleOf = new Map(troubles.map((trouble) => [trouble.kind, trouble]));

  async function run(lane: Lane): Promise<void> {
    for (const { after, kind, target, lasts } of planOf(lane, troubles, seed)) {
      await pauseUntil(after * pace, over.signal);
      if (over.signal.aborted) return;
      const name = `${kind} ${target}`;
      active.add(name);
      counts[kind]! += 1;
      await troubleOf.get(kind)!.targets.get(target)!(lasts);
      active.delete(name);
    }
  }
  const lanes = Promise.all([...new Set(troubles.map(({ lane }) => lane))].map(run));
  const failed = lanes.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined); // told by `end`, too
  return {
    failed,
    counts: () => counts,
    now: () => [...active],
    async end() {
      over.abort();
      await lanes;
    },
  };
}

async function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([pause(ms), stopped]);
}
