/**
 * Shipments, their parcels and what comes back: within shipping, and what stock says of the same goods.
 *
 * Ordinary shipments have no parcels of their own, so these statements walk the parcels, not the shipments.
 */
import type { Dialect } from '../db/database.ts';
import { type Discrepancy, type Equation, journeys, rows } from './equation.ts';
import type { AuditedShipment, Journey } from './journey.ts';

/** The lines in a JSON column of a table that stands before it, one a row. */
const linesIn = ({ name }: Dialect, column: string): string =>
  name === 'sqlite' ? `json_each(coalesce(${column}, '[]')) as line` : `jsonb_array_elements(coalesce(${column}, '[]')::jsonb) as line(value)`;
const ID = `line.value ->> 'line_id'`;
const PIECES = `cast(line.value ->> 'quantity' as bigint)`;

const chunkOfShipments = `chunk as (select distinct shipment_id from parcel where shipment_id > $1 order by shipment_id limit $2)`;

/** What each shipment with parcels ships of a line, and what lies of it in its parcels. */
const packedAndShipped = (dialect: Dialect): string => `
  with ${chunkOfShipments},
  packed as (
    select p.shipment_id, ${ID} as line_id, sum(${PIECES}) as pieces from parcel p, ${linesIn(dialect, 'p.lines')}
    where p.shipment_id in (select shipment_id from chunk) and p.status <> 'cancelled' group by p.shipment_id, ${ID}
  ),
  asked as (
    select s.id as shipment_id, ${ID} as line_id, ${PIECES} as pieces from shipment s, ${linesIn(dialect, 's.lines')}
    where s.id in (select shipment_id from packed)
    union all
    select s.id, ${ID}, -${PIECES} from shipment s, ${linesIn(dialect, 's.shorted')} where s.id in (select shipment_id from packed)
  ),
  shipped as (select shipment_id, line_id, sum(pieces) as pieces from asked group by shipment_id, line_id),
  named as (select shipment_id, line_id from packed union select shipment_id, line_id from shipped)
  select c.shipment_id as k1, 'parcels of ' || c.shipment_id || coalesce(', ' || n.line_id, '') as subject,
    cast(coalesce(s.pieces, 0) as bigint) as expected, cast(coalesce(p.pieces, 0) as bigint) as found
  from chunk c
  left join named n on n.shipment_id = c.shipment_id
  left join shipped s on s.shipment_id = n.shipment_id and s.line_id = n.line_id
  left join packed p on p.shipment_id = n.shipment_id and p.line_id = n.line_id
  order by c.shipment_id`;

const some = (status: string): string => `sum(case when p.status = '${status}' then 1 else 0 end) > 0`;
const statusOfParcels = `
  with ${chunkOfShipments},
  said as (
    select p.shipment_id,
      case when ${some('exception')} then 'exception' when ${some('in_transit')} then 'in_transit' when ${some('delivered')} then 'delivered'
        when ${some('returned')} then 'returned' when ${some('lost')} then 'lost' else 'not left' end as status
    from parcel p where p.shipment_id in (select shipment_id from chunk) group by p.shipment_id
  )
  select c.shipment_id as k1, 'shipment ' || c.shipment_id as subject, said.status as expected,
    case when s.dispatched_at is null then 'not left' else s.status end as found
  from chunk c join said on said.shipment_id = c.shipment_id join shipment s on s.id = c.shipment_id order by c.shipment_id`;

/** What a tracking event makes of a parcel. Written a second time, on purpose. */
const MEANS = `case e.code when 'picked_up' then 'in_transit' when 'in_transit' then 'in_transit' when 'out_for_delivery' then 'in_transit'
  when 'delivery_attempted' then 'exception' when 'returning' then 'exception' when 'exception' then 'exception' else null end`;

