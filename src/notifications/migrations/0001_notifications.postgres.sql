-- Notifications: what customers were told, and what is still to be sent. domain.ts draws the states.

create table notification (
  id text primary key, -- of the event and the channel: a customer hears of an event once on each
  event_id text not null,
  order_id text not null,
  topic text not null,
  channel text not null,
  recipient text not null,
  subject text not null,
  body text not null,
  status text not null,
  attempts integer not null default 0,
  due_at bigint, -- null unless pending
  error text,
  sent_at bigint,
  version bigint not null default 1,
  created_at bigint not null,
  updated_at bigint not null
);
create index notification_due on notification (due_at) where due_at is not null;
create index notification_order on notification (order_id);
