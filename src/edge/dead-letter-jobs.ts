/**
 * Many dead letters at once: redriven or discarded by a job of the service that keeps them, over a selection that is frozen when the job is
 * made. The same doors for both; only the paths and what they take differ.
 */
import { z } from 'zod';
import { decodeCursor, encodeCursor, idSchema, longTextSchema, pageOf, pageQuerySchema, textSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339 } from '../kernel/time.ts';
import { type Job, createJob, getJob, listItems, listJobs, orderJob } from '../messaging/dead-letter-jobs.ts';
import { ACTIONS, JOB_STATES, type JobAction, type JobCommand, OUTCOMES } from '../messaging/domain-jobs.ts';
import { answeredBefore, once } from '../messaging/idempotency.ts';
import { type Selection, holdsAny, preview } from '../messaging/job-selection.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import { type Operated, TAG, actorOf, definedOf, named, orUndefined, reasonSchema } from './operated.ts';

/** Ids one request may name. */
const IDS_MAX = 1_000;
/** What a job does when nothing else is said: messages a second, and percent of failures that are too many. */
const RATE = 50;
const STOP_ABOVE = 10;

const rateSchema = z
  .int()
  .min(1)
  .max(10_000)
  .meta({ description: 'Messages a second, at most.', examples: [RATE] });
const filterSchema = z.object({
  consumer: textSchema(64).optional().meta({ description: 'The queue that gave them up.' }),
  type: textSchema(64).optional(),
  code: textSchema(64).optional(),
  order_id: idSchema('ord').optional(),
  since: timestamp.optional().meta({ description: 'First given up at this time or later.' }),
  until: timestamp.optional().meta({ description: 'First given up before this time.' }),
});
const selectionSchema = z.object({
  service: textSchema(64).optional().meta({ description: 'The service that keeps them; needed when several do.' }),
  group: textSchema(64)
    .optional()
    .meta({ description: 'The fingerprint of a group: all that look alike.', examples: ['9f2c41d07be3a815'] }),
  ids: z.array(idSchema('dl')).min(1).max(IDS_MAX).optional().meta({ description: 'These, whatever they look like.' }),
  filter: filterSchema.optional().meta({ description: 'All that are open and fit; `{}` for all that are open.' }),
  dry_run: z.boolean().optional().meta({ description: 'Say what it would be about, and change nothing.' }),
  reason: reasonSchema.optional().meta({ description: 'Kept, for those who ask later. Needed unless it is a dry run.' }),
});
type Asked = z.infer<typeof selectionSchema>;

/** Exactly one way of selecting, and a reason for what is not only a rehearsal. */
function checkAsked({ group, ids, filter, dry_run, reason }: Asked, context: z.RefinementCtx): void {
  const say = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  const ways = Object.entries({ group, ids, filter }).filter(([, value]) => value !== undefined);
  if (ways.length === 0) say('group', 'is required, or ids, or filter: one of them says which dead letters are meant');
  for (const [name] of ways.slice(1)) say(name, `cannot be given beside ${ways[0]![0]}: leave one of them out`);
  if (dry_run !== true && reason === undefined) say('reason', 'is required, unless dry_run is true');
}

const redriveBody = selectionSchema
  .extend({
    rate: rateSchema.default(RATE),
    ramp: z
      .boolean()
      .default(true)
      .meta({ description: 'Slowly first: one, then ten, then a hundred, each when the ones before have come to their end.' }),
    stop_above: z.int().min(0).max(100).default(STOP_ABOVE).meta({ description: 'Stop when more than so many percent fail again; 100 for never.' }),
  })
  .superRefine(checkAsked);
const discardBody = selectionSchema.superRefine(checkAsked);
/** A discard meets nobody who could be overwhelmed. */
const AT_ONCE = { rate: RATE, ramp: false, stop_above: 100 };
interface OrderBody {
  readonly reason?: string | undefined;
  readonly rate?: number | undefined;
}
const orderFields = z.object({ reason: longTextSchema(500).optional().meta({ description: 'Kept, for those who ask later.' }) });
const orderBody: z.ZodType<OrderBody> = orderFields;
const resumeBody: z.ZodType<OrderBody> = orderFields.extend({ rate: rateSchema.optional().meta({ description: 'Another rate from here on.' }) });

const countSchema = z.int().min(0);
const jobSchema = z
  .object({
    id: z.string().meta({ examples: ['dlj_01jm8r3v9qe7bvkc1xk6w2t4nz'] }),
    service: z.string(),
    action: z.enum(ACTIONS),
    state: z.enum(JOB_STATES).meta({ description: '`stopped`: by itself, because too many failed again.' }),
    actor: z.string(),
    reason: z.string(),
    selection: z.record(z.string(), z.unknown()).meta({ description: 'As it was asked for.' }),
    selecting: z.boolean().meta({ description: 'A large selection is still being written down; `total` grows until it is.' }),
    rate: z.int(),
    ramp: z.boolean(),
    stop_above: z.int(),
    total: countSchema,
    waiting: countSchema,
    redriven: countSchema.meta({ description: 'On their way.' }),
    succeeded: countSchema,
    failed_again: countSchema,
    discarded: countSchema,
    skipped: countSchema.meta({ description: 'Somebody else had dealt with them.' }),
    created_at: timestamp,
    changed_at: timestamp,
  })
  .meta({ id: 'DeadLetterJob' });
