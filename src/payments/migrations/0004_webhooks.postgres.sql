-- What providers told us unasked (README.md, "Webhooks"): once each event, kept, never changed but for the count of its deliveries.
create table payment_webhook (
  id text primary key,
  provider text not null,
  event_id text not null, -- the provider's
  type text not null,
  payment_id text, -- null: about no payment of ours
  order_id text,
  provider_ref text, -- the authorisation it is about
  verdict text not null,
  reason text,
  amount_said bigint,
  amount_known bigint,
  currency text,
  deliveries integer not null default 1,
  occurred_at bigint not null, -- by the provider's clock
  created_at bigint not null,
  unique (provider, event_id)
);
create index payment_webhook_payment on payment_webhook (payment_id, id);
create index payment_webhook_verdict on payment_webhook (verdict, id);
