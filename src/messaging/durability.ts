/** Whether the server of a database keeps what it says it has kept. */
import type { Database } from '../db/database.ts';

/**
 * Settings of the server by which a power cut takes what was answered, or tears pages. Only its owner can change them; what a session can
 * make sure of (`synchronous_commit`) every session does.
 */
export async function unsafeSettings({ dialect, read }: Database): Promise<string[]> {
  if (dialect.name !== 'postgres') return [];
  const rows = await read.raw<{ name: string }>(
    `select name from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name`,
  );
  return rows.map(({ name }) => name);
}