const detailedSchema = jobSchema
  .extend({ history: z.array(z.object({ at: timestamp, actor: z.string(), action: z.string(), detail: z.string() })) })
  .meta({ id: 'DeadLetterJobWithHistory' });
const itemSchema = z.object({ dead_letter_id: z.string(), outcome: z.enum(OUTCOMES), detail: z.string(), changed_at: timestamp });
const previewSchema = z
  .object({
    dry_run: z.literal(true),
    total: countSchema,
    kinds: z.array(z.object({ service: z.string(), consumer: z.string().nullable(), type: z.string(), code: z.string(), count: countSchema })),
    samples: z.array(
      z.object({
        id: z.string(),
        service: z.string(),
        type: z.string(),
        subject: z.string(),
        order_id: z.string(),
        code: z.string(),
        error: z.string(),
        first_failed_at: timestamp,
        misfit: z.string().nullable().meta({ description: 'Why it would fail again at once; null when its data fit their contract.' }),
      }),
    ),
    not_open: z.array(z.string()).meta({ description: 'Of `ids`: these would be passed over, or are not known.' }),
  })
  .meta({ id: 'DeadLetterPreview', description: 'What a job would be about.' });

const KINDS = {
  redrive: { path: '/v1/dead-letters/redrives', body: redriveBody, summary: 'Send many again, by a job over what is selected now' },
  discard: { path: '/v1/dead-letters/discards', body: discardBody, summary: 'Give many up for good, by a job over what is selected now' },
} as const;

export const deadLetterJobRoutes = (services: readonly Operated[]): Route[] => ACTIONS.flatMap((action) => routesOf(action, services));

function routesOf(action: JobAction, services: readonly Operated[]): Route[] {
  const { path, body, summary } = KINDS[action];
  const params = z.object({ id: idSchema('dlj') });

  async function find(id: string): Promise<{ owner: Operated; job: Awaited<ReturnType<typeof getJob>> }> {
    for (const owner of services) {
      const job = await orUndefined(getJob(owner.mailbox.db, id, action));
      if (job) return { owner, job };
    }
    throw new Refusal('dead_letter_job_not_found', `there is no ${action} ${id}`);
  }
  async function show(id: string): Promise<z.infer<typeof detailedSchema>> {
    const { owner, job } = await find(id);
    return { ...viewOf(job, owner.service), history: job.history.map((event) => ({ ...event, at: rfc3339(event.at) })) };
  }
  const order = (command: JobCommand, meaning: string): Route =>
    route({
      method: 'POST',
      path: `${path}/{id}/${command}`,
      tag: TAG,
      summary: meaning,
      params,
      body: command === 'resume' ? resumeBody : orderBody,
      output: detailedSchema,
      answers: 'ok',
      refuses: ['dead_letter_job_not_found', 'dead_letter_job_state'],
      async handle({ params: { id }, body: { reason = '', rate }, context }) {
        const { owner } = await find(id);
        await once(owner.mailbox, context, `POST ${path}/${id}/${command}`, (unit) =>
          orderJob(unit, id, command, { actor: actorOf(context), reason, rate }).then(() => null),
        );
        return show(id);
      },
    });

  return [
    route({
      method: 'POST',
      path,
      tag: TAG,
      summary,
      body,
      output: z.union([detailedSchema, previewSchema]),
      answers: 'ok',
      refuses: ['nothing_selected', 'several_services', 'dead_letter_not_found'],
      async handle({ body: asked, context }) {
        const selection = selectionOf(asked);
        if (asked.dry_run === true) return previewAll(named(services, asked.service), selection);
        const name = `POST ${path}`;
        const before = await answeredAnywhere(services, context, name);
        if (before !== undefined) return show(before);
        const owner = await ownerOf(services, asked.service, selection);
        const id = owner.mailbox.world.id('dlj');
        const { rate, ramp, stop_above } = { ...AT_ONCE, ...asked };
        const request = { id, action, selection, actor: actorOf(context), reason: asked.reason!, rate, ramp, stopAbove: stop_above };
        return show(await once(owner.mailbox, context, name, (unit) => createJob(unit, request).then(() => id)));
      },
    }),
    route({
      method: 'GET',
      path,
      tag: TAG,
      summary: `List ${action}s of many, the newest first`,
      query: pageQuerySchema.extend({ service: textSchema(64).optional(), state: z.enum(JOB_STATES).optional() }),
      output: pageOf(jobSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { service, state, cursor, limit } }) {
        decodeCursor(cursor, z.tuple([z.string()])); // refused here even when no service is asked
        const pages = await Promise.all(
          named(services, service).map(async (one) => ({ one, page: await listJobs(one.mailbox.db, { action, state }, cursor, limit) })),
        );
        const all = pages.flatMap(({ one, page }) => page.items.map((job) => viewOf(job, one.service))).sort((a, b) => (a.id < b.id ? 1 : -1));
        const more = all.length > limit || pages.some(({ page }) => page.next_cursor !== null);
        const items = all.slice(0, limit);
        return { items, next_cursor: more ? encodeCursor([items.at(-1)!.id]) : null };
      },
    }),
    route({
      method: 'GET',
      path: `${path}/{id}`,
      tag: TAG,
      summary: `Read a ${action} of many: how far it is, and who did what to it`,
      params,
      output: detailedSchema,
      answers: 'ok',
      refuses: ['dead_letter_job_not_found'],
      handle: ({ params: { id } }) => show(id),
    }),
    route({
      method: 'GET',
      path: `${path}/{id}/items`,
      tag: TAG,
      summary: 'List its dead letters, and what became of each',
      params,
      query: pageQuerySchema.extend({ outcome: z.enum(OUTCOMES).optional() }),
      output: pageOf(itemSchema),
      answers: 'ok',
      refuses: ['dead_letter_job_not_found', 'invalid_cursor'],
      async handle({ params: { id }, query: { outcome, cursor, limit } }) {
        const { owner } = await find(id);
        const { items, next_cursor } = await listItems(owner.mailbox.db, id, outcome, cursor, limit);
        return { items: items.map((item) => ({ ...item, changed_at: rfc3339(item.changed_at) })), next_cursor };
      },
    }),
    order('pause', 'Pause it; what is on its way comes to its end'),
    order('resume', 'Go on after a pause or a stop, slowly first'),
    order('cancel', 'End it; what it has not begun stays as it is'),
  ];
}

