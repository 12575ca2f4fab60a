/**
 * Gaps: a strict subscription has a message of a stream and lacks one before it.
 *
 *            a message comes too soon                 the missing one comes
 *   (none) ─────────────────────────────> gap, open ────────────────────────> (none)
 *                                          │     ^
 *              older than the limit: a person    │ behind it there may be another one
 *              skips it, and says why            │
 *                                          └─────┴──> the missing places are given up for good; what waits goes on
 *
 * A gap closes by itself when what is missing comes: late, after its retries, or redriven from its dead letter. Only when nobody
 * knows where it is a person gives it up, after the limit, because what comes after all then has no place any more: it becomes a dead
 * letter, `sequence_skipped`, and is not passed over as a duplicate would be.
 *
 * A skip moves the gate and sends the first message that waits to its consumer again, in one transaction; the rest follows it from there.
 */
import { z } from 'zod';
import type { Message } from '../contracts/envelope.ts';
import { decodeCursor } from '../contracts/rest.ts';
import { type Database, type Reader, type Tx, statement } from '../db/database.ts';
import { Fault, Refusal } from '../kernel/errors.ts';
import { rfc3339 } from '../kernel/time.ts';
import type { Mailbox, Unit } from './mailbox.ts';

export interface Gap {
  readonly seq: number;
  /** The subscription. */
  readonly consumer: string;
  readonly stream: string;
  readonly source: string;
  readonly subject: string;
  /** The order the first message that waits belongs to, where there is one. */
  readonly correlationid: string;
  readonly missing_from: number;
  readonly missing_to: number;
  /** Messages that wait, behind this gap and others of the stream. */
  readonly waiting: number;
  readonly since: number;
  /** The dead letter that is what is missing, or a part of it. */
  readonly dead_letter_id: string | null;
}

export interface GapSkip {
  readonly seq: number;
  readonly consumer: string;
  readonly stream: string;
  readonly correlationid: string;
  readonly missing_from: number;
  readonly missing_to: number;
  readonly at: number;
  readonly actor: string;
  readonly reason: string;
}

type GapRow = Omit<Gap, 'seq' | 'dead_letter_id'>;

const forget = statement<{ consumer: string; stream: string; missing_from: number }>(
  { consumer: 'text', stream: 'text', missing_from: 'bigint' },
  (rows) => `
    delete from gap where seq in (
      select g.seq from ${rows} join gap g on g.consumer = row.consumer and g.stream = row.stream where g.missing_from <> row.missing_from)`,
);
const upsert = statement<GapRow>(
  {
    consumer: 'text',
    stream: 'text',
    source: 'text',
    subject: 'text',
    correlationid: 'text',
    missing_from: 'bigint',
    missing_to: 'bigint',
    waiting: 'bigint',
    since: 'bigint',
  },
  (rows) => `
    insert into gap (consumer, stream, source, subject, correlationid, missing_from, missing_to, waiting, since)
    select row.consumer, row.stream, row.source, row.subject, row.correlationid, row.missing_from, row.missing_to, row.waiting, row.since from ${rows} where true
    on conflict (consumer, stream) do update set missing_to = excluded.missing_to, waiting = excluded.waiting`,
);

/** A stream of which something waits, or waited before this batch. */
export interface Behind {
  readonly stream: string;
  /** The last sequence handled. */
  readonly last: number;
  readonly waiting: readonly Message[];
}

/** The gap at the head of what waits; undefined when nothing does, or when what waits is next and only has to come again. Pure. */
export function gapOf(consumer: string, { stream, last, waiting }: Behind, now: number): GapRow | undefined {
  if (waiting.length === 0) return undefined;
  const first = waiting.reduce((least, message) => (message.sequence! < least.sequence! ? message : least));
  if (first.sequence! <= last + 1) return undefined;
  const { source, subject, correlationid } = first;
  const missing = { missing_from: last + 1, missing_to: first.sequence! - 1 };
  return { consumer, stream, source, subject, correlationid, ...missing, waiting: waiting.length, since: now };
}

/** Keeps what is known of gaps in step with the gate, in its transaction. */
export async function noteGaps(tx: Tx, consumer: string, streams: readonly Behind[], now: number): Promise<void> {
  const gaps = streams.map((behind) => ({ stream: behind.stream, gap: gapOf(consumer, behind, now) }));
  await tx.run(
    forget,
    gaps.map(({ stream, gap }) => ({ consumer, stream, missing_from: gap?.missing_from ?? 0 })),
  );
  await tx.run(
    upsert,
    gaps.flatMap(({ gap }) => gap ?? []),
  );
}

