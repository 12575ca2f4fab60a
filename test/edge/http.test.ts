import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { fileSchema } from '../../src/contracts/rest.ts';
import { type Edge, type EdgeOptions, openEdge } from '../../src/edge/http.ts';
import { Fault, Refusal } from '../../src/kernel/errors.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { type RequestContext, type Route, route } from '../../src/messaging/service.ts';

const line = z.object({ sku: z.string().min(1), quantity: z.int().min(1).max(99) });
const order = z.object({ id: z.string(), lines: z.array(line) });

let seen: RequestContext | undefined;
let hold: Promise<void> | undefined;
let entered: (() => void) | undefined;

/** A service as small as can be, with every way a use-case may end. */
const routes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/orders',
    tag: 'orders',
    summary: 'Place',
    body: z.object({ lines: z.array(line).min(1).max(3), note: z.string().optional(), kind: z.enum(['a', 'b']).default('a') }),
    output: order,
    answers: 'created',
    async handle({ body, context }) {
      seen = context;
      entered?.();
      await hold;
      return { id: 'ord_1', lines: body.lines };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/orders/{id}',
    tag: 'orders',
    summary: 'Read',
    params: z.object({ id: z.string() }),
    query: z.object({ limit: z.coerce.number().int().min(1).max(200).default(50) }),
    output: z.object({ id: z.string(), limit: z.int() }),
    answers: 'ok',
    async handle({ params, query }) {
      if (params.id === 'gone') throw new Refusal('order_not_found', 'there is no order gone');
      if (params.id === 'bug') throw new Error('select secret from passwords');
      if (params.id === 'away') throw new Fault('unavailable', 'connect to db.internal:5432 failed');
      if (params.id === 'leak') return { id: 'x', limit: 1, token: 'hidden' };
      return { id: params.id, limit: query.limit };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/orders/{id}/cancel',
    tag: 'orders',
    summary: 'Cancel',
    params: z.object({ id: z.string() }),
    body: z.object({ reason: z.string().optional() }),
    output: z.object({ reason: z.string() }),
    answers: 'ok',
    async handle({ body }) {
      return { reason: body.reason ?? 'none' };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/orders/{id}/paper',
    tag: 'orders',
    summary: 'Print',
    params: z.object({ id: z.string() }),
    output: fileSchema(['application/pdf']),
    answers: 'file',
    handle: async ({ params }) => ({ type: params.id, body: new Uint8Array([0, 255]), sha256: 'abc', name: 'paper.pdf' }),
  }),
];

