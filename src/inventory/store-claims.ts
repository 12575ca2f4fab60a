/**
 * SQL for parted reservations: where their pieces are, who waits, what left and what came back.
 *
 * Parts and entries of a sku change only under a lock of one of its levels and are read after it. All the same each is changed by what it was, and the
 * rows are counted: what does not fit is a Fault, to be tried again.
 */
import { type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { ClaimChanges, Entry, Part } from './domain-claims.ts';
import type { Departure, TakenBack } from './domain-parted.ts';

type Id = { readonly order_id: string };
const PIECE = { order_id: 'text', line_id: 'text', sku: 'text' } as const;

const readParts = statement<Id, Part>(
  { order_id: 'text' },
  (rows) => `
    select p.order_id, p.line_id, p.sku, p.warehouse_id, p.held, p.gone from ${rows} join reservation_part p on p.order_id = row.order_id
    order by p.order_id, p.line_id, p.warehouse_id`,
);
const ENTRY = 'q.order_id, q.line_id, q.sku, q.quantity, q.turn, q.since, q.warehouse_id, q.together';
const readEntries = statement<Id, Entry>(
  { order_id: 'text' },
  (rows) => `select ${ENTRY} from ${rows} join stock_queue q on q.order_id = row.order_id order by q.order_id, q.line_id`,
);

/** Goods of a sku in a warehouse for which somebody may wait. */
export interface Offer {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly pieces: number;
}
// Of those who may be served from there, as many as the pieces reach: who comes after pieces that others have taken is not read.
const readWaiting = statement<Offer, Entry>(
  { sku: 'text', warehouse_id: 'text', pieces: 'bigint' },
  (rows) => `
    select order_id, line_id, sku, quantity, turn, since, warehouse_id, together from (
      select ${ENTRY}, row.pieces as pieces,
        sum(q.quantity) over (partition by q.sku, row.warehouse_id order by q.turn, q.since, q.order_id, q.line_id) - q.quantity as before
      from ${rows} join stock_queue q on q.sku = row.sku and (q.warehouse_id is null or q.warehouse_id = row.warehouse_id)
    ) as waiting where before < pieces`,
);
const readPlaces = statement<{ sku: string }, Id & { line_id: string; sku: string; quantity: number; since: number; place: number }>(
  { sku: 'text' },
  (rows) => `
    select q.order_id, q.line_id, q.sku, q.quantity, q.since,
      cast(row_number() over (partition by q.sku order by q.turn, q.since, q.order_id, q.line_id) as bigint) as place
    from ${rows} join stock_queue q on q.sku = row.sku`,
);
// The product is the lock of its line; see Locks in README.md.
const lockProducts = statement<{ sku: string }, { sku: string; backorder_limit: number }>(
  { sku: 'text' },
  (rows, dialect) => `
    select product.sku, product.backorder_limit from ${rows} join product on product.sku = row.sku
    order by product.sku ${dialect.forUpdate('product')}`,
);
const readQueued = statement<{ sku: string }, { sku: string; pieces: number }>(
  { sku: 'text' },
  (rows) => `select q.sku, cast(sum(q.quantity) as bigint) as pieces from ${rows} join stock_queue q on q.sku = row.sku group by q.sku`,
);
const readDepartures = statement<Id, Pick<Departure, 'order_id' | 'shipment_id'>>(
  { order_id: 'text' },
  (rows) => `select distinct d.order_id, d.shipment_id from ${rows} join reservation_departure d on d.order_id = row.order_id`,
);
const readReturns = statement<Id, TakenBack>(
  { order_id: 'text' },
  (rows) => `
    select r.order_id, r.return_id, r.line_id, r.sku, r.warehouse_id, r.quantity, r.disposition from ${rows}
    join stock_return r on r.order_id = row.order_id`,
);

const ids = (orderIds: Iterable<string>): Id[] => [...new Set(orderIds)].map((order_id) => ({ order_id }));
const skuRows = (skus: Iterable<string>): { sku: string }[] => [...new Set(skus)].map((sku) => ({ sku }));

export const loadParts = (reader: Reader, orderIds: Iterable<string>): Promise<Part[]> => reader.run(readParts, ids(orderIds));
export const loadEntries = (reader: Reader, orderIds: Iterable<string>): Promise<Entry[]> => reader.run(readEntries, ids(orderIds));
export const loadDepartures = (tx: Tx, orderIds: Iterable<string>): Promise<Pick<Departure, 'order_id' | 'shipment_id'>[]> =>
  tx.run(readDepartures, ids(orderIds));
export const loadReturns = (reader: Reader, orderIds: Iterable<string>): Promise<TakenBack[]> => reader.run(readReturns, ids(orderIds));

/** Who waits for what is offered, as far as the pieces reach. */
export const loadWaiting = (tx: Tx, offers: readonly Offer[]): Promise<Entry[]> => tx.run(readWaiting, offers);

export interface PlaceInLine extends Id {
  readonly line_id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly since: number;
  /** How many entries of the sku come before, and one. */
  readonly place: number;
}
/** Everybody who waits for these skus, with their places. */
export const loadPlaces = (reader: Reader, skus: Iterable<string>): Promise<PlaceInLine[]> => reader.run(readPlaces, skuRows(skus));

/** Locks the lines of skus; answers how many pieces more may wait in each. */
export async function lockLine(tx: Tx, skus: Iterable<string>): Promise<(sku: string) => number> {
  const products = await tx.run(lockProducts, skuRows(skus));
  const queued = new Map((await tx.run(readQueued, products)).map(({ sku, pieces }) => [sku, pieces]));
  const room = new Map(products.map(({ sku, backorder_limit }) => [sku, backorder_limit - (queued.get(sku) ?? 0)]));
  return (sku) => room.get(sku) ?? 0;
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface PartRow extends Part {
  readonly updated_at: number;
}
const PART = { ...PIECE, warehouse_id: 'text', held: 'bigint', gone: 'bigint', updated_at: 'bigint' } as const;
// An order that waits is filled without its parts having been read.
const addParts = statement<PartRow>(
  PART,
  (rows) => `
    insert into reservation_part (order_id, line_id, sku, warehouse_id, held, gone, updated_at)
    select row.order_id, row.line_id, row.sku, row.warehouse_id, row.held, row.gone, row.updated_at from ${rows} where true
    order by row.order_id, row.line_id, row.warehouse_id
    on conflict (order_id, line_id, warehouse_id) do update set held = reservation_part.held + excluded.held,
      gone = reservation_part.gone + excluded.gone, updated_at = excluded.updated_at`,
);
const changeParts = statement<PartRow, Id>(
  PART,
  (rows) => `
    update reservation_part set held = reservation_part.held + row.held, gone = reservation_part.gone + row.gone, updated_at = row.updated_at
    from ${rows} where reservation_part.order_id = row.order_id and reservation_part.line_id = row.line_id
      and reservation_part.warehouse_id = row.warehouse_id and reservation_part.held + row.held >= 0 and reservation_part.gone + row.gone >= 0
    returning reservation_part.order_id`,
);
const ENTRY_COLUMNS = { ...PIECE, quantity: 'bigint', turn: 'bigint', since: 'bigint', warehouse_id: 'text', together: 'bigint' } as const;
const insertEntries = statement<Entry, Id>(
  ENTRY_COLUMNS,
  (rows) => `
    insert into stock_queue (order_id, line_id, sku, quantity, turn, since, warehouse_id, together)
    select row.order_id, row.line_id, row.sku, row.quantity, row.turn, row.since, row.warehouse_id, row.together from ${rows} where true
    order by row.order_id, row.line_id on conflict (order_id, line_id) do nothing returning order_id`,
);
const updateEntries = statement<Entry & { was: number }, Id>(
  { ...ENTRY_COLUMNS, was: 'bigint' },
  (rows) => `
    update stock_queue set quantity = row.quantity, turn = row.turn, since = row.since, warehouse_id = row.warehouse_id
    from ${rows} where stock_queue.order_id = row.order_id and stock_queue.line_id = row.line_id and stock_queue.quantity = row.was
    returning stock_queue.order_id`,
);
const deleteEntries = statement<{ order_id: string; line_id: string; was: number }, Id>(
  { order_id: 'text', line_id: 'text', was: 'bigint' },
  (rows) => `
    delete from stock_queue where (order_id, line_id, quantity) in (select row.order_id, row.line_id, row.was from ${rows})
    returning order_id`,
);
// Other lines of an order that begins to be filled: they were not read.
const bindEntries = statement<{ order_id: string; warehouse_id: string }>(
  { order_id: 'text', warehouse_id: 'text' },
  (rows) => `
    update stock_queue set warehouse_id = row.warehouse_id from ${rows} where stock_queue.order_id = row.order_id and stock_queue.warehouse_id is null`,
);
const insertDepartures = statement<Departure & { created_at: number }>(
  { ...PIECE, shipment_id: 'text', warehouse_id: 'text', quantity: 'bigint', created_at: 'bigint' },
  (rows) => `
    insert into reservation_departure (order_id, line_id, sku, shipment_id, warehouse_id, quantity, created_at)
    select row.order_id, row.line_id, row.sku, row.shipment_id, row.warehouse_id, row.quantity, row.created_at from ${rows}`,
);
const insertReturns = statement<TakenBack & { created_at: number }>(
  { ...PIECE, return_id: 'text', warehouse_id: 'text', quantity: 'bigint', disposition: 'text', created_at: 'bigint' },
  (rows) => `
    insert into stock_return (order_id, line_id, sku, return_id, warehouse_id, quantity, disposition, created_at)
    select row.order_id, row.line_id, row.sku, row.return_id, row.warehouse_id, row.quantity, row.disposition, row.created_at from ${rows}`,
);

/** Writes what has changed; none of these statements runs for ordinary reservations. */
export async function saveClaims(tx: Tx, { parts, entries, bound }: ClaimChanges, now: number): Promise<void> {
  const written = parts.map((part) => ({ ...part, updated_at: now }));
  await tx.run(
    addParts,
    written.filter(({ fresh }) => fresh),
  );
  await counted(
    tx,
    changeParts,
    written.filter(({ fresh }) => !fresh),
  );
  const known = entries.flatMap(({ was, now: entry }) => (was === undefined ? [] : [{ ...entry, was: was.quantity }]));
  await counted(
    tx,
    deleteEntries,
    known.filter(({ quantity }) => quantity === 0),
  );
  await counted(
    tx,
    updateEntries,
    known.filter(({ quantity }) => quantity > 0),
  );
  await counted(
    tx,
    insertEntries,
    entries.filter(({ was }) => was === undefined).map(({ now: entry }) => entry),
  );
  await tx.run(bindEntries, bound);
}

async function counted<In extends object>(tx: Tx, write: Parameters<typeof tx.run<In, Id>>[0], rows: readonly In[]): Promise<void> {
  if ((await tx.run(write, rows)).length !== rows.length) throw new Fault('conflict', 'another transaction moved the same claims');
}

export async function saveDepartures(tx: Tx, departures: readonly Departure[], returns: readonly TakenBack[], now: number): Promise<void> {
  await tx.run(
    insertDepartures,
    departures.map((one) => ({ ...one, created_at: now })),
  );
  await tx.run(
    insertReturns,
    returns.map((one) => ({ ...one, created_at: now })),
  );
}
