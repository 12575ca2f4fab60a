/**
 * What an order waits for in silence: a service lacks a message of a stream, and what came after it waits. Only what is missing for too long
 * is told; the rest closes by itself.
 */
import type { Blocker } from './domain-explain.ts';

/** Something that is missing, as the service that lacks it tells it. */
export interface StreamGap {
  readonly id: string;
  readonly service: string;
  readonly source: string;
  readonly subject: string;
  readonly missing_from: number;
  readonly missing_to: number;
  readonly waiting: number;
  /** Milliseconds UTC. */
  readonly since: number;
  readonly overdue_at: number;
  readonly dead_letter_id: string | null;
}

export const blockerOfGap = (gap: StreamGap): Blocker => {
  const { id, service, source, subject, missing_from: from, missing_to: to, waiting, since, overdue_at, dead_letter_id } = gap;
  const places = from === to ? `message ${from}` : `messages ${from} to ${to}`;
  return {
    blocker: 'gap',
    since,
    owner: 'operator',
    deadline: overdue_at,
    legal_commands: dead_letter_id === null ? ['skip_gap'] : ['redrive_dead_letter'],
    evidence: {
      asked: null,
      awaits: [`${places} of ${source} about ${subject}`],
      note: `gap ${id}: ${waiting} wait behind it in ${service}`,
      dead_letter_id,
    },
  };
};
