/**
 * How many whole journeys a second over PostgreSQL and RabbitMQ, all on this machine: placed through HTTP, reserved, authorised, prepared for
 * shipment, customer told; everything durable.
 *
 *   node bench/journey-distributed.ts [--seconds 15] [--processes 1]
 *
 * Both servers are the bench's own, so that their CPU can be told. With `--processes 2` orders and the doors are one process, everything
 * else another. The floors of the same run: the rows the journeys left, written again in sets of 100 orders by two clients, and as many
 * messages in packs of the same size, published bare with confirms.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import pg from 'pg';
import { startBroker } from '../test/support/broker.ts';
import { startCluster } from '../test/support/cluster.ts';
import { ORDER, settled, stock } from './shop.ts';
import { type Server, cpuSeconds, load, record, startServer, usage } from './support.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' }, processes: { type: 'string', default: '1' } } });
const seconds = Number(values.seconds);
const OTHERS = 'payments,inventory,shipping,notifications';

const postgres = await startCluster({ settings: { max_connections: '300', fsync: 'on' } });
const broker = await startBroker();
const servers: Server[] = [];
try {
  const env = { DATABASE_URL: postgres.url, AMQP_URL: broker.url };
  if (values.processes === '2') servers.push(await startServer({ ...env, SERVICES: 'orders' }), await startServer({ ...env, SERVICES: OTHERS }));
  else servers.push(await startServer(env));
  const [front, back = front] = servers;
  await stock(back!);
  const done = (): Promise<number> => settled(servers);
  const orders = `${front!.url}/v1/orders`;

  await load(orders, { body: ORDER, seconds: 5 }); // warm
  const before = { done: await done(), cpu: cpu(), at: performance.now() };
  const full = await load(orders, { body: ORDER, seconds });
  const after = { done: await done(), cpu: cpu(), at: performance.now() };
  const journeys = after.done - before.done;
  const perSecond = journeys / ((after.at - before.at) / 1_000);
  const micros = (who: keyof ReturnType<typeof cpu>): number => Math.round(((after.cpu[who] - before.cpu[who]) * 1e6) / journeys);

  const halfFrom = new Date();
  const half = await load(orders, { body: ORDER, seconds, rate: perSecond / 2 });
  const all = await done();
  const ready = await timeToReady(halfFrom);
  const rows = await floorOfRows(Math.min(all, 20_000), all);
  const messages = await floorOfMessages(Math.min(all, 20_000), all);

  record(`journey-distributed-${values.processes}`, {
    'whole journeys/s through HTTP': Math.round(perSecond),
    'refused or failed': full.refused + full.errors + half.refused + half.errors,
    'POST p50 ms at full load': full.latency.p50,
    'POST p99 ms at full load': full.latency.p99,
    'POST p50 ms at half load': half.latency.p50,
    'POST p99 ms at half load': half.latency.p99,
    'place to shipment ready p50 ms at half load': ready.p50,
    'place to shipment ready p99 ms at half load': ready.p99,
    'CPU µs per journey: Waybill': micros('node'),
    'CPU µs per journey: PostgreSQL': micros('postgres'),
    'CPU µs per journey: RabbitMQ': micros('rabbitmq'),
    'CPU µs per request: load generator': full.cpuMicros,
    'peak memory MB, all processes of Waybill': Math.round(servers.reduce((sum, { pid }) => sum + usage(pid).peakMb, 0)),
    'floor: the same rows in sets, orders/s': Math.round(rows),
    'floor: the same messages, bare confirms, orders/s': Math.round(messages),
    'ratio to the floor of rows': (perSecond / rows).toFixed(2),
  });
} finally {
  for (const server of servers) await server.stop();
  await broker.drop();
  await postgres.drop();
}

/** CPU seconds used so far by Waybill, by all processes of PostgreSQL, and by RabbitMQ. */
function cpu() {
  return {
    node: servers.reduce((sum, { pid }) => sum + usage(pid).cpuSeconds, 0),
    postgres: cpuSeconds(postgres.pid()),
    rabbitmq: cpuSeconds(Number(readFileSync(broker.pidFile, 'utf8'))),
  };
}

