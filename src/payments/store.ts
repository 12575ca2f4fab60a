/**
 * SQL of payments, operations and postings. A row is the shape the domain works on.
 */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import type { ProviderCall } from './gateway.ts';
import type { OperationProgress, OperationState } from './domain-operation.ts';
import { type Beginning, type Payment, type PaymentPosting, paymentIdOf } from './domain-payment.ts';

/** A row of `payment_operation`. */
export interface Operation extends Omit<Beginning, 'about'>, OperationProgress {
  readonly authorization_id: string | null;
  readonly id: string;
  readonly payment_id: string;
  readonly lease_until: number | null;
  readonly created_at: number;
  readonly updated_at: number;
}

/** A row of `payment_posting`. */
export interface PostingRow {
  readonly payment_id: string;
  readonly operation_id: string;
  readonly from_account: string;
  readonly to_account: string;
  readonly quantity: number;
  readonly created_at: number;
}

/** An operation to be performed, with all that the provider is told. */
export interface OperationTask extends ProviderCall {
  readonly payment_id: string;
  readonly command_id: string;
  readonly state: OperationState;
  readonly attempts: number;
}

const PAYMENT_COLUMNS = `payment.id, payment.order_id, payment.status, payment.amount, payment.currency, payment.token, payment.provider_ref, payment.under_way,
  payment.authorize_command, payment.void_command, payment.held, payment.captured, payment.refunded, payment.authorized_until, payment.book, payment.sequence,
  payment.version, payment.created_at, payment.updated_at`;

const lock = statement<{ id: string }, Payment>(
  { id: 'text' },
  (rows, dialect) => `
    select ${PAYMENT_COLUMNS} from payment where payment.id in (select row.id from ${rows})
    order by payment.id ${dialect.forUpdate('payment')}`,
  { json: ['book'] },
);

type NewPayment = Pick<
  Payment,
  'id' | 'order_id' | 'status' | 'amount' | 'currency' | 'token' | 'under_way' | 'authorize_command' | 'void_command' | 'sequence' | 'created_at'
>;

const insertPayments = statement<NewPayment, { id: string }>(
  {
    id: 'text',
    order_id: 'text',
    status: 'text',
    amount: 'bigint',
    currency: 'text',
    token: 'text',
    under_way: 'text',
    authorize_command: 'text',
    void_command: 'text',
    sequence: 'bigint',
    created_at: 'bigint',
  },
  (rows) => `
    insert into payment (id, order_id, status, amount, currency, token, under_way, authorize_command, void_command, sequence, created_at, updated_at)
    select row.id, row.order_id, row.status, row.amount, row.currency, row.token, row.under_way, row.authorize_command, row.void_command, row.sequence,
      row.created_at, row.created_at
    from ${rows} where true on conflict (id) do nothing returning id`,
);

type ChangedPayment = Omit<Payment, 'order_id' | 'amount' | 'currency' | 'token' | 'created_at' | 'authorized_until' | 'book'>;

const updatePayments = statement<ChangedPayment, { id: string }>(
  {
    id: 'text',
    status: 'text',
    provider_ref: 'text',
    under_way: 'text',
    authorize_command: 'text',
    void_command: 'text',
    held: 'bigint',
    captured: 'bigint',
    refunded: 'bigint',
    sequence: 'bigint',
    version: 'bigint',
    updated_at: 'bigint',
  },
  (rows) => `
    update payment set status = row.status, provider_ref = row.provider_ref, under_way = row.under_way,
      authorize_command = row.authorize_command, void_command = row.void_command, held = row.held, captured = row.captured, refunded = row.refunded,
      sequence = row.sequence, version = row.version + 1, updated_at = row.updated_at
    from ${rows} where payment.id = row.id and payment.version = row.version returning payment.id`,
);

type Beyond = Pick<Payment, 'id' | 'amount' | 'currency' | 'token' | 'authorized_until'> & { readonly book: string | null };

// What an ordinary payment has not.
const updateBeyond = statement<Beyond>(
  { id: 'text', amount: 'bigint', currency: 'text', token: 'text', authorized_until: 'bigint', book: 'text' },
  (rows) => `
    update payment set amount = row.amount, currency = row.currency, token = row.token, authorized_until = row.authorized_until, book = row.book
    from ${rows} where payment.id = row.id`,
);

type NewOperation = Omit<Beginning, 'about'> & Pick<Operation, 'id' | 'payment_id' | 'lease_until' | 'created_at'>;

