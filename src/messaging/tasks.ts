/**
 * Calls to the outside world: durable, repeated until answered, never inside a transaction.
 *
 *   row due ──claim (lease)──> performing ──outcome──> concluded        in one transaction per batch
 *      ^                          │ the process dies
 *      └──── lease runs out ──────┘
 *
 * The rows are the service's own (a payment operation, a notification): they say what is to be done and when. Whoever inserts one
 * with a lease of its own may `poke` it and save the claim. Performing must be idempotent at the other side, under the row's id:
 * after a crash between the call and its conclusion it is called again.
 */
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, loop } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Unit } from './mailbox.ts';

export interface TaskKind<Task, Outcome> {
  readonly name: string;
  /** Takes at most `limit` rows that are due at `unit.now` and leases them until `leaseUntil` (milliseconds UTC). */
  claim(unit: Unit, options: { readonly limit: number; readonly leaseUntil: number }): Promise<readonly Task[]>;
  /** Calls the outside. Must answer in the time of the lease; what it throws is an outcome too, so it should not throw. */
  perform(task: Task): Promise<Outcome>;
  /** Records outcomes and says what follows. */
  conclude(unit: Unit, done: readonly { readonly task: Task; readonly outcome: Outcome }[]): Promise<void>;
  /** Calls under way at the same time. */
  readonly concurrency?: number;
}

export interface Tasks<Task> extends Runnable {
  /** Performs rows that were just committed with a lease until `now + LEASE_MS`, without claiming them again. */
  poke(tasks: readonly Task[]): void;
}

/** How long a claimed row is nobody else's; a provider call must take less. */
export const LEASE_MS = 30_000;
/** How often due rows are looked for when nothing pokes. */
const LOOK_MS = 500;
const BATCH_MAX = 200;

export function runTasks<Task, Outcome>(mailbox: Mailbox, telemetry: Telemetry, kind: TaskKind<Task, Outcome>): Tasks<Task> {
  const { concurrency = 100 } = kind;
  const { world } = mailbox;
  const waiting: Task[] = [];
  const concluding: { task: Task; outcome: Outcome }[] = [];
  const calls = new Set<Promise<void>>();
  let running = false;
  let writing: Promise<void> | undefined;

  function dispatch(): void {
    while (running && waiting.length > 0 && calls.size < concurrency) {
      const task = waiting.shift()!;
      const call: Promise<void> = perform(task).finally(() => {
        calls.delete(call);
        dispatch();
      });
      calls.add(call);
    }
  }

  async function perform(task: Task): Promise<void> {
    try {
      const outcome = await kind.perform(task);
      await failpoint('task.after_perform');
      concluding.push({ task, outcome });
      writing ??= conclude();
      await writing;
    } catch (error) {
      // The row keeps its lease and comes due again.
      telemetry.log.error({ task: kind.name, err: error }, 'a task could not be performed or concluded; it will be tried again');
    }
  }

  /** Concludes whatever has been performed; outcomes that arrive together share a transaction. */
  async function conclude(): Promise<void> {
    try {
      while (concluding.length > 0) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        const batch = concluding.splice(0, BATCH_MAX);
        await mailbox.write((unit) => kind.conclude(unit, batch));
        await failpoint('task.after_conclude');
      }
    } finally {
      writing = undefined;
    }
  }

  const looking = loop({
    name: `tasks ${kind.name}`,
    world,
    async turn() {
      const room = BATCH_MAX - waiting.length;
      if (room <= 0) return LOOK_MS;
      const claimed = await mailbox.write((unit) => kind.claim(unit, { limit: room, leaseUntil: unit.now + LEASE_MS }));
      await failpoint('task.after_claim');
      waiting.push(...claimed);
      dispatch();
      return claimed.length === room ? 0 : LOOK_MS;
    },
    failed: (error) => telemetry.log.error({ task: kind.name, err: error }, 'looking for due tasks failed'),
  });

  return {
    name: looking.name,
    async start() {
      running = true;
      await looking.start();
    },
    async stop() {
      running = false;
      await looking.stop();
      await Promise.allSettled(calls);
    },
    poke(tasks) {
      if (!running) return; // their lease runs out and a running process takes them
      waiting.push(...tasks);
      dispatch();
    },
  };
}