const findSkipped = statement<
  { consumer: string; stream: string; sequence: number },
  { stream: string; sequence: number; actor: string; reason: string }
>(
  { consumer: 'text', stream: 'text', sequence: 'bigint' },
  (rows) => `
    select row.stream, row.sequence, s.actor, s.reason from ${rows} join gap_skip s
      on s.consumer = row.consumer and s.stream = row.stream and s.missing_from <= row.sequence and s.missing_to >= row.sequence`,
);

/** Throws the Fault `sequence_skipped` for a message whose place was given up: it would look like a duplicate, and was never handled. */
export async function refuseSkipped(tx: Tx, consumer: string, late: readonly Message[]): Promise<void> {
  const [skipped] = await tx.run(
    findSkipped,
    late.map(({ source, subject, sequence }) => ({ consumer, stream: `${source}:${subject}`, sequence: sequence! })),
  );
  if (skipped === undefined) return;
  const { stream, sequence, actor, reason } = skipped;
  throw new Fault('sequence_skipped', `message ${sequence} of ${stream} came after ${actor} had given its place up: ${reason}`);
}

const DEAD = `
  select d.id from dead_letter d where d.subject = gap.subject and d.sequence >= gap.missing_from and d.sequence <= gap.missing_to
    and d.source = gap.source and d.status in ('open', 'redriving') order by d.sequence limit 1`;
const FIELDS = `gap.seq, gap.consumer, gap.stream, gap.source, gap.subject, gap.correlationid, gap.missing_from, gap.missing_to, gap.waiting, gap.since,
  (${DEAD}) as dead_letter_id`;

export interface GapsAsked {
  /** Only those since then or longer, milliseconds UTC. */
  readonly before: number;
  readonly correlationid?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Breaks ties between the lists of several services that are put together. */
  readonly service: string;
}

export const gapCursorSchema = z.tuple([z.int(), z.string(), z.int()]);
/** The sort key of a gap in the list of all services. */
export const gapKey = ({ since, seq }: Gap, service: string): [number, string, number] => [since, service, seq];

/** Gaps of one service, the oldest first; `limit + 1` at most. */
export function listGaps(db: Database, { before, correlationid, cursor, limit, service }: GapsAsked): Promise<Gap[]> {
  const [since, last, seq] = decodeCursor(cursor, gapCursorSchema) ?? [0, '', 0];
  const after = service > last ? 0 : service < last ? Number.MAX_SAFE_INTEGER : seq;
  const parameters: (string | number)[] = [before, since, after, limit + 1];
  const of = correlationid === undefined ? '' : `and gap.correlationid = $${parameters.push(correlationid)}`;
  return db.read.raw<Gap>(
    `select ${FIELDS} from gap where gap.since <= $1 and gap.since >= $2 and (gap.since > $2 or gap.seq > $3) ${of} order by gap.since, gap.seq limit $4`,
    parameters,
  );
}

/** A gap. Throws the Refusal `gap_not_found`: it may have closed. */
async function getGap(reader: Reader, seq: number): Promise<Gap> {
  const [gap] = await reader.raw<Gap>(`select ${FIELDS} from gap where seq = $1`, [seq]);
  if (gap === undefined) throw notFound();
  return gap;
}

const notFound = (): Refusal => new Refusal('gap_not_found', 'there is no such gap; it may have closed');

/** Gaps told under the name they have at the doors: the service and the number there. */
export const gapId = (service: string, { seq }: Pick<Gap, 'seq'>): string => `${service}-${seq}`;

/** What is missing for too long in streams of an order, in one service; a few of them are enough to say so. */
export async function overdueGapsOf(
  { service, db, world }: Pick<Mailbox, 'service' | 'db' | 'world'>,
  correlationid: string,
  gapLimit: number,
): Promise<(Gap & { readonly id: string; readonly service: string; readonly overdue_at: number })[]> {
  const gaps = await listGaps(db, { before: world.now() - gapLimit, correlationid, limit: OVERDUE_MAX, service });
  return gaps.map((gap) => ({ ...gap, id: gapId(service, gap), service, overdue_at: gap.since + gapLimit }));
}
const OVERDUE_MAX = 9;

