/**
 * The consumer of a service: its queue into its handlers, batch by batch. README.md draws what happens to a batch.
 *
 *   collect ──> sort ──> handle (one transaction) ──> ack
 *                 │         └─ it threw: again, wait, or bisect down to the one message ──> failure
 *                 └─ never can be handled ──> dead letter
 */
import type { Message } from '../contracts/envelope.ts';
import { isCommand } from '../contracts/messages.ts';
import { codeOf } from '../kernel/errors.ts';
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { LockWord } from '../kernel/lock.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { traceIds } from '../kernel/tracing.ts';
import { type Routing, handleBatch, routingOf, sort } from './batch.ts';
import { type ConsumerActivity, readPause } from './control.ts';
import { classOf, forgetAttempts, isOutage, recordFailure } from './failures.ts';
import type { Mailbox } from './mailbox.ts';
import type { Subscription } from './service.ts';
import { openStormGuard } from './storm.ts';
import { openSuspects } from './suspects.ts';
import { processing } from './tracing.ts';
import type { Consumption, Delivery, Queue, Transport } from './transport.ts';

/** Messages in one transaction, at most, unless a single delivery has more. */
const BATCH_MAX = 500;
/** Messages in hand: one batch under way, the next one collected. */
const PREFETCH = 2 * BATCH_MAX;
/**
 * A batch has a price of its own, whatever its size: its statements, its commit, its flush. So under load, that is after a batch of
 * `BUSY`, the next one is waited for a little, unless it is `FULL` already; at rest nothing waits. Whole journeys through HTTP, 256
 * connections, two threads: 3,502 and 3,590/s without, 3,585 and 3,781/s with it; POST p99 at half load 66 and 83 ms without, 40 and 46 ms
 * with it, because fewer, larger batches leave more of the main thread to the doors.
 */
const BUSY = 32;
const FULL = 400;
const LINGER_MS = 30;
const CONFLICT_RETRIES = 3;
/** How often a pause set by another process is looked for. */
const CONTROL_MS = 1_000;

export interface Consumer extends Runnable {
  activity(): ConsumerActivity;
  /** Looks at the pause row now instead of within a second. */
  poke(): void;
}

export interface ConsumerOptions {
  readonly mailbox: Mailbox;
  readonly transport: Transport;
  readonly telemetry: Telemetry;
  readonly subscriptions: readonly Subscription[];
  /** Held while a suspect is handled; the one of the process when absent. */
  readonly suspectsLock?: LockWord | undefined;
}

/** The queue of a service and the event types it takes; commands find it by its name. */
export const queueOf = (service: string, subscriptions: readonly Subscription[]): Queue => ({
  name: service,
  types: [...new Set(subscriptions.flatMap(({ types }) => types))].filter((type) => !isCommand(type)),
});

