/** `npm run start:split`: one shop in seven processes behind one port, over PostgreSQL and RabbitMQ. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readProcesses } from '../../scripts/split/processes.ts';
import { clientAt } from '../support/app.ts';
import { ask, postgresUrl, throwAwayName } from '../support/databases.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';
import { type Server, startServer, until } from '../support/server.ts';
import { openShop } from '../support/shop.ts';

const SERVICES = ['orders', 'payments', 'inventory', 'shipping', 'notifications'];
const command = ['node', 'scripts/start-split.ts'];

describe.skipIf(postgresUrl === undefined || rabbitUrl === undefined)('the split shape', () => {
  let env: Record<string, string>;
  let database: string;
  let folder: string;
  const servers: Server[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-split-'));
    database = throwAwayName();
    await ask(postgresUrl!, `create database ${database}`);
    const url = new URL(postgresUrl!);
    url.pathname = `/${database}`;
    env = { DATABASE_URL: url.href, AMQP_URL: rabbitUrl!, AMQP_PREFIX: throwAwayPrefix() };
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
    await removeTopology(rabbitUrl!, env['AMQP_PREFIX']!, SERVICES);
    await ask(postgresUrl!, `drop database if exists ${database} with (force)`);
    await rm(folder, { recursive: true, force: true });
  });
  async function start(more: Record<string, string> = {}): Promise<Server> {
    const server = await startServer({ command, dataDir: folder, env: { ...env, ...more }, seconds: 120 });
    servers.push(server);
    return server;
  }
  /** Process ids by name, as the log tells them. */
  const pidOf = (server: Server, name: string): number => {
    const pid = server.output().matchAll(new RegExp(`^${name} +\\| runs as process (\\d+)$`, 'gm'));
    return Number([...pid].at(-1)![1]);
  };

  test('an order placed through one port is ready, shipped and delivered; nobody notices that a process died; all of them drain', async () => {
    const server = await start();
    const app = clientAt(() => server.url);
    const shop = await openShop(app);
    const order = await shop.place();
    await shop.dispatch(await shop.shipment(order.id, 'ready'));
    await shop.reaches(order.id, 'shipped');

    const killed = pidOf(server, 'payments');
    process.kill(killed, 'SIGKILL');
    await until(async () => (server.output().includes('payments      | ended (SIGKILL) and is started again') ? true : undefined), 'it is said');
    const meanwhile = await shop.place();
    await shop.reaches(meanwhile.id, 'confirmed');
    expect(pidOf(server, 'payments')).not.toBe(killed);
    await until(async () => ((await app.ask('GET', '/v1/payments')).status === 200 ? true : undefined), 'payments answers again');

    await shop.deliver(await shop.shipment(order.id, 'in_transit'));
    await shop.reaches(order.id, 'delivered');
    expect((await shop.audit()).equations.filter(({ violations }) => violations > 0)).toEqual([]);
    expect((await app.get<{ items: unknown[] }>('/v1/dead-letters')).items).toEqual([]);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    for (const { name } of readProcesses()) expect(() => process.kill(pidOf(server, name), 0), name).toThrow('ESRCH');
  });

  test('while a process is away its paths are answered with 503, all others as ever', async () => {
    const server = await start();
    const app = clientAt(() => server.url);
    const pid = pidOf(server, 'shipping');
    process.kill(pid, 'SIGKILL');
    const answer = await until(async () => {
      const asked = await app.ask('GET', '/v1/shipments');
      return asked.status === 200 ? undefined : asked;
    }, 'shipping is away');
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable', retryable: true } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect((await app.ask('GET', '/v1/orders')).status).toBe(200);
  });

  const failing = async (more: Record<string, string>): Promise<string> => {
    const error: unknown = await start(more).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Error);
    return (error as Error).message;
  };

  test('a process that cannot start ends all of them, with its own sentence', async () => {
    const nobody = new URL(env['DATABASE_URL']!);
    nobody.pathname = '/waybill_test_nowhere';
    const text = await failing({ DATABASE_URL: nobody.href });
    expect(text).toContain('ended (1)');
    expect(text).toMatch(/^\S+ +\| waybill: database \S+ .*waybill_test_nowhere/m);
    expect(text).toMatch(/^waybill: \S+ could not start \(exit code 1\); its last lines say why\. The other processes are stopped\.$/m);
    expect(text).not.toMatch(/\n\s+at /);
  });

  test('settings that cannot work are named before anything is started', async () => {
    const text = await failing({ DATABASE_URL: '', AMQP_URL: '' });
    expect(text).toContain('ended (78)');
    expect(text).toContain('DATABASE_URL and AMQP_URL must be set');
    expect(text).not.toContain('runs as process');
    expect(await failing({ HOST: '0.0.0.0', LOG_LEVEL: 'loud' })).toContain('LOG_LEVEL must be one of');
  });
});
