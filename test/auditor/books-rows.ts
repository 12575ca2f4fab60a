/** How rows are written into the books. */
import type { Database } from '../../src/db/database.ts';

export const NOW = 1_767_225_600_000;

export type Row = Readonly<Record<string, string | number | null>>;

export async function insert(db: Database, table: string, ...rows: readonly Row[]): Promise<void> {
  await db.write(async (tx) => {
    for (const row of rows) {
      const names = Object.keys(row);
      await tx.raw(`insert into ${table} (${names.join(', ')}) values (${names.map((_, i) => `$${i + 1}`).join(', ')})`, Object.values(row));
    }
  });
}

export const times = { created_at: NOW, updated_at: NOW };
