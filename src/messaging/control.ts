/**
 * Pausing a consumer: a decision of a person, kept as a row, so that it outlives restarts and reaches the process that consumes,
 * whichever process the person asked.
 */
import { type Database, statement } from '../db/database.ts';
import { countOpen } from './dead-letter-groups.ts';
import { countGaps } from './gaps.ts';
import type { Transport } from './transport.ts';

export interface Pause {
  readonly paused: boolean;
  readonly reason: string;
  readonly actor: string;
  readonly changed_at: number;
}

interface ControlRow extends Omit<Pause, 'paused'> {
  readonly consumer: string;
  readonly paused: number;
}

const upsert = statement<ControlRow>(
  { consumer: 'text', paused: 'integer', reason: 'text', actor: 'text', changed_at: 'bigint' },
  (rows) => `
    insert into consumer_control (consumer, paused, reason, actor, changed_at)
    select row.consumer, row.paused, row.reason, row.actor, row.changed_at from ${rows} where true
    on conflict (consumer) do update set paused = excluded.paused, reason = excluded.reason, actor = excluded.actor, changed_at = excluded.changed_at`,
);

export const writePause = (db: Database, consumer: string, pause: Pause): Promise<unknown> =>
  db.write((tx) => tx.run(upsert, [{ ...pause, consumer, paused: pause.paused ? 1 : 0 }]));

export async function readPause(db: Database, consumer: string): Promise<Pause> {
  const [row] = await db.read.raw<ControlRow>('select * from consumer_control where consumer = $1', [consumer]);
  return row === undefined
    ? { paused: false, reason: '', actor: '', changed_at: 0 }
    : { paused: row.paused === 1, reason: row.reason, actor: row.actor, changed_at: row.changed_at };
}

/**
 * - `running`: takes deliveries as they come
 * - `paused`: by a person
 * - `waiting`: its database is away or the disk is full; it goes on by itself
 * - `storm`: most of what it handled failed; it rests, tries a few and goes on by itself
 * - `elsewhere`: it does not run in this process, or not now
 */
export type ConsumerStatus = 'running' | 'paused' | 'waiting' | 'storm' | 'elsewhere';

/** What one process knows of a consumer it runs. */
export interface ConsumerActivity {
  readonly status: ConsumerStatus;
  readonly last_error: string | null;
  readonly last_error_at: number | null;
}

export interface ConsumerState extends Pause, ConsumerActivity {
  readonly consumer: string;
  /** Messages in its queue; null when the transport does not know the queue. */
  readonly depth: number | null;
  /** Messages that wait behind a gap of their stream, and since when. */
  readonly parked: number;
  readonly parked_since: number | null;
  readonly dead_letters: number;
}

/** Everything known about a consumer. */
export async function consumerState(db: Database, transport: Transport, consumer: string, activity: ConsumerActivity): Promise<ConsumerState> {
  const pause = await readPause(db, consumer);
  const { waiting, since } = await countGaps(db, 0);
  const dead_letters = await countOpen(db);
  const depths = await transport.depths().catch((): Record<string, number> => ({}));
  return { consumer, ...pause, ...activity, depth: depths[consumer] ?? null, parked: waiting, parked_since: since, dead_letters };
}
