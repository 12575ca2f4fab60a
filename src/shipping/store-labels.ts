/** SQL of labels. */
import { type Reader, type Tx, statement } from '../db/database.ts';
import type { LabelCall } from './carrier.ts';
import type { Label, LabelDocument } from './domain-labels.ts';

// Everything but the document.
const COLUMNS =
  'l.id, l.shipment_id, l.parcel_id, l.format, l.status, l.unwanted, l.attempts, l.due_at, l.carrier, l.carrier_ref, l.content_type, l.sha256, l.error, l.created_at, l.updated_at';
/** The condition of the index, word for word. */
const LIVE = `l.unwanted = 0 and l.status in ('requested', 'unknown', 'bought')`;

const insert = statement<Pick<Label, 'id' | 'shipment_id' | 'parcel_id' | 'format' | 'status' | 'due_at' | 'created_at'>>(
  { id: 'text', shipment_id: 'text', parcel_id: 'text', format: 'text', status: 'text', due_at: 'bigint', created_at: 'bigint' },
  (rows) => `
    insert into label (id, shipment_id, parcel_id, format, status, due_at, created_at, updated_at)
    select row.id, row.shipment_id, row.parcel_id, row.format, row.status, row.due_at, row.created_at, row.created_at from ${rows}`,
);

const update = statement<Omit<Label, 'shipment_id' | 'parcel_id' | 'format' | 'created_at'> & { readonly content: string | null }>(
  {
    id: 'text',
    status: 'text',
    unwanted: 'integer',
    attempts: 'integer',
    due_at: 'bigint',
    carrier: 'text',
    carrier_ref: 'text',
    content_type: 'text',
    content: 'text',
    sha256: 'text',
    error: 'text',
    updated_at: 'bigint',
  },
  (rows) => `
    update label set status = row.status, unwanted = row.unwanted, attempts = row.attempts, due_at = row.due_at, carrier = row.carrier,
      carrier_ref = row.carrier_ref, content_type = row.content_type, content = coalesce(row.content, label.content), sha256 = row.sha256,
      error = row.error, updated_at = row.updated_at
    from ${rows} where label.id = row.id`,
);

const lockLive = statement<{ parcel_id: string }, Label>(
  { parcel_id: 'text' },
  (rows, dialect) =>
    `select ${COLUMNS} from label l where l.parcel_id in (select row.parcel_id from ${rows}) and ${LIVE} order by l.id ${dialect.forUpdate('l')}`,
);
const lockById = statement<{ id: string }, Label>(
  { id: 'text' },
  (rows, dialect) => `select ${COLUMNS} from label l where l.id in (select row.id from ${rows}) order by l.id ${dialect.forUpdate('l')}`,
);

const claimDue = statement<{ now: number; lease_until: number; most: number }, { id: string }>(
  { now: 'bigint', lease_until: 'bigint', most: 'integer' },
  (rows, dialect) => `
    update label set due_at = row.lease_until from ${rows}
    where label.id in (
      select due.id from label due where due.due_at <= (select row.now from ${rows}) order by due.due_at limit (select row.most from ${rows}) ${dialect.skipLocked('due')})
    returning label.id`,
);

/** A label to be bought, asked about or given back. */
export type LabelTask = LabelCall & Pick<Label, 'status' | 'unwanted' | 'attempts'>;
type TaskRow = Omit<LabelTask, 'from'> & { readonly warehouse: string; readonly location: string };

const calls = statement<{ id: string }, TaskRow>(
  { id: 'text' },
  (rows) => `
    select l.id, l.format, l.status, l.unwanted, l.attempts, l.shipment_id, l.parcel_id, coalesce(s.order_number, s.id) as order_number, p.tracking_number,
      coalesce(w.name, s.warehouse_id) as warehouse, coalesce(w.location, '') as location, s.recipient, s.ship_to, p.weight_g, p.dims_mm, p.lines
    from ${rows} join label l on l.id = row.id join parcel p on p.id = l.parcel_id join shipment s on s.id = l.shipment_id
    left join warehouse w on w.id = s.warehouse_id`,
  { json: ['ship_to', 'dims_mm', 'lines'] },
);

