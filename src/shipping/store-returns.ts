/** SQL of returns. A row is the shape the domain works on. */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { Return } from './domain-returns.ts';

const JSON_COLUMNS = ['lines', 'received'] as const;

const lock = statement<{ id: string }, Return>(
  { id: 'text' },
  (rows, dialect) =>
    `select returns.* from returns where returns.id in (select row.id from ${rows}) order by returns.id ${dialect.forUpdate('returns')}`,
  { json: JSON_COLUMNS },
);
const ofOrder = statement<{ order_id: string }, Return>(
  { order_id: 'text' },
  (rows) => `select returns.* from ${rows} join returns on returns.order_id = row.order_id`,
  { json: JSON_COLUMNS },
);

type NewReturn = Pick<
  Return,
  'id' | 'number' | 'order_id' | 'order_number' | 'status' | 'parcel_id' | 'warehouse_id' | 'note' | 'sequence' | 'created_at'
> & { readonly lines: string };

const insert = statement<NewReturn>(
  {
    id: 'text',
    number: 'text',
    order_id: 'text',
    order_number: 'text',
    status: 'text',
    parcel_id: 'text',
    warehouse_id: 'text',
    lines: 'text',
    note: 'text',
    sequence: 'bigint',
    created_at: 'bigint',
  },
  (rows) => `
    insert into returns (id, number, order_id, order_number, status, parcel_id, warehouse_id, lines, note, sequence, created_at, updated_at)
    select row.id, row.number, row.order_id, row.order_number, row.status, row.parcel_id, row.warehouse_id, row.lines, row.note, row.sequence,
      row.created_at, row.created_at
    from ${rows}`,
);

type ChangedReturn = Pick<Return, 'id' | 'status' | 'warehouse_id' | 'rejection' | 'received_at' | 'sequence' | 'version' | 'updated_at'> & {
  readonly received: string | null;
};

const update = statement<ChangedReturn, { id: string }>(
  {
    id: 'text',
    status: 'text',
    warehouse_id: 'text',
    received: 'text',
    rejection: 'text',
    received_at: 'bigint',
    sequence: 'bigint',
    version: 'bigint',
    updated_at: 'bigint',
  },
  (rows) => `
    update returns set status = row.status, warehouse_id = row.warehouse_id, received = row.received, rejection = row.rejection,
      received_at = row.received_at, sequence = row.sequence, version = row.version + 1, updated_at = row.updated_at
    from ${rows} where returns.id = row.id and returns.version = row.version returning returns.id`,
);

/** Returns, locked until the transaction ends. */
export const lockReturns = (tx: Tx, ids: readonly string[]): Promise<Return[]> =>
  tx.run(
    lock,
    [...new Set(ids)].map((id) => ({ id })),
  );

/** All returns of an order. */
export const returnsOfOrder = (read: Reader, order_id: string): Promise<Return[]> => read.run(ofOrder, [{ order_id }]);

/** Stores returns; version 0 means new. Throws the Fault `conflict` when another transaction was faster. */
export async function saveReturns(tx: Tx, returns: readonly Return[]): Promise<void> {
  await tx.run(
    insert,
    returns.filter(({ version }) => version === 0).map((back) => ({ ...back, lines: JSON.stringify(back.lines) })),
  );
  const changed = returns.filter(({ version }) => version > 0).map((back) => ({ ...back, received: back.received && JSON.stringify(back.received) }));
  const stored = await tx.run(update, changed);
  if (stored.length !== changed.length) throw new Fault('conflict', `${changed.length - stored.length} returns were changed by another transaction`);
}

export interface ReturnTables {
  returns: Return;
}
export interface ReturnFilter {
  readonly order_id?: string | undefined;
  readonly status?: Return['status'] | undefined;
  readonly warehouse_id?: string | undefined;
  readonly number?: string | undefined;
}
interface Tables {
  readonly read: Reader;
  readonly builder: Kysely<ReturnTables>;
}

/** Returns, newest first, after the one with the id `before`. */
export function listReturns(
  { read, builder }: Tables,
  { order_id, status, warehouse_id, number }: ReturnFilter,
  page: { before: string | undefined; limit: number },
): Promise<Return[]> {
  let query = builder.selectFrom('returns').selectAll().orderBy('id', 'desc').limit(page.limit);
  if (order_id !== undefined) query = query.where('order_id', '=', order_id);
  if (status !== undefined) query = query.where('status', '=', status);
  if (warehouse_id !== undefined) query = query.where('warehouse_id', '=', warehouse_id);
  if (number !== undefined) query = query.where('number', '=', number);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return read.query(query, { json: JSON_COLUMNS });
}

/** One return; undefined when there is none. */
export async function readReturn({ read, builder }: Tables, id: string): Promise<Return | undefined> {
  const [back] = await read.query(builder.selectFrom('returns').selectAll().where('id', '=', id), { json: JSON_COLUMNS });
  return back;
}
