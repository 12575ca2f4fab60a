import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { type World, realWorld } from '../../src/kernel/world.ts';
import type { Service } from '../../src/messaging/service.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import { simulatedGateway } from '../../src/payments/gateway.ts';
import { paymentsService } from '../../src/payments/service.ts';
import { paymentUseCases } from '../../src/payments/use-cases.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { type TestMailbox, call, deliver, messageOf, openTestMailbox } from '../support/mailbox.ts';
import { testWorld } from '../support/world.ts';
import { brokenEquations } from './equations.ts';
import { bookkeepingGateway } from './provider.ts';

const migrations = new URL('../../src/payments/migrations/', import.meta.url);
const telemetry = createTelemetry({ level: 'silent' });

const authorize = (world: World, order_id: string, token = 'tok_ok') =>
  messageOf(world, 'payment.authorize', order_id, { order_id, amount: 1_250, currency: 'EUR', token });
const capture = (world: World, order_id: string) => messageOf(world, 'payment.capture', order_id, { order_id, shipment_id: 'shp_1' });
const giveBack = (world: World, order_id: string) => messageOf(world, 'payment.void', order_id, { order_id, reason: 'customer' });

describe.each(databases())('payments on $name', ({ open }) => {
  let opened: OpenDatabase;
  beforeEach(async () => void (opened = await open()));
  afterEach(async () => {
    const broken = await brokenEquations(opened.db.read);
    await opened.drop();
    assert.deepEqual(broken, {});
  });

  describe('with a running worker', () => {
    const world = realWorld();
    let test: TestMailbox;
    let service: Service;
    beforeEach(async () => {
      test = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
      service = paymentsService({ mailbox: test.mailbox, telemetry, gateway: simulatedGateway({ world }) });
      for (const one of service.runnables) await one.start();
    });
    afterEach(async () => {
      for (const one of service.runnables) await one.stop();
    });

    it('takes the money from authorisation to refund, and shows it without the token', async () => {
      await deliver(test.mailbox, service, [authorize(world, 'ord_1')]);
      await test.heard('payment.authorized');
      await deliver(test.mailbox, service, [capture(world, 'ord_1')]);
      await test.heard('payment.captured');
      await deliver(test.mailbox, service, [giveBack(world, 'ord_1')]);
      await test.heard('payment.voided');
      expect(test.said.map(({ type, sequence, data }) => ({ type, sequence, data }))).toMatchObject([
        { type: 'payment.authorized', sequence: 1, data: { order_id: 'ord_1', amount: 1_250, currency: 'EUR' } },
        { type: 'payment.captured', sequence: 2, data: { amount: 1_250 } },
        { type: 'payment.voided', sequence: 3, data: { refunded: 1_250 } },
      ]);

      const list = (await call(service, 'GET', '/v1/payments', { query: { order_id: 'ord_1' } })) as { items: { id: string }[] };
      expect(list.items).toMatchObject([{ order_id: 'ord_1', status: 'refunded', held: 0, captured: 0, refunded: 1_250, under_way: null }]);
      const detail = await call(service, 'GET', '/v1/payments/{payment_id}', { params: { payment_id: list.items[0]!.id } });
      expect(detail).toMatchObject({
        operations: [
          { kind: 'authorize', state: 'succeeded', attempts: 1 },
          { kind: 'capture', state: 'succeeded', shipment_id: 'shp_1' },
          { kind: 'refund', state: 'succeeded' },
        ],
        postings: [
          { from_account: 'outside:psp', to_account: 'held', quantity: 1_250 },
          { from_account: 'held', to_account: 'captured' },
          { from_account: 'captured', to_account: 'outside:psp' },
        ],
      });
      expect(JSON.stringify([list, detail, test.said])).not.toContain('tok_ok');
    });

    it('names the command that led to an answer', async () => {
      const command = authorize(world, 'ord_1', 'tok_declined');
      await deliver(test.mailbox, service, [command]);
      await test.heard('payment.declined');
      expect(test.said).toMatchObject([
        { type: 'payment.declined', causationid: command.id, correlationid: 'ord_1', data: { reason: 'card_declined' } },
      ]);
    });

    it('captures by shipment, adds an authorisation, gives back in parts, and shows what each authorisation holds', async () => {
      const order_id = 'ord_1';
      const send = (...messages: Parameters<typeof deliver>[2]) => deliver(test.mailbox, service, messages);
      await send(authorize(world, order_id));
      await test.heard('payment.authorized');
      await send(
        messageOf(world, 'payment.authorize', order_id, { order_id, amount: 250, currency: 'EUR', token: 'tok_unknown', authorization: 'aut_2' }),
        messageOf(world, 'payment.capture', order_id, { order_id, shipment_id: 'shp_1', amount: 500 }),
        messageOf(world, 'payment.capture', order_id, { order_id, shipment_id: 'shp_2', amount: 900 }),
      );
      await test.heard('payment.captured', 2);
      await send(
        messageOf(world, 'payment.void', order_id, { order_id, reason: 'edit', amount: 40, revision: 1 }),
        messageOf(world, 'payment.refund', order_id, { order_id, refund_id: 'ref_1', amount: 300, reason: 'return' }),
        messageOf(world, 'payment.refund', order_id, { order_id, refund_id: 'ref_2', amount: 2_000, reason: 'return' }),
      );
      await Promise.all([test.heard('payment.reduced'), test.heard('payment.refunded'), test.heard('payment.refund_failed')]);
      const detail = await call(service, 'GET', '/v1/payments/{payment_id}', { params: { payment_id: 'pay_1' } });
      expect(detail).toMatchObject({ status: 'part_captured', amount: 1_500, held: 60, captured: 1_100, refunded: 300, under_way: null });
      expect(detail).toMatchObject({
        authorizations: [
          { authorization: null, held: 0, captured: 950 },
          { authorization: 'aut_2', held: 60, captured: 150 },
        ],
      });
      expect(JSON.stringify(detail)).not.toContain('tok_');
    });

    it('gives up an authorisation whose time is over', async () => {
      await deliver(test.mailbox, service, [authorize(world, 'ord_1', 'tok_expires')]);
      await test.heard('payment.authorized');
      const [timer] = await opened.db.read.raw<{ key: string; due_at: number }>('select key, due_at from timer');
      expect(timer).toMatchObject({ key: 'expire:pay_1:' });
      expect(await call(service, 'GET', '/v1/payments/{payment_id}', { params: { payment_id: 'pay_1' } })).toMatchObject({
        authorized_until: new Date(Number(timer!.due_at)).toISOString(),
      });
      await deliver(test.mailbox, service, [messageOf(world, 'payment.expire', 'ord_1', { order_id: 'ord_1' })]);
      await test.heard('payment.expired');
      expect(test.said.at(-1)).toMatchObject({ type: 'payment.expired', data: { payment_id: 'pay_1', amount: 1_250 } });
      expect(await call(service, 'GET', '/v1/payments/{payment_id}', { params: { payment_id: 'pay_1' } })).toMatchObject({
        status: 'expired',
        held: 0,
      });
      expect(await opened.db.read.raw('select key from timer')).toEqual([]);
    });

    it('asks what became of a call whose answer was lost, and does not charge again', async () => {
      await deliver(test.mailbox, service, [authorize(world, 'ord_1', 'tok_unknown'), authorize(world, 'ord_2', 'tok_error_twice')]);
      await test.heard('payment.authorized', 2);
      const rows = await opened.db.read.raw(
        'select p.order_id, o.attempts from payment_operation o join payment p on p.id = o.payment_id order by p.order_id',
      );
      expect(rows).toEqual([
        { order_id: 'ord_1', attempts: 2 },
        { order_id: 'ord_2', attempts: 3 },
      ]);
    });
  });

  describe('by hand', () => {
    it('goes on after a crash between the call and its conclusion, under the same key', async () => {
      const world = testWorld();
      const { mailbox, said } = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
      const gateway = bookkeepingGateway();
      const service = paymentsService({ mailbox, telemetry, gateway });
      const { operations } = paymentUseCases({ mailbox, telemetry, gateway });
      await deliver(mailbox, service, [authorize(world, 'ord_1')]);
      world.advance(LEASE_MS);
      const claim = () => mailbox.write((unit) => operations.claim(unit, { limit: 10, leaseUntil: unit.now + LEASE_MS }));
      const [lost] = await claim();
      await operations.perform(lost!); // and the process dies

      expect(await claim()).toEqual([]); // the lease still runs
      world.advance(LEASE_MS);
      const [again] = await claim();
      expect(again).toMatchObject({ id: lost!.id, state: 'unknown', token: 'tok_ok', amount: 1_250, order_id: 'ord_1' });
      const outcome = await operations.perform(again!);
      await mailbox.write((unit) => operations.conclude(unit, [{ task: again!, outcome }]));
      await mailbox.write((unit) => operations.conclude(unit, [{ task: lost!, outcome }])); // the first one comes back from the dead
      expect(said.map(({ type }) => type)).toEqual(['payment.authorized']);
      expect(gateway.calls).toBe(1);
    });

    it('claims as many as asked for, the longest waiting first', async () => {
      const world = testWorld();
      const { mailbox } = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
      const { obey, operations } = paymentUseCases({ mailbox, telemetry, gateway: bookkeepingGateway() });
      for (const order of ['ord_1', 'ord_2', 'ord_3']) {
        await mailbox.write((unit) => obey(unit, [authorize(world, order)]));
        world.advance(1);
      }
      world.advance(LEASE_MS);
      const claim = (limit: number) => mailbox.write((unit) => operations.claim(unit, { limit, leaseUntil: unit.now + LEASE_MS }));
      expect((await claim(2)).map(({ order_id }) => order_id).sort()).toEqual(['ord_1', 'ord_2']);
      expect((await claim(2)).map(({ order_id }) => order_id)).toEqual(['ord_3']);
    });

    it('costs the same statements for 200 as for 1', async () => {
      const world = testWorld();
      const { mailbox, statements } = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
      const { obey, operations } = paymentUseCases({ mailbox, telemetry, gateway: bookkeepingGateway() });
      const counts: { handled: number; claimed: number; concluded: number }[] = [];
      for (const size of [1, 200]) {
        const orders = Array.from({ length: size }, (_, i) => `ord_${size}_${i}`);
        const work = async (commands: Parameters<typeof obey>[1]): Promise<void> => {
          statements();
          await mailbox.write((unit) => obey(unit, commands));
          const handled = statements();
          world.advance(LEASE_MS);
          const tasks = await mailbox.write((unit) => operations.claim(unit, { limit: 200, leaseUntil: unit.now + LEASE_MS }));
          expect(tasks).toHaveLength(size);
          const claimed = statements();
          const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await operations.perform(task) })));
          await mailbox.write((unit) => operations.conclude(unit, done));
          counts.push({ handled, claimed, concluded: statements() });
        };
        await work(orders.map((order) => authorize(world, order)));
        await work(orders.map((order) => capture(world, order)));
        await work(orders.map((order) => giveBack(world, order)));
      }
      // Authorise: lock, insert payments, insert operations. Conclude: operations, lock, payments, postings, outbox.
      expect(counts.slice(0, 3)).toEqual([
        { handled: 3, claimed: 2, concluded: 5 },
        { handled: 3, claimed: 2, concluded: 5 },
        { handled: 3, claimed: 2, concluded: 5 },
      ]);
      expect(counts.slice(3)).toEqual(counts.slice(0, 3));
    });

    it('pages through payments, newest first, by status', async () => {
      const world = testWorld();
      const { mailbox } = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
      const service = paymentsService({ mailbox, telemetry, gateway: bookkeepingGateway() });
      await deliver(
        mailbox,
        service,
        ['ord_1', 'ord_2', 'ord_3'].map((order) => authorize(world, order)),
      );
      await deliver(mailbox, service, [giveBack(world, 'ord_4')]);
      const page = (query: object) =>
        call(service, 'GET', '/v1/payments', { query }) as Promise<{ items: { order_id: string }[]; next_cursor: string | null }>;
      const first = await page({ status: 'requested', limit: '2' });
      expect(first.items.map(({ order_id }) => order_id)).toEqual(['ord_3', 'ord_2']);
      const second = await page({ status: 'requested', limit: '2', cursor: first.next_cursor });
      expect(second).toMatchObject({ items: [{ order_id: 'ord_1' }], next_cursor: null });
      expect((await page({ status: 'voided' })).items).toMatchObject([{ order_id: 'ord_4', currency: 'XXX' }]);
      await expect(page({ cursor: 'bm9wZQ' })).rejects.toMatchObject({ code: 'invalid_cursor' });
      await expect(call(service, 'GET', '/v1/payments/{payment_id}', { params: { payment_id: 'pay_none' } })).rejects.toMatchObject({
        code: 'payment_not_found',
      });
    });

    it('never lets a posting be changed or removed', async () => {
      const world = testWorld();
      const { mailbox } = await openTestMailbox(opened.db, { service: 'payments', migrations, world });
      const { obey, operations } = paymentUseCases({ mailbox, telemetry, gateway: bookkeepingGateway() });
      await mailbox.write((unit) => obey(unit, [authorize(world, 'ord_1')]));
      world.advance(LEASE_MS);
      const tasks = await mailbox.write((unit) => operations.claim(unit, { limit: 1, leaseUntil: unit.now + LEASE_MS }));
      await mailbox.write(async (unit) => operations.conclude(unit, [{ task: tasks[0]!, outcome: { result: 'approved', ref: 'ref' } }]));
      await expect(opened.db.write((tx) => tx.raw('update payment_posting set quantity = 1'))).rejects.toThrow('append only');
      await expect(opened.db.write((tx) => tx.raw('delete from payment_posting'))).rejects.toThrow('append only');
    });
  });
});
