/** How much waits to be published. The relay's own gauge follows what it does; this asks the table, however busy the relay is. */
import type { Database } from '../db/database.ts';

/** Messages committed and not yet confirmed by the transport. */
export async function countOutbox(db: Database): Promise<number> {
  const [row] = await db.read.raw<{ n: number }>('select cast(coalesce(sum(messages), 0) as bigint) as n from outbox');
  return row!.n;
}
