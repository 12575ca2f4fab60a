-- The mailbox of one service; README.md beside this folder draws the states.

create table outbox (
  seq integer primary key autoincrement, -- never reused, so that a deleted row's place is not taken for another
  ordinal integer not null,
  type text not null,
  destination text,
  body text not null,
  messages integer not null,
  created_at integer not null
) strict;

create table inbox (
  consumer text not null,
  message_id text not null,
  received_at integer not null,
  primary key (consumer, message_id)
) strict, without rowid;

create table stream_gate (
  consumer text not null,
  stream text not null,
  last_sequence integer not null,
  updated_at integer not null,
  primary key (consumer, stream)
) strict, without rowid;

create table parked (
  consumer text not null,
  stream text not null,
  sequence integer not null,
  message text not null,
  parked_at integer not null,
  primary key (consumer, stream, sequence)
) strict, without rowid;

create table timer (
  key text primary key,
  due_at integer not null,
  destination text,
  message text not null
) strict, without rowid;
create index timer_due on timer (due_at);

create table idempotency (
  scope text not null,
  key text not null,
  request_hash text not null,
  answer text,
  created_at integer not null,
  primary key (scope, key)
) strict, without rowid;
create index idempotency_age on idempotency (created_at);
