/**
 * What a person on duty does about messages: looks at dead letters, sends them again or discards them, pauses and resumes consumers.
 */
import { z } from 'zod';
import { timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339OrNull } from '../kernel/time.ts';
import type { ConsumerState } from '../messaging/control.ts';
import { type Route, route } from '../messaging/service.ts';
import { deadLetterJobRoutes } from './dead-letter-jobs.ts';
import { deadLetterRoutes } from './dead-letters.ts';
import { type GapOptions, gapRoutes } from './gaps.ts';
import { type Operated, TAG, actorOf, reasonBody } from './operated.ts';

const consumerSchema = z
  .object({
    consumer: z.string().meta({ examples: ['orders'] }),
    status: z.enum(['running', 'paused', 'waiting', 'storm', 'elsewhere']),
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

const nameParams = z.object({
  name: z
    .string()
    .max(64)
    .meta({ examples: ['orders'] }),
});

export function operationRoutes(services: readonly Operated[], options: GapOptions): Route[] {
  return [...deadLetterRoutes(services), ...deadLetterJobRoutes(services), ...gapRoutes(services, options), ...consumerRoutes(services)];
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

const toConsumer = (state: ConsumerState): z.infer<typeof consumerSchema> => ({
  ...state,
  changed_at: rfc3339OrNull(state.changed_at === 0 ? null : state.changed_at),
  parked_since: rfc3339OrNull(state.parked_since),
  last_error_at: rfc3339OrNull(state.last_error_at),
});
