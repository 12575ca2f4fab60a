/** What must hold of stock at every commit, asked of the rows themselves. Each answer is a violation. */
import type { Database } from '../../src/db/database.ts';

// Balances are sums of postings.
const BALANCES = `
  select 'balance' as what, sku, warehouse_id, account, cast(sum(quantity) as bigint) as off from (
    select sku, warehouse_id, to_account as account, quantity from stock_posting
    union all select sku, warehouse_id, from_account, -quantity from stock_posting
    union all select sku, warehouse_id, 'available', -available from stock_level
    union all select sku, warehouse_id, 'reserved', -reserved from stock_level
    union all select sku, warehouse_id, 'unavailable', -unavailable from stock_level) as movement
  where account not like 'outside:%' and account not like 'transit:%' group by sku, warehouse_id, account having sum(quantity) <> 0`;
const NEGATIVE = `select 'negative' as what, stock_level.* from stock_level where available < 0 or reserved < 0 or unavailable < 0`;
// What is reserved is what reservations (and transfers to be sent) hold.
const HELD = `
  select 'held' as what, sku, warehouse_id, cast(sum(quantity) as bigint) as off from (
    select sku, warehouse_id, reserved as quantity from stock_level
    union all select l.sku, r.warehouse_id, -l.quantity from reservation r join reservation_line l on l.order_id = r.order_id where r.status = 'held'
    union all select sku, warehouse_id, -held from reservation_part
    union all select l.sku, t.from_warehouse_id, -l.quantity from transfer t join transfer_line l on l.transfer_id = t.id where t.status = 'planned') as claim
  group by sku, warehouse_id having sum(quantity) <> 0`;
// Every piece of a parted line is in one place.
const LINES = `
  select 'line' as what, l.order_id, l.line_id, l.quantity, p.held, p.gone, q.quantity as queued from reservation r
  join reservation_line l on l.order_id = r.order_id
  left join (select order_id, line_id, sum(held) as held, sum(gone) as gone from reservation_part group by order_id, line_id) p
    on p.order_id = l.order_id and p.line_id = l.line_id
  left join stock_queue q on q.order_id = l.order_id and q.line_id = l.line_id
  left join reservation_detail d on d.order_id = l.order_id
  where r.status = 'parted' and r.released_at is null and d.expired_at is null
    and l.quantity <> coalesce(p.held, 0) + coalesce(p.gone, 0) + coalesce(q.quantity, 0)`;
const LEFT_BEHIND = `
  select 'left behind' as what, r.order_id from reservation r where r.status in ('held', 'rejected', 'released', 'committed')
    and (exists (select 1 from reservation_part p where p.order_id = r.order_id) or exists (select 1 from stock_queue q where q.order_id = r.order_id))
  union all
  select 'held after the end', r.order_id from reservation r left join reservation_detail d on d.order_id = r.order_id
  where r.status = 'parted' and (r.released_at is not null or d.expired_at is not null)
    and (exists (select 1 from reservation_part p where p.order_id = r.order_id and p.held > 0)
      or exists (select 1 from stock_queue q where q.order_id = r.order_id))`;
// Nobody waits for goods that lie free.
const WAITING = `
  select 'waits in vain' as what, q.order_id, q.line_id, q.sku, l.warehouse_id from stock_queue q
  join stock_level l on l.sku = q.sku and (q.warehouse_id is null or q.warehouse_id = l.warehouse_id) where l.available > l.safety_stock`;
// What has gone left with a shipment, from where it was.
const DEPARTED = `
  select 'departed' as what, p.order_id, p.line_id, p.warehouse_id, p.gone, d.quantity from reservation_part p
  left join (select order_id, line_id, warehouse_id, sum(quantity) as quantity from reservation_departure group by order_id, line_id, warehouse_id) d
    on d.order_id = p.order_id and d.line_id = p.line_id and d.warehouse_id = p.warehouse_id
  where exists (select 1 from reservation_departure any_of where any_of.order_id = p.order_id) and p.gone <> coalesce(d.quantity, 0)`;

// What is under way is what was sent and has not arrived or been given up.
const UNDER_WAY = `
  select 'under way' as what, sku, account, cast(sum(quantity) as bigint) as off from (
    select sku, to_account as account, quantity from stock_posting
    union all select sku, from_account, -quantity from stock_posting
    union all select sku, 'transit:' || transfer_id, received + written_off - sent from transfer_line) as movement
  where account like 'transit:%' group by sku, account having sum(quantity) <> 0`;

export async function violationsIn({ read }: Database): Promise<unknown[]> {
  const found = [];
  for (const text of [BALANCES, NEGATIVE, HELD, LINES, LEFT_BEHIND, WAITING, DEPARTED, UNDER_WAY]) found.push(...(await read.raw(text)));
  return found;
}
