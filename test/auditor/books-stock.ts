/** The books of inventory: levels and their ledger, reservations of every kind, transfers. */
import type { Database } from '../../src/db/database.ts';
import { type Row, insert, times } from './books-rows.ts';

const stockPosting = (from_account: string, to_account: string, quantity: number, ref_id: string, sku = 'A', warehouse_id = 'whs_1'): Row => ({
  sku,
  warehouse_id,
  from_account,
  to_account,
  quantity,
  reason: 'test',
  ref_type: ref_id.startsWith('ord_') ? 'order' : ref_id.startsWith('trf_') ? 'transfer' : 'receipt',
  ref_id,
  at: times.updated_at,
});

export async function writeStock(db: Database): Promise<void> {
  await insert(db, 'warehouse', { id: 'whs_1', name: 'One', location: 'Here', priority: 1, archived_at: null, version: 1, ...times });
  await insert(
    db,
    'stock_level',
    { sku: 'A', warehouse_id: 'whs_1', available: 6, reserved: 2, unavailable: 0, updated_at: times.updated_at },
    { sku: 'B', warehouse_id: 'whs_1', available: 4, reserved: 0, unavailable: 0, updated_at: times.updated_at },
  );
  const posting = stockPosting;
  await insert(
    db,
    'stock_posting',
    posting('outside:supplier', 'available', 12, 'rcp_1'),
    posting('outside:supplier', 'available', 4, 'rcp_1', 'B'),
    posting('available', 'reserved', 2, 'ord_ready'),
    posting('available', 'reserved', 2, 'ord_gone'),
    posting('reserved', 'outside:customer', 2, 'ord_gone'),
    posting('available', 'reserved', 2, 'ord_over'),
    posting('reserved', 'available', 2, 'ord_over'),
  );
  const reservation = (order_id: string, status: string): Row => ({ order_id, status, warehouse_id: 'whs_1', released_at: null, ...times });
  await insert(db, 'reservation', reservation('ord_ready', 'held'), reservation('ord_gone', 'committed'), reservation('ord_over', 'released'));
  const line = (order_id: string): Row => ({ order_id, line_id: `lin_${order_id}`, sku: 'A', quantity: 2 });
  await insert(db, 'reservation_line', line('ord_ready'), line('ord_gone'), line('ord_over'));
  await writeParts(db);
  await writeTransfers(db);
}

/** What `ord_part` had has gone in parts; `ord_new` holds one D and waits for another. */
async function writeParts(db: Database): Promise<void> {
  const posting = stockPosting;
  await insert(db, 'stock_level', { sku: 'D', warehouse_id: 'whs_1', available: 0, reserved: 1, unavailable: 0, updated_at: times.updated_at });
  await insert(
    db,
    'stock_posting',
    posting('available', 'reserved', 2, 'ord_part'),
    posting('reserved', 'outside:customer', 2, 'ord_part'),
    posting('outside:supplier', 'available', 1, 'rcp_2', 'D'),
    posting('available', 'reserved', 1, 'ord_new', 'D'),
  );
  const reservation = (order_id: string): Row => ({ order_id, status: 'parted', warehouse_id: 'whs_1', released_at: null, ...times });
  await insert(db, 'reservation', reservation('ord_part'), reservation('ord_new'));
  const pieces = (order_id: string, sku: string): Row => ({ order_id, line_id: `lin_${order_id}`, sku });
  await insert(db, 'reservation_line', { ...pieces('ord_part', 'A'), quantity: 2 }, { ...pieces('ord_new', 'D'), quantity: 2 });
  const part = (order_id: string, sku: string, held: number, gone: number): Row => ({
    ...pieces(order_id, sku),
    warehouse_id: 'whs_1',
    held,
    gone,
    updated_at: times.updated_at,
  });
  await insert(db, 'reservation_part', part('ord_part', 'A', 0, 2), part('ord_new', 'D', 1, 0));
  await insert(db, 'stock_queue', { ...pieces('ord_new', 'D'), quantity: 1, turn: 1, since: times.updated_at, warehouse_id: null, together: 0 });
  const departure = { ...pieces('ord_part', 'A'), shipment_id: 'shp_part', warehouse_id: 'whs_1', quantity: 2, created_at: times.updated_at };
  await insert(db, 'reservation_departure', departure);
}

/** Of 7 E two are to be sent, three were sent: of these one arrived and one was given up. */
async function writeTransfers(db: Database): Promise<void> {
  const posting = stockPosting;
  await insert(db, 'warehouse', { id: 'whs_2', name: 'Two', location: 'There', priority: 1, archived_at: null, version: 1, ...times });
  const level = (warehouse_id: string, available: number, reserved: number): Row => ({
    sku: 'E',
    warehouse_id,
    available,
    reserved,
    unavailable: 0,
    updated_at: times.updated_at,
  });
  await insert(db, 'stock_level', level('whs_1', 2, 2), level('whs_2', 1, 0));
  await insert(
    db,
    'stock_posting',
    posting('outside:supplier', 'available', 7, 'rcp_3', 'E'),
    posting('available', 'reserved', 2, 'trf_1', 'E'),
    posting('available', 'reserved', 3, 'trf_2', 'E'),
    posting('reserved', 'transit:trf_2', 3, 'trf_2', 'E'),
    posting('transit:trf_2', 'available', 1, 'trf_2', 'E', 'whs_2'),
    posting('transit:trf_2', 'outside:shrink', 1, 'trf_2', 'E'),
  );
  const transfer = (id: string, status: string): Row => ({
    id,
    from_warehouse_id: 'whs_1',
    to_warehouse_id: 'whs_2',
    status,
    client: 'test',
    version: 1,
    ...times,
  });
  await insert(db, 'transfer', transfer('trf_1', 'planned'), transfer('trf_2', 'sent'));
  await insert(
    db,
    'transfer_line',
    { transfer_id: 'trf_1', sku: 'E', quantity: 2, sent: 0, received: 0, written_off: 0 },
    { transfer_id: 'trf_2', sku: 'E', quantity: 3, sent: 3, received: 1, written_off: 1 },
  );
}
