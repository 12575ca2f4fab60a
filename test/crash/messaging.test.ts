/** The program killed at every step of a message's way, and started again: nothing is lost, nothing happens twice, order is kept. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINTS, type Failpoint } from '../../src/kernel/failpoints.ts';

const PROGRAM = fileURLToPath(new URL('./pipeline.ts', import.meta.url));
const COMMANDS = 60;
const STREAMS = 5;

/** Points that lie on the way of this program, and the hit at which it is killed: in the middle of the work. */
const POINTS: Partial<Record<Failpoint, number>> = {
  'unit.before_commit': 7,
  'unit.after_commit': 7,
  'relay.before_publish': 3,
  'relay.after_publish': 3,
  'relay.before_delete': 2,
  'bus.before_commit': 3,
  'bus.after_commit': 3,
  'consumer.before_tx': 4,
  'consumer.in_tx': 4,
  'consumer.after_commit': 4,
  'consumer.after_ack': 3,
  'failure.before_commit': 2,
  'failure.after_commit': 2,
  'scheduler.in_tx': 1,
  'scheduler.after_commit': 1,
};

interface End {
  readonly signal: string | null;
  readonly output: string;
}

const WAYS = [
  { name: 'the bus hands over at once', way: [] },
  { name: 'the bus writes everything', way: ['written'] },
];

describe.each(WAYS)('a crash, $name', ({ way }) => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-crash-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function run(failpoints: string, ...more: string[]): Promise<End> {
    const child = spawn(process.execPath, [PROGRAM, folder, ...way, ...more], {
      env: { ...process.env, WAYBILL_FAILPOINTS: failpoints },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { signal, output };
  }

  function rows<Row>(database: string, sql: string): Row[] {
    const db = new DatabaseSync(join(folder, `${database}.db`), { readOnly: true });
    try {
      return db.prepare(sql).all() as Row[];
    } finally {
      db.close();
    }
  }
  const count = (database: string, table: string): number => rows<{ n: number }>(database, `select count(*) as n from ${table}`)[0]!.n;

  function everythingOnce(): void {
    const effects = rows<{ subject: string }>('inventory', 'select subject from effect').map(({ subject }) => Number(subject));
    expect(effects.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COMMANDS }, (_, n) => n));
    const heard = rows<{ stream: string; sequence: number }>('orders', 'select stream, sequence from heard order by place');
    for (let s = 0; s < STREAMS; s += 1) {
      const sequences = heard.filter(({ stream }) => stream === `s${s}`).map(({ sequence }) => sequence);
      expect(sequences).toEqual(Array.from({ length: COMMANDS / STREAMS }, (_, i) => i + 1));
    }
    const left = (['orders', 'inventory'] as const).flatMap((database) =>
      ['outbox', 'timer', 'parked', 'failure', 'attempt'].map((table) => count(database, table)),
    );
    expect(left).toEqual(left.map(() => 0));
    expect(count('bus', 'bus_message')).toBe(0);
  }

  it('none: the program comes to its end', async () => {
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    everythingOnce();
    expect([count('orders', 'dead_letter'), count('inventory', 'dead_letter')]).toEqual([0, 0]);
  });

  // What is never written meets no point of the bus.
  const points = Object.entries(POINTS).filter(([point]) => way.length > 0 || !point.startsWith('bus.'));
  it.each(points)('at %s, hit %i: after a restart everything has happened once, in order', async (point, hit) => {
    expect((await run(`${point}=kill@${hit}`)).signal).toBe('SIGKILL');
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    everythingOnce();
    expect([count('orders', 'dead_letter'), count('inventory', 'dead_letter')]).toEqual([0, 0]);
  });

  it('again and again, at another point each time: the same', async () => {
    for (const point of [
      'relay.after_publish=kill@2',
      'consumer.after_commit=kill@2',
      ...(way.length > 0 ? ['bus.after_commit=kill@2'] : []),
      'consumer.in_tx=kill@3',
      'relay.before_delete=kill@1',
      'consumer.after_ack=kill@2',
    ]) {
      await run(point);
    }
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    everythingOnce();
  });

  it('of a message that kills: only that message becomes a dead letter, after five deaths', async () => {
    let deaths = 0;
    for (let end = await run('', 'killer'); end.signal === 'SIGKILL'; end = await run('', 'killer')) {
      deaths += 1;
      expect(deaths).toBeLessThan(10);
    }
    expect(deaths).toBe(5);
    everythingOnce();
    expect(rows('inventory', 'select subject, code, status from dead_letter')).toEqual([
      { subject: 'killer', code: 'crash_suspect', status: 'open' },
    ]);
    expect(count('orders', 'dead_letter')).toBe(0);
  });

  it('every failpoint of messaging is among those tried', () => {
    expect(FAILPOINTS.filter((point) => !/^(task|job)\./.test(point))).toEqual(Object.keys(POINTS));
  });
});
