/** Ways to spoil books that add up, one row at a time, and what the auditor says to each. */
import { NOW, type ServiceName } from './books.ts';
import { ORDER_SPOILINGS } from './spoilings-orders.ts';
import { SHIPPING_SPOILINGS } from './spoilings-shipping.ts';
import { STOCK_SPOILINGS } from './spoilings-stock.ts';

export interface Spoiling {
  readonly what: string;
  readonly service: ServiceName;
  readonly sql: string;
  /** Every equation that notices, and the words in which it does. */
  readonly says: Readonly<Record<string, string>>;
}

// A journey is JSON; these are the few places in it that are spoiled.
const journey = (from: string, to: string, of: string): string =>
  `update orders set journey = replace(journey, '${from}', '${to}') where id = 'ord_${of}'`;
const TIME = new Date(NOW + 3_600_000).toISOString();

const OTHERS: readonly Spoiling[] = [
  {
    what: 'a stock balance below zero',
    service: 'inventory',
    sql: `update stock_level set available = -1 where sku = 'B'`,
    says: {
      S1: 'stock of B in whs_1: none below 0 / available -1, reserved 0, unavailable 0',
      S2: 'stock of B in whs_1: available 4, reserved 0, unavailable 0 / available -1, reserved 0, unavailable 0',
      S3: 'stock of B: 4 pieces inside / -1 pieces inside',
    },
  },
  {
    what: 'money below zero',
    service: 'payments',
    sql: `update payment set refunded = -1 where id = 'pay_over'`,
    says: {
      S1: 'payment pay_over: none below 0 / held 0, captured 0, refunded -1',
      M2: 'payment pay_over: 0 / -1',
      M7: 'payment pay_over: held 0, captured 0, refunded 0 / held 0, captured 0, refunded -1',
    },
  },
  {
    what: 'pieces that moved to another account without a posting',
    service: 'inventory',
    sql: `update stock_level set available = 5, unavailable = 1 where sku = 'A'`,
    says: { S2: 'stock of A in whs_1: available 6, reserved 2, unavailable 0 / available 5, reserved 2, unavailable 1' },
  },
  {
    what: 'pieces of a sku that no level knows',
    service: 'inventory',
    sql: `update stock_posting set sku = 'C' where ref_id = 'rcp_1' and sku = 'B'`,
    says: {
      S2: 'stock of B in whs_1: available 0, reserved 0, unavailable 0 / available 4, reserved 0, unavailable 0',
      S3: 'stock of B: 0 pieces inside / 4 pieces inside',
    },
  },
  {
    what: 'a reservation that lists more than it holds',
    service: 'inventory',
    sql: `update reservation_line set quantity = 3 where order_id = 'ord_ready'`,
    says: { S5: 'reservation of ord_ready, A: 3 / 2', O2: 'order ord_ready: held in whs_1: A × 2 / held in whs_1: A × 3' },
  },
  {
    what: 'goods that left twice',
    service: 'inventory',
    sql: `update stock_posting set quantity = 4 where ref_id = 'ord_gone' and to_account = 'outside:customer'`,
    says: {
      S2: 'stock of A in whs_1: available 6, reserved 0, unavailable 0 / available 6, reserved 2, unavailable 0',
      S3: 'stock of A: 6 pieces inside / 8 pieces inside',
      S5: 'reservation of ord_gone, A: 0 / -2',
      H2: 'reservation of ord_gone, A: 2 / 4',
    },
  },
  {
    what: 'money that came from nowhere',
    service: 'payments',
    sql: `update payment set held = 1200 where id = 'pay_ready'`,
    says: {
      M1: 'payment pay_ready: 1100 / 1200',
      M7: 'payment pay_ready: held 1100, captured 0, refunded 0 / held 1200, captured 0, refunded 0',
      O6: 'order ord_ready: authorized 1100 of 1100 / authorized 1200 of 1100',
    },
  },
  {
    what: 'captured money that is gone',
    service: 'payments',
    sql: `update payment set captured = 1000 where id = 'pay_gone'`,
    says: {
      M2: 'payment pay_gone: 1100 / 1000',
      M7: 'payment pay_gone: held 0, captured 1100, refunded 0 / held 0, captured 1000, refunded 0',
      O6: 'order ord_gone: captured 1100 of 1100 / captured 1000 of 1100',
      O7: 'order ord_gone: paid in full, goods reserved or gone / captured 1000 of 1100',
    },
  },
  {
    what: 'more captured than authorised',
    service: 'payments',
    sql: `update payment_posting set quantity = 1200 where operation_id = 'pop_gone_capture'`,
    says: {
      M1: 'payment pay_gone: 1100 / 1200',
      M2: 'payment pay_gone: 1200 / 1100',
      M3: 'payment pay_gone: refunded <= captured <= authorised <= amount / 0, 1200, 1100, 1100',
      M6: 'operation pop_gone_capture of payment pay_gone: 1 posting of 1100 / 1 posting of 1200',
    },
  },
  {
    what: 'a payment that says it has an operation under way',
    service: 'payments',
    sql: `update payment set under_way = 'capture' where id = 'pay_ready'`,
    says: { M4: 'payment pay_ready: capture / none' },
  },
  {
    what: 'an operation that failed after it was posted',
    service: 'payments',
    sql: `update payment_operation set state = 'failed' where id = 'pop_over_void'`,
    says: { M6: 'operation pop_over_void of payment pay_over: no posting / 1 posting of 1100' },
  },
  {
    what: 'a status that its money does not bear out',
    service: 'payments',
    sql: `update payment set status = 'authorized' where id = 'pay_over'`,
    says: { M7: 'payment pay_over: held 1100, captured 0, refunded 0 / held 0, captured 0, refunded 0' },
  },
  {
    what: 'a book in which money of an authorisation is missing',
    service: 'payments',
    sql: `update payment set book = '{"authorizations":[{"id":"","held":1000,"captured":0}],"asks":[]}' where id = 'pay_ready'`,
    says: { M8: 'payment pay_ready: as posted / authorisation "": 1000 held, 0 captured; posted 1100, 0' },
  },
  {
    what: 'a payment with a book whose status is another than its balances',
    service: 'payments',
    sql: `update payment set status = 'part_captured', book = '{"authorizations":[{"id":"","held":1100,"captured":0}],"asks":[]}' where id = 'pay_ready'`,
    says: {
      M8: 'payment pay_ready: authorized / part_captured',
      O6: 'order ord_ready: authorized 1100 of 1100 / part_captured 1100 of 1100',
    },
  },
  {
    what: 'an operation nobody will ask about again',
    service: 'payments',
    sql: `update payment_operation set due_at = 1 where id = 'pop_over_void'`,
    says: { L2: 'operation pop_over_void of payment pay_over: not due / due' },
  },
  {
    what: 'a status set by hand',
    service: 'orders',
    sql: `update orders set status = 'shipped' where id = 'ord_ready'`,
    says: { O1: 'order ord_ready: confirmed / shipped' },
  },
  {
    what: 'a reservation that was released under its order',
    service: 'inventory',
    sql: `update reservation set status = 'released' where order_id = 'ord_gone'`,
    says: {
      H2: 'reservation of ord_gone, A: 0 / 2',
      O2: 'order ord_gone: committed in whs_1: A × 2 / released in whs_1: A × 2',
      O7: 'order ord_gone: paid in full, goods reserved or gone / reservation released',
    },
  },
  {
    what: 'a reservation in another warehouse',
    service: 'inventory',
    sql: `update reservation set warehouse_id = 'whs_2' where order_id = 'ord_ready'`,
    says: { O2: 'order ord_ready: held in whs_1: A × 2 / held in whs_2: A × 2' },
  },
  {
    what: 'a total that is no sum',
    service: 'orders',
    sql: `update orders set total = 1101 where id = 'ord_new'`,
    says: { O4: 'order ord_new: total 1100: goods 1000, line amounts 1000, charges 100 / total 1101: goods 1000, line amounts 1000, charges 100' },
  },
  {
    what: 'a price changed after the fact',
    service: 'orders',
    sql: `update order_line set unit_price = 501 where order_id = 'ord_over'`,
    says: { O4: 'order ord_over: total 1102: goods 1002, line amounts 1002, charges 100 / total 1100: goods 1000, line amounts 1000, charges 100' },
  },
  {
    what: 'goods held for a cancelled order',
    service: 'inventory',
    sql: `update reservation set status = 'held' where order_id = 'ord_over'`,
    says: { S5: 'reservation of ord_over, A: 2 / 0', O5: 'order ord_over: nothing left / reservation held' },
  },
  {
    what: 'money held for a cancelled order',
    service: 'payments',
    sql: `update payment set held = 1 where id = 'pay_over'`,
    says: {
      M1: 'payment pay_over: 1100 / 1101',
      M7: 'payment pay_over: held 0, captured 0, refunded 0 / held 1, captured 0, refunded 0',
      O5: 'order ord_over: nothing left / 1 held',
    },
  },
  {
    what: 'a payment of another amount',
    service: 'orders',
    sql: `update orders set total = 1200, charges_total = 200, charges = '[{"code":"POST","amount":200}]' where id = 'ord_ready'`,
    says: { O6: 'order ord_ready: authorized 1200 of 1200 / authorized 1100 of 1100' },
  },
  {
    what: 'a gap in a timeline',
    service: 'orders',
    sql: `update order_timeline set seq = 3 where order_id = 'ord_over' and seq = 2`,
    says: { E1: 'order ord_over: 1 to 2, 2 entries / 1 to 3, 2 entries' },
  },
  {
    what: 'a timeline that is gone',
    service: 'orders',
    sql: `delete from order_timeline where order_id = 'ord_over'`,
    says: { E1: 'order ord_over: 1 to 2, 2 entries / 0 to 0, 0 entries' },
  },
  {
    what: 'an order that waits for ever',
    service: 'orders',
    sql: journey(`"deadline":${NOW + 3_600_000}`, `"deadline":null`, 'ready'),
    says: { L1: 'order ord_ready: an owner and a deadline / no deadline' },
  },
  {
    what: 'an order in a place nobody knows',
    service: 'orders',
    sql: journey('"at":"ready"', '"at":"limbo"', 'ready'),
    says: { L1: 'order ord_ready: an owner and a deadline / nobody owns limbo' },
  },
  {
    what: 'a deadline nobody watches',
    service: 'orders',
    sql: `delete from timer`,
    says: { L2: `order ord_new: a timer by ${TIME} / no timer` },
  },
  {
    what: 'a dead letter that was put away without a word',
    service: 'orders',
    sql: `update dead_letter set status = 'discarded' where id = 'dl_1'`,
    says: {
      D1: 'dead letter dl_1 of orders: open / discarded',
      D2: 'dead letters f of orders: 0 open, 0 redriving, 0 resolved, 2 discarded / 1 open, 0 redriving, 0 resolved, 1 discarded',
    },
  },
  {
    what: 'a group of dead letters that has lost count',
    service: 'orders',
    sql: `update dead_letter_group set resolved = 7`,
    says: { D2: 'dead letters f of orders: 1 open, 0 redriving, 0 resolved, 1 discarded / 1 open, 0 redriving, 7 resolved, 1 discarded' },
  },
  {
    what: 'a dead letter whose story is gone',
    service: 'orders',
    sql: `delete from dead_letter_log where dead_letter_id = 'dl_2'`,
    says: { D1: 'dead letter dl_2 of orders: an entry in the log / discarded' },
  },
  {
    what: 'a mail that will never be sent',
    service: 'notifications',
    sql: `update notification set status = 'pending' where id = 'ntf_2_log'`,
    says: { L2: 'notification ntf_2_log: due / not due' },
  },
  {
    what: 'a customer who was told twice',
    service: 'notifications',
    sql: `update notification set event_id = 'msg_1' where id = 'ntf_2_log'`,
    says: { N1: 'log of msg_1 to c1@example.org: 1 / 2' },
  },
  {
    what: 'a mail about an order that never was',
    service: 'notifications',
    sql: `update notification set order_id = 'ord_lost' where id = 'ntf_2_log'`,
    says: { X1: 'notification ntf_2_log: order ord_lost / no such order' },
  },
  {
    what: 'goods reserved for nobody',
    service: 'inventory',
    sql: `insert into reservation (order_id, status, warehouse_id, released_at, created_at, updated_at) values ('ord_lost', 'released', null, 1, 1, 1)`,
    says: { X1: 'reservation ord_lost: order ord_lost / no such order' },
  },
];

export const SPOILINGS: readonly Spoiling[] = [...OTHERS, ...STOCK_SPOILINGS, ...ORDER_SPOILINGS, ...SHIPPING_SPOILINGS];
