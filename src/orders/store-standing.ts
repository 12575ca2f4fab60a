/** How many orders are on their way, and the oldest of them: what stands, for metrics. */
import type { Reader } from '../db/database.ts';
import { idTime } from '../kernel/world.ts';
import type { OrderStatus } from './domain-order.ts';

/** Counting is cut off here: a look at metrics must not read a million rows. */
const COUNTED_MAX = 10_000;
export const OPEN_STATUSES = ['pending', 'confirmed', 'shipped', 'on_hold'] as const satisfies readonly OrderStatus[];

export interface Standing {
  readonly status: OrderStatus;
  /** 10,000 at most. */
  readonly count: number;
  /** When the oldest was placed, milliseconds UTC; undefined when there is none. */
  readonly since: number | undefined;
}

// Along the index on status and id; ids are in the order of placing and say when they were made.
const TEXT = OPEN_STATUSES.map(
  (status) => `
  select '${status}' as status, (select min(id) from orders where status = '${status}') as oldest,
    (select cast(count(*) as bigint) from (select 1 from orders where status = '${status}' limit ${COUNTED_MAX}) few) as count`,
).join(' union all ');

export async function standingOf(reader: Reader): Promise<Standing[]> {
  const rows = await reader.raw<{ status: OrderStatus; oldest: string | null; count: number }>(TEXT);
  return rows.map(({ status, oldest, count }) => ({ status, count, since: oldest === null ? undefined : idTime(oldest) }));
}
