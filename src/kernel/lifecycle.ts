/**
 * One lifecycle for everything that runs.
 *
 *   idle ──start──> starting ──> running ──stop──> stopping ──> stopped
 *
 * `start` resolves when the thing is ready to work; `stop` when it has finished what it had begun. Each may be called
 * twice, and `stop` without `start`, without harm. Whatever is started in order is stopped in the reverse order, and one
 * failing stop does not keep the others from being stopped.
 */
import type { World } from './world.ts';

export interface Runnable {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Wraps two functions into a Runnable that keeps the promises above, whatever the functions do. */
export function runnable(name: string, start: () => Promise<void> | void, stop: () => Promise<void> | void): Runnable {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    name,
    start() {
      starting ??= Promise.resolve().then(start);
      return starting;
    },
    stop() {
      if (starting === undefined) return Promise.resolve();
      const begun = starting;
      stopping ??= begun.then(stop, () => undefined);
      return stopping;
    },
  };
}

/** Starts all in order. When one fails, the ones already started are stopped and its error is thrown. */
export async function startAll(things: readonly Runnable[]): Promise<void> {
  const started: Runnable[] = [];
  for (const thing of things) {
    started.push(thing);
    try {
      await thing.start();
    } catch (error) {
      await stopAll(started).catch(() => undefined);
      throw error;
    }
  }
}

/** Stops all in reverse order; all are tried; the failures are thrown together. */
export async function stopAll(things: readonly Runnable[]): Promise<void> {
  const errors: unknown[] = [];
  for (const thing of [...things].reverse()) await thing.stop().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw new AggregateError(errors, 'not everything stopped cleanly');
}

export interface LoopOptions {
  readonly name: string;
  readonly world: World;
  /**
   * One turn. Answers how long to rest before the next one, in milliseconds (0: go on at once).
   * `signal` is aborted when the loop is asked to stop; a turn under way may finish.
   */
  turn(signal: AbortSignal): Promise<number>;
  /** Called with what a turn threw; the loop goes on after a back-off. */
  failed(error: unknown): void;
}

export interface Loop extends Runnable {
  /** Ends the present rest, or makes the turn under way be followed by another without rest. A back-off it does not cut short. */
  wake(): void;
}

/** A supervised loop: turns that follow each other until stopped, resting in between, backing off when they throw. */
export function loop({ name, world, turn, failed }: LoopOptions): Loop {
  const stop = new AbortController();
  let rest = new AbortController();
  let woken = false;
  let failing = false;
  let ended: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    let failures = 0;
    while (!stop.signal.aborted) {
      woken = false;
      let pause: number;
      failing = false;
      try {
        pause = await turn(stop.signal);
        failures = 0;
      } catch (error) {
        failed(error);
        failures += 1;
        failing = true;
        pause = backoff(failures, { first: 50, most: 5_000 }, world.random());
      }
      if ((woken && !failing) || stop.signal.aborted) continue;
      if (pause <= 0) {
        await new Promise<void>((resolve) => setImmediate(resolve)); // let input and timers have their turn
        continue;
      }
      rest = new AbortController();
      await world.sleep(pause, rest.signal);
    }
  }

  const base = runnable(
    name,
    () => {
      ended = run();
    },
    async () => {
      stop.abort();
      rest.abort();
      await ended;
    },
  );
  return {
    ...base,
    wake() {
      woken = true;
      if (!failing) rest.abort('woken'); // with a reason of our own: making a DOMException each time cost 1 % of a loaded relay
    },
  };
}

/**
 * Exponential back-off with full jitter below the doubled half: between 50 % and 100 % of `first · 2^(failures-1)`,
 * never above `most`. Pure: chance is an argument in [0, 1).
 */
export function backoff(failures: number, { first, most }: { first: number; most: number }, chance: number): number {
  const full = Math.min(most, first * 2 ** Math.min(failures - 1, 30));
  return Math.round(full * (0.5 + chance / 2));
}
