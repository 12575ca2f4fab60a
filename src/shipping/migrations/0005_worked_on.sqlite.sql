-- What people work on is found without a look at everything that has arrived. Shipments on the short way never enter this index.
create index shipment_worked_on on shipment (status, id) where status in ('picking', 'packed', 'exception', 'returned', 'lost');
