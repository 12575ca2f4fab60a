/** How much waits to be published. The relay's own gauge follows what it does; this asks the table, however busy the relay is. */
import type { Database } from '../db/database.ts';

/** Messages committed and not yet confirmed by the transport; of one shard, where that is asked. */
export async function countOutbox({ dialect, read }: Database, shard?: number): Promise<number> {
  const ofShard = shard === undefined || dialect.name === 'sqlite' ? '' : ` where shard = ${shard}`;
  const [row] = await read.raw<{ n: number }>(`select cast(coalesce(sum(messages), 0) as bigint) as n from outbox${ofShard}`);
  return row!.n;
}
