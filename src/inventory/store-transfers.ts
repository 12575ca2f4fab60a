/** SQL for transfers. */
import { type Database, type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { Transfer, TransferLine, TransferStatus } from './domain-transfers.ts';

type Header = Omit<Transfer, 'lines'>;
type Id = { readonly id: string };
type LineRow = TransferLine & { readonly transfer_id: string };
const HEADER = {
  id: 'text',
  from_warehouse_id: 'text',
  to_warehouse_id: 'text',
  status: 'text',
  reference: 'text',
  client: 'text',
  operation: 'text',
  version: 'bigint',
  created_at: 'bigint',
  updated_at: 'bigint',
} as const;
const LINE = { transfer_id: 'text', sku: 'text', quantity: 'bigint', sent: 'bigint', received: 'bigint', written_off: 'bigint' } as const;
const names = (columns: object, of = ''): string =>
  Object.keys(columns)
    .map((column) => of + column)
    .join(', ');

const lockRows = statement<Id, Header>(
  { id: 'text' },
  (rows, dialect) => `select transfer.* from ${rows} join transfer on transfer.id = row.id order by transfer.id ${dialect.forUpdate('transfer')}`,
);
const readRows = statement<Id, Header>({ id: 'text' }, (rows) => `select transfer.* from ${rows} join transfer on transfer.id = row.id`);
const readLines = statement<Id, LineRow>(
  { id: 'text' },
  (rows) => `select l.* from ${rows} join transfer_line l on l.transfer_id = row.id order by l.transfer_id, l.sku`,
);
const insertRows = statement<Header>(HEADER, (rows) => `insert into transfer (${names(HEADER)}) select ${names(HEADER, 'row.')} from ${rows}`);
const updateRows = statement<Pick<Header, 'id' | 'status' | 'version' | 'updated_at'>, Id>(
  { id: 'text', status: 'text', version: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update transfer set status = row.status, version = row.version, updated_at = row.updated_at
    from ${rows} where transfer.id = row.id and transfer.version = row.version - 1 returning transfer.id`,
);
const upsertLines = statement<LineRow>(
  LINE,
  (rows) => `
    insert into transfer_line (${names(LINE)}) select ${names(LINE, 'row.')} from ${rows} where true
    on conflict (transfer_id, sku) do update set quantity = excluded.quantity, sent = excluded.sent, received = excluded.received,
      written_off = excluded.written_off`,
);
const plannedOf = statement<{ warehouse_id: string; sku: string }, Id>(
  { warehouse_id: 'text', sku: 'text' },
  (rows) => `
    select distinct t.id from ${rows} join transfer t on t.from_warehouse_id = row.warehouse_id and t.status in ('planned', 'sent') and t.status = 'planned'
    join transfer_line l on l.transfer_id = t.id and l.sku = row.sku`,
);
const openAt = statement<{ warehouse_id: string }, { warehouse_id: string }>(
  { warehouse_id: 'text' },
  (rows) => `
    select row.warehouse_id from ${rows}
    where exists (select 1 from transfer t where t.from_warehouse_id = row.warehouse_id and t.status in ('planned', 'sent'))
      or exists (select 1 from transfer t where t.to_warehouse_id = row.warehouse_id and t.status in ('planned', 'sent'))`,
);

async function withLines(reader: Reader, headers: readonly Header[]): Promise<Transfer[]> {
  const lines = Map.groupBy(
    await reader.run(
      readLines,
      headers.map(({ id }) => ({ id })),
    ),
    ({ transfer_id }) => transfer_id,
  );
  return headers.map((header) => ({
    ...header,
    lines: (lines.get(header.id) ?? []).map(({ sku, quantity, sent, received, written_off }) => ({ sku, quantity, sent, received, written_off })),
  }));
}

export const findTransfer = async (reader: Reader, id: string): Promise<Transfer | undefined> =>
  (await withLines(reader, await reader.run(readRows, [{ id }])))[0];

/** Transfers in the order of their ids, locked until the transaction ends. */
export const lockTransfers = async (tx: Tx, ids: Iterable<string>): Promise<Transfer[]> =>
  withLines(
    tx,
    await tx.run(
      lockRows,
      [...new Set(ids)].map((id) => ({ id })),
    ),
  );

/** Transfers that hold goods of skus in a warehouse, those planned last first; locked. */
export async function lockPlanned(tx: Tx, warehouse_id: string, skus: Iterable<string>): Promise<Transfer[]> {
  const found = await tx.run(
    plannedOf,
    [...new Set(skus)].map((sku) => ({ warehouse_id, sku })),
  );
  const locked = await lockTransfers(
    tx,
    found.map(({ id }) => id),
  );
  return locked.filter(({ status }) => status === 'planned').toReversed();
}

export const hasOpenTransfers = async (tx: Tx, warehouse_id: string): Promise<boolean> => (await tx.run(openAt, [{ warehouse_id }])).length > 0;

export async function insertTransfer(tx: Tx, transfer: Transfer): Promise<void> {
  await tx.run(insertRows, [transfer]);
  await tx.run(upsertLines, lineRows(transfer));
}

/** Writes the next versions over those before. */
export async function saveTransfers(tx: Tx, transfers: readonly Transfer[]): Promise<void> {
  if ((await tx.run(updateRows, transfers)).length !== transfers.length) throw new Fault('conflict', 'a transfer was changed by another transaction');
  await tx.run(upsertLines, transfers.flatMap(lineRows));
}

const lineRows = ({ id, lines }: Transfer): LineRow[] => lines.map((line) => ({ ...line, transfer_id: id }));

export interface TransferFilter {
  readonly status?: TransferStatus | undefined;
  /** Either end. */
  readonly warehouse_id?: string | undefined;
  /** The last id of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Transfers, the newest first, at most `limit`. */
export async function listTransfers(db: Database, { status, warehouse_id, before, limit }: TransferFilter): Promise<Transfer[]> {
  let query = db.builder<{ transfer: Header }>().selectFrom('transfer').selectAll().orderBy('id', 'desc').limit(limit);
  if (status !== undefined) query = query.where('status', '=', status);
  if (warehouse_id !== undefined)
    query = query.where(({ eb, or }) => or([eb('from_warehouse_id', '=', warehouse_id), eb('to_warehouse_id', '=', warehouse_id)]));
  if (before !== undefined) query = query.where('id', '<', before);
  return withLines(db.read, await db.read.query(query));
}
