/**
 * Messages: what a service keeps about those it could not handle.
 */
import { type Equation, belongs, rows } from './equation.ts';

const SERVICES = ['orders', 'inventory', 'payments', 'shipping', 'notifications'] as const;

/** What the last entry of its log makes of a dead letter. */
const AFTER = `case log.action when 'opened' then 'open' when 'reopened' then 'open' when 'redriven' then 'redriving' else log.action end`;

const STATUSES = ['open', 'redriving', 'resolved', 'discarded'] as const;
const countsOf = (table: string): string => STATUSES.map((status) => `coalesce(${table}.${status}, 0) || ' ${status}'`).join(` || ', ' || `);
/** Counting again what is larger would hold up everybody else: a group is one key, and cannot be taken in chunks. */
const GROUP_MAX = 20_000;

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
    id: 'D2',
    title: 'A group of dead letters counts those that look alike, by status.',
    checks: SERVICES.map((service) =>
      rows(
        service,
        1,
        `with chunk as (
           select fingerprint, open, redriving, resolved, discarded from dead_letter_group
           where fingerprint > $1 and open + redriving + resolved + discarded <= ${GROUP_MAX} order by fingerprint limit $2),
         counted as (
           select fingerprint, ${STATUSES.map((status) => `sum(case when status = '${status}' then 1 else 0 end) as ${status}`).join(', ')}
           from dead_letter where fingerprint in (select fingerprint from chunk) group by fingerprint)
         select c.fingerprint as k1, 'dead letters ' || c.fingerprint || ' of ${service}' as subject, ${countsOf('n')} as expected, ${countsOf('c')} as found
         from chunk c left join counted n on n.fingerprint = c.fingerprint order by c.fingerprint`,
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
