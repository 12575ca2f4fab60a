/**
 * A process that writes numbered rows and says which are kept: `sqlite-writer.ts FILE FIRST COUNT`. Many writes are under way at
 * once, so that commits are shared; each number is printed after its `write` has resolved. COUNT 0: until it is killed.
 */
import { writeSync } from 'node:fs';
import { statement } from '../../src/db/database.ts';
import { openSqlite } from '../../src/db/sqlite.ts';

const [file = '', first = '0', count = '0'] = process.argv.slice(2);
const insertRow = statement<{ id: number; body: string }>(
  { id: 'bigint', body: 'text' },
  (rows) => `insert into row_of_test (id, body) select row.id, row.body from ${rows}`,
);
const db = openSqlite({ name: 'writer', file });
let next = Number(first);
const end = Number(count) === 0 ? Number.POSITIVE_INFINITY : next + Number(count);

async function writeOn(): Promise<void> {
  while (next < end) {
    const id = next;
    next += 1;
    await db.write((tx) => tx.run(insertRow, [{ id, body: 'x'.repeat(500) }]));
    if (end === Number.POSITIVE_INFINITY) writeSync(1, `${id}\n`);
  }
}
await Promise.all(Array.from({ length: 10 }, writeOn));
await db.close();
