-- Shipments. A pending one is also the task of telling the carrier; domain.ts draws the states.

create table shipment (
  id text primary key, -- for an order's shipment the order's id with another prefix
  order_id text,
  order_number text,
  status text not null,
  warehouse_id text, -- null in a shipment that was cancelled before it was asked for; so are the fields up to lines
  tracking_number text unique,
  recipient text,
  ship_to text, -- JSON
  lines text not null, -- JSON
  carrier text,
  label_ref text,
  estimated_delivery integer,
  dispatch_requested_at integer,
  refused_reason text,
  dispatched_at integer,
  delivered_at integer,
  attempts integer not null default 0,
  due_at integer, -- null unless pending
  error text, -- what the carrier said last
  sequence integer not null,
  version integer not null default 1,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;
create index shipment_due on shipment (due_at) where due_at is not null;
