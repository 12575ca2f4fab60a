/**
 * What the services say about an order, side by side.
 *
 * There is no snapshot across services, so the order of reading does the work: the order's row first, then what stock, payments and
 * shipping have. A stop is `done` in the order only after the service that did it has committed; so whatever the order claims can be
 * found in what is read later, unless it was undone meanwhile, and then the order has moved on as well.
 */
import { type Reader, statement } from '../db/database.ts';
import type { Databases } from './auditor.ts';

export interface JourneyStop {
  readonly stop: 'stock' | 'payment' | 'shipping';
  readonly state: string;
  readonly warehouse_id?: string;
  readonly payment_id?: string;
  readonly shipment_id?: string;
}

interface OwnHold {
  readonly reason: string;
  readonly deadline: number | null;
}

/** A shipment as its order keeps it, one of several. */
export interface ShipmentOfOrder {
  readonly id: string;
  readonly state: string;
  readonly deadline: number | null;
  readonly warehouse_id: string;
  readonly lines: readonly { readonly line_id: string; readonly sku: string; readonly quantity: number }[];
  readonly gone?: boolean;
  /** What was asked for when it was to leave, and whether that was captured. */
  readonly amount?: number;
  readonly paid?: boolean;
  readonly hold?: OwnHold;
}

export interface AuditedOrder {
  readonly id: string;
  readonly status: string;
  readonly status_reason: string | null;
  readonly goods_total: number;
  readonly charges_total: number;
  readonly total: number;
  readonly charges: readonly { readonly amount: number; readonly included?: boolean }[];
  readonly journey: {
    readonly at: string;
    readonly deadline: number | null;
    readonly stops: readonly JourneyStop[];
    readonly confirmed: boolean;
    readonly hold: OwnHold | null;
    readonly reason: string | null;
    /** Below: what an ordinary order does not have. */
    readonly holds?: readonly {
      readonly id: string;
      readonly target: string;
      readonly reason: string;
      readonly deadline: number;
      readonly expires_at: number | null;
    }[];
    readonly shipments?: readonly ShipmentOfOrder[];
    readonly queued?: readonly unknown[];
    readonly money?: { readonly held: number; readonly captured: number; readonly external: number; readonly refunded: number };
    readonly refunds?: readonly { readonly refund_id: string; readonly deadline: number }[];
    readonly revision?: { readonly kind: string };
    /** How often stock was told of a change. */
    readonly changes?: number;
  };
  readonly version: number;
}
export interface AuditedLine {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly cancelled: number;
  readonly unit_price: number;
  readonly amount: number;
}
export interface AuditedReservation {
  readonly status: string;
  readonly warehouse_id: string | null;
  readonly updated_at: number;
  readonly lines: readonly Pick<AuditedLine, 'id' | 'sku' | 'quantity'>[];
}
export interface AuditedPayment {
  readonly id: string;
  readonly status: string;
  readonly amount: number;
  readonly held: number;
  /** What is kept now; with `refunded` it is what was ever captured. */
  readonly captured: number;
  readonly refunded: number;
  readonly under_way: string | null;
  readonly version: number;
  readonly updated_at: number;
}
interface ShippedLine {
  readonly line_id: string;
  readonly sku: string;
  readonly quantity: number;
}
export interface AuditedShipment {
  readonly id: string;
  readonly status: string;
  readonly warehouse_id: string | null;
  readonly updated_at: number;
  readonly lines: readonly ShippedLine[];
  readonly shorted: readonly ShippedLine[] | null;
  /** Those that have rows of their own. */
  readonly parcels: readonly { readonly status: string; readonly lines: readonly ShippedLine[] }[];
}
/** Pieces that left stock with a shipment, of orders that are not ordinary. */
export interface AuditedDeparture {
  readonly shipment_id: string;
  readonly warehouse_id: string;
  readonly line_id: string;
  readonly quantity: number;
}
export interface AuditedReturn {
  readonly id: string;
  readonly status: string;
  readonly warehouse_id: string;
  readonly received: readonly (ShippedLine & { readonly disposition: string })[] | null;
  readonly updated_at: number;
}
/** Pieces stock took back. */
export interface AuditedTakenBack {
  readonly return_id: string;
  readonly warehouse_id: string;
  readonly line_id: string;
  readonly disposition: string;
  readonly quantity: number;
}

/** Of what other services keep: null when they have nothing, undefined when their database is not at hand. */
export interface Journey {
  readonly order: AuditedOrder;
  readonly lines: readonly AuditedLine[];
  readonly reservation: AuditedReservation | null | undefined;
  readonly payment: AuditedPayment | null | undefined;
  /** The ordinary one. */
  readonly shipment: AuditedShipment | null | undefined;
  /** All of them, the ordinary one included. */
  readonly shipments: readonly AuditedShipment[] | undefined;
  readonly departures: readonly AuditedDeparture[] | undefined;
  readonly taken_back: readonly AuditedTakenBack[] | undefined;
  readonly returns: readonly AuditedReturn[] | undefined;
  /**
   * When orders will look whether the deadline has passed, milliseconds UTC; null without a timer. Undefined while orders is paused: a
   * timer that came due is then a message that waits, where nobody here can see it.
   */
  readonly timer_due_at: number | null | undefined;
}

