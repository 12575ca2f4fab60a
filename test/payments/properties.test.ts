/**
 * Whatever happens, in whatever order: the equations hold at every step, nothing is charged twice, and in the end everybody has an answer.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import type { Reader } from '../../src/db/database.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import type { Outcome } from '../../src/payments/domain-operation.ts';
import type { Ask, Book, PaymentCommand } from '../../src/payments/domain-payment.ts';
import type { OperationTask } from '../../src/payments/store.ts';
import { paymentsService } from '../../src/payments/service.ts';
import { paymentUseCases } from '../../src/payments/use-cases.ts';
import { deliver, messageOf, openTestMailbox } from '../support/mailbox.ts';
import { testWorld } from '../support/world.ts';
import { brokenEquations } from './equations.ts';
import { type Mood, bookkeepingGateway } from './provider.ts';

const ORDERS = ['ord_a', 'ord_a', 'ord_b'] as const;
const order = fc.constantFrom(...ORDERS);
// The mood belongs to the step, not to a generator, so that a failing run shrinks to something one can read.
const mood = fc.constantFrom<Mood>('approve', 'approve', 'approve', 'decline', 'untaken', 'lost', 'nothing', 'broken');
const key = fc.constantFrom('1', '2', '3');
const amount = fc.constantFrom(100, 250, 700, 900);
const step = fc.oneof(
  fc.record({ act: fc.constant('authorize' as const), order }),
  fc.record({ act: fc.constant('capture' as const), order }),
  fc.record({ act: fc.constant('void' as const), order }),
  fc.record({ act: fc.constant('more' as const), order, key, amount }),
  fc.record({ act: fc.constant('capture some' as const), order, key, amount }),
  fc.record({ act: fc.constant('capture some' as const), order, key, amount }),
  fc.record({ act: fc.constant('reduce' as const), order, key, amount }),
  fc.record({ act: fc.constant('refund' as const), order, key, amount }),
  fc.record({ act: fc.constant('expire' as const), order, key: fc.constantFrom('', '1', '2') }),
  fc.record({ act: fc.constant('redeliver' as const), nth: fc.nat(20), twice: fc.boolean() }),
  // What was claimed is called; the process dies before the call, or between the call and its conclusion, or concludes (perhaps late, or twice).
  fc.record({
    act: fc.constant('perform' as const),
    mood,
    lookup: fc.boolean(),
    fate: fc.constantFrom('conclude', 'conclude', 'conclude', 'die', 'die before', 'late', 'twice'),
  }),
  // The provider stays as it is until the attempts there are have been spent.
  fc.record({ act: fc.constant('persist' as const), mood, lookup: fc.boolean() }),
  fc.record({ act: fc.constant('conclude late' as const) }),
  fc.record({ act: fc.constant('wait' as const), ms: fc.constantFrom(500, 10_000, LEASE_MS + 1, 1_000_000) }),
);
const MIGRATIONS = new URL('../../src/payments/migrations/', import.meta.url);
const telemetry = createTelemetry({ level: 'silent' });

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
interface Called {
  readonly task: OperationTask;
  readonly outcome: Outcome;
}

async function openScene() {
  const world = testWorld();
  const db = openSqlite({ name: 'payments', file: ':memory:' });
  const { mailbox, said } = await openTestMailbox(db, { service: 'payments', migrations: MIGRATIONS, world });
  const gateway = bookkeepingGateway();
  const { operations } = paymentUseCases({ mailbox, telemetry, gateway });
  const service = paymentsService({ mailbox, telemetry, gateway });
  const heard = new Set<string>();
  const sent: PaymentCommand[] = [];
  const poked = new Set<string>();
  const late: Called[][] = [];

  /** What a worker would perform now: what was just begun, and what is due. */
  async function take(): Promise<OperationTask[]> {
    const begun = (await readBegun(db.read)).filter(({ id }) => !poked.has(id));
    for (const { id } of begun) poked.add(id);
    const claimed = await mailbox.write((unit) => operations.claim(unit, { limit: 10, leaseUntil: world.now() + LEASE_MS }));
    return [...begun.filter(({ id }) => claimed.every((one) => one.id !== id)), ...claimed];
  }
  const conclude = (done: readonly Called[]) => mailbox.write((unit) => operations.conclude(unit, done));
  return {
    world,
    db,
    gateway,
    said,
    sent,
    async send(command: PaymentCommand) {
      sent.push(command);
      await deliver(mailbox, service, [command], heard);
    },
    async redeliver(nth: number, twice: boolean) {
      const again = sent[nth % Math.max(1, sent.length)];
      const before = said.length;
      if (again !== undefined) await deliver(mailbox, service, twice ? [again, again] : [again], heard);
      assert.equal(said.length, before, 'a duplicate is silent');
    },
    /** Answers how many operations were called. */
    async perform(fate: string): Promise<number> {
      const tasks = await take();
      const done: Called[] = [];
      if (fate !== 'die before') for (const task of tasks) done.push({ task, outcome: await operations.perform(task) });
      if (fate === 'late') late.push(done);
      if (fate === 'twice') await conclude([...done, ...done]);
      if (fate === 'conclude' || fate === 'twice') await conclude(done);
      return tasks.length;
    },
    async concludeLate() {
      for (const done of late.splice(0)) await conclude(done);
    },
    async checkEquations() {
      assert.deepEqual(await brokenEquations(db.read), {});
    },
  };
}
type Scene = Awaited<ReturnType<typeof openScene>>;

