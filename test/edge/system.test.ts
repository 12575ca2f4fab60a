/** The doors of the system itself, on the whole program. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { until } from '../support/server.ts';
import { TEAPOT, openShop } from '../support/shop.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

interface Health {
  status: string;
  service: string;
  version: string;
  uptime_seconds: number;
  checks: Record<string, { status: string; detail?: string }>;
}

describe('health', () => {
  test.each(['/health', '/health/live', '/health/ready', '/health/db', '/health/queue'])('%s says ok', async (path) => {
    const { status, body } = await app.ask<Health>('GET', path);
    expect([status, body.status, body.service]).toEqual([200, 'ok', 'waybill']);
    expect(body.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('/health names every database, the bus, the disk, the clock and every consumer', async () => {
    const { checks } = await app.get<Health>('/health');
    for (const name of ['orders', 'payments', 'inventory', 'shipping', 'notifications'])
      expect([checks[`database ${name}`], checks[`consumer ${name}`]], name).toEqual([{ status: 'ok' }, { status: 'ok' }]);
    expect([checks['bus'], checks['clock']]).toEqual([{ status: 'ok' }, { status: 'ok' }]);
    expect(checks['disk']?.status).toEqual(expect.stringMatching(/^(ok|degraded)$/));
  });

  test('/metrics is Prometheus text, with what nobody counts while it happens', async () => {
    const { headers, body } = await app.ask<string>('GET', '/metrics');
    expect(headers.get('content-type')).toContain('text/plain');
    for (const line of [
      'waybill_outbox_messages{service="orders"} 0',
      'waybill_dead_letters_open{service="payments"} 0',
      'waybill_queue_messages{queue="shipping"} 0',
    ])
      expect(body).toContain(line);
    expect(body).toMatch(/waybill_http_request_seconds_count\{method="GET",route="\/health",status="200"\} \d/);
  });
});

describe('consumers', () => {
  interface Consumer {
    consumer: string;
    status: string;
    paused: boolean;
    reason: string;
    actor: string;
  }

  test('are paused with a reason, which health repeats, and resumed', async () => {
    const paused = await app.ask<Consumer>(
      'POST',
      '/v1/consumers/notifications/pause',
      { reason: 'mail server moves' },
      { 'operation-name': 'move' },
    );
    expect(paused.body).toMatchObject({ consumer: 'notifications', paused: true, reason: 'mail server moves', actor: 'local: move' });
    const unwell = await app.until<Health>('/health', ({ status }) => status === 'degraded');
    expect(unwell.checks['consumer notifications']).toEqual({ status: 'degraded', detail: 'paused: mail server moves' });
    await app.post('/v1/consumers/notifications/resume');
    await app.until<{ items: Consumer[] }>('/v1/consumers', ({ items }) => items.every(({ status }) => status === 'running'));
  });

  test('are not found by other names, and not paused without a reason', async () => {
    expect(await app.ask('POST', '/v1/consumers/nobody/resume')).toMatchObject({ status: 404, body: { code: 'consumer_not_found' } });
    expect(await app.ask('POST', '/v1/consumers/orders/pause', {})).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'reason', rule: 'is required' }] },
    });
  });
});

describe('dead letters', () => {
  test('there are none at first, and none by that id', async () => {
    expect(await app.get('/v1/dead-letters')).toEqual({ items: [], next_cursor: null });
    expect(await app.get('/v1/dead-letters/groups')).toEqual({ items: [], next_cursor: null });
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/redrive'],
    ] as const)
      expect(await app.ask(method, `/v1/dead-letters/dl_none${path}`), path).toMatchObject({ status: 404, body: { code: 'dead_letter_not_found' } });
    expect(await app.ask('GET', '/v1/dead-letters?cursor=abc')).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  });
});

describe('what people read', () => {
  test('/docs is served from here, and asks no other host', async () => {
    const page = await app.ask<string>('GET', '/docs');
    expect(page.status).toBe(200); // after the redirect to /docs/
    expect(page.body).toContain('js/scalar.js');
    expect(page.body).toMatch(/"withDefaultFonts": false/);
    expect(page.body).toContain('"showDeveloperTools": "never"'); // its buttons would send our document to another host
    expect(page.body).not.toMatch(/(src|href)="https?:/);
    expect(page.headers.get('content-security-policy')).toContain("connect-src 'self'");
    const script = await app.ask<string>('GET', '/docs/js/scalar.js');
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'application/javascript; charset=utf-8']);
  });

  test('/docs/errors explains every code, where the type of a problem points', async () => {
    const { body } = await app.ask<string>('GET', '/docs/errors');
    for (const code of Object.keys(CATALOGUE)) expect(body).toContain(`id="${code}"`);
    expect(body).toContain('named in <code>errors</code>');
    const problem = await app.ask<{ type: string }>('GET', '/nowhere');
    expect(problem.body.type).toBe('/docs/errors#route_not_found');
  });

  test('/ is a page that may run nothing but what stands in it', async () => {
    const { status, headers, body } = await app.ask<string>('GET', '/');
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers.get('content-security-policy')).toMatch(/script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/);
    expect(body).not.toMatch(/https?:\/\//);
    expect(body).not.toMatch(/ on\w+=|style=/); // the policy would refuse them
  });

  test('/favicon.ico is there, because browsers ask for it', async () => {
    const { status, headers } = await app.ask('GET', '/favicon.ico');
    expect([status, headers.get('content-type')]).toEqual([200, 'image/svg+xml']);
  });
});

describe('too much', () => {
  test('new orders are refused while too many messages wait, and taken again afterwards; everything else goes on', async () => {
    const crowded = await startApp({ settings: { SHED_QUEUES: '1' } });
    try {
      const shop = await openShop(crowded);
      await crowded.post('/v1/consumers/inventory/pause', { reason: 'to let messages wait' });
      const order = { customer: { id: 'c' }, currency: 'EUR', lines: [{ sku: TEAPOT, quantity: 1 }] };
      const refused = await until(async () => {
        const answer = await crowded.ask<{ code: string }>('POST', '/v1/orders', order);
        return answer.status === 201 ? undefined : answer;
      }, 'an order is refused');
      expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([503, 'overloaded', '2']);
      expect((await crowded.ask('GET', '/v1/orders')).status).toBe(200);
      expect((await crowded.ask<string>('GET', '/metrics')).body).toContain('waybill_shedding 1');
      await crowded.post('/v1/consumers/inventory/resume');
      const taken = await until(async () => {
        const answer = await crowded.ask<{ id: string }>('POST', '/v1/orders', order);
        return answer.status === 201 ? answer.body : undefined;
      }, 'an order is taken again');
      expect(await shop.order(taken.id)).toMatchObject({ id: taken.id });
    } finally {
      await crowded.stop();
    }
  });
});
