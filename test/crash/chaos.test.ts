/**
 * A minute of chaos in each shape: test/chaos/README.md says what is done and what must hold. A longer run: `npm run chaos`.
 *
 * Each run is a process of its own: a worker thread that has reset many sockets does not always come to its end (Node 26.10).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ChaosReport } from '../chaos/run.ts';
import { brokerPrograms } from '../support/broker.ts';
import { clusterPrograms } from '../support/cluster.ts';
import { ROOT } from '../support/server.ts';

const PATIENCE_MS = 600_000;

async function aMinute(shape: string): Promise<ChaosReport> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-chaos-report-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'report.json');
  const options = { shape, minutes: 1, seed: 1, nodes: 1, pace: 0.7, report: file };
  const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const run = spawn(process.execPath, ['bench/chaos.ts', ...given], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [run.stdout, run.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const [code] = (await once(run, 'close')) as [number | null];
  if (code !== 0) expect(printed).toBe('a sound run');
  return JSON.parse(await readFile(file, 'utf8')) as ChaosReport;
}

/** A run in which little happened proves little. */
function expectMuch({ ok, faults, orders }: ChaosReport): void {
  expect(ok).toBe(true);
  const kinds = Object.values(faults);
  expect(kinds.filter((count) => count > 0).length).toBeGreaterThan(kinds.length / 2);
  expect(Object.values(orders).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100);
}

it('a minute in one process: nothing lost, doubled, stuck', { timeout: PATIENCE_MS }, async () => {
  expectMuch(await aMinute('embedded'));
});

describe.skipIf(brokerPrograms === undefined || clusterPrograms === undefined)('with a broker and a database of its own', () => {
  it('a minute in nine processes: nothing lost, doubled, stuck', { timeout: PATIENCE_MS }, async () => {
    expectMuch(await aMinute('split'));
  });
});
