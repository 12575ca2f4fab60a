import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { type World, realWorld } from '../../src/kernel/world.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import { type Channel, type RemoteChannel, logChannel, smtpChannel } from '../../src/notifications/channels.ts';
import { SEND_AGAIN_MS } from '../../src/notifications/domain.ts';
import { notificationsService } from '../../src/notifications/service.ts';
import { notificationUseCases } from '../../src/notifications/use-cases.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { call, deliver, messageOf, openTestMailbox } from '../support/mailbox.ts';
import { testWorld } from '../support/world.ts';
import { type MailServer, startMailServer } from './mail-server.ts';

const migrations = new URL('../../src/notifications/migrations/', import.meta.url);
const telemetry = createTelemetry({ level: 'silent' });
const FROM = 'Waybill <orders@shop.example>';

const confirmed = (world: World, order_id: string, email?: string, id?: string) =>
  messageOf(
    world,
    'order.confirmed',
    order_id,
    {
      order_id,
      number: 'ORD-2026-000001',
      customer: { id: 'cus_1', name: 'Ada', ...(email !== undefined && { email }) },
      currency: 'EUR',
      total: 1_250,
    },
    id === undefined ? {} : { id },
  );

describe.each(databases())('notifications on $name', ({ open }) => {
  let opened: OpenDatabase;
  let server: MailServer;
  let mail: RemoteChannel;
  beforeEach(async () => {
    opened = await open();
    server = await startMailServer();
    mail = smtpChannel({ url: server.url, from: FROM });
  });
  afterEach(async () => {
    mail.close();
    await server.close();
    await opened.drop();
  });

  /** Notifications without a running worker: `work` is one round of it. */
  async function byHand(channels: Channel[]) {
    const world = testWorld();
    const test = await openTestMailbox(opened.db, { service: 'notifications', migrations, world });
    const context = { mailbox: test.mailbox, telemetry, channels };
    const service = notificationsService(context);
    const deliveries = notificationUseCases(context).deliveries!;
    const claim = () => test.mailbox.write((unit) => deliveries.claim(unit, { limit: 200, leaseUntil: unit.now + LEASE_MS }));
    return {
      ...test,
      world,
      service,
      deliveries,
      claim,
      tell: (...messages: Parameters<typeof deliver>[2][number][]) => deliver(test.mailbox, service, messages),
      rows: () => opened.db.read.raw('select id, channel, recipient, status, attempts, error from notification order by id'),
      async work() {
        const tasks = await claim();
        const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await deliveries.perform(task) })));
        await test.mailbox.write((unit) => deliveries.conclude(unit, done));
        return tasks.length;
      },
    };
  }

  it('tells a customer over log and mail, once each, with a running worker', async () => {
    const world = realWorld();
    const { mailbox, said, heard } = await openTestMailbox(opened.db, { service: 'notifications', migrations, world });
    const service = notificationsService({ mailbox, telemetry, channels: [logChannel(telemetry), mail] });
    for (const one of service.runnables) await one.start();
    const event = confirmed(world, 'ord_1', 'ada@example.com', 'msg_1');
    await deliver(mailbox, service, [event, event]);
    await deliver(mailbox, service, [event]);
    await heard('notification.sent', 2);
    for (const one of [...service.runnables].reverse()) await one.stop();
    expect(said).toMatchObject([
      {
        type: 'notification.sent',
        subject: 'ntf_1_log',
        sequence: 1,
        causationid: 'msg_1',
        correlationid: 'ord_1',
        data: { event_id: 'msg_1', topic: 'order.confirmed' },
      },
      { type: 'notification.sent', subject: 'ntf_1_email', sequence: 1, causationid: 'msg_1' },
    ]);
    expect(server.mails).toHaveLength(1);
    expect(server.mails[0]).toContain('To: ada@example.com');
    expect(server.mails[0]).toContain('From: Waybill <orders@shop.example>');
    expect(server.mails[0]).toContain('Subject: Your order ORD-2026-000001 is confirmed');
    expect(server.mails[0]).toContain('Message-ID: <ntf_1_email@shop.example>');
    expect(server.mails[0]).toContain('The total is 12.50');

    expect(await call(service, 'GET', '/v1/notifications/{notification_id}', { params: { notification_id: 'ntf_1_email' } })).toMatchObject({
      status: 'sent',
      attempts: 1,
    });
  });

  it('shows a notification in the log after it is durable, and not again', async () => {
    const shown: string[] = [];
    const log: Channel = { ...logChannel(telemetry), show: ({ id, recipient }) => shown.push(`${id} ${recipient}`) };
    const world = testWorld();
    const { mailbox, said } = await openTestMailbox(opened.db, { service: 'notifications', migrations, world });
    const service = notificationsService({ mailbox, telemetry, channels: [log] });
    const [one, two] = [confirmed(world, 'ord_1', undefined, 'msg_1'), confirmed(world, 'ord_2', 'ada@example.com', 'msg_2')];
    await expect(
      mailbox.write(async (unit) => {
        await service.subscriptions[0]!.handle(unit, [one]);
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(shown).toEqual([]);
    await deliver(mailbox, service, [one, two, one]);
    await deliver(mailbox, service, [two]);
    expect(shown).toEqual(['ntf_1_log cus_1', 'ntf_2_log ada@example.com']);
    expect(said.map(({ type }) => type)).toEqual(['notification.sent', 'notification.sent']);
    expect(service.runnables).toEqual([]);
  });

  it('tries again after a temporary refusal', async () => {
    const { world, tell, work, rows, said } = await byHand([mail]);
    server.refuse = { code: 451, at: 'RCPT TO' };
    await tell(confirmed(world, 'ord_1', 'ada@example.com', 'msg_1'));
    world.advance(LEASE_MS);
    await work();
    expect(await rows()).toMatchObject([{ status: 'pending', attempts: 1, error: expect.stringContaining('451') as string }]);
    server.refuse = undefined;
    world.advance(SEND_AGAIN_MS[0] - 1);
    expect(await work()).toBe(0);
    world.advance(1);
    expect(await work()).toBe(1);
    expect(await rows()).toMatchObject([{ status: 'sent', attempts: 2, error: null }]);
    expect(server.mails).toHaveLength(1);
    expect(said.map(({ type }) => type)).toEqual(['notification.sent']);
  });

  it('gives up after a final refusal, of the recipient or of the mail', async () => {
    for (const [n, at] of (['RCPT TO', 'DATA'] as const).entries()) {
      const { world, tell, work, said } = await byHand([mail]);
      server.refuse = { code: 550, at };
      await tell(confirmed(world, `ord_${n}`, 'nobody@example.com', `msg_${n}`));
      world.advance(LEASE_MS);
      await work();
      expect(said).toMatchObject([
        { type: 'notification.failed', data: { notification_id: `ntf_${n}_email`, reason: expect.stringContaining('550') as string } },
      ]);
      world.advance(1_000_000_000);
      expect(await work()).toBe(0);
    }
  });

  it('gives up an address that is none, and sends nothing to anybody else', async () => {
    const { world, tell, work, rows } = await byHand([mail]);
    await tell(
      ...['no address', 'a@example.com, b@example.com', 'a@example.com\r\nRCPT TO:<b@example.com>'].map((email, n) =>
        confirmed(world, 'ord_1', email, `msg_${n}`),
      ),
    );
    world.advance(LEASE_MS);
    await work();
    server.refuse = undefined;
    expect(await rows()).toMatchObject([{ status: 'failed' }, { status: 'failed' }, { status: 'failed' }]);
    expect(server.mails).toEqual([]);
  });

  it('gives up when the attempts are spent, and not before', async () => {
    const { world, tell, work, said } = await byHand([mail]);
    await server.close();
    await tell(confirmed(world, 'ord_1', 'ada@example.com'));
    world.advance(LEASE_MS);
    for (const pause of SEND_AGAIN_MS) {
      expect(await work()).toBe(1);
      expect(said).toEqual([]);
      world.advance(pause);
    }
    await work();
    expect(said.map(({ type }) => type)).toEqual(['notification.failed']);
  });

  it('sends again under the same name after a crash between sending and writing it down', async () => {
    const { mailbox, world, tell, claim, deliveries, work, said } = await byHand([mail]);
    await tell(confirmed(world, 'ord_1', 'ada@example.com', 'msg_1'));
    world.advance(LEASE_MS);
    const [lost] = await claim();
    const outcome = await deliveries.perform(lost!); // and the process dies
    expect(await claim()).toEqual([]);
    world.advance(LEASE_MS);
    await work();
    await mailbox.write((unit) => deliveries.conclude(unit, [{ task: lost!, outcome }])); // the first one comes back from the dead
    expect(server.mails.map((text) => /^Message-ID: (.*)\r$/m.exec(text)?.[1])).toEqual(['<ntf_1_email@shop.example>', '<ntf_1_email@shop.example>']);
    expect(said.map(({ type }) => type)).toEqual(['notification.sent']);
  });

  it('costs the same statements for 200 as for 1', async () => {
    const { mailbox, world, tell, statements, claim, deliveries } = await byHand([logChannel(telemetry), mail]);
    const counts: number[][] = [];
    for (const size of [1, 200]) {
      const events = Array.from({ length: size }, (_, i) => confirmed(world, `ord_${i}`, 'ada@example.com'));
      statements();
      await tell(...events);
      const told = statements();
      world.advance(LEASE_MS);
      const tasks = await claim();
      expect(tasks).toHaveLength(size);
      statements();
      await mailbox.write((unit) =>
        deliveries.conclude(
          unit,
          tasks.map((task) => ({ task, outcome: { result: 'sent' } })),
        ),
      );
      counts.push([told, statements()]);
    }
    expect(counts).toEqual([
      [4, 2],
      [4, 2],
    ]);
  });

  it('lists notifications by order and status, newest first', async () => {
    const { world, tell, service } = await byHand([logChannel(telemetry), mail]);
    await tell(
      confirmed(world, 'ord_1', 'ada@example.com', 'msg_1'),
      confirmed(world, 'ord_2', undefined, 'msg_2'),
      confirmed(world, 'ord_1', undefined, 'msg_3'),
    );
    const list = (query: object) =>
      call(service, 'GET', '/v1/notifications', { query }) as Promise<{ items: { id: string }[]; next_cursor: string | null }>;
    const first = await list({ order_id: 'ord_1', limit: '2' });
    expect(first.items.map(({ id }) => id)).toEqual(['ntf_3_log', 'ntf_1_log']);
    expect((await list({ order_id: 'ord_1', limit: '2', cursor: first.next_cursor })).items).toMatchObject([
      { id: 'ntf_1_email', status: 'pending' },
    ]);
    expect((await list({ status: 'sent' })).items).toHaveLength(3);
    await expect(call(service, 'GET', '/v1/notifications/{notification_id}', { params: { notification_id: 'ntf_none' } })).rejects.toMatchObject({
      code: 'notification_not_found',
    });
  });
});
