/**
 * Jobs over many dead letters, as rows: what people ask of them, in one transaction each. domain-jobs.ts has the states, job-runner.ts
 * the work.
 *
 * A job works on what was selected when it was asked for, and on nothing else: ids written down, not a filter that is asked again, because
 * what comes in while one mends the cause would be swept up with it. What fits into one piece is written down with the job itself; the
 * rest of a large selection follows piece by piece, without what was opened after the job was asked for.
 */
import { z } from 'zod';
import { decodeCursor, pageFrom } from '../contracts/rest.ts';
import { type Database, type Tx, statement } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import { type JobAction, type JobCommand, type JobState, type Outcome, isOver, nextState } from './domain-jobs.ts';
import type { Unit } from './mailbox.ts';
import { type Selection, newestId, writeDown, writeDownNamed } from './job-selection.ts';
import type { Page } from './service.ts';

export interface Job extends Readonly<Record<Outcome, number>> {
  readonly id: string;
  readonly action: JobAction;
  readonly state: JobState;
  /** Something is left to do, or on its way. */
  readonly live: 0 | 1;
  readonly actor: string;
  readonly reason: string;
  /** The selection as it was asked for. */
  readonly asked: Selection;
  /** When it was asked for, milliseconds UTC; what was opened later is not in it. */
  readonly frozen_at: number;
  /** How far the selection is written down; null when it is whole. */
  readonly selected_to: string | null;
  readonly last_id: string;
  /** Messages a second. */
  readonly rate: number;
  readonly ramp: 0 | 1;
  /** Percent of failures. */
  readonly stop_above: number;
  readonly total: number;
  readonly sent: number;
  readonly next_at: number;
  readonly recent_settled: number;
  readonly recent_failed: number;
  readonly changed_at: number;
}

export interface JobEvent {
  readonly at: number;
  readonly actor: string;
  readonly action: 'created' | 'paused' | 'resumed' | 'stopped' | 'cancelled' | 'done';
  readonly detail: string;
}

export interface JobItem {
  readonly dead_letter_id: string;
  readonly outcome: Outcome;
  readonly detail: string;
  readonly changed_at: number;
}

type Row = Omit<Job, 'asked'> & { readonly asked: string };
type Tables = { dead_letter_job: Row; dead_letter_job_item: JobItem & { readonly job_id: string } };

const COLUMNS = {
  id: 'text',
  action: 'text',
  state: 'text',
  live: 'integer',
  actor: 'text',
  reason: 'text',
  asked: 'text',
  frozen_at: 'bigint',
  selected_to: 'text',
  last_id: 'text',
  rate: 'integer',
  ramp: 'integer',
  stop_above: 'integer',
  total: 'bigint',
  waiting: 'bigint',
  redriven: 'bigint',
  succeeded: 'bigint',
  failed_again: 'bigint',
  skipped: 'bigint',
  discarded: 'bigint',
  sent: 'bigint',
  next_at: 'bigint',
  recent_settled: 'bigint',
  recent_failed: 'bigint',
  changed_at: 'bigint',
} as const satisfies Record<keyof Row, string>;
const NAMES = Object.keys(COLUMNS);
/** What is decided when a job is made, and stays. */
const FIXED: readonly string[] = ['id', 'action', 'actor', 'reason', 'asked', 'frozen_at', 'last_id', 'ramp', 'stop_above'];

const insertJob = statement<Row>(
  COLUMNS,
  (rows) => `insert into dead_letter_job (${NAMES.join(', ')}) select ${NAMES.map((name) => `row.${name}`).join(', ')} from ${rows}`,
);
const updateJob = statement<Row>(
  COLUMNS,
  (rows) => `
    update dead_letter_job set ${NAMES.filter((name) => !FIXED.includes(name))
      .map((name) => `${name} = row.${name}`)
      .join(', ')}
    from ${rows} where dead_letter_job.id = row.id`,
);
const lockJob = statement<{ id: string }, Row>(
  { id: 'text' },
  (rows, dialect) => `select j.* from dead_letter_job j join ${rows} on j.id = row.id ${dialect.forUpdate('j')}`,
);
const insertLog = statement<{ job_id: string } & JobEvent>(
  { job_id: 'text', at: 'bigint', actor: 'text', action: 'text', detail: 'text' },
  (rows) =>
    `insert into dead_letter_job_log (job_id, at, actor, action, detail) select row.job_id, row.at, row.actor, row.action, row.detail from ${rows}`,
);

const toRow = (job: Job): Row => ({ ...job, asked: JSON.stringify(job.asked) });
const toJob = (row: Row): Job => ({ ...row, asked: JSON.parse(row.asked) as Selection });

/** The job, locked until the transaction ends; undefined when there is none. */
export async function lock(tx: Tx, id: string): Promise<Job | undefined> {
  const [row] = await tx.run(lockJob, [{ id }]);
  return row && toJob(row);
}

/** Keeps what changed of a locked job. */
export async function save(unit: Unit, job: Job): Promise<Job> {
  const busy = job.redriven > 0 || job.state === 'running';
  const saved: Job = { ...job, live: busy ? 1 : 0, changed_at: unit.now };
  await unit.tx.run(updateJob, [toRow(saved)]);
  return saved;
}

export const note = (unit: Unit, job_id: string, { actor, action, detail }: Omit<JobEvent, 'at'>): Promise<unknown> =>
  unit.tx.run(insertLog, [{ job_id, at: unit.now, actor, action, detail }]);

