/**
 * Dead letters: messages a consumer gave up, kept for people to look at, send again or discard. README.md draws their states.
 *
 * One row a message, with an append-only log of what happened to it. Each time a row becomes open the service says
 * `message.dead_lettered`, so that whoever waits for the message can say what it waits for.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HOPS_MAX, type Message } from '../contracts/envelope.ts';
import { decodeCursor, pageFrom } from '../contracts/rest.ts';
import { type Database, type Tx, statement } from '../db/database.ts';
import { type ErrorCode, Refusal, codeOf } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Unit } from './mailbox.ts';
import type { Page } from './service.ts';

export type DeadLetterStatus = 'open' | 'redriving' | 'resolved' | 'discarded';

export interface DeadLetter {
  readonly id: string;
  readonly message_id: string;
  /** The queue that gave it up and gets it again; null when no queue took it. */
  readonly destination: string | null;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  readonly correlationid: string;
  readonly code: ErrorCode;
  readonly error: string;
  readonly stack: string | null;
  /** The same for failures that look alike. */
  readonly fingerprint: string;
  readonly attempts: number;
  readonly redrives: number;
  readonly status: DeadLetterStatus;
  readonly first_failed_at: number;
  readonly changed_at: number;
  readonly message: Message;
}

export interface DeadLetterEvent {
  readonly at: number;
  readonly actor: string;
  readonly action: 'opened' | 'redriven' | 'reopened' | 'resolved' | 'discarded';
  readonly detail: string;
}

export interface DeadLetterFilter {
  readonly status?: DeadLetterStatus;
  readonly type?: string;
  readonly code?: string;
  readonly fingerprint?: string;
  readonly correlationid?: string;
}

type Row = Omit<DeadLetter, 'message'> & { readonly message: string };
type Tables = { dead_letter: Row };

const upsert = statement<Row, { id: string; message_id: string }>(
  {
    id: 'text',
    message_id: 'text',
    destination: 'text',
    type: 'text',
    source: 'text',
    subject: 'text',
    correlationid: 'text',
    code: 'text',
    error: 'text',
    stack: 'text',
    fingerprint: 'text',
    attempts: 'integer',
    redrives: 'integer',
    status: 'text',
    first_failed_at: 'bigint',
    changed_at: 'bigint',
    message: 'text',
  },
  (rows) => `
    insert into dead_letter
      (id, message_id, destination, type, source, subject, correlationid, code, error, stack, fingerprint, attempts, redrives, status, first_failed_at, changed_at, message)
    select row.id, row.message_id, row.destination, row.type, row.source, row.subject, row.correlationid, row.code, row.error, row.stack, row.fingerprint,
      row.attempts, row.redrives, row.status, row.first_failed_at, row.changed_at, row.message from ${rows} where true
    on conflict (message_id) do update set
      destination = excluded.destination, code = excluded.code, error = excluded.error, stack = excluded.stack, fingerprint = excluded.fingerprint,
      attempts = dead_letter.attempts + excluded.attempts, redrives = dead_letter.redrives + excluded.redrives, status = 'open', changed_at = excluded.changed_at
    returning id, message_id`,
);
const insertLog = statement<{ dead_letter_id: string } & DeadLetterEvent>(
  { dead_letter_id: 'text', at: 'bigint', actor: 'text', action: 'text', detail: 'text' },
  (rows) =>
    `insert into dead_letter_log (dead_letter_id, at, actor, action, detail) select row.dead_letter_id, row.at, row.actor, row.action, row.detail from ${rows}`,
);
/** The guard of every transition: only out of the status it starts from. */
const move = statement<{ id: string; before: string; after: string; at: number }, { id: string; destination: string | null; message: Message }>(
  { id: 'text', before: 'text', after: 'text', at: 'bigint' },
  (rows) => `
    update dead_letter set status = row.after, changed_at = row.at from ${rows}
    where dead_letter.id = row.id and dead_letter.status = row.before
    returning dead_letter.id, dead_letter.destination, dead_letter.message`,
  { json: ['message'] },
);

const log = (tx: Tx, entries: readonly ({ dead_letter_id: string } & DeadLetterEvent)[]): Promise<unknown> => tx.run(insertLog, entries);

export interface Burial {
  readonly world: World;
  readonly destination: string | null;
  readonly attempts: number;
  readonly firstAt: number;
}

