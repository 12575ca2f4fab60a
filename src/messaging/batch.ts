/**
 * One batch in one transaction: runs of messages for the same subscription, deduped, handled, and what failed before put to rest.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HOPS_MAX, type Message } from '../contracts/envelope.ts';
import { schemaOf } from '../contracts/messages.ts';
import { UPCASTS, type Upcast, upcast } from '../contracts/upcasts.ts';
import type { Tx } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import { resolve } from './dead-letters.ts';
import { freshOf } from './dedupe.ts';
import { forgetFailures } from './failures.ts';
import type { Unit } from './mailbox.ts';
import type { Subscription } from './service.ts';
import type { Delivery, Told } from './transport.ts';

/** Handlers of one batch may take this long. The database ends a transaction that stands still sooner. */
const DEADLINE_MS = 60_000;

/** Which subscriptions take a type. The same array for the same set, so that runs can be told by identity. */
export type Routing = ReadonlyMap<string, readonly Subscription[]>;

/** Throws when two subscriptions would file their dedupe rows under one name. */
export function routingOf(subscriptions: readonly Subscription[]): Routing {
  const names = subscriptions.map(filedUnder);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`two subscriptions are filed under ${twice}: give one of them a name`);
  const sets = new Map<string, readonly Subscription[]>();
  const routing = new Map<string, readonly Subscription[]>();
  for (const type of new Set(subscriptions.flatMap(({ types }) => types))) {
    const takers = subscriptions.filter(({ types }) => types.includes(type));
    const key = takers.map(filedUnder).join('\n');
    sets.set(key, sets.get(key) ?? takers);
    routing.set(type, sets.get(key)!);
  }
  return routing;
}

const filedUnder = ({ name, types }: Subscription): string => name ?? types[0]!;

/** Messages that can be handled, and those that never can, each with the reason. */
export interface Sorted {
  readonly sound: readonly Message[];
  readonly unsound: readonly { readonly message: Message; readonly fault: Fault }[];
}

/**
 * Checks what this process has not checked itself, and what is redriven: it may be a dead letter because it breaks its contract. What was
 * said in a type whose place another one took is read as that. Pure.
 */
export function sort(deliveries: readonly Delivery[], routing: Routing, upcasts: readonly Upcast[] = UPCASTS): Sorted {
  const sound: Message[] = [];
  const unsound: { message: Message; fault: Fault }[] = [];
  for (const delivery of deliveries) {
    if (delivery.undecodable !== undefined) unsound.push(undecodable(delivery.undecodable, 'it is not JSON', delivery.about));
    for (const message of delivery.messages) {
      const trusted = delivery.trusted === true && message.redrive === undefined && routing.has(message.type);
      const checked = trusted ? { message } : check(message, routing, upcasts);
      if (checked.fault === undefined) sound.push(checked.message);
      else unsound.push({ message: checked.message, fault: checked.fault });
    }
  }
  return { sound, unsound };
}

/** No control characters: these are columns of rows, and PostgreSQL keeps no NUL. */
const text = z
  .string()
  .max(200)
  .regex(/^\P{Cc}*$/u);
const envelopeSchema = z.object({
  id: text.min(1).max(64),
  type: text.min(1),
  source: text,
  time: z.int(),
  subject: text,
  sequence: z.int().min(1).optional(),
  partitionkey: text,
  correlationid: text,
  hops: z.int().min(0),
  attempt: z.int().min(0).optional(),
  redrive: text.optional(),
});

interface Checked {
  /** As it is to be handled, or as it came when there is a fault. */
  readonly message: Message;
  readonly fault?: Fault;
}

function check(message: Message, routing: Routing, upcasts: readonly Upcast[]): Checked {
  const envelope = envelopeSchema.safeParse(message);
  if (!envelope.success) return undecodable(JSON.stringify(message), z.prettifyError(envelope.error), message);
  const about = `${message.type} about ${message.subject}`;
  const violation = (why: string): Checked => ({ message, fault: new Fault('contract_violation', `${about}: ${why}`) });
  if (message.hops > HOPS_MAX) return { message, fault: new Fault('too_many_hops', `${about} is message ${message.hops} of one chain`) };
  if (schemaOf(message.type) === undefined) return violation('nobody defined this type');
  const broken = breachOf(message);
  if (broken !== undefined) return violation(broken);
  if (routing.has(message.type)) return { message };
  try {
    const read = upcast(message, (type) => routing.has(type), upcasts);
    if (read === message) return violation('no subscription here takes this type');
    const spoilt = breachOf(read);
    return spoilt === undefined ? { message: read } : violation(`read as ${read.type}: ${spoilt}`);
  } catch (error) {
    return violation(`cannot be read as another type: ${String(error)}`);
  }
}

