/**
 * Whether an order costs the same with millions of them in the books: the same load on an empty database and on one filled with copies of
 * its orders (fill.ts), in one run, on PostgreSQL with RabbitMQ and on SQLite.
 *
 *   node bench/flat.ts [--orders 2000000] [--seconds 15] [--database postgres|sqlite]      both when absent
 *
 * The program is started anew and warmed up before each. Two million orders take about 20 GB while it runs. The auditor is asked at the end
 * of runs small enough to wait for it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBroker } from '../test/support/broker.ts';
import { startCluster } from '../test/support/cluster.ts';
import { type Shelf, fill, postgresShelves, sqliteShelves } from './fill.ts';
import { ORDER, settled, stock } from './shop.ts';
import { type Server, cpuSeconds, load, record, startServer } from './support.ts';

const { values } = parseArgs({
  options: { orders: { type: 'string', default: '2000000' }, seconds: { type: 'string', default: '15' }, database: { type: 'string' } },
});
const orders = Number(values.orders);
const seconds = Number(values.seconds);
const WARM_S = 5;
const RATE = 'whole journeys/s';
const MOST_TO_AUDIT = 200_000;

interface Ground {
  readonly env: Record<string, string>;
  readonly pids: Readonly<Record<string, number>>;
  shelves(): Promise<Shelf[]> | Shelf[];
  drop(): Promise<void>;
}

const GROUNDS: Readonly<Record<string, () => Promise<Ground>>> = {
  async postgres() {
    const cluster = await startCluster({ settings: { max_connections: '300', fsync: 'on', shared_buffers: '1GB', max_wal_size: '8GB' } });
    const broker = await startBroker();
    return {
      env: { DATABASE_URL: cluster.url, AMQP_URL: broker.url },
      pids: { PostgreSQL: cluster.pid(), RabbitMQ: Number(readFileSync(broker.pidFile, 'utf8')) },
      shelves: () => postgresShelves(cluster.url),
      async drop() {
        await broker.drop();
        await cluster.drop();
      },
    };
  },
  async sqlite() {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-flat-'));
    return {
      env: { DATA_DIR: folder },
      pids: {},
      shelves: () => sqliteShelves(folder),
      drop: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};

if (values.database !== undefined && GROUNDS[values.database] === undefined) throw new Error(`--database is ${Object.keys(GROUNDS).join(' or ')}`);
for (const [name, open] of Object.entries(GROUNDS)) if (name === (values.database ?? name)) await compare(name, await open());

async function compare(name: string, ground: Ground): Promise<void> {
  try {
    const empty = await measure(ground, true);
    console.log(`${name}: ${empty[RATE]} journeys/s with an empty database`);
    const from = performance.now();
    const shelves = await ground.shelves();
    const filled = await fill(shelves, orders, (done) => console.log(`${name}: ${done} orders`));
    for (const shelf of shelves) await shelf.close();
    const fillSeconds = Math.round((performance.now() - from) / 1_000);
    const full = await measure(ground, false);
    const audited = 'violations the auditor found';
    const both = Object.keys(empty).flatMap((figure) => [
      [`${figure}, empty`, empty[figure]!],
      [`${figure}, filled`, full[figure] ?? ''],
    ]);
    record(`flat-${name}`, {
      'orders filled in': filled,
      'seconds it took': fillSeconds,
      ...Object.fromEntries(both),
      ...(full[audited] === undefined ? {} : { [audited]: full[audited] }),
      'filled to empty, journeys/s': (full[RATE]! / empty[RATE]!).toFixed(2),
      'filled to empty, CPU an order': (cpuOf(full) / cpuOf(empty)).toFixed(2),
    });
  } finally {
    await ground.drop();
  }
}

function cpuOf(figures: Record<string, number>): number {
  return Object.entries(figures).reduce((sum, [name, value]) => (name.startsWith('CPU') ? sum + value : sum), 0);
}

/** Whole journeys, in a program started for it. */
async function measure(ground: Ground, first: boolean): Promise<Record<string, number>> {
  const server = await startServer(ground.env);
  try {
    if (first) await stock(server);
    const pids = { Waybill: server.pid, ...ground.pids };
    const cpu = (): number[] => Object.values(pids).map(cpuSeconds);
    await load(`${server.url}/v1/orders`, { body: ORDER, seconds: WARM_S });
    const before = { done: await settled([server]), cpu: cpu(), at: performance.now() };
    const { latency, refused, errors } = await load(`${server.url}/v1/orders`, { body: ORDER, seconds });
    const journeys = (await settled([server])) - before.done;
    const perSecond = Math.round(journeys / ((performance.now() - before.at) / 1_000));
    const micros = cpu().map((used, n) => Math.round(((used - before.cpu[n]!) * 1e6) / journeys));
    return {
      [RATE]: perSecond,
      'refused or failed': refused + errors,
      'POST p50 ms': latency.p50,
      'POST p99 ms': latency.p99,
      ...Object.fromEntries(Object.keys(pids).map((name, n) => [`CPU µs an order: ${name}`, micros[n]!])),
      ...(first || orders > MOST_TO_AUDIT ? {} : { 'violations the auditor found': await violations(server) }),
    };
  } finally {
    await server.stop();
  }
}

async function violations({ url }: Server): Promise<number> {
  const { violations: count, equations } = (await (await fetch(`${url}/v1/audit?fresh=true`)).json()) as {
    violations: number;
    equations: { id: string; first?: unknown }[];
  };
  for (const { id, first } of equations) if (first !== undefined) console.log(`${id}: ${JSON.stringify(first)}`);
  return count;
}
