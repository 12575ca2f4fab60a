create table time_seen ( -- one row: how late it was when somebody last looked
  at integer not null
) strict;
insert into time_seen (at) values (0);