export function openConsumer({ mailbox, transport, telemetry, subscriptions, suspectsLock }: ConsumerOptions): Consumer {
  const { service, db, world, traces } = mailbox;
  const log = telemetry.log.child({ service, part: 'consumer' });
  const { consumed, consumerBatch, consumerTime, messageWait, failures, suspects: suspected } = telemetry.metrics;
  const routing: Routing = routingOf(subscriptions);
  const collected: Delivery[] = [];
  const suspects = openSuspects(db, world, suspectsLock);
  const storm = openStormGuard(service, { world, log, metrics: telemetry.metrics });
  let inHand: readonly Delivery[] = [];
  /** Ids of those in hand whose failure is kept: they come again as retries. */
  const failedInHand = new Set<string>();
  let consumption: Consumption | undefined;
  let status: ConsumerActivity['status'] = 'elsewhere';
  let lastError: { text: string; at: number } | undefined;
  let paused = false;
  /** Was the last batch large? */
  let busy = false;
  let controlAt = 0;

  async function turn(): Promise<number> {
    if (world.now() >= controlAt) {
      const control = await readPause(db, service);
      paused = control.paused;
      storm.decided(control.changed_at);
      controlAt = world.now() + CONTROL_MS;
    }
    if (paused) {
      status = 'paused';
      await letGo();
      return CONTROL_MS;
    }
    const rest = storm.rest();
    if (rest > 0) {
      status = 'storm';
      return Math.min(rest, CONTROL_MS);
    }
    consumption ??= await transport.consume(service, { prefetch: PREFETCH, deliver });
    if (inHand.length === 0) {
      if (busy && messagesIn(collected) < FULL) await world.sleep(LINGER_MS);
      inHand = collect();
      busy = messagesIn(inHand) >= BUSY;
    }
    const idle = inHand.length === 0;
    if (!idle) await settle(inHand);
    inHand = [];
    failedInHand.clear();
    status = 'running';
    return idle ? CONTROL_MS : 0;
  }

  function deliver(delivery: Delivery): void {
    collected.push(delivery);
    worker.wake();
  }

  /** What has come so far, up to a batch; a suspect alone. */
  function collect(): Delivery[] {
    let deliveries = 0;
    let messages = 0;
    for (const delivery of collected) {
      const suspect = suspects.suspicious(delivery);
      if (deliveries > 0 && (suspect || messages + delivery.messages.length > BATCH_MAX)) break;
      deliveries += 1;
      messages += delivery.messages.length;
      if (suspect) break;
    }
    return collected.splice(0, deliveries);
  }

  async function settle(deliveries: readonly Delivery[]): Promise<void> {
    const { sound, unsound } = sort(deliveries, routing);
    for (const { message, fault } of unsound) if (!failedInHand.has(message.id)) await fail(message, fault);
    const acquitted = suspects.acquitted(sound);
    const wanted = failedInHand.size === 0 ? acquitted : acquitted.filter(({ id }) => !failedInHand.has(id));
    if (suspects.suspicious(deliveries[0]!)) {
      suspected.inc({ service });
      for (const message of wanted) await handleSuspect(message);
    } else await handle(wanted);
    for (const delivery of deliveries) delivery.ack();
    await failpoint('consumer.after_ack');
  }

  /** All in one transaction; when that fails for a reason of one message, halves of it, the left one first, so that order is kept. */
  async function handle(messages: readonly Message[]): Promise<void> {
    if (messages.length === 0) return;
    const most = storm.most();
    if (messages.length > most) {
      await handle(messages.slice(0, most));
      return handle(messages.slice(most));
    }
    try {
      await transact(messages);
    } catch (error) {
      if (isOutage(error)) throw error;
      if (messages.length === 1) return fail(messages[0]!, error);
      const half = messages.length >> 1;
      await handle(messages.slice(0, half));
      await handle(messages.slice(half));
    }
  }

  async function transact(messages: readonly Message[], suspect = false): Promise<void> {
    await failpoint('consumer.before_tx');
    const seen = processing(traces, service, messages);
    const begun = world.now();
    for (let retries = 0; ; retries += 1) {
      try {
        const passedOver = await mailbox.write(async (unit) => {
          const count = await handleBatch(unit, routing, seen?.messages ?? messages, world);
          if (suspect) await forgetAttempts(unit.tx, messages);
          await failpoint('consumer.in_tx');
          return count;
        });
        consumerBatch.observe({ service }, messages.length);
        consumerTime.observe({ service }, (world.now() - begun) / 1_000);
        const { time, attempt, redrive } = messages[0]!;
        if (attempt === undefined && redrive === undefined) messageWait.observe({ service }, Math.max(0, begun - time) / 1_000);
        consumed.inc({ service, outcome: 'handled' }, messages.length - passedOver);
        if (passedOver > 0) consumed.inc({ service, outcome: 'passed_over' }, passedOver);
        seen?.end();
        storm.handled(messages.length);
        break;
      } catch (error) {
        if (codeOf(error) !== 'conflict' || retries === CONFLICT_RETRIES) {
          seen?.end(error);
          throw error;
        }
        await world.sleep(20 + world.random() * 180);
      }
    }
    await failpoint('consumer.after_commit');
  }

  function handleSuspect(message: Message): Promise<void> {
    const handle = async (): Promise<void> => {
      try {
        await transact([message], true);
      } catch (error) {
        if (isOutage(error)) throw error;
        await fail(message, error);
      }
    };
    return suspects.attempt(message, handle, (fault) => fail(message, fault));
  }

  async function fail(message: Message, error: unknown): Promise<void> {
    const verdict = await mailbox.write(async (unit) => {
      const reached = await recordFailure(unit, message, error, { queue: service, world });
      await failpoint('failure.before_commit');
      return reached;
    });
    await failpoint('failure.after_commit');
    failedInHand.add(message.id);
    storm.failed(message, error);
    consumed.inc({ service, outcome: verdict }, 1);
    failures.inc({ service, class: classOf(error) });
    note(error);
    const { id, type, correlationid, attempt = 0, traceparent } = message;
    const about = { err: error, message: id, type, correlation: correlationid, attempt: attempt + 1, ...traceIds(traceparent) };
    if (verdict === 'dead') log.error(about, 'a message was given up and is a dead letter');
    else
      log.warn(about, verdict === 'retry' ? 'a message failed and will be tried again' : 'an old copy of a message failed; its retry is on its way');
  }

  function note(error: unknown): void {
    lastError = { text: error instanceof Error ? error.message : String(error), at: world.now() };
  }

  /** Gives back what is not begun. */
  async function letGo(): Promise<void> {
    await consumption?.cancel();
    consumption = undefined;
    for (const delivery of [...inHand, ...collected.splice(0)]) delivery.release();
    inHand = [];
    failedInHand.clear();
  }

  const worker = loop({
    name: `${service} consumer`,
    world,
    turn,
    failed(error) {
      status = 'waiting';
      note(error);
      log.warn({ err: error }, 'consuming waits; nothing is lost or counted, the same batch again after a rest');
    },
  });

  return {
    ...runnable(
      `${service} consumer`,
      async () => {
        await suspects.load();
        await transport.declare([queueOf(service, subscriptions)]);
        status = 'running'; // its first turn may find otherwise
        await worker.start();
      },
      async () => {
        await consumption?.cancel();
        await worker.stop();
        await letGo();
        status = 'elsewhere';
      },
    ),
    activity: () => ({ status, last_error: lastError?.text ?? null, last_error_at: lastError?.at ?? null }),
    poke() {
      controlAt = 0;
      worker.wake();
    },
  };
}

const messagesIn = (deliveries: readonly Delivery[]): number => deliveries.reduce((sum, { messages }) => sum + messages.length, 0);
