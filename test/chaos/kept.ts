/**
 * A process of the program that is kept running, as a supervisor would: whenever it ends it is started again.
 *
 *   starting ──ready──> up ──killed, told to stop, sprang a trap, or died by itself──> down ──after a while──> starting
 *                       │ ⇅ frozen                                       (it may end before it is ready: its database is away)
 *
 * A trap is a failpoint: the process kills itself at the n-th time it comes by a named place, such as between a commit and its ack.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { ROOT } from '../support/server.ts';

/** How long a supervisor waits before it starts again what ended by itself. */
const REST_MS = 500;
const LOOK_MS = 50;
/** Longer than a process takes that drains. */
const PATIENCE_MS = 30_000;
/** How long a trap is waited for; it stays set all the same. */
const TRAP_MS = 15_000;

export interface KeptOptions {
  readonly name: string;
  readonly port: number;
  /** The settings, beside PORT. */
  readonly env: Readonly<Record<string, string>>;
  /** What it prints is added to it. */
  readonly log: string;
}

export interface Ends {
  /** How often it ended without having been made to, once it was ready. */
  readonly died: number;
  /** And before. */
  readonly failedStarts: number;
  /** How often it sprang a trap. */
  readonly trapped: number;
}

export interface Kept {
  readonly name: string;
  readonly port: number;
  /** Resolves when it is ready. */
  ready(): Promise<void>;
  /** SIGKILL; it is started again after so many milliseconds. Resolves then, whenever it will be ready. */
  kill(downFor: number): Promise<void>;
  /** Starts it anew with a trap, e.g. `consumer.after_commit=kill@7`. Resolves when it has sprung it, or seems not to come by. */
  trap(failpoint: string): Promise<void>;
  /** Starts it anew when a trap is still set. */
  disarm(): Promise<void>;
  /** SIGTERM: it drains, ends, and is started again. */
  restart(): Promise<void>;
  /** SIGSTOP, and SIGCONT after so many milliseconds. */
  freeze(forMs: number): Promise<void>;
  ends(): Ends;
  /** Ends it for good, at once. */
  stop(): Promise<void>;
}

/** From a start to an end. */
interface Life {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly trap: string | undefined;
  ready: boolean;
  /** Set by whoever makes it end: what to wait before the next one. */
  meant?: number;
}

// What the tests are told is no setting of the program, and the program refuses what it does not know.
const ownEnvironment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYBILL_')));

export function keep({ name, port, env, log }: KeptOptions): Kept {
  const ends = { died: 0, failedStarts: 0, trapped: 0 };
  let life: Life | undefined;
  let stopping = false;
  let nextTrap: string | undefined;
  let sprung = Promise.withResolvers<void>();

  function begin(): Life {
    const output = openSync(log, 'a');
    const trap = nextTrap;
    nextTrap = undefined;
    const child = spawn(process.execPath, ['bin/waybill.mjs', 'start'], {
      cwd: ROOT,
      env: {
        ...ownEnvironment,
        HOST: '127.0.0.1',
        PORT: String(port),
        LOG_LEVEL: 'warn',
        ...env,
        ...(trap === undefined ? {} : { WAYBILL_FAILPOINTS: trap }),
      },
      stdio: ['ignore', output, output],
      detached: true, // Ctrl-C is for the run, which stops it
    });
    closeSync(output);
    return { process: child, ended: once(child, 'close'), trap, ready: false };
  }

  async function liveOn(): Promise<void> {
    while (!stopping) {
      const one = begin();
      life = one;
      void watch(one);
      const [, signal] = await one.ended;
      life = undefined;
      if (one.meant === undefined && one.trap !== undefined && signal === 'SIGKILL') {
        ends.trapped += 1;
        one.meant = 0;
        sprung.resolve();
      }
      if (one.meant === undefined && !stopping) {
        ends[one.ready ? 'died' : 'failedStarts'] += 1;
        nextTrap ??= one.trap; // it did not come far enough
      }
      if (!stopping) await pause(one.meant ?? REST_MS);
    }
  }

  /** Asks until it is ready, or is gone. */
  async function watch(one: Life): Promise<void> {
    while (life === one && !one.ready) {
      const answer = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      await answer?.body?.cancel();
      one.ready = answer?.ok === true;
      if (!one.ready) await pause(LOOK_MS);
    }
  }

  async function ready(): Promise<void> {
    while (life?.ready !== true && !stopping) await pause(LOOK_MS);
  }

  async function end(signal: NodeJS.Signals, downFor: number): Promise<void> {
    const one = life;
    if (one === undefined) return; // it is down already
    one.meant = downFor;
    one.process.kill(signal);
    const impatience = setTimeout(() => one.process.kill('SIGKILL'), PATIENCE_MS);
    await one.ended;
    clearTimeout(impatience);
  }

  const lives = liveOn();
  return {
    name,
    port,
    ready,
    async kill(downFor) {
      await end('SIGKILL', downFor);
      await pause(downFor);
    },
    async trap(failpoint) {
      nextTrap = failpoint;
      sprung = Promise.withResolvers();
      await end('SIGKILL', 0);
      await Promise.race([sprung.promise, pause(TRAP_MS)]);
    },
    async disarm() {
      nextTrap = undefined;
      if (life?.trap !== undefined) await end('SIGKILL', 0);
    },
    restart: () => end('SIGTERM', 0),
    async freeze(forMs) {
      const one = life?.process;
      one?.kill('SIGSTOP');
      await pause(forMs);
      one?.kill('SIGCONT');
    },
    ends: () => ends,
    async stop() {
      stopping = true;
      await end('SIGKILL', 0);
      await lives;
    },
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
