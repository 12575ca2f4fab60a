/** The program killed at every step of a message's way, and started again: nothing is lost, nothing happens twice, order is kept. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAILPOINTS, type Failpoint } from '../../src/kernel/failpoints.ts';
import { type Combination, onEveryCombination } from '../support/buses.ts';
import { type PipelineGround, openGround } from './pipeline-ground.ts';

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

/** The embedded bus need not write what it hands over at once; then its points are not met. */
const HANDED_OVER = { more: '', way: [] };
const WRITTEN = { more: ', everything written', way: ['written'] };

onEveryCombination((combination) => {
  const ways = combination.bus.name === 'embedded' ? [HANDED_OVER, WRITTEN] : [HANDED_OVER];
  describe.each(ways)('a crash$more', ({ way }) => crashes(combination, way));
});

function crashes(combination: Combination, way: readonly string[]): void {
  let ground: PipelineGround;
  beforeEach(async () => {
    ground = await openGround(combination);
  });
  afterEach(() => ground.remove());

  async function run(failpoints: string, ...more: string[]): Promise<End> {
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(ground.place), ...way, ...more], {
      env: { ...process.env, WAYBILL_FAILPOINTS: failpoints },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (signal !== null) await ground.passLeases();
    return { signal, output };
  }

  async function count(service: string, table: string): Promise<number> {
    return (await ground.rows<{ n: number }>(service, `select cast(count(*) as bigint) as n from ${table}`))[0]!.n;
  }

  async function everythingOnce(): Promise<void> {
    const effects = (await ground.rows<{ subject: string }>('inventory', 'select subject from effect')).map(({ subject }) => Number(subject));
    expect(effects.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COMMANDS }, (_, n) => n));
    const heard = await ground.rows<{ stream: string; sequence: number }>('orders', 'select stream, sequence from heard order by place');
    for (let s = 0; s < STREAMS; s += 1) {
      const sequences = heard.filter(({ stream }) => stream === `s${s}`).map(({ sequence }) => sequence);
      expect(sequences).toEqual(Array.from({ length: COMMANDS / STREAMS }, (_, i) => i + 1));
    }
    for (const service of ['orders', 'inventory'])
      for (const table of ['outbox', 'timer', 'parked', 'failure', 'attempt'])
        expect([service, table, await count(service, table)]).toEqual([service, table, 0]);
    if (combination.bus.name === 'embedded') expect(await count('bus', 'bus_message')).toBe(0);
  }
  const noDeadLetters = async (): Promise<void> =>
    expect([await count('orders', 'dead_letter'), await count('inventory', 'dead_letter')]).toEqual([0, 0]);

  it('none: the program comes to its end', async () => {
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    await everythingOnce();
    await noDeadLetters();
  });

  // What is never written meets no point of the bus. All points where database and bus are of one kind; where they are mixed, some.
  const mixed = (combination.database.name === 'sqlite') !== (combination.bus.name === 'embedded');
  const points = Object.entries(POINTS).filter(([point]) => !mixed && (way.length > 0 || !point.startsWith('bus.')));
  it.each(points)('at %s, hit %i: after a restart everything has happened once, in order', async (point, hit) => {
    expect((await run(`${point}=kill@${hit}`)).signal).toBe('SIGKILL');
    expect(await run('')).toEqual({ signal: null, output: 'done\n' });
    await everythingOnce();
    await noDeadLetters();
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
    await everythingOnce();
  });

  it('K09 of a message that kills: only that message becomes a dead letter, after five deaths', async () => {
    let deaths = 0;
    for (let end = await run('', 'killer'); end.signal === 'SIGKILL'; end = await run('', 'killer')) {
      deaths += 1;
      expect(deaths).toBeLessThan(10);
    }
    expect(deaths).toBe(5);
    await everythingOnce();
    expect(await ground.rows('inventory', 'select subject, code, status from dead_letter')).toEqual([
      { subject: 'killer', code: 'crash_suspect', status: 'open' },
    ]);
    expect(await count('orders', 'dead_letter')).toBe(0);
  });
}

it('every failpoint of messaging is among those tried', () => {
  expect(FAILPOINTS.filter((point) => !/^(task|job)\./.test(point))).toEqual(Object.keys(POINTS));
});
