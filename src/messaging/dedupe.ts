/**
 * Which messages of a run are still to be handled. A fixed number of statements, whatever the number of messages.
 *
 * - `natural`: all; the handler's own rows know duplicates.
 * - `inbox`: those whose id is new. One said so long ago that its row may have been forgotten is refused as `outside_dedupe_window`; redriven
 *   from a dead letter that says so, it is taken: whoever sends it again knows then what nobody here can know.
 * - `latest`: those newer than the last sequence of their stream.
 * - `strict`: those that follow the last one without a gap, with what had been parked behind them; what is too new is parked.
 *
 * A gate row is locked before it is read, so that two processes at one stream wait for each other. Streams are taken in sorted order.
 */
import type { Message } from '../contracts/envelope.ts';
import { type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { INBOX_KEPT_MS } from './janitor.ts';
import { type Behind, noteGaps, refuseSkipped } from './gaps.ts';
import type { Dedupe } from './service.ts';

const insertInbox = statement<{ consumer: string; message_id: string; received_at: number }, { message_id: string }>(
  { consumer: 'text', message_id: 'text', received_at: 'bigint' },
  (rows) => `
    insert into inbox (consumer, message_id, received_at) select row.consumer, row.message_id, row.received_at from ${rows} where true
    on conflict (consumer, message_id) do nothing returning message_id`,
);

interface Gate {
  readonly consumer: string;
  readonly stream: string;
  readonly last_sequence: number;
}
/** Makes the row or changes nothing, and either way locks it and answers it: one statement for what would be three. */
const lockGates = statement<Omit<Gate, 'last_sequence'> & { updated_at: number }, Gate>(
  { consumer: 'text', stream: 'text', updated_at: 'bigint' },
  (rows) => `
    insert into stream_gate (consumer, stream, last_sequence, updated_at) select row.consumer, row.stream, 0, row.updated_at from ${rows} where true
    on conflict (consumer, stream) do update set last_sequence = stream_gate.last_sequence returning stream, last_sequence`,
);
const moveGates = statement<Gate & { updated_at: number }>(
  { consumer: 'text', stream: 'text', last_sequence: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update stream_gate set last_sequence = row.last_sequence, updated_at = row.updated_at from ${rows}
    where stream_gate.consumer = row.consumer and stream_gate.stream = row.stream`,
);

interface Parked {
  readonly consumer: string;
  readonly stream: string;
  readonly sequence: number;
}
const findParked = statement<Omit<Parked, 'sequence'>, { stream: string; sequence: number; message: string }>(
  { consumer: 'text', stream: 'text' },
  (rows) => `select p.stream, p.sequence, p.message from parked p join ${rows} on p.consumer = row.consumer and p.stream = row.stream`,
);
const insertParked = statement<Parked & { message: string; parked_at: number }>(
  { consumer: 'text', stream: 'text', sequence: 'bigint', message: 'text', parked_at: 'bigint' },
  (rows) => `
    insert into parked (consumer, stream, sequence, message, parked_at)
    select row.consumer, row.stream, row.sequence, row.message, row.parked_at from ${rows} where true on conflict (consumer, stream, sequence) do nothing`,
);
const deleteParked = statement<Parked>(
  { consumer: 'text', stream: 'text', sequence: 'bigint' },
  (rows) => `delete from parked where (consumer, stream, sequence) in (select row.consumer, row.stream, row.sequence from ${rows})`,
);

/** The messages to handle now, in order. `consumer` is the name the rows are filed under. */
export async function freshOf(tx: Tx, consumer: string, mode: Dedupe, messages: readonly Message[], now: number): Promise<readonly Message[]> {
  switch (mode) {
    case 'natural':
      return messages;
    case 'inbox':
      return inbox(tx, consumer, messages, now);
    case 'latest':
    case 'strict':
      return gate(tx, consumer, mode, messages, now);
  }
}

/** An hour less than rows are kept: for clocks that differ. */
export const WINDOW_MS = INBOX_KEPT_MS - 3_600_000;

const findRefused = statement<{ id: string }, { id: string }>(
  { id: 'text' },
  (rows) => `select d.id from dead_letter d join ${rows} on d.id = row.id where d.code = 'outside_dedupe_window'`,
);

/** Throws the Fault `outside_dedupe_window` for a message whose row may have been forgotten. A stranger's that does not say its time is new. */
async function refuseForgotten(tx: Tx, messages: readonly Message[], now: number): Promise<void> {
  const old = messages.filter(({ time }) => time > 0 && time < now - WINDOW_MS);
  if (old.length === 0) return;
  const redriven = old.flatMap(({ redrive }) => (redrive === undefined ? [] : [{ id: redrive }]));
  const permitted = new Set((await tx.run(findRefused, redriven)).map(({ id }) => id));
  for (const { redrive, type, subject, time } of old) {
    if (redrive !== undefined && permitted.has(redrive)) continue;
    const days = Math.floor((now - time) / (24 * 3_600_000));
    throw new Fault('outside_dedupe_window', `${type} about ${subject} was said ${days} days ago; whether it was handled then is forgotten`);
  }
}

async function inbox(tx: Tx, consumer: string, messages: readonly Message[], now: number): Promise<Message[]> {
  await refuseForgotten(tx, messages, now);
  const ids = [...new Set(messages.map(({ id }) => id))].sort();
  const inserted = await tx.run(
    insertInbox,
    ids.map((message_id) => ({ consumer, message_id, received_at: now })),
  );
  const fresh = new Set(inserted.map(({ message_id }) => message_id));
  return messages.filter(({ id }) => fresh.delete(id)); // the first of several with one id
}

async function gate(tx: Tx, consumer: string, mode: 'latest' | 'strict', messages: readonly Message[], now: number): Promise<Message[]> {
  const streams = [...new Set(messages.map(streamOf))].sort();
  const locked = await tx.run(
    lockGates,
    streams.map((stream) => ({ consumer, stream, updated_at: now })),
  );
  const before = new Map(locked.map(({ stream, last_sequence }) => [stream, last_sequence]));
  const parked =
    mode === 'latest'
      ? []
      : await tx.run(
          findParked,
          streams.map((stream) => ({ consumer, stream })),
        );
  const waiting = parked.map(({ message }) => JSON.parse(message) as Message);
  const outcome = passGate(mode, before, messages, waiting);
  if (mode === 'strict') await refuseSkipped(tx, consumer, outcome.late);

  const filed = (message: Message): Parked => ({ consumer, stream: streamOf(message), sequence: message.sequence! });
  await tx.run(
    insertParked,
    outcome.park.map((message) => ({ ...filed(message), message: JSON.stringify(message), parked_at: now })),
  );
  await tx.run(deleteParked, outcome.unpark.map(filed));
  await tx.run(
    moveGates,
    [...outcome.moved].map(([stream, last_sequence]) => ({ consumer, stream, last_sequence, updated_at: now })),
  );
  if (waiting.length + outcome.park.length > 0) await noteGaps(tx, consumer, leftBehind(before, waiting, outcome), now);
  return outcome.apply;
}

/** The streams something of waits, or waited before, and what waits now. Pure. */
function leftBehind(last: ReadonlyMap<string, number>, parked: readonly Message[], { park, unpark, moved }: GateOutcome): Behind[] {
  const gone = new Set(unpark.map(placeOf));
  const waiting = [...parked.filter((message) => !gone.has(placeOf(message))), ...park];
  const streams = new Set([...parked, ...park].map(streamOf));
  return [...streams].map((stream) => ({
    stream,
    last: moved.get(stream) ?? last.get(stream) ?? 0,
    waiting: waiting.filter((message) => streamOf(message) === stream),
  }));
}

export interface GateOutcome {
  /** To be handled now, in order. */
  readonly apply: Message[];
  /** Too new: a gap is before them. */
  readonly park: Message[];
  /** Were parked, and are among `apply` or have been overtaken. */
  readonly unpark: Message[];
  /** Not newer than what was handled before these came. */
  readonly late: Message[];
  /** Streams whose last sequence changed. */
  readonly moved: Map<string, number>;
}

/** The decision of a gate. Pure: `last` is the last sequence handled of each stream, `parked` what waits behind gaps. */
export function passGate(
  mode: 'latest' | 'strict',
  last: ReadonlyMap<string, number>,
  messages: readonly Message[],
  parked: readonly Message[],
): GateOutcome {
  const outcome: GateOutcome = { apply: [], park: [], unpark: [], late: [], moved: new Map() };
  const waiting = new Map(parked.map((message) => [placeOf(message), message]));
  for (const message of messages) {
    const stream = streamOf(message);
    const at = outcome.moved.get(stream) ?? last.get(stream) ?? 0;
    if (message.sequence! <= at) {
      if (message.sequence! <= (last.get(stream) ?? 0)) outcome.late.push(message);
      continue; // a duplicate, or older than what is known
    }
    if (mode === 'strict' && message.sequence! > at + 1) {
      if (!waiting.has(placeOf(message))) outcome.park.push(message);
      waiting.set(placeOf(message), waiting.get(placeOf(message)) ?? message);
      continue;
    }
    let next: Message | undefined = message;
    while (next !== undefined) {
      outcome.apply.push(next);
      outcome.moved.set(stream, next.sequence!);
      next = mode === 'strict' ? waiting.get(`${stream}\n${next.sequence! + 1}`) : undefined;
    }
  }
  const passed = (message: Message): boolean => message.sequence! <= (outcome.moved.get(streamOf(message)) ?? 0);
  outcome.unpark.push(...parked.filter(passed));
  return { ...outcome, park: outcome.park.filter((message) => !passed(message)) };
}

/** Source and subject. Throws a Fault when the message has no sequence: its sender does not keep the contract of the subscription. */
function streamOf(message: Message): string {
  if (message.sequence === undefined)
    throw new Fault('contract_violation', `${message.type} about ${message.subject} has no sequence, which its subscription needs`);
  return `${message.source}:${message.subject}`;
}

const placeOf = (message: Message): string => `${streamOf(message)}\n${message.sequence}`;
