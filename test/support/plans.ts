/**
 * Which tables statements read from end to end. Small tables forgive it, and a test database is small: so the plan is asked, not the clock.
 */
import type { Compilable } from 'kysely';
import type { Database, Reader, Tx } from '../../src/db/database.ts';

export interface Watched {
  readonly db: Database;
  /** The statements run so far that scan a table, each as `the scan in the statement`. */
  scans(): Promise<string[]>;
  /** How many different statements were run. */
  statements(): number;
}

export interface PlanOptions {
  /** Statements that stop at a limit may follow an index in its order, and an index of the few rows they are about may be read as a whole. */
  readonly lists?: boolean;
}

/** Remembers every statement that goes through the database. */
export function watchPlans(db: Database, { lists = false }: PlanOptions = {}): Watched {
  const seen = new Map<string, readonly unknown[]>();
  const watched = <R extends Reader>(reader: R): R => ({
    ...reader,
    run: (statement, rows) => {
      if (rows.length > 0)
        seen.set(statement.text(db.dialect), db.dialect.encode(statement.columns, rows as readonly Readonly<Record<string, unknown>>[]));
      return reader.run(statement, rows);
    },
    query: (query: Compilable<object>, options) => {
      const { sql, parameters } = query.compile();
      seen.set(sql, parameters);
      return reader.query(query, options);
    },
    raw: (text, parameters) => {
      seen.set(text, parameters ?? []);
      return reader.raw(text, parameters);
    },
  });
  return {
    db: { ...db, read: watched(db.read), write: (work, options) => db.write((tx) => work(watched<Tx>(tx)), options) },
    statements: () => seen.size,
    async scans() {
      const found: string[] = [];
      for (const [text, parameters] of seen) found.push(...(await scansOf(db, text, parameters, lists)));
      return found;
    },
  };
}

/** Small by nature, however many messages there are: suspects at work, gaps that are open. */
const SMALL: readonly string[] = ['attempt', 'gap'];

async function scansOf(db: Database, text: string, parameters: readonly unknown[], lists: boolean): Promise<string[]> {
  const about = ` in ${text.trim().replaceAll(/\s+/g, ' ').slice(0, 160)}`;
  if (db.dialect.name === 'sqlite') {
    const tables = (await db.read.raw<{ name: string }>(`select name from sqlite_master where type = 'table'`)).map(({ name }) => name);
    const partial = (await db.read.raw<{ name: string }>(`select name from sqlite_master where type = 'index' and sql like '%) where %'`)).map(
      ({ name }) => name,
    );
    const plan = await db.read.raw<{ detail: string }>(`explain query plan ${text}`, parameters);
    return plan.flatMap(({ detail }) => {
      const name = /^SCAN (\w+)/.exec(detail)?.[1];
      // An alias counts as the table it stands for.
      const real = name !== undefined && tables.some((table) => table === name || new RegExp(`\\b${table} (as )?${name}\\b`).test(text));
      const index = /USING (?:COVERING )?INDEX (\w+)/.exec(detail)?.[1];
      const fine = lists && index !== undefined && (/\blimit\b/i.test(text) || partial.includes(index));
      return real && !fine && !SMALL.includes(name) ? [detail + about] : [];
    });
  }
  // What PostgreSQL does with a dozen rows says nothing; that it has another way at all, does.
  const plan = await db.write(async (tx) => {
    await tx.raw('set local enable_seqscan = off');
    return tx.raw<{ 'QUERY PLAN': string }>(`explain ${text}`, parameters);
  });
  return plan.flatMap(({ 'QUERY PLAN': line }) => {
    const name = /Seq Scan on (\w+)/.exec(line)?.[1];
    return name !== undefined && !SMALL.includes(name) ? [line.trim() + about] : [];
  });
}
