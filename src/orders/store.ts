/**
 * SQL of orders: each statement takes a set of orders, so that moving two hundred costs as many round trips as moving one.
 *
 * A row of `orders` is an Order (domain-order.ts) with its status written beside it; there is no mapping but that.
 */
import { type ColumnType, type Database, type Reader, type Statement, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { Entry, Line, Order, OrderStatus, Status } from './domain-order.ts';
import { statusOf } from './domain-status.ts';

/** The columns of an Order, as they are read. */
type OrderRow = Omit<Order, 'lines'>;
const JSON_COLUMNS = ['customer', 'charges', 'ship_to', 'journey'] as const;
const COLUMNS =
  'id, number, client, external_id, customer, currency, charges, goods_total, charges_total, total, policy, ship_to, payment_token, journey, sequence, version, created_at, updated_at';
const QUALIFIED = COLUMNS.replace(/\w+/g, 'orders.$&');

/** A statement that inserts its rows as they are. */
function insertInto<Row extends object>(
  table: string,
  columns: Readonly<Record<keyof Row & string, ColumnType>>,
): Statement<Row, Record<never, never>> {
  const names = Object.keys(columns);
  return statement<Row>(
    columns,
    (rows) => `insert into ${table} (${names.join(', ')}) select ${names.map((name) => `row.${name}`).join(', ')} from ${rows}`,
  );
}

// ── Placing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Stored = Omit<OrderRow, (typeof JSON_COLUMNS)[number]> &
  Status & { readonly [Column in (typeof JSON_COLUMNS)[number]]: string | null } & {
    readonly request_hash: string | null;
    readonly customer_id: string;
  };
const STORED = {
  id: 'text',
  number: 'text',
  client: 'text',
  external_id: 'text',
  request_hash: 'text',
  status: 'text',
  status_reason: 'text',
  customer_id: 'text',
  customer: 'text',
  currency: 'text',
  charges: 'text',
  goods_total: 'bigint',
  charges_total: 'bigint',
  total: 'bigint',
  policy: 'text',
  ship_to: 'text',
  payment_token: 'text',
  journey: 'text',
  sequence: 'bigint',
  version: 'bigint',
  created_at: 'bigint',
  updated_at: 'bigint',
} as const satisfies Record<keyof Stored, ColumnType>;
const STORED_NAMES = Object.keys(STORED);

const insertOrders = statement<Stored, { id: string }>(
  STORED,
  (rows) => `
    insert into orders (${STORED_NAMES.join(', ')}) select ${STORED_NAMES.map((name) => `row.${name}`).join(', ')} from ${rows} where true
    on conflict (client, external_id) where external_id is not null do nothing returning id`,
);
const insertLines = insertInto<Omit<Line, 'cancelled'> & { order_id: string; position: number }>('order_line', {
  order_id: 'text',
  position: 'integer',
  id: 'text',
  sku: 'text',
  name: 'text',
  quantity: 'bigint',
  unit_price: 'bigint',
  amount: 'bigint',
});
const insertEntries = insertInto<EntryRow>('order_timeline', {
  order_id: 'text',
  seq: 'bigint',
  at: 'bigint',
  type: 'text',
  status: 'text',
  detail: 'text',
});
interface EntryRow extends Omit<Entry, 'detail'> {
  readonly order_id: string;
  readonly detail: string;
}

const countOn = statement<{ year: number; count: number }, { count: number }>(
  { year: 'integer', count: 'bigint' },
  (rows) => `
    insert into order_counter (year, count) select row.year, row.count from ${rows} where true
    on conflict (year) do update set count = order_counter.count + excluded.count returning count`,
);

/** Takes the next `count` numbers of a year; answers the first. Holds the counter until the commit: no number is given out for nothing. */
export async function takeNumbers(tx: Tx, year: number, count: number): Promise<number> {
  if (count === 0) return 0;
  const [last] = await tx.run(countOn, [{ year, count }]);
  return last!.count - count + 1;
}

/** Stores new orders; answers the ids of those that were, for another transaction may have taken their external_id meanwhile. */
export async function insertNew(tx: Tx, orders: readonly { readonly order: Order; readonly requestHash: string | null }[]): Promise<Set<string>> {
  const rows = orders.map(({ order, requestHash }): Stored => ({
    ...order,
    ...statusOf(order.journey),
    request_hash: requestHash,
    customer_id: order.customer.id,
    customer: JSON.stringify(order.customer),
    charges: JSON.stringify(order.charges),
    ship_to: order.ship_to === null ? null : JSON.stringify(order.ship_to),
    journey: JSON.stringify(order.journey),
  }));
  const stored = new Set((await tx.run(insertOrders, rows)).map(({ id }) => id));
  const lines = orders.flatMap(({ order }) =>
    stored.has(order.id) ? order.lines!.map((line, position) => ({ ...line, order_id: order.id, position })) : [],
  );
  await tx.run(insertLines, lines);
  return stored;
}

export interface ExternalId {
  readonly client: string;
  readonly external_id: string;
}
const selectExternal = statement<ExternalId, ExternalId & { id: string; request_hash: string }>(
  { client: 'text', external_id: 'text' },
  (rows) => `
    select orders.client, orders.external_id, orders.id, orders.request_hash
    from ${rows} join orders on orders.client = row.client and orders.external_id = row.external_id and orders.external_id is not null`,
);
export const findExternal = (reader: Reader, keys: readonly ExternalId[]) => reader.run(selectExternal, keys);

// ── Moving ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const lockOrders = statement<{ id: string }, OrderRow>(
  { id: 'text' },
  (rows, dialect) => `select ${QUALIFIED} from ${rows} join orders on orders.id = row.id order by orders.id ${dialect.forUpdate('orders')}`,
  { json: JSON_COLUMNS },
);

