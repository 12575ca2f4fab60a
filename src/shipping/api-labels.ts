/** The doors of labels. */
import { z } from 'zod';
import { type FileAnswer, fileSchema, idSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { type RequestContext, type Route, route } from '../messaging/service.ts';
import { actFields, run } from './api-acts.ts';
import { LABEL_FORMATS, LABEL_STATUSES, type Label } from './domain-labels.ts';
import { listLabels, readDocument } from './store-labels.ts';
import type { Act } from './use-cases.ts';
import type { LabelDesk } from './use-cases-labels.ts';

const labelSchema = z
  .object({
    id: z.string().meta({ description: 'The idempotency key at the carrier.' }),
    parcel_id: z.string(),
    format: z.enum(LABEL_FORMATS),
    status: z
      .enum(LABEL_STATUSES)
      .meta({ description: 'unknown: an answer of the carrier was lost, and it is being asked. kept: it would not take it back.' }),
    attempts: z.int(),
    due_at: timestamp.nullable().meta({ description: 'When the carrier is asked (again).' }),
    carrier: z.string().nullable(),
    carrier_ref: z.string().nullable(),
    content_type: z.string().nullable(),
    sha256: z.string().nullable(),
    error: z.string().nullable().meta({ description: 'What the carrier said last.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Label' });
const labelsSchema = z.object({ items: z.array(labelSchema).meta({ description: 'The newest first.' }) });

const presentAll = (labels: readonly Label[]): z.output<typeof labelsSchema> => ({
  items: labels.map(({ shipment_id: _shipment, unwanted: _unwanted, ...label }) => ({
    ...label,
    due_at: rfc3339OrNull(label.due_at),
    created_at: rfc3339(label.created_at),
    updated_at: rfc3339(label.updated_at),
  })),
});

const shipmentParams = z.object({ shipment_id: idSchema('shp') });
const labelParams = shipmentParams.extend({ parcel_id: idSchema('prc') });
const PARCELS_MAX = 100;
const ofLabels = { tag: 'Shipments', answers: 'ok', output: labelsSchema } as const;

export function labelRoutes(mailbox: Mailbox, desk: LabelDesk): Route[] {
  const { read } = mailbox.db;
  type Asked = { readonly context: RequestContext; readonly body: { expected_version?: number | undefined; dry_run?: boolean | undefined } };
  const once = (path: string, action: string, { context, body }: Asked, detail: object, work: (unit: Unit, act: Act) => Promise<Label[]>) =>
    run(mailbox, { context, name: `POST ${path}`, dry_run: body.dry_run }, async (unit) =>
      presentAll(await work(unit, { action, context, detail: { ...detail }, expected_version: body.expected_version, dry_run: body.dry_run })),
    );
  return [
    route({
      ...ofLabels,
      method: 'POST',
      path: '/v1/shipments/{shipment_id}/labels',
      summary: 'Ask for labels of the parcels of a packed shipment; the carrier is asked right away',
      params: shipmentParams,
      body: z.object({
        ...actFields,
        format: z.enum(LABEL_FORMATS).default('pdf'),
        parcel_ids: z.array(idSchema('prc')).min(1).max(PARCELS_MAX).optional().meta({ description: 'All parcels when absent.' }),
      }),
      refuses: ['shipment_not_found', 'shipment_state', 'parcel_not_found', 'label_state', 'version_mismatch'],
      handle: ({ params: { shipment_id }, body, context }) =>
        once('/v1/shipments/{shipment_id}/labels', 'labels', { context, body }, { format: body.format, parcel_ids: body.parcel_ids }, (unit, act) =>
          desk.order(unit, shipment_id, body, act),
        ),
    }),
    route({
      ...ofLabels,
      method: 'GET',
      path: '/v1/shipments/{shipment_id}/labels',
      summary: 'List the labels of a shipment',
      params: shipmentParams,
      handle: async ({ params: { shipment_id } }) => presentAll(await listLabels(read, shipment_id)),
    }),
    route({
      method: 'GET',
      path: '/v1/shipments/{shipment_id}/labels/{parcel_id}',
      tag: 'Shipments',
      summary: 'Get the label of a parcel, to be printed',
      params: labelParams,
      output: fileSchema(['application/pdf', 'application/zpl']),
      answers: 'file',
      refuses: ['label_not_found', 'label_state'],
      handle: async ({ params: { shipment_id, parcel_id } }) => fileOf(parcel_id, await readDocument(read, shipment_id, parcel_id)),
    }),
    route({
      ...ofLabels,
      method: 'POST',
      path: '/v1/shipments/{shipment_id}/labels/{parcel_id}/void',
      summary: 'Give the label of a packed parcel back to the carrier',
      params: labelParams,
      body: z.object(actFields),
      refuses: ['shipment_not_found', 'shipment_state', 'parcel_not_found', 'version_mismatch'],
      handle: ({ params: { shipment_id, parcel_id }, body, context }) =>
        once('/v1/shipments/{shipment_id}/labels/{parcel_id}/void', 'void-label', { context, body }, { parcel_id }, (unit, act) =>
          desk.giveBack(unit, shipment_id, parcel_id, act),
        ),
    }),
  ];
}

function fileOf(parcelId: string, label: Awaited<ReturnType<typeof readDocument>>): FileAnswer {
  if (label === undefined) throw new Refusal('label_not_found', `nobody asked for a label of parcel ${parcelId}`);
  const { status, content, content_type, sha256, format, error } = label;
  if (status !== 'bought' || content === null)
    throw new Refusal('label_state', `the label of parcel ${parcelId} is ${status}${error === null ? '' : `: ${error}`}`);
  return { type: content_type!, body: Buffer.from(content, 'base64'), sha256: sha256!, name: `${parcelId}.${format}` };
}
