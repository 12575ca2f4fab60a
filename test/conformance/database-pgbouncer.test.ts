/**
 * PostgreSQL behind a PgBouncer that hands connections around after each transaction: the same suite, and what only that can break, which
 * is everything a session remembers.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openPostgres } from '../../src/db/postgres.ts';
import { type PrivateCluster, type PrivateServer, bouncerProgram, clusterPrograms, startBouncer, startCluster } from '../support/cluster.ts';
import { type TestDatabase, postgresAt, throwAwayName } from '../support/databases.ts';
import { databaseSuite } from './database.ts';

const installed = bouncerProgram !== undefined && clusterPrograms !== undefined;

describe.skipIf(!installed)('behind PgBouncer', () => {
  let cluster: PrivateCluster;
  let bouncer: PrivateServer;
  let deaf: PrivateServer;
  beforeAll(async () => {
    cluster = await startCluster();
    bouncer = await startBouncer(cluster);
    deaf = await startBouncer(cluster, { ignore_startup_parameters: 'options,extra_float_digits' });
  });
  afterAll(async () => {
    await deaf.drop();
    await bouncer.drop();
    await cluster.drop();
  });
  // The servers are there when a test opens its database, not yet when the suite is read.
  const lazily: TestDatabase = { name: 'pgbouncer', open: () => postgresAt(cluster.url, bouncer.url).open() };

  describe('a database', () => databaseSuite(lazily));

  it('two services that share its connections keep to their schemas and settings, in units and in reads', async () => {
    const schemas = [throwAwayName(), throwAwayName()];
    const services = schemas.map((schema) => openPostgres({ name: schema, url: bouncer.url, schema, handedAround: true }));
    onTestFinished(async () => void (await Promise.all(services.map((db) => db.close()))));
    const where = `select current_schema() as schema, current_setting('synchronous_commit') as durable, current_setting('lock_timeout') as lock`;
    const rounds = Array.from({ length: 50 }, (_, i) => services[i % 2]!);
    const seen = await Promise.all(rounds.flatMap((db) => [db.read.raw(where), db.write((tx) => tx.raw(where))]));
    const expected = rounds.flatMap((_, i) => Array.from({ length: 2 }, () => [{ schema: schemas[i % 2], durable: 'on', lock: '3s' }]));
    expect(seen).toEqual(expected);
  });

  it('one nobody told of is noticed before anything is done, whether it refuses our mark or swallows it', async () => {
    for (const { url } of [bouncer, deaf]) {
      const db = openPostgres({ name: 'orders', url, schema: throwAwayName() });
      onTestFinished(() => db.close());
      await expect(db.ping()).rejects.toThrow(
        'database orders does not answer: a pooler such as PgBouncer answers in its place, which hands connections around: set DATABASE_POOLER=transaction',
      );
    }
  });
});
