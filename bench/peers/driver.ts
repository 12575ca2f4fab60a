/**
 * What drives every peer in the same way: a certain number of orders is open at a time, and the steps done within a window are counted, a
 * quarter of an order each: what takes all orders to one step before the next completes them in waves as long as the window.
 * Each runs in a process of its own, is told a `Task` as its argument and prints one line with an `Outcome`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds } from '../support.ts';
import { STEPS, type Step } from './steps.ts';

export interface Task {
  /** How it is to be run, where there are several ways. */
  readonly way: string;
  readonly seconds: number;
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  readonly redisPort: number;
  /** Process ids, whose CPU is told. */
  readonly servers: Readonly<Record<string, number>>;
}

export interface Outcome {
  readonly perSecond: number;
  readonly completed: number;
  /** After the end of the load everything completed in time, once, and the rows say so. */
  readonly exact: boolean;
  /** CPU a completed order. */
  readonly micros: Readonly<Record<string, number>>;
  readonly peakMb: number;
}

export interface Peer {
  /** Orders handed over in one call. */
  readonly bulk: number;
  /** Calls under way at a time, at most. */
  readonly submitters: number;
  /** Orders not completed, at most. */
  readonly open: number;
  /** Hands orders over; they are durable when it resolves. */
  submit(ids: number[]): Promise<unknown>;
  /** Is what is there exactly so many orders, completed? */
  exact(orders: number): Promise<boolean>;
}

export const task = (): Task => JSON.parse(process.argv[2]!) as Task;

const WARM_MS = 3_000;
/** What is open at the end of the load has as long to complete. */
const DRAIN_MS = 20_000;

let completed = 0;
let progress = 0;
/** The peer says how many orders are through a step, or through all when it names none. */
export function done(orders: number, step?: Step): void {
  progress += step === undefined ? orders : orders / STEPS.length;
  if (step === undefined || step === STEPS.at(-1)) completed += orders;
}

export async function drive({ seconds, servers }: Task, peer: Peer): Promise<never> {
  const pids = { node: process.pid, ...servers };
  const cpu = (): Map<string, number> => new Map(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
  let submitted = 0;
  let running = true;
  const submitter = async (): Promise<void> => {
    while (running) {
      if (submitted - completed + peer.bulk > peer.open) {
        await sleep(1);
        continue;
      }
      const ids = Array.from({ length: peer.bulk }, (_, n) => submitted + n + 1);
      submitted += peer.bulk;
      await peer.submit(ids);
    }
  };
  const submitters = Promise.all(Array.from({ length: peer.submitters }, submitter));
  await sleep(WARM_MS);
  const before = { progress, at: performance.now(), cpu: cpu() };
  await Promise.race([sleep(seconds * 1_000), submitters]); // a submitter ends only with an error
  const orders = progress - before.progress;
  const perSecond = orders / ((performance.now() - before.at) / 1_000);
  const micros = Object.fromEntries(
    cpu()
      .entries()
      .map(([name, used]) => [name, Math.round(((used - before.cpu.get(name)!) * 1e6) / orders)]),
  );
  running = false;
  await submitters;
  const until = performance.now() + DRAIN_MS;
  while (completed < submitted && performance.now() < until) await sleep(5);
  await sleep(200); // the last commit of a peer that says it is done just before
  const exact = completed === submitted && (await peer.exact(submitted));
  const outcome: Outcome = { perSecond: Math.round(perSecond), completed, exact, micros, peakMb: Math.round(process.resourceUsage().maxRSS / 1_024) };
  process.stdout.write(`\n${JSON.stringify(outcome)}\n`, () => process.exit(0));
  return new Promise<never>(() => undefined); // what a peer keeps open ends with the process
}
