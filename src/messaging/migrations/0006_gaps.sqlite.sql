-- Gaps in streams that are taken in strict order: what is missing, what waits behind it, and what was given up.

create table gap (
  seq integer primary key autoincrement,
  consumer text not null,
  stream text not null,
  source text not null,
  subject text not null,
  correlationid text not null, -- of the first message that waits
  missing_from integer not null,
  missing_to integer not null,
  waiting integer not null,
  since integer not null,
  unique (consumer, stream)
) strict;
create index gap_since on gap (since, seq);
create index gap_correlation on gap (correlationid);

insert into gap (consumer, stream, source, subject, correlationid, missing_from, missing_to, waiting, since)
select consumer, stream, json_extract(message, '$.source'), json_extract(message, '$.subject'), json_extract(message, '$.correlationid'), last_sequence + 1,
  least_sequence - 1, waiting, since
from (
  select p.consumer, p.stream, p.message, g.last_sequence, p.sequence as least_sequence,
    (select count(*) from parked q where q.consumer = p.consumer and q.stream = p.stream) as waiting,
    (select min(q.parked_at) from parked q where q.consumer = p.consumer and q.stream = p.stream) as since
  from parked p join stream_gate g on g.consumer = p.consumer and g.stream = p.stream
  where p.sequence = (select min(q.sequence) from parked q where q.consumer = p.consumer and q.stream = p.stream)
) head where least_sequence > last_sequence + 1;

create table gap_skip ( -- append only
  seq integer primary key autoincrement,
  consumer text not null,
  stream text not null,
  correlationid text not null,
  missing_from integer not null,
  missing_to integer not null,
  at integer not null,
  actor text not null,
  reason text not null
) strict;
create index gap_skip_of on gap_skip (consumer, stream, missing_from);
create index gap_skip_at on gap_skip (at, seq);

create index dead_letter_place on dead_letter (subject, sequence);
