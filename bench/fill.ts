/**
 * Fills the databases of a shop with copies of the orders it has, all tables alike, by statements over sets: millions within minutes.
 *
 * An id begins with the time it was minted, so all ids of a short while share their first characters. A copy has others there, in every
 * column of text wherever an id stands, also within JSON: what belonged together still does, and nothing meets what it was copied from. Its
 * number is of another year, its parcel of another tracking number. Warehouses and products remain who they are, and stock levels move by
 * what the copies took, so that the auditor finds every sum right. Times are not changed.
 *
 * The program must not be running; what it had under way must have settled, all of it within the last hours.
 */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';

interface Column {
  readonly name: string;
  readonly text: boolean;
}

/** The database of a service, as far as filling differs. */
export interface Shelf {
  readonly name: string;
  /** Without the columns the database fills in itself. */
  tables(): Promise<Map<string, Column[]>>;
  run(text: string): Promise<unknown>;
  one(text: string): Promise<Record<string, unknown>>;
  analyse(): Promise<unknown>;
  close(): Promise<void>;
}

interface Copy {
  readonly number: number;
  /** How ids begin, and are to begin. */
  readonly from: string;
  readonly to: string;
  readonly year: number;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARACTERS = 10;
/** Kinds of ids orders have in common. */
const SHARED = ['whs', 'prd'];
/** Tables about orders; the others are those with one of these columns. */
const ABOUT_ORDERS = new Set(['orders', 'inbox', 'stock_posting']);
const ORDER_COLUMNS = new Set(['order_id', 'payment_id']);

/** Copies all orders until there are at least `orders`, and analyses; answers how many there are. `tell` hears of each copy. */
export async function fill(shelves: readonly Shelf[], orders: number, tell: (done: number) => void): Promise<number> {
  const book = shelves.find(({ name }) => name === 'orders')!;
  const found = await book.one('select count(*) as have, min(id) as first, max(number) as number from orders');
  const have = Number(found['have']);
  const copies = Math.max(0, Math.ceil(orders / have) - 1);
  const from = sharedStart(String(found['first']).slice('ord_'.length), textOf(Date.now()));
  const year = Number(/^ORD-(\d+)-/.exec(String(found['number']))?.[1]);
  if (copies >= year) throw new Error(`${have} orders are too few to make ${orders} of: a copy takes a year of numbers`);
  const originals = new Map<Shelf, Map<string, Column[]>>();
  for (const shelf of shelves) originals.set(shelf, await keepOriginals(shelf));
  for (let number = 1; number <= copies; number += 1) {
    const copy: Copy = { number, from, to: earlier(from, number), year };
    await Promise.all(
      originals.entries().map(async ([shelf, tables]) => {
        await shelf.run('begin');
        for (const [table, columns] of tables) await shelf.run(copyOf(table, columns, copy));
        await shelf.run('commit');
      }),
    );
    tell(have * (number + 1));
  }
  for (const shelf of shelves) {
    if (shelf.name === 'inventory') await moveStock(shelf, copies);
    await shelf.analyse();
  }
  return have * (copies + 1);
}

/** Sets the rows about orders aside; answers the tables that had any. */
async function keepOriginals(shelf: Shelf): Promise<Map<string, Column[]>> {
  const kept = new Map<string, Column[]>();
  for (const [table, columns] of await shelf.tables()) {
    if (!ABOUT_ORDERS.has(table) && !columns.some(({ name }) => ORDER_COLUMNS.has(name))) continue;
    await shelf.run(`create temp table original_${table} as select * from ${table}${table === 'stock_posting' ? ` where ref_type = 'order'` : ''}`);
    if (Number((await shelf.one(`select count(*) as n from original_${table}`))['n']) > 0) kept.set(table, columns);
  }
  return kept;
}

function copyOf(table: string, columns: readonly Column[], { number, from, to, year }: Copy): string {
  const replaced = ({ name, text }: Column): string => {
    if (!text) return name;
    let value = `replace(replace(${name}, '_${from}', '_${to}'), 'ORD-${year}-', 'ORD-${year - number}-')`;
    for (const kind of SHARED) value = `replace(${value}, '${kind}_${to}', '${kind}_${from}')`;
    value = `replace(${value}, '"tracking_number":"WB', '"tracking_number":"W${number}B')`;
    return name === 'tracking_number' ? `'W${number}' || substr(${value}, 2)` : value;
  };
  const names = columns.map(({ name }) => name).join(', ');
  return `insert into ${table} (${names}) select ${columns.map(replaced).join(', ')} from original_${table}`;
}

/** What the copies of all reservations took. */
async function moveStock({ run }: Shelf, copies: number): Promise<void> {
  await run(`create temp table moved as select sku, warehouse_id, ${copies} * sum(quantity) as quantity from original_stock_posting
    where from_account = 'available' and to_account = 'reserved' group by sku, warehouse_id`);
  const moved = '(select quantity from moved m where m.sku = stock_level.sku and m.warehouse_id = stock_level.warehouse_id)';
  await run(`update stock_level set available = available - ${moved}, reserved = reserved + ${moved} where ${moved} is not null`);
}

function textOf(millis: number): string {
  let text = '';
  for (let rest = millis; text.length < TIME_CHARACTERS; rest = Math.floor(rest / ALPHABET.length)) text = ALPHABET[rest % ALPHABET.length] + text;
  return text;
}

function sharedStart(one: string, other: string): string {
  let length = 0;
  while (length < TIME_CHARACTERS && one[length] === other[length]) length += 1;
  return one.slice(0, length);
}

function earlier(start: string, steps: number): string {
  const value = start.split('').reduce((sum, character) => sum * ALPHABET.length + ALPHABET.indexOf(character), 0) - steps;
  return textOf(value).slice(-start.length);
}

export async function postgresShelves(url: string): Promise<Shelf[]> {
  const asking = new pg.Client(url);
  await asking.connect();
  const { rows } = await asking.query<{ schema: string }>(`select nspname as schema from pg_namespace where nspname like 'waybill\\_%' order by 1`);
  await asking.end();
  return Promise.all(
    rows.map(async ({ schema }) => {
      const client = new pg.Client(url);
      await client.connect();
      await client.query(`set search_path = ${schema}; set synchronous_commit = off; set jit = off`);
      return {
        name: schema.slice('waybill_'.length),
        async tables() {
          const found = await client.query<{ table: string; name: string; text: boolean }>(
            `select c.relname as table, a.attname as name, a.atttypid = 'text'::regtype as text from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
               and a.attnum > 0 and not a.attisdropped and a.attidentity = '' and a.attgenerated = '' order by c.relname, a.attnum`,
            [schema],
          );
          return Map.groupBy(found.rows, ({ table }) => table);
        },
        async analyse() {
          const { rows: all } = await client.query<{ name: string }>('select tablename as name from pg_tables where schemaname = $1', [schema]);
          for (const { name } of all) await client.query(`vacuum (analyze) ${schema}.${name}`); // else it is done during what is measured
          await client.query('checkpoint');
        },
        run: (text) => client.query(text),
        one: async (text) => (await client.query<Record<string, unknown>>(text)).rows[0]!,
        close: () => client.end(),
      } satisfies Shelf;
    }),
  );
}

/** The databases in the folder of a program that is not running. */
export function sqliteShelves(folder: string): Shelf[] {
  const files = globSync('*.db', { cwd: folder }).filter((file) => file !== 'bus.db');
  return files.map((file) => {
    const db = new DatabaseSync(join(folder, file));
    db.exec('pragma synchronous = off');
    return {
      name: basename(file, '.db'),
      async tables() {
        const rows = db
          .prepare(
            `select t.name as "table", c.name as name, c.type as type from sqlite_schema t, pragma_table_xinfo(t.name) c
             where t.type = 'table' and t.name not like 'sqlite%' and c.hidden = 0 and not (t.name = 'stock_posting' and c.name = 'seq') order by 1, c.cid`,
          )
          .all() as { table: string; name: string; type: string }[];
        return Map.groupBy(
          rows.map(({ table, name, type }) => ({ table, name, text: /text/i.test(type) })),
          ({ table }) => table,
        );
      },
      analyse: async () => db.exec('analyze'),
      run: async (text) => db.exec(text),
      one: async (text) => db.prepare(text).get() as Record<string, unknown>,
      close: async () => db.close(),
    };
  });
}
