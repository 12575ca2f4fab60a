/**
 * The time a database has seen, kept in it. A process goes on from there when its machine's clock was set back while nothing ran
 * (kernel/clock.ts says how); else whatever is due by the old clock would wait until the hours had passed again.
 *
 *   start ── reads it: from now on it is at least that late ──> running ── writes it every 10 s ──> stop ── writes it once more
 *
 * After a crash what is known is 10 s old at most, and something may be due by as much later. Processes at one PostgreSQL begin with the
 * latest time any of them has seen. Which clock is wrong is for people to find out: one that differs from the database's own is told.
 */
import type { Database, Dialect } from '../db/database.ts';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';

const WRITE_MS = 10_000;
/** Clocks that differ by more than this should be set right. */
export const SKEW_MAX_MS = 5 * 60_000;

/** The database's own clock, in milliseconds UTC; on SQLite that of the machine. */
export const databaseClock = (dialect: Dialect): string =>
  dialect.name === 'sqlite' ? `cast(unixepoch('subsec') * 1000 as integer)` : `cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`;

/** Milliseconds by which the time here is ahead of the database's own clock. */
export async function skewOf(db: Database, world: World): Promise<number> {
  const [row] = await db.read.raw<{ at: number }>(`select ${databaseClock(db.dialect)} as at`);
  return world.now() - row!.at;
}

export function openTimekeeper(service: string, db: Database, world: World, telemetry: Telemetry): Runnable {
  const log = telemetry.log.child({ service, part: 'timekeeper' });

  async function recall(): Promise<void> {
    const [seen] = await db.read.raw<{ at: number }>('select at from time_seen');
    world.notBefore(seen?.at ?? 0);
    const skew = await skewOf(db, world);
    if (Math.abs(skew) > SKEW_MAX_MS)
      log.warn({ ahead_ms: skew }, 'the time here and the clock of the database differ; nothing waits for that, but set the wrong one right');
  }

  const write = async (): Promise<void> => {
    const now = world.now();
    await db.write((tx) => tx.raw('update time_seen set at = $1 where at < $1', [now]), { forgetful: true });
  };

  const writing = loop({
    name: `${service} timekeeper`,
    world,
    failed: (error) => log.warn({ err: error }, 'the time could not be written down; tried again'),
    async turn() {
      await write();
      return WRITE_MS;
    },
  });
  return runnable(
    `${service} timekeeper`,
    async () => {
      await recall();
      await writing.start();
    },
    async () => {
      await writing.stop();
      await write().catch(() => undefined); // a database that is away has seen enough
    },
  );
}
