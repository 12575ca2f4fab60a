-- What only payments beyond the ordinary order have: the book (JSON, domain-payment.ts), and until when the first authorisation holds.
alter table payment add column book text;
alter table payment add column authorized_until integer;

-- Which authorisation an operation is for, what the provider calls it, and whose card; null: the first one, and all of it.
alter table payment_operation add column authorization_id text;
alter table payment_operation add column authorized_as text;
alter table payment_operation add column token text;
alter table payment_operation add column last integer;
