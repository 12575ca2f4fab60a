/**
 * One run: a site, a day in the shop, a storm; then everything is whole again, and what clients were told is compared with what there is.
 *
 *   open ──> furnish ──> load and storm, for so many minutes ──> whole again ──> settle: plans are carried out, a person on duty
 *        redrives and resumes, nothing moves any more ──> compare ──> drop
 */
import { cp } from 'node:fs/promises';
import { until } from '../support/server.ts';
import { openDoors } from './doors.ts';
import { troublesOf } from './faults.ts';
import { type Verdict, verdictOf } from './history.ts';
import { type Ends, pause } from './kept.ts';
import { type Counts, type Load, furnish, salesIn, startLoad } from './load.ts';
import { type Shape, type Site, openSite } from './site.ts';
import { startStorm } from './storm.ts';
import { type Duty, askForGoods, countBy, isAtRest, onDuty, truthOf } from './truth.ts';

/** What does not come to rest in this time after the storm is stuck. */
const SETTLE_MS = 180_000;
/** How long processes may take to start when the storm is over. */
const WHOLE_MS = 180_000;
/** Seconds. */
const COMPARE_S = 120;
const CALM_MS = 3_000;
const TELL_MS = 1_000;

export interface ChaosOptions {
  readonly shape: Shape;
  readonly minutes: number;
  readonly seed: number;
  /** Orders a second. */
  readonly rate: number;
  /** Nodes of the broker: 1 or 3. */
  readonly nodes: number;
  /** Stretches the time between two faults; 1 when absent. */
  readonly pace?: number;
  /** Where logs of the processes are left, when wanted. */
  readonly logs?: string | undefined;
  /** Told every second how it goes. */
  tell?(progress: Progress): void;
}

export interface Progress extends Counts {
  readonly phase: 'starting' | 'storm' | 'settling' | 'comparing';
  /** Seconds since the start. */
  readonly at: number;
  readonly faults: number;
  /** What goes on now. */
  readonly now: readonly string[];
}

export interface ChaosReport {
  readonly shape: Shape;
  readonly minutes: number;
  readonly seed: number;
  readonly nodes: number;
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly orders: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly duty: Duty;
  /** Of all processes. */
  readonly ends: Ends;
  /** Seconds until nothing moved any more, after the storm. */
  readonly settled: number;
  /** Answers no outage explains. */
  readonly strange: { readonly count: number; readonly examples: readonly string[] };
  readonly verdict: Verdict;
  readonly ok: boolean;
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const site = await openSite(options);
  try {
    return await storm(site, options);
  } finally {
    if (options.logs !== undefined) await cp(site.logs, options.logs, { recursive: true });
    await site.drop();
  }
}

async function storm(site: Site, options: ChaosOptions): Promise<ChaosReport> {
  const { shape, minutes, seed, nodes, rate, pace, tell } = options;
  const doors = openDoors(site);
  const sales = salesIn(minutes * 60_000);
  const load = startLoad(doors, await furnish(doors, sales), { seed, rate, sales });
  await pause(CALM_MS);
  const trouble = startStorm(troublesOf(site), seed, pace);
  let phase: Progress['phase'] = 'storm';
  const telling = setInterval(() => {
    const faults = Object.values(trouble.counts()).reduce((sum, count) => sum + count, 0);
    tell?.({ ...load.counts(), phase, at: doors.now() / 1_000, faults, now: trouble.now() });
  }, TELL_MS);
  try {
    await Promise.race([pause(minutes * 60_000), trouble.failed]);
    await trouble.end();
    await wholeAgain(site);
    phase = 'settling';
    const begun = doors.now();
    const duty = await settle(site, load, doors.giveUp);
    const settled = Math.round((doors.now() - begun) / 1_000);
    phase = 'comparing';
    const truth = await until(() => truthOf(site).catch(() => undefined), 'the system says what there is', COMPARE_S);
    const verdict = verdictOf(load.history(), truth);
    const ends = site.parts.map((part) => part.process.ends());
    const sum = (name: keyof Ends): number => ends.reduce((total, one) => total + one[name], 0);
    return {
      shape,
      minutes,
      seed,
      nodes,
      faults: trouble.counts(),
      orders: countBy(truth.orders, ({ status, status_reason }) => (status_reason === null ? status : `${status}, ${status_reason}`)),
      requests: countBy(doors.calls, ({ outcome }) => outcome),
      duty,
      ends: { died: sum('died'), failedStarts: sum('failedStarts'), trapped: sum('trapped') },
      settled,
      strange: { count: doors.strange.length, examples: doors.strange.slice(0, 5) },
      verdict,
      ok: verdict.sound && doors.strange.length === 0 && sum('died') === 0,
    };
  } finally {
    clearInterval(telling);
  }
}

/** All processes are ready, and none has a trap set. */
async function wholeAgain({ parts }: Site): Promise<void> {
  const ready = Promise.all(parts.map((part) => part.process.disarm().then(part.process.ready)));
  const late = pause(WHOLE_MS).then(() => Promise.reject(new Error('not all processes are ready again')));
  await Promise.race([ready, late]);
}

/** Everybody who must act acts, until nothing moves any more or the time is over. */
async function settle(site: Site, load: Load, giveUp: () => void): Promise<Duty> {
  const redriven: Record<string, number> = {};
  let resumed = 0;
  let closed = false;
  const closing = load.close().then(() => (closed = true));

  /** One round; whether nothing is left to be done. */
  async function round(): Promise<boolean> {
    const duty = await onDuty(site);
    for (const [what, count] of Object.entries(duty.redriven)) redriven[what] = (redriven[what] ?? 0) + count;
    resumed += duty.resumed;
    if (!closed || !(await isAtRest(site))) return false;
    const late = await askForGoods(site);
    resumed += late;
    return late === 0;
  }

  const end = performance.now() + SETTLE_MS;
  while (performance.now() < end) {
    if (await round().catch(() => false)) break; // a process that dies now is told of at the end
    await pause(1_000);
  }
  giveUp();
  await closing;
  return { redriven, resumed };
}
