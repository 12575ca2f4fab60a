-- An outbox may be divided among relays; shards.ts. Rows live for a moment, so they are vacuumed by number and not by share, and without
-- pause; leases are written over in place.

alter table outbox add column shard integer not null default 0;
alter table outbox drop constraint outbox_pkey, add primary key (shard, seq);
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table timer set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table lease set (fillfactor = 20);
alter table time_seen set (fillfactor = 20);
alter table stream_gate set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
