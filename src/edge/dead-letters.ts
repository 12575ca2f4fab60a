/**
 * Dead letters one by one and by what they look like. Each service keeps its own in its own database; the lists here put them together.
 * Ids grow with time, so one cursor serves all.
 */
import { z } from 'zod';
import { decodeCursor, encodeCursor, flagSchema, idSchema, pageOf, pageQuerySchema, textSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339 } from '../kernel/time.ts';
import { GROUP_ORDERS, groupKey, listGroups } from '../messaging/dead-letter-groups.ts';
import { type DeadLetter, discard, get, list, redrive } from '../messaging/dead-letters.ts';
import { redriveEdited } from '../messaging/edited.ts';
import { once } from '../messaging/idempotency.ts';
import { type Route, route } from '../messaging/service.ts';
import { type Operated, TAG, actorOf, definedOf, named, orUndefined, reasonBody, reasonSchema } from './operated.ts';

const deadLetterSchema = z
  .object({
    id: z.string().meta({ examples: ['dl_01jm8r3v9qe7bvkc1xk6w2t4nz'] }),
    service: z.string().meta({ description: 'The service that keeps it.' }),
    message_id: z.string(),
    destination: z.string().nullable().meta({ description: 'The queue that gave it up; null when none took it.' }),
    type: z.string(),
    source: z.string(),
    subject: z.string(),
    correlationid: z.string().meta({ description: 'The order it belongs to, where there is one.' }),
    code: z.string(),
    error: z.string(),
    stack: z.string().nullable(),
    fingerprint: z.string().meta({ description: 'The same for failures that look alike.' }),
    attempts: z.int(),
    redrives: z.int(),
    status: z.enum(['open', 'redriving', 'resolved', 'discarded']),
    first_failed_at: timestamp,
    changed_at: timestamp,
    message: z.record(z.string(), z.unknown()).meta({ description: 'The message itself; tokens are left out.' }),
  })
  .meta({ id: 'DeadLetter' });
const eventSchema = z.object({ at: timestamp, actor: z.string(), action: z.string(), detail: z.string() });
const detailedSchema = deadLetterSchema.extend({ history: z.array(eventSchema) }).meta({ id: 'DeadLetterWithHistory' });
const groupSchema = z
  .object({
    service: z.string().meta({ description: 'The service that keeps them.' }),
    fingerprint: z.string().meta({ description: 'Names the group; the dead letters of it have it, too.', examples: ['9f2c41d07be3a815'] }),
    consumer: z.string().nullable().meta({ description: 'The queue that gave them up; null when none took them.' }),
    type: z.string(),
    code: z.string(),
    error: z.string().meta({ description: 'What their errors have in common: `*` stands for an id or a quotation, `#` for a number.' }),
    open: z.int(),
    redriving: z.int(),
    resolved: z.int(),
    discarded: z.int(),
    first_seen_at: timestamp,
    last_seen_at: timestamp.meta({ description: 'When the last one was opened.' }),
    samples: z.array(z.string()).meta({ description: 'The newest open ones.' }),
  })
  .meta({ id: 'DeadLetterGroup' });

const idParams = z.object({ id: idSchema('dl') });
const editBody = z.object({
  data: z
    .record(z.string(), z.unknown())
    .meta({ description: 'All of the data as they should have been; a token may stay redacted.', examples: [{ order_id: 'ord_1', reason: 'test' }] }),
  reason: reasonSchema,
});

