/** SQL of this room's copy of the catalogue. */
import { type Reader, type Tx, statement } from '../db/database.ts';
import type { CatalogueItem } from './domain-place.ts';

interface Row extends Omit<CatalogueItem, 'archived'> {
  readonly archived: number;
}

const select = statement<{ sku: string }, Row>(
  { sku: 'text' },
  (rows) => `
    select catalogue.sku, catalogue.name, catalogue.price, catalogue.currency, catalogue.archived, catalogue.version
    from ${rows} join catalogue on catalogue.sku = row.sku`,
);
const upsert = statement<Row>(
  { sku: 'text', name: 'text', price: 'bigint', currency: 'text', archived: 'integer', version: 'bigint' },
  (rows) => `
    insert into catalogue (sku, name, price, currency, archived, version)
    select row.sku, row.name, row.price, row.currency, row.archived, row.version from ${rows} where true order by row.sku
    on conflict (sku) do update set name = excluded.name, price = excluded.price, currency = excluded.currency,
      archived = excluded.archived, version = excluded.version
    where excluded.version > catalogue.version`,
);

interface Question {
  readonly id: string;
  readonly asked_at: number;
}
interface Answered {
  readonly id: string;
  readonly answered_at: number;
}
const insertQuestions = statement<Question>(
  { id: 'text', asked_at: 'bigint' },
  (rows) => `insert into catalogue_question (id, asked_at) select row.id, row.asked_at from ${rows}`,
);
const updateQuestions = statement<Answered>(
  { id: 'text', answered_at: 'bigint' },
  (rows) => `update catalogue_question set answered_at = row.answered_at from ${rows} where catalogue_question.id = row.id`,
);

/** The products known by these skus. */
export async function findProducts(reader: Reader, skus: Iterable<string>): Promise<Map<string, CatalogueItem>> {
  const rows = await reader.run(
    select,
    Array.from(skus, (sku) => ({ sku })),
  );
  return new Map(rows.map((row) => [row.sku, { ...row, archived: row.archived !== 0 }]));
}

/** Learns of products; what is older than the copy changes nothing. */
export async function learnProducts(tx: Tx, items: readonly CatalogueItem[]): Promise<void> {
  // PostgreSQL refuses to touch a row twice in one statement: of one sku the newest goes in.
  const newest = new Map<string, CatalogueItem>();
  for (const item of items) if ((newest.get(item.sku)?.version ?? 0) < item.version) newest.set(item.sku, item);
  await tx.run(
    upsert,
    [...newest.values()].map(({ archived, ...item }) => ({ ...item, archived: Number(archived) })),
  );
}

export const insertQuestion = (tx: Tx, question: Question): Promise<unknown> => tx.run(insertQuestions, [question]);
export const markAnswered = (tx: Tx, answered: readonly Answered[]): Promise<unknown> => tx.run(updateQuestions, answered);
export const forgetQuestions = (tx: Tx, before: number): Promise<unknown> => tx.raw('delete from catalogue_question where asked_at < $1', [before]);
export const isAnswered = async (reader: Reader, id: string): Promise<boolean> =>
  (await reader.raw('select 1 from catalogue_question where id = $1 and answered_at is not null', [id])).length > 0;
