/** Reservations that are edited, leave in parts, come back or lose goods: after each story the books must add up. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DataOf } from '../../src/contracts/messages.ts';
import { databases } from '../support/databases.ts';
import { deliver } from '../support/mailbox.ts';
import { violationsIn } from './books.ts';
import { type Pieces, type TestInventory, linesOf, openInventory, partsInWords, queuedInWords } from './inventory.ts';

const fault = expect.objectContaining({ code: 'reservation_state' });
const wait = { split: true, backorder: true };

describe.each(databases())('reservations later on $name', (database) => {
  let inventory: TestInventory;
  let n = 0;
  /** Skus and orders of a story of its own. */
  const named = (): { sku: string; order: (name: string) => string } => {
    n += 1;
    return { sku: `S${n}`, order: (name) => `ord_${n}_${name}` };
  };
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterEach(async () => expect(await violationsIn(inventory.open.db)).toEqual([]));
  afterAll(() => inventory.open.drop());

  describe('that are changed', () => {
    const change = (order_id: string, revision: number, pieces: Pieces, allocation?: DataOf<'stock.change'>['allocation']) =>
      inventory.message('stock.change', { order_id, revision, lines: linesOf(pieces), ...(allocation && { allocation }) });

    it('hold more and less, line by line, once a revision', async () => {
      const { stocked, tell, reserve, heardOf, levelOf } = inventory;
      const [{ sku: a, order }, { sku: b }] = [named(), named()];
      const warehouse = await stocked({ [a]: 5, [b]: 5 });
      await tell(reserve(order('a'), { [a]: 2 }));
      expect(await tell(change(order('a'), 1, { [a]: 4, [b]: 1 }))).toEqual([`stock.changed ${order('a')}`]);
      expect(heardOf('stock.changed', order('a'))).toEqual({
        order_id: order('a'),
        revision: 1,
        parts: [{ warehouse_id: warehouse, lines: linesOf({ [a]: 4, [b]: 1 }) }],
        queued: [],
      });
      expect(await tell(change(order('a'), 1, { [a]: 9 }))).toEqual([`stock.changed ${order('a')}`]); // answered again, done once
      expect(await levelOf(warehouse, a)).toEqual([5, 4, 1]);
      await tell(change(order('a'), 3, { [b]: 2 }));
      expect(await tell(change(order('a'), 2, { [a]: 1 }))).toEqual([]); // older
      expect([await levelOf(warehouse, a), await levelOf(warehouse, b)]).toEqual([
        [5, 0, 5],
        [5, 2, 3],
      ]);
    });

    it('change in all or in nothing, and say what was short', async () => {
      const { stocked, tell, reserve, heardOf, levelOf } = inventory;
      const [{ sku: a, order }, { sku: b }] = [named(), named()];
      const warehouse = await stocked({ [a]: 5, [b]: 1 });
      await tell(reserve(order('a'), { [a]: 4 }));
      expect(await tell(change(order('a'), 1, { [a]: 1, [b]: 2 }))).toEqual([`stock.change_rejected ${order('a')}`]);
      const said = heardOf('stock.change_rejected', order('a'));
      expect(said).toEqual({ order_id: order('a'), revision: 1, lines: [{ sku: b, requested: 2, available: 1 }] });
      expect(await levelOf(warehouse, a)).toEqual([5, 4, 1]);
      await tell(change(order('a'), 1, { [a]: 1 }));
      expect(heardOf('stock.change_rejected', order('a'))).toEqual(said);
    });

    it('take from another warehouse only where they may be split, and wait only where they may', async () => {
      const { stocked, tell, reserve, heardOf } = inventory;
      const { sku, order } = named();
      const [one, two] = [await stocked({ [sku]: 3 }), await stocked({ [sku]: 3 })];
      await inventory.allowWaiting(sku, 9);
      await tell(reserve(order('a'), { [sku]: 2 }));
      expect(await tell(change(order('a'), 1, { [sku]: 5 }))).toEqual([`stock.change_rejected ${order('a')}`]);
      await tell(change(order('a'), 2, { [sku]: 5 }, { split: true }));
      expect(partsInWords(heardOf('stock.changed', order('a'))?.parts)).toEqual([`${one}: 3 ${sku}`, `${two}: 2 ${sku}`]);
      await tell(change(order('a'), 3, { [sku]: 8 }, wait));
      expect(queuedInWords(heardOf('stock.changed', order('a'))?.queued)).toEqual([`2 ${sku} at 1`]);
      // Given up are those that wait, then those looked for last.
      await tell(change(order('a'), 4, { [sku]: 4 }));
      expect(partsInWords(heardOf('stock.changed', order('a'))?.parts)).toEqual([`${one}: 3 ${sku}`, `${two}: 1 ${sku}`]);
    });

    it('serve those who wait with what they give up', async () => {
      const { stocked, tell, reserve, heardOf } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 3 });
      await inventory.allowWaiting(sku, 9);
      await tell(reserve(order('a'), { [sku]: 3 }), reserve(order('b'), { [sku]: 2 }, wait));
      expect(await tell(change(order('a'), 1, { [sku]: 2 }))).toEqual([`stock.changed ${order('a')}`, `stock.filled ${order('b')}`]);
      expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${warehouse}: 1 ${sku}`]);
    });

    it('count what has left: it can neither be given up nor be asked for twice', async () => {
      const { stocked, tell, reserve, commit, heardOf, levelOf } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 9 });
      await tell(reserve(order('a'), { [sku]: 4 }), commit(order('a'), { shipment_id: 'shp_1', warehouse_id: warehouse, lines: { [sku]: 3 } }));
      expect(await tell(change(order('a'), 1, { [sku]: 2 }))).toEqual([`stock.change_rejected ${order('a')}`]);
      expect(heardOf('stock.change_rejected', order('a'))?.lines).toEqual([{ sku, requested: 2, available: 3 }]);
      await tell(change(order('a'), 2, { [sku]: 5 }));
      expect(await levelOf(warehouse, sku)).toEqual([6, 2, 4]);
      await tell(commit(order('a'), { shipment_id: 'shp_2', warehouse_id: warehouse }), change(order('a'), 3, { [sku]: 6 }));
      expect(await levelOf(warehouse, sku)).toEqual([4, 1, 3]);
    });

    it('may be changed after all of it has left, or expired, not after the release', async () => {
      const { stocked, tell, reserve, commit, release, message, levelOf, world } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 9 });
      await tell(reserve(order('a'), { [sku]: 2 }), commit(order('a')));
      await tell(change(order('a'), 1, { [sku]: 3 }));
      expect(await levelOf(warehouse, sku)).toEqual([7, 1, 6]);
      await tell(
        reserve(order('b'), { [sku]: 2 }, { expires_at: new Date(world.now()).toISOString() }),
        message('stock.expire', { order_id: order('b') }),
      );
      expect(await tell(change(order('b'), 1, { [sku]: 2 }))).toEqual([`stock.changed ${order('b')}`]);
      await tell(release(order('b')));
      expect(await tell(change(order('b'), 2, { [sku]: 1 }))).toEqual([]);
      await expect(tell(change(order('never'), 1, { [sku]: 1 }))).rejects.toEqual(fault);
    });
  });

  describe('that leave in parts', () => {
    it('leave from where they are held, once a shipment', async () => {
      const { stocked, tell, reserve, commit, levelOf } = inventory;
      const { sku, order } = named();
      const [one, two] = [await stocked({ [sku]: 2 }), await stocked({ [sku]: 2 })];
      await tell(reserve(order('a'), { [sku]: 3 }, { split: true }));
      const leave = (shipment_id: string, warehouse_id: string, quantity: number) =>
        tell(commit(order('a'), { shipment_id, warehouse_id, lines: { [sku]: quantity } }));
      await expect(leave('shp_1', two, 2)).rejects.toEqual(fault);
      expect(await leave('shp_1', two, 1)).toEqual([`stock.committed ${order('a')}`]);
      expect(await leave('shp_1', two, 1)).toEqual([]);
      await expect(leave('shp_2', two, 1)).rejects.toEqual(fault);
      expect(await leave('shp_2', one, 2)).toEqual([`stock.committed ${order('a')}`]);
      await expect(leave('shp_3', one, 1)).rejects.toEqual(fault);
      expect([await levelOf(one, sku), await levelOf(two, sku)]).toEqual([
        [0, 0, 0],
        [1, 0, 1],
      ]);
    });

    it('never leave from elsewhere', async () => {
      const { stocked, tell, reserve, commit, heardOf } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 2 });
      const other = await stocked({ [sku]: 2 }, 200);
      await tell(reserve(order('a'), { [sku]: 2 }));
      await expect(tell(commit(order('a'), { warehouse_id: other, lines: { [sku]: 2 } }))).rejects.toEqual(fault);
      await tell(commit(order('a'), { shipment_id: 'shp_1', warehouse_id: warehouse, lines: { [sku]: 2 } }));
      expect(heardOf('stock.committed', order('a'))).toEqual({ order_id: order('a'), shipment_id: 'shp_1' });
    });

    it('do not leave a second time when they were ordinary once', async () => {
      const { stocked, tell, reserve, commit, message, levelOf } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 5 });
      const everything = commit(order('a'));
      await tell(
        reserve(order('a'), { [sku]: 2 }),
        everything,
        message('stock.change', { order_id: order('a'), revision: 1, lines: linesOf({ [sku]: 3 }) }),
      );
      expect(await tell(everything)).toEqual([]); // redelivered
      expect(await levelOf(warehouse, sku)).toEqual([3, 1, 2]);
      expect(await tell(commit(order('a'), { shipment_id: 'shp_2', warehouse_id: warehouse, lines: { [sku]: 1 } }))).toEqual([
        `stock.committed ${order('a')}`,
      ]);
    });
  });

  describe('that come back', () => {
    const takeBack = (
      order_id: string,
      return_id: string,
      warehouse_id: string,
      lines: Partial<Record<'restock' | 'quarantine' | 'scrap', number>>,
      sku: string,
    ) =>
      inventory.message('stock.take_back', {
        order_id,
        return_id,
        warehouse_id,
        lines: Object.entries(lines).map(([disposition, quantity]) => ({
          line_id: `lin_${sku}`,
          sku,
          quantity,
          disposition: disposition as 'restock' | 'quarantine' | 'scrap',
        })),
      });

    it('are sold again, set aside or thrown away, once a return and never more than have gone', async () => {
      const { stocked, tell, reserve, commit, get } = inventory;
      const { sku, order } = named();
      const warehouse = await stocked({ [sku]: 6 });
      await tell(reserve(order('a'), { [sku]: 5 }));
      await expect(tell(takeBack(order('a'), 'ret_1', warehouse, { restock: 1 }, sku))).rejects.toEqual(fault);
      await tell(commit(order('a')));
      expect(await tell(takeBack(order('a'), 'ret_1', warehouse, { restock: 1, quarantine: 2, scrap: 1 }, sku))).toEqual([
        `stock.taken_back ${order('a')}`,
      ]);
      expect(await tell(takeBack(order('a'), 'ret_1', warehouse, { restock: 1 }, sku))).toEqual([]);
      await expect(tell(takeBack(order('a'), 'ret_2', warehouse, { restock: 2 }, sku))).rejects.toEqual(fault);
      const { items } = await get('/v1/stock', { sku });
      expect(items).toMatchObject([{ available: 2, reserved: 0, unavailable: 2 }]);
      const { items: postings } = await get('/v1/stock/postings', { ref_id: 'ret_1' });
      expect(postings.map(({ from_account, to_account, quantity }) => `${quantity} ${from_account}>${to_account}`)).toEqual([
        '1 unavailable>outside:shrink',
        '1 outside:customer>unavailable',
        '2 outside:customer>unavailable',
        '1 outside:customer>available',
      ]);
    });

    it('serve those who wait, also in a warehouse where the sku never was', async () => {
      const { stocked, tell, reserve, commit, heardOf } = inventory;
      const { sku, order } = named();
      await stocked({ [sku]: 2 });
      const elsewhere = await stocked({});
      await inventory.allowWaiting(sku, 9);
      await tell(reserve(order('a'), { [sku]: 2 }), commit(order('a')), reserve(order('b'), { [sku]: 1 }, wait));
      expect(await tell(takeBack(order('a'), 'ret_3', elsewhere, { restock: 2 }, sku))).toEqual([
        `stock.taken_back ${order('a')}`,
        `stock.filled ${order('b')}`,
      ]);
      expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${elsewhere}: 1 ${sku}`]);
    });

    it('wait for a person when the warehouse is closed', async () => {
      const { stocked, tell, reserve, commit, send } = inventory;
      const { sku, order } = named();
      await stocked({ [sku]: 1 });
      const closed = await stocked({});
      await send('DELETE', '/v1/warehouses/{warehouse_id}', undefined, { params: { warehouse_id: closed } });
      await tell(reserve(order('a'), { [sku]: 1 }), commit(order('a')));
      await expect(tell(takeBack(order('a'), 'ret_4', closed, { restock: 1 }, sku))).rejects.toEqual(
        expect.objectContaining({ code: 'warehouse_archived' }),
      );
      await expect(tell(takeBack(order('a'), 'ret_4', 'whs_never', { restock: 1 }, sku))).rejects.toEqual(
        expect.objectContaining({ code: 'warehouse_not_found' }),
      );
    });
  });

  describe('whose goods are not there', () => {
    const shorted = (order_id: string, warehouse_id: string, lines: Pieces) =>
      inventory.message('shipment.shorted', {
        order_id,
        shipment_id: `shp_${order_id}`,
        tracking_number: 'T',
        warehouse_id,
        lines: linesOf(lines),
        left: [],
        reason: 'empty shelf',
      });

    it('wait for others at the head of the line, and take what another warehouse has', async () => {
      const { stocked, tell, reserve, heardOf, mailbox, service, levelOf } = inventory;
      const { sku, order } = named();
      const [one, two] = [await stocked({ [sku]: 4 }), await stocked({ [sku]: 1 })];
      await inventory.allowWaiting(sku, 9);
      await tell(reserve(order('a'), { [sku]: 4 }), reserve(order('b'), { [sku]: 4 }, wait));
      const message = shorted(order('a'), one, { [sku]: 3 });
      const heard = new Set<string>();
      await deliver(mailbox, service, [message], heard);
      await deliver(mailbox, service, [message], heard); // a duplicate
      expect(heardOf('stock.shorted', order('a'))).toEqual({
        order_id: order('a'),
        warehouse_id: one,
        lines: linesOf({ [sku]: 3 }),
        reason: 'empty shelf',
      });
      expect(await levelOf(one, sku)).toEqual([1, 1, 0]);
      // It may not be split, so it waits for the warehouse that has the rest of it, and there it comes before who has waited longer.
      await inventory.receive(two, { [sku]: 2 });
      expect(heardOf('stock.filled', order('a'))).toBeUndefined();
      await inventory.receive(one, { [sku]: 4 });
      expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${one}: 3 ${sku}`]);
      expect(partsInWords(heardOf('stock.filled', order('b'))?.parts)).toEqual([`${one}: 1 ${sku}`]);
    });

    it('and may be split are filled at once from elsewhere', async () => {
      const { stocked, tell, reserve, heardOf } = inventory;
      const { sku, order } = named();
      const [one, two] = [await stocked({ [sku]: 2 }), await stocked({ [sku]: 9 }, 200)];
      await tell(reserve(order('a'), { [sku]: 3 }, { split: true }));
      expect(await tell(shorted(order('a'), one, { [sku]: 2 }), shorted(order('never'), one, { [sku]: 2 }))).toEqual([
        `stock.shorted ${order('a')}`,
        `stock.filled ${order('a')}`,
      ]);
      expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${two}: 2 ${sku}`]);
    });
  });
});