function selectionOf({ group, ids, filter }: Asked): Selection {
  if (ids !== undefined) return { ids };
  const { order_id, since, until, ...rest } = filter ?? {};
  // Before 1970 there is no id.
  const ms = (text: string | undefined): number | undefined => (text === undefined ? undefined : Math.max(0, Date.parse(text)));
  return definedOf({ ...rest, fingerprint: group, correlationid: order_id, since: ms(since), until: ms(until) });
}

async function previewAll(services: readonly Operated[], selection: Selection): Promise<z.infer<typeof previewSchema>> {
  const found = await Promise.all(services.map(async ({ service, mailbox }) => ({ service, ...(await preview(mailbox.db.read, selection)) })));
  return {
    dry_run: true,
    total: found.reduce((sum, { total }) => sum + total, 0),
    kinds: found.flatMap(({ service, kinds }) => kinds.map((kind) => ({ service, ...kind }))).sort((a, b) => b.count - a.count),
    samples: found.flatMap(({ service, samples }) =>
      samples.map(({ correlationid, first_failed_at, ...sample }) => ({
        ...sample,
        service,
        order_id: correlationid,
        first_failed_at: rfc3339(first_failed_at),
      })),
    ),
    not_open: [...new Set(selection.ids ?? [])].filter((id) => found.every(({ others }) => others.includes(id))),
  };
}

/** The answer any of the services gave to this request before: by now the selection might be empty, or another one. */
async function answeredAnywhere(services: readonly Operated[], context: RequestContext, name: string): Promise<string | undefined> {
  const answers = await Promise.all(services.map(({ mailbox }) => answeredBefore<string>(mailbox.db, context, name)));
  return answers.find((answer) => answer !== undefined);
}

/** The one service a selection is about. Throws the Refusals `nothing_selected` and `several_services`. */
async function ownerOf(services: readonly Operated[], service: string | undefined, selection: Selection): Promise<Operated> {
  const asked = named(services, service);
  const held = await Promise.all(asked.map(({ mailbox }) => holdsAny(mailbox.db.read, selection)));
  const holding = asked.filter((_, i) => held[i]);
  if (holding.length === 1) return holding[0]!;
  if (holding.length === 0) throw new Refusal('nothing_selected', 'no open dead letter fits the selection');
  const names = holding.map((one) => one.service).join(', ');
  throw new Refusal('several_services', `the selection holds dead letters of ${names}, and a job is of one service`, [
    { field: 'service', rule: 'is required for this selection', remedy: `Send one of ${names}.` },
  ]);
}

const viewOf = ({ asked, selected_to, frozen_at, changed_at, ramp, ...job }: Job, service: string): z.infer<typeof jobSchema> => ({
  id: job.id,
  service,
  action: job.action,
  state: job.state,
  actor: job.actor,
  reason: job.reason,
  selection: { ...asked },
  selecting: selected_to !== null,
  rate: job.rate,
  ramp: ramp === 1,
  stop_above: job.stop_above,
  total: job.total,
  waiting: job.waiting,
  redriven: job.redriven,
  succeeded: job.succeeded,
  failed_again: job.failed_again,
  discarded: job.discarded,
  skipped: job.skipped,
  created_at: rfc3339(frozen_at),
  changed_at: rfc3339(changed_at),
});