async function act({ world, gateway, sent, ...scene }: Scene, one: Step): Promise<unknown> {
  if ('mood' in one) {
    gateway.mood = () => one.mood;
    gateway.lookupWorks = () => one.lookup;
  }
  switch (one.act) {
    case 'authorize':
      return scene.send(messageOf(world, 'payment.authorize', one.order, { order_id: one.order, amount: 700, currency: 'EUR', token: 'tok' }));
    case 'capture': // Orders asks for it once a payment is authorised, so there is one by then.
      if (!sent.some(({ data }) => data.order_id === one.order)) return;
      return scene.send(messageOf(world, 'payment.capture', one.order, { order_id: one.order, shipment_id: 'shp_1' }));
    case 'void':
      return scene.send(messageOf(world, 'payment.void', one.order, { order_id: one.order, reason: 'customer' }));
    case 'more':
    case 'capture some':
    case 'reduce':
    case 'refund':
    case 'expire': {
      const order_id = one.order;
      if (one.act !== 'more' && !sent.some(({ data }) => data.order_id === order_id)) return;
      if (one.act === 'expire')
        return scene.send(messageOf(world, 'payment.expire', order_id, { order_id, ...(one.key === '' ? {} : { authorization: one.key }) }));
      const { key, amount } = one;
      if (one.act === 'more')
        return scene.send(messageOf(world, 'payment.authorize', order_id, { order_id, amount, currency: 'EUR', token: 'tok_2', authorization: key }));
      if (one.act === 'capture some')
        return scene.send(messageOf(world, 'payment.capture', order_id, { order_id, shipment_id: `shp_${key}`, amount }));
      if (one.act === 'reduce')
        return scene.send(messageOf(world, 'payment.void', order_id, { order_id, reason: 'edit', amount, revision: Number(key) }));
      return scene.send(messageOf(world, 'payment.refund', order_id, { order_id, refund_id: `ref_${key}`, amount, reason: 'return' }));
    }
    case 'redeliver':
      return scene.redeliver(one.nth, one.twice);
    case 'perform':
      return scene.perform(one.fate);
    case 'persist':
      for (let turn = 0; turn < 8; turn += 1, world.advance(1_000_000)) await scene.perform('conclude');
      return;
    case 'conclude late':
      return scene.concludeLate();
    case 'wait':
      return world.advance(one.ms);
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  const scene = await openScene();
  const { world, gateway, db } = scene;
  for (const one of steps) {
    await act(scene, one);
    await scene.checkEquations();
  }
  // The provider is well again, and time passes.
  gateway.mood = () => 'approve';
  gateway.lookupWorks = () => true;
  for (let quiet = 0; quiet < 2;) {
    world.advance(1_000_000);
    quiet = (await scene.perform('conclude')) === 0 ? quiet + 1 : 0;
  }
  await scene.concludeLate();
  await scene.checkEquations();
  await compareBooks(db.read, gateway.book);
  await everybodyAnswered(db.read, scene.sent, scene.said);
  await db.close();
}

/** Operations just begun, as the tasks that are performed without being claimed. */
const readBegun = (read: Reader): Promise<OperationTask[]> =>
  read.raw<Record<string, never> & OperationTask>(`
    select o.id, o.payment_id, o.command_id, o.kind, o.amount, o.state, o.attempts, p.order_id, p.currency, p.token,
      case when o.authorization_id is null then p.provider_ref else o.authorized_as end as provider_ref
    from payment_operation o join payment p on p.id = o.payment_id where o.state = 'requested' and o.attempts = 0 and o.lease_until is not null`);

/** What the provider did is what we have written down, operation by operation. */
async function compareBooks(read: Reader, book: ReturnType<typeof bookkeepingGateway>['book']): Promise<void> {
  const ours = await read.raw(`select id, kind, amount, state from payment_operation where state = 'succeeded' order by id`);
  const theirs = [...book.values()]
    .filter(({ answer }) => answer.result === 'approved')
    .map(({ id, kind, amount }) => ({ id, kind, amount, state: 'succeeded' }));
  expect(ours).toEqual(theirs.sort((a, b) => (a.id < b.id ? -1 : 1)));
  const sums = new Map<string, number>();
  for (const { order_id, kind, amount, answer } of book.values()) {
    if (answer.result !== 'approved') continue;
    const flow = { authorize: 0, capture: amount, void: 0, expire: 0, refund: -amount }[kind];
    sums.set(order_id, (sums.get(order_id) ?? 0) + flow);
  }
  for (const kept of sums.values()) expect(kept).toBeGreaterThanOrEqual(0);
  for (const { order_id, kind, provider_ref } of book.values())
    // each names the authorisation it is about, as the provider called it
    if (kind !== 'authorize') expect(book.get(provider_ref!.slice('ref_'.length))).toMatchObject({ order_id, kind: 'authorize' });
  for (const row of await read.raw<{ order_id: string; captured: number }>('select order_id, captured from payment')) {
    expect(row.captured).toBe(sums.get(row.order_id) ?? 0);
  }
}

const ANSWERS: Readonly<Record<Ask['what'], readonly string[]>> = {
  authorize: ['payment.authorized', 'payment.declined', 'payment.failed'],
  capture: ['payment.captured', 'payment.capture_failed'],
  reduce: ['payment.reduced', 'payment.failed'],
  refund: ['payment.refunded', 'payment.refund_failed'],
  expire: ['payment.expired'],
};
const keyOf = (data: object): string =>
  String(Object.entries(data).find(([name]) => ['authorization', 'shipment_id', 'revision', 'refund_id'].includes(name))?.[1] ?? '');

/** Every order that asked has heard how it ended; what was said has no gap and no double. */
async function everybodyAnswered(read: Reader, sent: readonly PaymentCommand[], said: readonly Message[]): Promise<void> {
  const streams = new Map<string, number[]>();
  for (const { subject, sequence } of said) streams.set(subject, [...(streams.get(subject) ?? []), sequence!]);
  // What one unit says travels by type, so it may be heard in another order.
  for (const sequences of streams.values()) expect(sequences.toSorted((a, b) => a - b)).toEqual(sequences.map((_, i) => i + 1));

  const payments = await read.raw<{
    order_id: string;
    status: string;
    under_way: string | null;
    held: number;
    captured: number;
    book: string | null;
  }>('select * from payment');
  for (const { order_id, status, under_way, held, captured, book } of payments) {
    const asks = book === null ? [] : (JSON.parse(book) as Book).asks;
    expect(under_way).toBeNull();
    const answers = new Set(said.filter(({ correlationid }) => correlationid === order_id).map(({ type }) => type));
    const voided = sent.some(({ type, data }) => data.order_id === order_id && type === 'payment.void' && !('amount' in data));
    if (status === 'requested') expect.fail('a payment was left without an answer');
    for (const { what, key, state } of asks) {
      expect(state, `${what} ${key}`).not.toBe('waiting');
      const heard = said.filter(
        ({ type, correlationid, data }) => correlationid === order_id && ANSWERS[what].includes(type) && keyOf(data as object) === key,
      );
      if (what !== 'expire' && !voided) expect(heard.length, `${what} ${key}`).toBeGreaterThan(0);
    }
    if (voided) {
      if (answers.has('payment.voided')) expect(held + captured).toBe(0);
      else expect([...answers]).toContain('payment.failed'); // the void itself was refused
    } else if (sent.some(({ type, data }) => data.order_id === order_id && type === 'payment.authorize' && !('authorization' in data))) {
      expect(['payment.authorized', 'payment.declined', 'payment.failed'].some((type) => answers.has(type))).toBe(true);
    }
  }
}

describe('payments under duplicates, crashes and a provider that misbehaves', () => {
  it('keep the equations, charge once, and answer everybody', { timeout: 60_000 }, async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50 }), run), { numRuns: 300, seed: 7 });
  });
});
