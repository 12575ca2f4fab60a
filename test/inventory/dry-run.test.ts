/** What would come of moving goods: the answer it would have, and nothing in any table. */
import { afterAll, describe, expect, it } from 'vitest';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { type Thing, openInventory } from './inventory.ts';

const TABLES = ['product', 'warehouse', 'stock_level', 'stock_posting', 'transfer', 'outbox', 'idempotency'];

describe.each(databases())('a dry run, on $name', (database) => {
  const opened: OpenDatabase[] = [];
  afterAll(async () => void (await Promise.all(opened.map((one) => one.drop()))));

  it('answers as the command would, and changes nothing; its key stays unused', async () => {
    const { stocked, send, open } = await openInventory(database);
    opened.push(open);
    const [one, two] = [await stocked({ A: 9, B: 3 }), await stocked({ A: 1 })];
    const everything = (): Promise<unknown[]> => Promise.all(TABLES.map((table) => open.db.read.raw(`select * from ${table} order by 1, 2`)));
    const lines = [{ sku: 'A', quantity: 2 }];
    const planned = await send<{ id: string }>('POST', '/v1/transfers', { from_warehouse_id: one, to_warehouse_id: two, lines });
    const params = { transfer_id: planned.id };
    const commands: [path: string, body: object, more?: { params: object }][] = [
      ['/v1/stock/receipts', { warehouse_id: one, lines }],
      ['/v1/stock/adjustments', { warehouse_id: one, reason: 'broken', lines: [{ sku: 'A', quantity: -1 }] }],
      ['/v1/stock/counts', { warehouse_id: one, lines: [{ sku: 'A', counted: 4 }] }],
      ['/v1/stock/moves', { warehouse_id: one, reason: 'bent', lines: [{ sku: 'B', quantity: 1, to: 'unavailable' }] }],
      ['/v1/transfers', { from_warehouse_id: one, to_warehouse_id: two, lines }],
      ['/v1/transfers/{transfer_id}/send', {}, { params }],
      ['/v1/transfers/{transfer_id}/receive', {}, { params }],
    ];
    for (const [path, body, more = {}] of commands) {
      const before = await everything();
      const context = { requestId: 'r', client: 'local', idempotency: { key: path, hash: 'h' } };
      const rehearsed = await send<Thing>('POST', path, { ...body, dry_run: true }, { ...more, context });
      expect(await everything()).toEqual(before);
      const done = await send<Thing>('POST', path, body, { ...more, context });
      const { id: _one, dry_run, ...wouldBe } = rehearsed as Thing & { dry_run?: true };
      const { id: _two, ...is } = done;
      expect([dry_run, wouldBe]).toEqual([true, is]);
      expect(await everything()).not.toEqual(before);
    }
    await expect(
      send('POST', '/v1/stock/adjustments', { warehouse_id: one, reason: 'x', lines: [{ sku: 'A', quantity: -99 }], dry_run: true }),
    ).rejects.toMatchObject({
      code: 'stock_insufficient',
    });
  });
});
