-- Pieces of a line that were cancelled after it was placed; quantity stays what was ordered.

alter table order_line add column cancelled integer not null default 0;
