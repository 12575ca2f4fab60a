/**
 * Calls to the outside world: durable, repeated until answered, never inside a transaction.
 *
 *   row due ──claim (lease)──> waiting ──> under way ──outcome──> concluded        in one transaction per batch
 *      ^                          │             │ 20 s without an answer: `unanswered` is the outcome
 *      └──── lease runs out ──────┴─────────────┘ the process dies, or a bug keeps the outcome from being kept
 *
 * The rows are the service's own (a payment operation, a notification): they say what is to be done and when. Whoever inserts one
 * with a lease of its own may `poke` it and save the claim. Performing must be idempotent at the other side, under the row's id:
 * after a crash between the call and its conclusion it is called again. A database that is away or full is waited for: what the outside
 * has answered is not asked again.
 */
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, loop } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { traceIds } from '../kernel/tracing.ts';
import { isOutage } from './failures.ts';
import type { Mailbox, Unit } from './mailbox.ts';
import { type TracedTask, calling } from './tracing.ts';

export interface TaskKind<Task extends TracedTask, Outcome> {
  readonly name: string;
  /** Takes at most `limit` rows that are due at `unit.now` and leases them until `leaseUntil` (milliseconds UTC). */
  claim(unit: Unit, options: { readonly limit: number; readonly leaseUntil: number }): Promise<readonly Task[]>;
  /** Calls the outside. What it throws is an outcome too, so it should not throw. */
  perform(task: Task): Promise<Outcome>;
  /** The outcome of a call that has not answered after `PERFORM_MS`: it may have been done. What it answers later is not heard. */
  readonly unanswered: Outcome;
  /** Records outcomes and says what follows. */
  conclude(unit: Unit, done: readonly Done<Task, Outcome>[]): Promise<void>;
  /** Calls under way at the same time. */
  readonly concurrency?: number;
}

export interface Done<Task, Outcome> {
  readonly task: Task;
  readonly outcome: Outcome;
}

export interface Tasks<Task> extends Runnable {
  /** Performs rows that were just committed with a lease until `leaseFrom(now)`, without claiming them again. */
  poke(tasks: readonly Task[]): void;
  /** When a row inserted now is due. Where nothing runs that could be poked, such as behind a door apart from its worker, that is now. */
  leaseFrom(now: number): number;
}

/** How long a claimed row is nobody else's. */
export const LEASE_MS = 30_000;
/** How long an answer is waited for. */
export const PERFORM_MS = 20_000;
/** How long a stop waits for answers; calls it leaves behind are made again after the next start. */
const STOP_MS = 5_000;
/** How often due rows are looked for when nothing pokes. */
const LOOK_MS = 500;
const BATCH_MAX = 400;
/** How long to wait before outcomes that found no database are offered again. */
const AGAIN_MS = 1_000;
/** Tasks in memory that wait for their turn; beyond, they wait in their rows. */
const WAITING_MAX = 10_000;

