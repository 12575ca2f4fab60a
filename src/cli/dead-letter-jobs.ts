/** `waybill dead-letters redrive` and `discard` of many: rehearse, begin, follow; and what is asked of jobs that are there. */
import type { World } from '../kernel/world.ts';
import type { DeadLetterJob, DeadLetterPreview } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, bad, bold, count, facts, faint, good, moment, plural, table, warning } from './print.ts';
import { EXIT, type ExitCode } from './problems.ts';
import { openProgress } from './progress.ts';

export type Action = DeadLetterJob['action'];

/** What a job is to be about, as options. */
export interface Selecting {
  readonly ids: readonly string[];
  readonly service?: string;
  readonly group?: string;
  readonly consumer?: string;
  readonly type?: string;
  readonly code?: string;
  readonly order?: string;
  readonly since?: string;
  readonly until?: string;
  readonly all?: boolean;
}

export interface BeginOptions extends Selecting {
  readonly dryRun: boolean;
  readonly watch: boolean;
  readonly reason?: string;
  readonly rate?: number;
  readonly ramp?: boolean;
  readonly stopAbove?: number;
  /** Idempotency key. */
  readonly key?: string;
}

const LOOK_MS = 500;
const pathOf = (action: Action, id?: string, ...more: readonly string[]): string =>
  ['/v1/dead-letters', `${action}s`, ...(id === undefined ? [] : [encodeURIComponent(id)]), ...more].join('/');

/** Whether it is about one dead letter and nothing else is asked: that needs no job. */
export const isSingle = ({ ids, ...filter }: Selecting): boolean => ids.length === 1 && Object.values(filter).every((value) => value === undefined);

export async function begin(client: Client, world: World, output: Output, action: Action, options: BeginOptions): Promise<ExitCode> {
  const { reason, rate, ramp, stopAbove, dryRun, watch, key } = options;
  const body = { ...selectionOf(options), reason, rate, ramp, stop_above: stopAbove, ...(dryRun ? { dry_run: true } : {}) };
  if (dryRun) {
    const found = await client.post<DeadLetterPreview>(pathOf(action), body);
    output.answer(found, () => previewText(found, action));
    return EXIT.ok;
  }
  const job = await client.post<DeadLetterJob>(pathOf(action), body, key);
  if (watch) return follow(client, world, output, job);
  output.answer(job, () => `${job.id} is ${job.state}. Follow it with: waybill dead-letters ${action}s show ${job.id} --watch`);
  return EXIT.ok;
}

/** The selection as the server takes it; it says what is wrong with it. */
function selectionOf({ ids, service, group, all, consumer, type, code, order, since, until }: Selecting): object {
  const filter = { consumer, type, code, order_id: order, since, until };
  const filtered = all === true || Object.values(filter).some((value) => value !== undefined);
  return { service, group, ...(ids.length > 0 ? { ids } : {}), ...(filtered ? { filter } : {}) };
}

function previewText({ total, kinds, samples, not_open: notOpen }: DeadLetterPreview, action: Action): string {
  if (total === 0) return `Nothing that is open fits; no ${action} would do anything.`;
  const misfits = samples.filter(({ misfit }) => misfit !== null).length;
  return [
    `${bold(plural(total, 'dead letter'))} would be ${action === 'redrive' ? 'sent again' : 'discarded'}; nothing was changed.`,
    table(
      ['service', 'consumer', 'message', 'code', 'how many'],
      kinds.map((kind) => [kind.service, kind.consumer ?? 'none', kind.type, kind.code, kind.count]),
    ),
    `For example:\n${table(
      ['id', 'message', 'about', 'since', 'why'],
      samples.map(({ id, type, order_id: order, first_failed_at: since, code, error, misfit }) => [
        id,
        type,
        order,
        moment(since),
        `${code}: ${error.split('\n')[0]!.slice(0, 60)}${misfit === null ? '' : ` (${misfit})`}`,
      ]),
    )}`,
    ...(action === 'redrive' && misfits > 0
      ? [warning(`${misfits} of these ${samples.length} would fail again at once: the data break their contract.`)]
      : []),
    ...(notOpen.length > 0 ? [`${plural(notOpen.length, 'id')} would be passed over: ${notOpen.slice(0, 5).join(', ')}`] : []),
  ].join('\n\n');
}

/** Draws how far the job is until it is over or stands still. It goes on without anybody who looks. */
async function follow(client: Client, world: World, output: Output, begun: DeadLetterJob): Promise<ExitCode> {
  const { id, action } = begun;
  output.note(faint(`${id} goes on at the server, whether this command does or not.`));
  const progress = output.json ? undefined : openProgress(world, process.stderr);
  progress?.step(action, begun.total);
  let job = begun;
  while (job.state === 'running' || job.redriven > 0) {
    progress?.reach(settled(job), job.total, noteOf(job));
    await world.sleep(LOOK_MS);
    job = await client.get<DeadLetterJob>(pathOf(action, id));
  }
  progress?.reach(settled(job), job.total, noteOf(job));
  progress?.end();
  output.answer(job, () => jobText(job));
  return job.state === 'done' && job.failed_again === 0 ? EXIT.ok : EXIT.no;
}