/** Labels to be bought, leased to whoever performs them right away. */
export const insertLabels = (tx: Tx, labels: readonly Label[]): Promise<unknown> => tx.run(insert, labels);

/** The labels parcels have or are about to have, locked. */
export const lockLiveLabels = (tx: Tx, parcelIds: readonly string[]): Promise<Label[]> =>
  tx.run(
    lockLive,
    parcelIds.map((parcel_id) => ({ parcel_id })),
  );
export const lockLabels = (tx: Tx, ids: readonly string[]): Promise<Label[]> =>
  tx.run(
    lockById,
    ids.map((id) => ({ id })),
  );

/** Stores labels; a document comes with the answer that brought it. */
export const saveLabels = (tx: Tx, labels: readonly (Label & { readonly document?: LabelDocument | undefined })[]): Promise<unknown> =>
  tx.run(
    update,
    labels.map(({ document, ...label }) => ({ ...label, content: document === undefined ? null : Buffer.from(document.content).toString('base64') })),
  );

/** Leases labels that are due for the carrier, the longest waiting first. */
export async function claimLabels(tx: Tx, options: { now: number; leaseUntil: number; limit: number }): Promise<LabelTask[]> {
  const claimed = await tx.run(claimDue, [{ now: options.now, lease_until: options.leaseUntil, most: options.limit }]);
  return labelTasks(tx, claimed);
}

/** What the carrier is to be told of labels. */
export async function labelTasks(tx: Tx, labels: readonly { readonly id: string }[]): Promise<LabelTask[]> {
  const found = await tx.run(calls, labels);
  return found.map(({ warehouse, location, ...task }) => ({ ...task, from: [warehouse, ...(location === '' ? [] : [location])] }));
}

/** The labels of a shipment, the newest first. */
export const listLabels = (read: Reader, shipmentId: string): Promise<Label[]> =>
  read.raw<Label & Record<never, never>>(`select ${COLUMNS} from label l where l.shipment_id = $1 order by l.id desc`, [shipmentId]);

/** The label of a parcel with its document in base 64, the newest when there have been several. */
export async function readDocument(
  read: Reader,
  shipmentId: string,
  parcelId: string,
): Promise<(Label & { readonly content: string | null }) | undefined> {
  const [label] = await read.raw<Label & { readonly content: string | null }>(
    `select ${COLUMNS}, l.content from label l where l.shipment_id = $1 and l.parcel_id = $2 order by l.id desc limit 1`,
    [shipmentId, parcelId],
  );
  return label;
}

export interface WarehouseCopy {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly archived: boolean;
  readonly version: number;
}

const learn = statement<Omit<WarehouseCopy, 'archived'> & { readonly archived: number }>(
  { id: 'text', name: 'text', location: 'text', archived: 'integer', version: 'bigint' },
  (rows) => `
    insert into warehouse (id, name, location, archived, version)
    select row.id, row.name, row.location, row.archived, row.version from ${rows} where true order by row.id
    on conflict (id) do update set name = excluded.name, location = excluded.location, archived = excluded.archived, version = excluded.version
    where excluded.version > warehouse.version`,
);

/** Learns of warehouses; what is older than the copy changes nothing. */
export async function learnWarehouses(tx: Tx, warehouses: readonly WarehouseCopy[]): Promise<void> {
  // PostgreSQL refuses to touch a row twice in one statement: of one warehouse the newest goes in.
  const newest = new Map<string, WarehouseCopy>();
  for (const one of warehouses) if ((newest.get(one.id)?.version ?? 0) < one.version) newest.set(one.id, one);
  await tx.run(
    learn,
    [...newest.values()].map((one) => ({ ...one, archived: Number(one.archived) })),
  );
}

/** What is known of a warehouse; undefined when nothing is. */
export async function findWarehouse(read: Reader, id: string): Promise<{ readonly archived: boolean } | undefined> {
  const [found] = await read.raw<{ archived: number }>('select archived from warehouse where id = $1', [id]);
  return found && { archived: found.archived !== 0 };
}
