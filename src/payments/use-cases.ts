/**
 * Load, decide, save, say; for sets of commands and for sets of answers of the provider. A set costs a fixed number of statements.
 */
import { codeOf } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Saying, TimerSaying, Unit } from '../messaging/mailbox.ts';
import { LEASE_MS, type TaskKind, type Tasks, runTasks } from '../messaging/tasks.ts';
import { decide, settle } from './domain.ts';
import { type Outcome, progress } from './domain-operation.ts';
import { type Beginning, type Payment, type PaymentCommand, type PaymentPosting, type Step, expiriesOf } from './domain-payment.ts';
import type { Gateway } from './gateway.ts';
import { type OperationTask, appendPostings, beginOperations, claimOperations, lockPayments, recordProgress, savePayments } from './store.ts';

export interface PaymentsContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  readonly gateway: Gateway;
}

export interface PaymentUseCases {
  obey(unit: Unit, commands: readonly PaymentCommand[]): Promise<void>;
  /** The operations at the provider. */
  readonly operations: TaskKind<OperationTask, Outcome>;
  /** What performs them. */
  readonly tasks: Tasks<OperationTask>;
}

export function paymentUseCases({ mailbox, telemetry, gateway }: PaymentsContext): PaymentUseCases {
  const { world } = mailbox;

  async function obey(unit: Unit, commands: readonly PaymentCommand[]): Promise<void> {
    const { tx, now } = unit;
    const known = await lockPayments(
      tx,
      commands.map(({ data }) => data.order_id),
    );
    const desk = openDesk(known);
    for (const command of commands) {
      const step = decide(desk.payments.get(command.data.order_id), command, now);
      if (step !== undefined) desk.take(step, command);
    }
    await file(unit, desk);
  }

  /** Saves what the steps on a desk led to, and performs what they began as soon as it is committed. */
  async function file(unit: Unit, desk: Desk): Promise<void> {
    const { tx, now, say } = unit;
    await savePayments(tx, [...desk.changed]);
    const begun = desk.begun.map(({ payment, begin }) => ({ payment, begin, id: world.id('pop') }));
    await beginOperations(
      tx,
      begun.map(({ payment, begin, id }) => ({ ...begin, id, payment_id: payment.id, lease_until: now + LEASE_MS, created_at: now })),
    );
    await appendPostings(tx, desk.postings, now);
    await watchExpiry(unit, desk);
    say(desk.sayings);
    if (begun.length === 0) return;
    const poked = begun.map(({ payment, begin, id }) => taskOf(payment, begin, id));
    tx.afterCommit(() => tasks.poke(poked));
  }

  const operations: TaskKind<OperationTask, Outcome> = {
    name: 'payment operations',
    claim: ({ tx, now }, { limit, leaseUntil }) => claimOperations(tx, { now, limit, leaseUntil }),
    async perform(task) {
      const begun = world.now();
      const outcome = await askProvider(gateway, task);
      telemetry.metrics.providerCalls.observe({ provider: gateway.name, call: task.kind, outcome: outcome.result }, (world.now() - begun) / 1_000);
      return outcome;
    },
    unanswered: { result: 'unknown', error: 'the provider did not answer in time' },
    async conclude(unit, done) {
      const { tx, now } = unit;
      const first = new Map(done.map((one) => [one.task.id, one] as const).reverse()); // of two answers for one operation the first counts
      const answers = [...first.values()].map(({ task, outcome }) => ({ task, outcome, next: progress(task.attempts, outcome, now) }));
      const recorded = await recordProgress(
        tx,
        answers.map(({ task, next }) => ({ ...next, id: task.id, payment_id: task.payment_id, updated_at: now })),
      );
      const fates = answers.filter(({ task, next }) => recorded.has(task.id) && next.due_at === null);
      const desk = openDesk(
        await lockPayments(
          tx,
          fates.map(({ task }) => task.order_id),
        ),
      );
      for (const { task, outcome } of fates) {
        const step = settle(desk.payments.get(task.order_id)!, task, outcome, now);
        desk.take(step, { id: task.command_id, hops: 0, correlationid: task.order_id }, task.id);
      }
      await file(unit, desk);
    },
  };
  const tasks = runTasks(mailbox, telemetry, operations);

  return { obey, operations, tasks };
}

