/**
 * A world whose clock stands still until a test moves it, and whose chance follows from a seed.
 */
import { realWorld, typeIds, type World } from '../../src/kernel/world.ts';

export interface TestWorld extends World {
  /** Moves the clock on, waking whoever has slept long enough, in the order they are due. */
  advance(ms: number): void;
}

/** 2026-01-01, UTC. */
export const TEST_EPOCH = 1_767_225_600_000;

export function testWorld(seed = 1): TestWorld {
  let now = TEST_EPOCH;
  const chance = mulberry32(seed);
  const sleepers = new Set<{ due: number; wake: () => void }>();
  const bytes = (): Uint8Array => Uint8Array.from({ length: 8 }, () => Math.floor(chance() * 256));
  return {
    now: () => now,
    notBefore: (ms) => void (now = Math.max(now, ms)),
    id: typeIds(() => now, bytes),
    random: chance,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const sleeper = { due: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => (sleepers.delete(sleeper), resolve()), { once: true });
      });
    },
    advance(ms) {
      now += ms;
      for (const sleeper of [...sleepers].sort((a, b) => a.due - b.due)) {
        if (sleeper.due > now) break;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
  };
}

/** Numbers in [0, 1) that follow from a 32-bit seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The real world, whose clock a test can move on: whoever sleeps looks at it again. */
export interface MovableWorld extends World {
  advance(ms: number): void;
}

export function movableWorld(): MovableWorld {
  const real = realWorld();
  let ahead = 0;
  let moved = new AbortController();
  return {
    ...real,
    now: () => real.now() + ahead,
    sleep(ms, signal) {
      const wakers = [moved.signal, ...(signal === undefined ? [] : [signal])];
      return real.sleep(ms, AbortSignal.any(wakers));
    },
    advance(ms) {
      ahead += ms;
      const woken = moved;
      moved = new AbortController();
      woken.abort();
    },
  };
}
