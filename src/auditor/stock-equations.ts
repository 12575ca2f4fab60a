/**
 * Stock: what lies where, held against the ledger that says how it got there.
 */
import { type Equation, rows } from './equation.ts';
import { PARTS_EQUATIONS, plannedIsReserved } from './stock-parts.ts';
import { ACCOUNTS, changeOf } from './stock-walk.ts';

/** `available 3, reserved 0, unavailable 0` */
const inWords = (column: (account: string) => string): string =>
  ACCOUNTS.map((account, i) => `'${i === 0 ? '' : ', '}${account} ' || ${column(account)}`).join(' || ');

const chunkOfLevels = `
  chunk as (
    select sku, warehouse_id, available, reserved, unavailable from stock_level
    where (sku, warehouse_id) > ($1, $2) order by sku, warehouse_id limit $3
  )`;
const levelSubject = `'stock of ' || c.sku || ' in ' || c.warehouse_id`;

/**
 * For each order and sku: what its reservation lists while it is in `status` (of one in parts, its parts), and what the ledger moved in its name. An order in whose
 * name something moved without a reservation is met as well. "Exists", because SQLite reads a join from the longer side: all reservations,
 * for each chunk.
 */
const reservedAndMoved = (status: 'held' | 'committed', moved: string): string => `
  with chunk as (
    select order_id from (select order_id from reservation where order_id > $1 order by order_id limit $2) as a
    union
    select order_id from (select distinct ref_id as order_id from stock_posting where ref_type = 'order' and ref_id > $1 order by ref_id limit $2) as b
    order by order_id limit $2
  ),
  listed as (
    select l.order_id, l.sku, sum(l.quantity) as pieces from reservation_line l
    where l.order_id in (select c.order_id from chunk c where exists (select 1 from reservation r where r.order_id = c.order_id and r.status = '${status}'))
    group by l.order_id, l.sku
    union all
    select part.order_id, part.sku, sum(part.${status === 'held' ? 'held' : 'gone'}) from reservation_part part
    where part.order_id in (select c.order_id from chunk c where exists (select 1 from reservation r where r.order_id = c.order_id and r.status = 'parted'))
    group by part.order_id, part.sku
  ),
  moved as (
    select p.ref_id as order_id, p.sku, sum(${moved}) as pieces from stock_posting p
    where p.ref_type = 'order' and p.ref_id in (select order_id from chunk) group by p.ref_id, p.sku
  ),
  named as (select order_id, sku from listed union select order_id, sku from moved)
  select c.order_id as k1, 'reservation of ' || c.order_id || coalesce(', ' || n.sku, '') as subject,
    cast(coalesce(l.pieces, 0) as bigint) as expected, cast(coalesce(m.pieces, 0) as bigint) as found
  from chunk c
  left join named n on n.order_id = c.order_id
  left join listed l on l.order_id = n.order_id and l.sku = n.sku
  left join moved m on m.order_id = n.order_id and m.sku = n.sku
  order by c.order_id`;

export const STOCK_EQUATIONS: readonly Equation[] = [
  {
    id: 'S1',
    title: 'No balance inside the books is below zero: neither stock nor money.',
    checks: [
      rows(
        'inventory',
        2,
        `with ${chunkOfLevels}
         select c.sku as k1, c.warehouse_id as k2, ${levelSubject} as subject, 'none below 0' as expected,
           case when c.available < 0 or c.reserved < 0 or c.unavailable < 0 then ${inWords((account) => `c.${account}`)} else 'none below 0' end as found
         from chunk c order by c.sku, c.warehouse_id`,
      ),
      rows(
        'payments',
        1,
        `select id as k1, 'payment ' || id as subject, 'none below 0' as expected,
           case when held < 0 or captured < 0 or refunded < 0 then 'held ' || held || ', captured ' || captured || ', refunded ' || refunded
             else 'none below 0' end as found
         from payment where id > $1 order by id limit $2`,
      ),
    ],
  },
  { id: 'S2', title: 'Each stock balance is the sum of its postings in, less its postings out.', checks: [{ kind: 'stock', side: 'balances' }] },
  {
    id: 'S3',
    title: 'Of each sku, as much lies in the warehouses as came in from outside and has not left.',
    checks: [{ kind: 'stock', side: 'skus' }],
  },
  {
    id: 'S5',
    title: 'What is reserved in the name of an order, or of a transfer, is what it holds.',
    checks: [rows('inventory', 1, reservedAndMoved('held', changeOf('reserved'))), plannedIsReserved],
  },
  {
    id: 'H2',
    title: 'What left the building in the name of an order is what its reservation says has gone, once.',
    checks: [
      rows(
        'inventory',
        1,
        reservedAndMoved('committed', `case when p.from_account = 'reserved' and p.to_account = 'outside:customer' then p.quantity else 0 end`),
      ),
    ],
  },
  ...PARTS_EQUATIONS,
];
