import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AuditResult, runPass } from '../../src/auditor/auditor.ts';
import { EQUATIONS } from '../../src/auditor/equations.ts';
import { databases, sqlite } from '../support/databases.ts';
import { testWorld } from '../support/world.ts';
import { type Books, NOW, type ServiceName, openBooks } from './books.ts';

/** A pass whose second look comes at once, over chunks so small that every table takes several. */
const audit = (books: Books): Promise<AuditResult> =>
  runPass({
    equations: EQUATIONS,
    databases: books.databases,
    world: { ...testWorld(), sleep: async () => undefined },
    chunk: 2,
    aim: 8,
    rest: () => 0,
  });

/** The equations that do not hold, and what each says first. */
const broken = ({ equations }: AuditResult): Record<string, string> =>
  Object.fromEntries(
    equations.flatMap(({ id, first }) => (first === undefined ? [] : [[id, `${first.subject}: ${first.expected} / ${first.found}`]])),
  );

interface Spoiling {
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

const SPOILINGS: readonly Spoiling[] = [
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
    says: { D1: 'dead letter dl_1 of orders: open / discarded' },
  },
  {
    what: 'a dead letter whose story is gone',
    service: 'orders',
    sql: `delete from dead_letter_log where dead_letter_id = 'dl_2'`,
    says: { D1: 'dead letter dl_2 of orders: an entry in the log / discarded' },
  },
  {
    what: 'a parcel with other goods',
    service: 'shipping',
    sql: `update shipment set lines = '[{"line_id":"lin_ord_ready","sku":"B","quantity":2}]' where id = 'shp_ready'`,
    says: { O3: 'order ord_ready: shp_ready from whs_1: A × 2 / shp_ready from whs_1: B × 2' },
  },
  {
    what: 'a parcel that is gone',
    service: 'shipping',
    sql: `delete from shipment where id = 'shp_ready'`,
    says: { O3: 'order ord_ready: shp_ready from whs_1: A × 2 / no shipment' },
  },
  {
    what: 'a parcel that left for a cancelled order',
    service: 'shipping',
    sql: `update shipment set status = 'in_transit' where id = 'shp_over'`,
    says: { O5: 'order ord_over: nothing left / shipment in_transit' },
  },
  {
    what: 'a parcel that never left',
    service: 'shipping',
    sql: `update shipment set status = 'ready' where id = 'shp_gone'`,
    says: {
      O8: 'order ord_gone: shipment delivered / shipment ready',
      H1: 'order ord_gone: shp_gone has left whs_1 with what stock counts as gone / shp_gone is ready',
      P2: 'shipment shp_gone: delivered / ready',
    },
  },
  {
    what: 'goods that left a second time',
    service: 'shipping',
    sql: `insert into shipment (id, order_id, status, lines, sequence, created_at, updated_at)
      values ('shp_more', 'ord_gone', 'in_transit', '[{"line_id":"lin_ord_gone","sku":"A","quantity":1}]', 1, 1, 1)`,
    says: { O9: 'order ord_gone, lin_ord_gone: no more than was ordered / 3 left of 2' },
  },
  {
    what: 'goods that left with a shipment nobody knows',
    service: 'inventory',
    sql: `insert into reservation_departure (order_id, shipment_id, line_id, warehouse_id, sku, quantity, created_at)
      values ('ord_ready', 'shp_more', 'lin_ord_ready', 'whs_1', 'A', 2, 1)`,
    says: { H1: 'order ord_ready: shp_more has left whs_1 with what stock counts as gone / no such shipment' },
  },
  {
    what: 'goods that left before their shipment did',
    service: 'inventory',
    sql: `insert into reservation_departure (order_id, shipment_id, line_id, warehouse_id, sku, quantity, created_at)
      values ('ord_ready', 'shp_ready', 'lin_ord_ready', 'whs_1', 'A', 2, 1)`,
    says: { H1: 'order ord_ready: shp_ready has left whs_1 with what stock counts as gone / shp_ready is ready' },
  },
  {
    what: 'a shipment that left from elsewhere',
    service: 'shipping',
    sql: `update shipment set warehouse_id = 'whs_2' where id = 'shp_gone'`,
    says: {
      O3: 'order ord_gone: shp_gone from whs_1: A × 2 / shp_gone from whs_2: A × 2',
      H1: 'order ord_gone: shp_gone has left whs_1 with what stock counts as gone / shp_gone left whs_2',
    },
  },
  {
    what: 'goods taken back that nobody sent',
    service: 'inventory',
    sql: `insert into stock_return (order_id, return_id, line_id, disposition, warehouse_id, sku, quantity, created_at)
      values ('ord_gone', 'rtn_9', 'lin_ord_gone', 'restock', 'whs_1', 'A', 1, 1)`,
    says: { H3: 'order ord_gone, return rtn_9: a return / no such return' },
  },
  {
    what: 'a return that was received and not taken back',
    service: 'shipping',
    sql: `update returns set status = 'received', received = '[{"line_id":"lin_ord_gone","sku":"A","quantity":1,"disposition":"restock"}]' where id = 'rtn_1'`,
    says: { H3: 'order ord_gone, return rtn_1: whs_1: lin_ord_gone restock 1 / nothing taken back' },
  },
  {
    what: 'a parcel with too little in it',
    service: 'shipping',
    sql: `update parcel set lines = '[{"line_id":"lin_ord_gone","sku":"A","quantity":1}]' where id = 'prc_gone'`,
    says: { P1: 'parcels of shp_gone, lin_ord_gone: 2 / 1' },
  },
  {
    what: 'a parcel that is missing what was never short',
    service: 'shipping',
    sql: `update shipment set shorted = '[{"line_id":"lin_ord_gone","sku":"A","quantity":1}]' where id = 'shp_gone'`,
    says: {
      P1: 'parcels of shp_gone, lin_ord_gone: 1 / 2',
      H1: 'order ord_gone: shp_gone has left whs_1 with what stock counts as gone / shp_gone holds less',
    },
  },
  {
    what: 'a parcel that arrived in a shipment that did not',
    service: 'shipping',
    sql: `update shipment set status = 'in_transit' where id = 'shp_gone'`,
    says: { P2: 'shipment shp_gone: delivered / in_transit', O8: 'order ord_gone: shipment delivered / shipment in_transit' },
  },
  {
    what: 'a parcel that is not where it was scanned',
    service: 'shipping',
    sql: `update parcel set carrier_status = 'exception' where id = 'prc_gone'`,
    says: { P3: 'parcel prc_gone: an end that was told / exception' },
  },
  {
    what: 'a scan that was taken out of the history',
    service: 'shipping',
    sql: `delete from tracking_event where carrier_event_id = 'e2'`,
    says: { P3: 'parcel prc_gone: in_transit / delivered' },
  },
  {
    what: 'more to come back than was delivered',
    service: 'shipping',
    sql: `update returns set lines = '[{"line_id":"lin_ord_gone","sku":"A","quantity":3,"reason":"x"}]' where id = 'rtn_1'`,
    says: { P4: 'returns of ord_gone, lin_ord_gone: no more than was delivered / 3 of 2' },
  },
  {
    what: 'more received than was expected',
    service: 'shipping',
    sql: `update returns set status = 'receiving', received = '[{"line_id":"lin_ord_gone","sku":"A","quantity":2,"disposition":"restock"}]' where id = 'rtn_1'`,
    says: { P4: 'return rtn_1, lin_ord_gone: no more than was expected / 2 of 1' },
  },
  {
    what: 'a return of a parcel that did not come back',
    service: 'shipping',
    sql: `insert into returns (id, number, order_id, status, parcel_id, warehouse_id, lines, sequence, created_at, updated_at)
      values ('rtn_gone', 'RT2', 'ord_gone', 'receiving', 'prc_gone', 'whs_1', '[]', 1, 1, 1)`,
    says: { P5: 'parcel prc_gone: no return / a return' },
  },
  {
    what: 'a label nobody can print',
    service: 'shipping',
    sql: `update label set content = null where id = 'lbl_1'`,
    says: { P6: 'label lbl_1: a document / none' },
  },
  {
    what: 'a label that was paid for a parcel that is none any more',
    service: 'shipping',
    sql: `update label set parcel_id = 'prc_none' where id = 'lbl_1'`,
    says: { P6: 'label lbl_1 of parcel prc_none: wanted / no such parcel' },
  },
  {
    what: 'a label nobody will ask about',
    service: 'shipping',
    sql: `update label set status = 'voiding' where id = 'lbl_1'`,
    says: { L2: 'label lbl_1: due / not due' },
  },
  {
    what: 'a return of an order that never was',
    service: 'shipping',
    sql: `update returns set order_id = 'ord_lost', status = 'cancelled' where id = 'rtn_1'`,
    says: { X1: 'returns rtn_1: order ord_lost / no such order' },
  },
  {
    what: 'a parcel no carrier will be told of',
    service: 'shipping',
    sql: `update shipment set status = 'pending' where id = 'shp_over'`,
    says: { L2: 'shipment shp_over: due / not due', O5: 'order ord_over: nothing left / shipment pending' },
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

describe.each(databases())('the auditor on $name', (kind) => {
  let books: Books;
  beforeAll(async () => {
    books = await openBooks(kind);
  });
  beforeEach(() => books.restore());
  afterAll(() => books.drop());

  it('finds nothing in books that add up, and has looked at all of them', async () => {
    const result = await audit(books);
    expect(broken(result)).toEqual({});
    expect(result.equations.filter(({ rows }) => rows === 0)).toEqual([]);
  });

  it.each(SPOILINGS)('finds $what', async ({ service, sql, says }) => {
    await books.spoil(service, sql);
    expect(broken(await audit(books))).toEqual(says);
  });
});

describe('what is still moving', () => {
  let books: Books;
  beforeAll(async () => {
    books = await openBooks(sqlite);
  });
  beforeEach(() => books.restore());
  afterAll(() => books.drop());

  /** A pass between whose first and second look somebody writes. */
  function auditWhile(write: () => Promise<void>): Promise<AuditResult> {
    let written: Promise<void> | undefined;
    const world = { ...testWorld(), sleep: () => (written ??= write()) };
    return runPass({ equations: EQUATIONS, databases: books.databases, world, chunk: 2, aim: 8, rest: () => 0 });
  }

  it('is no violation when the second look finds both sides in agreement', async () => {
    await books.spoil('orders', `update orders set status = 'shipped' where id = 'ord_ready'`);
    const result = await auditWhile(() => books.spoil('orders', `update orders set status = 'confirmed' where id = 'ord_ready'`));
    expect(broken(result)).toEqual({});
  });

  it('is left to the next pass when the order has moved on meanwhile', async () => {
    await books.spoil('inventory', `update reservation set status = 'released' where order_id = 'ord_ready'`);
    await books.spoil('inventory', `update stock_posting set quantity = 0 where ref_id = 'ord_ready'`);
    await books.spoil('inventory', `update stock_level set available = 8, reserved = 0 where sku = 'A'`);
    const result = await auditWhile(() => books.spoil('orders', `update orders set version = version + 1 where id = 'ord_ready'`));
    expect(Object.keys(broken(result))).toEqual([]);
  });

  it('asks for no timer while the consumer that would answer it is paused', async () => {
    await books.spoil('orders', `delete from timer`);
    await books.spoil('orders', `insert into consumer_control (consumer, paused, reason, actor, changed_at) values ('orders', 1, 'test', 'test', 1)`);
    expect(broken(await audit(books))).toEqual({});
  });
});

it('every equation has been seen to fail', () => {
  const seen = new Set(SPOILINGS.flatMap(({ says }) => Object.keys(says)));
  expect(EQUATIONS.map(({ id }) => id).filter((id) => !seen.has(id))).toEqual([]);
});