export function deadLetterRoutes(services: readonly Operated[]): Route[] {
  async function find(id: string): Promise<{ owner: Operated; letter: z.infer<typeof detailedSchema> }> {
    for (const owner of services) {
      const found = await orUndefined(get(owner.mailbox.db, id));
      if (found)
        return { owner, letter: { ...toAnswer(found, owner.service), history: found.history.map((event) => ({ ...event, at: rfc3339(event.at) })) } };
    }
    throw new Refusal('dead_letter_not_found', `there is no dead letter ${id}`);
  }

  return [
    route({
      method: 'GET',
      path: '/v1/dead-letters',
      tag: TAG,
      summary: 'List dead letters, newest first',
      query: pageQuerySchema.extend({
        service: textSchema(64).optional(),
        status: deadLetterSchema.shape.status.optional(),
        type: textSchema(64).optional(),
        code: textSchema(64).optional(),
        fingerprint: textSchema(64).optional(),
        order_id: idSchema('ord').optional(),
      }),
      output: pageOf(deadLetterSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { service, cursor, limit, order_id, ...rest } }) {
        decodeCursor(cursor, z.tuple([z.string()])); // refused here even when no service is asked
        const filter = { ...definedOf(rest), ...(order_id === undefined ? {} : { correlationid: order_id }) };
        const pages = await Promise.all(
          named(services, service).map(async (one) => ({ one, page: await list(one.mailbox.db, filter, cursor, limit) })),
        );
        const all = pages.flatMap(({ one, page }) => page.items.map((item) => toAnswer(item, one.service))).sort((a, b) => (a.id < b.id ? 1 : -1));
        const more = all.length > limit || pages.some(({ page }) => page.next_cursor !== null);
        const items = all.slice(0, limit);
        return { items, next_cursor: more ? encodeCursor([items.at(-1)!.id]) : null };
      },
    }),
    groupsRoute(services),
    route({
      method: 'GET',
      path: '/v1/dead-letters/{id}',
      tag: TAG,
      summary: 'Read a dead letter and what happened to it',
      params: idParams,
      output: detailedSchema,
      answers: 'ok',
      refuses: ['dead_letter_not_found'],
      handle: async ({ params }) => (await find(params.id)).letter,
    }),
    route({
      method: 'POST',
      path: '/v1/dead-letters/{id}/redrive',
      tag: TAG,
      summary: 'Send it again to the consumer that gave it up',
      params: idParams,
      output: detailedSchema,
      answers: 'ok',
      refuses: ['dead_letter_not_found', 'dead_letter_state'],
      async handle({ params, context }) {
        const { owner } = await find(params.id);
        await once(owner.mailbox, context, `POST /v1/dead-letters/${params.id}/redrive`, (unit) =>
          redrive(unit, params.id, actorOf(context)).then(() => null),
        );
        return (await find(params.id)).letter;
      },
    }),
    route({
      method: 'POST',
      path: '/v1/dead-letters/{id}/edit',
      tag: TAG,
      summary: 'Send it again with other data, under a new message id; what was changed is kept',
      params: idParams,
      body: editBody,
      output: detailedSchema,
      answers: 'ok',
      refuses: ['dead_letter_not_found', 'dead_letter_state'],
      async handle({ params: { id }, body: { data, reason }, context }) {
        const { mailbox } = (await find(id)).owner;
        const whole = withToken(data, (await get(mailbox.db, id)).message.data);
        const act = { actor: actorOf(context), reason };
        await once(mailbox, context, `POST /v1/dead-letters/${id}/edit`, (unit) =>
          redriveEdited(unit, id, whole, act, mailbox.world).then(() => null),
        );
        return (await find(id)).letter;
      },
    }),
    route({
      method: 'POST',
      path: '/v1/dead-letters/{id}/discard',
      tag: TAG,
      summary: 'Give it up for good',
      params: idParams,
      body: reasonBody,
      output: detailedSchema,
      answers: 'ok',
      refuses: ['dead_letter_not_found', 'dead_letter_state'],
      async handle({ params, body, context }) {
        const { owner } = await find(params.id);
        const name = `POST /v1/dead-letters/${params.id}/discard`;
        await once(owner.mailbox, context, name, (unit) => discard(unit, params.id, body.reason, actorOf(context)).then(() => null));
        return (await find(params.id)).letter;
      },
    }),
  ];
}

function groupsRoute(services: readonly Operated[]): Route {
  return route({
    method: 'GET',
    path: '/v1/dead-letters/groups',
    tag: TAG,
    summary: 'List dead letters by what they look like, the most frequent first',
    query: pageQuerySchema.extend({
      service: textSchema(64).optional(),
      consumer: textSchema(64).optional(),
      type: textSchema(64).optional(),
      code: textSchema(64).optional(),
      fingerprint: textSchema(64).optional(),
      order: z.enum(GROUP_ORDERS).default('open').meta({ description: '`open`: the most open ones first; `recent`: those added to last.' }),
      all: flagSchema.optional().meta({ description: 'Those of which none is open any more, too.' }),
    }),
    output: pageOf(groupSchema),
    answers: 'ok',
    refuses: ['invalid_cursor'],
    async handle({ query: { service, cursor, limit, order, ...filter } }) {
      decodeCursor(cursor, z.tuple([z.int(), z.string(), z.string()])); // refused here even when no service is asked
      const found = await Promise.all(
        named(services, service).map(async (one) => {
          const groups = await listGroups(one.mailbox.db, definedOf(filter), { order, cursor, limit, service: one.service });
          return groups.map((group) => ({ group, key: groupKey(group, one.service, order) }));
        }),
      );
      const all = found.flat().sort(({ key: [a, ...x] }, { key: [b, ...y] }) => b - a || (x.join() < y.join() ? -1 : 1));
      const page = all.slice(0, limit);
      return {
        items: page.map(({ group: { destination, first_seen_at, last_seen_at, ...rest }, key: [, , owner] }) => ({
          service: owner,
          ...rest,
          consumer: destination,
          first_seen_at: rfc3339(first_seen_at),
          last_seen_at: rfc3339(last_seen_at),
        })),
        next_cursor: all.length > limit ? encodeCursor(page.at(-1)!.key) : null,
      };
    },
  });
}

function toAnswer(letter: DeadLetter, service: string): z.infer<typeof deadLetterSchema> {
  const { data, ...envelope } = letter.message;
  return {
    id: letter.id,
    service,
    message_id: letter.message_id,
    destination: letter.destination,
    type: letter.type,
    source: letter.source,
    subject: letter.subject,
    correlationid: letter.correlationid,
    code: letter.code,
    error: letter.error,
    stack: letter.stack,
    fingerprint: letter.fingerprint,
    attempts: letter.attempts,
    redrives: letter.redrives,
    status: letter.status,
    first_failed_at: rfc3339(letter.first_failed_at),
    changed_at: rfc3339(letter.changed_at),
    message: { ...envelope, data: withoutToken(data) },
  };
}

const REDACTED = '[redacted]';
const hasToken = (data: unknown): data is { readonly token: unknown } => typeof data === 'object' && data !== null && 'token' in data;

/** A payment token is as good as the money it stands for. */
const withoutToken = (data: unknown): unknown => (hasToken(data) ? { ...data, token: REDACTED } : data);

/** What was shown without its token has it again. */
const withToken = (data: object, original: unknown): object =>
  hasToken(data) && data.token === REDACTED && hasToken(original) ? { ...data, token: original.token } : data;
