/**
 * Dead letters: messages a consumer gave up, kept for people to look at, send again or discard. README.md draws their states.
 *
 * One row a message, with an append-only log of what happened to it. Each time a row becomes open the service says
 * `message.dead_lettered`, so that whoever waits for the message can say what it waits for.
 */
import { z } from 'zod';
import { HOPS_MAX, type Message } from '../contracts/envelope.ts';
import { decodeCursor, pageFrom } from '../contracts/rest.ts';
import { type Database, type Statement, type Tx, statement } from '../db/database.ts';
import { type ErrorCode, Refusal, codeOf } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import { countMoved, countOpened, fingerprintOf } from './dead-letter-groups.ts';
import type { Unit } from './mailbox.ts';
import type { Page } from './service.ts';

const STATUSES = ['open', 'redriving', 'resolved', 'discarded'] as const;
export type DeadLetterStatus = (typeof STATUSES)[number];

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
  /** The message's place in its stream. */
  readonly sequence: number | null;
  readonly message: Message;
}

export interface DeadLetterEvent {
  readonly at: number;
  readonly actor: string;
  readonly action: 'opened' | 'redriven' | 'reopened' | 'edited' | 'resolved' | 'discarded';
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

const insertNew = statement<Row, { message_id: string }>(
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
    sequence: 'bigint',
    message: 'text',
  },
  (rows) => `
    insert into dead_letter (id, message_id, destination, type, source, subject, correlationid, code, error, stack, fingerprint, attempts, redrives,
      status, first_failed_at, changed_at, sequence, message)
    select row.id, row.message_id, row.destination, row.type, row.source, row.subject, row.correlationid, row.code, row.error, row.stack, row.fingerprint,
      row.attempts, row.redrives, row.status, row.first_failed_at, row.changed_at, row.sequence, row.message from ${rows} where true
    on conflict (message_id) do nothing returning message_id`,
);
type Known = Pick<Row, 'id' | 'message_id' | 'fingerprint' | 'status'>;
const findKnown = statement<{ message_id: string }, Known>(
  { message_id: 'text' },
  (rows, dialect) => `
    select d.id, d.message_id, d.fingerprint, d.status from dead_letter d join ${rows} on d.message_id = row.message_id ${dialect.forUpdate('d')}`,
);
const lockLetter = statement<{ id: string }, { status: DeadLetterStatus }>(
  { id: 'text' },
  (rows, dialect) => `select d.status from dead_letter d join ${rows} on d.id = row.id ${dialect.forUpdate('d')}`,
);
const reopen = statement<Pick<Row, 'id' | 'destination' | 'code' | 'error' | 'stack' | 'fingerprint' | 'attempts' | 'redrives' | 'changed_at'>>(
  {
    id: 'text',
    destination: 'text',
    code: 'text',
    error: 'text',
    stack: 'text',
    fingerprint: 'text',
    attempts: 'integer',
    redrives: 'integer',
    changed_at: 'bigint',
  },
  (rows) => `
    update dead_letter set destination = row.destination, code = row.code, error = row.error, stack = row.stack, fingerprint = row.fingerprint,
      attempts = dead_letter.attempts + row.attempts, redrives = dead_letter.redrives + row.redrives, status = 'open', changed_at = row.changed_at
    from ${rows} where dead_letter.id = row.id`,
);
const insertLog = statement<{ dead_letter_id: string } & DeadLetterEvent>(
  { dead_letter_id: 'text', at: 'bigint', actor: 'text', action: 'text', detail: 'text' },
  (rows) =>
    `insert into dead_letter_log (dead_letter_id, at, actor, action, detail) select row.dead_letter_id, row.at, row.actor, row.action, row.detail from ${rows}`,
);
interface Move {
  readonly id: string;
  readonly before: DeadLetterStatus;
  readonly after: DeadLetterStatus;
  readonly at: number;
}
interface Moved {
  readonly id: string;
  readonly destination: string | null;
  readonly fingerprint: string;
  readonly redrives: number;
}
const MOVE = { id: 'text', before: 'text', after: 'text', at: 'bigint' } as const;
/** The guard of every transition: only out of the status it starts from. */
const moving = (rows: string): string => `
  update dead_letter set status = row.after, changed_at = row.at from ${rows}
  where dead_letter.id = row.id and dead_letter.status = row.before
  returning dead_letter.id, dead_letter.destination, dead_letter.fingerprint, dead_letter.redrives`;
const move = statement<Move, Moved>(MOVE, moving);
const moveOut = statement<Move, Moved & { message: Message }>(MOVE, (rows) => `${moving(rows)}, dead_letter.message`, { json: ['message'] });