/** Makes dead letters of messages, or opens again those they were sent from. */
export async function bury(
  unit: Unit,
  messages: readonly Message[],
  thrown: unknown,
  { world, destination, attempts, firstAt }: Burial,
): Promise<void> {
  const code = codeOf(thrown);
  const { message: error, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  const distinct = [...new Map(messages.map((message) => [message.id, message])).values()];
  const rows = distinct.map((message): Row => {
    const { attempt: _attempt, redrive, ...original } = message;
    return {
      id: world.id('dl'), // unless the message has a row already
      message_id: message.id,
      destination,
      type: message.type,
      source: message.source,
      subject: message.subject,
      correlationid: message.correlationid,
      code,
      error: error.slice(0, 2_000),
      stack: stack?.slice(0, 8_000) ?? null,
      fingerprint: fingerprintOf(code, message.type, error, stack),
      attempts,
      redrives: redrive === undefined ? 0 : 1,
      status: 'open',
      first_failed_at: firstAt,
      changed_at: unit.now,
      message: JSON.stringify(original),
    };
  });
  const fresh = new Set(rows.map(({ id }) => id));
  const stored = await unit.tx.run(upsert, rows);
  const detail = `${code}: ${error.slice(0, 500)}`;
  await log(
    unit.tx,
    stored.map(({ id }) => ({ dead_letter_id: id, at: unit.now, actor: 'consumer', action: fresh.has(id) ? 'opened' : 'reopened', detail })),
  );
  const idOf = new Map(stored.map(({ id, message_id }) => [message_id, id]));
  // Not about its own kind: a consumer that cannot take these events would never come to an end.
  for (const message of distinct.filter(({ type }) => type !== 'message.dead_lettered')) {
    const data = { dead_letter_id: idOf.get(message.id)!, message_id: message.id, message_type: message.type, code, error: error.slice(0, 500) };
    const cause = message.hops < HOPS_MAX ? { cause: message } : {};
    unit.say([{ type: 'message.dead_lettered', subject: message.id, correlationid: message.correlationid, ...cause, data }]);
  }
}

/** Redriven messages were handled. In the transaction that handled them. */
export async function resolve(unit: Unit, redriven: readonly Message[]): Promise<void> {
  const moved = await unit.tx.run(
    move,
    redriven.map(({ redrive }) => ({ id: redrive!, before: 'redriving', after: 'resolved', at: unit.now })),
  );
  await log(
    unit.tx,
    moved.map(({ id }) => ({ dead_letter_id: id, at: unit.now, actor: 'consumer', action: 'resolved', detail: '' })),
  );
}

/**
 * Sends an open dead letter again, under the same message id, to the queue that gave it up. Throws the Refusal `dead_letter_state` when
 * it is not open, `dead_letter_not_found` when there is none.
 */
export async function redrive(unit: Unit, id: string, actor: string): Promise<void> {
  const { destination, message } = await leaveOpen(unit, id, 'redriving');
  await log(unit.tx, [{ dead_letter_id: id, at: unit.now, actor, action: 'redriven', detail: '' }]);
  unit.forward([{ ...message, redrive: id }], destination);
}

/** Gives an open dead letter up for good; `reason` is kept. Throws as `redrive` does. */
export async function discard(unit: Unit, id: string, reason: string, actor: string): Promise<void> {
  await leaveOpen(unit, id, 'discarded');
  await log(unit.tx, [{ dead_letter_id: id, at: unit.now, actor, action: 'discarded', detail: reason }]);
}

async function leaveOpen(unit: Unit, id: string, after: DeadLetterStatus): Promise<{ destination: string | null; message: Message }> {
  const [moved] = await unit.tx.run(move, [{ id, before: 'open', after, at: unit.now }]);
  if (moved !== undefined) return moved;
  const [found] = await unit.tx.raw<{ status: string }>('select status from dead_letter where id = $1', [id]);
  if (found === undefined) throw new Refusal('dead_letter_not_found', `there is no dead letter ${id}`);
  throw new Refusal('dead_letter_state', `dead letter ${id} is ${found.status}, not open`);
}

/** Newest first. `limit` is 1 to 200. */
export async function list(db: Database, filter: DeadLetterFilter, cursor: string | undefined, limit: number): Promise<Page<DeadLetter>> {
  const after = decodeCursor(cursor, z.tuple([z.string()]));
  let query = db
    .builder<Tables>()
    .selectFrom('dead_letter')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after !== undefined) query = query.where('id', '<', after[0]);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.type !== undefined) query = query.where('type', '=', filter.type);
  if (filter.code !== undefined) query = query.where('code', '=', filter.code as ErrorCode);
  if (filter.fingerprint !== undefined) query = query.where('fingerprint', '=', filter.fingerprint);
  if (filter.correlationid !== undefined) query = query.where('correlationid', '=', filter.correlationid);
  const rows = await db.read.query(query, { json: ['message'] });
  return pageFrom(rows as unknown as DeadLetter[], limit, ({ id }) => [id]);
}

/** A dead letter with its history, oldest first. Throws the Refusal `dead_letter_not_found`. */
export async function get(db: Database, id: string): Promise<DeadLetter & { readonly history: readonly DeadLetterEvent[] }> {
  const [row] = await db.read.raw<Row>('select * from dead_letter where id = $1', [id]);
  if (row === undefined) throw new Refusal('dead_letter_not_found', `there is no dead letter ${id}`);
  const history = await db.read.raw<DeadLetterEvent>('select at, actor, action, detail from dead_letter_log where dead_letter_id = $1 order by seq', [
    id,
  ]);
  return { ...row, message: JSON.parse(row.message) as Message, history };
}

/** How many are open, by what they look like; the most frequent first. */
export const groups = (db: Database): Promise<{ fingerprint: string; type: string; code: string; error: string; count: number; newest: string }[]> =>
  db.read.raw(`
    select fingerprint, min(type) as type, min(code) as code, min(error) as error, cast(count(*) as bigint) as count, max(id) as newest
    from dead_letter where status = 'open' group by fingerprint order by count(*) desc, fingerprint limit 200`);

/** Code, type, the message without its numbers and ids, and the top three frames of our own: alike for failures of one cause. */
export function fingerprintOf(code: string, type: string, error: string, stack: string | undefined): string {
  const words = error
    .replace(/\b[a-z]{2,4}_[0-9a-z]{26}\b/g, '*')
    .replace(/"[^"]*"/g, '*')
    .replace(/\d+/g, '#');
  const frames = (stack ?? '')
    .split('\n')
    .filter((line) => line.includes('/src/') && !line.includes('node_modules'))
    .slice(0, 3);
  const places = frames.map((line) => line.replace(/^.*\/src\//, '').replace(/:\d+:\d+\)?$/, ''));
  return createHash('sha256')
    .update([code, type, words, ...places].join('\n'))
    .digest('hex')
    .slice(0, 16);
}
