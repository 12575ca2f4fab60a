/**
 * A service's mailbox: its database with everything that makes messages survive. Use-cases are handed a `Unit`, one transaction
 * with a way to say things; what is said becomes outbox rows of that same transaction, and after the commit the relay is told.
 */
import { HOPS_MAX, type Message } from '../contracts/envelope.ts';
import { type DataOf, type MessageType, schemaOf } from '../contracts/messages.ts';
import type { Database, Tx } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { failpoint } from '../kernel/failpoints.ts';
import type { Span } from '../kernel/tracing.ts';
import type { World } from '../kernel/world.ts';
import { type Pack, packsOf, appendPacks } from './outbox.ts';
import { type Timer, cancelTimers, setTimers } from './scheduler.ts';
import { type Traces, created } from './tracing.ts';

/** What somebody wants said; the rest of the envelope is filled in by `say`. */
export interface Saying<T extends MessageType = MessageType> {
  readonly type: T;
  /** The id the message is about. */
  readonly subject: string;
  readonly data: DataOf<T>;
  /** Position in the stream of the subject; events only. */
  readonly sequence?: number;
  /** The order the conversation belongs to; `subject` when absent. */
  readonly correlationid?: string;
  /** The message that led to this; none when a request did. */
  readonly cause?: Pick<Message, 'id' | 'hops' | 'correlationid' | 'traceparent'>;
  /** The span that led to this, where no message did; that of the unit when absent. */
  readonly traceparent?: string | undefined;
  /** Set when the id must be known or derived beforehand. */
  readonly id?: string;
}

/** One transaction of one service, with a way to say things. */
export interface Unit {
  readonly tx: Tx;
  /** Milliseconds UTC; the same throughout the unit. */
  readonly now: number;
  /** Says things, once the unit commits. Throws a Fault when one does not fit its contract. */
  say<T extends MessageType>(sayings: readonly Saying<T>[]): void;
  /** Sends messages as they are, ids included, to one queue, or to whoever takes them (null): timers that are due, redrives. */
  forward(messages: readonly Message[], destination: string | null): void;
  /** Says a thing later, unless cancelled before: one timer a key, setting it again replaces it. */
  setTimers(timers: readonly TimerSaying[]): Promise<void>;
  cancelTimers(keys: readonly string[]): Promise<void>;
}

export interface TimerSaying {
  readonly key: string;
  /** Milliseconds UTC. */
  readonly dueAt: number;
  readonly saying: Saying;
}

export interface Mailbox {
  /** The service whose mailbox this is. */
  readonly service: string;
  readonly db: Database;
  readonly world: World;
  readonly traces?: Traces | undefined;
  /**
   * Runs `work` in one transaction and sends what it said after the commit. Throws what `work` throws; then nothing was changed.
   *
   * @param traceparent  the span of the request the unit is for, when it is for one
   */
  write<T>(work: (unit: Unit) => Promise<T>, traceparent?: string): Promise<T>;
}

export interface MailboxOptions {
  readonly service: string;
  /** Of its outbox; 1 when absent. */
  readonly shards?: number | undefined;
  readonly db: Database;
  readonly world: World;
  /** Told of packs after their commit: the relay's short way, which saves reading them back. */
  committed(packs: readonly Pack[]): void;
  readonly traces?: Traces | undefined;
}

export function openMailbox({ service, shards = 1, db, world, committed, traces }: MailboxOptions): Mailbox {
  async function unit<T>(tx: Tx, work: (unit: Unit) => Promise<T>, traceparent?: string): Promise<T> {
    const said: Message[] = [];
    const forwarded: Pack[] = [];
    const now = world.now();
    const sender: Sender = { service, now, world, traceparent, traces };
    const spans: Span[] = [];
    const envelope = (saying: Saying): Message => {
      const message = toMessage(saying, sender);
      return traces === undefined ? message : created(traces.tracer, message, spans);
    };
    const result = await work({
      tx,
      now,
      say(sayings) {
        for (const saying of sayings) said.push(envelope(saying));
      },
      forward(messages, destination) {
        forwarded.push(...packsOf(messages, destination, shards));
      },
      setTimers: (timers) =>
        setTimers(
          tx,
          timers.map(({ key, dueAt, saying }): Timer => ({ key, due_at: dueAt, message: envelope(saying) })),
        ),
      cancelTimers: (keys) => cancelTimers(tx, keys),
    });
    if (said.length + forwarded.length > 0) {
      const packs = await appendPacks(tx, [...packsOf(said, null, shards), ...forwarded], now);
      tx.afterCommit(() => committed(packs));
    }
    if (spans.length > 0) tx.afterCommit(() => spans.forEach((span) => span.end()));
    await failpoint('unit.before_commit');
    return result;
  }
  return {
    service,
    db,
    world,
    traces,
    async write(work, traceparent) {
      const result = await db.write((tx) => unit(tx, work, traceparent));
      await failpoint('unit.after_commit');
      return result;
    },
  };
}

interface Sender {
  readonly service: string;
  readonly now: number;
  readonly world: World;
  /** Of the unit. */
  readonly traceparent: string | undefined;
  readonly traces: Traces | undefined;
}

function toMessage(saying: Saying, sender: Sender): Message {
  const { service, now, world, traces } = sender;
  const schema = schemaOf(saying.type);
  const checked = schema?.safeParse(saying.data);
  if (!checked?.success)
    throw new Fault('contract_violation', `${saying.type} does not fit its contract: ${checked?.error.message ?? 'nobody defined it'}`);
  const hops = (saying.cause?.hops ?? 0) + 1;
  if (hops > HOPS_MAX) throw new Fault('too_many_hops', `${saying.type} about ${saying.subject} is message ${hops} of one chain`);
  const correlationid = saying.correlationid ?? saying.cause?.correlationid ?? saying.subject;
  const traceparent = saying.cause?.traceparent ?? saying.traceparent ?? sender.traceparent ?? traces?.conversations.of(correlationid);
  return {
    id: saying.id ?? world.id('msg'),
    type: saying.type,
    source: service,
    time: now,
    subject: saying.subject,
    ...(saying.sequence === undefined ? {} : { sequence: saying.sequence }),
    partitionkey: correlationid,
    correlationid,
    ...(saying.cause === undefined ? {} : { causationid: saying.cause.id }),
    ...(traceparent === undefined ? {} : { traceparent }),
    hops,
    data: checked.data,
  };
}
