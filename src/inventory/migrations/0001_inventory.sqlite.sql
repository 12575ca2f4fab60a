-- Products, warehouses, stock levels with their ledger, and reservations. use-cases.ts says what moves what.

create table product (
  id text primary key,
  sku text not null unique,
  name text not null,
  description text,
  price integer not null check (price >= 0), -- minor units of currency
  currency text not null,
  archived_at integer,
  version integer not null,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;

create table warehouse (
  id text primary key,
  name text not null,
  location text not null,
  priority integer not null, -- the lowest is asked first; among equals the oldest
  archived_at integer,
  version integer not null,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;

-- Balances are sums of postings, kept so that a guarded update can be the lock. Reservations look a sku up in all warehouses.
create table stock_level (
  sku text not null,
  warehouse_id text not null references warehouse (id),
  available integer not null check (available >= 0),
  reserved integer not null check (reserved >= 0),
  unavailable integer not null check (unavailable >= 0),
  updated_at integer not null,
  primary key (sku, warehouse_id)
) strict, without rowid;
create index stock_level_warehouse on stock_level (warehouse_id, sku);

-- Append-only; seq is the order of the ledger.
create table stock_posting (
  seq integer primary key,
  sku text not null,
  warehouse_id text not null,
  from_account text not null,
  to_account text not null,
  quantity integer not null check (quantity > 0),
  reason text not null,
  ref_type text not null, -- receipt, adjustment, count: a stock_document; order: a reservation
  ref_id text not null,
  at integer not null
) strict;
create index stock_posting_ref on stock_posting (ref_id);
-- By sku within runs of 4,096 postings. An index by sku alone is written all over: with 1,000 skus it took a quarter of the
-- reservations a second, and it grows with the table; here all new entries fall on the same few pages.
create index stock_posting_sku on stock_posting (seq >> 12, sku);

-- Who moved stock by hand, and on what paper.
create table stock_document (
  id text primary key,
  kind text not null,
  warehouse_id text not null references warehouse (id),
  reference text,
  client text not null,
  operation text, -- the operation-name header of the request
  created_at integer not null
) strict, without rowid;

-- One row for each order ever asked about. Its status is the status of its lines: stated once, it cannot be stated twice.
create table reservation (
  order_id text primary key,
  status text not null, -- held, rejected, released, committed
  warehouse_id text, -- null when nothing was ever held
  released_at integer, -- when stock.released was said; it is said once
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;

create table reservation_line (
  order_id text not null,
  line_id text not null,
  sku text not null,
  quantity integer not null check (quantity > 0),
  primary key (order_id, line_id)
) strict, without rowid;
