/**
 * The second thread: payments, inventory, shipping and notifications, each with its relay, its consumer and its calls to providers.
 *
 *   main thread                                     second thread (thread.ts)
 *   doors, orders, the bus, the auditor  <──────>   the other services
 *   their databases, for doors and audits           their databases, for the work
 *
 * It is the split of processes inside one process: between the two go messages, over the bus; the databases they share are files, where
 * one of them writes at a time (db/sqlite.ts) and both know what is on the disk (db/flushes.ts). Whoever dies takes the other along.
 */
import { Worker } from 'node:worker_threads';
import type { Config, ServiceName } from './config.ts';
import type { Tools } from './crew.ts';
import { type FlushWords, flushWords } from './db/flushes.ts';
import { Fault } from './kernel/errors.ts';
import { type Runnable, runnable } from './kernel/lifecycle.ts';
import type { LockWord } from './kernel/lock.ts';
import { type Peer, openPeer } from './kernel/peer.ts';
import { serveTransport } from './messaging/embedded-link.ts';
import type { Elsewhere } from './messaging/messaging.ts';
import { SUSPECTS_LOCK } from './messaging/suspects.ts';
import type { Transport } from './messaging/transport.ts';

/** Together they cost about as much as orders and the doors. */
const SECOND: readonly ServiceName[] = ['payments', 'inventory', 'shipping', 'notifications'];
/** Its heap, at most; `npm start` bounds that of the main thread. A young generation of 48 MB, which is V8's own, was no faster and cost 40 MB. */
const HEAP_MB = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 24 };

/** What the second thread is born with. */
export interface ThreadData {
  readonly config: Config;
  readonly shared: ReadonlyMap<ServiceName, FlushWords>;
  readonly suspectsLock: LockWord;
}

export interface Thread extends Runnable {
  runs(name: ServiceName): boolean;
  shared(name: ServiceName): FlushWords;
  elsewhere(name: ServiceName): Elsewhere | undefined;
}

export function openThread(config: Config, transport: Transport, { telemetry }: Tools): Thread {
  const shared = new Map(config.services.map((name) => [name, flushWords()]));
  const data: ThreadData = { config: { ...config, services: SECOND, parts: ['relay', 'worker'] }, shared, suspectsLock: SUSPECTS_LOCK };
  let peer: Peer | undefined;
  const ask = async <Answer>(name: string, about?: unknown): Promise<Answer> =>
    peer === undefined ? Promise.reject(new Fault('unavailable', 'the second thread does not run')) : peer.ask<Answer>(name, about);

  async function start(): Promise<void> {
    const worker = new Worker(new URL(`./thread.${import.meta.url.split('.').at(-1)}`, import.meta.url), {
      workerData: data,
      resourceLimits: HEAP_MB,
    });
    // Half a program is none: what is under way there would wait for the next start, and nobody would know.
    worker.once('error', (error) => {
      throw error;
    });
    worker.once('exit', () => {
      if (peer !== undefined) throw new Error('the second thread ended by itself');
    });
    peer = openPeer(worker);
    serveTransport(peer, transport);
    telemetry.metrics.others.push(() => ask('metrics'));
    try {
      await peer.ask('start');
    } catch (error) {
      peer = undefined;
      await worker.terminate();
      throw error;
    }
  }

  async function stop(): Promise<void> {
    const running = peer;
    await running?.ask('stop');
    peer = undefined;
    running?.tell('end');
    running?.close();
  }

  return {
    ...runnable('second thread', start, stop),
    runs: (name) => SECOND.includes(name),
    shared: (name) => shared.get(name)!,
    elsewhere: (name) =>
      SECOND.includes(name)
        ? {
            said: () => peer?.tell('said', name),
            poke: () => peer?.tell('poke', name),
            activity: () => ask('activity', name),
          }
        : undefined,
  };
}
