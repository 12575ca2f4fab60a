/**
 * Stock beyond the ordinary: reservations in parts, those who wait, goods that left in part or came back, transfers, and the rules of levels.
 * Ordinary reservations have no rows in these tables, so most of these statements walk few.
 */
import { type Equation, rows } from './equation.ts';

/** Orders that are anything but ordinary, after the key given. */
const chunkOfParted = `
  chunk as (
    select order_id from (select distinct order_id from reservation_part where order_id > $1 order by order_id limit $2) as a
    union select order_id from (select distinct order_id from stock_queue where order_id > $1 order by order_id limit $2) as b
    union select order_id from (select order_id from reservation_detail where order_id > $1 order by order_id limit $2) as c
    order by order_id limit $2
  )`;

const LIVE = `r.status = 'parted' and r.released_at is null and d.expired_at is null`;
const held = 'coalesce(p.held, 0)';
const gone = 'coalesce(p.gone, 0)';
const queued = 'coalesce(q.quantity, 0)';

/** Of each line: as many pieces as it has, each in one place; none of them kept for an order that is over, none apart for an ordinary one. */
const piecesOfLines = `
  with ${chunkOfParted},
  parts as (
    select order_id, line_id, sum(held) as held, sum(gone) as gone from reservation_part where order_id in (select order_id from chunk)
    group by order_id, line_id
  ),
  named as (
    select order_id, line_id from reservation_line where order_id in (select order_id from chunk)
    union select order_id, line_id from parts
    union select order_id, line_id from stock_queue where order_id in (select order_id from chunk)
  )
  select c.order_id as k1, 'line ' || coalesce(n.line_id, '') || ' of ' || c.order_id as subject,
    case when ${LIVE} then coalesce(l.quantity, 0) || ' pieces' when r.status = 'parted' then 'none kept' else 'none apart' end as expected,
    case when ${LIVE} then cast(${held} + ${gone} + ${queued} as bigint) || ' pieces'
      when r.status = 'parted' and ${held} = 0 and ${queued} = 0 then 'none kept'
      when r.status <> 'parted' and ${held} = 0 and ${gone} = 0 and ${queued} = 0 then 'none apart'
      else ${held} || ' held, ' || ${gone} || ' gone, ' || ${queued} || ' queued' end as found
  from chunk c
  left join reservation r on r.order_id = c.order_id
  left join reservation_detail d on d.order_id = c.order_id
  left join named n on n.order_id = c.order_id
  left join reservation_line l on l.order_id = n.order_id and l.line_id = n.line_id
  left join parts p on p.order_id = n.order_id and p.line_id = n.line_id
  left join stock_queue q on q.order_id = n.order_id and q.line_id = n.line_id
  order by c.order_id`;

/** Of each line and warehouse: what has gone, and what shipments took. */
const departedPieces = `
  with ${chunkOfParted},
  left_with as (
    select order_id, line_id, warehouse_id, sum(quantity) as pieces from reservation_departure where order_id in (select order_id from chunk)
    group by order_id, line_id, warehouse_id
  ),
  named as (
    select order_id, line_id, warehouse_id from reservation_part where order_id in (select order_id from chunk) and gone > 0
    union select order_id, line_id, warehouse_id from left_with
  )
  select c.order_id as k1, 'line ' || coalesce(n.line_id, '') || ' of ' || c.order_id || coalesce(' from ' || n.warehouse_id, '') as subject,
    cast(coalesce(w.pieces, 0) as bigint) as expected, cast(coalesce(p.gone, 0) as bigint) as found
  from chunk c
  left join named n on n.order_id = c.order_id
  left join left_with w on w.order_id = n.order_id and w.line_id = n.line_id and w.warehouse_id = n.warehouse_id
  left join reservation_part p on p.order_id = n.order_id and p.line_id = n.line_id and p.warehouse_id = n.warehouse_id
  order by c.order_id`;

/** Of each order: what came back, what the ledger says did, and whether so much had gone. */
const takenBack = `
  with chunk as (select order_id, status from reservation where order_id > $1 order by order_id limit $2),
  back as (
    select order_id, sum(quantity) as pieces from stock_return where order_id in (select order_id from chunk) group by order_id
  ),
  moved as (
    select r.order_id, sum(p.quantity) as pieces
    from (select distinct order_id, return_id from stock_return where order_id in (select order_id from chunk)) r
    join stock_posting p on p.ref_id = r.return_id and p.from_account = 'outside:customer' group by r.order_id
  ),
  gone as (
    select order_id, sum(quantity) as pieces from reservation_line
    where order_id in (select order_id from chunk where status = 'committed') and order_id in (select order_id from back) group by order_id
    union all
    select order_id, sum(gone) from reservation_part where order_id in (select order_id from chunk where status = 'parted')
      and order_id in (select order_id from back) group by order_id
  )
  select c.order_id as k1, 'order ' || c.order_id as subject,
    coalesce(m.pieces, 0) || ' back, no more than gone' as expected,
    coalesce(b.pieces, 0) || case when coalesce(b.pieces, 0) > coalesce(g.pieces, 0) then ' back of ' || coalesce(g.pieces, 0) || ' gone'
      else ' back, no more than gone' end as found
  from chunk c left join back b on b.order_id = c.order_id left join moved m on m.order_id = c.order_id left join gone g on g.order_id = c.order_id
  order by c.order_id`;