// Begun with a lease: whoever inserts it performs it, so it is due when the lease runs out.
const insertOperations = statement<NewOperation>(
  {
    id: 'text',
    payment_id: 'text',
    kind: 'text',
    amount: 'bigint',
    command_id: 'text',
    shipment_id: 'text',
    lease_until: 'bigint',
    created_at: 'bigint',
  },
  (rows) => `
    insert into payment_operation (id, payment_id, kind, amount, state, command_id, shipment_id, due_at, lease_until, created_at, updated_at)
    select row.id, row.payment_id, row.kind, row.amount, 'requested', row.command_id, row.shipment_id, row.lease_until, row.lease_until, row.created_at,
      row.created_at from ${rows}`,
);

type AboutRow = { readonly id: string; readonly payment_id: string; readonly authorization_id: string } & Record<
  'authorized_as' | 'token',
  string | null
> & {
    readonly last: number;
  };
const aboutOperations = statement<AboutRow>(
  { id: 'text', payment_id: 'text', authorization_id: 'text', authorized_as: 'text', token: 'text', last: 'integer' },
  (rows) => `
    update payment_operation set authorization_id = row.authorization_id, authorized_as = row.authorized_as, token = row.token, last = row.last
    from ${rows} where payment_operation.payment_id = row.payment_id and payment_operation.id = row.id`,
);

type Progressed = OperationProgress & { readonly id: string; readonly payment_id: string; readonly updated_at: number };

// Who concludes late, after somebody else has, finds another number of attempts and changes nothing.
const progressOperations = statement<Progressed, { id: string }>(
  {
    id: 'text',
    payment_id: 'text',
    state: 'text',
    attempts: 'integer',
    due_at: 'bigint',
    provider_ref: 'text',
    error: 'text',
    updated_at: 'bigint',
  },
  (rows) => `
    update payment_operation set state = row.state, attempts = row.attempts, due_at = row.due_at, lease_until = null, provider_ref = row.provider_ref,
      error = row.error, updated_at = row.updated_at
    from ${rows} where payment_operation.payment_id = row.payment_id and payment_operation.id = row.id
      and payment_operation.attempts = row.attempts - 1 and payment_operation.due_at is not null
    returning payment_operation.id`,
);

const insertPostings = statement<PostingRow>(
  { payment_id: 'text', operation_id: 'text', from_account: 'text', to_account: 'text', quantity: 'bigint', created_at: 'bigint' },
  (rows) => `
    insert into payment_posting (payment_id, operation_id, from_account, to_account, quantity, created_at)
    select row.payment_id, row.operation_id, row.from_account, row.to_account, row.quantity, row.created_at from ${rows}`,
);

// A lease that ran out means a call whose fate nobody wrote down: from then on it is asked about.
const claimDue = statement<{ now: number; lease_until: number; most: number }, { id: string; payment_id: string }>(
  { now: 'bigint', lease_until: 'bigint', most: 'integer' },
  (rows, dialect) => `
    update payment_operation set due_at = row.lease_until, lease_until = row.lease_until,
      state = case when payment_operation.lease_until is null then payment_operation.state else 'unknown' end
    from ${rows} where (payment_operation.payment_id, payment_operation.id) in (
      select due.payment_id, due.id from payment_operation due
      where due.due_at <= (select row.now from ${rows}) order by due.due_at limit (select row.most from ${rows}) ${dialect.skipLocked('due')})
    returning payment_operation.id, payment_operation.payment_id`,
);
const readTasks = statement<{ payment_id: string; id: string }, Omit<OperationTask, 'last'> & { last: number | null }>(
  { payment_id: 'text', id: 'text' },
  (rows) => `
    select o.id, o.payment_id, o.command_id, o.kind, o.amount, o.state, o.attempts, payment.order_id, payment.currency,
      coalesce(o.token, payment.token) as token, case when o.authorization_id is null then payment.provider_ref else o.authorized_as end as provider_ref, o.last
    from ${rows} join payment_operation o on o.payment_id = row.payment_id and o.id = row.id join payment on payment.id = o.payment_id`,
);

const readOperations = statement<{ payment_id: string }, Operation>(
  { payment_id: 'text' },
  (rows) => `select o.* from payment_operation o join ${rows} on o.payment_id = row.payment_id order by o.payment_id, o.id`,
);
const readPostings = statement<{ payment_id: string }, PostingRow>(
  { payment_id: 'text' },
  (rows) => `select p.* from payment_posting p join ${rows} on p.payment_id = row.payment_id order by p.payment_id, p.operation_id`,
);

/** The payments of orders, locked until the transaction ends. */
export const lockPayments = (tx: Tx, orderIds: readonly string[]): Promise<Payment[]> =>
  tx.run(
    lock,
    [...new Set(orderIds)].map((orderId) => ({ id: paymentIdOf(orderId) })),
  );