/** Locks orders, in the order of their ids so that nobody waits in a circle. Their lines are not loaded. */
export async function lock(tx: Tx, ids: readonly string[]): Promise<Order[]> {
  const rows = await tx.run(
    lockOrders,
    ids.toSorted().map((id) => ({ id })),
  );
  return rows.map((row) => ({ ...row, lines: null }));
}

interface Moved extends Status {
  readonly id: string;
  readonly payment_token: string | null;
  readonly journey: string;
  readonly sequence: number;
  readonly version: number;
  readonly loaded: number;
  readonly updated_at: number;
}
const updateOrders = statement<Moved, { id: string }>(
  {
    id: 'text',
    status: 'text',
    status_reason: 'text',
    payment_token: 'text',
    journey: 'text',
    sequence: 'bigint',
    version: 'bigint',
    loaded: 'bigint',
    updated_at: 'bigint',
  },
  (rows) => `
    update orders set status = row.status, status_reason = row.status_reason, payment_token = row.payment_token, journey = row.journey,
      sequence = row.sequence, version = row.version, updated_at = row.updated_at
    from ${rows} where orders.id = row.id and orders.version = row.loaded returning orders.id`,
);

/** Saves orders that were locked at version `loaded`. */
export async function saveMoved(tx: Tx, moved: readonly { readonly order: Order; readonly loaded: number }[]): Promise<void> {
  const rows = moved.map(({ order, loaded }): Moved => {
    const { id, payment_token, sequence, version, updated_at, journey } = order;
    return { id, payment_token, sequence, version, loaded, updated_at, ...statusOf(journey), journey: JSON.stringify(journey) };
  });
  const saved = await tx.run(updateOrders, rows);
  if (saved.length < rows.length) throw new Fault('conflict', 'an order was changed by another transaction');
}

type Rewritten = Pick<Stored, 'id' | 'customer_id' | 'customer' | 'charges' | 'goods_total' | 'charges_total' | 'total' | 'ship_to'>;
const rewriteOrders = statement<Rewritten>(
  {
    id: 'text',
    customer_id: 'text',
    customer: 'text',
    charges: 'text',
    goods_total: 'bigint',
    charges_total: 'bigint',
    total: 'bigint',
    ship_to: 'text',
  },
  (rows) => `
    update orders set customer_id = row.customer_id, customer = row.customer, charges = row.charges, goods_total = row.goods_total,
      charges_total = row.charges_total, total = row.total, ship_to = row.ship_to
    from ${rows} where orders.id = row.id`,
);
const upsertLines = statement<Line & { order_id: string; position: number }>(
  {
    order_id: 'text',
    position: 'integer',
    id: 'text',
    sku: 'text',
    name: 'text',
    quantity: 'bigint',
    cancelled: 'bigint',
    unit_price: 'bigint',
    amount: 'bigint',
  },
  (rows) => `
    insert into order_line (order_id, position, id, sku, name, quantity, cancelled, unit_price, amount)
    select row.order_id, row.position, row.id, row.sku, row.name, row.quantity, row.cancelled, row.unit_price, row.amount from ${rows} where true
    on conflict (order_id, position) do update set id = excluded.id, sku = excluded.sku, name = excluded.name, quantity = excluded.quantity,
      cancelled = excluded.cancelled, unit_price = excluded.unit_price, amount = excluded.amount`,
);
const deleteLinesFrom = statement<{ order_id: string; position: number }>(
  { order_id: 'text', position: 'integer' },
  (rows) =>
    `delete from order_line where exists (select 1 from ${rows} where row.order_id = order_line.order_id and order_line.position >= row.position)`,
);

