-- Reservations that are not ordinary: in several warehouses, queued, expiring, edited, committed in part. README.md says when.
-- An ordinary reservation has no row in any of these. Keys are collated "C", as before.

alter table product add column safety_stock bigint not null default 0 check (safety_stock >= 0); -- pieces nobody is promised
alter table product add column low_at bigint; -- stock.low is said at so many; null for never
alter table product add column backorder_limit bigint not null default 0 check (backorder_limit >= 0); -- pieces that may wait at a time

alter table warehouse add column country text;
alter table warehouse add column postal_code text;
alter table warehouse add column latitude_e6 bigint; -- millionths of a degree
alter table warehouse add column longitude_e6 bigint;

-- What holds for the level: its own setting, or else the product's. Copied here, where reservations look anyway.
alter table stock_level add column safety_stock bigint not null default 0 check (safety_stock >= 0);
alter table stock_level add column low_at bigint;

-- The settings of a level that are its own; null: as the product says.
create table stock_setting (
  sku text collate "C" not null,
  warehouse_id text collate "C" not null references warehouse (id),
  safety_stock bigint check (safety_stock >= 0),
  low_at bigint check (low_at >= 0),
  updated_at bigint not null,
  primary key (sku, warehouse_id)
);

-- What was asked beside goods, what was answered, and until when it is good.
create table reservation_detail (
  order_id text collate "C" primary key,
  asked text, -- JSON: the allocation of the command
  plan text, -- JSON: the strategy, and why not elsewhere
  revision bigint not null, -- of the last stock.change; 0 before the first
  refused text, -- JSON: the skus it was rejected for; null when it was not
  expires_at bigint,
  expired_at bigint,
  updated_at bigint not null
);

-- Of a parted reservation: where the pieces of each line are held, and from where they have gone.
create table reservation_part (
  order_id text collate "C" not null,
  line_id text collate "C" not null,
  warehouse_id text collate "C" not null,
  sku text collate "C" not null,
  held bigint not null check (held >= 0),
  gone bigint not null check (gone >= 0),
  updated_at bigint not null,
  primary key (order_id, line_id, warehouse_id)
);

-- The line of those who wait: turn, since, order_id, line_id is its order.
create table stock_queue (
  order_id text collate "C" not null,
  line_id text collate "C" not null,
  sku text collate "C" not null,
  quantity bigint not null check (quantity > 0),
  turn bigint not null, -- 0: their goods vanished; 1: everybody else
  since bigint not null,
  warehouse_id text collate "C", -- the only one whose goods will do; null for any
  together bigint not null, -- 1: the first warehouse that fills a line of the order fills them all
  primary key (order_id, line_id)
);
create index stock_queue_line on stock_queue (sku, turn, since, order_id, line_id);

-- Which shipment took what from where, of parted reservations.
create table reservation_departure (
  order_id text collate "C" not null,
  shipment_id text collate "C" not null,
  line_id text collate "C" not null,
  warehouse_id text collate "C" not null,
  sku text collate "C" not null,
  quantity bigint not null check (quantity > 0),
  created_at bigint not null,
  primary key (order_id, shipment_id, line_id, warehouse_id)
);

-- What came back of what had gone.
create table stock_return (
  order_id text collate "C" not null,
  return_id text collate "C" not null,
  line_id text collate "C" not null,
  disposition text not null, -- restock, quarantine, scrap
  warehouse_id text collate "C" not null,
  sku text collate "C" not null,
  quantity bigint not null check (quantity > 0),
  created_at bigint not null,
  primary key (order_id, return_id, line_id, disposition)
);