/** Stores payments; version 0 means new. Throws the Fault `conflict` when another transaction was faster. */
export async function savePayments(tx: Tx, payments: readonly Payment[]): Promise<void> {
  const fresh = payments.filter(({ version }) => version === 0);
  const changed = payments.filter(({ version }) => version > 0);
  const stored = (await tx.run(insertPayments, fresh)).length + (await tx.run(updatePayments, changed)).length;
  await tx.run(
    updateBeyond,
    payments
      .filter(({ book, authorized_until }) => book !== null || authorized_until !== null)
      .map(({ book, ...payment }) => ({ ...payment, book: book && JSON.stringify(book) })),
  );
  if (stored !== payments.length) throw new Fault('conflict', `${payments.length - stored} payments were changed by another transaction`);
}

export async function beginOperations(tx: Tx, operations: readonly (NewOperation & Pick<Beginning, 'about'>)[]): Promise<void> {
  await tx.run(insertOperations, operations);
  await tx.run(
    aboutOperations,
    operations.flatMap(({ id, payment_id, about }) =>
      about === undefined
        ? []
        : [
            {
              id,
              payment_id,
              authorization_id: about.authorization,
              authorized_as: about.provider_ref,
              token: about.token,
              last: about.last ? 1 : 0,
            },
          ],
    ),
  );
}

/** Records what calls made of operations; answers the ids of those nobody else had concluded. */
export async function recordProgress(tx: Tx, progressed: readonly Progressed[]): Promise<Set<string>> {
  return new Set((await tx.run(progressOperations, progressed)).map(({ id }) => id));
}

export const appendPostings = (
  tx: Tx,
  postings: readonly { payment_id: string; operation_id: string; posting: PaymentPosting }[],
  now: number,
): Promise<unknown> =>
  tx.run(
    insertPostings,
    postings.map(({ payment_id, operation_id, posting: { from, to, quantity } }) => ({
      payment_id,
      operation_id,
      from_account: from,
      to_account: to,
      quantity,
      created_at: now,
    })),
  );

/** Leases operations that are due, the longest waiting first. */
export async function claimOperations(tx: Tx, options: { now: number; leaseUntil: number; limit: number }): Promise<OperationTask[]> {
  const claimed = await tx.run(claimDue, [{ now: options.now, lease_until: options.leaseUntil, most: options.limit }]);
  return (await tx.run(readTasks, claimed)).map(({ last, ...task }) => ({ ...task, last: last === null || last === 1 }));
}

/** What a person may see of a payment. */
export type VisiblePayment = Omit<Payment, 'token' | 'authorize_command' | 'void_command' | 'sequence' | 'book'>;
export interface PaymentTables {
  payment: Payment;
}
const VISIBLE = [
  'id',
  'order_id',
  'status',
  'amount',
  'currency',
  'provider_ref',
  'under_way',
  'held',
  'captured',
  'refunded',
  'authorized_until',
  'version',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof VisiblePayment)[];

export interface PaymentFilter {
  readonly order_id?: string | undefined;
  readonly status?: string | undefined;
}

/** Payments, newest first, after the one with the id `before`. */
export function listPayments(
  read: Reader,
  builder: Kysely<PaymentTables>,
  { order_id, status }: PaymentFilter,
  page: { before: string | undefined; limit: number },
): Promise<VisiblePayment[]> {
  let query = builder.selectFrom('payment').select(VISIBLE).orderBy('id', 'desc').limit(page.limit);
  if (order_id !== undefined) query = query.where('id', '=', paymentIdOf(order_id));
  if (status !== undefined) query = query.where('status', '=', status as Payment['status']);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return read.query(query);
}

export interface PaymentDetail extends VisiblePayment {
  readonly book: Payment['book'];
  readonly operations: readonly Operation[];
  readonly postings: readonly PostingRow[];
}

/** A payment with its operations and postings in the order they happened; undefined when there is none. */
export async function readPayment(read: Reader, builder: Kysely<PaymentTables>, id: string): Promise<PaymentDetail | undefined> {
  const [payment] = await read.query(
    builder
      .selectFrom('payment')
      .select([...VISIBLE, 'book'])
      .where('id', '=', id),
    { json: ['book'] },
  );
  if (payment === undefined) return undefined;
  const [operations, postings] = await Promise.all([read.run(readOperations, [{ payment_id: id }]), read.run(readPostings, [{ payment_id: id }])]);
  return { ...payment, operations, postings };
}
