/**
 * What a person on duty does about messages: looks at dead letters, sends them again or discards them, pauses and resumes consumers.
 *
 * Each service keeps its own dead letters in its own database; the lists here put them together. Ids grow with time, so one cursor
 * serves all.
 */
import { z } from 'zod';
import { decodeCursor, encodeCursor, idSchema, longTextSchema, pageOf, pageQuerySchema, textSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import type { ConsumerState } from '../messaging/control.ts';
import { type DeadLetter, discard, get, groups, list, redrive } from '../messaging/dead-letters.ts';
import { once } from '../messaging/idempotency.ts';
import type { Messaging } from '../messaging/messaging.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';

/** What the routes need of a service's messaging. */
export type Operated = Pick<Messaging, 'service' | 'mailbox' | 'control'>;

const TAG = 'Operations';

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
const groupSchema = z.object({
  service: z.string(),
  fingerprint: z.string(),
  type: z.string(),
  code: z.string(),
  error: z.string(),
  count: z.int(),
  newest: z.string(),
});
const consumerSchema = z
  .object({
    consumer: z.string().meta({ examples: ['orders'] }),
    status: z.enum(['running', 'paused', 'waiting', 'elsewhere']),
    paused: z.boolean(),
    reason: z.string(),
    actor: z.string(),
    changed_at: timestamp.nullable(),
    depth: z.int().nullable().meta({ description: 'Messages in its queue; null when the queue is not known here.' }),
    parked: z.int().meta({ description: 'Messages that wait for one before them.' }),
    parked_since: timestamp.nullable(),
    dead_letters: z.int(),
    last_error: z.string().nullable(),
    last_error_at: timestamp.nullable(),
  })
  .meta({ id: 'Consumer' });

const idParams = z.object({ id: idSchema('dl') });
const nameParams = z.object({
  name: z
    .string()
    .max(64)
    .meta({ examples: ['orders'] }),
});
const reasonBody = z.object({
  reason: longTextSchema(500)
    .min(1)
    .meta({ description: 'Kept, for those who ask later.', examples: ['the supplier mended the data'] }),
});

export function operationRoutes(services: readonly Operated[]): Route[] {
  return [...deadLetterRoutes(services), ...consumerRoutes(services)];
}

function deadLetterRoutes(services: readonly Operated[]): Route[] {
  const named = (service: string | undefined): readonly Operated[] => services.filter((one) => service === undefined || one.service === service);

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
        const pages = await Promise.all(named(service).map(async (one) => ({ one, page: await list(one.mailbox.db, filter, cursor, limit) })));
        const all = pages.flatMap(({ one, page }) => page.items.map((item) => toAnswer(item, one.service))).sort((a, b) => (a.id < b.id ? 1 : -1));
        const more = all.length > limit || pages.some(({ page }) => page.next_cursor !== null);
        const items = all.slice(0, limit);
        return { items, next_cursor: more ? encodeCursor([items.at(-1)!.id]) : null };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/dead-letters/groups',
      tag: TAG,
      summary: 'Open dead letters by what they look like, the most frequent first',
      output: z.object({ items: z.array(groupSchema) }),
      answers: 'ok',
      async handle() {
        const found = await Promise.all(
          services.map(async ({ service, mailbox }) => (await groups(mailbox.db)).map((group) => ({ service, ...group }))),
        );
        return { items: found.flat().sort((a, b) => b.count - a.count) };
      },
    }),
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

function consumerRoutes(services: readonly Operated[]): Route[] {
  function named(name: string): Operated {
    const found = services.find(({ service }) => service === name);
    if (found === undefined)
      throw new Refusal('consumer_not_found', `no consumer is called ${name}; there are ${services.map(({ service }) => service).join(', ')}`);
    return found;
  }
  const stateOf = async ({ control }: Operated): Promise<z.infer<typeof consumerSchema>> => toConsumer(await control.state());

  return [
    route({
      method: 'GET',
      path: '/v1/consumers',
      tag: TAG,
      summary: 'How the consumers are',
      output: z.object({ items: z.array(consumerSchema) }),
      answers: 'ok',
      handle: async () => ({ items: await Promise.all(services.map(stateOf)) }),
    }),
    route({
      method: 'POST',
      path: '/v1/consumers/{name}/pause',
      tag: TAG,
      summary: 'Take no more messages until resumed; a restart changes nothing about it',
      params: nameParams,
      body: reasonBody,
      output: consumerSchema,
      answers: 'ok',
      refuses: ['consumer_not_found'],
      async handle({ params, body, context }) {
        await named(params.name).control.pause(body.reason, actorOf(context));
        return stateOf(named(params.name));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/consumers/{name}/resume',
      tag: TAG,
      summary: 'Take messages again',
      params: nameParams,
      output: consumerSchema,
      answers: 'ok',
      refuses: ['consumer_not_found'],
      async handle({ params, context }) {
        await named(params.name).control.resume(actorOf(context));
        return stateOf(named(params.name));
      },
    }),
  ];
}

const actorOf = ({ client, operation }: RequestContext): string => (operation === undefined ? client : `${client}: ${operation}`);

/** What a service answers, or undefined when it does not know the thing. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const definedOf = <T extends object>(filter: T): Defined<T> =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as Defined<T>;

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

/** A payment token is as good as the money it stands for. */
const withoutToken = (data: unknown): unknown =>
  typeof data === 'object' && data !== null && 'token' in data ? { ...data, token: '[redacted]' } : data;

const toConsumer = (state: ConsumerState): z.infer<typeof consumerSchema> => ({
  ...state,
  changed_at: rfc3339OrNull(state.changed_at === 0 ? null : state.changed_at),
  parked_since: rfc3339OrNull(state.parked_since),
  last_error_at: rfc3339OrNull(state.last_error_at),
});
