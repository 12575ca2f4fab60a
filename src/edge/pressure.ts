/**
 * Is more being asked than can be done in time? Measured twice a second, so that asking costs a request nothing.
 *
 * Orders that are accepted faster than they are worked off would all end late; refusing the newest early keeps the promise to the
 * others. What is counted is what waits: messages not yet published, messages not yet handled, and the time the process itself is late.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';

const LOOK_MS = 500;
/** Seconds a refused client is asked to stay away; it should be enough to see the next measurement or two. */
const AWAY_S = 2;

/** Messages not yet published, messages not yet handled, milliseconds. */
export interface Load {
  readonly outbox: number;
  readonly queues: number;
  readonly lag: number;
}

/** What of the load is above its limit, in words; undefined when nothing is. Pure. */
export function excess(load: Load, limits: Load): string | undefined {
  if (load.outbox > limits.outbox) return `${load.outbox} messages wait to be published`;
  if (load.queues > limits.queues) return `${load.queues} messages wait to be handled`;
  return load.lag > limits.lag ? `the process is ${Math.round(load.lag)} ms late` : undefined;
}

export interface Pressure extends Runnable {
  /** Seconds to stay away, or undefined. */
  overloaded(): number | undefined;
  /** What is too much, in words; undefined when nothing is. */
  reason(): string | undefined;
}

export interface PressureOptions {
  readonly world: World;
  readonly telemetry: Telemetry;
  readonly limits: Load;
  /** Counts what waits. */
  backlog(): Promise<Omit<Load, 'lag'>>;
}

export function openPressure({ world, telemetry, limits, backlog }: PressureOptions): Pressure {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  let reason: string | undefined;

  const looking = loop({
    name: 'pressure',
    world,
    async turn() {
      const lag = Number.isNaN(delay.mean) ? 0 : delay.mean / 1e6;
      delay.reset();
      const before = reason;
      reason = excess({ ...(await backlog()), lag }, limits);
      telemetry.metrics.shedding.set(reason === undefined ? 0 : 1);
      if (reason !== undefined && before === undefined) telemetry.log.warn({ reason }, 'new orders are refused for a while');
      if (reason === undefined && before !== undefined) telemetry.log.info('new orders are taken again');
      return LOOK_MS;
    },
    failed: (error) => telemetry.log.warn({ err: error }, 'the load could not be measured'),
  });
  const lifecycle = runnable(
    'pressure',
    async () => {
      delay.enable();
      await looking.start();
    },
    async () => {
      await looking.stop();
      delay.disable();
    },
  );
  return { ...lifecycle, overloaded: () => (reason === undefined ? undefined : AWAY_S), reason: () => reason };
}
