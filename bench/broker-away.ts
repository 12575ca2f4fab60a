/**
 * Not speed: RabbitMQ is killed under a steady load and stays away for minutes. Every order must be taken meanwhile, and once the broker is
 * back everything must come to its end, each order step after step, and the books agree.
 *
 *   node bench/broker-away.ts [--minutes 5] [--rate 100]
 *
 * The servers are the bench's own, all settings the initial ones. Ends with 1 when a request was refused, a step came out of its order,
 * anything was left lying, or the auditor found something.
 */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startBroker } from '../test/support/broker.ts';
import { startCluster } from '../test/support/cluster.ts';
import { ORDER, progress, settled, stock } from './shop.ts';
import { type LoadResult, type Server, load, record, startServer, until } from './support.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '5' }, rate: { type: 'string', default: '100' } } });
const away = Number(values.minutes) * 60;
const rate = Number(values.rate);
/** Load before the broker goes, and after it has been told to come back. */
const AROUND_S = 5;
const SCHEMAS = ['orders', 'inventory', 'payments', 'shipping', 'notifications'] as const;

const postgres = await startCluster({ settings: { max_connections: '300', fsync: 'on' } });
const broker = await startBroker();
let server: Server | undefined;
try {
  server = await startServer({ DATABASE_URL: postgres.url, AMQP_URL: broker.url, LOG_LEVEL: 'error' });
  await stock(server);
  const orders = `${server.url}/v1/orders`;
  await load(orders, { body: ORDER, seconds: AROUND_S, rate });
  await settled([server]);
  const calm = await shapes();

  const [loaded, drained] = await Promise.all([load(orders, { body: ORDER, seconds: AROUND_S + away + AROUND_S, rate }), takeAway(server)]);
  const placed = await settled([server]);
  const after = await shapes();
  const odd = [...after].filter(([shape]) => !calm.has(shape));
  for (const [shape, count] of odd) console.log(`${count} orders: ${shape}`);
  report(loaded, {
    'minutes without the broker': Number(values.minutes),
    'orders a second': rate,
    'orders completed': placed,
    'requests answered': loaded.accepted,
    'requests refused or without an answer': loaded.refused + loaded.errors,
    ...drained,
    'orders whose steps came otherwise than in calm': odd.reduce((sum, [, count]) => sum + count, 0),
    ...(await left()),
    'violations the auditor found': await violations(server),
  });
} finally {
  await server?.stop();
  await broker.drop();
  await postgres.drop();
}

/** Kills the broker, starts it again after its time, and waits until what had been placed by then is completed. */
async function takeAway(from: Server): Promise<Record<string, number>> {
  await sleep(AROUND_S * 1_000);
  await broker.kill();
  console.log(`the broker is gone, for ${away} s`);
  for (let left = away; left > 0; left -= 30) {
    await sleep(Math.min(30, left) * 1_000);
    const { placed, completed } = await progress([from]);
    console.log(`${placed - completed} orders wait`);
  }
  const starting = performance.now();
  await broker.start();
  const back = performance.now();
  const waiting = await progress([from]);
  console.log('the broker is back');
  await until(async () => (await progress([from])).completed >= waiting.placed);
  const seconds = (performance.now() - back) / 1_000;
  return {
    'seconds the broker took to start': Math.round((back - starting) / 1_000),
    'orders that waited': waiting.placed - waiting.completed,
    'seconds until they were completed': Math.round(seconds * 10) / 10,
    'orders completed a second meanwhile': Math.round((waiting.placed - waiting.completed) / seconds),
  };
}

/** The steps orders took, in their order, and how many orders took them so; `backward` where a step is older than the one before it. */
async function shapes(): Promise<Map<string, number>> {
  const rows = await ask<{ shape: string; count: number }>(`
    select shape, count(*)::int as count from (
      select order_id, string_agg(case when at < before then 'backward ' else '' end || type, ' ' order by seq) as shape
      from (select *, lag(at) over (partition by order_id order by seq) as before from waybill_orders.order_timeline) step group by order_id
    ) journey group by shape`);
  return new Map(rows.map(({ shape, count }) => [shape, count]));
}

/** What lies where nothing may lie once all has settled. */
async function left(): Promise<Record<string, number>> {
  const count = async (table: string): Promise<number> => {
    const texts = SCHEMAS.map((schema) => `(select count(*) from waybill_${schema}.${table})`);
    return (await ask<{ n: number }>(`select (${texts.join(' + ')})::int as n`))[0]!.n;
  };
  return { 'dead letters': await count('dead_letter'), 'messages parked': await count('parked'), 'gaps in streams': await count('gap') };
}

async function violations({ url }: Server): Promise<number> {
  return ((await (await fetch(`${url}/v1/audit?fresh=true`)).json()) as { violations: number }).violations;
}

async function ask<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  const { rows } = await client.query<Row>(text);
  await client.end();
  return rows;
}

function report({ latency }: LoadResult, figures: Record<string, number>): void {
  record('broker-away', { ...figures, 'POST p50 ms': latency.p50, 'POST p99 ms': latency.p99, 'POST longest ms': latency.max });
  const [refused, ...wrong] = [
    'requests refused or without an answer',
    'orders whose steps came otherwise than in calm',
    'dead letters',
    'messages parked',
    'gaps in streams',
    'violations the auditor found',
  ].map((name) => figures[name]!);
  const sound = refused === 0 && wrong.every((count) => count === 0);
  console.log(sound ? 'every order was taken, every order came to its end' : 'NOT SOUND');
  process.exitCode = sound ? 0 : 1;
}
