/** The one address of the split shape: what it passes on as it is, and what it answers itself. */
import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realWorld } from '../../src/kernel/world.ts';
import { type ProcessEntry, answering, configOfFront, readProcesses } from '../../scripts/split/processes.ts';
import { type Router, openRouter } from '../../scripts/split/router.ts';

describe('the router', () => {
  let upstream: Server;
  let router: Router;
  let away = false;
  beforeEach(async () => {
    upstream = createServer((asked, answer) => {
      if (asked.url === '/cut') return void asked.socket.destroy();
      if (asked.url === '/stream') return void answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      void text(asked).then((body) => {
        answer.writeHead(201, { 'content-type': 'application/json', 'x-own': 'yes' });
        answer.end(JSON.stringify({ method: asked.method, url: asked.url, headers: asked.headers, body }));
      });
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    away = false;
    router = await openRouter({ host: '127.0.0.1', port: 0, world: realWorld(), route: () => ({ name: 'one', url: away ? undefined : url }) });
    await router.start();
  });
  afterEach(async () => {
    upstream.closeAllConnections();
    upstream.close();
    await router.stop();
  });

  async function send(path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<IncomingMessage> {
    const { body, ...rest } = options;
    const asked = request({ host: '127.0.0.1', port: router.port(), path, ...rest });
    asked.end(body);
    return ((await once(asked, 'response')) as [IncomingMessage])[0];
  }

  test('passes method, path, query, headers, host and body on, and the answer back', async () => {
    const body = JSON.stringify({ any: 'thing', 'not json': '\u0000' }).slice(0, -1); // passed on unread, so nothing has to be right about it
    const headers = { host: 'shop.example', 'content-type': 'text/odd', 'idempotency-key': 'k 1', connection: 'keep-alive, x-hop', 'x-hop': '1' };
    const answer = await send('/v1/orders?limit=2&q=%20', { method: 'PATCH', headers, body });
    expect([answer.statusCode, answer.headers['x-own']]).toEqual([201, 'yes']);
    const seen = JSON.parse(await text(answer)) as { headers: Record<string, string> };
    expect(seen).toMatchObject({ method: 'PATCH', url: '/v1/orders?limit=2&q=%20', body });
    expect(seen.headers).toMatchObject({
      host: 'shop.example',
      'content-type': 'text/odd',
      'idempotency-key': 'k 1',
      'x-forwarded-for': '127.0.0.1',
    });
    expect(seen.headers).not.toHaveProperty('x-hop');
  });

  test('passes a stream on as it comes', async () => {
    const answer = await send('/stream');
    const [first] = (await once(answer, 'data')) as [Buffer];
    expect(String(first)).toBe('data: first\n\n');
    answer.destroy();
  });

  test('answers for a process that is away, or that hangs up, as something to be tried again', async () => {
    for (const path of ['/cut', '/away']) {
      away = path === '/away';
      const answer = await send(path, { method: 'POST', body: '{}' });
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(JSON.parse(await text(answer))).toMatchObject({ code: 'unavailable', retryable: true });
    }
  });
});

describe('the processes', () => {
  const entry = (name: string, ...paths: string[]): ProcessEntry => ({ name, settings: {}, paths });
  const names = (entries: readonly ProcessEntry[], ...paths: string[]) => paths.map((path) => answering(entries, path)?.name);

  test('the longest path that begins the request, in whole segments, decides', () => {
    const entries = [entry('rest', '/'), entry('orders', '/v1/orders'), entry('drafts', '/v1/orders/drafts')];
    const asked = ['/v1/orders', '/v1/orders/ord_1', '/v1/orders/drafts/1', '/v1/orders-old', '/v1', '/'];
    expect(names(entries, ...asked)).toEqual(['orders', 'orders', 'drafts', 'rest', 'rest', 'rest']);
    expect(names([entry('orders', '/v1/orders')], '/other')).toEqual([undefined]);
  });

  const shared = { DATABASE_URL: 'postgres://127.0.0.1/x', AMQP_URL: 'amqp://guest:guest@127.0.0.1' };
  test('those there are do the work of every service', () => {
    expect(configOfFront(readProcesses(), { ...shared, PORT: '9000' })).toMatchObject({ port: 9000 });
    const without = readProcesses().filter(({ name }) => name !== 'payments');
    expect(() => configOfFront(without, shared)).toThrow('deploy/processes.json has no process that runs the part relay of payments.');
  });

  test('what is wrong with the settings of one is said with its name, and what they need of all', () => {
    const wrong = [{ ...entry('orders'), settings: { SERVICES: 'orders,invoices' } }];
    expect(() => configOfFront(wrong, shared)).toThrow('orders: SERVICES does not know "invoices"');
    expect(() => configOfFront(readProcesses(), { AMQP_URL: shared.AMQP_URL })).toThrow('DATABASE_URL must be set');
  });
});
