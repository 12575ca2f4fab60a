/**
 * `kill -9` in the middle of commits: whatever was acknowledged is there afterwards, and the file is sound.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { openSqlite } from '../../src/db/sqlite.ts';

const KILLS = 10;

/** Starts a writer and kills it after it has acknowledged `enough` rows; answers the acknowledged ones. */
async function writeAndKill(file: string, first: number, enough: number): Promise<number[]> {
  const child = fork(new URL('../conformance/sqlite-writer.ts', import.meta.url), [file, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let text = '';
  let killed = false;
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (!killed && text.split('\n').length > enough) killed = child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  expect(signal).toBe('SIGKILL');
  return text.split('\n').slice(0, -1).map(Number); // what follows the last line end was cut off
}

it(`keeps every acknowledged row through ${KILLS} kills`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-kill-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'test.db');
  const db = openSqlite({ name: 'test', file });
  await db.script('create table row_of_test (id integer primary key, body text not null) strict');
  await db.close();

  const acknowledged: number[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) acknowledged.push(...(await writeAndKill(file, kill * 1_000_000, 20 + kill * 37)));

  const connection = new DatabaseSync(file);
  onTestFinished(() => connection.close());
  expect(connection.prepare('pragma integrity_check').get()).toMatchObject({ integrity_check: 'ok' });
  const kept = new Set(
    connection
      .prepare('select id from row_of_test')
      .all()
      .map((row) => Number(row.id)),
  );
  expect(acknowledged.length).toBeGreaterThan(KILLS * 20);
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
});