let edge: Edge | undefined;
async function open(options: Partial<EdgeOptions> = {}): Promise<string> {
  edge = openEdge({
    world: realWorld(),
    telemetry: createTelemetry({ level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    routes,
    doors: [
      {
        path: '/page',
        answer: async () => ({ status: 200, type: 'text/html', body: '<p>', headers: { 'content-security-policy': "default-src 'self'" } }),
      },
    ],
    localOnly: true,
    checkAnswers: true,
    ...options,
  });
  await edge.start();
  return edge.url();
}
afterEach(async () => {
  hold = entered = seen = undefined;
  await edge?.stop();
});

const post = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
interface ProblemBody {
  code: string;
  detail: string;
  status: number;
  request_id: string;
  retryable: boolean;
  errors: { field: string; rule: string; remedy?: string }[];
}
const problem = async (answer: Response): Promise<ProblemBody> => {
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const body = (await answer.json()) as ProblemBody;
  expect(body.status).toBe(answer.status);
  return body;
};
const ONE = { lines: [{ sku: 'A', quantity: 1 }] };

describe('answers', () => {
  test('201 with Location for what was made, 200 otherwise, and the headers that keep browsers honest', async () => {
    const url = await open();
    const made = await post(`${url}/v1/orders`, ONE);
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe('/v1/orders/ord_1');
    expect(await made.json()).toEqual({ id: 'ord_1', lines: [{ sku: 'A', quantity: 1 }] });
    const read = await fetch(`${url}/v1/orders/ord_1?limit=7`);
    expect(read.status).toBe(200);
    expect(await read.json()).toEqual({ id: 'ord_1', limit: 7 });
    expect(Object.fromEntries(read.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(read.headers.get('x-request-id')).toMatch(/^req_/);
  });

  test('HEAD is GET without the body; a door sets its own policy', async () => {
    const url = await open();
    const head = await fetch(`${url}/v1/orders/ord_1`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const page = await fetch(`${url}/page`);
    expect([await page.text(), page.headers.get('content-security-policy')]).toEqual(['<p>', "default-src 'self'"]);
  });

  test('a body may be left out where nothing in it is required', async () => {
    const url = await open();
    for (const init of [{}, { headers: { 'content-type': 'application/json' } }]) {
      const answer = await fetch(`${url}/v1/orders/ord_1/cancel`, { method: 'POST', ...init });
      expect(await answer.json()).toEqual({ reason: 'none' });
    }
  });

  test('a field the schema does not name stays in, loudly', async () => {
    const answer = await fetch(`${await open()}/v1/orders/leak`);
    expect(await problem(answer)).toMatchObject({ code: 'internal' });
  });
});

describe('refusals', () => {
  test('every broken rule at once, with its field, its rule and its remedy', async () => {
    const url = await open();
    const answer = await post(`${url}/v1/orders`, { lines: [{ sku: '', quantity: 1.5 }, { quantity: 100 }], kind: 'c' });
    expect(answer.status).toBe(400);
    const body = await problem(answer);
    expect(body).toMatchObject({ code: 'invalid_request', retryable: false, detail: 'lines.0.sku must not be empty, and 4 more' });
    expect(body.errors).toEqual([
      { field: 'lines.0.sku', rule: 'must not be empty', remedy: 'Send a text.' },
      { field: 'lines.0.quantity', rule: 'must be a whole number', remedy: 'Send a whole number.' },
      { field: 'lines.1.sku', rule: 'is required', remedy: 'Send a text.' },
      { field: 'lines.1.quantity', rule: 'must be at most 99', remedy: 'Send at most 99.' },
      { field: 'kind', rule: 'must be one of a, b', remedy: 'Send one of a, b.' },
    ]);
  });

  test('quotes are named where there are some', async () => {
    const answer = await post(`${await open()}/v1/orders`, { lines: [{ sku: 'A', quantity: '2' }], kind: 'a' });
    expect((await problem(answer)).errors).toMatchObject([
      { field: 'lines.0.quantity', remedy: expect.stringMatching(/^Send a .*number, without quotes\.$/) },
    ]);
  });

  test.each([
    ['no body', undefined, 'lines', 'is required'],
    ['an array in place of the body', [], '', 'must be an object'],
    ['null in place of the body', null, '', 'must be an object'],
    ['an empty list', { lines: [] }, 'lines', 'must have at least 1 item'],
    ['too long a list', { lines: [ONE.lines[0], ONE.lines[0], ONE.lines[0], ONE.lines[0]] }, 'lines', 'must have at most 3 items'],
    ['a misspelt field', { ...ONE, nota: 'x' }, 'nota', 'is not a field of this request'],
    ['a misspelt field of a line', { lines: [{ sku: 'A', quantity: 1, prize: 2 }] }, 'lines.0.prize', 'is not a field of this request'],
  ])('%s', async (_, body, field, rule) => {
    const answer = await post(`${await open()}/v1/orders`, body === undefined ? '' : JSON.stringify(body));
    expect((await problem(answer)).errors[0]).toMatchObject({ field, rule });
  });

  test('an unknown or wrong query parameter', async () => {
    const url = await open();
    expect((await problem(await fetch(`${url}/v1/orders/x?limt=5`))).errors[0]).toMatchObject({
      field: 'limt',
      rule: 'is not a field of this request',
    });
    expect((await problem(await fetch(`${url}/v1/orders/x?limit=all`))).errors[0]).toMatchObject({ field: 'limit', rule: 'must be a number' });
  });

  test.each([
    ['malformed JSON', '{"lines":', 'application/json', 400, 'malformed_body'],
    ['a prototype in the body', '{"__proto__":{"a":1},"lines":[]}', 'application/json', 400, 'malformed_body'],
    ['a form', 'lines=1', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['a text', JSON.stringify(ONE), 'text/plain', 415, 'unsupported_media_type'],
    ['more than a mebibyte', `{"note":"${'x'.repeat(1_048_576)}"}`, 'application/json', 413, 'body_too_large'],
  ])('%s', async (_, body, type, status, code) => {
    const answer = await post(`${await open()}/v1/orders`, body, { 'content-type': type });
    expect(answer.status).toBe(status);
    expect((await problem(answer)).code).toBe(code);
  });

  test('an unknown path, a wrong method, a path that cannot be decoded', async () => {
    const url = await open();
    expect(await problem(await fetch(`${url}/v2/orders`))).toMatchObject({ code: 'route_not_found', status: 404 });
    const wrong = await fetch(`${url}/v1/orders/x`, { method: 'DELETE' });
    expect(wrong.headers.get('allow')).toBe('GET, HEAD');
    expect(await problem(wrong)).toMatchObject({ code: 'method_not_allowed', status: 405 });
    expect(await problem(await fetch(`${url}/v1/orders/%E0%A4%A`))).toMatchObject({ code: 'malformed_request', status: 400 });
  });

  test('what the business refuses goes out in its own words', async () => {
    expect(await problem(await fetch(`${await open()}/v1/orders/gone`))).toMatchObject({
      code: 'order_not_found',
      status: 404,
      detail: 'there is no order gone',
    });
  });

  test('what breaks inside says nothing of the inside', async () => {
    const url = await open();
    const bug = await fetch(`${url}/v1/orders/bug`);
    expect(bug.status).toBe(500);
    expect(JSON.stringify(await problem(bug))).not.toMatch(/secret|passwords|\.ts/);
    const away = await fetch(`${url}/v1/orders/away`);
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '1']);
    expect(JSON.stringify(await problem(away))).not.toContain('db.internal');
  });

  test('a head that is no HTTP, or too large', async () => {
    const { port } = new URL(await open());
    const raw = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let answer = '';
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
        socket
          .on('data', (data) => (answer += data.toString()))
          .on('close', () => resolve(answer))
          .on('error', reject);
      });
    expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"code":"malformed_request"/s);
    expect(await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`)).toContain('malformed_request');
  });
});

describe('who may ask', () => {
  const ask = (url: string, headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      httpRequest(`${url}/v1/orders/x`, { headers }, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });

  test('without keys only this machine by its own names, and no page of another site', async () => {
    const url = await open();
    const { port } = new URL(url);
    expect(await ask(url, { host: `localhost:${port}` })).toBe(200);
    expect(await ask(url, { host: `[::1]:${port}` })).toBe(200);
    expect(await ask(url, { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` })).toBe(200);
    expect(await ask(url, { host: 'shop.example' })).toBe(403);
    expect(await ask(url, { host: 'localhost.example' })).toBe(403);
    expect(await ask(url, { host: `127.0.0.1:${port}`, origin: 'https://shop.example' })).toBe(403);
    expect(await ask(url, { host: `127.0.0.1:${port}`, origin: 'null' })).toBe(403);
  });

  test("behind somebody else's protection, by any name", async () => {
    const url = await open({ localOnly: false });
    expect(await ask(url, { host: 'shop.example' })).toBe(200);
    expect(await ask(url, { host: 'shop.example', origin: 'https://shop.example' })).toBe(200);
    expect(await ask(url, { host: 'upstream:8000', 'x-forwarded-host': 'shop.example', origin: 'https://shop.example' })).toBe(200);
    expect(await ask(url, { host: 'shop.example', origin: 'https://other.example' })).toBe(403);
  });
});

