/** Where orders go to, for whoever weighs distances. */
import { type Reader, statement } from '../db/database.ts';

const readDestinations = statement<{ id: string }, { id: string; ship_to: Readonly<Record<string, string>> }>(
  { id: 'text' },
  (rows) => `select o.id, o.ship_to from ${rows} join orders o on o.id = row.id where o.ship_to is not null`,
  { json: ['ship_to'] },
);

/** By id; orders without an address are left out. */
export async function destinationsOf(reader: Reader, ids: readonly string[]): Promise<Map<string, Readonly<Record<string, string>>>> {
  const rows = await reader.run(
    readDestinations,
    ids.map((id) => ({ id })),
  );
  return new Map(rows.map(({ id, ship_to }) => [id, ship_to]));
}
