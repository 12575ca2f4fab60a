/** What the benches share: a server of their own, a load generator in a process of its own, figures of the operating system, a record of results. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from './load.ts';

const ROOT = new URL('..', import.meta.url).pathname;

export interface Server {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Drains, waits for the end and removes the data. */
  stop(): Promise<void>;
}

/** Starts the whole program as its own process on a free port with data of its own. */
export async function startServer(env: Record<string, string> = {}): Promise<Server> {
  const dataDir = mkdtempSync(join(tmpdir(), 'waybill-bench-'));
  const port = await freePort();
  const child = spawn(process.execPath, ['--max-old-space-size=768', 'bin/waybill.mjs', 'start'], {
    // as `npm start` does
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), HOST: '127.0.0.1', DATA_DIR: dataDir, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok === true, child);
  return {
    url,
    pid: child.pid!,
    dataDir,
    async stop() {
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}

/** Asks every 20 ms until the answer is yes; throws when the process has ended before. */
export async function until(yes: () => Promise<boolean>, child?: ChildProcess): Promise<void> {
  while (!(await yes())) {
    if (child && child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** POSTs JSON and answers the JSON; throws on anything but success. */
export async function post<T>(url: string, body: unknown): Promise<T> {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

export interface LoadResult {
  readonly accepted: number;
  readonly refused: number;
  readonly errors: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly p99_9: number; readonly max: number };
  /** CPU the generator itself took, µs a request. */
  readonly cpuMicros: number;
}

/** Runs load.ts: as many requests as 256 connections carry, or `rate` a second. */
export async function load(
  url: string,
  { connections = 256, ...job }: Omit<Job, 'url' | 'connections'> & { connections?: number },
): Promise<LoadResult> {
  const child = spawn(process.execPath, [join(ROOT, 'bench/load.ts'), JSON.stringify({ url, connections, ...job })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  return JSON.parse(output) as LoadResult;
}

/** User and system CPU seconds a process has used, and its peak memory in MB (Linux). */
export function usage(pid: number): { readonly cpuSeconds: number; readonly peakMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { cpuSeconds: ticks / 100, peakMb: Number(peak?.[1] ?? 0) / 1024 };
}

/** CPU seconds used so far by a process and those it started itself, as PostgreSQL starts one for each connection. */
export const cpuSeconds = (pid: number): number => [pid, ...childrenOf(pid)].reduce((sum, one) => sum + usage(one).cpuSeconds, 0);

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]) === parent;
      } catch {
        return false; // it has gone
      }
    });
}

/** Keeps a result with the commit and the machine it was measured on, and prints it. */
export function record(name: string, figures: Record<string, string | number>): void {
  console.table(figures);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const dirty = execFileSync('git', ['status', '--porcelain', '--', 'src'], { cwd: ROOT, encoding: 'utf8' }).trim() === '' ? '' : '+changes';
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  const at = new Date().toISOString();
  const file = join(ROOT, 'bench/results', `${at.slice(0, 19).replaceAll(':', '')}-${name}.json`);
  mkdirSync(join(ROOT, 'bench/results'), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ bench: name, at, commit: commit + dirty, machine, figures }, null, 2)}\n`);
  console.log(`kept in ${file.slice(ROOT.length)}`);
}
