/**
 * The journey: what an order claims, held against what stock, payments and shipping have, and its status against its own facts.
 *
 * All are implications from the order to the others, the direction in which no message under way can break them (journey.ts).
 */
import { type Discrepancy, type Equation, type RowCheck, journeys, rows } from './equation.ts';
import type { Journey, JourneyStop } from './journey.ts';
import { areShipmentsThere, areWatched, haveShipmentsLeft, isMoneyThere, isOrdinary, isPaidFor, laidHold, unowned } from './journey-several.ts';

type Finding = Discrepancy | undefined;

const about = ({ order }: Journey, expected: string, found: string): Finding =>
  expected === found ? undefined : { subject: `order ${order.id}`, expected, found };
const stopOf = ({ order }: Journey, name: JourneyStop['stop']): JourneyStop | undefined => order.journey.stops.find(({ stop }) => stop === name);

/** States in which nothing is left to happen, and those in which the parcel has left. */
const ENDS: ReadonlySet<string> = new Set(['delivered', 'complete', 'cancelled']);
/** An order in one of these waits for people, holds or shipments, each with a deadline of its own. */
const WAITS_BY_PARTS: ReadonlySet<string> = new Set(['draft', 'held', 'fulfilling']);
const LEFT: ReadonlySet<string> = new Set(['shipped', 'delivered']);
const UNWINDING: ReadonlySet<string> = new Set(['recalling', 'voiding', 'releasing']);

/** Who must act in which state. Written a second time, on purpose: an auditor that borrowed the table would repeat its mistakes. */
const OWNERS: Readonly<Record<string, string>> = {
  reserving: 'inventory',
  authorizing: 'payments',
  preparing: 'shipping',
  ready: 'warehouse',
  capturing: 'payments',
  dispatching: 'shipping',
  shipped: 'carrier',
  recalling: 'shipping',
  voiding: 'payments',
  releasing: 'inventory',
  raising: 'inventory',
  topping_up: 'payments',
  lowering: 'inventory',
  reducing: 'payments',
};
const CHANGING: ReadonlySet<string> = new Set(['raising', 'topping_up', 'lowering', 'reducing']);

/** The status that follows from where an order is. */
export function statusFrom(journey: Journey['order']['journey']): string {
  const { at, hold, confirmed, reason, revision } = journey;
  const why = hold?.reason ?? laidHold(journey);
  if (why !== undefined) return `on_hold (${why})`;
  if (at === 'draft') return at;
  if (at === 'cancelled') return `cancelled (${reason})`;
  if (UNWINDING.has(at)) return `${confirmed ? 'confirmed' : 'pending'} (cancelling)`;
  if (CHANGING.has(at)) return `${confirmed ? 'confirmed' : 'pending'}${revision?.kind === 'sync' ? '' : ' (changing)'}`;
  if (at === 'reserving' || at === 'authorizing' || at === 'held') return 'pending';
  return LEFT.has(at) ? at : 'confirmed';
}

function statusIsComputed(journey: Journey): Finding {
  const { status, status_reason: reason } = journey.order;
  return about(journey, statusFrom(journey.order.journey), reason === null ? status : `${status} (${reason})`);
}

function totalIsSum(journey: Journey): Finding {
  const { order, lines } = journey;
  const goods = lines.reduce((sum, { quantity, cancelled, unit_price }) => sum + (quantity - cancelled) * unit_price, 0);
  const amounts = lines.reduce((sum, { amount }) => sum + amount, 0);
  const charges = order.charges.reduce((sum, { amount, included }) => sum + (included === true ? 0 : amount), 0);
  const inWords = (whole: number, ofLines: number, ofAmounts: number, ofCharges: number): string =>
    `total ${whole}: goods ${ofLines}, line amounts ${ofAmounts}, charges ${ofCharges}`;
  return about(journey, inWords(goods + charges, goods, goods, charges), inWords(order.total, order.goods_total, amounts, order.charges_total));
}

/** `sku × quantity` of each line, in one order. */
const pieces = (lines: readonly { readonly sku: string; readonly quantity: number }[]): string =>
  lines
    .map(({ sku, quantity }) => `${sku} × ${quantity}`)
    .sort()
    .join(', ');

function goodsAreReserved(journey: Journey): Finding {
  const stop = stopOf(journey, 'stock');
  if (!isOrdinary(journey) || journey.reservation === undefined || (stop?.state !== 'done' && stop?.state !== 'settled')) return undefined;
  const inWords = (status: string, warehouse: string | null | undefined, lines: string): string => `${status} in ${warehouse}: ${lines}`;
  const wanted = pieces(journey.lines);
  const { reservation } = journey;
  if (reservation === null) return about(journey, inWords('held', stop.warehouse_id, wanted), 'no reservation');
  // After `done` comes `settled`, and the goods are off the books before the order knows.
  const status = stop.state === 'done' && reservation.status === 'committed' ? 'committed' : stop.state === 'done' ? 'held' : 'committed';
  return about(journey, inWords(status, stop.warehouse_id, wanted), inWords(reservation.status, reservation.warehouse_id, pieces(reservation.lines)));
}

