/**
 * The scheduler: timers that are due become outbox rows, deleted and said in one transaction, so that a timer fires once, whenever the
 * process dies. Several schedulers at one database pass over each other's rows.
 */
import type { Message } from '../contracts/envelope.ts';
import { failpoint } from '../kernel/failpoints.ts';
import { type Runnable, loop } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Unit } from './mailbox.ts';

/** Timers said in one transaction, at most. */
const DUE_MAX = 500;
/** A new timer may be due before the next known one, so the table is looked at this often: the precision of timers. */
const LOOK_MS = 200;

interface TimerRow {
  readonly key: string;
  readonly due_at: number;
  readonly destination: string | null;
  readonly message: string;
}

export function openScheduler(mailbox: Mailbox, telemetry: Telemetry): Runnable {
  const { service, db, world } = mailbox;
  const log = telemetry.log.child({ service, part: 'scheduler' });

  async function turn(): Promise<number> {
    const [next] = await db.read.raw<{ due_at: number | null }>('select min(due_at) as due_at from timer');
    const wait = (next?.due_at ?? Number.POSITIVE_INFINITY) - world.now();
    if (wait > 0) return Math.min(wait, LOOK_MS);
    const said = await mailbox.write(sayDue);
    await failpoint('scheduler.after_commit');
    return said === 0 ? LOOK_MS : 0; // none: another process has taken them
  }

  return loop({
    name: `${service} scheduler`,
    world,
    turn,
    failed: (error) => log.warn({ err: error }, 'due timers could not be said; tried again'),
  });
}

/** Says the timers that are due at `unit.now`; answers how many. */
async function sayDue(unit: Unit): Promise<number> {
  const { tx, now } = unit;
  const rows = await tx.raw<TimerRow>(
    `delete from timer where key in (select key from timer where due_at <= $1 order by due_at, key limit $2 ${tx.dialect.skipLocked('timer')})
     returning key, due_at, destination, message`,
    [now, DUE_MAX],
  );
  rows.sort((a, b) => a.due_at - b.due_at || (a.key < b.key ? -1 : 1));
  for (const destination of new Set(rows.map((row) => row.destination))) {
    const messages = rows.filter((row) => row.destination === destination).map((row) => JSON.parse(row.message) as Message);
    unit.forward(
      messages.map((message) => (message.attempt === undefined ? { ...message, time: now } : message)), // a retry was said before
      destination,
    );
  }
  await failpoint('scheduler.in_tx');
  return rows.length;
}
