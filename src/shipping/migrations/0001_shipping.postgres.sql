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
  estimated_delivery bigint,
  dispatch_requested_at bigint,
  refused_reason text,
  dispatched_at bigint,
  delivered_at bigint,
  attempts integer not null default 0,
  due_at bigint, -- null unless pending
  error text, -- what the carrier said last
  sequence bigint not null,
  version bigint not null default 1,
  created_at bigint not null,
  updated_at bigint not null
);
create index shipment_due on shipment (due_at) where due_at is not null;
