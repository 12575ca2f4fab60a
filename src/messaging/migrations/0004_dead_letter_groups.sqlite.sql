-- Dead letters that look alike, counted as they move: how many there are, of a million, is read and not counted.

create table dead_letter_group (
  fingerprint text primary key,
  destination text, -- the consumer; null when no queue took them
  type text not null,
  code text not null,
  error text not null, -- without its ids, quotations and numbers
  open integer not null,
  redriving integer not null,
  resolved integer not null,
  discarded integer not null,
  first_seen_at integer not null,
  last_seen_at integer not null
) strict, without rowid;
create index dead_letter_group_most on dead_letter_group (open desc, fingerprint);
create index dead_letter_group_latest on dead_letter_group (last_seen_at desc, fingerprint);
create index dead_letter_group_latest_open on dead_letter_group (last_seen_at desc, fingerprint) where open > 0;

insert into dead_letter_group (fingerprint, destination, type, code, error, open, redriving, resolved, discarded, first_seen_at, last_seen_at)
select fingerprint, min(destination), min(type), min(code), min(error), sum(status = 'open'), sum(status = 'redriving'), sum(status = 'resolved'),
  sum(status = 'discarded'), min(first_failed_at), max(changed_at)
from dead_letter group by fingerprint;

create index dead_letter_alike on dead_letter (fingerprint, status, id);
create index dead_letter_condemned on dead_letter (message_id) where code = 'crash_suspect';
