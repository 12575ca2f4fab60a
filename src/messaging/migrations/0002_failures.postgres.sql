-- What went wrong, how often, and what people decided about it; README.md beside this folder draws the states.

create table failure (
  message_id text primary key,
  attempts integer not null,
  first_at bigint not null,
  last_at bigint not null
);

create table attempt ( -- a suspect is being handled; gone with its transaction unless the process dies
  message_id text primary key,
  attempts integer not null,
  started_at bigint not null
);

create table dead_letter (
  id text primary key,
  message_id text not null unique,
  destination text, -- the queue a redrive goes to; null when no queue took it
  type text not null,
  source text not null,
  subject text not null,
  correlationid text not null,
  code text not null,
  error text not null,
  stack text,
  fingerprint text not null,
  attempts integer not null,
  redrives integer not null default 0,
  status text not null check (status in ('open', 'redriving', 'resolved', 'discarded')),
  first_failed_at bigint not null,
  changed_at bigint not null,
  message text not null
);
create index dead_letter_status on dead_letter (status, id);
create index dead_letter_correlation on dead_letter (correlationid);

create table dead_letter_log ( -- append only
  seq bigint generated always as identity primary key,
  dead_letter_id text not null references dead_letter (id),
  at bigint not null,
  actor text not null,
  action text not null,
  detail text not null
);
create index dead_letter_log_of on dead_letter_log (dead_letter_id, seq);

create table consumer_control (
  consumer text primary key,
  paused integer not null,
  reason text not null,
  actor text not null,
  changed_at bigint not null
);

create table lease (
  name text primary key,
  owner text not null,
  expires_at bigint not null
);

create index inbox_age on inbox (received_at);
