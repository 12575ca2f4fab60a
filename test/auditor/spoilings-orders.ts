/** Orders beyond the ordinary, spoiled: each begins with `ord_ready`, which is made one of several shipments, or held, or cancelled in part. */
import { NOW, SOON } from './books.ts';
import type { Spoiling } from './spoilings.ts';

const more = (fields: object): string =>
  `update orders set journey = replace(journey, '"seen":[]', '"seen":[],${JSON.stringify(fields).slice(1, -1)}') where id = 'ord_ready'`;
const shipment = (wrong: object): string => {
  const sound = {
    id: 'shp_ready',
    state: 'ready',
    since: NOW,
    deadline: SOON,
    warehouse_id: 'whs_1',
    lines: [{ line_id: 'lin_ord_ready', sku: 'A', quantity: 2 }],
  };
  return more({ shipments: [{ ...sound, ...wrong }] });
};
const hold = (fields: object): string =>
  more({ holds: [{ id: 'hld_1', target: 'line', reason: 'fraud', since: NOW, deadline: SOON, expires_at: null, ...fields }] });

export const ORDER_SPOILINGS: readonly Spoiling[] = [
  {
    what: 'a shipment of several that leaves from elsewhere than its order thinks',
    service: 'orders',
    sql: shipment({ warehouse_id: 'whs_2' }),
    says: { O3: 'order ord_ready: shp_ready from whs_2: A × 2 / shp_ready from whs_1: A × 2' },
  },
  {
    what: 'a shipment of several that holds something else',
    service: 'orders',
    sql: shipment({ lines: [{ line_id: 'lin_ord_ready', sku: 'A', quantity: 3 }] }),
    says: { O3: 'order ord_ready: shp_ready from whs_1: A × 3 / shp_ready from whs_1: A × 2' },
  },
  {
    what: 'a shipment of several that shipping never heard of',
    service: 'orders',
    sql: shipment({ id: 'shp_none' }),
    says: { O3: 'order ord_ready: shp_none from whs_1: A × 2 / no shipment' },
  },
  {
    what: 'a shipment of several that has not left',
    service: 'orders',
    sql: shipment({ state: 'shipped', amount: 1100, paid: true }),
    says: { O8: 'order ord_ready: shp_ready in_transit / shp_ready ready' },
  },
  {
    what: 'a shipment of several that left unpaid',
    service: 'orders',
    sql: shipment({ state: 'shipped', amount: 1200 }),
    says: {
      O7: 'order ord_ready: each shipment that left paid for / shp_ready has left unpaid, captured 1100 for 1200',
      O8: 'order ord_ready: shp_ready in_transit / shp_ready ready',
    },
  },
  {
    what: 'money an order believes to be captured',
    service: 'orders',
    sql: more({ money: { held: 0, captured: 1100, external: 100, refunded: 0 } }),
    says: { O6: 'order ord_ready: at least captured 1000, refunded 0 / captured 0, refunded 0' },
  },
  {
    what: 'a shipment of several that waits for ever',
    service: 'orders',
    sql: shipment({ deadline: null }),
    says: { L1: 'order ord_ready: an owner and a deadline / shipment shp_ready ready without a deadline' },
  },
  {
    what: 'a shipment of several whose deadline nobody watches',
    service: 'orders',
    sql: shipment({ state: 'capturing' }),
    says: { L2: `order ord_ready: a timer by ${new Date(SOON).toISOString()} / no timer` },
  },
  {
    what: 'a hold that does not show',
    service: 'orders',
    sql: hold({ target: 'order' }),
    says: { O1: 'order ord_ready: on_hold (fraud) / confirmed' },
  },
  {
    what: 'a hold whose end nobody watches',
    service: 'orders',
    sql: hold({ expires_at: SOON }),
    says: { L2: `order ord_ready: a timer by ${new Date(SOON).toISOString()} / no timer` },
  },
  {
    what: 'a piece that was cancelled and is still paid for',
    service: 'orders',
    sql: `update order_line set cancelled = 1 where order_id = 'ord_ready'`,
    says: {
      O4: 'order ord_ready: total 600: goods 500, line amounts 500, charges 100 / total 1100: goods 1000, line amounts 1000, charges 100',
    },
  },
];
