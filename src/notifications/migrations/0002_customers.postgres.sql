-- What customers want to hear, in which language, and in whose words; and notifications that were asked for once more.

alter table notification add column customer_id text;
alter table notification add column repeats text;

create table customer_preference (
  customer_id text primary key,
  locale text,
  opted_out text not null, -- topics, a JSON array
  version bigint not null,
  updated_at bigint not null
);

create table notification_template (
  topic text not null,
  locale text not null,
  subject text not null,
  body text not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (topic, locale)
);
