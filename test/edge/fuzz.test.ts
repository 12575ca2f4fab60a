/**
 * Every route of the reference, asked wrongly in many ways: the answer is always a problem document with a code, never a bug's, and it
 * always comes. What is sent follows from a seed, so that a failure can be had again.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { postgresUrl } from '../support/databases.ts';
import { testWorld } from '../support/world.ts';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly example: unknown;
  readonly query: readonly string[];
}
interface Reference {
  readonly paths: Record<
    string,
    Record<string, { parameters?: { name: string; in: string }[]; requestBody?: { content: Record<string, { example?: unknown }> } }>
  >;
}

const BODIES_EACH = 120;
const DEEP = 50_000;
/** Enough to see what is wrong. */
const SHOWN = 12;
const world = testWorld(20_261_121);
const pick = <T>(values: readonly T[]): T => values[Math.floor(world.random() * values.length)]!;

// Written as JSON, because much of it is not what JSON.stringify would write.
const VALUES: readonly string[] = [
  'null',
  'true',
  '0',
  '-1',
  '1.5',
  '-0',
  '1e400',
  '-1e400',
  '1e15',
  '9007199254740993',
  '123456789012345678901234567890',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '""',
  '" "',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '"\\u202e"',
  '"\\ufeff"',
  '"\\r\\nSet-Cookie: a=b"',
  '"🛒"',
  '"ı̇ß"',
  '"\'; drop table orders; --"',
  '"%00"',
  '"../../etc/passwd"',
  '"__proto__"',
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{"admin":true}}}',
  '{"toString":1}',
  '{"length":-1}',
  '"2026-13-45T99:99:99Z"',
  `"${'x'.repeat(10_000)}"`,
  `"${'é'.repeat(300)}"`,
  `[${'1,'.repeat(2_000)}1]`,
  `${'['.repeat(200)}${']'.repeat(200)}`,
];
const TEXTS: readonly string[] = [
  '%00',
  '%ff',
  '%ED%A0%80',
  '..%2f..%2f',
  '%F0%9F%9B%92',
  'null',
  '-1',
  '1e9',
  '%20',
  '__proto__',
  'constructor',
  'x'.repeat(300),
  "'%20or%201=1",
  'ord_%00',
  '%2527',
  '%7B%7D',
  ...[
    '[]',
    '[null]',
    '[1]',
    '["a","b","c"]',
    '{"0":"a"}',
    '[1e400]',
    '["\\ud800"]',
    '[9007199254740993,"a"]',
    '[-1]',
    '"a"',
    '["\\u0000"]',
    '[["a"]]',
  ].map((text) => Buffer.from(text).toString('base64url')),
];

let app: TestApp;
let operations: Operation[];
async function open(postgres: string | undefined): Promise<void> {
  app = await startApp({ settings: { LOG_LEVEL: 'silent' }, postgres });
  const { paths } = await app.get<Reference>('/openapi.json');
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      example: requestBody?.content['application/json']?.example,
      query: parameters.filter((one) => one.in === 'query').map(({ name }) => name),
    })),
  );
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** What is wrong with the answer; undefined when it is as it must be. `mayWork`: a success is no surprise. */
async function complaint({ method, path, body, headers }: Asked, mayWork = false): Promise<string | undefined> {
  const about = `${method} ${path.slice(0, 120)} ${JSON.stringify(headers ?? {}).slice(0, 120)} ${body?.slice(0, 200) ?? ''}`;
  const answer = await fetch(app.url() + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(10_000),
    redirect: 'manual',
  });
  const text = await answer.text();
  if (answer.status < 400) return mayWork ? undefined : `${about}: is taken (${answer.status})`;
  if (answer.status >= 500) return `${about}: ${answer.status} ${text}`;
  if (method === 'HEAD') return undefined;
  if (answer.headers.get('content-type')?.startsWith('application/problem+json') !== true)
    return `${about}: ${answer.status} ${answer.headers.get('content-type')} ${text.slice(0, 100)}`;
  const { code, status } = JSON.parse(text) as { code: string; status: number };
  return Object.hasOwn(CATALOGUE, code) && status === answer.status ? undefined : `${about}: ${text}`;
}

