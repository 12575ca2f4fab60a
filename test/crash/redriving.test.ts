/** A job over dead letters, killed in the middle and gone on with: each message is sent again once, and what became of it is known. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINTS, type Failpoint } from '../../src/kernel/failpoints.ts';

const PROGRAM = fileURLToPath(new URL('./redriving.ts', import.meta.url));
const LETTERS = 150;

/** Points on the way of a job, and the hit at which it is killed: in the middle of the work. */
const POINTS: Partial<Record<Failpoint, number>> = {
  'job.in_tx': 3,
  'job.after_commit': 3,
  'unit.before_commit': 5,
  'unit.after_commit': 5,
  'relay.before_publish': 2,
  'relay.after_publish': 3,
  'relay.before_delete': 1,
  'consumer.in_tx': 3,
  'consumer.after_commit': 3,
  'failure.before_commit': 1,
  'failure.after_commit': 1,
};

describe('a job over dead letters', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-redriving-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function run(failpoints: string): Promise<{ signal: string | null; output: string }> {
    const child = spawn(process.execPath, [PROGRAM, folder], {
      env: { ...process.env, WAYBILL_FAILPOINTS: failpoints },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { signal, output };
  }

  function everythingOnce(): void {
    const db = new DatabaseSync(join(folder, 'inventory.db'), { readOnly: true });
    const rows = (sql: string): unknown[] =>
      db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row));
    try {
      const subjects = rows('select subject from effect').map((row) => Number((row as string[])[0]));
      expect(subjects.toSorted((a, b) => a - b)).toEqual(Array.from({ length: LETTERS }, (_, n) => n).filter((n) => n !== 77));
      expect(rows('select state, total, waiting, redriven, succeeded, failed_again, skipped from dead_letter_job')).toEqual([
        ['done', LETTERS, 0, 0, LETTERS - 1, 1, 0],
      ]);
      expect(rows('select outcome, count(*) from dead_letter_job_item group by outcome order by outcome')).toEqual([
        ['failed_again', 1],
        ['succeeded', LETTERS - 1],
      ]);
      expect(rows('select status, count(*) from dead_letter group by status order by status')).toEqual([
        ['open', 1],
        ['resolved', LETTERS - 1],
      ]);
      const counted = rows('select sum(open), sum(redriving), sum(resolved), sum(discarded) from dead_letter_group');
      expect(counted).toEqual([[1, 0, LETTERS - 1, 0]]);
      expect(rows(`select action, count(*), count(distinct dead_letter_id) from dead_letter_log group by action order by action`)).toEqual([
        ['opened', LETTERS, LETTERS],
        ['redriven', LETTERS, LETTERS],
        ['reopened', 1, 1],
        ['resolved', LETTERS - 1, LETTERS - 1],
      ]);
    } finally {
      db.close();
    }
  }

  it('comes to its end', async () => {
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    everythingOnce();
  });

  it.each(Object.entries(POINTS))('killed at %s, hit %i, goes on after a restart and sends nothing twice', async (point, hit) => {
    expect((await run(`${point}=kill@${hit}`)).signal).toBe('SIGKILL');
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    everythingOnce();
  });

  it('killed again and again comes to the same end', async () => {
    for (const point of [
      'job.after_commit=kill@2',
      'job.in_tx=kill@2',
      'consumer.after_commit=kill@1',
      'job.after_commit=kill@1',
      'relay.after_publish=kill@1',
    ])
      await run(point);
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    everythingOnce();
  });

  it('has every failpoint of jobs tried', () => {
    expect(FAILPOINTS.filter((point) => point.startsWith('job.') && !(point in POINTS))).toEqual([]);
  });
});