/** Writes down what happened. */
export const log = (tx: Tx, entries: readonly ({ dead_letter_id: string } & DeadLetterEvent)[]): Promise<unknown> => tx.run(insertLog, entries);

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
  const { message: said, stack: told } = thrown instanceof Error ? thrown : new Error(String(thrown));
  // An error may quote what it met, and PostgreSQL keeps no NUL.
  const [error, stack] = [said.replaceAll('\0', '\ufffd'), told?.replaceAll('\0', '\ufffd')];
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
      fingerprint: fingerprintOf({ destination, type: message.type, code, error }, stack),
      attempts,
      redrives: redrive === undefined ? 0 : 1,
      status: 'open',
      first_failed_at: firstAt,
      changed_at: unit.now,
      sequence: message.sequence ?? null,
      message: JSON.stringify(original),
    };
  });
  const idOf = await store(unit, rows, `${code}: ${error.slice(0, 500)}`);
  // Not about its own kind: a consumer that cannot take these events would never come to an end.
  for (const message of distinct.filter(({ type }) => type !== 'message.dead_lettered')) {
    const data = { dead_letter_id: idOf.get(message.id)!, message_id: message.id, message_type: message.type, code, error: error.slice(0, 500) };
    const cause = message.hops < HOPS_MAX ? { cause: message } : {};
    unit.say([{ type: 'message.dead_lettered', subject: message.id, correlationid: message.correlationid, ...cause, data }]);
  }
}

/** Keeps rows and what happened to them, and counts them; answers the ids they have, by message. */
async function store({ tx, now }: Unit, rows: readonly Row[], detail: string): Promise<ReadonlyMap<string, string>> {
  const inserted = new Set((await tx.run(insertNew, rows)).map(({ message_id }) => message_id));
  const known = new Map(
    (
      await tx.run(
        findKnown,
        rows.filter(({ message_id }) => !inserted.has(message_id)),
      )
    ).map((row) => [row.message_id, row]),
  );
  const kept = rows.map((row) => ({ ...row, id: known.get(row.message_id)?.id ?? row.id }));
  await tx.run(
    reopen,
    kept.filter(({ message_id }) => known.has(message_id)),
  );
  await log(
    tx,
    kept.map(({ id, message_id }) => ({
      dead_letter_id: id,
      at: now,
      actor: 'consumer',
      action: known.has(message_id) ? 'reopened' : 'opened',
      detail,
    })),
  );
  await countMoved(
    tx,
    [...known.values()].map(({ fingerprint, status }) => ({ fingerprint, before: status, after: null })),
  );
  await countOpened(tx, kept, now);
  return new Map(kept.map(({ id, message_id }) => [message_id, id]));
}

/** Redriven messages were handled. In the transaction that handled them. */
export async function resolve(unit: Unit, redriven: readonly Message[]): Promise<void> {
  const moved = await moveAll(
    unit,
    move,
    redriven.map(({ redrive }) => redrive!),
    ['redriving', 'resolved'],
  );
  await log(
    unit.tx,
    moved.map(({ id }) => ({ dead_letter_id: id, at: unit.now, actor: 'consumer', action: 'resolved', detail: '' })),
  );
}

/** Whether a dead letter is on its way; locked, so that only one copy of its message settles it. */
export async function isRedriving(tx: Tx, id: string): Promise<boolean> {
  const [letter] = await tx.run(lockLetter, [{ id }]);
  return letter?.status === 'redriving';
}

/** Who does it, and why. */
export interface Act {
  readonly actor: string;
  readonly reason: string;
}

/**
 * Sends those again that are open, in the order given, under the same message ids, each to the queue that gave it up. Answers which, each
 * with how often it had failed again before.
 */
export async function redriveMany(unit: Unit, ids: readonly string[], { actor, reason }: Act): Promise<readonly Pick<Moved, 'id' | 'redrives'>[]> {
  const place = new Map(ids.map((id, i) => [id, i]));
  const moved = await moveAll(unit, moveOut, ids, ['open', 'redriving']);
  moved.sort((a, b) => place.get(a.id)! - place.get(b.id)!);
  await log(
    unit.tx,
    moved.map(({ id }) => ({ dead_letter_id: id, at: unit.now, actor, action: 'redriven', detail: reason })),
  );
  for (const [destination, mine] of Map.groupBy(moved, (one) => one.destination))
    unit.forward(
      mine.map(({ id, message }) => ({ ...message, redrive: id })),
      destination,
    );
  return moved;
}