async function complaints(asked: Iterable<Asked>, mayWork = false): Promise<string[]> {
  const found: string[] = [];
  for (const one of asked) {
    const wrong = await complaint(one, mayWork).catch(
      (error: unknown) => `${one.method} ${one.path.slice(0, 120)} ${one.body?.slice(0, 200)}: ${String(error)}`,
    );
    if (wrong !== undefined) found.push(wrong);
    if (found.length === SHOWN) break;
  }
  return found;
}

const filled = (path: string, value = 'x_1'): string => path.replaceAll(/\{\w+\}/g, () => value);
const routes = (): Operation[] => operations.filter(({ path }) => path.startsWith('/v1/'));
const writes = (): Operation[] => routes().filter(({ method }) => method !== 'GET');

/** The example with one of its values, wherever it is, replaced by a strange one, dropped, or joined by an unknown one. */
function spoilt(example: unknown): string {
  const places: (readonly (string | number)[])[] = [];
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    places.push(path);
    if (typeof value === 'object' && value !== null)
      for (const key of Object.keys(value)) walk((value as Record<string, unknown>)[key], [...path, Array.isArray(value) ? Number(key) : key]);
  };
  walk(example, []);
  const place = pick(places).join('.');
  const strange = pick(VALUES);
  const write = (value: unknown, path: readonly (string | number)[]): string => {
    if (path.join('.') === place) return world.random() < 0.2 && typeof value === 'object' && value !== null ? joined(value, strange) : strange;
    if (Array.isArray(value)) return `[${value.map((inner, i) => write(inner, [...path, i])).join(',')}]`;
    if (typeof value === 'object' && value !== null)
      return `{${Object.entries(value)
        .map(([key, inner]) => `${JSON.stringify(key)}:${write(inner, [...path, key])}`)
        .join(',')}}`;
    return JSON.stringify(value);
  };
  return write(example, []);
}

/** Another field in front: an unknown one, one that pollutes, or one that is there twice. */
function joined(value: object, strange: string): string {
  const text = JSON.stringify(value);
  if (Array.isArray(value)) return `[${strange},${text.slice(1)}`.replace(',]', ']');
  const name = pick(['__proto__', 'constructor', 'toString', '\\u0000', '', 'x'.repeat(5_000), ...Object.keys(value)]);
  return `{"${name}":${strange},${text.slice(1)}`.replace(',}', '}');
}

const grounds = [{ name: 'SQLite', postgres: undefined }, ...(postgresUrl === undefined ? [] : [{ name: 'PostgreSQL', postgres: postgresUrl }])];

