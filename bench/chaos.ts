/**
 * Chaos: a day in the shop while processes, the broker, the database and the lines between them are killed, frozen, cut and restarted;
 * then what clients were told, compared with what there is. test/chaos/README.md says what is done and what is checked.
 *
 *   npm run chaos -- [--minutes 10] [--seed 1] [--shape embedded|split] [--rate 40] [--nodes 1|3] [--pace 1]
 *                    [--keep] [--report FILE] [--logs FOLDER]
 *
 * --pace stretches the time between two faults, --keep puts the figures into bench/results, --report writes all that was found.
 * Ends with 1 when anything was lost, duplicated, double charged, oversold, stuck or went backward. Ctrl-C leaves nothing behind.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FAULTS } from '../test/chaos/history.ts';
import { type ChaosReport, type Progress, runChaos } from '../test/chaos/run.ts';
import { SHAPES, type Shape } from '../test/chaos/site.ts';
import { record } from './support.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    shape: { type: 'string', default: 'split' },
    rate: { type: 'string', default: '40' },
    nodes: { type: 'string', default: '3' },
    pace: { type: 'string', default: '1' },
    report: { type: 'string' },
    keep: { type: 'boolean', default: false },
    logs: { type: 'string' },
  },
});
const number = (name: 'minutes' | 'seed' | 'rate' | 'nodes' | 'pace', allowed: (value: number) => boolean): number => {
  const value = Number(values[name]);
  if (!allowed(value)) throw new Error(`--${name} ${values[name]} is not possible`);
  return value;
};
if (!SHAPES.some((shape) => shape === values.shape)) throw new Error(`--shape must be ${SHAPES.join(' or ')}`);

let told = 0;
const report = await runChaos({
  shape: values.shape as Shape,
  minutes: number('minutes', (value) => value > 0 && value <= 1_440),
  seed: number('seed', (value) => Number.isSafeInteger(value) && value >= 0),
  rate: number('rate', (value) => value > 0 && value <= 10_000),
  nodes: number('nodes', (value) => value === 1 || value === 3),
  pace: number('pace', (value) => value > 0 && value <= 100),
  logs: values.logs,
  tell,
});
if (process.stdout.isTTY) process.stdout.write('\n');
print(report);
if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(report, null, 2));
if (values.keep) record(`chaos-${report.shape}`, figuresOf(report));
process.exit(report.ok ? 0 : 1);

/** One line: rewritten on a terminal, every ten seconds elsewhere. */
function tell({ phase, at, placed, finished, unanswered, faults, now }: Progress): void {
  const time = `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, '0')}`;
  const line = `${time} ${phase.padEnd(9)} ${placed} orders placed, ${finished} finished, ${unanswered} requests unanswered, ${faults} faults; now: ${now.join(', ') || 'calm'}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
  else if (at - told >= 10) {
    console.log(line);
    told = at;
  }
}

function figuresOf({ shape, minutes, seed, nodes, faults, orders, requests, duty, ends, settled, strange, verdict }: ChaosReport) {
  const prefixed = (prefix: string, counts: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${prefix}${name}`, count]));
  return {
    shape,
    minutes,
    seed,
    'nodes of the broker': shape === 'split' ? nodes : 0,
    ...prefixed('fault: ', faults),
    ...prefixed('orders ', orders),
    ...prefixed('requests ', requests),
    ...prefixed('dead letters redriven: ', duty.redriven),
    'orders resumed by a person': duty.resumed,
    'processes that did die at a bad moment': ends.trapped,
    'starts that failed and were repeated': ends.failedStarts,
    'processes that died by themselves': ends.died,
    'seconds until all was at rest': settled,
    'answers no outage explains': strange.count,
    'violations the auditor found': verdict.audit.count,
    ...Object.fromEntries(FAULTS.map((fault) => [fault.replace('_', ' '), verdict.faults[fault].count])),
  };
}

function print(result: ChaosReport): void {
  console.table(figuresOf(result));
  const { faults, audit } = result.verdict;
  for (const fault of FAULTS) for (const what of faults[fault].examples) console.log(`${fault}: ${what}`);
  for (const what of [...audit.examples, ...result.strange.examples]) console.log(what);
  console.log(result.ok ? 'nothing lost, nothing duplicated, nothing charged twice, nothing oversold, nothing stuck, nothing backward' : 'NOT SOUND');
}