function moneyIsThere(journey: Journey): Finding {
  const stop = stopOf(journey, 'payment');
  if (journey.order.journey.money !== undefined) return isMoneyThere(journey);
  if (!isOrdinary(journey) || journey.payment === undefined || (stop?.state !== 'done' && stop?.state !== 'settled')) return undefined;
  const { total } = journey.order;
  const { payment } = journey;
  if (payment === null) return about(journey, `${total} authorised`, 'no payment');
  const captured = payment.status === 'captured' || stop.state === 'settled';
  return about(
    journey,
    `${captured ? 'captured' : 'authorized'} ${total} of ${total}`,
    `${payment.status} ${captured ? payment.captured : payment.held} of ${payment.amount}`,
  );
}

function parcelIsReady(journey: Journey): Finding {
  const stop = stopOf(journey, 'shipping');
  if (journey.order.journey.shipments !== undefined) return areShipmentsThere(journey);
  if (journey.shipment === undefined || (stop?.state !== 'done' && stop?.state !== 'settled')) return undefined;
  const { shipment } = journey;
  const expected = `${stop.shipment_id} from ${stopOf(journey, 'stock')?.warehouse_id}: ${pieces(journey.lines)}`;
  return about(journey, expected, shipment === null ? 'no shipment' : `${shipment.id} from ${shipment.warehouse_id}: ${pieces(shipment.lines)}`);
}

function parcelHasLeft(journey: Journey): Finding {
  const { at, shipments } = journey.order.journey;
  if (shipments !== undefined) return haveShipmentsLeft(journey);
  if (journey.shipment === undefined || !LEFT.has(at)) return undefined;
  const found = journey.shipment?.status ?? 'none';
  // A parcel that arrived, came back or is in trouble did leave; the order hears of it a moment later.
  const since = ['delivered', 'returned', 'lost', 'exception'].includes(found) ? found : 'in_transit';
  return about(journey, `shipment ${at === 'shipped' ? since : 'delivered'}`, `shipment ${found}`);
}

/** Nothing leaves unpaid, and nothing leaves that is not taken off the books or about to be. */
function leftIsPaidAndReserved(journey: Journey): Finding {
  const { order, payment, reservation } = journey;
  if (order.journey.shipments !== undefined) return isPaidFor(journey);
  if (!LEFT.has(order.journey.at) || !isOrdinary(journey)) return undefined;
  const pays = order.total > 0 && stopOf(journey, 'payment') !== undefined && payment !== undefined;
  const paid = pays && payment?.captured !== order.total ? [`captured ${payment?.captured ?? 0} of ${order.total}`] : [];
  const goods =
    reservation !== undefined && reservation?.status !== 'held' && reservation?.status !== 'committed'
      ? [`reservation ${reservation?.status ?? 'none'}`]
      : [];
  return about(journey, 'paid in full, goods reserved or gone', [...paid, ...goods].join(', ') || 'paid in full, goods reserved or gone');
}

const isLive = ({ status }: { readonly status: string }): boolean => status !== 'cancelled';

function cancelledLeavesNothing(journey: Journey): Finding {
  if (journey.order.journey.at !== 'cancelled') return undefined;
  const { reservation, payment, shipments = [] } = journey;
  const left = [
    ...(reservation?.status === 'held' || reservation?.status === 'committed' ? [`reservation ${reservation.status}`] : []),
    ...(payment && payment.held > 0 ? [`${payment.held} held`] : []),
    ...(payment && payment.captured > 0 ? [`${payment.captured} captured`] : []),
    ...shipments.filter(isLive).map(({ status }) => `shipment ${status}`),
  ];
  return about(journey, 'nothing left', left.join(', ') || 'nothing left');
}

function waitsWithOwner(journey: Journey): Finding {
  const { at, hold, deadline } = journey.order.journey;
  const wrong = unowned(journey.order.journey);
  if (!ENDS.has(at) || hold !== null) {
    const owner = hold === null ? OWNERS[at] : 'operator';
    const until = hold === null ? deadline : hold.deadline;
    const byParts = hold === null && WAITS_BY_PARTS.has(at);
    if (owner === undefined && !byParts) wrong.push(`nobody owns ${at}`);
    if (until === null && !byParts) wrong.push('no deadline');
  }
  return about(journey, 'an owner and a deadline', wrong.join(', ') || 'an owner and a deadline');
}

/** States whose deadline orders itself acts upon. The others wait for a person, whom no clock overtakes. */
const WATCHED: ReadonlySet<string> = new Set(Object.keys(OWNERS).filter((state) => state !== 'ready' && state !== 'shipped'));

/**
 * A deadline that has passed may be on its way as a message; one that is to come must be a timer. It may come early, because orders leaves
 * one alone that is due before the deadline it moves on to; never late, and never not at all.
 */
