/**
 * Money: what is held and captured, held against the operations that the provider confirmed.
 */
import type { Dialect } from '../db/database.ts';
import { type Equation, rows } from './equation.ts';

/** The sum of a payment's postings from one account to another; an account may be a pattern. */
const flow = (from: string, to: string): string =>
  `sum(case when p.from_account like '${from}' and p.to_account like '${to}' then p.quantity else 0 end)`;

const paymentsAndFlows = `
  with chunk as (select id, status, amount, held, captured, refunded, book from payment where id > $1 order by id limit $2),
  flows as (
    select p.payment_id, ${flow('outside:%', 'held')} as authorized, ${flow('held', 'captured')} as captured,
      ${flow('held', 'outside:%')} as voided, ${flow('captured', 'outside:%')} as refunded
    from payment_posting p where p.payment_id in (select id from chunk) group by p.payment_id
  ),
  payments as (
    select c.id, c.status, c.amount, c.held, c.captured, c.refunded, c.book, coalesce(f.authorized, 0) as into_held, coalesce(f.captured, 0) as into_captured,
      coalesce(f.voided, 0) as out_of_held, coalesce(f.refunded, 0) as out_of_captured
    from chunk c left join flows f on f.payment_id = c.id
  )`;

const onPayments = (expected: string, found: string): string => `
  ${paymentsAndFlows}
  select id as k1, 'payment ' || id as subject, ${expected} as expected, ${found} as found from payments order by id`;

/** Where the whole amount lies, by status; nowhere for the rest. */
const whole = (...statuses: readonly string[]): string =>
  `case when status in (${statuses.map((status) => `'${status}'`).join(', ')}) then amount else 0 end`;
const inWords = (held: string, captured: string, refunded: string): string =>
  `'held ' || ${held} || ', captured ' || ${captured} || ', refunded ' || ${refunded}`;

const STATUS_BY_BALANCES = `case
    when held > 0 and captured + refunded > 0 then 'part_captured' when held > 0 then 'authorized'
    when captured > 0 and refunded > 0 then 'part_refunded' when captured > 0 then 'captured' when refunded > 0 then 'refunded'
    when status in ('requested', 'declined', 'failed', 'expired') then status else 'voided' end`;

/** The balances of each authorisation out of its postings, against the book, in the order of the book. */
const eachAuthorization = ({ name }: Dialect): string => {
  const entries =
    name === 'sqlite'
      ? `select c.id as payment_id, json_extract(e.value, '$.id') as id, json_extract(e.value, '$.held') as held, json_extract(e.value, '$.captured') as captured
         from chunk c, json_each(c.book, '$.authorizations') e`
      : `select c.id as payment_id, e.value ->> 'id' as id, (e.value ->> 'held')::bigint as held, (e.value ->> 'captured')::bigint as captured
         from chunk c, json_array_elements(c.book::json -> 'authorizations') e`;
  return `
  with chunk as (select id, book from payment where id > $1 order by id limit $2),
  entries as (${entries}),
  posted as (
    select o.payment_id, coalesce(o.authorization_id, '') as id,
      sum(case when p.to_account = 'held' then p.quantity when p.from_account = 'held' then -p.quantity else 0 end) as held,
      sum(case when p.to_account = 'captured' then p.quantity when p.from_account = 'captured' then -p.quantity else 0 end) as captured
    from payment_operation o join payment_posting p on p.payment_id = o.payment_id and p.operation_id = o.id
    where o.payment_id in (select id from chunk where book is not null) group by o.payment_id, coalesce(o.authorization_id, '')
  ),
  compared as (
    select e.payment_id, min(case when coalesce(p.held, 0) <> e.held or coalesce(p.captured, 0) <> e.captured or e.held < 0 or e.captured < 0
      then 'authorisation "' || e.id || '": ' || e.held || ' held, ' || e.captured || ' captured; posted ' || coalesce(p.held, 0) || ', ' || coalesce(p.captured, 0) end) as found
    from entries e left join posted p on p.payment_id = e.payment_id and p.id = e.id group by e.payment_id
  )
  select c.id as k1, 'payment ' || c.id as subject, 'as posted' as expected, coalesce(d.found, 'as posted') as found
  from chunk c left join compared d on d.payment_id = c.id order by c.id`;
};

