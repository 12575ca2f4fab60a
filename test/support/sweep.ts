/**
 * Before a run: what runs before it left in PostgreSQL is dropped. A test drops what it made, but not when it is killed or interrupted.
 */
import pg from 'pg';
import { isLeftBehind, postgresUrl } from './databases.ts';

const ALL = `
  select nspname as name, 'schema' as kind from pg_namespace where nspname like 'waybill_test_%'
  union all select datname, 'database' from pg_database where datname like 'waybill_test_%'`;

export default async function sweep(): Promise<void> {
  if (postgresUrl === undefined) return;
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; kind: 'schema' | 'database' }>(ALL);
    for (const { name, kind } of rows.filter((row) => isLeftBehind(row.name))) {
      const drop = kind === 'schema' ? `drop schema if exists ${name} cascade` : `drop database if exists ${name} with (force)`;
      await client.query(drop).catch(() => undefined); // another run that begins now may be quicker
    }
  } finally {
    await client.end();
  }
}
