/** Stock beyond the ordinary, spoiled: reservations in parts, the line of those who wait, transfers, rules. */
import type { Spoiling } from './spoilings.ts';

export const STOCK_SPOILINGS: readonly Spoiling[] = [
  {
    what: 'a part that holds more than was reserved',
    service: 'inventory',
    sql: `update reservation_part set held = 2 where order_id = 'ord_new'`,
    says: { S5: 'reservation of ord_new, D: 2 / 1', S9: 'line lin_ord_new of ord_new: 2 pieces / 3 pieces' },
  },
  {
    what: 'a piece that waits for nobody',
    service: 'inventory',
    sql: `delete from stock_queue where order_id = 'ord_new'`,
    says: { S9: 'line lin_ord_new of ord_new: 2 pieces / 1 pieces' },
  },
  {
    what: 'somebody who waits after his order was released',
    service: 'inventory',
    sql: `update reservation set released_at = 1 where order_id = 'ord_new'`,
    says: { S9: 'line lin_ord_new of ord_new: none kept / 1 held, 0 gone, 1 queued' },
  },
  {
    what: 'an ordinary reservation with parts',
    service: 'inventory',
    sql: `update reservation set status = 'rejected' where order_id = 'ord_new'`,
    says: { S5: 'reservation of ord_new, D: 0 / 1', S9: 'line lin_ord_new of ord_new: none apart / 1 held, 0 gone, 1 queued' },
  },
  {
    what: 'goods that lie free while somebody waits for them',
    service: 'inventory',
    sql: `update stock_level set available = 3 where sku = 'D'`,
    says: {
      S2: 'stock of D in whs_1: available 0, reserved 1, unavailable 0 / available 3, reserved 1, unavailable 0',
      S3: 'stock of D: 1 pieces inside / 4 pieces inside',
      S8: 'line lin_ord_new of ord_new: nothing free / 3 of D free in whs_1',
    },
  },
  {
    what: 'pieces that are gone from elsewhere',
    service: 'inventory',
    sql: `update reservation_part set gone = 1 where order_id = 'ord_part'`,
    says: {
      S9: 'line lin_ord_part of ord_part: 2 pieces / 1 pieces',
      H2: 'reservation of ord_part, A: 1 / 2',
      H4: 'line lin_ord_part of ord_part from whs_1: 2 / 1',
    },
  },
  {
    what: 'a shipment that took fewer pieces than have gone',
    service: 'inventory',
    sql: `update reservation_departure set quantity = 1 where order_id = 'ord_part'`,
    says: { H4: 'line lin_ord_part of ord_part from whs_1: 1 / 2' },
  },
  {
    what: 'goods that came back without having been taken in',
    service: 'inventory',
    sql: `insert into stock_return (order_id, return_id, line_id, disposition, warehouse_id, sku, quantity, created_at)
          values ('ord_ready', 'rtn_9', 'lin_ord_ready', 'restock', 'whs_1', 'A', 1, 1)`,
    says: {
      H3: 'order ord_ready, return rtn_9: a return / no such return',
      H5: 'order ord_ready: 0 back, no more than gone / 1 back of 0 gone',
    },
  },
  {
    what: 'a transfer that plans to send more than it has reserved',
    service: 'inventory',
    sql: `update transfer_line set quantity = 5 where transfer_id = 'trf_1'`,
    says: { S5: 'transfer trf_1, E: 5 / 2' },
  },
  {
    what: 'a transfer that says more has arrived than did',
    service: 'inventory',
    sql: `update transfer_line set received = 2 where transfer_id = 'trf_2'`,
    says: { S6: 'transfer trf_2, E: 0 / 1' },
  },
  {
    what: 'goods that arrived twice',
    service: 'inventory',
    sql: `update stock_posting set quantity = 2 where warehouse_id = 'whs_2'`,
    says: {
      S2: 'stock of E in whs_2: available 2, reserved 0, unavailable 0 / available 1, reserved 0, unavailable 0',
      S3: 'stock of E: 6 pieces inside / 5 pieces inside',
      S6: 'transfer trf_2, E: 1 / 0',
    },
  },
  {
    what: 'a safety stock that no rule asks for',
    service: 'inventory',
    sql: `update stock_level set safety_stock = 2, low_at = 3 where sku = 'E' and warehouse_id = 'whs_1'`,
    says: { S7: 'stock of E in whs_1: safety stock 0, low at none / safety stock 2, low at 3' },
  },
];
