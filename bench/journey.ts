/**
 * How many whole journeys a second, durable, in one process: placed, reserved, authorised, prepared for shipment, customer told.
 *
 *   node bench/journey.ts [--seconds 15]
 *
 * Three figures of one run: through HTTP (256 connections, load generator on the same machine); POST latency at half of that load;
 * and the floor: the very rows the journey left behind, written again with bare `node:sqlite`, in group commits of 100 orders.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { ORDER, settled, stock } from './shop.ts';
import { type Server, load, record, startServer, usage } from './support.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' } } });
const seconds = Number(values.seconds);

const server = await startServer();
try {
  await stock(server);
  await load(`${server.url}/v1/orders`, { body: ORDER, seconds: 5 }); // warm
  const before = { done: await settled([server]), ...usage(server.pid), at: performance.now() };
  const full = await load(`${server.url}/v1/orders`, { body: ORDER, seconds });
  const after = { done: await settled([server]), ...usage(server.pid), at: performance.now() };
  const journeys = after.done - before.done;
  const perSecond = journeys / ((after.at - before.at) / 1000);

  const half = await load(`${server.url}/v1/orders`, { body: ORDER, seconds, rate: perSecond / 2 });
  const orders = await settled([server]);
  assertReady(server, orders);
  const audit = (await (await fetch(`${server.url}/v1/audit?fresh=true`)).json()) as { violations: number };
  const { peakMb } = usage(server.pid);
  const floor = floorPerSecond(server.dataDir, orders);

  record('journey', {
    'whole journeys/s through HTTP': Math.round(perSecond),
    'accepted/s through HTTP': Math.round(full.accepted / full.seconds),
    'refused or failed': full.refused + full.errors + half.refused + half.errors,
    'POST p50 ms at full load': full.latency.p50,
    'POST p99 ms at full load': full.latency.p99,
    'POST p50 ms at half load': half.latency.p50,
    'POST p99 ms at half load': half.latency.p99,
    'server CPU µs per journey': Math.round(((after.cpuSeconds - before.cpuSeconds) * 1e6) / journeys),
    'load generator CPU µs per request': full.cpuMicros,
    'peak memory MB': Math.round(peakMb),
    'floor: the same rows, bare node:sqlite, orders/s': Math.round(floor),
    'ratio to the floor': (perSecond / floor).toFixed(2),
    'audit violations': audit.violations,
  });
} finally {
  await server.stop();
}

function assertReady({ dataDir }: Server, orders: number): void {
  const database = new DatabaseSync(join(dataDir, 'shipping.db'), { readOnly: true });
  const { n } = database.prepare(`select count(*) as n from shipment where status = 'ready'`).get() as { n: number };
  database.close();
  if (n !== orders) throw new Error(`${orders} orders were placed, and ${n} parcels are ready`);
}

/** Writes the rows of at most 20,000 orders again, into the same tables, one prepared insert a row, one commit per 100 orders and file. */
function floorPerSecond(dataDir: string, orders: number): number {
  const sample = Math.min(orders, 20_000);
  const scratch = mkdtempSync(join(tmpdir(), 'waybill-floor-'));
  try {
    const jobs = readdirSync(dataDir)
      .filter((name) => name.endsWith('.db') && name !== 'bus.db')
      .map((name) => copyPlan(join(dataDir, name), join(scratch, name), sample / orders));
    const start = performance.now();
    const steps = Math.ceil(sample / 100);
    for (let step = 0; step < steps; step += 1) for (const write of jobs) write(step, steps);
    return sample / ((performance.now() - start) / 1000);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Reads a share of every table of a database and answers a function that writes the n-th of N parts in one transaction. */
function copyPlan(from: string, to: string, share: number): (step: number, steps: number) => void {
  const source = new DatabaseSync(from, { readOnly: true });
  const target = new DatabaseSync(to, { enableForeignKeyConstraints: false }); // tables are written one after another
  target.exec('pragma journal_mode = wal; pragma synchronous = full');
  const objects = source
    .prepare(`select type, name, sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by type = 'index'`)
    .all() as { type: string; name: string; sql: string }[];
  for (const { sql } of objects) target.exec(sql);
  const tables = objects
    .filter(({ type }) => type === 'table')
    .map(({ name }) => {
      const total = (source.prepare(`select count(*) as n from "${name}"`).get() as { n: number }).n;
      const rows = source.prepare(`select * from "${name}" limit ${Math.ceil(total * share)}`).all() as Record<string, SQLInputValue>[];
      const columns = Object.keys(rows[0] ?? {});
      const insert =
        rows.length === 0
          ? undefined
          : target.prepare(`insert into "${name}" (${columns.map((c) => `"${c}"`).join(', ')}) values (${columns.map(() => '?').join(', ')})`);
      return { rows: rows.map((row) => columns.map((column) => row[column]!)), insert };
    });
  source.close();
  return (step, steps) => {
    target.exec('begin');
    for (const { rows, insert } of tables) {
      for (let i = Math.floor((rows.length * step) / steps); i < Math.floor((rows.length * (step + 1)) / steps); i += 1) insert!.run(...rows[i]!);
    }
    target.exec('commit');
  };
}
