/**
 * Everything a service needs to say and to hear, put together: the composition root calls `messagingFor` once a service.
 *
 * Start the transport first, declare the queues of all services on it, then start relays, schedulers and consumers; stop in the reverse
 * order. A part that runs in another process is simply not started here.
 */
import type { Message } from '../contracts/envelope.ts';
import type { Database } from '../db/database.ts';
import type { MigrationSet } from '../db/migrate.ts';
import { Fault } from '../kernel/errors.ts';
import { type Runnable, runnable, startAll, stopAll } from '../kernel/lifecycle.ts';
import type { LockWord } from '../kernel/lock.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { type Consumer, openConsumer } from './consumer.ts';
import { type ConsumerActivity, type ConsumerState, consumerState, writePause } from './control.ts';
import { bury, resolve } from './dead-letters.ts';
import { openJanitor } from './janitor.ts';
import { openJobRunner } from './job-runner.ts';
import { type Mailbox, openMailbox } from './mailbox.ts';
import { meteredTransport } from './metering.ts';
import { type Pack, removePacks } from './outbox.ts';
import { openRelay } from './relay.ts';
import type { Subscription } from './service.ts';
import { openTimekeeper } from './timekeeper.ts';
import { openScheduler } from './timers.ts';
import { openConversations, tracedTransport } from './tracing.ts';
import type { Transport } from './transport.ts';

/** The tables of a mailbox; they belong into every service's database, before the service's own. */
export const mailboxMigrations: MigrationSet = { room: 'messaging', folder: new URL('./migrations/', import.meta.url) };

export interface MessagingOptions {
  readonly service: string;
  /** Into how many parts its outbox is divided, so that as many relays can share it; 1 when absent. The same in all processes. */
  readonly shards?: number | undefined;
  /** Other processes write into the same outbox, too; found out when absent. */
  readonly divided?: boolean | undefined;
  readonly db: Database;
  readonly world: World;
  readonly telemetry: Telemetry;
  readonly transport: Transport;
  /** Relay and consumer of the service run in another thread, which is told and asked. */
  readonly elsewhere?: Elsewhere | undefined;
  readonly suspectsLock?: LockWord | undefined;
}

/** The thread that runs the relay and the consumer of a service, as the others see it. */
export interface Elsewhere {
  /** Something was said here: there are rows to publish. */
  said(): void;
  /** The consumer was paused or resumed. */
  poke(): void;
  activity(): Promise<ConsumerActivity>;
}

export interface Messaging {
  readonly service: string;
  readonly mailbox: Mailbox;
  /** Keeps time from going back over a restart. Started first, in every process. */
  readonly timekeeper: Runnable;
  /** Sends what was said. Several of a service share the shards of its outbox; each shard has one relay at a time. */
  readonly relay: Runnable;
  /** Says what was to be said later, forgets what was kept for a time only, and works on jobs over dead letters. */
  readonly scheduler: Runnable;
  /** Hears, and calls the subscriptions. Once a process. */
  consumer(subscriptions: readonly Subscription[]): Consumer;
  /** What runs here, for other threads. */
  readonly here: Elsewhere;
  readonly control: ConsumerControl;
  /** What this process knows of the consumer. */
  activity(): Promise<ConsumerActivity>;
}

/** The consumer of the service as operators see it, from whichever process. */
export interface ConsumerControl {
  state(): Promise<ConsumerState>;
  pause(reason: string, actor: string): Promise<void>;
  resume(actor: string): Promise<void>;
}

export function messagingFor(options: MessagingOptions): Messaging {
  const { service, shards, divided, db, world, telemetry, transport, elsewhere, suspectsLock } = options;
  let running: Consumer | undefined;
  const traces = telemetry.tracer && { tracer: telemetry.tracer, conversations: openConversations() };
  const seen = tracedTransport(meteredTransport(transport, service, telemetry.metrics, world), traces, service);
  const relay = openRelay({ service, shards, divided, db, world, telemetry, transport: seen, unroutable, confirmed });
  const mailbox = openMailbox({ service, shards, db, world, committed: elsewhere === undefined ? relay.offer : elsewhere.said, traces });

  /** A command nobody can take is given up at once, where people see it; it would hold up nothing, but nobody would ever act on it either. */
  async function unroutable(packs: readonly Pack[]): Promise<void> {
    await mailbox.write(async (unit) => {
      for (const { type, destination, messages } of packs) {
        const fault = new Fault('unroutable', `no queue takes ${destination === null ? type : `what is for ${destination}`}`);
        await bury(unit, messages, fault, { world, destination, attempts: 1, firstAt: unit.now });
      }
      await removePacks(unit.tx, packs);
    });
  }

  async function confirmed(packs: readonly Pack[], redriven: readonly Message[]): Promise<void> {
    if (redriven.length === 0) await db.write((tx) => removePacks(tx, packs), { forgetful: true });
    else {
      await mailbox.write(async (unit) => {
        await removePacks(unit.tx, packs);
        await resolve(unit, redriven);
      });
    }
  }

  async function setPaused(paused: boolean, reason: string, actor: string): Promise<void> {
    await writePause(db, service, { paused, reason, actor, changed_at: world.now() });
    (elsewhere ?? here).poke();
  }

  const activity = (): Promise<ConsumerActivity> => (elsewhere ?? here).activity();
  const here: Elsewhere = {
    said: relay.lookNow,
    poke: () => running?.poke(),
    activity: async () => running?.activity() ?? { status: 'elsewhere', last_error: null, last_error_at: null },
  };

  const clocked = [openScheduler(mailbox, telemetry), openJanitor(mailbox, telemetry), openJobRunner(mailbox, telemetry)];
  return {
    service,
    mailbox,
    timekeeper: openTimekeeper(service, db, world, telemetry),
    relay,
    scheduler: runnable(
      `${service} scheduler`,
      () => startAll(clocked),
      () => stopAll(clocked),
    ),
    consumer(subscriptions) {
      running = openConsumer({ mailbox, transport, telemetry, subscriptions, suspectsLock });
      return running;
    },
    here,
    activity,
    control: {
      state: async () => consumerState(db, transport, service, await activity()),
      pause: (reason, actor) => setPaused(true, reason, actor),
      resume: (actor) => setPaused(false, '', actor),
    },
  };
}
