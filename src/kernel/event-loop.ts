/**
 * A watch over the event loop: how late a thread of the process answers its own timers. While it is late nothing else is answered or handled either,
 * and whoever waits cannot tell why; so a standstill is told of as soon as it is over.
 */
import { type Runnable, loop } from './lifecycle.ts';
import type { Telemetry } from './telemetry.ts';
import type { World } from './world.ts';

const LOOK_MS = 50;
/** A pause of the garbage collector or a slow flush is shorter. */
const STANDSTILL_MS = 1_000;

export interface WatchOptions {
  readonly world: World;
  readonly telemetry: Telemetry;
  /** Whose event loop it is, for the log: each thread has one. */
  readonly thread?: string;
}

export function watchEventLoop({ world, telemetry, thread = 'main' }: WatchOptions): Runnable {
  const { eventLoopDelay } = telemetry.metrics;
  let due: number | undefined;
  return loop({
    name: 'event loop',
    world,
    failed: (error) => telemetry.log.warn({ err: error }, 'the watch over the event loop failed'),
    async turn() {
      const now = world.now();
      if (due !== undefined) {
        const late = Math.max(0, now - due);
        eventLoopDelay.observe(late / 1_000);
        if (late >= STANDSTILL_MS)
          telemetry.log.warn({ late_ms: late, thread }, 'the process stood still: nothing was answered or handled meanwhile');
      }
      due = now + LOOK_MS;
      return LOOK_MS;
    },
  });
}
