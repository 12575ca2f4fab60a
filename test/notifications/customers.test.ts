/** What customers want to hear, in which words, once more, and through a system of the shop's own. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import { type Channel, logChannel, webhookChannel } from '../../src/notifications/channels.ts';
import { SEND_AGAIN_MS, type Topic } from '../../src/notifications/domain.ts';
import { notificationsService } from '../../src/notifications/service.ts';
import { notificationUseCases } from '../../src/notifications/use-cases.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { call, deliver, messageOf, openTestMailbox } from '../support/mailbox.ts';
import { testWorld } from '../support/world.ts';

const migrations = new URL('../../src/notifications/migrations/', import.meta.url);
const telemetry = createTelemetry({ level: 'silent' });
const SECRET = `whsec_${Buffer.from('a secret of twenty-four b').toString('base64')}`;
const lines = [{ line_id: 'lin_1', sku: 'TEA-1', quantity: 2 }];

type Thing = Record<string, unknown>;

/** A system of the shop's own, which answers as it is told. */
async function startReceiver() {
  const got: { headers: IncomingHttpHeaders; body: string }[] = [];
  const answers: (number | 'hang up')[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    got.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    const next = answers.shift() ?? 204;
    if (next === 'hang up') return void request.socket.destroy();
    response.writeHead(next, next === 302 ? { location: '/elsewhere' } : {}).end();
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { got, answers, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/told` };
}

describe.each(databases())('customers and what they are told, on $name', ({ open }) => {
  let opened: OpenDatabase;
  beforeEach(async () => {
    opened = await open();
  });
  afterEach(() => opened.drop());

  async function desk(channels: readonly Channel[] = [logChannel(telemetry)]) {
    const world = testWorld();
    const test = await openTestMailbox(opened.db, { service: 'notifications', migrations, world });
    const context = { mailbox: test.mailbox, telemetry, channels };
    const service = notificationsService(context);
    const { deliveries } = notificationUseCases(context);
    const tell = (type: Topic, more: object = {}, customer: object = {}): Promise<unknown> =>
      deliver(test.mailbox, service, [
        messageOf(world, type, 'ord_1', {
          order_id: 'ord_1',
          number: 'ORD-2026-000001',
          customer: { id: 'ada lovelace', ...customer },
          currency: 'EUR',
          total: 1_250,
          ...more,
        } as never),
      ]);
    const send = <Answer = Thing>(
      method: 'PUT' | 'POST' | 'DELETE',
      path: string,
      params: object,
      body: object = {},
      key?: string,
    ): Promise<Answer> =>
      call(service, method, path, {
        params,
        body,
        ...(key !== undefined && { context: { requestId: 'r', client: 'local', idempotency: { key, hash: JSON.stringify(body) } } }),
      }) as Promise<Answer>;
    return {
      ...test,
      world,
      tell,
      send,
      listed: async () => ((await call(service, 'GET', '/v1/notifications')) as { items: Thing[] }).items,
      wishes: (body: object) => send('PUT', '/v1/customers/{customer_id}/preferences', { customer_id: 'ada lovelace' }, body),
      asked: () => call(service, 'GET', '/v1/customers/{customer_id}/preferences', { params: { customer_id: 'ada lovelace' } }) as Promise<Thing>,
      resend: (id: unknown, body: object = {}, key?: string) =>
        send('POST', '/v1/notifications/{notification_id}/resend', { notification_id: id }, body, key),
      templates: () => call(service, 'GET', '/v1/notification-templates') as Promise<{ items: Thing[] }>,
      async work() {
        const tasks = await test.mailbox.write((unit) => deliveries!.claim(unit, { limit: 200, leaseUntil: unit.now + LEASE_MS }));
        const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await deliveries!.perform(task) })));
        await test.mailbox.write((unit) => deliveries!.conclude(unit, done));
        return done.map(({ outcome }) => outcome);
      },
    };
  }

  it('hear nothing of what they opted out of, which is kept and said to nobody', async () => {
    const { tell, wishes, asked, listed, said } = await desk();
    expect(await asked()).toMatchObject({ opted_out: [], locale: null, version: 0, updated_at: null });
    await wishes({ opted_out: ['order.delivered', 'order.delivered'] });
    expect(await asked()).toMatchObject({ opted_out: ['order.delivered'], version: 1 });
    await tell('order.delivered');
    await tell('order.confirmed');
    expect((await listed()).map(({ topic, status, sent_at }) => [topic, status, sent_at === null])).toEqual([
      ['order.confirmed', 'sent', false],
      ['order.delivered', 'suppressed', true],
    ]);
    expect(said.map(({ type, data }) => [type, (data as Thing)['topic']])).toEqual([['notification.sent', 'order.confirmed']]);
    await wishes({ opted_out: [] });
    await tell('order.delivered');
    expect((await listed())[0]).toMatchObject({ topic: 'order.delivered', status: 'sent' });
  });

  it('read the words of the shop in their language: as they said, else as the order says', async () => {
    const { tell, wishes, listed, send, templates } = await desk();
    const path = '/v1/notification-templates/{topic}/{locale}';
    const write = (locale: string, subject: string): Promise<Thing> =>
      send('PUT', path, { topic: 'order.backordered', locale }, { subject, body: '{{pieces}}' });
    await write('de', 'Wartet: {{order_number}}');
    await write('fr', 'En attente');
    expect(await write('fr', 'Patience')).toMatchObject({ version: 2, variables: expect.arrayContaining(['pieces', 'customer_name']) as string[] });
    await tell('order.backordered', { lines, reason: 'out_of_stock' }, { locale: 'de-AT' });
    await wishes({ locale: 'fr-CA', opted_out: [] });
    await tell('order.backordered', { lines, reason: 'out_of_stock' }, { locale: 'de-AT' });
    expect((await listed()).map(({ subject, body }) => [subject, body])).toEqual([
      ['Patience', '2 × TEA-1'],
      ['Wartet: ORD-2026-000001', '2 × TEA-1'],
    ]);
    await send('DELETE', path, { topic: 'order.backordered', locale: 'fr' });
    expect((await templates()).items).toMatchObject([{ locale: 'de', version: 1 }]);
    await expect(send('DELETE', path, { topic: 'order.backordered', locale: 'fr' })).rejects.toMatchObject({ code: 'template_not_found' });
    await expect(write('de', '{{tracking_number}}')).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('are told once more when a person asks, once for each request', async () => {
    const { tell, wishes, resend, listed, said } = await desk();
    await tell('order.confirmed');
    const [first] = await listed();
    const again = await resend(first!['id'], {}, 'key-1');
    expect(again).toMatchObject({ repeats: first!['id'], status: 'sent', subject: first!['subject'], recipient: 'ada lovelace' });
    expect(await resend(first!['id'], {}, 'key-1')).toEqual(again);
    expect(await listed()).toHaveLength(2);
    expect(said).toHaveLength(2);
    await wishes({ opted_out: ['order.confirmed'] });
    await expect(resend(first!['id'])).rejects.toMatchObject({ code: 'notification_opted_out' });
    expect(await resend(first!['id'], { even_if_opted_out: true })).toMatchObject({ status: 'sent' });
    await expect(resend('ntf_none')).rejects.toMatchObject({ code: 'notification_not_found' });
    expect(await listed()).toHaveLength(3);
  });

  it('are told through a webhook: signed, under one name, tried again until it is taken', async () => {
    const { got, answers, url } = await startReceiver();
    const world = testWorld();
    const channel = webhookChannel({ url, secret: SECRET, now: world.now });
    onTestFinished(() => channel.close());
    const { tell, work, listed, world: clock } = await desk([channel]);
    answers.push(500, 'hang up', 302);
    await tell('order.shipped', { tracking_number: 'WB1' });
    clock.advance(LEASE_MS);
    for (const pause of SEND_AGAIN_MS.slice(0, 3)) {
      expect(await work()).toMatchObject([{ result: 'again' }]);
      clock.advance(pause);
    }
    expect(await work()).toEqual([{ result: 'sent' }]);
    expect(await listed()).toMatchObject([{ channel: 'webhook', status: 'sent', attempts: 4, customer_id: 'ada lovelace' }]);
    expect(got).toHaveLength(4);
    expect(new Set(got.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
    const { headers, body } = got[0]!;
    const expected = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64')).update(
      `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`,
    );
    expect(headers['webhook-signature']).toBe(`v1,${expected.digest('base64')}`);
    expect(JSON.parse(body)).toMatchObject({
      type: 'order.shipped',
      data: { order_id: 'ord_1', subject: 'Your order ORD-2026-000001 is on its way' },
    });
  });

  it('a receiver that is gone is not asked again; what goes another way waits until that is set up', async () => {
    const { answers, url } = await startReceiver();
    const channel = webhookChannel({ url, secret: SECRET, now: testWorld().now });
    onTestFinished(() => channel.close());
    const { tell, work, world, said, resend, listed } = await desk([channel]);
    answers.push(410);
    await tell('order.confirmed');
    world.advance(LEASE_MS);
    await opened.db.write(({ raw }) =>
      raw(
        "insert into notification (id, event_id, order_id, topic, channel, recipient, subject, body, status, due_at, created_at, updated_at) values ('ntf_0_email', 'msg_0', 'ord_0', 'order.confirmed', 'email', 'a@b', 's', 'b', 'pending', 1, 1, 1)",
      ),
    );
    expect(await work()).toMatchObject([{ result: 'refused' }]);
    expect(said).toMatchObject([{ type: 'notification.failed', data: { reason: 'the webhook answered 410' } }]);
    world.advance(10 * LEASE_MS);
    expect(await work()).toEqual([]);
    const failed = (await listed()).find(({ status }) => status === 'failed');
    await resend(failed!['id']);
    await expect(resend('ntf_0_email')).rejects.toMatchObject({ code: 'notification_state' });
    world.advance(LEASE_MS);
    expect(await work()).toEqual([{ result: 'sent' }]);
  });
});