/** Of each line of a transfer: what its postings make of a figure of it. */
const transferLines = (figure: string, moved: string): string => `
  with chunk as (select id, status from transfer where id > $1 order by id limit $2),
  moved as (
    select p.ref_id as id, p.sku, sum(${moved}) as pieces from stock_posting p where p.ref_id in (select id from chunk) group by p.ref_id, p.sku
  ),
  named as (select transfer_id as id, sku from transfer_line where transfer_id in (select id from chunk) union select id, sku from moved)
  select c.id as k1, 'transfer ' || c.id || coalesce(', ' || n.sku, '') as subject,
    cast(coalesce(${figure}, 0) as bigint) as expected, cast(coalesce(m.pieces, 0) as bigint) as found
  from chunk c left join named n on n.id = c.id
  left join transfer_line l on l.transfer_id = n.id and l.sku = n.sku left join moved m on m.id = n.id and m.sku = n.sku
  order by c.id`;

/** What a transfer has reserved where it leaves from: all of it until it is sent. */
export const plannedIsReserved = rows(
  'inventory',
  1,
  transferLines(
    `case when c.status = 'planned' then l.quantity else 0 end`,
    `case when p.to_account = 'reserved' then p.quantity when p.from_account = 'reserved' then -p.quantity else 0 end`,
  ),
);

export const PARTS_EQUATIONS: readonly Equation[] = [
  {
    id: 'S6',
    title: 'What is under way in a transfer is what was sent, less what has arrived, less what was given up.',
    checks: [
      rows(
        'inventory',
        1,
        transferLines(
          'l.sent - l.received - l.written_off',
          `case when p.to_account = 'transit:' || p.ref_id then p.quantity when p.from_account = 'transit:' || p.ref_id then -p.quantity else 0 end`,
        ),
      ),
    ],
  },
  {
    id: 'S7',
    title: 'The safety stock of a level, and when it is low, are what its own rule says, or else its product.',
    checks: [
      rows(
        'inventory',
        2,
        `with chunk as (
           select sku, warehouse_id, safety_stock, low_at from stock_level where (sku, warehouse_id) > ($1, $2) order by sku, warehouse_id limit $3
         )
         select c.sku as k1, c.warehouse_id as k2, 'stock of ' || c.sku || ' in ' || c.warehouse_id as subject,
           'safety stock ' || coalesce(own.safety_stock, p.safety_stock, 0) || ', low at ' || coalesce(cast(coalesce(own.low_at, p.low_at) as text), 'none') as expected,
           'safety stock ' || c.safety_stock || ', low at ' || coalesce(cast(c.low_at as text), 'none') as found
         from chunk c left join product p on p.sku = c.sku left join stock_setting own on own.sku = c.sku and own.warehouse_id = c.warehouse_id
         order by c.sku, c.warehouse_id`,
      ),
    ],
  },
  {
    id: 'S8',
    title: 'Nobody waits for goods that lie free.',
    checks: [
      rows(
        'inventory',
        2,
        `with chunk as (
           select order_id, line_id, sku, warehouse_id from stock_queue where (order_id, line_id) > ($1, $2) order by order_id, line_id limit $3
         )
         select c.order_id as k1, c.line_id as k2, 'line ' || c.line_id || ' of ' || c.order_id as subject, 'nothing free' as expected,
           coalesce((
             select cast(l.available - l.safety_stock as bigint) || ' of ' || l.sku || ' free in ' || l.warehouse_id from stock_level l
             where l.sku = c.sku and l.warehouse_id = coalesce(c.warehouse_id, l.warehouse_id) and l.available > l.safety_stock
             order by l.warehouse_id limit 1), 'nothing free') as found
         from chunk c order by c.order_id, c.line_id`,
      ),
    ],
  },
  {
    id: 'S9',
    title: 'Of a reservation in parts every piece is held, gone or queued; of one that is over none is kept; an ordinary one has no parts.',
    checks: [rows('inventory', 1, piecesOfLines)],
  },
  {
    id: 'H4',
    title: 'What has gone of a reservation in parts left with a shipment, from where it was held.',
    checks: [rows('inventory', 1, departedPieces)],
  },
  {
    id: 'H5',
    title: 'What came back in the name of an order is what the ledger says came back, and no more than has gone.',
    checks: [rows('inventory', 1, takenBack)],
  },
];