/** Writes what a change, or a credit, has made of orders that were locked: lines, charges, totals, customer and address. */
export async function rewrite(tx: Tx, orders: readonly Order[]): Promise<void> {
  await tx.run(
    rewriteOrders,
    orders.map(({ id, customer, charges, goods_total, charges_total, total, ship_to }) => ({
      id,
      customer_id: customer.id,
      customer: JSON.stringify(customer),
      charges: JSON.stringify(charges),
      goods_total,
      charges_total,
      total,
      ship_to: ship_to === null ? null : JSON.stringify(ship_to),
    })),
  );
  const lines = orders.flatMap(({ id, lines: of }) => (of ?? []).map((line, position) => ({ ...line, order_id: id, position })));
  await tx.run(upsertLines, lines);
  await tx.run(
    deleteLinesFrom,
    orders.flatMap(({ id, lines: of }) => (of === null ? [] : [{ order_id: id, position: of.length }])),
  );
}

export async function insertTimeline(tx: Tx, entries: readonly { readonly order_id: string; readonly entry: Entry }[]): Promise<void> {
  await tx.run(
    insertEntries,
    entries.map(({ order_id, entry }) => ({ ...entry, order_id, detail: JSON.stringify(entry.detail) })),
  );
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const selectOrders = statement<{ id: string }, OrderRow>(
  { id: 'text' },
  (rows) => `select ${QUALIFIED} from ${rows} join orders on orders.id = row.id`,
  {
    json: JSON_COLUMNS,
  },
);
const selectNumbered = statement<{ number: string }, { id: string }>(
  { number: 'text' },
  (rows) => `select orders.id from ${rows} join orders on orders.number = row.number`,
);
const selectLines = statement<{ id: string }, Line & { order_id: string }>(
  { id: 'text' },
  (rows) => `
    select order_line.order_id, order_line.id, order_line.sku, order_line.name, order_line.quantity, order_line.cancelled, order_line.unit_price,
      order_line.amount
    from ${rows} join order_line on order_line.order_id = row.id order by order_line.order_id, order_line.position`,
);
const selectTimeline = statement<{ id: string }, Entry>(
  { id: 'text' },
  (rows) => `
    select order_timeline.seq, order_timeline.at, order_timeline.type, order_timeline.status, order_timeline.detail
    from ${rows} join order_timeline on order_timeline.order_id = row.id order by order_timeline.seq`,
  { json: ['detail'] },
);

/** The orders with their lines. */
export async function withLines(reader: Reader, orders: readonly Omit<Order, 'lines'>[]): Promise<Order[]> {
  const rows = await reader.run(
    selectLines,
    orders.map(({ id }) => ({ id })),
  );
  const lines = new Map<string, Line[]>(orders.map(({ id }) => [id, []]));
  for (const { order_id, ...line } of rows) lines.get(order_id)!.push(line);
  return orders.map((order) => ({ ...order, lines: lines.get(order.id)! }));
}

export async function find(reader: Reader, ids: readonly string[]): Promise<Order[]> {
  return withLines(
    reader,
    await reader.run(
      selectOrders,
      ids.map((id) => ({ id })),
    ),
  );
}

export async function idOfNumber(reader: Reader, number: string): Promise<string | undefined> {
  return (await reader.run(selectNumbered, [{ number }]))[0]?.id;
}

export const timelineOf = (reader: Reader, id: string): Promise<Entry[]> => reader.run(selectTimeline, [{ id }]);

export interface OrderFilter {
  readonly status?: OrderStatus | undefined;
  readonly external_id?: string | undefined;
  readonly customer_id?: string | undefined;
  /** Only what was placed before the order of this id. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Orders, newest first: ids are minted in the order of time. */
export async function list(db: Database, { status, external_id, customer_id, before, limit }: OrderFilter): Promise<Order[]> {
  let query = db
    .builder<{ orders: Stored }>()
    .selectFrom('orders')
    .select(COLUMNS.split(', ') as (keyof OrderRow)[]);
  if (status !== undefined) query = query.where('status', '=', status);
  if (external_id !== undefined) query = query.where('external_id', '=', external_id);
  if (customer_id !== undefined) query = query.where('customer_id', '=', customer_id);
  if (before !== undefined) query = query.where('id', '<', before);
  const rows = await db.read.query(query.orderBy('id', 'desc').limit(limit), { json: JSON_COLUMNS });
  return withLines(db.read, rows as unknown as OrderRow[]); // the JSON columns have been parsed
}
