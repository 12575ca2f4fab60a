/**
 * SQL for reservations: a header for each order ever asked about, which is also the tombstone, its lines, and a detail where there is
 * more to say. Where the pieces of parted ones are is in store-claims.ts.
 */
import { type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { OrderLine } from './domain-allocation.ts';
import type { Detail, Reservation } from './domain-reservations.ts';
import { RUN_BITS } from './store-stock.ts';

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

interface HolderQuestion {
  readonly run: number;
  readonly sku: string;
  readonly warehouse_id: string;
}
// Through the ledger, because there is no index of lines by sku: who was given goods of a sku last comes first.
const readHolders = statement<HolderQuestion, { order_id: string; sku: string; seq: number; held: number }>(
  { run: 'bigint', sku: 'text', warehouse_id: 'text' },
  (rows) => `
    select given.order_id, given.sku, given.seq, cast(coalesce(
        (select sum(l.quantity) from reservation r join reservation_line l on l.order_id = r.order_id
         where r.order_id = given.order_id and r.status = 'held' and r.warehouse_id = given.warehouse_id and l.sku = given.sku),
        (select sum(p.held) from reservation_part p where p.order_id = given.order_id and p.warehouse_id = given.warehouse_id and p.sku = given.sku),
        0) as bigint) as held
    from (
      select p.ref_id as order_id, p.sku, p.warehouse_id, max(p.seq) as seq from ${rows}
      join stock_posting p on p.seq >> ${RUN_BITS} = row.run and p.sku = row.sku and p.warehouse_id = row.warehouse_id
      where p.to_account = 'reserved' and p.ref_type = 'order' group by p.ref_id, p.sku, p.warehouse_id
    ) as given`,
);
const lastRun = `select coalesce(max(seq), 0) >> ${RUN_BITS} as run from stock_posting`;
/** Runs of the ledger looked at in one statement. */
const RUNS_AT_ONCE = 64;

/** Orders that hold goods in a warehouse, those first that were given them last, until they hold as much as is asked for of each sku. */
export async function findHolders(
  tx: Tx,
  warehouse_id: string,
  wanted: readonly { readonly sku: string; readonly pieces: number }[],
): Promise<string[]> {
  const missing = new Map(wanted.map(({ sku, pieces }) => [sku, pieces]));
  const seen = new Set<string>();
  const found: { order_id: string; seq: number }[] = [];
  const [last] = missing.size === 0 ? [] : await tx.raw<{ run: number }>(lastRun);
  for (let run = last?.run ?? -1; run >= 0 && missing.size > 0; run -= RUNS_AT_ONCE) {
    const runs = Array.from({ length: Math.min(RUNS_AT_ONCE, run + 1) }, (_, i) => run - i);
    const rows = await tx.run(
      readHolders,
      [...missing.keys()].flatMap((sku) => runs.map((one) => ({ run: one, sku, warehouse_id }))),
    );
    for (const { order_id, sku, seq, held } of rows.toSorted((a, b) => b.seq - a.seq)) {
      const rest = missing.get(sku);
      if (held === 0 || rest === undefined || seen.has(`${order_id}\n${sku}`)) continue;
      seen.add(`${order_id}\n${sku}`);
      found.push({ order_id, seq });
      if (rest > held) missing.set(sku, rest - held);
      else missing.delete(sku);
    }
  }
  return [...new Set(found.toSorted((a, b) => b.seq - a.seq).map(({ order_id }) => order_id))];
}