/** Gaps and messages that wait behind them; `overdue` are those since `before` or longer. */
export async function countGaps(
  db: Database,
  before: number,
): Promise<{ readonly gaps: number; readonly overdue: number; readonly waiting: number; readonly since: number | null }> {
  const [row] = await db.read.raw<{ gaps: number; overdue: number; waiting: number; since: number | null }>(
    `select cast(count(*) as bigint) as gaps, cast(coalesce(sum(case when since <= $1 then 1 else 0 end), 0) as bigint) as overdue,
       cast(coalesce(sum(waiting), 0) as bigint) as waiting, min(since) as since from gap`,
    [before],
  );
  return row!;
}

const moveGate = statement<{ consumer: string; stream: string; missing_from: number; missing_to: number; at: number }, { last_sequence: number }>(
  { consumer: 'text', stream: 'text', missing_from: 'bigint', missing_to: 'bigint', at: 'bigint' },
  (rows) => `
    update stream_gate set last_sequence = row.missing_to, updated_at = row.at from ${rows}
    where stream_gate.consumer = row.consumer and stream_gate.stream = row.stream and stream_gate.last_sequence = row.missing_from - 1
    returning stream_gate.last_sequence`,
);
const insertSkip = statement<Omit<GapSkip, 'seq'>>(
  {
    consumer: 'text',
    stream: 'text',
    correlationid: 'text',
    missing_from: 'bigint',
    missing_to: 'bigint',
    at: 'bigint',
    actor: 'text',
    reason: 'text',
  },
  (rows) => `
    insert into gap_skip (consumer, stream, correlationid, missing_from, missing_to, at, actor, reason)
    select row.consumer, row.stream, row.correlationid, row.missing_from, row.missing_to, row.at, row.actor, row.reason from ${rows}`,
);

export interface Skip {
  readonly actor: string;
  readonly reason: string;
  /** How long a gap must have lasted, milliseconds. */
  readonly limit: number;
  /** The queue of the consumer. */
  readonly queue: string;
}

/**
 * Gives what is missing up, so that what waits goes on. Throws the Refusals `gap_not_found`, `gap_is_young` and `gap_has_dead_letter`.
 */
export async function skipGap(unit: Unit, seq: number, { actor, reason, limit, queue }: Skip): Promise<void> {
  const { tx, now } = unit;
  const { consumer, stream, source, subject, correlationid, missing_from, missing_to, since, dead_letter_id } = await getGap(tx, seq);
  const what = `message ${missing_from === missing_to ? missing_from : `${missing_from} to ${missing_to}`} of ${source} about ${subject}`;
  if (now - since < limit)
    throw new Refusal(
      'gap_is_young',
      `${what} is missing since ${rfc3339(since)} and may still come: it can be given up from ${rfc3339(since + limit)} on`,
    );
  if (dead_letter_id !== null)
    throw new Refusal('gap_has_dead_letter', `${what} is not lost: it is dead letter ${dead_letter_id}. Redrive it, or discard it first`);
  const moved = await tx.run(moveGate, [{ consumer, stream, missing_from, missing_to, at: now }]);
  if (moved.length === 0) throw notFound();
  await tx.run(insertSkip, [{ consumer, stream, correlationid, missing_from, missing_to, at: now, actor, reason }]);
  await tx.run(forget, [{ consumer, stream, missing_from: 0 }]);
  const [next] = await tx.raw<{ message: string }>('select message from parked where consumer = $1 and stream = $2 and sequence = $3', [
    consumer,
    stream,
    missing_to + 1,
  ]);
  if (next === undefined) throw notFound();
  unit.forward([JSON.parse(next.message) as Message], queue);
}

/** What was given up, the newest first, up to a moment and in it below a number; `limit + 1` at most. */
export const listSkips = (
  db: Database,
  { at = Number.MAX_SAFE_INTEGER, below = Number.MAX_SAFE_INTEGER, limit }: { readonly at?: number; readonly below?: number; readonly limit: number },
): Promise<GapSkip[]> =>
  db.read.raw<GapSkip>('select * from gap_skip where at <= $1 and (at < $1 or seq < $2) order by at desc, seq desc limit $3', [at, below, limit + 1]);
