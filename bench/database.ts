/**
 * What the Database interface costs on SQLite: rows a second through `write`, against bare `node:sqlite` in the same run.
 *
 *   node bench/database.ts [--seconds 2]
 *
 * A unit writes an order's rows: 1 or 20 of 8 columns, and returns their keys. Bare: one prepared statement of one row in a loop, the
 * same units to a commit, flushed inside the commit (synchronous=full). Through the interface: that many writes started together.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { statement } from '../src/db/database.ts';
import { openSqlite } from '../src/db/sqlite.ts';
import { record } from './support.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } });
const milliseconds = Number(values.seconds) * 1_000;

interface Line {
  readonly id: string;
  readonly order_id: string;
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unit_price: number;
  readonly currency: string;
  readonly created_at: number;
}
const TABLE = `create table line (id text primary key, order_id text not null, sku text not null, name text not null,
  quantity integer not null, unit_price integer not null, currency text not null, created_at integer not null) strict, without rowid`;
const COLUMNS = ['id', 'order_id', 'sku', 'name', 'quantity', 'unit_price', 'currency', 'created_at'] as const;

const insertLines = statement<Line, { id: string }>(
  { id: 'text', order_id: 'text', sku: 'text', name: 'text', quantity: 'bigint', unit_price: 'bigint', currency: 'text', created_at: 'bigint' },
  (rows) => `
    insert into line (${COLUMNS.join(', ')}) select ${COLUMNS.map((column) => `row.${column}`).join(', ')} from ${rows} where true returning id`,
);

let minted = 0;
const linesOf = (rows: number): Line[] =>
  Array.from({ length: rows }, (_, i) => {
    minted += 1;
    return {
      id: `lin_01kaq${String(minted).padStart(21, '0')}`,
      order_id: `ord_01kaq${String(minted - i).padStart(21, '0')}`,
      sku: `SKU-${minted % 5_000}`,
      name: 'WHITE HANGING HEART T-LIGHT HOLDER',
      quantity: 6,
      unit_price: 255,
      currency: 'GBP',
      created_at: 1_767_225_600_000 + minted,
    };
  });

interface Figure {
  readonly rowsPerSecond: number;
  /** µs of processor time a row, flushes and all. */
  readonly cpu: number;
}

/** Runs `group` (which answers how many rows it wrote) for the time given. */
async function measure(group: () => Promise<number> | number): Promise<Figure> {
  await group();
  const began = performance.now();
  const cpu = process.cpuUsage();
  let rows = 0;
  while (performance.now() - began < milliseconds) rows += await group();
  const { user, system } = process.cpuUsage(cpu);
  return { rowsPerSecond: (rows * 1_000) / (performance.now() - began), cpu: (user + system) / rows };
}

async function inFolder<T>(work: (file: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-database-'));
  try {
    return await work(join(folder, 'bench.db'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const bare = (units: number, rows: number): Promise<Figure> =>
  inFolder(async (file) => {
    const connection = new DatabaseSync(file);
    connection.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16000; ${TABLE}`);
    const insert = connection.prepare(`insert into line (${COLUMNS.join(', ')}) values (?, ?, ?, ?, ?, ?, ?, ?) returning id`);
    const figure = await measure(() => {
      connection.exec('begin immediate');
      for (let unit = 0; unit < units; unit += 1) {
        for (const line of linesOf(rows))
          insert.get(line.id, line.order_id, line.sku, line.name, line.quantity, line.unit_price, line.currency, line.created_at);
      }
      connection.exec('commit');
      return units * rows;
    });
    connection.close();
    return figure;
  });

const throughInterface = (units: number, rows: number): Promise<Figure> =>
  inFolder(async (file) => {
    const db = openSqlite({ name: 'bench', file });
    await db.script(TABLE);
    const figure = await measure(async () => {
      await Promise.all(Array.from({ length: units }, () => db.write((tx) => tx.run(insertLines, linesOf(rows)))));
      return units * rows;
    });
    await db.close();
    return figure;
  });

const table: Record<string, string> = {};
for (const [units, rows] of [
  [1, 1],
  [1, 200],
  [50, 1],
  [50, 20],
  [200, 20],
] as const) {
  const floor = await bare(units, rows);
  const ours = await throughInterface(units, rows);
  table[`${units} units of ${rows} rows a commit: rows/s (µs CPU a row), bare`] = `${Math.round(floor.rowsPerSecond)} (${floor.cpu.toFixed(2)})`;
  table[`${units} units of ${rows} rows a commit: rows/s (µs CPU a row), Database`] = `${Math.round(ours.rowsPerSecond)} (${ours.cpu.toFixed(2)})`;
}
record('database', table);
