/**
 * The program as a process of its own, started as a user starts it: on a free port, with a folder that is thrown away.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = new URL('../../', import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Server {
  readonly url: string;
  readonly process: ChildProcess;
  /** All it has printed so far, on both streams. */
  output(): string;
  /** Resolves when the process is gone. */
  readonly ended: Promise<Ended>;
  /** Asks it to stop, and waits until it has. Kills it, and all it started, when it does not within half a minute. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
  /** Ctrl-C: the terminal tells the whole group. */
  interrupt(): Promise<Ended>;
}

export interface ServerOptions {
  /** What is run, from the root of the repository. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Is not removed afterwards; a new one that is, when absent. */
  readonly dataDir?: string;
  /** A free one, when absent. */
  readonly port?: number;
  /** How long it may take until it is ready; half a minute when absent. */
  readonly seconds?: number;
}

// What CI tells the tests is no setting of the program, and the program refuses what it does not know.
const ownEnvironment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYBILL_')));

/** Starts the program and waits until it is ready. Throws with all it printed when it ends before. */
export async function startServer({
  command = ['node', 'bin/waybill.mjs', 'start'],
  env = {},
  dataDir,
  port: wanted,
  seconds,
}: ServerOptions = {}): Promise<Server> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'waybill-server-')));
  const port = wanted ?? (await freePort());
  const [program, ...given] = command;
  const child = spawn(program!, given, {
    cwd: ROOT,
    env: { ...ownEnvironment, HOST: '127.0.0.1', PORT: String(port), DATA_DIR: folder, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own: what it starts can be reached with it
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = once(child, 'close').then(async ([code, signal]: (number | NodeJS.Signals | null)[]) => {
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
    return { code, signal } as Ended;
  });
  const group = -child.pid!;
  const gone = async (): Promise<Ended> => {
    const impatience = setTimeout(() => process.kill(group, 'SIGKILL'), 30_000);
    return ended.finally(() => clearTimeout(impatience));
  };
  const server: Server = {
    url: `http://127.0.0.1:${port}`,
    process: child,
    output: () => printed,
    ended,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return gone();
    },
    interrupt() {
      process.kill(group, 'SIGINT');
      return gone();
    },
  };
  await ready(server, seconds);
  return server;
}

async function ready(server: Server, seconds?: number): Promise<void> {
  const over = server.ended.then(({ code, signal }): never => {
    throw new Error(`the server ended (${signal ?? code}) before it was ready:\n${server.output()}`);
  });
  const asked = async (): Promise<Response | undefined> => {
    const answer = await fetch(`${server.url}/health/ready`).catch(() => undefined);
    return answer?.ok === true ? answer : undefined;
  };
  const answers = until(asked, `${server.url}/health/ready answers`, seconds);
  await Promise.race([over, answers]).catch(async (error: unknown) => {
    if (server.process.exitCode === null && server.process.signalCode === null) await server.interrupt(); // what it has started hears it, too
    throw error;
  });
}

/**
 * Asks until there is an answer, at most half a minute, or as many seconds as told. For conditions in another process, which can send no
 * signal here. Throws what is being waited `for`.
 */
export async function until<T>(ask: () => Promise<T | undefined>, what: string, seconds = 30): Promise<T> {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`waited ${seconds} seconds in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
