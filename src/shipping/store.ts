/**
 * SQL of shipments. A row is the shape the domain works on, but for its parcels (store-parcels.ts).
 */
import { type Kysely, sql } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { type Shipment, shipmentIdOf } from './domain-shipment.ts';
import { loadParcels, saveParcels } from './store-parcels.ts';

type ShipmentRow = Omit<Shipment, 'parcels'>;
const JSON_COLUMNS = ['ship_to', 'lines', 'shorted', 'holds'] as const;

const lock = statement<{ id: string }, ShipmentRow>(
  { id: 'text' },
  (rows, dialect) =>
    `select shipment.* from shipment where shipment.id in (select row.id from ${rows}) order by shipment.id ${dialect.forUpdate('shipment')}`,
  { json: JSON_COLUMNS },
);

const byId = statement<{ id: string }, ShipmentRow>(
  { id: 'text' },
  (rows) => `select shipment.* from ${rows} join shipment on shipment.id = row.id`,
  { json: JSON_COLUMNS },
);

/** The ids of all shipments of orders; the condition on the ids is that of the index, word for word. */
const ofOrders = statement<{ order_id: string; ordinary: string }, { id: string; order_id: string }>(
  { order_id: 'text', ordinary: 'text' },
  (rows) => `
    select s.id, s.order_id from ${rows} join shipment s on s.id = row.ordinary
    union
    select s.id, s.order_id from ${rows} join shipment s on s.order_id = row.order_id and s.id <> 'shp_' || substr(s.order_id, 5)`,
);

type NewShipment = Pick<
  Shipment,
  'id' | 'order_id' | 'order_number' | 'status' | 'warehouse_id' | 'tracking_number' | 'recipient' | 'due_at' | 'sequence' | 'created_at'
> & { readonly ship_to: string | null; readonly lines: string };

const insertShipments = statement<NewShipment, { id: string }>(
  {
    id: 'text',
    order_id: 'text',
    order_number: 'text',
    status: 'text',
    warehouse_id: 'text',
    tracking_number: 'text',
    recipient: 'text',
    ship_to: 'text',
    lines: 'text',
    due_at: 'bigint',
    sequence: 'bigint',
    created_at: 'bigint',
  },
  (rows) => `
    insert into shipment (id, order_id, order_number, status, warehouse_id, tracking_number, recipient, ship_to, lines, due_at, sequence, created_at, updated_at)
    select row.id, row.order_id, row.order_number, row.status, row.warehouse_id, row.tracking_number, row.recipient, row.ship_to, row.lines, row.due_at,
      row.sequence, row.created_at, row.created_at
    from ${rows} where true on conflict (id) do nothing returning id`,
);

type ChangedShipment = Pick<
  Shipment,
  'id' | 'status' | 'dispatch_requested_at' | 'refused_reason' | 'dispatched_at' | 'delivered_at' | 'due_at' | 'sequence' | 'version' | 'updated_at'
>;

const updateShipments = statement<ChangedShipment, { id: string }>(
  {
    id: 'text',
    status: 'text',
    dispatch_requested_at: 'bigint',
    refused_reason: 'text',
    dispatched_at: 'bigint',
    delivered_at: 'bigint',
    due_at: 'bigint',
    sequence: 'bigint',
    version: 'bigint',
    updated_at: 'bigint',
  },
  (rows) => `
    update shipment set status = row.status, dispatch_requested_at = row.dispatch_requested_at, refused_reason = row.refused_reason,
      dispatched_at = row.dispatched_at, delivered_at = row.delivered_at, due_at = row.due_at, sequence = row.sequence, version = row.version + 1,
      updated_at = row.updated_at
    from ${rows} where shipment.id = row.id and shipment.version = row.version returning shipment.id`,
);

type Details = Pick<Shipment, 'id' | 'dispatch_ordered_at' | 'parcel_count' | 'estimated_delivery'> & {
  readonly shorted: string | null;
  readonly holds: string | null;
};

/** What an ordinary shipment has not, and is spared. */
const updateDetails = statement<Details>(
  { id: 'text', dispatch_ordered_at: 'bigint', parcel_count: 'integer', estimated_delivery: 'bigint', shorted: 'text', holds: 'text' },
  (rows) => `
    update shipment set dispatch_ordered_at = row.dispatch_ordered_at, parcel_count = row.parcel_count, estimated_delivery = row.estimated_delivery,
      shorted = row.shorted, holds = row.holds
    from ${rows} where shipment.id = row.id`,
);

