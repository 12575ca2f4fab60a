/**
 * The equations of payments, computed from the tables alone: each answers the rows that break it.
 */
import type { Reader } from '../../src/db/database.ts';
import type { Authorization, Book } from '../../src/payments/domain-payment.ts';

const sumOf = (authorizations: readonly Authorization[], account: 'held' | 'captured'): number =>
  authorizations.reduce((sum, one) => sum + one[account], 0);

// Sums over the ledger, of one kind of posting.
const sum = (from: string, to: string): string =>
  `coalesce((select cast(sum(l.quantity) as bigint) from payment_posting l where l.payment_id = p.id and l.from_account = '${from}' and l.to_account = '${to}'), 0)`;
const authorised = sum('outside:psp', 'held');
const captured = sum('held', 'captured');
const voided = sum('held', 'outside:psp'); // expired, too
const refunded = sum('captured', 'outside:psp');

const EQUATIONS = {
  'M1 captured + voided + held = authorised': `select p.id from payment p where ${captured} + ${voided} + p.held <> ${authorised}`,
  'M2 refunded + kept = captured': `select p.id from payment p where ${refunded} + p.captured <> ${captured} or ${refunded} <> p.refunded`,
  'M3 refunded ≤ captured ≤ authorised': `select p.id from payment p where ${refunded} > ${captured} or ${captured} > ${authorised}`,
  'M4 what is in flight is there': `
    select o.id from payment_operation o join payment p on p.id = o.payment_id where o.state in ('requested', 'unknown')
      and (o.kind in ('capture', 'void', 'expire') and o.amount > p.held or o.kind = 'refund' and o.amount > p.captured)`,
  'one operation in flight, and the payment knows which': `
    select p.id from payment p where (select count(*) from payment_operation o where o.payment_id = p.id and o.state in ('requested', 'unknown'))
      <> (case when p.under_way is null then 0 else 1 end)`,
  'M6 an operation succeeded if and only if it has a posting of its amount': `
    select o.id from payment_operation o left join payment_posting l on l.payment_id = o.payment_id and l.operation_id = o.id
    where (o.state = 'succeeded') <> (l.quantity is not null) or l.quantity <> o.amount`,
  'L2 what is in flight is due': `select o.id from payment_operation o where (o.state in ('requested', 'unknown')) <> (o.due_at is not null)`,
  'M1, M2 of each authorisation: nothing is taken that is not there': `
    select payment_id, authorization_id from (
      select o.payment_id, coalesce(o.authorization_id, '') as authorization_id,
        sum(case when l.to_account = 'held' then l.quantity when l.from_account = 'held' then -l.quantity else 0 end) as held,
        sum(case when l.to_account = 'captured' then l.quantity when l.from_account = 'captured' then -l.quantity else 0 end) as captured
      from payment_posting l join payment_operation o on o.payment_id = l.payment_id and o.id = l.operation_id
      group by o.payment_id, coalesce(o.authorization_id, '')) sums where held < 0 or captured < 0`,
} as const;

/** The equations that do not hold, with the ids that break them; empty when all is well. */
export async function brokenEquations(read: Reader): Promise<Record<string, unknown[]>> {
  const broken: Record<string, unknown[]> = {};
  for (const [name, query] of Object.entries(EQUATIONS)) {
    const rows = await read.raw(query);
    if (rows.length > 0) broken[name] = rows;
  }
  const books = await read.raw<{ id: string; held: number; captured: number; book: string }>(
    'select id, held, captured, book from payment where book is not null',
  );
  const unsound = books.filter(({ held, captured, book }) => {
    const { authorizations } = JSON.parse(book) as Book;
    return sumOf(authorizations, 'held') !== held || sumOf(authorizations, 'captured') !== captured;
  });
  if (unsound.length > 0) broken['the book adds up to the payment'] = unsound;
  return broken;
}
