/**
 * What is missing in streams that are taken in strict order, over all services: looked at, and given up by somebody who says why.
 */
import { z } from 'zod';
import { decodeCursor, encodeCursor, flagSchema, idSchema, pageOf, pageQuerySchema, textSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339 } from '../kernel/time.ts';
import { type Gap, gapCursorSchema, gapId, gapKey, listGaps, listSkips, skipGap } from '../messaging/gaps.ts';
import { once } from '../messaging/idempotency.ts';
import { type Route, route } from '../messaging/service.ts';
import { type Operated, TAG, actorOf, named, reasonBody } from './operated.ts';

export interface GapOptions {
  /** How long something may be missing before that is overdue, milliseconds. */
  readonly gapLimit: number;
}

const place = {
  service: z.string().meta({ description: 'The service that waits.' }),
  consumer: z.string().meta({ description: 'The subscription of it.' }),
  order_id: z.string().meta({ description: 'The order that what waits belongs to, where there is one.' }),
  missing_from: z.int().meta({ description: 'The first place of the stream that is missing, and the last one.' }),
  missing_to: z.int(),
};
const gapSchema = z
  .object({
    id: z.string().meta({ examples: ['orders-17'] }),
    ...place,
    source: z.string().meta({ description: 'Whose stream.' }),
    subject: z.string().meta({ description: 'What the stream is about.' }),
    waiting: z.int().meta({ description: 'Messages that wait behind it.' }),
    since: timestamp,
    overdue_at: timestamp.meta({ description: 'From then on it may be given up.' }),
    overdue: z.boolean(),
    dead_letter_id: z.string().nullable().meta({ description: 'The dead letter that is what is missing: redriven, it closes the gap.' }),
  })
  .meta({ id: 'Gap' });
const skipSchema = z
  .object({ ...place, stream: z.string(), at: timestamp, actor: z.string(), reason: z.string() })
  .meta({ id: 'GapSkip', description: 'A gap that was given up.' });

const skipCursorSchema = z.tuple([z.int(), z.string(), z.int()]);

export function gapRoutes(services: readonly Operated[], { gapLimit }: GapOptions): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/gaps',
      tag: TAG,
      summary: 'List what is missing in streams of strict order, the oldest first',
      query: pageQuerySchema.extend({
        service: textSchema(64).optional(),
        order_id: idSchema('ord').optional(),
        overdue: flagSchema.optional().meta({ description: 'Only those that may be given up.' }),
      }),
      output: pageOf(gapSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { service, order_id: correlationid, overdue = false, cursor, limit } }) {
        decodeCursor(cursor, gapCursorSchema); // refused here even when no service is asked
        const asked = named(services, service);
        const found = await Promise.all(
          asked.map(async ({ service: owner, mailbox: { db, world } }) => {
            const now = world.now();
            const before = overdue ? now - gapLimit : Number.MAX_SAFE_INTEGER;
            const gaps = await listGaps(db, { before, correlationid, cursor, limit, service: owner });
            return gaps.map((gap) => ({ view: viewOf(gap, owner, { gapLimit, now }), key: gapKey(gap, owner) }));
          }),
        );
        const all = found.flat().sort(({ key: [a, x, n] }, { key: [b, y, m] }) => a - b || (x === y ? n - m : x < y ? -1 : 1));
        const page = all.slice(0, limit);
        return { items: page.map(({ view }) => view), next_cursor: all.length > limit ? encodeCursor(page.at(-1)!.key) : null };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/gaps/skips',
      tag: TAG,
      summary: 'List gaps that were given up, the newest first',
      query: pageQuerySchema.extend({ service: textSchema(64).optional() }),
      output: pageOf(skipSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { service, cursor, limit } }) {
        const [at, last, seq] = decodeCursor(cursor, skipCursorSchema) ?? [Number.MAX_SAFE_INTEGER, '', 0];
        const found = await Promise.all(
          named(services, service).map(async ({ service: owner, mailbox: { db } }) => {
            const below = owner > last ? Number.MAX_SAFE_INTEGER : owner < last ? 0 : seq;
            return (await listSkips(db, { at, below, limit })).map((skip) => ({ skip, owner }));
          }),
        );
        const all = found
          .flat()
          .sort((a, b) => b.skip.at - a.skip.at || (a.owner === b.owner ? b.skip.seq - a.skip.seq : a.owner < b.owner ? -1 : 1));
        const page = all.slice(0, limit);
        const end = page.at(-1);
        return {
          items: page.map(({ skip: { seq: _seq, correlationid, at: when, ...rest }, owner }) => ({
            service: owner,
            ...rest,
            order_id: correlationid,
            at: rfc3339(when),
          })),
          next_cursor: all.length > limit && end !== undefined ? encodeCursor([end.skip.at, end.owner, end.skip.seq]) : null,
        };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/gaps/{id}/skip',
      tag: TAG,
      summary: 'Give up what is missing, so that what waits behind it goes on',
      params: z.object({
        id: z
          .string()
          .max(64)
          .meta({ examples: ['orders-17'] }),
      }),
      body: reasonBody,
      output: z.object({ id: z.string(), skipped: z.literal(true) }),
      answers: 'ok',
      refuses: ['gap_not_found', 'gap_is_young', 'gap_has_dead_letter'],
      async handle({ params: { id }, body: { reason }, context }) {
        const { owner, seq } = find(services, id);
        const skip = { actor: actorOf(context), reason, limit: gapLimit, queue: owner.service };
        await once(owner.mailbox, context, `POST /v1/gaps/${id}/skip`, (unit) => skipGap(unit, seq, skip).then(() => null));
        return { id, skipped: true as const };
      },
    }),
  ];
}

/** An id is the service and the number of the gap there. */
function find(services: readonly Operated[], id: string): { owner: Operated; seq: number } {
  const [, service, number] = /^([a-z]+)-(\d{1,15})$/.exec(id) ?? [];
  const owner = services.find((one) => one.service === service);
  if (owner === undefined) throw new Refusal('gap_not_found', `there is no gap ${id}`);
  return { owner, seq: Number(number) };
}

function viewOf(gap: Gap, service: string, { gapLimit, now }: GapOptions & { readonly now: number }): z.infer<typeof gapSchema> {
  const { seq: _seq, stream: _stream, correlationid, since, ...rest } = gap;
  return {
    id: gapId(service, gap),
    service,
    ...rest,
    order_id: correlationid,
    since: rfc3339(since),
    overdue_at: rfc3339(since + gapLimit),
    overdue: now - since >= gapLimit,
  };
}
