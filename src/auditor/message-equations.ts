/**
 * Messages: what a service keeps about those it could not handle.
 */
import { type Equation, belongs, rows } from './equation.ts';

const SERVICES = ['orders', 'inventory', 'payments', 'shipping', 'notifications'] as const;

/** What the last entry of its log makes of a dead letter. */
const AFTER = `case log.action when 'opened' then 'open' when 'reopened' then 'open' when 'redriven' then 'redriving' else log.action end`;

export const MESSAGE_EQUATIONS: readonly Equation[] = [
  {
    id: 'D1',
    title: 'Every dead letter stands where its log says it stands: none changes hands in silence.',
    checks: SERVICES.map((service) =>
      rows(
        service,
        1,
        `with chunk as (select id, status from dead_letter where id > $1 order by id limit $2),
         latest as (select dead_letter_id, max(seq) as seq from dead_letter_log where dead_letter_id in (select id from chunk) group by dead_letter_id)
         select c.id as k1, 'dead letter ' || c.id || ' of ${service}' as subject, coalesce(${AFTER}, 'an entry in the log') as expected, c.status as found
         from chunk c left join latest on latest.dead_letter_id = c.id left join dead_letter_log log on log.seq = latest.seq order by c.id`,
      ),
    ),
  },
  {
    id: 'X1',
    title: 'Nothing is kept in the name of an order that does not exist.',
    checks: [
      belongs('inventory', 'reservation', 'order_id'),
      belongs('payments', 'payment'),
      belongs('shipping', 'shipment'),
      belongs('shipping', 'returns'),
      belongs('notifications', 'notification'),
    ],
  },
];