export interface JobRequest {
  readonly id: string;
  readonly action: JobAction;
  readonly selection: Selection;
  readonly actor: string;
  readonly reason: string;
  readonly rate: number;
  readonly ramp: boolean;
  /** Percent of failures above which it stops; 100 for never. */
  readonly stopAbove: number;
}

/**
 * Makes a job. Throws the Refusals `nothing_selected`, and `dead_letter_not_found` for an id of the selection that there is none of.
 */
export async function createJob(unit: Unit, request: JobRequest): Promise<void> {
  const { id, action, selection, actor, reason, rate, ramp, stopAbove } = request;
  const job: Job = {
    id,
    action,
    state: 'running',
    live: 1,
    actor,
    reason,
    asked: selection,
    frozen_at: unit.now,
    selected_to: '',
    last_id: await newestId(unit.tx, selection),
    rate,
    ramp: ramp ? 1 : 0,
    stop_above: stopAbove,
    total: 0,
    waiting: 0,
    redriven: 0,
    succeeded: 0,
    failed_again: 0,
    skipped: 0,
    discarded: 0,
    sent: 0,
    next_at: unit.now,
    recent_settled: 0,
    recent_failed: 0,
    changed_at: unit.now,
  };
  await unit.tx.run(insertJob, [toRow(job)]);
  const { selected_to, found } = selection.ids === undefined ? await writeDown(unit, job) : await writeDownNamed(unit, id, selection.ids);
  if (selected_to === null && found === 0) throw new Refusal('nothing_selected', 'no open dead letter fits the selection');
  await save(unit, { ...job, selected_to, total: found, waiting: found });
  await note(unit, id, { actor, action: 'created', detail: reason });
}

export interface JobOrder {
  readonly actor: string;
  readonly reason: string;
  /** Another rate from here on; for `resume`. */
  readonly rate?: number | undefined;
}

const DONE = { pause: 'paused', resume: 'resumed', cancel: 'cancelled' } as const satisfies Record<JobCommand, JobEvent['action']>;

/** Pauses, resumes or cancels. Throws the Refusals `dead_letter_job_not_found` and `dead_letter_job_state`. */
export async function orderJob(unit: Unit, id: string, command: JobCommand, { actor, reason, rate }: JobOrder): Promise<void> {
  const job = await lock(unit.tx, id);
  if (job === undefined) throw notFound(id);
  const state = nextState(job.state, command);
  if (state === undefined)
    throw new Refusal('dead_letter_job_state', `job ${id} is ${job.state}${isOver(job.state) ? ' and over' : ''}: it cannot be ${DONE[command]}`);
  // A job that goes on begins slowly again, and is judged by what happens from here.
  const anew = { sent: 0, next_at: unit.now, recent_settled: 0, recent_failed: 0, rate: rate ?? job.rate };
  await save(unit, { ...job, state, ...(command === 'resume' ? anew : {}) });
  await note(unit, id, { actor, action: DONE[command], detail: reason });
}

const notFound = (id: string): Refusal => new Refusal('dead_letter_job_not_found', `there is no job ${id}`);

/** Jobs with something left to do, oldest first. */
export const liveJobs = async (db: Database): Promise<Job[]> =>
  (await db.read.raw<Row>('select * from dead_letter_job where live = 1 order by id')).map(toJob);

/** Newest first. `limit` is 1 to 200. */
export async function listJobs(
  db: Database,
  { action, state }: { readonly action: JobAction; readonly state?: JobState | undefined },
  cursor: string | undefined,
  limit: number,
): Promise<Page<Job>> {
  const after = decodeCursor(cursor, z.tuple([z.string()]));
  let query = db
    .builder<Tables>()
    .selectFrom('dead_letter_job')
    .selectAll()
    .where('action', '=', action)
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (after !== undefined) query = query.where('id', '<', after[0]);
  if (state !== undefined) query = query.where('state', '=', state);
  return pageFrom((await db.read.query(query)).map(toJob), limit, ({ id }) => [id]);
}

/** A job with its history, oldest first. Throws the Refusal `dead_letter_job_not_found`. */
export async function getJob(db: Database, id: string, action: JobAction): Promise<Job & { readonly history: readonly JobEvent[] }> {
  const [row] = await db.read.raw<Row>('select * from dead_letter_job where id = $1 and action = $2', [id, action]);
  if (row === undefined) throw notFound(id);
  const history = await db.read.raw<JobEvent>('select at, actor, action, detail from dead_letter_job_log where job_id = $1 order by seq', [id]);
  return { ...toJob(row), history };
}

/** What became of the dead letters of a job, in the order of their ids. */
export async function listItems(
  db: Database,
  id: string,
  outcome: Outcome | undefined,
  cursor: string | undefined,
  limit: number,
): Promise<Page<JobItem>> {
  const after = decodeCursor(cursor, z.tuple([z.string()]));
  let query = db
    .builder<Tables>()
    .selectFrom('dead_letter_job_item')
    .select(['dead_letter_id', 'outcome', 'detail', 'changed_at'])
    .where('job_id', '=', id)
    .orderBy('dead_letter_id')
    .limit(limit + 1);
  if (after !== undefined) query = query.where('dead_letter_id', '>', after[0]);
  if (outcome !== undefined) query = query.where('outcome', '=', outcome);
  return pageFrom(await db.read.query(query), limit, ({ dead_letter_id }) => [dead_letter_id]);
}
