-- Labels, each also the task of buying it or giving it back, and this room's copy of the warehouses, whose names stand on them.

create table label (
  id text primary key, -- the idempotency key at the carrier
  shipment_id text not null references shipment (id),
  parcel_id text not null,
  format text not null,
  status text not null, -- domain-labels.ts draws the states
  unwanted integer not null default 0, -- nobody needs it any more, and its fate is not known yet
  attempts integer not null default 0,
  due_at integer, -- null when nothing is to be asked of the carrier
  carrier text,
  carrier_ref text,
  content_type text,
  content text, -- the document, base 64
  sha256 text, -- of the document
  error text, -- what the carrier said last
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;
create index label_due on label (due_at) where due_at is not null;
create index label_shipment on label (shipment_id);
-- A parcel has one label at a time.
create unique index label_live on label (parcel_id) where unwanted = 0 and status in ('requested', 'unknown', 'bought');

create table warehouse (
  id text primary key,
  name text not null,
  location text not null,
  archived integer not null,
  version integer not null
) strict, without rowid;