function deadlineIsWatched(journey: Journey, now: number): Finding {
  const { at, hold, deadline: own } = journey.order.journey;
  const deadlines = [...(WATCHED.has(at) && hold === null && own !== null ? [own] : []), ...areWatched(journey.order.journey, WATCHED)];
  const deadline = Math.min(...deadlines.filter((one) => one > now));
  if (!Number.isFinite(deadline)) return undefined;
  const { timer_due_at: due } = journey;
  if (due === undefined || (due !== null && due <= deadline)) return undefined;
  return about(journey, `a timer by ${new Date(deadline).toISOString()}`, due === null ? 'no timer' : `a timer for ${new Date(due).toISOString()}`);
}

/** What is pending is a call to somebody outside that is still to be made. */
const pendingIsDue = (service: string, table: string): RowCheck =>
  rows(
    service,
    1,
    `select id as k1, '${table} ' || id as subject, case when status = 'pending' then 'due' else 'not due' end as expected,
       case when due_at is null then 'not due' else 'due' end as found
     from ${table} where id > $1 order by id limit $2`,
  );

export const JOURNEY_EQUATIONS: readonly Equation[] = [
  { id: 'O1', title: 'The status of an order is what its journey says.', checks: [journeys(statusIsComputed)] },
  { id: 'O2', title: 'Goods an order counts on are reserved for it: the same lines, in one warehouse.', checks: [journeys(goodsAreReserved)] },
  { id: 'O3', title: 'The parcel an order counts on holds its lines and leaves from where they are reserved.', checks: [journeys(parcelIsReady)] },
  { id: 'O4', title: 'The total of an order is the sum of its lines and charges.', checks: [journeys(totalIsSum)] },
  {
    id: 'O5',
    title: 'A cancelled order leaves nothing behind: no goods held, no money held or taken, no parcel.',
    checks: [journeys(cancelledLeavesNothing)],
  },
  { id: 'O6', title: 'Money an order counts on is its total, authorised or captured.', checks: [journeys(moneyIsThere)] },
  { id: 'O7', title: 'An order that has left was paid in full, from goods that were reserved.', checks: [journeys(leftIsPaidAndReserved)] },
  { id: 'O8', title: 'An order that has left is a parcel that has left, one that arrived a parcel that arrived.', checks: [journeys(parcelHasLeft)] },
  {
    id: 'N1',
    title: 'A customer is told of an event once, on each channel, but for what a person has asked for once more.',
    checks: [
      rows(
        'notifications',
        1,
        `with chunk as (select distinct order_id from notification where order_id > $1 order by order_id limit $2)
         select c.order_id as k1, n.channel || ' of ' || n.event_id || ' to ' || n.recipient as subject, 1 as expected, cast(count(*) as bigint) as found
         from chunk c join notification n on n.order_id = c.order_id and n.repeats is null
         group by c.order_id, n.event_id, n.channel, n.recipient order by c.order_id`,
      ),
    ],
  },
  {
    id: 'E1',
    title: 'The timeline of an order counts 1, 2, … to its version, without gaps.',
    checks: [
      rows(
        'orders',
        1,
        `with chunk as (select id, version from orders where id > $1 order by id limit $2),
         told as (
           select t.order_id, count(*) as entries, min(t.seq) as low, max(t.seq) as high from order_timeline t
           where t.order_id in (select id from chunk) group by t.order_id
         )
         select c.id as k1, 'order ' || c.id as subject, '1 to ' || c.version || ', ' || c.version || ' entries' as expected,
           coalesce(t.low, 0) || ' to ' || coalesce(t.high, 0) || ', ' || coalesce(t.entries, 0) || ' entries' as found
         from chunk c left join told t on t.order_id = c.id order by c.id`,
      ),
    ],
  },
  { id: 'L1', title: 'Every order that is not finished waits for somebody, until a deadline.', checks: [journeys(waitsWithOwner)] },
  {
    id: 'L2',
    title: 'What must be watched or tried again has a time for it.',
    checks: [
      journeys(deadlineIsWatched),
      rows(
        'payments',
        2,
        `select payment_id as k1, id as k2, 'operation ' || id || ' of payment ' || payment_id as subject,
           case when state in ('requested', 'unknown') then 'due' else 'not due' end as expected, case when due_at is null then 'not due' else 'due' end as found
         from payment_operation where (payment_id, id) > ($1, $2) order by payment_id, id limit $3`,
      ),
      pendingIsDue('shipping', 'shipment'),
      rows(
        'shipping',
        1,
        `select id as k1, 'label ' || id as subject, case when status in ('requested', 'unknown', 'voiding') then 'due' else 'not due' end as expected,
           case when due_at is null then 'not due' else 'due' end as found
         from label where id > $1 order by id limit $2`,
      ),
      pendingIsDue('notifications', 'notification'),
    ],
  },
];
