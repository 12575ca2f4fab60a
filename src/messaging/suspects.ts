/**
 * Suspects: messages the process may have died of. It cannot say so itself, so it writes down what it is about to do.
 *
 *   delivered twice before without being settled ──> suspect: attempt row committed ──> handled alone ──> row deleted with its transaction
 *                                                                 └ found after three of those ──> dead letter, never executed
 *
 * Suspects of all services in the process are handled one at a time: it is the process that dies, and with several under way an
 * innocent one would be counted each time the guilty one kills them all. Other copies of a message that was given up are not executed
 * either; a redrive is.
 */
import type { Message } from '../contracts/envelope.ts';
import { type Database, statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { type LockWord, alone, lockWord } from '../kernel/lock.ts';
import type { World } from '../kernel/world.ts';
import type { Delivery } from './transport.ts';

const SUSPECT_DELIVERIES = 2;
const CRASHES_MAX = 3;

const markAttempt = statement<{ message_id: string; started_at: number }, { attempts: number }>(
  { message_id: 'text', started_at: 'bigint' },
  (rows) => `
    insert into attempt (message_id, attempts, started_at) select row.message_id, 1, row.started_at from ${rows} where true
    on conflict (message_id) do update set attempts = attempt.attempts + 1, started_at = excluded.started_at returning attempts`,
);

/** One for the whole process, on purpose; its other threads are handed it. */
export const SUSPECTS_LOCK: LockWord = lockWord();

export interface Suspects {
  /** Reads what earlier processes left behind. */
  load(): Promise<void>;
  /** Whether the messages of a delivery are to be handled one by one. */
  suspicious(delivery: Delivery): boolean;
  /** Without those that were given up as suspects before and are here as just another copy. */
  acquitted(messages: readonly Message[]): readonly Message[];
  /** Handles a suspect with `handle`, which deletes its attempt row, or gives it up with `giveUp`. */
  attempt(message: Message, handle: () => Promise<void>, giveUp: (fault: Fault) => Promise<void>): Promise<void>;
}

export function openSuspects(db: Database, world: World, lock: LockWord = SUSPECTS_LOCK): Suspects {
  const attempted = new Set<string>();
  const condemned = new Set<string>();
  /** Those whose attempt this process has counted: an outage in between is no crash. */
  const counted = new Set<string>();

  async function attempt(message: Message, handle: () => Promise<void>, giveUp: (fault: Fault) => Promise<void>): Promise<void> {
    const { id, type, subject } = message;
    if (!counted.has(id)) {
      const [mark] = await db.write((tx) => tx.run(markAttempt, [{ message_id: id, started_at: world.now() }]));
      if (mark!.attempts > CRASHES_MAX) {
        await giveUp(new Fault('crash_suspect', `the process died ${CRASHES_MAX} times while it handled ${type} about ${subject}`));
        condemned.add(id);
        return;
      }
      counted.add(id);
    }
    await handle();
    counted.delete(id);
    attempted.delete(id);
  }

  return {
    async load() {
      for (const row of await db.read.raw<{ message_id: string }>('select message_id from attempt')) attempted.add(row.message_id);
      const given = await db.read.raw<{ message_id: string }>(
        `select message_id from dead_letter where code = 'crash_suspect' and status <> 'resolved'`,
      );
      for (const row of given) condemned.add(row.message_id);
    },
    suspicious: ({ deliveries, messages }) =>
      deliveries >= SUSPECT_DELIVERIES || (attempted.size > 0 && messages.some(({ id }) => attempted.has(id))),
    acquitted: (messages) => (condemned.size === 0 ? messages : messages.filter(({ id, redrive }) => redrive !== undefined || !condemned.has(id))),
    attempt: (message, handle, giveUp) => alone(lock, () => attempt(message, handle, giveUp)),
  };
}
