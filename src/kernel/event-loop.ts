/**
 * A watch over the event loop: how late the process answers its own timers. While it is late nothing else is answered or handled either,
 * and whoever waits cannot tell why; so a standstill is told of as soon as it is over.
 */
import { type Runnable, loop } from './lifecycle.ts';
import type { Telemetry } from './telemetry.ts';
import type { World } from './world.ts';

const LOOK_MS = 50;
/** A pause of the garbage collector or a slow flush is shorter. */
const STANDSTILL_MS = 1_000;

export function watchEventLoop({ world, telemetry }: { readonly world: World; readonly telemetry: Telemetry }): Runnable {
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
        if (late >= STANDSTILL_MS) telemetry.log.warn({ late_ms: late }, 'the process stood still: nothing was answered or handled meanwhile');
      }
      due = now + LOOK_MS;
      return LOOK_MS;
    },
  });
}