export const MONEY_EQUATIONS: readonly Equation[] = [
  {
    id: 'M1',
    title: 'Of each payment: captured, voided and still held are together what was authorised.',
    checks: [rows('payments', 1, onPayments('cast(into_held as bigint)', 'cast(into_captured + out_of_held + held as bigint)'))],
  },
  {
    id: 'M2',
    title: 'Of each payment: refunded and still kept are together what was captured.',
    checks: [
      rows('payments', 1, onPayments('cast(into_captured as bigint)', 'cast(out_of_captured + captured as bigint)')),
      rows('payments', 1, onPayments('cast(out_of_captured as bigint)', 'refunded')),
    ],
  },
  {
    id: 'M3',
    title: 'Nothing is refunded that was not captured, nothing captured that was not authorised, nothing authorised beyond the amount.',
    checks: [
      rows(
        'payments',
        1,
        onPayments(
          `'refunded <= captured <= authorised <= amount'`,
          `case when out_of_captured <= into_captured and into_captured <= into_held and into_held <= amount then 'refunded <= captured <= authorised <= amount'
             else out_of_captured || ', ' || into_captured || ', ' || into_held || ', ' || amount end`,
        ),
      ),
    ],
  },
  {
    id: 'M7',
    title: 'The status of a payment is what its money says.',
    checks: [
      rows(
        'payments',
        1,
        onPayments(
          `case when book is null then ${inWords(whole('authorized'), whole('captured'), whole('refunded'))} else '-' end`,
          `case when book is null then ${inWords('held', 'captured', 'refunded')} else '-' end`,
        ),
      ),
    ],
  },
  {
    id: 'M8',
    title: 'Of a payment beyond the ordinary: the status is what its balances say, and no authorisation gave more than it had.',
    checks: [
      rows(
        'payments',
        1,
        onPayments(`case when book is null then '-' else ${STATUS_BY_BALANCES} end`, `case when book is null then '-' else status end`),
      ),
      rows('payments', 1, eachAuthorization),
    ],
  },
  {
    id: 'M4',
    title: 'A payment has at most one operation under way, and says which: nothing is asked of the provider twice at once.',
    checks: [
      rows(
        'payments',
        1,
        `with chunk as (select id, under_way from payment where id > $1 order by id limit $2),
         open as (
           select o.payment_id, count(*) as operations, min(o.kind) as kind from payment_operation o
           where o.payment_id in (select id from chunk) and o.state in ('requested', 'unknown') group by o.payment_id
         )
         select c.id as k1, 'payment ' || c.id as subject, coalesce(c.under_way, 'none') as expected,
           case when o.operations is null then 'none' when o.operations = 1 then o.kind else o.operations || ' at once' end as found
         from chunk c left join open o on o.payment_id = c.id order by c.id`,
      ),
    ],
  },
  {
    id: 'M6',
    title: 'An operation has succeeded exactly when one posting of its amount stands in its name.',
    checks: [
      rows(
        'payments',
        2,
        `with chunk as (
           select payment_id, id, state, amount from payment_operation where (payment_id, id) > ($1, $2) order by payment_id, id limit $3
         ),
         posted as (
           select p.payment_id, p.operation_id, count(*) as postings, sum(p.quantity) as amount from payment_posting p
           where p.payment_id in (select payment_id from chunk) group by p.payment_id, p.operation_id
         )
         select c.payment_id as k1, c.id as k2, 'operation ' || c.id || ' of payment ' || c.payment_id as subject,
           case when c.state = 'succeeded' then '1 posting of ' || c.amount else 'no posting' end as expected,
           case when p.postings is null then 'no posting' when p.postings = 1 then '1 posting of ' || p.amount else p.postings || ' postings' end as found
         from chunk c left join posted p on p.payment_id = c.payment_id and p.operation_id = c.id order by c.payment_id, c.id`,
      ),
    ],
  },
];
