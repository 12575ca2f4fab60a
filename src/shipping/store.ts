/**
 * SQL of shipments. A row is the shape the domain works on.
 */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { type Shipment, shipmentIdOf } from './domain.ts';

const lock = statement<{ id: string }, Shipment>(
  { id: 'text' },
  (rows, dialect) =>
    `select shipment.* from shipment where shipment.id in (select row.id from ${rows}) order by shipment.id ${dialect.forUpdate('shipment')}`,
  { json: ['ship_to', 'lines'] },
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

/** Shipments, locked until the transaction ends. */
export const lockShipments = (tx: Tx, ids: readonly string[]): Promise<Shipment[]> =>
  tx.run(
    lock,
    [...new Set(ids)].map((id) => ({ id })),
  );

/** Stores shipments; version 0 means new. Throws the Fault `conflict` when another transaction was faster. */
export async function saveShipments(tx: Tx, shipments: readonly Shipment[]): Promise<void> {
  const fresh = shipments.filter(({ version }) => version === 0).map(toText);
  const changed = shipments.filter(({ version }) => version > 0);
  const stored = (await tx.run(insertShipments, fresh)).length + (await tx.run(updateShipments, changed)).length;
  if (stored !== shipments.length) throw new Fault('conflict', `${shipments.length - stored} shipments were changed by another transaction`);
}

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
  shipment: Shipment;
}
export interface ShipmentFilter {
  readonly order_id?: string | undefined;
  readonly status?: Shipment['status'] | undefined;
  readonly tracking_number?: string | undefined;
}

/** Shipments, newest first, after the one with the id `before`. */
export function listShipments(
  read: Reader,
  builder: Kysely<ShippingTables>,
  { order_id, status, tracking_number }: ShipmentFilter,
  page: { before: string | undefined; limit: number },
): Promise<Shipment[]> {
  let query = builder.selectFrom('shipment').selectAll().orderBy('id', 'desc').limit(page.limit);
  if (order_id !== undefined) query = query.where('id', '=', shipmentIdOf(order_id));
  if (status !== undefined) query = query.where('status', '=', status);
  if (tracking_number !== undefined) query = query.where('tracking_number', '=', tracking_number);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return read.query(query, { json: ['ship_to', 'lines'] });
}

/** One shipment, by its id or its tracking number; undefined when there is none. */
export async function readShipment(
  read: Reader,
  builder: Kysely<ShippingTables>,
  by: 'id' | 'tracking_number',
  value: string,
): Promise<Shipment | undefined> {
  const [shipment] = await read.query(builder.selectFrom('shipment').selectAll().where(by, '=', value), { json: ['ship_to', 'lines'] });
  return shipment;
}