/** Whatever holds until a moment has a timer; ordinary authorisations hold for as long as it takes, and cost nothing here. */
async function watchExpiry({ setTimers, cancelTimers }: Unit, { changed, before }: Desk): Promise<void> {
  const timers: TimerSaying[] = [];
  const cancelled: string[] = [];
  for (const payment of changed) {
    const was = before.get(payment.order_id);
    const [old, live] = [was === undefined ? new Map<string, number>() : expiriesOf(was), expiriesOf(payment)];
    const key = (authorization: string): string => `expire:${payment.id}:${authorization}`;
    for (const [id, dueAt] of live) {
      if (old.get(id) === dueAt) continue;
      const data = { order_id: payment.order_id, ...(id === '' ? {} : { authorization: id }) };
      timers.push({ key: key(id), dueAt, saying: { type: 'payment.expire', subject: payment.order_id, data } });
    }
    cancelled.push(...[...old.keys()].filter((id) => !live.has(id)).map(key));
  }
  if (timers.length > 0) await setTimers(timers);
  if (cancelled.length > 0) await cancelTimers(cancelled);
}

/** An operation just begun, as if it had been claimed. */
const taskOf = (payment: Payment, { kind, amount, command_id, about }: Beginning, id: string): OperationTask => ({
  id,
  payment_id: payment.id,
  order_id: payment.order_id,
  kind,
  amount,
  currency: payment.currency,
  token: about?.token ?? payment.token ?? '',
  provider_ref: about === undefined ? payment.provider_ref : about.provider_ref,
  last: about?.last ?? true,
  command_id,
  state: 'requested',
  attempts: 0,
});

/** One question to the provider. What it throws is an outcome too. */
async function askProvider(gateway: Gateway, task: OperationTask): Promise<Outcome> {
  let asking = task.state === 'unknown';
  try {
    if (asking) {
      const found = await gateway.lookup(task.id, task);
      if (found.result !== 'absent') return found;
      asking = false;
    }
    return await gateway[task.kind === 'expire' ? 'void' : task.kind](task);
  } catch (error) {
    const untaken = !asking && codeOf(error) === 'provider_unavailable';
    return { result: untaken ? 'untaken' : 'unknown', error: error instanceof Error ? error.message : String(error) };
  }
}

/** The payments of one transaction while its steps are taken, each on what the one before left. */
interface Desk {
  /** By order. */
  readonly payments: ReadonlyMap<string, Payment>;
  /** The same, as they were. */
  readonly before: ReadonlyMap<string, Payment>;
  readonly changed: Iterable<Payment>;
  readonly begun: readonly { readonly payment: Payment; readonly begin: Beginning }[];
  readonly postings: readonly { readonly payment_id: string; readonly operation_id: string; readonly posting: PaymentPosting }[];
  readonly sayings: readonly Saying[];
  /** `operationId`: the operation whose fate the step follows from. */
  take(step: Step, cause: Cause, operationId?: string): void;
}
type Cause = NonNullable<Saying['cause']>;

function openDesk(known: readonly Payment[]): Desk {
  const payments = new Map(known.map((payment) => [payment.order_id, payment]));
  const changed = new Set<string>();
  const begun: { payment: Payment; begin: Beginning }[] = [];
  const postings: { payment_id: string; operation_id: string; posting: PaymentPosting }[] = [];
  const sayings: Saying[] = [];
  return {
    payments,
    before: new Map(payments),
    get changed() {
      return [...changed].map((orderId) => payments.get(orderId)!);
    },
    begun,
    postings,
    sayings,
    take({ payment, begin, posting, events }, cause, operationId) {
      payments.set(payment.order_id, payment);
      changed.add(payment.order_id);
      if (begin !== undefined) begun.push({ payment, begin });
      if (posting !== undefined) postings.push({ payment_id: payment.id, operation_id: operationId!, posting });
      const before = payment.sequence - events.length;
      events.forEach(({ type, data }, i) =>
        sayings.push({ type, data, subject: payment.id, sequence: before + i + 1, correlationid: payment.order_id, cause }),
      );
    },
  };
}