/** How a message breaks the contract of its type, in words. */
function breachOf({ type, data }: Message): string | undefined {
  const checked = schemaOf(type)?.safeParse(data);
  return checked?.success === false ? z.prettifyError(checked.error) : undefined;
}

/**
 * An envelope for what has none, out of what was told beside it: so that the order that waits for it can say so. The id is of the content and of
 * the id told, so that copies of one message are one dead letter, and two messages spoilt alike are two.
 */
export function undecodable(raw: string, why: string, about: Told = {}): { message: Message; fault: Fault } {
  const told = credible(about);
  const hash = createHash('sha256')
    .update(raw)
    .update(told.id === undefined ? '' : `\n${told.id}`);
  const id = `raw_${hash.digest('hex').slice(0, 40)}`;
  const correlationid = told.correlationid ?? told.subject ?? id;
  const { type = 'undecodable', source = '', time = 0, subject = id, partitionkey = correlationid, sequence } = told;
  const place = sequence === undefined ? {} : { sequence };
  const message: Message = { id, type, source, time, subject, ...place, partitionkey, correlationid, hops: 1, data: raw };
  const name = [told.type, told.id, told.source && `from ${told.source}`, told.subject && `about ${told.subject}`].filter(Boolean).join(' ');
  return { message, fault: new Fault('contract_violation', `${name === '' ? 'a message' : name} cannot be decoded: ${why}`) };
}

/** Of what was told, what an envelope may hold. */
function credible(about: Told): Told {
  const fields = envelopeSchema.shape;
  const names = ['id', 'type', 'source', 'time', 'subject', 'sequence', 'partitionkey', 'correlationid'] as const;
  return Object.fromEntries(
    names
      .filter((name) => about[name] !== undefined && about[name] !== '' && fields[name].safeParse(about[name]).success)
      .map((name) => [name, about[name]]),
  );
}

/** Handles sound messages in the transaction of `unit`. Answers how many of them were duplicates, parked or stale. */
export async function handleBatch(unit: Unit, routing: Routing, messages: readonly Message[], world: World): Promise<number> {
  let passedOver = 0;
  const deadline = openDeadline(unit, world);
  try {
    for (const { takers, run } of runsOf(routing, messages)) {
      for (const taker of takers) {
        const fresh = await freshOf(unit.tx, filedUnder(taker), taker.dedupe, run, unit.now);
        passedOver += Math.max(0, run.length - fresh.length);
        if (fresh.length > 0) await deadline.within(taker.handle(deadline.unit, fresh as Parameters<Subscription['handle']>[1]));
      }
    }
  } finally {
    deadline.close();
  }
  await forgetFailures(
    unit.tx,
    messages.filter(({ attempt, redrive }) => attempt !== undefined || redrive !== undefined),
  );
  await resolve(
    unit,
    messages.filter(({ redrive }) => redrive !== undefined),
  );
  return passedOver;
}

/** Consecutive messages that the same subscriptions take. Pure. */
export function runsOf(routing: Routing, messages: readonly Message[]): { takers: readonly Subscription[]; run: Message[] }[] {
  const runs: { takers: readonly Subscription[]; run: Message[] }[] = [];
  for (const message of messages) {
    const takers = routing.get(message.type) ?? [];
    const last = runs.at(-1);
    if (last !== undefined && last.takers === takers) last.run.push(message);
    else runs.push({ takers, run: [message] });
  }
  return runs;
}

/** A handler that never comes back must not hold the transaction; and when it does come back late, it must find the transaction closed. */
function openDeadline(unit: Unit, world: World): { unit: Unit; within<T>(work: Promise<T>): Promise<T>; close(): void } {
  const bound = new AbortController();
  let open = true;
  const late = (): Fault => new Fault('internal', `a handler took longer than ${DEADLINE_MS / 1_000} s`);
  const expired = world.sleep(DEADLINE_MS, bound.signal).then(() => {
    if (!open) return;
    open = false;
    throw late();
  });
  expired.catch(() => undefined);
  const guard = <T>(act: () => Promise<T>): Promise<T> => (open ? act() : Promise.reject(late()));
  const tx: Tx = {
    ...unit.tx,
    run: (statement, rows) => guard(() => unit.tx.run(statement, rows)),
    query: (query, options) => guard(() => unit.tx.query(query, options)),
    raw: (sql, parameters) => guard(() => unit.tx.raw(sql, parameters)),
  };
  return {
    unit: { ...unit, tx },
    within: (work) => Promise.race([work, expired as Promise<never>]),
    close() {
      open = false;
      bound.abort('done');
    },
  };
}
