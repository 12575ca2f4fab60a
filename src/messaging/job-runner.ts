/**
 * Does what jobs ask for, in steps of one transaction each:
 *
 *   lock the job ──> write down more of its selection
 *                ──> look at what is on its way: outcomes, counters; stop when too many fail
 *                ──> send the next ones: the dead letters move, their messages are outbox rows, the items say redriven
 *                ──> nothing left: done
 *
 * All of a step is committed or nothing is. So a process that dies leaves a job as it was before or after a step, and whoever goes on sends
 * nothing twice: what was sent is no longer waiting. How a message fared is not told to the job by anybody; it is read off its dead
 * letter, which the consumer moves in the transaction that handles the message. So nothing can be told and lost.
 *
 * Messages of one stream are sent in their sequence, one at a time. One process of a service is at work, under a lease; if two ever are,
 * they wait for each other on the job's row.
 */
import { type Reader, statement } from '../db/database.ts';
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { type Job, liveJobs, lock, note, save } from './dead-letter-jobs.ts';
import { discardMany, redriveMany } from './dead-letters.ts';
import { type JobState, type Outcome, type Pace, allowance, nextAt, nextState, remember, tooManyFail } from './domain-jobs.ts';
import { writeDown } from './job-selection.ts';
import { openLease } from './lease.ts';
import type { Mailbox, Unit } from './mailbox.ts';

/** Dead letters moved in one transaction. */
const STEP_MAX = 100;
/** Items looked at for streams whose turn it is: as far as one long stream can hold up the others. */
const WINDOW = 1_000;
/** How often jobs are looked for, and messages on their way are looked after. */
const IDLE_MS = 500;
const LOOK_MS = 100;

export function openJobRunner(mailbox: Mailbox, telemetry: Telemetry): Runnable {
  const { service, db, world } = mailbox;
  const log = telemetry.log.child({ service, part: 'dead letter jobs' });
  const lease = openLease(db, 'dead letter jobs', world);

  async function turn(): Promise<number> {
    const jobs = await liveJobs(db);
    if (jobs.length === 0) {
      await lease.release();
      return IDLE_MS;
    }
    if (!(await lease.held())) return IDLE_MS;
    let rest = IDLE_MS;
    for (const job of jobs) rest = Math.min(rest, (await isDue(db.read, job, world.now())) ? await step(job.id) : LOOK_MS);
    return rest;
  }

  /** Answers how long the job can do without the next step. */
  async function step(id: string): Promise<number> {
    const { job, before, rest } = await mailbox.write(async (unit) => {
      const taken = await takeStep(unit, id);
      await failpoint('job.in_tx');
      return taken;
    });
    await failpoint('job.after_commit');
    if (job.state !== before) tell(job);
    return rest;
  }

  function tell({ id, action, state, total, succeeded, failed_again, skipped, discarded }: Job): void {
    const about = { job: id, action, total, succeeded, failed_again, skipped, discarded };
    if (state === 'stopped') log.error(about, 'a job over dead letters has stopped: too many fail again');
    else log.info(about, `a job over dead letters is ${state}`);
  }

  const worker = loop({
    name: `${service} dead letter jobs`,
    world,
    turn,
    failed: (error) => log.warn({ err: error }, 'a job over dead letters could not go on; tried again'),
  });
  return runnable(
    worker.name,
    () => worker.start(),
    async () => {
      await worker.stop();
      await lease.release();
    },
  );
}

/** Whether a step would change anything, so that waiting costs no commits. */
async function isDue(reader: Reader, job: Job, now: number): Promise<boolean> {
  if (job.state === 'running') {
    if (job.selected_to !== null || job.waiting + job.redriven === 0) return true;
    if (job.waiting > 0 && (job.action === 'discard' || allowance(paceOf(job), job.redriven, now).most > 0)) return true;
  }
  return (await reader.raw(`${SETTLED} limit 1`, [job.id])).length > 0;
}

const paceOf = ({ rate, ramp, sent, next_at }: Job): Pace => ({ rate, ramp: ramp === 1, sent, next_at });

interface Step {
  readonly job: Job;
  readonly before: JobState;
  readonly rest: number;
}