describe('the context of a request', () => {
  test("takes the caller's request id if it is sane, its operation and its key", async () => {
    const url = await open();
    const answer = await post(`${url}/v1/orders`, ONE, { 'x-request-id': 'abc-1', 'operation-name': 'évening run', 'idempotency-key': 'k1' });
    expect(answer.headers.get('x-request-id')).toBe('abc-1');
    expect(seen).toMatchObject({ requestId: 'abc-1', client: 'local', idempotency: { key: 'k1', hash: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    const other = await post(`${url}/v1/orders`, ONE, { 'x-request-id': 'a b' });
    expect(other.headers.get('x-request-id')).toMatch(/^req_/);
    expect(seen).not.toHaveProperty('idempotency');
  });

  test('the hash of a request does not see spaces and the order of fields, and sees everything else', async () => {
    const url = await open();
    const hashOf = async (body: string): Promise<string | undefined> => {
      await post(`${url}/v1/orders`, body, { 'idempotency-key': 'k' });
      return seen?.idempotency?.hash;
    };
    const first = await hashOf('{"note":"n","lines":[{"sku":"A","quantity":1}]}');
    expect(await hashOf('{ "lines": [{"quantity":1, "sku":"A"}], "note":"n" }')).toBe(first);
    expect(await hashOf('{"note":"m","lines":[{"sku":"A","quantity":1}]}')).not.toBe(first);
  });

  test.each([
    ['idempotency-key', 'x'.repeat(256)],
    ['idempotency-key', 'two words'],
    ['operation-name', 'x'.repeat(129)],
  ])('refuses %s: %s', async (name, value) => {
    const answer = await post(`${await open()}/v1/orders`, ONE, { [name]: value });
    expect((await problem(answer)).errors[0]).toMatchObject({ field: name });
  });

  test('refuses a second request with a key whose first one is still running, and another key not', async () => {
    const url = await open();
    let release = (): void => undefined;
    hold = new Promise((resolve) => (release = resolve));
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const first = post(`${url}/v1/orders`, ONE, { 'idempotency-key': 'k' });
    await inside;
    const second = await post(`${url}/v1/orders`, ONE, { 'idempotency-key': 'k' });
    expect([second.status, second.headers.get('retry-after'), (await problem(second)).code]).toEqual([409, '1', 'idempotency_in_progress']);
    const other = post(`${url}/v1/orders`, ONE, { 'idempotency-key': 'k2' });
    release();
    expect([(await first).status, (await other).status]).toEqual([201, 201]);
    expect((await post(`${url}/v1/orders`, ONE, { 'idempotency-key': 'k' })).status).toBe(201);
  });
});

describe('load and end', () => {
  test('sheds new orders and nothing else', async () => {
    const url = await open({ overloaded: () => 3 });
    const shed = await post(`${url}/v1/orders`, ONE);
    expect([shed.status, shed.headers.get('retry-after'), (await problem(shed)).code]).toEqual([503, '3', 'overloaded']);
    expect((await post(`${url}/v1/orders/x/cancel`, {})).status).toBe(200);
    expect((await fetch(`${url}/v1/orders/x`)).status).toBe(200);
  });

  test('a stop waits for the answer under way', async () => {
    const url = await open();
    let release = (): void => undefined;
    hold = new Promise((resolve) => (release = resolve));
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const answer = post(`${url}/v1/orders`, ONE);
    await inside;
    const stopped = edge!.stop();
    release();
    expect((await answer).status).toBe(201);
    await stopped;
    await expect(fetch(`${url}/v1/orders/x`)).rejects.toThrow();
  });
});

test('a document is answered as it is, and of a type its route names', async () => {
  const url = await open();
  const answer = await fetch(`${url}/v1/orders/application%2Fpdf/paper`);
  expect(answer.status).toBe(200);
  expect(['content-type', 'content-disposition', 'etag'].map((name) => answer.headers.get(name))).toEqual([
    'application/pdf',
    'inline; filename="paper.pdf"',
    '"abc"',
  ]);
  expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual([0, 255]);
  expect((await fetch(`${url}/v1/orders/text%2Fhtml/paper`)).status).toBe(500);
});
