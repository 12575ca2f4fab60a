/** TLS on the way to PostgreSQL: who answers is made sure of, and what is wrong is said in a sentence that tells what to do. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openPostgres } from '../../src/db/postgres.ts';
import type { Database } from '../../src/db/database.ts';
import { type TestApp, startApp } from '../support/app.ts';
import { makeCertificates } from '../support/certificates.ts';
import { type PrivateCluster, clusterPrograms, startCluster } from '../support/cluster.ts';
import { openShop } from '../support/shop.ts';

describe.skipIf(clusterPrograms === undefined)('over TLS', () => {
  let cluster: PrivateCluster;
  let plain: PrivateCluster;
  let elsewhere: string; // certificates of another authority
  beforeAll(async () => {
    cluster = await startCluster({ tls: true, settings: { listen_addresses: '127.0.0.1,127.0.0.2' } });
    plain = await startCluster();
    elsewhere = await mkdtemp(join(tmpdir(), 'waybill-authority-'));
    await makeCertificates(elsewhere);
  });
  afterAll(async () => {
    await rm(elsewhere, { recursive: true });
    await plain.drop();
    await cluster.drop();
  });

  function open(url: string, schema = 'waybill_orders'): Database {
    const db = openPostgres({ name: 'orders', url, schema });
    onTestFinished(() => db.close());
    return db;
  }
  const at = (host: string, query: string): string => `postgres://postgres@${host}:${cluster.port}/postgres${query}`;
  const reason = async (url: string, schema?: string): Promise<string> =>
    open(url, schema)
      .ping()
      .then(
        () => 'it answered',
        (error: Error) => error.message.replace('database orders does not answer: ', ''),
      );

  it('a server whose authority was named is spoken to, encrypted', async () => {
    expect(await open(cluster.url).read.raw('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).toEqual([{ ssl: 1 }]);
  });

  it('a server nobody vouches for is refused, and the sentence says what to do', async () => {
    const remedy = 'name the authority it comes from in DATABASE_URL (sslrootcert=FILE), or correct the address';
    expect(await reason(at('127.0.0.1', `?sslmode=verify-full&sslrootcert=${join(elsewhere, 'ca.pem')}`))).toMatch(
      new RegExp(`^the certificate of 127\\.0\\.0\\.1:\\d+ comes from another authority .*: ${remedy.replaceAll(/[()]/g, '\\$&')}$`),
    );
    expect(await reason(at('127.0.0.1', '?sslmode=verify-full'))).toContain(remedy);
    expect(await reason(at('127.0.0.2', `?sslmode=verify-full&sslrootcert=${cluster.ca}`))).toBe(
      `the certificate of the server is not for 127.0.0.2:${cluster.port}. Write the name it is for into DATABASE_URL`,
    );
  });

  it('where only one side speaks TLS, that is said', async () => {
    expect(await reason(at('127.0.0.1', ''))).toContain('does not let postgres in from here');
    expect(await reason(`${plain.url}?sslmode=verify-full`)).toContain('does not speak TLS. Switch it on there (ssl = on), or take sslmode out');
  });

  it('what else keeps a connection from being made is said, too', async () => {
    expect(await reason(`${plain.url}_gone`)).toMatch(/^there is no database postgres_gone at 127\.0\.0\.1:\d+\. Make it \(createdb postgres_gone\)/);
    expect(await reason('postgres://127.0.0.1:1/x')).toContain('nobody listens at 127.0.0.1:1. Start PostgreSQL');
    await open(plain.url).read.raw('create role guest login');
    const guest = plain.url.replace('postgres@', 'guest@');
    expect(await reason(guest, 'waybill_new')).toBe(
      'guest may not make the schema waybill_new. Let it (grant create on database postgres to guest), or make the schema for it beforehand',
    );
    await expect(open(guest).write((tx) => tx.raw('create table waybill_orders.thing (id text)'))).rejects.toMatchObject({
      code: 'unavailable', // the operator's to mend, so what came as a message must wait for it and not be given up
      message: expect.stringContaining('permission denied for schema waybill_orders') as string,
    });
  });

  it('the whole program runs over it', async () => {
    const app: TestApp = await startApp({ postgres: cluster.url });
    onTestFinished(() => app.stop());
    const shop = await openShop(app);
    await shop.reaches((await shop.place()).id, 'confirmed');
    const { checks } = await app.get<{ checks: Record<string, { detail?: string }> }>('/health');
    expect(checks['durability']?.detail).toContain('fsync is off');
  });
});