async function takeStep(unit: Unit, id: string): Promise<Step> {
  const found = await lock(unit.tx, id);
  if (found === undefined) throw new Error(`job ${id} is gone`);
  const before = found.state;
  let job = await settle(unit, found);
  let rest = LOOK_MS;
  if (job.state === 'running' && job.selected_to !== null) {
    const { selected_to, found: more } = await writeDown(unit, job);
    job = { ...job, selected_to, total: job.total + more, waiting: job.waiting + more };
    rest = 0;
  } else if (job.state === 'running') {
    ({ job, rest } = await (job.action === 'redrive' ? send(unit, job) : giveUp(unit, job)));
  }
  if (job.selected_to === null && job.waiting + job.redriven === 0) job = await end(unit, job);
  if (JSON.stringify(job) !== JSON.stringify(found)) job = await save(unit, job);
  return { job, before, rest };
}

async function end(unit: Unit, job: Job): Promise<Job> {
  const state = nextState(job.state, 'nothing_left');
  if (state === undefined) return job;
  const parts = (['succeeded', 'failed_again', 'discarded', 'skipped'] as const).filter((name) => job[name] > 0);
  await note(unit, job.id, { actor: 'runner', action: 'done', detail: parts.map((name) => `${job[name]} ${name.replace('_', ' ')}`).join(', ') });
  return { ...job, state };
}

interface Settled {
  readonly dead_letter_id: string;
  readonly outcome: 'succeeded' | 'failed_again';
  readonly detail: string;
}
/** Items on their way whose dead letter is not `redriving` any more, or already once more. */
const SETTLED = `
  select i.dead_letter_id, case when d.status = 'resolved' and d.redrives = i.redrives then 'succeeded' else 'failed_again' end as outcome,
    case when d.status = 'resolved' and d.redrives = i.redrives then '' else d.code || ': ' || d.error end as detail
  from dead_letter_job_item i join dead_letter d on d.id = i.dead_letter_id
  where i.job_id = $1 and i.outcome = 'redriven' and not (d.status = 'redriving' and d.redrives = i.redrives) order by i.dead_letter_id`;

const DETAIL_MAX = 500;

async function settle(unit: Unit, job: Job): Promise<Job> {
  if (job.redriven === 0) return job;
  const settled = await unit.tx.raw<Settled>(SETTLED, [job.id]);
  await setOutcomes(
    unit,
    job.id,
    settled.map(({ detail, ...item }) => ({ ...item, redrives: 0, detail: detail.slice(0, DETAIL_MAX) })),
  );
  const failures = settled.filter(({ outcome }) => outcome === 'failed_again');
  const { settled: recent_settled, failed: recent_failed } = remember(
    { settled: job.recent_settled, failed: job.recent_failed },
    { settled: settled.length, failed: failures.length },
  );
  const counted: Job = {
    ...job,
    redriven: job.redriven - settled.length,
    succeeded: job.succeeded + settled.length - failures.length,
    failed_again: job.failed_again + failures.length,
    recent_settled,
    recent_failed,
  };
  const state = nextState(job.state, 'too_many_fail');
  const recent = { settled: recent_settled, failed: recent_failed };
  if (state === undefined || !tooManyFail(recent, counted.redriven, job.stop_above)) return counted;
  const last = failures.at(-1);
  const detail = `${recent_failed} of the last ${recent_settled} failed again${last === undefined ? '' : `, ${last.dead_letter_id} with ${last.detail.split('\n')[0]}`}`;
  await note(unit, job.id, { actor: 'runner', action: 'stopped', detail: detail.slice(0, DETAIL_MAX) });
  return { ...counted, state };
}

/** Streams of the items that wait, by age. */
const STREAMS = `
  select distinct stream from
    (select stream from dead_letter_job_item where job_id = $1 and outcome = 'waiting' order by dead_letter_id limit ${WINDOW}) waiting`;
/** The first message of a stream that is not settled, when it waits: one that is on its way holds up the rest. */
const findHeads = statement<{ job_id: string; stream: string }, { dead_letter_id: string }>(
  { job_id: 'text', stream: 'text' },
  (rows) => `
    select i.dead_letter_id from ${rows} join dead_letter_job_item i on i.job_id = row.job_id and i.dead_letter_id = (
      select x.dead_letter_id from dead_letter_job_item x
      where x.job_id = row.job_id and x.stream = row.stream and x.outcome in ('waiting', 'redriven') order by x.sequence, x.message_id limit 1)
    where i.outcome = 'waiting'`,
);

