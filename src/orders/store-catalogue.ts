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
