import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, type Environment, PARTS, SERVICES, SETTINGS, loadConfig } from './config.ts';
import { isLoopback } from './config-addresses.ts';

function faultsOf(environment: Environment): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  test('without any setting runs everything, on this machine only', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      services: SERVICES,
      parts: PARTS,
      host: '127.0.0.1',
      port: 8000,
      dataDir: './data',
      databaseUrl: undefined,
      logLevel: 'info',
    });
    expect(config.deadlines).toMatchObject({ stock: 3_600_000, shipping: 86_400_000, dispatch: 172_800_000, delivery: 1_209_600_000 });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('takes an empty variable for an absent one', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '' })).toMatchObject({ port: 8000, databaseUrl: undefined });
  });

  test('divides an outbox only where several processes can reach it', () => {
    expect(faultsOf({ OUTBOX_SHARDS: '4' })[0]).toMatch(/^OUTBOX_SHARDS divides an outbox among processes, but SQLite/);
    expect(loadConfig({ OUTBOX_SHARDS: '4', DATABASE_URL: 'postgres://x' }).outboxShards).toBe(4);
  });

  test('takes what holds a password from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-config-'));
    const file = join(folder, 'database_url');
    writeFileSync(file, 'postgres://me:secret@host/waybill\n');
    expect(loadConfig({ DATABASE_URL_FILE: file }).databaseUrl).toBe('postgres://me:secret@host/waybill');
    expect(faultsOf({ DATABASE_URL_FILE: file, DATABASE_URL: 'postgres://x' })).toEqual([
      'DATABASE_URL and DATABASE_URL_FILE are both set. Remove one of them.',
    ]);
    expect(faultsOf({ DATABASE_URL_FILE: join(folder, 'none') })).toEqual(['DATABASE_URL_FILE must name a file that can be read.']);
    rmSync(folder, { recursive: true });
  });

  test('is a sandbox only where nobody else and no real money is', () => {
    expect(loadConfig({ SANDBOX: 'true' })).toMatchObject({ sandbox: true, threads: 1 });
    for (const other of [
      { ALLOW_UNPROTECTED: 'true' },
      { STRIPE_API_KEY: 'sk_test_1' },
      { DATABASE_URL: 'postgres://x' },
      { AMQP_URL: 'amqp://127.0.0.1' },
    ])
      expect(faultsOf({ SANDBOX: 'true', ...other })[0], JSON.stringify(other)).toMatch(/^SANDBOX=true cannot be with /);
  });

  test('takes the secret of webhooks for the provider there is, and for no other', () => {
    expect(loadConfig({ SIMULATED_WEBHOOK_SECRET: 'a_long_secret' }).paymentWebhookSecret).toBe('a_long_secret');
    expect(faultsOf({ STRIPE_WEBHOOK_SECRET: 'whsec_1234' })[0]).toMatch(/^STRIPE_WEBHOOK_SECRET is set, but payments are not made at Stripe/);
    expect(faultsOf({ STRIPE_API_KEY: 'sk_test_1', SIMULATED_WEBHOOK_SECRET: 'a_long_secret' })[0]).toMatch(
      /^SIMULATED_WEBHOOK_SECRET is for the sim/,
    );
    expect(faultsOf({ SIMULATED_WEBHOOK_SECRET: 'short' })).toEqual(['SIMULATED_WEBHOOK_SECRET must be at least 8 characters without blanks.']);
  });

  test('refuses an address of a database by which anybody might answer', () => {
    const [mode] = faultsOf({ DATABASE_URL: 'postgres://host/waybill?sslmode=require' });
    expect(mode).toMatch(/^DATABASE_URL has sslmode=require, which does not make sure who answers\. Write sslmode=verify-full/);
    expect(faultsOf({ DATABASE_URL: 'postgres://host/waybill?sslrootcert=/nowhere/ca.pem' })).toEqual([
      'DATABASE_URL has sslrootcert=/nowhere/ca.pem, which is no file that can be read.',
      'DATABASE_URL has sslrootcert, which is for TLS. Write sslmode=verify-full beside it, or remove it.',
    ]);
    expect(faultsOf({ DATABASE_URL: 'postgres://host/waybill?sslmode=verify-full' })).toEqual([]);
    expect(faultsOf({ DATABASE_POOL: '1', DATABASE_POOLER: 'session' })).toEqual([
      'DATABASE_POOL must be a whole number from 2 to 500.',
      'DATABASE_POOLER must be none or transaction.',
    ]);
  });

  test('names all faults at once, each with its remedy', () => {
    const faults = faultsOf({
      PORT: '80000',
      LOG_LEVEL: 'loud',
      SERVICES: 'orders,paiments',
      DEADLINE_STOCK: '1 hour',
      DATABASE_URL: 'mysql://x',
      SMTP_URL: 'mail',
      ALLOW_UNPROTECTED: 'yes',
    });
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
      'SERVICES',
      'PORT',
      'ALLOW_UNPROTECTED',
      'DATABASE_URL',
      'LOG_LEVEL',
      'SMTP_URL',
      'DEADLINE_STOCK',
    ]);
    expect(faults[0]).toBe(`SERVICES does not know "paiments"; write all, or some of ${SERVICES.join(',')}.`);
    expect(faults[1]).toBe('PORT must be a whole number from 0 to 65535.');
  });

  test('does not repeat a secret', () => {
    expect(faultsOf({ DATABASE_URL: 'mysql://root:hunter2@db' }).join()).not.toContain('hunter2');
  });

  test('refuses a WAYBILL_ variable that is no setting', () => {
    expect(faultsOf({ WAYBILL_FAILPOINT: 'x' })[0]).toMatch(/^WAYBILL_FAILPOINT is no setting/);
  });

  test.each(['80a', '-1', '1e3', ' 80', '99999999999999999999'])('refuses PORT=%j', (port) => {
    expect(faultsOf({ PORT: port })).toHaveLength(1);
  });

  test.each(['1 hour', '3651d', '999999999d'])('refuses DEADLINE_STOCK=%j: no such moment can be written as a date', (text) => {
    expect(faultsOf({ DEADLINE_STOCK: text })).toEqual(['DEADLINE_STOCK must be a duration such as 90s, 15m, 1h or 2d, at most 3650d.']);
  });

  test.each([
    ['90s', 90_000],
    ['250ms', 250],
    ['15m', 900_000],
    ['2d', 172_800_000],
  ])('reads %s', (text, ms) => {
    expect(loadConfig({ DEADLINE_STOCK: text }).deadlines.stock).toBe(ms);
  });

  test('refuses a failpoint there is not, and arms none', () => {
    expect(faultsOf({ WAYBILL_FAILPOINTS: 'relay.nowhere=kill' })[0]).toMatch(/^WAYBILL_FAILPOINTS cannot read "relay.nowhere=kill"/);
  });
});

