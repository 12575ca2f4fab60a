/**
 * A clock that can be put forward, never back, for trying out what takes days. How far it is ahead lies in a file beside the databases, written
 * before anybody sees the new time: what they hold is of that time, and must not lie in the future after a restart.
 *
 * Whoever sleeps wakes when the time has come by this clock, so that all timers, deadlines and leases follow at once.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from './errors.ts';
import { type World, realWorld } from './world.ts';

export interface TestClock {
  readonly world: World;
  /** Milliseconds that it is ahead of the machine. */
  ahead(): number;
  advance(ms: number): void;
}

/** Timers of the machine take no more. */
const SLEEP_MAX = 2 ** 31 - 1;

const fileIn = (folder: string): string => join(folder, 'sandbox-clock');

/** Throws a Fault for a folder whose databases are of a time that was put forward: by the real clock all they wait for would come days late. */
export function refuseSandboxIn(folder: string): void {
  if (existsSync(fileIn(folder)))
    throw new Fault(
      'unavailable',
      `the data folder ${folder} is that of a sandbox whose clock was put forward: set SANDBOX=true, or another DATA_DIR`,
    );
}

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
  timer: AbortController;
}

export function openTestClock(folder: string): TestClock {
  const file = fileIn(folder);
  let ahead = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (!Number.isSafeInteger(ahead)) throw new Fault('unavailable', `${file} does not hold a number of milliseconds: take another DATA_DIR`);
  const real = realWorld({ ahead: () => ahead });
  const sleepers = new Set<Sleeper>();

  function wait(sleeper: Sleeper): void {
    const { signal } = sleeper.timer;
    void real.sleep(Math.min(SLEEP_MAX, Math.max(0, sleeper.due - real.now())), signal).then(() => {
      if (signal.aborted) return;
      if (sleeper.due > real.now()) return wait(sleeper);
      sleepers.delete(sleeper);
      sleeper.wake();
    });
  }
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const sleeper: Sleeper = { due: real.now() + ms, wake, timer: new AbortController() };
      const leave = (): void => {
        sleepers.delete(sleeper);
        sleeper.timer.abort('woken');
        resolve();
      };
      sleepers.add(sleeper);
      signal?.addEventListener('abort', leave, { once: true });
      wait(sleeper);
    });
  };
  return {
    world: { ...real, sleep },
    ahead: () => ahead,
    advance(ms) {
      keep(file, ahead + ms);
      ahead += ms;
      for (const sleeper of sleepers) {
        sleeper.timer.abort('the clock was put forward');
        sleeper.timer = new AbortController();
        wait(sleeper);
      }
    },
  };
}

/** On the disk, whole, or not at all. */
function keep(file: string, ahead: number): void {
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeSync(fd, String(ahead));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
}