/** Milliseconds from placing an order to its entry `shipment.ready`, of the orders placed since. */
async function timeToReady(since: Date): Promise<{ p50: number; p99: number }> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  const { rows } = await client.query<{ p50: number; p99: number }>(
    `select percentile_cont(0.5) within group (order by t.at - o.created_at) as p50, percentile_cont(0.99) within group (order by t.at - o.created_at) as p99
     from waybill_orders.orders o join waybill_orders.order_timeline t on t.order_id = o.id and t.type = 'shipment.ready' where o.created_at >= $1`,
    [since.getTime()],
  );
  await client.end();
  return { p50: Math.round(rows[0]!.p50), p99: Math.round(rows[0]!.p99) };
}

/** Writes the rows of `sample` orders again: every table as it is, in sets of 100 orders, a commit per schema and set, two clients. */
async function floorOfRows(sample: number, all: number): Promise<number> {
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  const { rows: tables } = await pool.query<{ schema: string; name: string }>(
    `select schemaname as schema, relname as name from pg_stat_user_tables where schemaname like 'waybill\\_%'`,
  );
  const sets = Math.ceil(sample / 100);
  const work: { readonly insert: string; readonly rows: string }[][] = [];
  for (const [schema, named] of Map.groupBy(tables, (table) => table.schema)) {
    await pool.query(`create schema floor_${schema}`);
    const parts: (typeof work)[number][] = Array.from({ length: sets }, () => []);
    for (const { name } of named) {
      const copy = `floor_${schema}.${name}`;
      await pool.query(`create table ${copy} (like ${schema}.${name} including all)`);
      const { rows } = await pool.query<{ part: number; rows: string }>(
        `select part, json_agg(t)::text as rows from (
           select *, ntile($1) over () as part from (select * from ${schema}.${name} limit (select ceil(count(*) * $2::float8) from ${schema}.${name})) x
         ) t group by part`,
        [sets, sample / all],
      );
      const insert = `insert into ${copy} overriding system value select * from json_populate_recordset(null::${copy}, $1::json)`;
      for (const { part, rows: texts } of rows) parts[part - 1]!.push({ insert, rows: texts });
    }
    work.push(...parts);
  }
  const start = performance.now();
  const client = async (): Promise<void> => {
    const connection = await pool.connect();
    for (let set = work.shift(); set !== undefined; set = work.shift()) {
      await connection.query('begin');
      for (const { insert, rows } of set) await connection.query({ name: insert.slice(0, 60), text: insert, values: [rows] });
      await connection.query('commit');
    }
    connection.release();
  };
  await Promise.all([client(), client()]);
  const perSecond = sample / ((performance.now() - start) / 1_000);
  await pool.end();
  return perSecond;
}

/** Publishes as many messages as `sample` orders say, in packs as large as theirs were, each confirmed, 500 packs under way. */
async function floorOfMessages(sample: number, all: number): Promise<number> {
  const metrics = await Promise.all(servers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  const total = (name: string): number =>
    metrics
      .flatMap((text) => [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} ([\\d.e+]+)$`, 'gm'))])
      .reduce((sum, [, value]) => sum + Number(value), 0);
  const messages = (total('waybill_messages_published_total') * sample) / all;
  const perPack = Math.max(1, Math.round(total('waybill_consumer_batch_messages_sum') / total('waybill_consumer_batch_messages_count')));
  const connection = await connect(broker.url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('floor', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  const body = Buffer.alloc(450 * perPack, 'x');
  const start = performance.now();
  for (let pack = 0; pack * perPack < messages; pack += 1) {
    channel.sendToQueue('floor', body, { persistent: true });
    if (pack % 500 === 499) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  const perSecond = sample / ((performance.now() - start) / 1_000);
  await connection.close();
  return perSecond;
}
