-- Products, warehouses, stock levels with their ledger, and reservations. use-cases.ts says what moves what.
-- Keys are collated "C": pages, locks and the other database agree on one order.

create table product (
  id text collate "C" primary key,
  sku text collate "C" not null unique,
  name text not null,
  description text,
  price bigint not null check (price >= 0), -- minor units of currency
  currency text not null,
  archived_at bigint,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);

create table warehouse (
  id text collate "C" primary key,
  name text not null,
  location text not null,
  priority bigint not null, -- the lowest is asked first; among equals the oldest
  archived_at bigint,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);

-- Balances are sums of postings, kept so that a guarded update can be the lock. Reservations look a sku up in all warehouses.
create table stock_level (
  sku text collate "C" not null,
  warehouse_id text collate "C" not null references warehouse (id),
  available bigint not null check (available >= 0),
  reserved bigint not null check (reserved >= 0),
  unavailable bigint not null check (unavailable >= 0),
  updated_at bigint not null,
  primary key (sku, warehouse_id)
) with (fillfactor = 70); -- a level is updated at every sale: room for the new row beside the old one
create index stock_level_warehouse on stock_level (warehouse_id, sku);

-- Append-only; seq is the order of the ledger.
create table stock_posting (
  seq bigint generated always as identity primary key,
  sku text collate "C" not null,
  warehouse_id text collate "C" not null,
  from_account text not null,
  to_account text not null,
  quantity bigint not null check (quantity > 0),
  reason text not null,
  ref_type text not null, -- receipt, adjustment, count: a stock_document; order: a reservation
  ref_id text collate "C" not null,
  at bigint not null
);
create index stock_posting_ref on stock_posting (ref_id);
-- By sku within runs of 4,096 postings. An index by sku alone is written all over: with 1,000 skus it took a quarter of the
-- reservations a second, and it grows with the table; here all new entries fall on the same few pages.
create index stock_posting_sku on stock_posting ((seq >> 12), sku);

-- Who moved stock by hand, and on what paper.
create table stock_document (
  id text collate "C" primary key,
  kind text not null,
  warehouse_id text collate "C" not null references warehouse (id),
  reference text,
  client text not null,
  operation text, -- the operation-name header of the request
  created_at bigint not null
);

-- One row for each order ever asked about. Its status is the status of its lines: stated once, it cannot be stated twice.
create table reservation (
  order_id text collate "C" primary key,
  status text not null, -- held, rejected, released, committed
  warehouse_id text collate "C", -- null when nothing was ever held
  released_at bigint, -- when stock.released was said; it is said once
  created_at bigint not null,
  updated_at bigint not null
);

create table reservation_line (
  order_id text collate "C" not null,
  line_id text collate "C" not null,
  sku text collate "C" not null,
  quantity bigint not null check (quantity > 0),
  primary key (order_id, line_id)
);
