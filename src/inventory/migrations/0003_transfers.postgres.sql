-- Goods on their way from one warehouse to another. README.md has the states.

create table transfer (
  id text collate "C" primary key,
  from_warehouse_id text collate "C" not null references warehouse (id),
  to_warehouse_id text collate "C" not null references warehouse (id),
  status text not null, -- planned, sent, received, cancelled
  reference text,
  client text not null,
  operation text, -- the operation-name header of the request
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);
-- Those that are not over: they hold goods, and keep their warehouses from being archived.
create index transfer_open_from on transfer (from_warehouse_id) where status in ('planned', 'sent');
create index transfer_open_to on transfer (to_warehouse_id) where status in ('planned', 'sent');

-- Under way are sent - received - written_off.
create table transfer_line (
  transfer_id text collate "C" not null,
  sku text collate "C" not null,
  quantity bigint not null check (quantity >= 0), -- planned; fewer when some of it vanished before it was sent
  sent bigint not null check (sent between 0 and quantity),
  received bigint not null check (received >= 0),
  written_off bigint not null check (written_off >= 0 and received + written_off <= sent),
  primary key (transfer_id, sku)
);
