/**
 * What is measured of messages: publishing, while it happens; what waits in a mailbox, when somebody asks.
 */
import type { Database, Dialect } from '../db/database.ts';
import type { Metrics } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import type { Transport } from './transport.ts';

/** A transport whose publishing is measured. */
export function meteredTransport(transport: Transport, service: string, { publishing, returned, publishFailures }: Metrics, world: World): Transport {
  return {
    ...transport,
    async publish(packs) {
      const begun = world.now();
      try {
        const outcomes = await transport.publish(packs);
        publishing.observe({ service }, (world.now() - begun) / 1_000);
        outcomes.forEach((outcome, i) => {
          if (outcome === 'unroutable') returned.inc({ service }, packs[i]!.count);
        });
        return outcomes;
      } catch (error) {
        publishFailures.inc({ service });
        throw error;
      }
    },
  };
}

/** What waits in a mailbox. Times are milliseconds UTC, null when nothing waits. */
export interface Standing {
  readonly outbox: number;
  readonly outbox_since: number | null;
  readonly parked: number;
  readonly parked_since: number | null;
  readonly gaps_overdue: number;
  readonly timers_overdue: number;
  readonly timers_since: number | null;
  readonly dead_letters: number;
  /** Of PostgreSQL: seconds, rows; null elsewhere. */
  readonly horizon: number | null;
  readonly outbox_dead: number | null;
}

/** What holds back the cleaning up of rows that live for milliseconds. Other users' sessions are seen only by those who may. */
const bloat = ({ name }: Dialect): string =>
  name === 'sqlite'
    ? 'null as horizon, null as outbox_dead'
    : `(select coalesce(cast(extract(epoch from max(clock_timestamp() - xact_start)) as float8), 0) from pg_stat_activity
         where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()) as horizon,
       (select n_dead_tup from pg_stat_user_tables where relid = to_regclass('outbox')) as outbox_dead`;

/** Counts what waits, in one statement. */
export async function standingOf(db: Database, { now, gapLimit }: { readonly now: number; readonly gapLimit: number }): Promise<Standing> {
  const [row] = await db.read.raw<Standing>(
    `select (select cast(coalesce(sum(messages), 0) as bigint) from outbox) as outbox,
       (select min(created_at) from outbox) as outbox_since,
       (select cast(coalesce(sum(waiting), 0) as bigint) from gap) as parked,
       (select min(since) from gap) as parked_since,
       (select cast(count(*) as bigint) from gap where since <= $2) as gaps_overdue,
       (select cast(count(*) as bigint) from timer where due_at <= $1) as timers_overdue,
       (select min(due_at) from timer where due_at <= $1) as timers_since,
       (select cast(coalesce(sum(open), 0) as bigint) from dead_letter_group where open > 0) as dead_letters,
       ${bloat(db.dialect)}`,
    [now, now - gapLimit],
  );
  return row!;
}

/** The groups of dead letters with the most open ones. */
export const largestGroups = (db: Database, limit: number): Promise<{ fingerprint: string; code: string; open: number }[]> =>
  db.read.raw('select fingerprint, code, open from dead_letter_group where open > 0 order by open desc, fingerprint limit $1', [limit]);
