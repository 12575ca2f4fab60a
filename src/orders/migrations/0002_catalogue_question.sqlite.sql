-- What inventory is being asked about products, where it runs in another process; catalogue-elsewhere.ts.

create table catalogue_question (
  id text primary key,
  asked_at bigint not null,
  answered_at bigint
);
