/** The doors of returns. */
import { z } from 'zod';
import {
  LINES_MAX,
  decodeCursor,
  idSchema,
  longTextSchema,
  pageFrom,
  pageOf,
  pageQuerySchema,
  quantitySchema,
  textSchema,
  timestamp,
} from '../contracts/rest.ts';
import { dispositionSchema } from '../contracts/messages.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import { actFields, historyRoute, run } from './api-acts.ts';
import { RETURN_STATUSES, type Return, type ReturnStep, approve, cancelReturn, close, reject } from './domain-returns.ts';
import { type ReturnTables, listReturns, readReturn } from './store-returns.ts';
import type { Act } from './use-cases.ts';
import { changeReturn, receiveReturn, requestReturn, returnableOf } from './use-cases-returns.ts';

const status = z.enum(RETURN_STATUSES);
const line = { line_id: z.string(), sku: z.string(), quantity: z.int() };
const returnSchema = z
  .object({
    id: z.string(),
    number: z.string().meta({ description: 'What the customer writes on the parcel.' }),
    order_id: z.string(),
    order_number: z.string().nullable(),
    status,
    parcel_id: z.string().nullable().meta({ description: 'The parcel that came back undelivered; null when a customer sends something.' }),
    warehouse_id: z.string().meta({ description: 'Where it is expected, and once it came, where it came.' }),
    lines: z.array(z.object({ ...line, reason: z.string() })).meta({ description: 'What is expected.' }),
    received: z
      .array(z.object({ ...line, disposition: dispositionSchema }))
      .nullable()
      .meta({ description: 'What came, and what was done with it.' }),
    note: z.string().nullable(),
    rejection: z.string().nullable().meta({ description: 'Why it was rejected.' }),
    received_at: timestamp.nullable(),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Return', description: 'Goods that come back.' });
const returnableSchema = z.object({
  line_id: z.string(),
  sku: z.string(),
  delivered: z.int(),
  returned: z.int().meta({ description: 'In returns that are neither rejected nor cancelled; of received ones, what came.' }),
  returnable: z.int(),
});

const present = ({ sequence: _sequence, ...back }: Return): z.output<typeof returnSchema> => ({
  ...back,
  lines: [...back.lines],
  received: back.received && [...back.received],
  received_at: rfc3339OrNull(back.received_at),
  created_at: rfc3339(back.created_at),
  updated_at: rfc3339(back.updated_at),
});

const wishSchema = z.object({
  order_id: idSchema('ord'),
  lines: z
    .array(z.object({ line_id: idSchema('lin'), quantity: quantitySchema, reason: textSchema(200).meta({ examples: ['too small'] }) }))
    .min(1)
    .max(LINES_MAX),
  note: longTextSchema(2_000).optional(),
  dry_run: actFields.dry_run,
});
const receiptSchema = z.object({
  ...actFields,
  warehouse_id: idSchema('whs').optional().meta({ description: 'Where it came; where it was expected when absent.' }),
  lines: z
    .array(z.object({ line_id: idSchema('lin'), quantity: quantitySchema, disposition: dispositionSchema }))
    .min(1)
    .max(LINES_MAX)
    .meta({ description: 'What came, piece by piece; a line may stand in several. What did not come may be returned another time.' }),
});
const returnParams = z.object({ return_id: idSchema('rtn') });
const ofReturns = { tag: 'Returns', output: returnSchema } as const;

export const returnRoutes = (mailbox: Mailbox): Route[] => [...readingRoutes(mailbox), ...actRoutes(mailbox)];

function readingRoutes({ db }: Mailbox): Route[] {
  const tables = { read: db.read, builder: db.builder<ReturnTables>() };
  const read = async (id: string): Promise<Return> => {
    const back = await readReturn(tables, id);
    if (back === undefined) throw new Refusal('return_not_found', `there is no return ${id}`);
    return back;
  };
  return [
    route({
      method: 'GET',
      path: '/v1/returns',
      tag: 'Returns',
      summary: 'List returns, newest first',
      query: pageQuerySchema.extend({
        order_id: idSchema('ord').optional(),
        status: status.optional(),
        warehouse_id: idSchema('whs').optional(),
        number: textSchema(64).optional(),
      }),
      output: pageOf(returnSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const { items, next_cursor } = pageFrom(await listReturns(tables, filter, { before, limit: limit + 1 }), limit, ({ id }) => [id]);
        return { items: items.map(present), next_cursor };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/returns/returnable/{order_id}',
      tag: 'Returns',
      summary: 'Ask what may still be returned of an order',
      params: z.object({ order_id: idSchema('ord') }),
      output: z.object({ items: z.array(returnableSchema) }),
      answers: 'ok',
      handle: async ({ params: { order_id } }) => ({ items: await returnableOf(db.read, order_id) }),
    }),
    route({
      ...ofReturns,
      method: 'GET',
      path: '/v1/returns/{return_id}',
      summary: 'Get a return',
      params: returnParams,
      answers: 'ok',
      refuses: ['return_not_found'],
      handle: async ({ params: { return_id } }) => present(await read(return_id)),
    }),
    historyRoute(
      db,
      { path: '/v1/returns/{return_id}/history', tag: 'Returns', of: 'a return', refuses: ['return_not_found'], params: returnParams },
      async ({ return_id }) => (await read(return_id)).id,
    ),
  ];
}

function actRoutes(mailbox: Mailbox): Route[] {
  const { world } = mailbox;
  interface Body {
    readonly expected_version?: number | undefined;
    readonly dry_run?: boolean | undefined;
  }
  /** Runs an act whose body, but for what all acts may say, is kept in the history. */
  const acted = (
    name: string,
    action: string,
    context: RequestContext,
    { expected_version, dry_run, ...detail }: Body,
    work: (unit: Unit, act: Act) => Promise<Return>,
  ) =>
    run(mailbox, { context, name: `POST ${name}`, dry_run }, async (unit) =>
      present(await work(unit, { action, context, detail, expected_version, dry_run })),
    );
  const decision = <More extends object>(
    action: string,
    summary: string,
    body: z.ZodType<Body & More>,
    decide: (back: Return, body: Body & More, now: number) => ReturnStep | Refusal,
  ): Route => {
    const path = `/v1/returns/{return_id}/${action}`;
    return route({
      ...ofReturns,
      method: 'POST',
      path,
      summary,
      params: returnParams,
      body,
      answers: 'ok',
      refuses: ['return_not_found', 'return_state', 'version_mismatch'],
      handle: ({ params: { return_id }, body: given, context }) =>
        acted(path, action, context, given, (unit, act) => changeReturn(unit, return_id, act, (back, now) => decide(back, given, now))),
    });
  };
  const plain = z.object(actFields);
  return [
    route({
      ...ofReturns,
      method: 'POST',
      path: '/v1/returns',
      summary: 'Ask to return what was delivered',
      body: wishSchema,
      answers: 'created',
      refuses: ['not_returnable'],
      handle: ({ body, context }) =>
        acted('/v1/returns', 'request', context, { dry_run: body.dry_run }, (unit, act) => requestReturn(unit, world, body, act)),
    }),
    decision('approve', 'Let the customer send it', plain, (back, _body, now) => approve(back, now)),
    decision('reject', 'Do not take it back', plain.extend({ reason: textSchema(500) }), reject),
    decision('cancel', 'Forget about it: nothing will come', plain, (back, _body, now) => cancelReturn(back, now)),
    decision('close', 'Say that everything about it is settled', plain, (back, _body, now) => close(back, now)),
    route({
      ...ofReturns,
      method: 'POST',
      path: '/v1/returns/{return_id}/receive',
      summary: 'Say what came and what is done with it: stock takes it back',
      params: returnParams,
      body: receiptSchema,
      answers: 'ok',
      refuses: ['return_not_found', 'return_state', 'lines_do_not_match', 'warehouse_not_found', 'warehouse_archived', 'version_mismatch'],
      handle: ({ params: { return_id }, body, context }) =>
        acted('/v1/returns/{return_id}/receive', 'receive', context, body, (unit, act) => receiveReturn(unit, return_id, body, act)),
    }),
  ];
}
