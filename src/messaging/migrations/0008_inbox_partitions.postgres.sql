-- The inbox by weeks of the ids of messages, which begin with the time they were minted: a week is forgotten by dropping a table. What was
-- there, and what has an id of another kind or an old one, lies in the rest.

drop index inbox_age;
alter table inbox rename to inbox_rest;
alter table inbox_rest rename constraint inbox_pkey to inbox_rest_pkey;
alter table inbox_rest alter column message_id type text collate "C";

create table inbox (
  consumer text not null,
  message_id text collate "C" not null,
  received_at bigint not null,
  primary key (consumer, message_id)
) partition by range (message_id);
alter table inbox attach partition inbox_rest default;
create index inbox_received on inbox using brin (received_at);
create index inbox_rest_age on inbox_rest (received_at);