/** A shipment the carrier is to be told of. */
export type RegistrationTask = Pick<
  Shipment,
  'id' | 'order_id' | 'warehouse_id' | 'tracking_number' | 'recipient' | 'ship_to' | 'lines' | 'attempts'
>;

const claimDue = statement<{ now: number; lease_until: number; most: number }, RegistrationTask>(
  { now: 'bigint', lease_until: 'bigint', most: 'integer' },
  (rows, dialect) => `
    update shipment set due_at = row.lease_until from ${rows}
    where shipment.id in (
      select due.id from shipment due where due.due_at <= (select row.now from ${rows}) order by due.due_at limit (select row.most from ${rows}) ${dialect.skipLocked('due')})
    returning shipment.id, shipment.order_id, shipment.warehouse_id, shipment.tracking_number, shipment.recipient, shipment.ship_to, shipment.lines, shipment.attempts`,
  { json: ['ship_to', 'lines'] },
);

export interface RegisteredShipment {
  readonly id: string;
  readonly carrier: string;
  readonly label_ref: string;
  readonly estimated_delivery: number;
  readonly updated_at: number;
}

// Whether it is still pending is asked here and not before: it may have been cancelled while the carrier was being told.
const readyShipments = statement<RegisteredShipment, { id: string; sequence: number }>(
  { id: 'text', carrier: 'text', label_ref: 'text', estimated_delivery: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update shipment set status = 'ready', carrier = row.carrier, label_ref = row.label_ref, estimated_delivery = row.estimated_delivery, due_at = null,
      attempts = shipment.attempts + 1, error = null, sequence = shipment.sequence + 1, version = shipment.version + 1, updated_at = row.updated_at
    from ${rows} where shipment.id = row.id and shipment.status = 'pending' returning shipment.id, shipment.sequence`,
);

const postponeShipments = statement<{ id: string; attempts: number; due_at: number; error: string; updated_at: number }>(
  { id: 'text', attempts: 'integer', due_at: 'bigint', error: 'text', updated_at: 'bigint' },
  (rows) => `
    update shipment set attempts = row.attempts, due_at = row.due_at, error = row.error, updated_at = row.updated_at
    from ${rows} where shipment.id = row.id and shipment.status = 'pending'`,
);

/** Shipments with their parcels, locked until the transaction ends. */
export async function lockShipments(tx: Tx, ids: readonly string[]): Promise<Shipment[]> {
  const rows = await tx.run(
    lock,
    [...new Set(ids)].map((id) => ({ id })),
  );
  return withParcels(tx, rows);
}

/** The ids of all shipments there are of these orders. */
export async function shipmentsOfOrders(read: Reader, orderIds: readonly string[]): Promise<{ id: string; order_id: string }[]> {
  return read.run(
    ofOrders,
    [...new Set(orderIds)].map((order_id) => ({ order_id, ordinary: shipmentIdOf(order_id) })),
  );
}

/** The same, not locked. */
export async function readShipments(reader: Reader, ids: readonly string[]): Promise<Shipment[]> {
  const rows = await reader.run(
    byId,
    ids.map((id) => ({ id })),
  );
  return withParcels(reader, rows);
}

async function withParcels(read: Reader, rows: readonly ShipmentRow[]): Promise<Shipment[]> {
  const parcels = await loadParcels(
    read,
    rows.filter(({ parcel_count }) => parcel_count !== null).map(({ id }) => id),
  );
  return rows.map((row) => ({ ...row, parcels: parcels.get(row.id) ?? [] }));
}

/** Stores shipments and what changed of their parcels; `known` is as they were. Throws the Fault `conflict` when another transaction was faster. */
export async function saveShipments(tx: Tx, shipments: readonly Shipment[], known: ReadonlyMap<string, Shipment>): Promise<void> {
  const fresh = shipments.filter(({ version }) => version === 0).map(toText);
  const changed = shipments.filter(({ version }) => version > 0);
  const stored = (await tx.run(insertShipments, fresh)).length + (await tx.run(updateShipments, changed)).length;
  if (stored !== shipments.length) throw new Fault('conflict', `${shipments.length - stored} shipments were changed by another transaction`);
  await tx.run(updateDetails, changed.filter((shipment) => hasOtherDetails(shipment, known.get(shipment.id)!)).map(detailsOf));
  await saveParcels(
    tx,
    changed.flatMap((shipment) => shipment.parcels.filter((parcel) => !known.get(shipment.id)!.parcels.includes(parcel))),
  );
}

const hasOtherDetails = (a: Shipment, b: Shipment): boolean =>
  a.shorted !== b.shorted ||
  a.holds !== b.holds ||
  a.dispatch_ordered_at !== b.dispatch_ordered_at ||
  a.parcel_count !== b.parcel_count ||
  a.estimated_delivery !== b.estimated_delivery;

const detailsOf = ({ id, dispatch_ordered_at, parcel_count, estimated_delivery, shorted, holds }: Shipment): Details => ({
  id,
  dispatch_ordered_at,
  parcel_count,
  estimated_delivery,
  shorted: shorted && JSON.stringify(shorted),
  holds: holds && JSON.stringify(holds),
});

const toText = (shipment: Shipment): NewShipment => ({
  ...shipment,
  ship_to: shipment.ship_to === null ? null : JSON.stringify(shipment.ship_to),
  lines: JSON.stringify(shipment.lines),
});

/** Leases shipments that are due for the carrier, the longest waiting first. */
export const claimShipments = (tx: Tx, options: { now: number; leaseUntil: number; limit: number }): Promise<RegistrationTask[]> =>
  tx.run(claimDue, [{ now: options.now, lease_until: options.leaseUntil, most: options.limit }]);

/** Makes pending shipments ready; answers those that were pending, with the number of their event. */
export async function markReady(tx: Tx, registered: readonly RegisteredShipment[]): Promise<Map<string, number>> {
  return new Map((await tx.run(readyShipments, registered)).map(({ id, sequence }) => [id, sequence]));
}

export const postpone = (
  tx: Tx,
  failed: readonly { id: string; attempts: number; due_at: number; error: string; updated_at: number }[],
): Promise<unknown> => tx.run(postponeShipments, failed);

export interface ShippingTables {
  shipment: ShipmentRow;
  parcel: { readonly tracking_number: string; readonly shipment_id: string; readonly status: string };
}
export interface ShipmentFilter {
  readonly order_id?: string | undefined;
  readonly status?: Shipment['status'] | undefined;
  readonly warehouse_id?: string | undefined;
  readonly tracking_number?: string | undefined;
}

/** The condition of the index of those people work on, word for word. */
const WORKED_ON = sql<boolean>`status in ('picking', 'packed', 'exception', 'returned', 'lost')`;
const isWorkedOn = (status: Shipment['status']): boolean => ['picking', 'packed', 'exception', 'returned', 'lost'].includes(status);

/** Shipments without their parcels, newest first, after the one with the id `before`. */
export async function listShipments(
  { read, builder }: { read: Reader; builder: Kysely<ShippingTables> },
  { order_id, status, warehouse_id, tracking_number }: ShipmentFilter,
  page: { before: string | undefined; limit: number },
): Promise<ShipmentRow[]> {
  let query = builder.selectFrom('shipment').selectAll().orderBy('id', 'desc').limit(page.limit);
  if (order_id !== undefined) {
    const ids = (await shipmentsOfOrders(read, [order_id])).map(({ id }) => id);
    if (ids.length === 0) return [];
    query = query.where('id', 'in', ids);
  }
  if (status !== undefined) query = query.where('status', '=', status);
  if (status !== undefined && isWorkedOn(status)) query = query.where(WORKED_ON);
  if (warehouse_id !== undefined) query = query.where('warehouse_id', '=', warehouse_id);
  if (tracking_number !== undefined) {
    const id = await findByNumber(read, builder, tracking_number);
    if (id === undefined) return [];
    query = query.where('id', '=', id);
  }
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return read.query(query, { json: JSON_COLUMNS });
}

/** The id of the shipment that has this tracking number, or a parcel with it; undefined when there is none. */
export async function findByNumber(read: Reader, builder: Kysely<ShippingTables>, number: string): Promise<string | undefined> {
  const [shipment] = await read.query(builder.selectFrom('shipment').select('id').where('tracking_number', '=', number));
  if (shipment !== undefined) return shipment.id;
  const ofParcel = builder.selectFrom('parcel').select('shipment_id').where('tracking_number', '=', number).where('status', '<>', 'cancelled');
  return (await read.query(ofParcel))[0]?.shipment_id;
}

/** One shipment with its parcels; undefined when there is none. */
export async function readShipment(read: Reader, builder: Kysely<ShippingTables>, id: string): Promise<Shipment | undefined> {
  const rows = await read.query(builder.selectFrom('shipment').selectAll().where('id', '=', id), { json: JSON_COLUMNS });
  return (await withParcels(read, rows))[0];
}
