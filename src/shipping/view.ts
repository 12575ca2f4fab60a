/** What people and programs see of shipments. */
import { z } from 'zod';
import { timestamp } from '../contracts/rest.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import { PARCEL_STATUSES, type Parcel } from './domain-parcels.ts';
import { type Shipment, openHolds } from './domain-shipment.ts';
import { STATUSES } from './domain-table.ts';

const lineSchema = z.object({ line_id: z.string(), sku: z.string(), quantity: z.int() });
export const shipmentStatusSchema = z.enum(STATUSES);

export const parcelSchema = z
  .object({
    id: z.string(),
    status: z.enum(PARCEL_STATUSES),
    tracking_number: z.string(),
    weight_g: z.int().nullable(),
    dims_mm: z.array(z.int()).nullable().meta({ description: 'Length, width and height.' }),
    lines: z.array(lineSchema),
    code: z.string().nullable().meta({ description: 'The tracking event that moved it last.' }),
    note: z.string().nullable(),
    tracked_at: timestamp.nullable().meta({ description: 'When that happened, as the carrier says.' }),
    estimated_delivery: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Parcel' });

export const shipmentSchema = z
  .object({
    id: z.string(),
    order_id: z.string().nullable(),
    order_number: z.string().nullable(),
    status: shipmentStatusSchema,
    warehouse_id: z.string().nullable().meta({ description: 'Where it leaves from; null when it was cancelled before it was prepared.' }),
    tracking_number: z.string().nullable(),
    recipient: z.string().nullable(),
    ship_to: z.record(z.string(), z.string()).nullable(),
    lines: z.array(lineSchema),
    shorted: z.array(lineSchema).meta({ description: 'What was not where it should be: it is shipped without.' }),
    holds: z
      .array(z.object({ hold_id: z.string(), reason: z.string(), placed_at: timestamp }))
      .meta({ description: 'While there is one nobody picks, packs or dispatches.' }),
    carrier: z.string().nullable(),
    label_ref: z.string().nullable(),
    estimated_delivery: timestamp.nullable(),
    dispatch_requested_at: timestamp.nullable().meta({ description: 'Somebody asked for the dispatch, and the order has not answered yet.' }),
    refused_reason: z.string().nullable().meta({ description: 'Why the order refused the dispatch that was asked for last.' }),
    dispatched_at: timestamp.nullable(),
    delivered_at: timestamp.nullable(),
    attempts: z.int().meta({ description: 'How often the carrier was told of it.' }),
    due_at: timestamp.nullable().meta({ description: 'When the carrier is told again; null unless pending.' }),
    error: z.string().nullable().meta({ description: 'Why the carrier did not take it.' }),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Shipment', description: 'What goes from a warehouse to a customer in one go.' });

export const shipmentDetailSchema = shipmentSchema
  .extend({ parcels: z.array(parcelSchema).meta({ description: 'None while it is one parcel of which nothing more is known.' }) })
  .meta({ id: 'ShipmentDetail' });

/** `sequence` counts what was said of it: that is between services. */
export const present = ({
  sequence: _sequence,
  parcel_count: _count,
  dispatch_ordered_at: _ordered,
  ...shipment
}: Omit<Shipment, 'parcels'>): z.output<typeof shipmentSchema> => ({
  ...shipment,
  lines: [...shipment.lines],
  shorted: [...(shipment.shorted ?? [])],
  holds: openHolds(shipment).map(({ hold_id, reason, placed_at }) => ({ hold_id, reason, placed_at: rfc3339(placed_at) })),
  estimated_delivery: rfc3339OrNull(shipment.estimated_delivery),
  dispatch_requested_at: rfc3339OrNull(shipment.dispatch_requested_at),
  dispatched_at: rfc3339OrNull(shipment.dispatched_at),
  delivered_at: rfc3339OrNull(shipment.delivered_at),
  due_at: rfc3339OrNull(shipment.due_at),
  created_at: rfc3339(shipment.created_at),
  updated_at: rfc3339(shipment.updated_at),
});

export const presentDetail = ({ parcels, ...shipment }: Shipment): z.output<typeof shipmentDetailSchema> => ({
  ...present(shipment),
  parcels: parcels.filter(({ status }) => status !== 'cancelled').map(presentParcel),
});

const presentParcel = ({ id, status, tracking_number, weight_g, dims_mm, lines, code, note, ...times }: Parcel): z.output<typeof parcelSchema> => ({
  id,
  status,
  tracking_number,
  weight_g,
  dims_mm: dims_mm && [...dims_mm],
  lines: [...lines],
  code,
  note,
  tracked_at: rfc3339OrNull(times.tracked_at),
  estimated_delivery: rfc3339OrNull(times.estimated_delivery),
  created_at: rfc3339(times.created_at),
  updated_at: rfc3339(times.updated_at),
});
