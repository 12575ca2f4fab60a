-- Orders, their lines and timelines, and this room's copy of the catalogue. README.md is the protocol.

create table orders (
  id text primary key,
  number text not null unique,
  client text not null,
  external_id text,
  request_hash text, -- of the request, where there is an external_id to compare it by
  status text not null, -- computed from journey; kept for lists
  status_reason text,
  customer_id text not null,
  customer text not null,
  currency text not null,
  charges text not null,
  goods_total integer not null,
  charges_total integer not null,
  total integer not null check (total >= 0),
  policy text not null,
  ship_to text,
  payment_token text, -- null as soon as payment has answered; never shown
  journey text not null, -- state, stops, hold: domain-order.ts
  sequence integer not null, -- events said
  version integer not null, -- steps made
  created_at integer not null,
  updated_at integer not null
) strict;
create unique index orders_external on orders (client, external_id) where external_id is not null;
create index orders_status on orders (status, id);
create index orders_customer on orders (customer_id, id);

create table order_line (
  order_id text not null,
  position integer not null,
  id text not null,
  sku text not null,
  name text not null,
  quantity integer not null check (quantity > 0),
  unit_price integer not null,
  amount integer not null,
  primary key (order_id, position)
) strict, without rowid;

create table order_timeline (
  order_id text not null,
  seq integer not null, -- the version this step made
  at integer not null,
  type text not null,
  status text not null,
  detail text not null,
  primary key (order_id, seq)
) strict, without rowid;

-- The last number given out in a year.
create table order_counter (
  year integer primary key,
  count integer not null
) strict;

-- What orders need to know of products. Of two copies of a product the higher version is the newer.
create table catalogue (
  sku text primary key,
  name text not null,
  price integer not null,
  currency text not null,
  archived integer not null,
  version integer not null
) strict, without rowid;
