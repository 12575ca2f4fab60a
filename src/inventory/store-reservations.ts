/**
 * SQL for reservations: a header for each order ever asked about, which is also the tombstone, its lines, and a detail where there is
 * more to say. Where the pieces of parted ones are is in store-claims.ts.
 */
import { type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { OrderLine } from './domain-allocation.ts';
import type { Detail, Reservation } from './domain-reservations.ts';

type HeaderRow = Pick<Reservation, 'order_id' | 'status' | 'warehouse_id' | 'released_at'> & {
  readonly created_at: number;
  readonly updated_at: number;
};
type LineRow = OrderLine & { readonly order_id: string };
type Id = { readonly order_id: string };

const lockReservations = statement<Id, HeaderRow>(
  { order_id: 'text' },
  (rows, dialect) => `
    select reservation.* from ${rows} join reservation on reservation.order_id = row.order_id
    order by reservation.order_id ${dialect.forUpdate('reservation')}`,
);
const readLines = statement<Id, LineRow>(
  { order_id: 'text' },
  (rows) => `
    select reservation_line.* from ${rows} join reservation_line on reservation_line.order_id = row.order_id
    order by reservation_line.order_id, reservation_line.line_id`,
);
const readDetails = statement<Id, Id & Detail>(
  { order_id: 'text' },
  (rows) => `
    select d.order_id, d.asked, d.plan, d.revision, d.refused, d.expires_at, d.expired_at from ${rows}
    join reservation_detail d on d.order_id = row.order_id`,
  { json: ['asked', 'plan', 'refused'] },
);
const insertReservations = statement<HeaderRow, Id>(
  { order_id: 'text', status: 'text', warehouse_id: 'text', released_at: 'bigint', created_at: 'bigint', updated_at: 'bigint' },
  (rows) => `
    insert into reservation (order_id, status, warehouse_id, released_at, created_at, updated_at)
    select row.order_id, row.status, row.warehouse_id, row.released_at, row.created_at, row.updated_at from ${rows} where true order by row.order_id
    on conflict (order_id) do nothing returning order_id`,
);
const updateReservations = statement<Omit<HeaderRow, 'warehouse_id' | 'created_at'>>(
  { order_id: 'text', status: 'text', released_at: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update reservation set status = row.status, released_at = row.released_at, updated_at = row.updated_at
    from ${rows} where reservation.order_id = row.order_id`,
);
const insertLines = statement<LineRow>(
  { order_id: 'text', line_id: 'text', sku: 'text', quantity: 'bigint' },
  (rows) => `
    insert into reservation_line (order_id, line_id, sku, quantity)
    select row.order_id, row.line_id, row.sku, row.quantity from ${rows} order by row.order_id, row.line_id`,
);
const deleteLines = statement<Id>(
  { order_id: 'text' },
  (rows) => `delete from reservation_line where order_id in (select row.order_id from ${rows})`,
);

interface DetailRow extends Id, Pick<Detail, 'revision' | 'expires_at' | 'expired_at'> {
  readonly asked: string | null;
  readonly plan: string | null;
  readonly refused: string | null;
  readonly updated_at: number;
}
// What an ordinary reservation was asked and why it was put where it is may not have been loaded: it stays.
const upsertDetails = statement<DetailRow>(
  {
    order_id: 'text',
    asked: 'text',
    plan: 'text',
    revision: 'bigint',
    refused: 'text',
    expires_at: 'bigint',
    expired_at: 'bigint',
    updated_at: 'bigint',
  },
  (rows) => `
    insert into reservation_detail (order_id, asked, plan, revision, refused, expires_at, expired_at, updated_at)
    select row.order_id, row.asked, row.plan, row.revision, row.refused, row.expires_at, row.expired_at, row.updated_at from ${rows} where true
    on conflict (order_id) do update set asked = coalesce(excluded.asked, reservation_detail.asked), plan = coalesce(excluded.plan, reservation_detail.plan),
      revision = excluded.revision, refused = excluded.refused, expires_at = excluded.expires_at, expired_at = excluded.expired_at,
      updated_at = excluded.updated_at`,
);

/**
 * What is known of orders, locked until the transaction ends; with the lines of those that hold something, and everything of those that
 * are parted or that `whole` asks for.
 */
export async function loadReservations(
  tx: Tx,
  orderIds: Iterable<string>,
  whole: ReadonlySet<string> = new Set(),
): Promise<Map<string, Reservation>> {
  const rows = await tx.run(
    lockReservations,
    [...new Set(orderIds)].map((order_id) => ({ order_id })),
  );
  const wholeRows = rows.filter(({ order_id, status }) => status === 'parted' || whole.has(order_id));
  const lines = Map.groupBy(
    await tx.run(
      readLines,
      rows.filter(({ order_id, status }) => status === 'held' || status === 'parted' || whole.has(order_id)),
    ),
    ({ order_id }) => order_id,
  );
  const details = new Map((await tx.run(readDetails, wholeRows)).map(({ order_id, ...detail }) => [order_id, detail]));
  return new Map(
    rows.map(({ order_id, status, warehouse_id, released_at, created_at }) => {
      const detail = details.get(order_id);
      return [
        order_id,
        {
          order_id,
          status,
          warehouse_id,
          released_at,
          created_at,
          lines: (lines.get(order_id) ?? []).map(({ line_id, sku, quantity }) => ({ line_id, sku, quantity })),
          ...(detail && { detail }),
        },
      ];
    }),
  );
}

/**
 * Writes reservations: those not `known` before as new rows. Throws a Fault, to be tried again, when somebody else wrote one of them
 * meanwhile: what is new has no row that could be locked.
 */
export async function saveReservations(tx: Tx, known: ReadonlyMap<string, Reservation>, decided: readonly Reservation[], now: number): Promise<void> {
  const fresh = decided.filter(({ order_id }) => !known.has(order_id));
  const changed = decided.filter(({ order_id, lines }) => known.has(order_id) && known.get(order_id)!.lines !== lines);
  const inserted = await tx.run(
    insertReservations,
    fresh.map((reservation) => ({ ...reservation, created_at: now, updated_at: now })),
  );
  if (inserted.length !== fresh.length) throw new Fault('conflict', 'another transaction decided about the same orders');
  await tx.run(deleteLines, changed);
  await tx.run(
    insertLines,
    [...fresh, ...changed].flatMap(({ order_id, lines }) => lines.map((line) => ({ ...line, order_id }))),
  );
  await tx.run(
    updateReservations,
    decided
      .filter(({ order_id }) => known.has(order_id))
      .map(({ order_id, status, released_at }) => ({ order_id, status, released_at, updated_at: now })),
  );
  await tx.run(
    upsertDetails,
    decided.flatMap(({ order_id, detail }) =>
      detail === undefined || detail === known.get(order_id)?.detail ? [] : [detailRow(order_id, detail, now)],
    ),
  );
}

const detailRow = (order_id: string, { asked, plan, refused, ...detail }: Detail, updated_at: number): DetailRow => ({
  ...detail,
  order_id,
  asked: json(asked),
  plan: json(plan),
  refused: json(refused),
  updated_at,
});
const json = (value: object | null): string | null => (value === null ? null : JSON.stringify(value));
