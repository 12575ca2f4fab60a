/**
 * The mailbox of a service that runs in another process. With it a service can be read like a table of contents (what it hears, what its
 * routes are) where its data are out of reach; whoever uses it all the same is told.
 */
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { Database } from '../db/database.ts';
import { sqliteDialect } from '../db/sqlite-connection.ts';
import { Fault } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Mailbox } from './mailbox.ts';

export function mailboxElsewhere(service: string, world: World): Mailbox {
  const fault = (): Fault => new Fault('unavailable', `${service} runs in another process`);
  const away = (): Promise<never> => Promise.reject(fault());
  const db: Database = {
    name: service,
    dialect: sqliteDialect,
    read: { dialect: sqliteDialect, run: away, query: away, raw: away },
    builder: <Tables>() =>
      new Kysely<Tables>({
        dialect: {
          createAdapter: () => new SqliteAdapter(),
          createDriver: () => new DummyDriver(),
          createIntrospector: (kysely) => new SqliteIntrospector(kysely),
          createQueryCompiler: () => new SqliteQueryCompiler(),
        },
      }),
    write: away,
    script: away,
    ping: away,
    close: () => Promise.resolve(),
  };
  return { service, db, world, write: away };
}