/** Of the ends that were told any may be the one that came first; of the rest the carrier's latest counts. */
const whereEventsSay = `
  with chunk as (select id, status, carrier_status from parcel where id > $1 order by id limit $2),
  told as (
    select e.parcel_id, e.code, e.carrier_at, e.carrier_event_id, ${MEANS} as means from tracking_event e where e.parcel_id in (select id from chunk)
  ),
  latest as (
    select t.parcel_id, t.means from told t where t.means is not null and not exists (
      select 1 from told u where u.parcel_id = t.parcel_id and u.means is not null
        and (u.carrier_at > t.carrier_at or u.carrier_at = t.carrier_at and u.carrier_event_id > t.carrier_event_id))
  )
  select c.id as k1, 'parcel ' || c.id as subject,
    case when c.status = 'cancelled' then 'cancelled'
      when exists (select 1 from told t where t.parcel_id = c.id and t.code = c.carrier_status) then c.carrier_status
      when exists (select 1 from told t where t.parcel_id = c.id and t.code in ('delivered', 'returned', 'lost')) then 'an end that was told'
      else coalesce(latest.means, 'nothing') end as expected,
    case when c.status = 'cancelled' then 'cancelled' else coalesce(c.carrier_status, 'nothing') end as found
  from chunk c left join latest on latest.parcel_id = c.id order by c.id`;

const returnedAndDelivered = (dialect: Dialect): string => `
  with chunk as (select distinct order_id from returns where order_id > $1 order by order_id limit $2),
  theirs as (
    select c.order_id, s.id, s.status, s.parcel_count, s.lines, s.shorted from chunk c join shipment s on s.id = 'shp_' || substr(c.order_id, 5)
    union
    select s.order_id, s.id, s.status, s.parcel_count, s.lines, s.shorted from shipment s
    where s.order_id in (select order_id from chunk) and s.id <> 'shp_' || substr(s.order_id, 5)
  ),
  arrived as (
    select t.order_id, ${ID} as line_id, ${PIECES} as pieces from theirs t, ${linesIn(dialect, 't.lines')} where t.parcel_count is null and t.status = 'delivered'
    union all
    select t.order_id, ${ID}, -${PIECES} from theirs t, ${linesIn(dialect, 't.shorted')} where t.parcel_count is null and t.status = 'delivered'
    union all
    select (select t.order_id from theirs t where t.id = p.shipment_id), ${ID}, ${PIECES} from parcel p, ${linesIn(dialect, 'p.lines')}
    where p.shipment_id in (select id from theirs) and p.status = 'delivered'
  ),
  back as (
    select r.order_id, ${ID} as line_id, sum(${PIECES}) as pieces from returns r, ${linesIn(dialect, 'coalesce(r.received, r.lines)')}
    where r.order_id in (select order_id from chunk) and r.parcel_id is null and r.status not in ('rejected', 'cancelled') group by r.order_id, ${ID}
  ),
  delivered as (select order_id, line_id, sum(pieces) as pieces from arrived group by order_id, line_id)
  select c.order_id as k1, 'returns of ' || c.order_id || coalesce(', ' || b.line_id, '') as subject, 'no more than was delivered' as expected,
    case when coalesce(b.pieces, 0) <= coalesce(d.pieces, 0) then 'no more than was delivered'
      else b.pieces || ' of ' || coalesce(d.pieces, 0) end as found
  from chunk c left join back b on b.order_id = c.order_id left join delivered d on d.order_id = b.order_id and d.line_id = b.line_id
  order by c.order_id`;

const returnsOfParcels = `
  select p.id as k1, 'parcel ' || p.id as subject, case when p.status = 'returned' then 'a return' else 'no return' end as expected,
    case when exists (select 1 from returns r where r.id = 'rtn_' || substr(p.id, 5) and r.parcel_id = p.id) then 'a return' else 'no return' end as found
  from parcel p where p.id > $1 order by p.id limit $2`;

const receivedAndExpected = (dialect: Dialect): string => `
  with chunk as (select id, lines, received from returns where id > $1 order by id limit $2),
  came as (
    select c.id, ${ID} as line_id, sum(${PIECES}) as pieces from chunk c, ${linesIn(dialect, 'c.received')} group by c.id, ${ID}
  ),
  wanted as (select c.id, ${ID} as line_id, sum(${PIECES}) as pieces from chunk c, ${linesIn(dialect, 'c.lines')} group by c.id, ${ID})
  select c.id as k1, 'return ' || c.id || coalesce(', ' || came.line_id, '') as subject, 'no more than was expected' as expected,
    case when came.pieces is null or came.pieces <= coalesce(wanted.pieces, 0) then 'no more than was expected'
      else came.pieces || ' of ' || coalesce(wanted.pieces, 0) end as found
  from chunk c left join came on came.id = c.id left join wanted on wanted.id = came.id and wanted.line_id = came.line_id order by c.id`;

