/** What all commands of people to this room have in common: done once, perhaps only tried, perhaps only on one version. */
import { z } from 'zod';
import { dryRunSchema, expectedVersionSchema, idSchema } from '../contracts/rest.ts';
import { once } from '../messaging/idempotency.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import type { Shipment, Step } from './domain-shipment.ts';
import type { Refusal } from '../kernel/errors.ts';
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