type Id = { readonly id: string };
type OfOrder = { readonly order_id: string };
const ORDER_COLUMNS = 'id, status, status_reason, goods_total, charges_total, total, charges, journey, version';
const JSON_COLUMNS = ['charges', 'journey'] as const;

const nextOrders = statement<{ after: string; most: number }, AuditedOrder>(
  { after: 'text', most: 'bigint' },
  (rows) => `select ${ORDER_COLUMNS} from orders where id > (select row.after from ${rows}) order by id limit (select row.most from ${rows})`,
  { json: JSON_COLUMNS },
);
const theseOrders = statement<Id, AuditedOrder>(
  { id: 'text' },
  (rows) => `select ${ORDER_COLUMNS.replace(/\w+/g, 'orders.$&')} from ${rows} join orders on orders.id = row.id order by orders.id`,
  { json: JSON_COLUMNS },
);
const linesOf = statement<Id, AuditedLine & OfOrder>(
  { id: 'text' },
  (rows) => `
    select l.order_id, l.id, l.sku, l.quantity, l.cancelled, l.unit_price, l.amount from ${rows} join order_line l on l.order_id = row.id order by l.order_id, l.position`,
);
const reservationsOf = statement<Id, Omit<AuditedReservation, 'lines'> & OfOrder>(
  { id: 'text' },
  // One in parts is told like an ordinary one: an order in one warehouse that may expire is kept so, and its order knows nothing of it.
  (rows) => `
    select r.order_id, r.warehouse_id,
      case when r.status <> 'parted' then r.status
        when exists (select 1 from reservation_part p where p.order_id = r.order_id and p.held > 0)
          or exists (select 1 from stock_queue q where q.order_id = r.order_id) then 'held'
        when exists (select 1 from reservation_part p where p.order_id = r.order_id and p.gone > 0) then 'committed' else 'released' end as status,
      (select case when max(p.updated_at) > r.updated_at then max(p.updated_at) else r.updated_at end
       from reservation_part p where p.order_id = r.order_id) as updated_at
    from ${rows} join reservation r on r.order_id = row.id`,
);
const reservedLinesOf = statement<Id, AuditedReservation['lines'][number] & OfOrder>(
  { id: 'text' },
  (rows) => `select l.order_id, l.line_id as id, l.sku, l.quantity from ${rows} join reservation_line l on l.order_id = row.id`,
);
const paymentsOf = statement<Id, AuditedPayment & OfOrder>(
  { id: 'text' },
  // The payment of an order has its id with another prefix; there is no index by order.
  (rows) => `
    select row.id as order_id, p.id, p.status, p.amount, p.held, p.captured, p.refunded, p.under_way, p.version, p.updated_at
    from ${rows} join payment p on p.id = 'pay_' || substr(row.id, 5) and p.order_id = row.id`,
);
type ShipmentRow = Omit<AuditedShipment, 'parcels'> & OfOrder & { readonly parcel_count: number | null };
const SHIPMENT_COLUMNS = 's.id, s.status, s.warehouse_id, s.updated_at, s.lines, s.shorted, s.parcel_count';
const shipmentsOf = statement<Id, ShipmentRow>(
  { id: 'text' },
  // Likewise; the others are in an index of their own, whose condition stands here word for word.
  (rows) => `
    select row.id as order_id, ${SHIPMENT_COLUMNS} from ${rows} join shipment s on s.id = 'shp_' || substr(row.id, 5) and s.order_id = row.id
    union all
    select row.id as order_id, ${SHIPMENT_COLUMNS} from ${rows} join shipment s on s.order_id = row.id and s.id <> 'shp_' || substr(s.order_id, 5)`,
  { json: ['lines', 'shorted'] },
);
const parcelsOf = statement<Id, AuditedShipment['parcels'][number] & { readonly shipment_id: string }>(
  { id: 'text' },
  (rows) => `select p.shipment_id, p.status, p.lines from ${rows} join parcel p on p.shipment_id = row.id where p.status <> 'cancelled'`,
  { json: ['lines'] },
);
const returnsOf = statement<Id, AuditedReturn & OfOrder>(
  { id: 'text' },
  (rows) => `
    select r.order_id, r.id, r.status, r.warehouse_id, r.received, r.updated_at from ${rows} join returns r on r.order_id = row.id order by r.id`,
  { json: ['received'] },
);
const departuresOf = statement<Id, AuditedDeparture & OfOrder>(
  { id: 'text' },
  (rows) => `
    select d.order_id, d.shipment_id, d.warehouse_id, d.line_id, d.quantity from ${rows} join reservation_departure d on d.order_id = row.id
    order by d.order_id, d.shipment_id, d.line_id`,
);
const takenBackOf = statement<Id, AuditedTakenBack & OfOrder>(
  { id: 'text' },
  (rows) => `
    select t.order_id, t.return_id, t.warehouse_id, t.line_id, t.disposition, t.quantity from ${rows} join stock_return t on t.order_id = row.id
    order by t.order_id, t.return_id, t.line_id`,
);

