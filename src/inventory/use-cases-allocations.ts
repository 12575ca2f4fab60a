/** Where the goods of an order are, why there, and for what it waits. Reads only. */
import type { Reader } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import { type Candidate, allocate } from './domain-allocation.ts';
import { type Part, claimsOf } from './domain-claims.ts';
import { detailOf, partsOf } from './domain-parted.ts';
import type { Detail, Reservation } from './domain-reservations.ts';
import { type LevelThen, type Waiting, findParts, findReservation, levelsBefore, waitingOfOrder } from './store-allocations.ts';

export type AllocationStatus = 'held' | 'queued' | 'committed' | 'released' | 'expired' | 'rejected';
export const ALLOCATION_STATUSES = ['held', 'queued', 'committed', 'released', 'expired', 'rejected'] as const satisfies readonly AllocationStatus[];

export interface Allocation {
  readonly order_id: string;
  readonly status: AllocationStatus;
  readonly created_at: number;
  readonly lines: Reservation['lines'];
  readonly detail: Detail;
  readonly parts: readonly Part[];
  readonly queued: readonly Waiting[];
  readonly plan: Detail['plan'];
  /** Was the plan worked out again, because an ordinary reservation keeps none? */
  readonly worked_out: boolean;
}

export async function findAllocation(reader: Reader, order_id: string): Promise<Allocation> {
  const known = await findReservation(reader, order_id);
  if (known === undefined) throw new Refusal('reservation_not_found', `nothing was ever asked of stock for ${order_id}`);
  const parts = partsOf(known, claimsOf(known.status === 'parted' ? await findParts(reader, order_id) : [], []));
  const queued = known.status === 'parted' ? await waitingOfOrder(reader, order_id) : [];
  const detail = detailOf(known);
  const plan = detail.plan ?? (await ordinaryPlan(reader, known));
  const worked_out = detail.plan === null && plan !== null;
  const { lines, created_at } = known;
  return { order_id, status: statusOf(known, parts, queued), created_at, lines, detail, parts, queued, plan, worked_out };
}

function statusOf({ status, released_at, detail }: Reservation, parts: readonly Part[], queued: readonly Waiting[]): AllocationStatus {
  if (status !== 'parted') return status;
  if (queued.length > 0) return 'queued';
  if (parts.some(({ held }) => held > 0)) return 'held';
  if (released_at === null && (detail?.expired_at ?? null) !== null) return 'expired';
  return parts.some(({ gone }) => gone > 0) ? 'committed' : 'released';
}

/** Why an ordinary reservation is where it is: the decision made again on what lay there then. Null when it would be another one by the rules of today. */
async function ordinaryPlan(reader: Reader, { order_id, status, warehouse_id, lines }: Reservation): Promise<Detail['plan']> {
  if ((status !== 'held' && status !== 'committed') || lines.length === 0) return null;
  const then = await levelsBefore(
    reader,
    order_id,
    lines.map(({ sku }) => sku),
  );
  if (then === undefined) return null;
  const { strategy, parts, rejected } = allocate(lines, candidatesThen(then), {});
  return parts[0]?.warehouse_id === warehouse_id ? { strategy, rejected } : null;
}

const candidatesThen = (levels: readonly LevelThen[]): Candidate[] =>
  [...Map.groupBy(levels, ({ warehouse_id }) => warehouse_id)].map(([warehouse_id, own]) => ({
    warehouse_id,
    priority: own[0]!.priority,
    distance: null,
    free: new Map(own.map(({ sku, available, safety_stock }) => [sku, available - safety_stock])),
  }));
