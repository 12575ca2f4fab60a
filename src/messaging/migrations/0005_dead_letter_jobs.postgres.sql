-- Jobs that send again, or discard, many dead letters; domain-jobs.ts has their states.

alter table dead_letter add column sequence bigint; -- the message's place in its stream, where it has one
update dead_letter set sequence = (message::json ->> 'sequence')::bigint where message::json ->> 'sequence' ~ '^[0-9]{1,15}$';

create table dead_letter_job (
  id text primary key,
  action text not null check (action in ('redrive', 'discard')),
  state text not null check (state in ('running', 'paused', 'stopped', 'cancelled', 'done')),
  live integer not null, -- something is left to do or on its way
  actor text not null,
  reason text not null,
  asked text not null, -- the selection as it was asked for
  frozen_at bigint not null, -- what was opened later is not in it
  selected_to text, -- how far a large selection is written down; null when it is whole
  last_id text not null, -- the newest dead letter it may hold
  rate integer not null,
  ramp integer not null,
  stop_above integer not null, -- percent
  total bigint not null,
  waiting bigint not null,
  redriven bigint not null,
  succeeded bigint not null,
  failed_again bigint not null,
  skipped bigint not null,
  discarded bigint not null,
  sent bigint not null, -- since it was started or resumed
  next_at bigint not null,
  recent_settled bigint not null,
  recent_failed bigint not null,
  changed_at bigint not null
);
create index dead_letter_job_of on dead_letter_job (action, id);
create index dead_letter_job_live on dead_letter_job (id) where live = 1;

create table dead_letter_job_item (
  job_id text not null references dead_letter_job (id),
  dead_letter_id text not null,
  stream text collate "C" not null,
  sequence bigint not null, -- 0 for none
  message_id text not null,
  outcome text not null check (outcome in ('waiting', 'redriven', 'succeeded', 'failed_again', 'skipped', 'discarded')),
  redrives bigint not null, -- of the dead letter when it was sent
  detail text not null,
  changed_at bigint not null,
  primary key (job_id, dead_letter_id)
);
create index dead_letter_job_item_outcome on dead_letter_job_item (job_id, outcome, dead_letter_id);
create index dead_letter_job_item_stream on dead_letter_job_item (job_id, stream, sequence, message_id) where outcome in ('waiting', 'redriven');

create table dead_letter_job_log ( -- append only
  seq bigint generated always as identity primary key,
  job_id text not null references dead_letter_job (id),
  at bigint not null,
  actor text not null,
  action text not null,
  detail text not null
);
create index dead_letter_job_log_of on dead_letter_job_log (job_id, seq);
