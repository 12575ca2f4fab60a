-- What customers want to hear, in which language, and in whose words; and notifications that were asked for once more.

alter table notification add column customer_id text;
alter table notification add column repeats text;

create table customer_preference (
  customer_id text primary key,
  locale text,
  opted_out text not null, -- topics, a JSON array
  version integer not null,
  updated_at integer not null
) strict, without rowid;

create table notification_template (
  topic text not null,
  locale text not null,
  subject text not null,
  body text not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null,
  primary key (topic, locale)
) strict, without rowid;
