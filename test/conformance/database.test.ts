import { afterEach, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { statement } from '../../src/db/database.ts';
describe.each(databases())('smoke on $name', ({ open }) => {
  it('works', async () => {
    const o = await open();
    try {
      await o.db.script('create table t (id text primary key, n bigint)');
      const ins = statement<{ id: string; n: number | null }, { id: string; n: number }>({ id: 'text', n: 'bigint' }, (rows) => `insert into t (id, n) select row.id, row.n from ${rows} where true returning id, n`);
      expect(await o.db.write((tx) => tx.run(ins, [{ id: 'a"{},\\', n: 2 ** 53 - 1 }, { id: 'NULL', n: null }]))).toHaveLength(2);
      const db = await o.reopen();
      expect(await db.read.raw('select count(*) as c, cast(sum(n) as bigint) as s from t')).toEqual([{ c: 2, s: 2 ** 53 - 1 }]);
    } finally { await o.drop(); }
  }, 30000);
});
