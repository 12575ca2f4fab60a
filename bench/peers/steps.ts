/**
 * The little shop every peer runs: four steps, each one statement over any number of orders, guarded so that a repeated one changes nothing.
 *
 * An order: itself, two lines, two reservations and two stock levels; a payment; a shipment; a notification; its status after each. That is
 * less than Waybill writes, which adds postings, a timeline, its outbox and inbox: the ratios favour the peers by that much.
 */
import pg from 'pg';

export const STEPS = ['reserve', 'authorise', 'ship', 'notify'] as const;
export type Step = (typeof STEPS)[number];

/** Orders take two products each out of as many pairs, so that peers that go order by order do not queue for two rows. */
export const PAIRS = 100;
const STOCK = 50_000_000;

const TABLES = `
  create table orders (id bigint primary key, customer text not null, email text not null, total int not null, status text not null, updated_at timestamptz not null);
  create table lines (order_id bigint, sku text, quantity int not null, price int not null, primary key (order_id, sku));
  create table stock (sku text primary key, available int not null check (available >= 0), reserved int not null) with (fillfactor = 50);
  create table reservations (order_id bigint, sku text, quantity int not null, primary key (order_id, sku));
  create table payments (order_id bigint primary key, amount int not null, token text not null, status text not null);
  create table shipments (order_id bigint primary key, carrier text not null, tracking text not null, status text not null);
  create table notifications (order_id bigint primary key, recipient text not null, text text not null);
  insert into stock select kind || n, ${STOCK}, 0 from unnest(array['CUP-', 'TEA-']) kind, generate_series(0, ${PAIRS - 1}) n`;

/** From one status to the next, with the row that says what was done. */
const advance = (from: string, to: string, insert: string): string => `
  with moved as (update orders set status = '${to}', updated_at = now() where id = any($1::bigint[]) and status = '${from}' returning id, total, email)
  insert into ${insert} on conflict do nothing`;

/** `$1` are ids of orders. */
export const SQL: Readonly<Record<Step, string>> = {
  reserve: `
    with placed as (
      insert into orders select id, 'Ada', 'ada@example.org', 2850, 'reserved', now() from unnest($1::bigint[]) id on conflict do nothing returning id
    ), asked as materialized (
      select id, kind || id % ${PAIRS} as sku, quantity, price from placed, (values ('TEA-', 1, 450), ('CUP-', 2, 1200)) line (kind, quantity, price)
    ), lined as (insert into lines select id, sku, quantity, price from asked
    ), held as (insert into reservations select id, sku, quantity from asked
    ), wanted as materialized (select sku, sum(quantity) as quantity from asked group by sku
    ), locked as materialized (select sku from stock where sku in (select sku from wanted) order by sku for update)
    update stock s set available = available - w.quantity, reserved = reserved + w.quantity from wanted w join locked using (sku) where s.sku = w.sku`,
  authorise: advance('reserved', 'paid', `payments select id, total, 'tok_ok', 'authorised' from moved`),
  ship: advance('paid', 'shipped', `shipments select id, 'simulated', 'track-' || id, 'ready' from moved`),
  notify: advance('shipped', 'done', `notifications select id, email, 'Your order ' || id || ' is on its way.' from moved`),
};

export const nextOf = (step: Step): Step | undefined => STEPS[STEPS.indexOf(step) + 1];

export async function openShop(url: string, connections: number): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  await pool.query(TABLES);
  return pool;
}

/** Prepared once a connection. */
export const statement = (step: Step, ids: readonly number[]): pg.QueryConfig => ({ name: step, text: SQL[step], values: [ids] });

/** Is every order there once, whole, and the stock exactly as much less? */
export async function isExact(pool: pg.Pool, orders: number): Promise<boolean> {
  const { rows } = await pool.query<Record<string, string>>(`
    select (select count(*) from orders where status = 'done') as orders, (select count(*) from lines) / 2 as lines,
      (select sum(quantity) from reservations) / 3 as reservations, (select sum(${STOCK} - available) from stock) / 3 as stock,
      (select count(*) from payments) as payments, (select count(*) from shipments) as shipments, (select count(*) from notifications) as notifications`);
  return Object.values(rows[0]!).every((count) => Number(count) === orders);
}
