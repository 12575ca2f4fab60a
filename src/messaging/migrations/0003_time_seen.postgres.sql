create table time_seen ( -- one row: how late it was when somebody last looked
  at bigint not null
);
insert into time_seen (at) values (0);
