/**
 * Forgets what was kept for a time only: inbox rows and the answers of idempotency keys. In small pieces, so that nobody waits for it; weeks of
 * the inbox as a whole, on PostgreSQL. Keys are kept for as long as they are promised whatever their time, so they have no weeks.
 */
import { type Runnable, loop } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { ANSWER_KEPT_MS } from './idempotency.ts';
import { keepWeeks } from './inbox-weeks.ts';
import type { Mailbox } from './mailbox.ts';

/** Longer than the longest retry (5 h), an outage over a weekend, and the time until somebody redrives what was left of it. */
export const INBOX_KEPT_MS = 14 * 24 * 3_600_000;

const PIECE_ROWS = 2_000;
const PIECE_REST_MS = 200;
const LOOK_MS = 3_600_000;

const KEPT = [
  { table: { sqlite: 'inbox', postgres: 'inbox_rest' }, key: 'consumer, message_id', age: 'received_at', keptMs: INBOX_KEPT_MS },
  { table: { sqlite: 'idempotency', postgres: 'idempotency' }, key: 'scope, key', age: 'created_at', keptMs: ANSWER_KEPT_MS },
] as const;

export function openJanitor(mailbox: Mailbox, telemetry: Telemetry): Runnable {
  const { service, db, world } = mailbox;
  const log = telemetry.log.child({ service, part: 'janitor' });

  async function turn(): Promise<number> {
    let full = false;
    await keepWeeks(db, world.now(), INBOX_KEPT_MS);
    for (const { table: tables, key, age, keptMs } of KEPT) {
      const table = tables[db.dialect.name];
      const text = `delete from ${table} where (${key}) in (select ${key} from ${table} where ${age} < $1 order by ${age} limit ${PIECE_ROWS}) returning 1 as gone`;
      const gone = await db.write((tx) => tx.raw(text, [world.now() - keptMs]));
      full ||= gone.length === PIECE_ROWS;
    }
    return full ? PIECE_REST_MS : LOOK_MS;
  }

  const failed = (error: unknown): void => log.warn({ err: error }, 'old rows could not be deleted; tried again');
  const worker = loop({ name: `${service} janitor`, world, turn, failed });
  return {
    ...worker,
    async start() {
      await keepWeeks(db, world.now(), INBOX_KEPT_MS).catch(failed); // before anything is received: what lies in the rest keeps its week from being made
      await worker.start();
    },
  };
}