describe('traces', () => {
  test('go nowhere unless told', () => {
    expect(loadConfig({}).tracing).toBeUndefined();
    expect(loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_SDK_DISABLED: 'true' }).tracing).toBeUndefined();
  });

  test('go to the collector, below its path or to the very one', () => {
    const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp/', OTEL_SERVICE_NAME: 'shop', OTEL_TRACES_SAMPLER_ARG: '0.25' };
    expect(loadConfig({ ...settings, OTEL_EXPORTER_OTLP_HEADERS: ' x-key = a%2Cb,y=' }).tracing).toEqual({
      url: 'https://c/otlp/v1/traces',
      headers: { 'x-key': 'a,b', y: '' },
      resource: { 'service.name': 'shop' },
      sampler: 'parentbased_always_on',
      ratio: 0.25,
    });
    expect(loadConfig({ ...settings, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://d/in' }).tracing!.url).toBe('http://d/in');
  });

  test.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'c:4318', 'must be a URL that begins with http:// or https://.'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'secret', 'must be pairs such as name=value,other=value, with %2C for a comma in a value.'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'key=%FF', 'must be pairs such as name=value,other=value, with %2C for a comma in a value.'],
    ['OTEL_TRACES_SAMPLER', 'some', expect.stringContaining('must be one of always_on, ')],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', 'must be a number from 0 to 1.'],
  ])('%s=%s is refused', (name, value, rule) => {
    const [fault] = faultsOf({ [name]: value });
    expect(fault!.slice(name.length + 1)).toEqual(rule);
  });
});