const timersOf = statement<Id, OfOrder & { readonly due_at: number }>(
  { id: 'text' },
  (rows) => `select row.id as order_id, t.due_at from ${rows} join timer t on t.key = 'deadline:' || row.id`,
);
const existing = statement<Id, Id>({ id: 'text' }, (rows) => `select orders.id from ${rows} join orders on orders.id = row.id`);

/** Those of the ids that are orders. */
export const existingOrders = async (orders: Reader, ids: readonly string[]): Promise<Set<string>> =>
  new Set(
    (
      await orders.run(
        existing,
        ids.map((id) => ({ id })),
      )
    ).map(({ id }) => id),
  );

export type Wanted = { readonly after: string; readonly limit: number } | { readonly ids: readonly string[] };

/** Orders, in the order of their ids, with what every service at hand says of them. */
export async function readJourneys(databases: Databases, wanted: Wanted): Promise<Journey[]> {
  const reader = databases['orders']!.read;
  const orders =
    'ids' in wanted
      ? await reader.run(
          theseOrders,
          wanted.ids.map((id) => ({ id })),
        )
      : await reader.run(nextOrders, [{ after: wanted.after, most: wanted.limit }]);
  const ids = orders.map(({ id }) => ({ id }));
  const lines = Map.groupBy(await reader.run(linesOf, ids), ofOrder);
  const timers = await one(reader, timersOf, ids);
  const [control] = await reader.raw<{ paused: number }>(`select paused from consumer_control where consumer = 'orders'`);
  const inventory = databases['inventory']?.read;
  const reservations = await one(inventory, reservationsOf, ids);
  const reserved = Map.groupBy((await inventory?.run(reservedLinesOf, ids)) ?? [], ofOrder);
  const departures = await all(inventory, departuresOf, ids);
  const takenBack = await all(inventory, takenBackOf, ids);
  const payments = await one(databases['payments']?.read, paymentsOf, ids);
  const shipping = databases['shipping']?.read;
  const shipments = await readShipments(shipping, ids);
  const returns = await all(shipping, returnsOf, ids);
  return orders.map((order): Journey => {
    const reservation = reservations(order.id);
    return {
      order,
      lines: lines.get(order.id) ?? [],
      reservation: reservation && { ...reservation, lines: reserved.get(order.id) ?? [] },
      payment: payments(order.id),
      ...shipments(order.id),
      departures: departures(order.id),
      taken_back: takenBack(order.id),
      returns: returns(order.id),
      timer_due_at: control?.paused === 1 ? undefined : (timers(order.id)?.due_at ?? null),
    };
  });
}

const ofOrder = ({ order_id }: OfOrder): string => order_id;

/** What one service has for each order: null for none, undefined without its database. */
async function one<Row extends OfOrder>(
  reader: Reader | undefined,
  question: ReturnType<typeof statement<Id, Row>>,
  ids: readonly Id[],
): Promise<(orderId: string) => Row | null | undefined> {
  if (reader === undefined) return () => undefined;
  const found = new Map((await reader.run(question, ids)).map((row) => [row.order_id, row]));
  return (orderId) => found.get(orderId) ?? null;
}

/** Everything one service has for each order; undefined without its database. */
async function all<Row extends OfOrder>(
  reader: Reader | undefined,
  question: ReturnType<typeof statement<Id, Row>>,
  ids: readonly Id[],
): Promise<(orderId: string) => Row[] | undefined> {
  if (reader === undefined) return () => undefined;
  const found = Map.groupBy(await reader.run(question, ids), ofOrder);
  return (orderId) => found.get(orderId) ?? [];
}

async function readShipments(reader: Reader | undefined, ids: readonly Id[]): Promise<(orderId: string) => Pick<Journey, 'shipment' | 'shipments'>> {
  const found = await all(reader, shipmentsOf, ids);
  const inParcels = ids.flatMap(({ id }) => found(id) ?? []).filter(({ parcel_count }) => parcel_count !== null);
  const parcels = Map.groupBy((await reader?.run(parcelsOf, inParcels)) ?? [], ({ shipment_id }) => shipment_id);
  return (orderId) => {
    const shipments = found(orderId)?.map((shipment) => ({ ...shipment, parcels: parcels.get(shipment.id) ?? [] }));
    return { shipments, shipment: shipments && (shipments.find(({ id }) => id === `shp_${orderId.slice(4)}`) ?? null) };
  };
}

/** Has nothing about the order moved between two looks? */
export const sameJourney = (a: Journey, b: Journey): boolean => fingerprint(a) === fingerprint(b);

const fingerprint = ({ order, reservation, payment, shipments, returns, departures, taken_back }: Journey): string =>
  JSON.stringify([
    order.version,
    reservation?.status,
    reservation?.updated_at,
    departures?.length,
    taken_back?.length,
    payment?.version,
    payment?.updated_at,
    shipments?.map(({ status, updated_at }) => [status, updated_at]),
    returns?.map(({ status, updated_at }) => [status, updated_at]),
  ]);