/** Gives those up for good that are open; answers which. */
export async function discardMany(unit: Unit, ids: readonly string[], { actor, reason }: Act): Promise<readonly Pick<Moved, 'id' | 'redrives'>[]> {
  const moved = await moveAll(unit, move, ids, ['open', 'discarded']);
  await log(
    unit.tx,
    moved.map(({ id }) => ({ dead_letter_id: id, at: unit.now, actor, action: 'discarded', detail: reason })),
  );
  return moved;
}

/** Sends one again. Throws the Refusal `dead_letter_state` when it is not open, `dead_letter_not_found` when there is none. */
export async function redrive(unit: Unit, id: string, actor: string): Promise<void> {
  if ((await redriveMany(unit, [id], { actor, reason: '' })).length === 0) await refuse(unit, id);
}

/** Gives one up; `reason` is kept. Throws as `redrive` does. */
export async function discard(unit: Unit, id: string, reason: string, actor: string): Promise<void> {
  if ((await discardMany(unit, [id], { actor, reason })).length === 0) await refuse(unit, id);
}

/** Moves those that are in the first status to the second, counted; answers them. */
async function moveAll<Out extends Moved>(
  unit: Unit,
  how: Statement<Move, Out>,
  ids: readonly string[],
  [before, after]: readonly [DeadLetterStatus, DeadLetterStatus],
): Promise<Out[]> {
  const moved = await unit.tx.run(
    how,
    ids.map((id) => ({ id, before, after, at: unit.now })),
  );
  await countMoved(
    unit.tx,
    moved.map(({ fingerprint }) => ({ fingerprint, before, after })),
  );
  return moved;
}

async function refuse(unit: Unit, id: string): Promise<never> {
  const [found] = await unit.tx.raw<{ status: string }>('select status from dead_letter where id = $1', [id]);
  if (found === undefined) throw new Refusal('dead_letter_not_found', `there is no dead letter ${id}`);
  throw new Refusal('dead_letter_state', `dead letter ${id} is ${found.status}, not open`);
}

/** Newest first. `limit` is 1 to 200. */
export async function list(db: Database, filter: DeadLetterFilter, cursor: string | undefined, limit: number): Promise<Page<DeadLetter>> {
  const below = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
  // The index of a group begins with its statuses: each by itself is in the order of ids.
  const each = filter.fingerprint !== undefined && filter.status === undefined ? STATUSES.map((status) => ({ ...filter, status })) : [filter];
  const found: DeadLetter[] = [];
  for (const one of each) found.push(...(await newest(db, one, below, limit + 1)));
  return pageFrom(found.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit + 1), limit, ({ id }) => [id]);
}

/** Dead letters one statement looks at: for those of a type or a code there may be a million others to pass over. */
const PIECE = 2_000;

async function newest(db: Database, { type, code, ...indexed }: DeadLetterFilter, below: string | undefined, most: number): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  let end = below;
  for (;;) {
    const all = foundBy(db, indexed, end);
    const begin = type === undefined && code === undefined ? undefined : await beginOfPiece(db, all);
    if (begin === null) return found;
    let query = all.selectAll().limit(most - found.length);
    if (begin !== undefined) query = query.where('id', '>=', begin);
    if (type !== undefined) query = query.where('type', '=', type);
    if (code !== undefined) query = query.where('code', '=', code as ErrorCode);
    found.push(...((await db.read.query(query, { json: ['message'] })) as unknown as DeadLetter[]));
    if (begin === undefined || found.length === most) return found;
    end = begin;
    await new Promise<void>((resolve) => setImmediate(resolve)); // nobody else waits for all of them
  }
}

/** What an index leads to, newest first. */
function foundBy(db: Database, { status, fingerprint, correlationid }: Omit<DeadLetterFilter, 'type' | 'code'>, below: string | undefined) {
  let query = db.builder<Tables>().selectFrom('dead_letter').orderBy('id', 'desc');
  if (below !== undefined) query = query.where('id', '<', below);
  if (status !== undefined) query = query.where('status', '=', status);
  if (fingerprint !== undefined) query = query.where('fingerprint', '=', fingerprint);
  if (correlationid !== undefined) query = query.where('correlationid', '=', correlationid);
  return query;
}

/** The id a piece begins with; null when there is nothing left. */
async function beginOfPiece(db: Database, all: ReturnType<typeof foundBy>): Promise<string | null> {
  const piece = all.select('id').limit(PIECE).as('piece');
  const [row] = await db.read.query(
    db
      .builder<Tables>()
      .selectFrom(piece)
      .select(({ fn }) => fn.min('piece.id').as('begin')),
  );
  return row?.begin ?? null;
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
