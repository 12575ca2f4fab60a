-- Goods that come back: sent by a customer, or undelivered. domain-returns.ts draws the states.

create table returns (
  id text primary key,
  number text not null unique, -- what the customer writes on the parcel
  order_id text not null,
  order_number text,
  status text not null,
  parcel_id text, -- the parcel that came back by itself
  warehouse_id text not null, -- where it is expected, and once it came, where it came
  lines text not null, -- JSON: what is expected, with reasons
  received text, -- JSON: what came, with dispositions
  note text,
  rejection text,
  received_at integer,
  sequence integer not null,
  version integer not null default 1,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;
create index returns_order on returns (order_id);
create index returns_status on returns (status, id);
