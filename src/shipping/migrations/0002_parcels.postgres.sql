-- What a shipment has that does not take the short way: several of an order, parcels, holds, what was missing, what the carrier says.
-- An ordinary shipment has none of it: its new columns stay null, and it is in none of the new indexes.

alter table shipment add column shorted text; -- JSON: lines that were not where they should be
alter table shipment add column holds text; -- JSON
alter table shipment add column dispatch_ordered_at bigint; -- the order has decided, and a hold lies on it still
alter table shipment add column parcel_count integer; -- rows of parcel; null when it is one parcel without

-- The only shipment of an order is found by its id; these are the others.
create index shipment_of_several on shipment (order_id) where id <> 'shp_' || substr(order_id, 5);

create table parcel (
  id text primary key,
  shipment_id text not null references shipment (id),
  status text not null,
  tracking_number text not null,
  weight_g integer check (weight_g > 0),
  dims_mm text, -- JSON: length, width, height
  lines text not null, -- JSON
  carrier_status text, -- where the carrier says it is, also before the order has decided that it leaves
  code text, -- the tracking event that counts, and what was noted with it
  note text,
  tracked_at bigint, -- the carrier's time of it
  tracked_by text, -- the carrier's id of it
  estimated_delivery bigint,
  estimated_at bigint, -- the carrier's time of the event that named it
  ended_at bigint,
  created_at bigint not null,
  updated_at bigint not null
);
create index parcel_shipment on parcel (shipment_id);
create unique index parcel_tracking on parcel (tracking_number) where status <> 'cancelled';

-- What carriers and people said of parcels: all of it, once, in no order but their own.
create table tracking_event (
  parcel_id text collate "C" not null,
  carrier_event_id text collate "C" not null,
  shipment_id text not null,
  code text not null,
  carrier_at bigint not null,
  received_at bigint not null,
  place text,
  note text,
  estimated_delivery bigint,
  entered_by text, -- the client that said it by hand; null when it came as an event
  primary key (parcel_id, carrier_event_id)
);
create index tracking_event_history on tracking_event (shipment_id, carrier_at, parcel_id, carrier_event_id);

-- Who did what with a shipment or a return.
create table history (
  subject text not null,
  version bigint not null, -- the version that came of it
  at bigint not null,
  action text not null,
  client text not null,
  operation text,
  detail text not null, -- JSON
  primary key (subject, version)
);
