-- The mailbox of one service; README.md beside this folder draws the states.

create table outbox (
  seq bigint generated always as identity primary key,
  ordinal integer not null,
  type text not null,
  destination text,
  body text not null,
  messages integer not null,
  created_at bigint not null
);

create table inbox (
  consumer text not null,
  message_id text not null,
  received_at bigint not null,
  primary key (consumer, message_id)
);

create table stream_gate (
  consumer text not null,
  stream text not null,
  last_sequence bigint not null,
  updated_at bigint not null,
  primary key (consumer, stream)
);

create table parked (
  consumer text not null,
  stream text not null,
  sequence bigint not null,
  message text not null,
  parked_at bigint not null,
  primary key (consumer, stream, sequence)
);

create table timer (
  key text primary key,
  due_at bigint not null,
  destination text,
  message text not null
);
create index timer_due on timer (due_at);

create table idempotency (
  scope text not null,
  key text not null,
  request_hash text not null,
  answer text,
  created_at bigint not null,
  primary key (scope, key)
);
create index idempotency_age on idempotency (created_at);
