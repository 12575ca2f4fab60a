/**
 * Timers: messages to be said later, cancellable until then. Retries, deadlines and delays are all rows of one table.
 */
import { type Message, encodeMessage } from '../contracts/envelope.ts';
import { type Tx, statement } from '../db/database.ts';

export interface Timer {
  readonly key: string;
  /** Milliseconds UTC. */
  readonly due_at: number;
  readonly message: Message;
  /** The one queue it is for when it comes due; whoever subscribes when absent. */
  readonly destination?: string;
}

const upsertTimers = statement<{ key: string; due_at: number; destination: string | null; message: string }>(
  { key: 'text', due_at: 'bigint', destination: 'text', message: 'text' },
  (rows) => `
    insert into timer (key, due_at, destination, message) select row.key, row.due_at, row.destination, row.message from ${rows} where true
    on conflict (key) do update set due_at = excluded.due_at, destination = excluded.destination, message = excluded.message`,
);
const deleteTimers = statement<{ key: string }>({ key: 'text' }, (rows) => `delete from timer where key in (select row.key from ${rows})`);

/** Sets timers; one with the same key is replaced. */
export async function setTimers(tx: Tx, timers: readonly Timer[]): Promise<void> {
  await tx.run(
    upsertTimers,
    timers.map(({ key, due_at, destination, message }) => ({ key, due_at, destination: destination ?? null, message: encodeMessage(message) })),
  );
}

/** Cancels timers; unknown keys are no harm. */
export async function cancelTimers(tx: Tx, keys: readonly string[]): Promise<void> {
  await tx.run(
    deleteTimers,
    keys.map((key) => ({ key })),
  );
}
