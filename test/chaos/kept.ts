/**
 * A process of the program that is kept running, as a supervisor would: whenever it ends it is started again.
 *
 *   starting ──ready──> up ──killed, told to stop, or died by itself──> down ──after a while──> starting
 *                       │ ⇅ frozen                                       (it may end before it is ready: its database is away)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { ROOT } from '../support/server.ts';

/** How long a supervisor waits before it starts again what ended by itself. */
const REST_MS = 500;
const LOOK_MS = 50;
/** Longer than a process takes that drains. */
const PATIENCE_MS = 30_000;

export interface KeptOptions {
  readonly name: string;
  readonly port: number;
  /** The settings, beside PORT. */
  readonly env: Readonly<Record<string, string>>;
  /** What it prints is added to it. */
  readonly log: string;
}

export interface Kept {
  readonly name: string;
  readonly port: number;
  /** Resolves when it is ready. */
  ready(): Promise<void>;
  /** SIGKILL; it is started again after so many milliseconds. Resolves then, whenever it will be ready. */
  kill(downFor: number): Promise<void>;
  /** SIGTERM: it drains, ends, and is started again. */
  restart(): Promise<void>;
  /** SIGSTOP, and SIGCONT after so many milliseconds. */
  freeze(forMs: number): Promise<void>;
  /** How often it ended without having been made to: once it was ready, and before. */
  ends(): { readonly died: number; readonly failedStarts: number };
  /** Ends it for good, at once. */
  stop(): Promise<void>;
}

// What the tests are told is no setting of the program, and the program refuses what it does not know.
const ownEnvironment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYBILL_')));

export function keep({ name, port, env, log }: KeptOptions): Kept {
  let child: ChildProcess | undefined;
  let isReady = false;
  let stopping = false;
  /** Set by whoever makes it end: what to wait before it is started again. */
  let meant: number | undefined;
  let died = 0;
  let failedStarts = 0;

  async function live(): Promise<void> {
    while (!stopping) {
      const output = openSync(log, 'a');
      const started = spawn(process.execPath, ['bin/waybill.mjs', 'start'], {
        cwd: ROOT,
        env: { ...ownEnvironment, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'warn', ...env },
        stdio: ['ignore', output, output],
        detached: true, // Ctrl-C is for the run, which stops it
      });
      closeSync(output);
      child = started;
      const ended = once(started, 'close');
      void watch(started);
      await ended;
      if (meant === undefined && !stopping && isReady) died += 1;
      if (meant === undefined && !stopping && !isReady) failedStarts += 1;
      isReady = false;
      child = undefined;
      const rest = meant ?? REST_MS;
      meant = undefined;
      if (!stopping) await pause(rest);
    }
  }

  /** Asks until it is ready, or is another one's turn. */
  async function watch(one: ChildProcess): Promise<void> {
    while (child === one && !isReady) {
      const answer = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      if (answer?.ok === true && child === one) isReady = true;
      await answer?.body?.cancel();
      if (!isReady) await pause(LOOK_MS);
    }
  }

  async function ready(): Promise<void> {
    while (!isReady && !stopping) await pause(LOOK_MS);
  }

  async function end(signal: NodeJS.Signals, downFor: number): Promise<void> {
    const one = child;
    if (one === undefined) return; // it is down already
    meant = downFor;
    const ended = once(one, 'close');
    one.kill(signal);
    const impatience = setTimeout(() => one.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(impatience);
  }

  const life = live();
  return {
    name,
    port,
    ready,
    async kill(downFor) {
      await end('SIGKILL', downFor);
      await pause(downFor);
    },
    restart: () => end('SIGTERM', 0),
    async freeze(forMs) {
      const one = child;
      one?.kill('SIGSTOP');
      await pause(forMs);
      one?.kill('SIGCONT');
    },
    ends: () => ({ died, failedStarts }),
    async stop() {
      stopping = true;
      await end('SIGKILL', 0);
      await life;
    },
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