const settled = ({ succeeded, failed_again: failed, discarded, skipped }: DeadLetterJob): number => succeeded + failed + discarded + skipped;

function noteOf({ selecting, redriven, failed_again: failed }: DeadLetterJob): string {
  const parts = [redriven > 0 ? `${count(redriven)} on their way` : '', failed > 0 ? `${count(failed)} failed again` : ''];
  return [selecting ? 'still selecting' : '', ...parts].filter((part) => part !== '').join(', ');
}

const stateText = (state: DeadLetterJob['state']): string =>
  state === 'done' ? good(state) : state === 'stopped' ? bad(state) : state === 'running' ? state : warning(state);

function jobText(job: DeadLetterJob): string {
  const { id, action, service, state, actor, reason } = job;
  const outcomes = (['succeeded', 'failed_again', 'discarded', 'skipped', 'redriven', 'waiting'] as const)
    .filter((name) => job[name] > 0)
    .map((name) => `${count(job[name])} ${name.replace('_', ' ')}`);
  const head = facts([
    [action, `${bold(id)}  ${stateText(state)}`],
    ['service', service],
    ['by', actor],
    ['why', reason],
    ['dead letters', `${count(job.total)}${job.selecting ? ' so far' : ''}: ${outcomes.join(', ')}`],
    ['rate', action === 'redrive' ? `${count(job.rate)} a second at most` : undefined],
    ['next', nextText(job)],
  ]);
  const history = (job.history ?? []).map(
    ({ at, actor: who, action: what, detail }) => `${faint(moment(at))}  ${what.padEnd(10)} ${who}${detail === '' ? '' : `: ${detail}`}`,
  );
  return [head, ...(history.length > 0 ? [history.join('\n')] : [])].join('\n\n');
}

function nextText({ id, action, state, failed_again: failed }: DeadLetterJob): string | undefined {
  if (state === 'stopped' || state === 'paused') return `waybill dead-letters ${action}s resume ${id}, or cancel it`;
  return failed > 0 ? `waybill dead-letters ${action}s show ${id} --outcome failed_again` : undefined;
}

export async function listJobs(
  client: Client,
  output: Output,
  action: Action,
  { state, limit }: { readonly state?: string; readonly limit: number },
): Promise<ExitCode> {
  const jobs = await client.first<DeadLetterJob>(limit, pathOf(action), { state });
  output.answer(jobs, () =>
    table(
      [action, 'service', 'state', 'dead letters', 'settled', 'failed again', 'by', 'since', 'why'],
      jobs.map((job) => [
        job.id,
        job.service,
        stateText(job.state),
        job.total,
        settled(job),
        job.failed_again,
        job.actor,
        moment(job.created_at),
        job.reason,
      ]),
    ),
  );
  return EXIT.ok;
}

interface Item {
  readonly dead_letter_id: string;
  readonly outcome: string;
  readonly detail: string;
  readonly changed_at: string;
}

export interface ShowOptions {
  readonly watch: boolean;
  /** Also the dead letters that ended so. */
  readonly outcome?: string;
  readonly limit: number;
}

export async function showJob(
  client: Client,
  world: World,
  output: Output,
  action: Action,
  id: string,
  { watch, outcome, limit }: ShowOptions,
): Promise<ExitCode> {
  const job = await client.get<DeadLetterJob>(pathOf(action, id));
  if (watch) return follow(client, world, output, job);
  const items = outcome === undefined ? undefined : await client.first<Item>(limit, pathOf(action, id, 'items'), { outcome });
  output.answer(items === undefined ? job : { ...job, items }, () => [jobText(job), ...(items === undefined ? [] : [itemsText(items)])].join('\n\n'));
  return EXIT.ok;
}

const itemsText = (items: readonly Item[]): string =>
  table(
    ['dead letter', 'outcome', 'at', 'why'],
    items.map((item) => [item.dead_letter_id, item.outcome.replace('_', ' '), moment(item.changed_at), item.detail.split('\n')[0]]),
  );

export async function orderJob(
  client: Client,
  output: Output,
  action: Action,
  command: 'pause' | 'resume' | 'cancel',
  id: string,
  options: { readonly reason?: string; readonly rate?: number },
): Promise<ExitCode> {
  const job = await client.post<DeadLetterJob>(pathOf(action, id, command), options);
  output.answer(job, () => jobText(job));
  return EXIT.ok;
}