async function send(unit: Unit, job: Job): Promise<{ job: Job; rest: number }> {
  const pace = paceOf(job);
  const { most, wait } = allowance(pace, job.redriven, unit.now);
  if (most === 0) return { job, rest: wait === 0 ? LOOK_MS : Math.min(wait, LOOK_MS) };
  const streams = await unit.tx.raw<{ stream: string }>(STREAMS, [job.id]);
  const heads = await unit.tx.run(
    findHeads,
    streams.map(({ stream }) => ({ job_id: job.id, stream })),
  );
  const ids = heads
    .map(({ dead_letter_id }) => dead_letter_id)
    .sort()
    .slice(0, Math.min(most, STEP_MAX));
  if (ids.length === 0) return { job, rest: LOOK_MS };
  const sent = await redriveMany(unit, ids, { actor: job.actor, reason: reasonOf(job) });
  const skipped = await keep(unit, job, ids, 'redriven', sent);
  return {
    job: {
      ...job,
      waiting: job.waiting - ids.length,
      redriven: job.redriven + sent.length,
      skipped: job.skipped + skipped,
      sent: job.sent + sent.length,
      next_at: nextAt(pace, sent.length, unit.now),
    },
    rest: 0,
  };
}

async function giveUp(unit: Unit, job: Job): Promise<{ job: Job; rest: number }> {
  const waiting = await unit.tx.raw<{ dead_letter_id: string }>(
    `select dead_letter_id from dead_letter_job_item where job_id = $1 and outcome = 'waiting' order by dead_letter_id limit ${STEP_MAX}`,
    [job.id],
  );
  const ids = waiting.map(({ dead_letter_id }) => dead_letter_id);
  const discarded = await discardMany(unit, ids, { actor: job.actor, reason: reasonOf(job) });
  const skipped = await keep(unit, job, ids, 'discarded', discarded);
  return {
    job: { ...job, waiting: job.waiting - ids.length, discarded: job.discarded + discarded.length, skipped: job.skipped + skipped },
    rest: 0,
  };
}

/** What the log of each dead letter says of the job. */
const reasonOf = ({ id, reason }: Job): string => `job ${id}: ${reason}`;

interface ItemOutcome {
  readonly dead_letter_id: string;
  readonly outcome: Outcome;
  readonly redrives: number;
  readonly detail: string;
}
const updateItems = statement<ItemOutcome & { job_id: string; changed_at: number }>(
  { job_id: 'text', dead_letter_id: 'text', outcome: 'text', redrives: 'bigint', detail: 'text', changed_at: 'bigint' },
  (rows) => `
    update dead_letter_job_item set outcome = row.outcome, redrives = row.redrives, detail = row.detail, changed_at = row.changed_at
    from ${rows} where dead_letter_job_item.job_id = row.job_id and dead_letter_job_item.dead_letter_id = row.dead_letter_id`,
);
const findStatuses = statement<{ id: string }, { id: string; status: string }>(
  { id: 'text' },
  (rows) => `select d.id, d.status from dead_letter d join ${rows} on d.id = row.id`,
);

const setOutcomes = (unit: Unit, job_id: string, items: readonly ItemOutcome[]): Promise<unknown> =>
  unit.tx.run(
    updateItems,
    items.map((item) => ({ ...item, job_id, changed_at: unit.now })),
  );

/** Keeps what became of items: `outcome` for those that were moved, skipped for the others. Answers how many were skipped. */
async function keep(
  unit: Unit,
  job: Job,
  ids: readonly string[],
  outcome: Outcome,
  moved: readonly { readonly id: string; readonly redrives: number }[],
): Promise<number> {
  const redrives = new Map(moved.map((one) => [one.id, one.redrives]));
  const others = ids.filter((id) => !redrives.has(id));
  const statuses = await statusesOf(unit.tx, others);
  await setOutcomes(unit, job.id, [
    ...moved.map((one) => ({ dead_letter_id: one.id, outcome, redrives: one.redrives, detail: '' })),
    ...others.map((id) => ({ dead_letter_id: id, outcome: 'skipped' as const, redrives: 0, detail: `it was ${statuses.get(id)} already` })),
  ]);
  return others.length;
}

async function statusesOf(reader: Reader, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await reader.run(
    findStatuses,
    ids.map((id) => ({ id })),
  );
  return new Map(rows.map(({ id, status }) => [id, status]));
}