// A label that is bought is there to be printed; one that is not has none, but for those given back.
const labelsHaveDocuments = `
  select l.id as k1, 'label ' || l.id as subject,
    case when l.status = 'bought' then 'a document' when l.status in ('requested', 'unknown', 'refused') then 'none' else 'either' end as expected,
    case when l.status in ('voiding', 'voided', 'kept') then 'either' when l.content is not null and l.sha256 is not null and l.content_type is not null then 'a document'
      else 'none' end as found
  from label l where l.id > $1 order by l.id limit $2`;
const labelsAreLive = `
  select l.id as k1, 'label ' || l.id || ' of parcel ' || l.parcel_id as subject, 'wanted' as expected,
    case when p.id is null then 'no such parcel' when p.status = 'cancelled' and l.unwanted = 0 and l.status in ('requested', 'unknown', 'bought')
      then 'its parcel is cancelled' else 'wanted' end as found
  from label l left join parcel p on p.id = l.parcel_id where l.id > $1 order by l.id limit $2`;

// ── Between shipping and others ──────────────────────────────────────────────────────────────────────────────────────────────

type Finding = Discrepancy | undefined;
const about = ({ order }: Journey, what: string, expected: string, found: string): Finding =>
  expected === found ? undefined : { subject: `order ${order.id}${what}`, expected, found };

const LEFT: ReadonlySet<string> = new Set(['in_transit', 'exception', 'delivered', 'returned', 'lost']);

/** Pieces of each line; what is short or did not get there is taken off. */
function piecesOf(lines: Iterable<{ readonly line_id: string; readonly quantity: number }>): Map<string, number> {
  const pieces = new Map<string, number>();
  for (const { line_id, quantity } of lines) pieces.set(line_id, (pieces.get(line_id) ?? 0) + quantity);
  return pieces;
}
const linesOf = (pieces: ReadonlyMap<string, number>) => [...pieces].map(([line_id, quantity]) => ({ line_id, quantity }));
const negative = (lines: readonly { readonly line_id: string; readonly quantity: number }[]) =>
  lines.map(({ line_id, quantity }) => ({ line_id, quantity: -quantity }));
const shipped = ({ lines, shorted }: AuditedShipment): Map<string, number> => piecesOf([...lines, ...negative(shorted ?? [])]);

/** For an ordinary reservation nobody wrote down with which shipment its goods left. */
const SOME_SHIPMENT = 'all';

/** Stock is told after the shipment has left; so what stock says has gone is found here, whatever is under way. */
function goneWithTheirShipment(journey: Journey): Finding {
  const { reservation, departures, shipments } = journey;
  if (shipments === undefined || departures === undefined) return undefined;
  const whole =
    reservation?.status === 'committed' && departures.length === 0
      ? reservation.lines.map(({ id, quantity }) => ({ shipment_id: SOME_SHIPMENT, warehouse_id: reservation.warehouse_id, line_id: id, quantity }))
      : departures;
  for (const [name, pieces] of Map.groupBy(whole, ({ shipment_id }) => shipment_id)) {
    const { warehouse_id } = pieces[0]!;
    const theirs = shipments.filter(({ id }) => name === SOME_SHIPMENT || id === name);
    const there = piecesOf(
      theirs
        .filter((shipment) => LEFT.has(shipment.status) && shipment.warehouse_id === warehouse_id)
        .flatMap((shipment) => linesOf(shipped(shipment))),
    );
    if ([...piecesOf(pieces)].every(([line_id, quantity]) => (there.get(line_id) ?? 0) >= quantity)) continue;
    const found = theirs.map(({ id, status, warehouse_id: from }) => `${id} ${status} from ${from}`).join(', ') || 'no such shipment';
    return about(journey, '', `${name === SOME_SHIPMENT ? 'a shipment' : name} has left ${warehouse_id} with what stock counts as gone`, found);
  }
  return undefined;
}

