/** What all commands of people to this room have in common: done once, perhaps only tried, perhaps only on one version. */
import { z } from 'zod';
import { decodeCursor, dryRunSchema, expectedVersionSchema, idSchema, pageFrom, pageOf, pageQuerySchema, timestamp } from '../contracts/rest.ts';
import type { Database } from '../db/database.ts';
import { rfc3339 } from '../kernel/time.ts';
import { once } from '../messaging/idempotency.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import type { Shipment, Step } from './domain-shipment.ts';
import type { Refusal } from '../kernel/errors.ts';
import { type HistoryTables, listHistory } from './store-history.ts';
import { change } from './use-cases.ts';
import { presentDetail, shipmentDetailSchema } from './view.ts';

/** What the body of every act may say. */
export const actFields = { expected_version: expectedVersionSchema, dry_run: dryRunSchema };
const actSchema = z.object(actFields);
type ActBody = z.output<typeof actSchema>;

/** Runs the work of a request: at most once for its key. A dry run changes nothing, so nothing of it is remembered either. */
export const run = <Result>(
  mailbox: Mailbox,
  { context, name, dry_run }: { readonly context: RequestContext; readonly name: string; readonly dry_run: boolean | undefined },
  work: (unit: Unit) => Promise<Result>,
): Promise<Result> => (dry_run === true ? mailbox.write(work) : once(mailbox, context, name, work));

const historySchema = z
  .object({
    version: z.int().meta({ description: 'The version that came of it.' }),
    at: timestamp,
    action: z.string(),
    client: z.string(),
    operation: z.string().nullable().meta({ description: 'The operation-name header of the request.' }),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Done', description: 'What somebody did, and what came of it.' });

/** `GET …/history` of whatever `find` finds the id of. */
export function historyRoute<Params extends object>(
  db: Database,
  { path, tag, of, refuses, params }: { path: string; tag: string; of: string; refuses: readonly string[]; params: z.ZodType<Params> },
  find: (params: Params) => Promise<string>,
): Route {
  const tables = { read: db.read, builder: db.builder<HistoryTables>() };
  return route({
    method: 'GET',
    path,
    tag,
    summary: `Read what people did with ${of}, newest first`,
    params,
    query: pageQuerySchema,
    output: pageOf(historySchema),
    answers: 'ok',
    refuses: [...refuses, 'invalid_cursor'],
    async handle({ params: given, query: { cursor, limit } }) {
      const before = decodeCursor(cursor, z.tuple([z.int()]))?.[0];
      const found = await listHistory(tables, await find(given), { before, limit: limit + 1 });
      const { items, next_cursor } = pageFrom(found, limit, ({ version }) => [version]);
      return { items: items.map(({ subject: _subject, at, ...entry }) => ({ ...entry, at: rfc3339(at) })), next_cursor };
    },
  });
}

export interface ShipmentAct<Body extends ActBody> {
  /** The end of the path, and what the history calls it. */
  readonly action: string;
  readonly summary: string;
  readonly body: z.ZodType<Body>;
  readonly refuses?: readonly string[];
  decide(shipment: Shipment, body: Omit<Body, keyof typeof actFields>, now: number): Step | Refusal;
}

/** `POST /v1/shipments/{shipment_id}/<action>` */
export function shipmentAct<Body extends ActBody>(
  mailbox: Mailbox,
  { action, summary, body: bodySchema, refuses = [], decide }: ShipmentAct<Body>,
): Route {
  const path = `/v1/shipments/{shipment_id}/${action}`;
  return route({
    method: 'POST',
    path,
    tag: 'Shipments',
    summary,
    params: z.object({ shipment_id: idSchema('shp') }),
    body: bodySchema,
    output: shipmentDetailSchema,
    answers: 'ok',
    refuses: ['shipment_not_found', 'shipment_state', 'version_mismatch', ...refuses],
    handle({ params: { shipment_id }, body: { expected_version, dry_run, ...detail }, context }) {
      const act = { action, context, detail, expected_version, dry_run };
      return run(mailbox, { context, name: `POST ${path}`, dry_run }, async (unit) =>
        presentDetail(await change(unit, shipment_id, act, (shipment, now) => decide(shipment, detail, now))),
      );
    },
  });
}

/** An act that needs no words. */
export const plainAct = (
  mailbox: Mailbox,
  act: Pick<ShipmentAct<ActBody>, 'action' | 'summary' | 'refuses'> & { decide(shipment: Shipment, now: number): Step | Refusal },
): Route => shipmentAct(mailbox, { ...act, body: actSchema, decide: (shipment, _body, now) => act.decide(shipment, now) });
