/** Shipments, parcels, labels and returns spoiled, and what stock says of the same goods. */
import type { Spoiling } from './spoilings.ts';

export const SHIPPING_SPOILINGS: readonly Spoiling[] = [
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
      H1: 'order ord_gone: a shipment has left whs_1 with what stock counts as gone / shp_gone ready from whs_1',
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
    says: { H1: 'order ord_ready: shp_ready has left whs_1 with what stock counts as gone / shp_ready ready from whs_1' },
  },
  {
    what: 'a shipment that left from elsewhere',
    service: 'shipping',
    sql: `update shipment set warehouse_id = 'whs_2' where id = 'shp_gone'`,
    says: {
      O3: 'order ord_gone: shp_gone from whs_1: A × 2 / shp_gone from whs_2: A × 2',
      H1: 'order ord_gone: a shipment has left whs_1 with what stock counts as gone / shp_gone delivered from whs_2',
    },
  },
  {
    what: 'goods taken back that nobody sent',
    service: 'inventory',
    sql: `insert into stock_return (order_id, return_id, line_id, disposition, warehouse_id, sku, quantity, created_at)
      values ('ord_gone', 'rtn_9', 'lin_ord_gone', 'restock', 'whs_1', 'A', 1, 1)`,
    says: {
      H3: 'order ord_gone, return rtn_9: a return / no such return',
      H5: 'order ord_gone: 0 back, no more than gone / 1 back, no more than gone',
    },
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
      H1: 'order ord_gone: a shipment has left whs_1 with what stock counts as gone / shp_gone delivered from whs_1',
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
];
