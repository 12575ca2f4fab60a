-- Dead letters that look alike, counted as they move: how many there are, of a million, is read and not counted.

create table dead_letter_group (
  fingerprint text collate "C" primary key,
  destination text, -- the consumer; null when no queue took them
  type text not null,
  code text not null,
  error text not null, -- without its ids, quotations and numbers
  open bigint not null,
  redriving bigint not null,
  resolved bigint not null,
  discarded bigint not null,
  first_seen_at bigint not null,
  last_seen_at bigint not null
);
create index dead_letter_group_most on dead_letter_group (open desc, fingerprint);
create index dead_letter_group_latest on dead_letter_group (last_seen_at desc, fingerprint);
create index dead_letter_group_latest_open on dead_letter_group (last_seen_at desc, fingerprint) where open > 0;

insert into dead_letter_group (fingerprint, destination, type, code, error, open, redriving, resolved, discarded, first_seen_at, last_seen_at)
select fingerprint, min(destination), min(type), min(code), min(error), count(*) filter (where status = 'open'), count(*) filter (where status = 'redriving'), count(*) filter (where status = 'resolved'),
  count(*) filter (where status = 'discarded'), min(first_failed_at), max(changed_at)
from dead_letter group by fingerprint;

create index dead_letter_alike on dead_letter (fingerprint, status, id);
create index dead_letter_condemned on dead_letter (message_id) where code = 'crash_suspect';
