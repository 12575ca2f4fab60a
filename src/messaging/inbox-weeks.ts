/**
 * On PostgreSQL the inbox has a table for each week of the ids of messages, which begin with the time they were minted. So the same id is
 * always in the same table, which keeps it unique; and a week is forgotten by dropping its table instead of deleting its rows one by one.
 *
 *   this week and the next two are made ──> in use ──> its end, and of what came late the last, is 14 days ago (keptMs) ──> dropped
 *
 * What fits no week (an id of another kind, one older than the weeks there are) lies in `inbox_rest`, whose rows the janitor deletes.
 * A week cannot be made while the rest has rows of it: then they, and those to come, stay there.
 * Several processes take turns; who cannot have the locks at once leaves it for the next time, because everybody else would wait behind it.
 */
import type { Database, Tx } from '../db/database.ts';
import { idFloor } from '../kernel/world.ts';

const WEEK_MS = 7 * 24 * 3_600_000;
const AHEAD = 2;

interface Week {
  readonly name: string;
  /** Ids from `from` up to and without `to`. */
  readonly from: string;
  readonly to: string;
  readonly endsAt: number;
}

const weekOf = (number: number): Week => ({
  name: `inbox_week_${number}`,
  from: idFloor('msg', number * WEEK_MS),
  to: idFloor('msg', (number + 1) * WEEK_MS),
  endsAt: (number + 1) * WEEK_MS,
});

/** Makes the weeks to come and drops those that nobody needs any more. Nothing to do on SQLite. */
export async function keepWeeks(db: Database, now: number, keptMs: number): Promise<void> {
  if (db.dialect.name === 'sqlite') return;
  const there = new Set(await weeksOf(db));
  const current = Math.floor(now / WEEK_MS);
  const missing = Array.from({ length: AHEAD + 1 }, (_, n) => weekOf(current + n)).filter(({ name }) => !there.has(name));
  if (missing.length > 0)
    await alone(db, async (tx) => {
      for (const week of missing) await make(tx, week);
    });
  const cutoff = now - keptMs;
  for (const name of there) if (weekOf(Number(name.split('_')[2])).endsAt < cutoff) await alone(db, (tx) => drop(tx, name, cutoff));
}

/** The names of the weeks there are. */
export async function weeksOf({ read }: Database): Promise<string[]> {
  const rows = await read.raw<{ name: string }>(
    `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent = to_regclass('inbox') and relname like 'inbox\\_week\\_%' order by relname`,
  );
  return rows.map(({ name }) => name);
}

/** Runs a change of tables unless somebody else is at it, without making anybody wait for long. */
const alone = (db: Database, change: (tx: Tx) => Promise<void>): Promise<void> =>
  db.write(async (tx) => {
    const [lock] = await tx.raw<{ got: number }>(
      `select pg_try_advisory_xact_lock(hashtext('waybill.inbox'), hashtext(current_schema())) as got, set_config('lock_timeout', '500', true)`,
    );
    if (lock!.got === 1) await change(tx);
  });

async function make(tx: Tx, { name, from, to }: Week): Promise<void> {
  const inTheRest = await tx.raw('select 1 from inbox_rest where message_id >= $1 and message_id < $2 limit 1', [from, to]);
  if (inTheRest.length > 0) return;
  await tx.script(`create table if not exists ${name} partition of inbox for values from ('${from}') to ('${to}')`);
}

async function drop(tx: Tx, name: string, cutoff: number): Promise<void> {
  const late = await tx.raw(`select 1 from ${name} where received_at >= $1 limit 1`, [cutoff]);
  if (late.length === 0) await tx.script(`drop table if exists ${name}`);
}
