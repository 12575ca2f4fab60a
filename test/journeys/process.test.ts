/**
 * The program as a process: how it starts, what it says when it cannot, and how it ends.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OpenGround, onEveryGround } from '../support/grounds.ts';
import { SERVICES } from '../../src/config.ts';
import { type Server, startServer, until } from '../support/server.ts';

let folder: string;
let servers: Server[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-process-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const dataFolder = (): string => join(folder, 'data');

async function start(env: Record<string, string> = {}, dataDir = dataFolder()): Promise<Server> {
  const server = await startServer({ dataDir, env });
  servers.push(server);
  return server;
}
/** What a start that fails prints, and its exit code. */
async function refusal(env: Record<string, string>, dataDir?: string): Promise<string> {
  const error: unknown = await start(env, dataDir).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return (error as Error).message;
}
const withoutStack = (text: string): void => expect(text).not.toMatch(/\n\s+at /);

describe('a start', () => {
  test('keeps the data from others', async () => {
    await start();
    expect((await stat(dataFolder())).mode & 0o777).toBe(0o700);
  });

  test('with settings that cannot work names all of them and exits with 78', async () => {
    const text = await refusal({ HOST: '0.0.0.0', PARTS: 'api' });
    expect(text).toContain('ended (78)');
    expect(text).toContain('ALLOW_UNPROTECTED=true');
    expect(text).toContain('PARTS leaves out relay, worker');
    withoutStack(text);
  });

  test('on a port in use says so', async () => {
    const first = await start();
    const text = await refusal({ PORT: new URL(first.url).port }, join(folder, 'other'));
    expect(text).toContain('ended (1)');
    expect(text).toMatch(/waybill: port \d+ of 127\.0\.0\.1 is in use\. .* set PORT to another one/);
    withoutStack(text);
  });

  test('on a folder another process uses says so, and leaves that process alone', async () => {
    const first = await start();
    const text = await refusal({});
    expect(text).toMatch(/waybill: another process is using .*bus\.db: stop it first/);
    withoutStack(text);
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
  });

  test('in a place that cannot be written says so', async () => {
    await writeFile(join(folder, 'file'), '');
    const place = join(folder, 'file', 'data');
    const text = await refusal({}, place);
    expect(text).toContain(`waybill: the data folder ${place} cannot be written`);
    withoutStack(text);
  });
});

onEveryGround((ground) => {
  let opened: OpenGround;
  beforeEach(async () => {
    opened = await ground.open();
  });
  // After the file's own, which stops the servers.
  afterEach(() => opened.remove());
  const startHere = (env: Record<string, string> = {}): Promise<Server> => start({ ...opened.settings, ...env });

  test('a start says in one line where it is and where its data is', async () => {
    const server = await startHere();
    const folder = dataFolder();
    const { DATABASE_URL: database, AMQP_URL: broker } = opened.settings;
    const at = database && `PostgreSQL at ${new URL(database).host}`;
    const data = at === undefined ? folder : broker === undefined ? `${at} and ${folder}` : at;
    expect(server.output()).toBe(`Waybill 0.1.0 is at ${server.url} (reference: /docs), its data in ${data}. Ctrl-C stops it.\n`);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('an end by %s drains and exits with 0', async (signal) => {
    expect(await (await startHere()).stop(signal)).toEqual({ code: 0, signal: null });
  });

  test('an end that takes too long is cut short by a second signal, and says so', async () => {
    const server = await startHere({ WAYBILL_FAILPOINTS: 'consumer.in_tx=hang' });
    const product = { sku: 'A', name: 'A', price: 1, currency: 'EUR' };
    await fetch(`${server.url}/v1/products`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(product) });
    await until(
      async () =>
        ((await (await fetch(`${server.url}/v1/consumers`)).json()) as { items: { depth: number }[] }).items.some(({ depth }) => depth > 0) ||
        undefined,
      'a consumer hangs',
    );
    // Signals that come in the first half second are the same wish: it goes on asking.
    const ended = await until(async () => (server.process.kill('SIGTERM') ? undefined : server.ended), 'the server has gone');
    expect(ended).toEqual({ code: 1, signal: null });
    expect(server.output()).toContain('waybill: stopped at once. Nothing accepted is lost');
  });

  test('an end by kill -9 leaves nothing that has to be removed by hand', async () => {
    const server = await startHere();
    await server.stop('SIGKILL');
    expect((await fetch(`${(await startHere()).url}/health`)).status).toBe(200);
  });
});

describe('threads', () => {
  test.each(['1', '2'])('with %s, everything runs, can be paused, and is counted in one place', async (threads) => {
    const { url } = await start({ THREADS: threads });
    const consumers = async (): Promise<Record<string, string>> => {
      const { items } = (await (await fetch(`${url}/v1/consumers`)).json()) as { items: { consumer: string; status: string }[] };
      return Object.fromEntries(items.map(({ consumer, status }) => [consumer, status]));
    };
    const all = (status: string): Record<string, string> => ({ ...Object.fromEntries(SERVICES.map((name) => [name, 'running'])), payments: status });
    await until(async () => isDeepStrictEqual(await consumers(), all('running')) || undefined, 'all run');
    const paused = await fetch(`${url}/v1/consumers/payments/pause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a look' }),
    });
    expect(paused.status).toBe(200);
    await until(async () => isDeepStrictEqual(await consumers(), all('paused')) || undefined, 'payments is paused');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const timeOf = (name: string): RegExp => new RegExp(`^waybill_db_commit_units_count\\{database="${name}"\\} \\d+$`, 'm');
    for (const name of SERVICES) expect(metrics).toMatch(timeOf(name));
  });
});
