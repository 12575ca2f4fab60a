/**
 * One holder at a time of a name, among processes that share a PostgreSQL database.
 *
 *   free ──take──> held ──renew every 5 s──> held ──release, or 15 s without renewal──> free
 *
 * The database's clock decides when a lease has run out; the holder's own clock only makes it step down early, 3 s before that. A
 * holder that was frozen for longer may do one thing more before it notices: what a lease guards must bear being done twice.
 * A lease with more left than it ever gets is of before the database's clock was set back, and free: its holder may be gone.
 * Rows, not advisory locks: those belong to a connection, and a pooler such as PgBouncer hands connections around.
 * SQLite files belong to one process, so there the lease is always held.
 */
import { type Database, statement } from '../db/database.ts';
import type { World } from '../kernel/world.ts';
import { databaseClock as clock } from './timekeeper.ts';

export const TERM_MS = 15_000;
export const RENEW_MS = 5_000;
export const MARGIN_MS = 3_000;

/** Takes or renews what is free or one's own; answers what was got. */
export const take = statement<{ name: string; owner: string }, { name: string }>(
  { name: 'text', owner: 'text' },
  (rows, dialect) => `
    insert into lease (name, owner, expires_at) select row.name, row.owner, ${clock(dialect)} + ${TERM_MS} from ${rows} where true order by row.name
    on conflict (name) do update set owner = excluded.owner, expires_at = excluded.expires_at
    where lease.owner = excluded.owner or lease.expires_at <= ${clock(dialect)} or lease.expires_at > ${clock(dialect)} + ${TERM_MS}
    returning name`,
);
export const giveUp = statement<{ name: string; owner: string }>(
  { name: 'text', owner: 'text' },
  (rows) => `delete from lease where exists (select 1 from ${rows} where row.name = lease.name and row.owner = lease.owner)`,
);

export interface Lease {
  /** Whether it is held now; takes or renews it when that is due. */
  held(): Promise<boolean>;
  release(): Promise<void>;
}

export function openLease(db: Database, name: string, world: World): Lease {
  if (db.dialect.name === 'sqlite') return { held: async () => true, release: async () => undefined };
  const owner = world.id('pid');
  let until = 0;
  let renewAt = 0;
  return {
    async held() {
      const asked = world.now();
      if (asked >= renewAt) {
        const got = await db.write((tx) => tx.run(take, [{ name, owner }]));
        until = got.length === 1 ? asked + TERM_MS - MARGIN_MS : 0;
        renewAt = got.length === 1 ? asked + RENEW_MS : asked + 1_000;
      }
      return world.now() < until;
    },
    async release() {
      if (until > 0) await db.write((tx) => tx.run(giveUp, [{ name, owner }]));
      until = 0;
    },
  };
}