// Thousands of requests, and more with each route.
describe.each(grounds)('asked wrongly, on $name', { timeout: 90_000 }, ({ postgres }) => {
  beforeAll(() => open(postgres));
  afterAll(() => app.stop());

  test('with spoilt bodies', async () => {
    const asked = writes()
      .filter(({ example }) => example !== undefined)
      .flatMap(({ method, path, example }) =>
        Array.from({ length: BODIES_EACH }, () => ({
          method,
          path: filled(path),
          body: spoilt(example),
          ...(world.random() < 0.3 ? { headers: { 'idempotency-key': `k${Math.floor(world.random() * 1e9)}` } } : {}),
        })),
      );
    expect(asked.length).toBeGreaterThan(1_000);
    expect(await complaints(asked, true)).toEqual([]);
  });

  test('with bodies that are none, too deep, or of another type, which change nothing', async () => {
    const texts = ['{', '[1,]', 'NaN', "{'a':1}", '\u0000', '{"a":1}{"b":2}', '"', '\ufeff{}', 'undefined', '[]', '1', '"text"', 'null', 'true'];
    const deep = ['[', '{"a":'].flatMap((open) => [
      open.repeat(DEEP) + (open === '[' ? ']' : '1' + '}').repeat(1),
      `${open.repeat(DEEP)}1${(open === '[' ? ']' : '}').repeat(DEEP)}`,
    ]);
    const asked = writes().flatMap(({ method, path }) => [
      ...[...texts, ...deep].flatMap((body) => [
        { method, path: filled(path), body },
        { method, path: filled(path), body, headers: { 'idempotency-key': `n${Math.floor(world.random() * 1e9)}` } },
      ]),
      ...deep
        .slice(1)
        .map((body) => ({ method, path: filled(path), body: `{"ship_to":${body},"lines":${body}}`, headers: { 'idempotency-key': 'deep' } })),
      ...[
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=utf-16',
        'application/xml',
        '',
        ';',
        'application/json;;;',
        'a'.repeat(4_000),
      ].map((type) => ({
        method,
        path: filled(path),
        body: '"wrong"',
        headers: { 'content-type': type },
      })),
      { method, path: filled(path), body: `"${'x'.repeat(1_100_000)}"` },
    ]);
    expect(await complaints(asked)).toEqual([]);
  });

  test('with ids, filters and cursors nobody gave out', async () => {
    const asked = routes().flatMap(({ method, path, query }) => [
      ...(path.includes('{') ? TEXTS.map((text) => ({ method, path: filled(path, text) })) : []),
      ...query.flatMap((name) => TEXTS.map((text) => ({ method, path: `${filled(path)}?${name}=${text}` }))),
      ...query.map((name) => ({ method, path: `${filled(path)}?${name}=a&${name}=b` })),
      { method, path: `${filled(path)}?__proto__=1&constructor=2&unknown=3` },
    ]);
    expect(await complaints(asked, true)).toEqual([]);
  });

  test('with methods and headers nobody expects', async () => {
    const paths = [...new Set(operations.map(({ path }) => filled(path)))];
    const methods = paths.flatMap((path) => ['HEAD', 'OPTIONS', 'PATCH', 'PUT', 'DELETE', 'POST', 'PROPFIND'].map((method) => ({ method, path })));
    const headers = writes().flatMap(({ method, path }) =>
      [
        { 'idempotency-key': 'x'.repeat(256) },
        { 'idempotency-key': 'with space' },
        { 'idempotency-key': 'é' },
        { 'operation-name': 'x'.repeat(129) },
        { 'x-request-id': 'x'.repeat(9_000) },
        { cookie: 'a=b; '.repeat(1_000) },
        { origin: 'http://evil.example' },
        { origin: 'null' },
        { 'content-length': '5', 'x-http-method-override': 'DELETE' },
      ].map((one) => ({ method, path: filled(path), headers: one as Record<string, string>, body: '12345' })),
    );
    expect(await complaints([...methods, ...headers], true)).toEqual([]);
  });

  test('with what is hardly HTTP', async () => {
    const { port } = new URL(app.url());
    const host = `Host: 127.0.0.1:${port}\r\n`;
    const sent = [
      'nonsense\r\n\r\n',
      `GET / HTTP/9.9\r\n${host}\r\n`,
      `TRACE /v1/orders HTTP/1.1\r\n${host}\r\n`,
      `GET /v1/orders HTTP/1.1\r\n\r\n`,
      `GET /v1/orders/${'%'.repeat(50)} HTTP/1.1\r\n${host}\r\n`,
      `GET /v1/${'x'.repeat(70_000)} HTTP/1.1\r\n${host}\r\n`,
      `GET /v1/orders HTTP/1.1\r\n${host}X: ${'x'.repeat(70_000)}\r\n\r\n`,
      `GET /v1/orders HTTP/1.1\r\n${host}X: \u0000\r\n\r\n`,
      `POST /v1/orders HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: -1\r\n\r\n`,
      `POST /v1/orders HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /v1/orders HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `GET http://evil.example/v1/orders HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    ];
    const answers = await Promise.all(sent.map((text) => talk(Number(port), text)));
    for (const [i, answer] of answers.entries()) {
      expect(answer, sent[i]!.slice(0, 100)).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer.toLowerCase(), sent[i]!.slice(0, 100)).toContain('content-type: application/problem+json');
    }
  });

  test('and after all that it works, holds nothing anybody did not ask for properly, and its books agree', async () => {
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    const { status } = await app.get<{ status: string }>('/health');
    expect(status).toBe('ok');
    expect(await app.get<{ items: unknown[] }>('/v1/dead-letters')).toMatchObject({ items: [] });
    expect(await app.get('/v1/audit?fresh=true')).toMatchObject({ ok: true, violations: 0 });
  });
});

/** Sends text on a connection of its own and answers all that comes back. */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    let answer = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${text.slice(0, 100)}`)));
    socket.setEncoding('utf8').on('data', (part: string) => {
      answer += part;
      if (/\r\n\r\n[\s\S]/.test(answer)) socket.end();
    });
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
    socket.on('close', () => resolve(answer));
  });
}