export function runTasks<Task extends TracedTask, Outcome>(mailbox: Mailbox, telemetry: Telemetry, kind: TaskKind<Task, Outcome>): Tasks<Task> {
  const { concurrency = 400 } = kind;
  const { db, world } = mailbox;
  const log = telemetry.log.child({ service: mailbox.service, task: kind.name });
  const waiting = new Map<string, { readonly task: Task; readonly leaseUntil: number }>();
  /** Oldest first. */
  const underWay = new Map<string, { readonly lateAt: number; giveUp(): void; ended: Promise<void> }>();
  const concluding: (Done<Task, Outcome> & { concluded(): void })[] = [];
  let running = false;
  let abandoned = false;
  let writing = false;
  /** Rows due before this were leased by a process that is gone. */
  let inheritedTo = 0;

  const about = ({ id, order_id }: TracedTask) => ({ id, ...traceIds(mailbox.traces?.conversations.of(order_id)) });

  function take(tasks: readonly Task[], leaseUntil: number): void {
    for (const task of tasks) {
      if (underWay.has(task.id) || (waiting.size >= WAITING_MAX && !waiting.has(task.id))) continue;
      waiting.set(task.id, { task, leaseUntil });
    }
    dispatch();
  }

  function dispatch(): void {
    for (const [id, { task, leaseUntil }] of waiting) {
      if (!running || underWay.size >= concurrency) return;
      waiting.delete(id);
      if (leaseUntil > world.now()) begin(task); // else it may be somebody else's by now; the next look knows
    }
  }

  function begin(task: Task): void {
    const answer = Promise.withResolvers<Outcome>();
    const ended = end(task, answer.promise, calling(mailbox.traces, kind.name, task));
    underWay.set(task.id, { lateAt: world.now() + PERFORM_MS, giveUp: () => answer.resolve(kind.unanswered), ended });
    kind.perform(task).then(answer.resolve, answer.reject);
  }

  async function end(task: Task, answer: Promise<Outcome>, seen: (outcome: unknown) => void): Promise<void> {
    try {
      const outcome = await answer;
      seen(outcome);
      await failpoint('task.after_perform');
      if (!abandoned) await new Promise<void>((concluded) => keep({ task, outcome, concluded }));
    } catch (error) {
      log.error({ ...about(task), err: error }, 'a call failed in a way nobody foresaw; it is made again when its lease has run out');
    } finally {
      underWay.delete(task.id);
      dispatch();
    }
  }

  function keep(done: (typeof concluding)[number]): void {
    concluding.push(done);
    if (!writing) void concludeAll();
  }

  /** Concludes whatever has been performed; outcomes that arrive together share a transaction. */
  async function concludeAll(): Promise<void> {
    writing = true;
    while (concluding.length > 0) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const batch = concluding.splice(0, BATCH_MAX);
      await conclude(batch);
      for (const { concluded } of batch) concluded();
    }
    writing = false;
  }

  /** One transaction for the outcomes; when it fails, halves of them, so that a poisonous one fails alone. */
  async function conclude(batch: readonly Done<Task, Outcome>[]): Promise<void> {
    if (abandoned) return;
    try {
      await mailbox.write((unit) => kind.conclude(unit, batch));
      await failpoint('task.after_conclude');
    } catch (error) {
      if (isOutage(error)) {
        log.warn({ calls: batch.length, err: error }, 'outcomes of calls cannot be kept now; tried again');
        await world.sleep(AGAIN_MS);
        return conclude(batch);
      }
      if (batch.length === 1) {
        log.error(
          { ...about(batch[0]!.task), err: error },
          'the outcome of a call could not be kept; the call is made again when its lease has run out',
        );
        return;
      }
      const half = batch.length >> 1;
      await conclude(batch.slice(0, half));
      await conclude(batch.slice(half));
    }
  }

  function giveUpLate(): void {
    for (const [id, { lateAt, giveUp }] of underWay) {
      if (lateAt > world.now()) return;
      log.warn({ id }, `a call was not answered within ${PERFORM_MS / 1_000} s`);
      giveUp();
    }
  }

  async function look(): Promise<number> {
    giveUpLate();
    const limit = Math.min(BATCH_MAX, WAITING_MAX - waiting.size);
    if (limit === 0) return LOOK_MS;
    let leaseUntil = 0;
    const claimed = await mailbox.write((unit) => {
      leaseUntil = unit.now + LEASE_MS;
      return kind.claim({ ...unit, now: Math.max(unit.now, inheritedTo) }, { limit, leaseUntil });
    });
    await failpoint('task.after_claim');
    if (claimed.length < limit) inheritedTo = 0;
    take(claimed, leaseUntil);
    return claimed.length === limit ? 0 : LOOK_MS;
  }

  const looking = loop({
    name: `tasks ${kind.name}`,
    world,
    turn: look,
    failed: (error) => log.error({ err: error }, 'looking for due tasks failed'),
  });

  return {
    name: looking.name,
    async start() {
      running = true;
      // A SQLite file belongs to one process, so whoever held a lease in it is dead; nobody has to wait until it has run out.
      if (db.dialect.name === 'sqlite') inheritedTo = world.now() + LEASE_MS - 1;
      await looking.start();
    },
    async stop() {
      running = false;
      await looking.stop();
      const bound = new AbortController();
      const ended = Promise.all([...underWay.values()].map((call) => call.ended));
      await Promise.race([ended, world.sleep(STOP_MS, bound.signal)]);
      bound.abort('stopped');
      abandoned = true;
    },
    poke(tasks) {
      if (running) take(tasks, world.now() + LEASE_MS); // else a running process finds them
    },
    leaseFrom: (now) => (running ? now + LEASE_MS : now),
  };
}
