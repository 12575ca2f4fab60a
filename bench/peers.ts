/**
 * The same four steps - reserve, authorise, ship, notify, each durable and a job, step or message of its own - on the peers one would
 * otherwise build them on, and on Waybill, driven in the same way, one after the other, with servers of the bench's own.
 *
 *   npm run bench:peers -- [--seconds 8] [--only pg-boss,waybill]
 *
 * What each peer does and leaves out is in bench/peers/README.md. They are installed in bench/peers when they are missing: nobody who uses
 * Waybill has them. Takes about four minutes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startBroker } from '../test/support/broker.ts';
import { startCluster } from '../test/support/cluster.ts';
import type { Outcome, Task } from './peers/driver.ts';
import { startRedis } from './peers/redis.ts';
import { record } from './support.ts';

const FOLDER = new URL('./peers/', import.meta.url).pathname;
/** What is started, warmed up, measured and drained takes this much longer than the measurement. */
const AROUND_S = 60;

interface Run {
  readonly name: string;
  /** In bench/peers. */
  readonly file: string;
  readonly way: string;
  readonly redis?: 'always' | 'everysec';
}
// oxfmt-ignore
const RUNS: readonly Run[] = [
  { name: 'waybill, order by order', file: 'waybill', way: 'single' },
  { name: 'pg-boss, in bulk', file: 'pg-boss', way: 'bulk' },
  { name: 'pg-boss, order by order', file: 'pg-boss', way: 'single' },
  { name: 'graphile-worker, in bulk', file: 'graphile-worker', way: 'bulk' },
  { name: 'graphile-worker, order by order', file: 'graphile-worker', way: 'single' },
  { name: 'bullmq, redis flushes always', file: 'bullmq', way: 'bulk', redis: 'always' },
  { name: 'bullmq, redis flushes every second', file: 'bullmq', way: 'bulk', redis: 'everysec' },
  { name: 'dbos, started directly', file: 'dbos', way: 'direct' },
  { name: 'dbos, queued', file: 'dbos', way: 'queue' },
  { name: 'floor: the rows of the peers in sets of 100', file: 'floor', way: 'sets' },
  { name: 'floor: the rows of the peers order by order', file: 'floor', way: 'single' },
];

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '8' }, only: { type: 'string', default: '' } } });
const seconds = Number(values.seconds);
const only = values.only.split(',');
const runs = RUNS.filter(({ name }) => only.some((part) => name.includes(part)));
if (runs.length === 0) throw new Error(`--only names nothing of ${RUNS.map(({ name }) => name).join('; ')}`);

install();
const postgres = await startCluster({
  settings: { max_connections: '300', fsync: 'on', synchronous_commit: 'on', shared_buffers: '1GB', max_wal_size: '8GB', jit: 'off' },
});
const outcomes = new Map<string, Outcome>();
try {
  for (const [n, run] of runs.entries()) {
    process.stdout.write(`${n + 1} of ${runs.length}: ${run.name} … `);
    const outcome = await measure(run);
    outcomes.set(run.name, outcome);
    console.log(`${outcome.perSecond} orders/s${outcome.exact ? '' : ', NOT EXACT'}`);
  }
} finally {
  await postgres.drop();
}
record('peers', figures());
process.exitCode = outcomes.values().every(({ exact }) => exact) ? 0 : 1;

function install(): void {
  const wanted = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  const missing = Object.entries(wanted.dependencies).filter(([name, version]) => {
    const file = join(FOLDER, 'node_modules', name, 'package.json');
    return !existsSync(file) || (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version !== version;
  });
  if (missing.length === 0) return;
  console.log(
    `bench/peers lacks ${missing.map(([name, version]) => `${name} ${version}`).join(', ')}: running npm ci there, which needs the network`,
  );
  const shell = process.platform === 'win32';
  const { status } = spawnSync('npm', ['ci', '--prefix', FOLDER, '--ignore-scripts'], { cwd: FOLDER, stdio: 'inherit', shell });
  if (status !== 0) throw new Error('npm ci in bench/peers failed, for the reason above');
}

/** In a database of its own, with a broker or a Redis of its own where it needs one, in a process of its own. */
async function measure({ name, file, way, redis: fsync }: Run): Promise<Outcome> {
  const database = `peer_${RUNS.findIndex((run) => run.name === name)}`;
  await ask(`create database ${database}`);
  const redis = fsync && (await startRedis(fsync));
  const broker = file === 'waybill' ? await startBroker() : undefined;
  const servers: Record<string, number> = { postgres: postgres.pid() };
  if (redis) servers['redis'] = redis.pid;
  if (broker) servers['rabbitmq'] = Number(readFileSync(broker.pidFile, 'utf8'));
  try {
    const databaseUrl = postgres.url.replace(/\/postgres$/, `/${database}`);
    return await child(file, { way, seconds, databaseUrl, amqpUrl: broker?.url ?? '', redisPort: redis?.port ?? 0, servers });
  } finally {
    await redis?.drop();
    await broker?.drop();
    await ask(`drop database ${database} with (force)`);
    await ask('checkpoint'); // the next one does not pay for this one
  }
}

async function child(file: string, task: Task): Promise<Outcome> {
  const running = spawn(process.execPath, ['--max-old-space-size=768', join(FOLDER, `${file}.ts`), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: (seconds + AROUND_S) * 1_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  running.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(running, 'close')) as [number | null];
  const last = output.trimEnd().split('\n').at(-1)!;
  if (code !== 0) throw new Error(`bench/peers/${file}.ts ended with ${code}: ${output.slice(-2_000)}`);
  return JSON.parse(last) as Outcome;
}

async function ask(text: string): Promise<void> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  await client.query(text);
  await client.end();
}

function figures(): Record<string, string | number> {
  const all: Record<string, string | number> = { 'seconds measured each': seconds };
  const waybill = outcomes.get('waybill, order by order');
  for (const [name, { perSecond, micros, peakMb, exact }] of outcomes) {
    const cpu = Object.entries(micros).map(([who, micro]) => `${who} ${micro}`);
    all[`${name}: orders/s`] = perSecond;
    all[`${name}: CPU µs an order, peak MB`] = `${cpu.join(' + ')}; ${peakMb}${exact ? '' : '; NOT EXACT'}`;
    if (waybill !== undefined && waybill.perSecond !== perSecond) all[`waybill to ${name}`] = `${(waybill.perSecond / perSecond).toFixed(2)} ×`;
  }
  return all;
}
