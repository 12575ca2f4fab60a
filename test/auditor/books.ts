/**
 * Books that add up, written row by row as the services would have written them, and a way to spoil them: what guards the tables
 * against exactly that is taken off first.
 */
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { mailboxMigrations } from '../../src/messaging/messaging.ts';
import type { OpenDatabase, TestDatabase } from '../support/databases.ts';
import { NOW, type Row, insert, times } from './books-rows.ts';
import { writeStock } from './books-stock.ts';

export { NOW } from './books-rows.ts';

export const SERVICES = ['orders', 'inventory', 'payments', 'shipping', 'notifications'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface Books {
  readonly databases: Readonly<Record<ServiceName, Database>>;
  /** Runs one statement in the database of a service, whatever rules its tables have. */
  spoil(service: ServiceName, text: string): Promise<void>;
  /** Writes the books anew. */
  restore(): Promise<void>;
  drop(): Promise<void>;
}

export const SOON = NOW + 3_600_000;

export async function openBooks(kind: TestDatabase): Promise<Books> {
  const opened = new Map<ServiceName, OpenDatabase>();
  const drop = async (): Promise<void> => void (await Promise.all([...opened.values()].map((one) => one.drop())));
  try {
    for (const name of SERVICES) {
      const one = await kind.open();
      opened.set(name, one);
      await migrate(one.db, [mailboxMigrations, { room: name, folder: new URL(`../../src/${name}/migrations/`, import.meta.url) }], NOW);
      await disarm(one.db);
    }
    const databases = Object.fromEntries([...opened].map(([name, { db }]) => [name, db])) as Record<ServiceName, Database>;
    await write(databases);
    return booksOver(databases, drop);
  } catch (error) {
    await drop(); // nobody has been handed books that could be dropped
    throw error;
  }
}

function booksOver(databases: Readonly<Record<ServiceName, Database>>, drop: () => Promise<void>): Books {
  return {
    databases,
    spoil: (service, text) => databases[service].write(async (tx) => void (await tx.raw(text))),
    async restore() {
      for (const db of Object.values(databases)) await empty(db);
      await write(databases);
    },
    drop,
  };
}

/** Takes off checks, triggers and foreign keys: they are the first line of defence, the auditor is the second. */
async function disarm(db: Database): Promise<void> {
  await db.write(async (tx) => {
    if (tx.dialect.name === 'sqlite') {
      await tx.raw('pragma ignore_check_constraints = on');
      const triggers = await tx.raw<{ name: string }>(`select name from sqlite_master where type = 'trigger'`);
      for (const { name } of triggers) await tx.raw(`drop trigger ${name}`);
      return;
    }
    const constraints = await tx.raw<{ name: string; owner: string }>(
      `select conname as name, conrelid::regclass::text as owner from pg_constraint where contype in ('c', 'f') and connamespace = current_schema()::regnamespace`,
    );
    for (const { name, owner } of constraints) await tx.raw(`alter table ${owner} drop constraint ${name}`);
    const triggers = await tx.raw<{ name: string; owner: string }>(
      `select tgname as name, tgrelid::regclass::text as owner from pg_trigger t join pg_class c on c.oid = t.tgrelid
       where not tgisinternal and c.relnamespace = current_schema()::regnamespace`,
    );
    for (const { name, owner } of triggers) await tx.raw(`drop trigger ${name} on ${owner}`);
  });
}

/** Empties every table but that of the migrations. */
async function empty(db: Database): Promise<void> {
  await db.write(async (tx) => {
    const tables =
      tx.dialect.name === 'sqlite'
        ? await tx.raw<{ name: string }>(`select name from sqlite_master where type = 'table' and name <> 'migration'`)
        : await tx.raw<{ name: string }>(`select tablename as name from pg_tables where schemaname = current_schema() and tablename <> 'migration'`);
    if (tx.dialect.name === 'sqlite') await tx.raw('pragma defer_foreign_keys = on');
    for (const { name } of tables) await tx.raw(`delete from ${name}`);
  });
}

/**
 * Five orders of 2 × A at 500 and a charge of 100, from a warehouse that received 12 A and 4 B:
 * `ord_ready` waits for the warehouse, `ord_gone` was delivered, `ord_over` was cancelled, `ord_new` waits for stock, and `ord_part` was
 * delivered like `ord_gone`, but its reservation was one in parts.
 */
async function write(db: Readonly<Record<ServiceName, Database>>): Promise<void> {
  await writeStock(db.inventory);
  await writeMoney(db.payments);
  await writeParcels(db.shipping);
  await writeNotifications(db.notifications);
  await writeOrders(db.orders);
}

async function writeMoney(db: Database): Promise<void> {
  const payment = (of: string, status: string, held: number, captured: number): Row => ({
    id: `pay_${of}`,
    order_id: `ord_${of}`,
    status,
    amount: 1100,
    currency: 'EUR',
    token: null,
    provider_ref: null,
    under_way: null,
    void_command: null,
    held,
    captured,
    refunded: 0,
    sequence: 1,
    version: 1,
    ...times,
  });
  await insert(
    db,
    'payment',
    payment('ready', 'authorized', 1100, 0),
    payment('gone', 'captured', 0, 1100),
    payment('over', 'voided', 0, 0),
    payment('part', 'captured', 0, 1100),
  );
  const done: readonly (readonly [of: string, kind: string, from: string, to: string])[] = [
    ['ready', 'authorize', 'outside:psp', 'held'],
    ['gone', 'authorize', 'outside:psp', 'held'],
    ['gone', 'capture', 'held', 'captured'],
    ['over', 'authorize', 'outside:psp', 'held'],
    ['over', 'void', 'held', 'outside:psp'],
    ['part', 'authorize', 'outside:psp', 'held'],
    ['part', 'capture', 'held', 'captured'],
  ];
  for (const [of, kind, from_account, to_account] of done) {
    const id = `pop_${of}_${kind}`;
    await insert(db, 'payment_operation', {
      payment_id: `pay_${of}`,
      id,
      kind,
      amount: 1100,
      state: 'succeeded',
      attempts: 1,
      due_at: null,
      lease_until: null,
      command_id: `msg_${id}`,
      shipment_id: null,
      provider_ref: null,
      error: null,
      ...times,
    });
    await insert(db, 'payment_posting', { payment_id: `pay_${of}`, operation_id: id, from_account, to_account, quantity: 1100, created_at: NOW });
  }
}

async function writeParcels(db: Database): Promise<void> {
  const shipment = (of: string, status: string): Row => ({
    id: `shp_${of}`,
    order_id: `ord_${of}`,
    status,
    warehouse_id: 'whs_1',
    tracking_number: `T-${of}`,
    lines: JSON.stringify([{ line_id: `lin_ord_${of}`, sku: 'A', quantity: 2 }]),
    sequence: 1,
    ...times,
  });
  const left = { dispatched_at: NOW, delivered_at: NOW, parcel_count: 1 };
  await insert(db, 'shipment', shipment('ready', 'ready'), { ...shipment('gone', 'delivered'), ...left }, shipment('over', 'cancelled'), {
    ...shipment('part', 'delivered'),
    dispatched_at: NOW,
    delivered_at: NOW,
  });
  await writeOneInAParcel(db);
}

/** The shipment that arrived lay in a parcel of its own, with a label; one piece of it is to come back. */
async function writeOneInAParcel(db: Database): Promise<void> {
  const line = { line_id: 'lin_ord_gone', sku: 'A', quantity: 2 };
  await insert(db, 'parcel', {
    id: 'prc_gone',
    shipment_id: 'shp_gone',
    status: 'delivered',
    tracking_number: 'T-gone',
    lines: JSON.stringify([line]),
    carrier_status: 'delivered',
    code: 'delivered',
    tracked_at: NOW,
    tracked_by: 'e2',
    ended_at: NOW,
    ...times,
  });
  const event = (carrier_event_id: string, code: string, carrier_at: number): Row => ({
    parcel_id: 'prc_gone',
    shipment_id: 'shp_gone',
    carrier_event_id,
    code,
    carrier_at,
    received_at: NOW,
  });
  await insert(db, 'tracking_event', event('e2', 'delivered', NOW), event('e1', 'picked_up', NOW - 1));
  const label = { shipment_id: 'shp_gone', parcel_id: 'prc_gone', format: 'pdf', content_type: 'application/pdf', sha256: 'hash' };
  await insert(db, 'label', { id: 'lbl_1', status: 'bought', content: 'JVBERi0=', ...label, ...times });
  await insert(db, 'returns', {
    id: 'rtn_1',
    number: 'RT1',
    order_id: 'ord_gone',
    status: 'requested',
    warehouse_id: 'whs_1',
    lines: JSON.stringify([{ ...line, quantity: 1, reason: 'too small' }]),
    sequence: 1,
    ...times,
  });
}

async function writeNotifications(db: Database): Promise<void> {
  const notification = (event: string, channel: string): Row => ({
    id: `ntf_${event}_${channel}`,
    event_id: `msg_${event}`,
    order_id: 'ord_gone',
    topic: 'order.shipped',
    channel,
    recipient: 'c1@example.org',
    subject: 'On its way',
    body: 'It is on its way.',
    status: 'sent',
    sent_at: NOW,
    ...times,
  });
  const again = { ...notification('1', 'email'), id: 'ntf_again_email', repeats: 'ntf_1_email' };
  const [first, ...others] = [notification('1', 'log'), notification('1', 'email'), notification('2', 'log')];
  await insert(db, 'notification', first!, ...others);
  await insert(db, 'notification', again);
}

async function writeOrders(db: Database): Promise<void> {
  const stops = (stock: string, payment: string, shipping: string, of: string) => [
    { stop: 'stock', state: stock, since: NOW, ...(['done', 'settled'].includes(stock) ? { warehouse_id: 'whs_1' } : {}) },
    { stop: 'payment', state: payment, since: NOW, ...(['done', 'settled'].includes(payment) ? { payment_id: `pay_${of}` } : {}) },
    {
      stop: 'shipping',
      state: shipping,
      since: NOW,
      ...(['done', 'settled'].includes(shipping) ? { shipment_id: `shp_${of}`, tracking_number: `T-${of}` } : {}),
    },
  ];
  const order = (of: string, n: number, status: string, journey: object, reason: string | null = null): Row => ({
    id: `ord_${of}`,
    number: `ORD-2026-00000${n}`,
    client: 'test',
    external_id: null,
    request_hash: null,
    status,
    status_reason: reason,
    customer_id: 'c1',
    customer: '{"id":"c1"}',
    currency: 'EUR',
    charges: '[{"code":"POST","amount":100}]',
    goods_total: 1000,
    charges_total: 100,
    total: 1100,
    policy: 'default',
    ship_to: null,
    payment_token: null,
    journey: JSON.stringify({ since: NOW, deadline: null, epoch: 1, confirmed: true, hold: null, reason: null, seen: [], ...journey }),
    sequence: 1,
    version: 2,
    ...times,
  });
  await insert(
    db,
    'orders',
    order('gone', 1, 'delivered', { at: 'delivered', stops: stops('settled', 'settled', 'settled', 'gone') }),
    order('new', 2, 'pending', { at: 'reserving', confirmed: false, deadline: SOON, stops: stops('requested', 'waiting', 'waiting', 'new') }),
    order('over', 3, 'cancelled', { at: 'cancelled', reason: 'customer', stops: stops('undone', 'undone', 'undone', 'over') }, 'customer'),
    order('part', 5, 'delivered', { at: 'delivered', stops: stops('settled', 'settled', 'settled', 'part') }),
    order('ready', 4, 'confirmed', { at: 'ready', deadline: SOON, stops: stops('done', 'done', 'done', 'ready') }),
  );
  for (const of of ['gone', 'new', 'over', 'part', 'ready']) {
    await insert(db, 'order_line', {
      order_id: `ord_${of}`,
      position: 0,
      id: `lin_ord_${of}`,
      sku: 'A',
      name: 'A',
      quantity: 2,
      unit_price: 500,
      amount: 1000,
    });
    const entry = (seq: number): Row => ({ order_id: `ord_${of}`, seq, at: NOW, type: 'test', status: 'test', detail: '{}' });
    await insert(db, 'order_timeline', entry(1), entry(2));
  }
  await insert(db, 'timer', { key: 'deadline:ord_new', due_at: SOON, destination: null, message: '{}' });
  const letter = (id: string, status: string): Row => ({
    id,
    message_id: `msg_${id}`,
    destination: 'orders',
    type: 'stock.reserved',
    source: 'inventory',
    subject: 'ord_gone',
    correlationid: 'ord_gone',
    code: 'internal',
    error: 'it broke',
    stack: null,
    fingerprint: 'f',
    attempts: 1,
    redrives: 0,
    status,
    first_failed_at: NOW,
    changed_at: NOW,
    message: '{}',
  });
  await insert(db, 'dead_letter', letter('dl_1', 'open'), letter('dl_2', 'discarded'));
  const alike = { fingerprint: 'f', destination: 'orders', type: 'stock.reserved', code: 'internal', error: 'it broke' };
  await insert(db, 'dead_letter_group', { ...alike, open: 1, redriving: 0, resolved: 0, discarded: 1, first_seen_at: NOW, last_seen_at: NOW });
  const log = (dead_letter_id: string, action: string): Row => ({ dead_letter_id, at: NOW, actor: 'test', action, detail: '' });
  await insert(db, 'dead_letter_log', log('dl_1', 'opened'), log('dl_2', 'opened'), log('dl_2', 'discarded'));
}
