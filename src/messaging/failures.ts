/**
 * What becomes of a message whose handler threw: the classes of failure as data, the count of attempts, the retry or the dead letter.
 */
import type { Message } from '../contracts/envelope.ts';
import { type Tx, statement } from '../db/database.ts';
import { type ErrorCode, codeOf } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import { bury, isRedriving } from './dead-letters.ts';
import type { Unit } from './mailbox.ts';
import { setTimers } from './scheduler.ts';

export interface RetryPolicy {
  /** Milliseconds before the 2nd, 3rd, … attempt; as many attempts as delays and one. None: not tried again. */
  readonly delays: readonly number[];
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const patient: RetryPolicy = { delays: [2 * SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 2 * HOUR] };

/** How often and how long it makes sense to try again, by what sort of thing went wrong. */
export const POLICIES = {
  /** Passes by itself: rows in contention, something overloaded. */
  transient: patient,
  /** Somebody else's outage. */
  provider: patient,
  /** Ours, or unknown: a deployment or a fixed row may cure it, repetition hardly. */
  bug: { delays: [SECOND, 30 * SECOND, 5 * MINUTE] },
  /** The message cannot be right, whenever it is tried. */
  contract: { delays: [] },
} as const satisfies Record<string, RetryPolicy>;

export type FailureClass = keyof typeof POLICIES;

const CLASSES: Partial<Record<ErrorCode, FailureClass>> = {
  conflict: 'transient',
  overloaded: 'transient',
  idempotency_in_progress: 'transient',
  order_busy: 'transient',
  provider_unavailable: 'provider',
  catalogue_away: 'provider',
  contract_violation: 'contract',
  too_many_hops: 'contract',
  outside_dedupe_window: 'contract',
  crash_suspect: 'contract',
  sequence_skipped: 'contract',
};

/** The class of what a handler threw; a Refusal that was thrown instead of said is a bug. */
export const classOf = (thrown: unknown): FailureClass => CLASSES[codeOf(thrown)] ?? 'bug';

/** The database or the disk is not there: nobody's attempt is spent on that. */
export const isOutage = (thrown: unknown): boolean => codeOf(thrown) === 'unavailable' || codeOf(thrown) === 'storage_full';

/**
 * Milliseconds until the next attempt after `attempts` failed ones, ±20 %; undefined when there is none. Pure: chance in [0, 1).
 */
export function delayAfter(failure: FailureClass, attempts: number, chance: number): number | undefined {
  const delays: readonly number[] = POLICIES[failure].delays;
  const delay = delays[attempts - 1];
  return delay === undefined ? undefined : Math.round(delay * (0.8 + 0.4 * chance));
}

interface FailureRow {
  readonly message_id: string;
  readonly attempts: number;
  readonly at: number;
}
const findFailures = statement<{ message_id: string }, { message_id: string; attempts: number; first_at: number }>(
  { message_id: 'text' },
  (rows, dialect) =>
    `select f.message_id, f.attempts, f.first_at from failure f join ${rows} on f.message_id = row.message_id ${dialect.forUpdate('f')}`,
);
const upsertFailures = statement<FailureRow>(
  { message_id: 'text', attempts: 'integer', at: 'bigint' },
  (rows) => `
    insert into failure (message_id, attempts, first_at, last_at) select row.message_id, row.attempts, row.at, row.at from ${rows} where true
    on conflict (message_id) do update set attempts = excluded.attempts, last_at = excluded.last_at`,
);
const deleteFailures = statement<{ message_id: string }>(
  { message_id: 'text' },
  (rows) => `delete from failure where message_id in (select row.message_id from ${rows})`,
);
const deleteAttempts = statement<{ message_id: string }>(
  { message_id: 'text' },
  (rows) => `delete from attempt where message_id in (select row.message_id from ${rows})`,
);

export type Verdict = 'retry' | 'dead' | 'superseded';

/**
 * Records that handling `message` threw. A failed redrive is a dead letter at once: a person is watching.
 *
 * @param queue  where a retry or a redrive goes to
 */
export async function recordFailure(
  unit: Unit,
  message: Message,
  thrown: unknown,
  { queue, world }: { queue: string; world: World },
): Promise<Verdict> {
  const { tx, now } = unit;
  const before = message.attempt ?? 0;
  const [known] = await tx.run(findFailures, [{ message_id: message.id }]);
  await forgetAttempts(tx, [message]);
  const superseded =
    message.redrive === undefined
      ? known !== undefined && known.attempts > before // a later attempt is already on its way
      : !(await isRedriving(tx, message.redrive)); // another copy of it was settled
  if (superseded) return 'superseded';
  const attempts = before + 1;
  const delay = message.redrive === undefined ? delayAfter(classOf(thrown), attempts, world.random()) : undefined;
  if (delay === undefined) {
    await bury(unit, [message], thrown, { world, destination: queue, attempts, firstAt: known?.first_at ?? now });
    await forgetFailures(tx, [message]);
    return 'dead';
  }
  await tx.run(upsertFailures, [{ message_id: message.id, attempts, at: now }]);
  await setTimers(tx, [{ key: `retry:${message.id}`, due_at: now + delay, message: { ...message, attempt: attempts }, destination: queue }]);
  return 'retry';
}

/** Messages that failed before have been handled. */
export const forgetFailures = async (tx: Tx, messages: readonly Message[]): Promise<void> => {
  await tx.run(
    deleteFailures,
    messages.map(({ id }) => ({ message_id: id })),
  );
};

/** Suspects have been settled without the process dying of them. */
export const forgetAttempts = async (tx: Tx, messages: readonly Message[]): Promise<void> => {
  await tx.run(
    deleteAttempts,
    messages.map(({ id }) => ({ message_id: id })),
  );
};
