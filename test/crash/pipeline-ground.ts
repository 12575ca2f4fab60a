/** Where pipeline.ts keeps its data and by what its messages travel, and a look into both from outside while no process of it lives. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database } from '../../src/db/database.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import type { Combination } from '../support/buses.ts';
import { ask, postgresUrl, throwAwayName } from '../support/databases.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix } from '../support/rabbit.ts';

const SERVICES = ['orders', 'inventory'] as const;

/** What pipeline.ts is told, by its one argument. */
export interface PipelinePlace {
  readonly folder: string;
  /** Schemas at a PostgreSQL; SQLite files in the folder when absent. */
  readonly postgres?: { readonly url: string; readonly schemas: Readonly<Record<string, string>> };
  /** RabbitMQ; bus.db in the folder when absent. */
  readonly rabbit?: { readonly url: string; readonly prefix: string };
}

export interface PipelineGround {
  readonly place: PipelinePlace;
  rows<Row extends object>(service: string, sql: string): Promise<Row[]>;
  /** A relay that was killed holds its lease for 15 s more: let them pass. */
  passLeases(): Promise<void>;
  remove(): Promise<void>;
}

export const openPlace = ({ folder, postgres }: PipelinePlace, service: string): Database =>
  postgres === undefined || service === 'bus'
    ? openSqlite({ name: service, file: join(folder, `${service}.db`) })
    : openPostgres({ name: service, url: postgres.url, schema: postgres.schemas[service]!, poolMax: 4 });

export async function openGround({ database, bus }: Combination): Promise<PipelineGround> {
  const schemas = Object.fromEntries(SERVICES.map((service) => [service, throwAwayName()]));
  const place: PipelinePlace = {
    folder: await mkdtemp(join(tmpdir(), 'waybill-crash-')),
    ...(database.name === 'postgres' && { postgres: { url: postgresUrl!, schemas } }),
    ...(bus.name === 'RabbitMQ' && { rabbit: { url: rabbitUrl!, prefix: throwAwayPrefix() } }),
  };

  async function look<T>(service: string, work: (db: Database) => Promise<T>): Promise<T> {
    const db = openPlace(place, service);
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  }

  return {
    place,
    rows: (service, sql) => look(service, (db) => db.read.raw(sql)),
    async passLeases() {
      if (place.postgres === undefined) return;
      for (const service of SERVICES) await look(service, (db) => db.write((tx) => tx.raw('update lease set expires_at = 0')));
    },
    async remove() {
      await rm(place.folder, { recursive: true, force: true });
      if (place.postgres !== undefined)
        for (const schema of Object.values(schemas)) await ask(place.postgres.url, `drop schema if exists ${schema} cascade`);
      if (place.rabbit !== undefined) await removeTopology(place.rabbit.url, place.rabbit.prefix, SERVICES);
    },
  };
}
