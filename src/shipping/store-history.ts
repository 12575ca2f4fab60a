/** SQL of who did what with a shipment or a return. */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';

export interface HistoryEntry {
  /** The id of a shipment or a return. */
  readonly subject: string;
  /** The version that came of it. */
  readonly version: number;
  readonly at: number;
  readonly action: string;
  readonly client: string;
  readonly operation: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

type Row = Omit<HistoryEntry, 'detail'> & { readonly detail: string };

const insert = statement<Row>(
  { subject: 'text', version: 'bigint', at: 'bigint', action: 'text', client: 'text', operation: 'text', detail: 'text' },
  (rows) => `
    insert into history (subject, version, at, action, client, operation, detail)
    select row.subject, row.version, row.at, row.action, row.client, row.operation, row.detail from ${rows}`,
);

export const writeHistory = (tx: Tx, entries: readonly HistoryEntry[]): Promise<unknown> =>
  tx.run(
    insert,
    entries.map((entry) => ({ ...entry, detail: JSON.stringify(entry.detail) })),
  );

export interface HistoryTables {
  history: HistoryEntry;
}

/** What was done, newest first, before the version `before`. */
export function listHistory(
  { read, builder }: { read: Reader; builder: Kysely<HistoryTables> },
  subject: string,
  page: { before: number | undefined; limit: number },
): Promise<HistoryEntry[]> {
  let query = builder.selectFrom('history').selectAll().where('subject', '=', subject).orderBy('version', 'desc').limit(page.limit);
  if (page.before !== undefined) query = query.where('version', '<', page.before);
  return read.query(query, { json: ['detail'] });
}