describe('settings that cannot work together', () => {
  test('some services, with a bus that stays in one process', () => {
    expect(faultsOf({ SERVICES: 'orders,payments' })).toEqual([
      'SERVICES leaves out inventory, shipping, notifications, but the built-in message bus carries messages only inside one process. Remove SERVICES, so that this process runs all of them, or set AMQP_URL.',
    ]);
    expect(loadConfig({ SERVICES: 'orders', AMQP_URL: 'amqp://localhost' }).services).toEqual(['orders']);
  });

  test('some parts, likewise; the console may be left out', () => {
    expect(faultsOf({ PARTS: 'api,console' })[0]).toMatch(/^PARTS leaves out relay, worker/);
    expect(loadConfig({ PARTS: 'api, relay,worker' }).parts).toEqual(['api', 'relay', 'worker']);
    expect(faultsOf({ PARTS: 'api', AMQP_URL: 'amqp://localhost' })[0]).toContain('SQLite files belong to one process. Set DATABASE_URL');
    const divided = { PARTS: 'api', AMQP_URL: 'amqp://localhost', DATABASE_URL: 'postgres://localhost/waybill' };
    expect(loadConfig(divided).parts).toEqual(['api']);
  });

  test('the user guest on a machine others reach', () => {
    for (const url of ['amqp://mq.example.com', 'amqps://guest:guest@mq.example.com'])
      expect(faultsOf({ AMQP_URL: url })[0]).toMatch(/^AMQP_URL takes the user guest to mq.example.com/);
    expect(loadConfig({ AMQP_URL: 'amqp://shop:secret@mq.example.com/waybill' }).amqp).toEqual({
      url: 'amqp://shop:secret@mq.example.com/waybill',
      prefix: 'waybill',
      tls: {},
    });
    expect(loadConfig({ AMQP_URL: 'amqp://guest:guest@[::1]' }).amqp?.url).toContain('guest');
  });

  test('files of TLS without TLS, or one without the other', () => {
    const here = import.meta.filename;
    expect(faultsOf({ AMQP_URL: 'amqp://localhost', AMQP_CA: here })[0]).toContain('Write amqps://, or remove them.');
    expect(faultsOf({ AMQP_URL: 'amqps://localhost', AMQP_CERT: here })).toEqual(['AMQP_CERT and AMQP_KEY belong together. Set both or none.']);
    expect(faultsOf({ AMQP_CA: '/nowhere/ca.pem' })).toEqual(['AMQP_CA must name a file that can be read.']);
    expect(loadConfig({ AMQP_URL: 'amqps://localhost', AMQP_CERT: here, AMQP_KEY: here }).amqp?.tls).toEqual({ certificate: here, key: here });
  });

  test('an address others reach, without protection', () => {
    expect(faultsOf({ HOST: '0.0.0.0' })[0]).toContain('set ALLOW_UNPROTECTED=true');
    expect(loadConfig({ HOST: '0.0.0.0', ALLOW_UNPROTECTED: 'true' }).host).toBe('0.0.0.0');
  });

  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is this machine', (address) => expect(isLoopback(address)).toBe(true));
  test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com'])('%s is not', (address) => expect(isLoopback(address)).toBe(false));
});

test('each default is read by its own reader', () => {
  for (const [name, { initial, reads }] of Object.entries(SETTINGS))
    if (initial !== undefined) expect(reads.safeParse(initial).success, name).toBe(true);
});