/** Stock is told after the return was received here, and only then it is called so: what either says is found at the other. */
function takenBackAsReceived(journey: Journey): Finding {
  const { taken_back, returns } = journey;
  if (taken_back === undefined || returns === undefined) return undefined;
  const inWords = (warehouse: string | null, lines: readonly { line_id: string; disposition: string; quantity: number }[]): string =>
    `${warehouse}: ${lines.map(({ line_id, disposition, quantity }) => `${line_id} ${disposition} ${quantity}`).sort().join(', ')}`; // oxfmt-ignore
  const byReturn = Map.groupBy(taken_back, ({ return_id }) => return_id);
  for (const back of returns) {
    const stock = byReturn.get(back.id);
    byReturn.delete(back.id);
    if (stock === undefined && back.status !== 'received' && back.status !== 'closed') continue;
    const summed = Map.groupBy(back.received ?? [], ({ line_id, disposition }) => `${line_id} ${disposition}`);
    const received = [...summed.values()].map((same) => ({ ...same[0]!, quantity: same.reduce((sum, { quantity }) => sum + quantity, 0) }));
    const found = stock === undefined ? 'nothing taken back' : inWords(stock[0]!.warehouse_id, stock);
    const finding = about(journey, `, return ${back.id}`, inWords(back.warehouse_id, received), found);
    if (finding !== undefined) return finding;
  }
  const [stranger] = byReturn.keys();
  return stranger === undefined ? undefined : about(journey, `, return ${stranger}`, 'a return', 'no such return');
}

/** Of what left, what was lost or came back may have been sent again. */
function leftOnce(journey: Journey): Finding {
  const { lines, shipments } = journey;
  if (shipments === undefined) return undefined;
  const ordered = new Map(lines.map(({ id, quantity }) => [id, quantity]));
  const left = shipments
    .filter(({ status }) => LEFT.has(status))
    .flatMap((shipment) => [
      ...linesOf(shipped(shipment)),
      ...negative(shipment.parcels.filter(({ status }) => status === 'lost' || status === 'returned').flatMap((parcel) => parcel.lines)),
    ]);
  const most = 'no more than was ordered';
  for (const [line_id, quantity] of piecesOf(left)) {
    const finding = about(
      journey,
      `, ${line_id}`,
      most,
      quantity <= (ordered.get(line_id) ?? 0) ? most : `${quantity} left of ${ordered.get(line_id) ?? 0}`,
    );
    if (finding !== undefined) return finding;
  }
  return undefined;
}

export const SHIPPING_EQUATIONS: readonly Equation[] = [
  { id: 'O9', title: 'Of no line of an order has more left, and not come to nothing, than was ordered.', checks: [journeys(leftOnce)] },
  { id: 'H1', title: 'What stock counts as gone with a shipment has left with it, from that warehouse.', checks: [journeys(goneWithTheirShipment)] },
  { id: 'H3', title: 'What stock took back is what a return received, in that warehouse, once.', checks: [journeys(takenBackAsReceived)] },
  { id: 'P1', title: 'The parcels of a shipment hold what it ships, line by line.', checks: [rows('shipping', 1, packedAndShipped)] },
  { id: 'P2', title: 'The status of a shipment that has left is what its parcels say.', checks: [rows('shipping', 1, statusOfParcels)] },
  { id: 'P3', title: 'A parcel is where its tracking events say, whatever the order they came in.', checks: [rows('shipping', 1, whereEventsSay)] },
  {
    id: 'P4',
    title: 'No more is returned of a line than was delivered, and no more came than was expected.',
    checks: [rows('shipping', 1, returnedAndDelivered), rows('shipping', 1, receivedAndExpected)],
  },
  { id: 'P5', title: 'A parcel that came back is a return, and no other one is.', checks: [rows('shipping', 1, returnsOfParcels)] },
  {
    id: 'P6',
    title: 'A label that was bought can be printed, and is of a parcel that needs it.',
    checks: [rows('shipping', 1, labelsHaveDocuments), rows('shipping', 1, labelsAreLive)],
  },
];
