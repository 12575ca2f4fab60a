/** Goods from one warehouse to another: after each story the books must add up. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../support/databases.ts';
import { requestContext } from '../support/mailbox.ts';
import { violationsIn } from './books.ts';
import { type Pieces, type TestInventory, openInventory, partsInWords } from './inventory.ts';

interface Told {
  readonly id: string;
  readonly status: string;
  readonly version: number;
  readonly lines: readonly { sku: string; quantity: number; sent: number; received: number; written_off: number; under_way: number }[];
}
const refusal = (code: string): unknown => expect.objectContaining({ code });

describe.each(databases())('transfers on $name', (database) => {
  let inventory: TestInventory;
  let n = 0;
  const named = (): { sku: string; order: (name: string) => string } => {
    n += 1;
    return { sku: `T${n}`, order: (name) => `ord_${n}_${name}` };
  };
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterEach(async () => expect(await violationsIn(inventory.open.db)).toEqual([]));
  afterAll(() => inventory.open.drop());

  const linesOf = (pieces: Pieces) => Object.entries(pieces).map(([sku, quantity]) => ({ sku, quantity }));
  const create = (from_warehouse_id: string, to_warehouse_id: string, pieces: Pieces, more: object = {}) =>
    inventory.send<Told>('POST', '/v1/transfers', { from_warehouse_id, to_warehouse_id, lines: linesOf(pieces), ...more });
  const ask = (transfer_id: string, step: string, body: object = {}) =>
    inventory.send<Told>('POST', `/v1/transfers/{transfer_id}/${step}`, body, { params: { transfer_id } });

  it('are planned, sent, received in parts, and tell so', async () => {
    const { stocked, levelOf, said, get } = inventory;
    const { sku } = named();
    const [one, two] = [await stocked({ [sku]: 9 }), await stocked({})];
    const from = said.length;
    const planned = await create(one, two, { [sku]: 6 }, { reference: 'TR-7' });
    expect(planned).toMatchObject({ status: 'planned', version: 1, reference: 'TR-7', lines: [{ sku, quantity: 6, sent: 0 }] });
    expect(await levelOf(one, sku)).toEqual([9, 6, 3]);
    expect(await ask(planned.id, 'send')).toMatchObject({ status: 'sent', version: 2, lines: [{ sent: 6, under_way: 6 }] });
    expect(await ask(planned.id, 'send')).toMatchObject({ status: 'sent', version: 2 }); // it was sent
    expect([await levelOf(one, sku), await levelOf(two, sku)]).toEqual([
      [3, 0, 3],
      [0, 0, 0],
    ]);
    await ask(planned.id, 'receive', {
      lines: [
        { sku, quantity: 3 },
        { sku, quantity: 1, account: 'unavailable' },
      ],
    });
    expect(await levelOf(two, sku)).toEqual([4, 0, 3]);
    await ask(planned.id, 'write-off', { reason: 'fell off the lorry', lines: [{ sku, quantity: 1 }] });
    expect(await ask(planned.id, 'receive', { expected_version: 4 })).toMatchObject({
      status: 'received',
      version: 5,
      lines: [{ received: 5, written_off: 1, under_way: 0 }],
    });
    expect(said.slice(from).flatMap(({ type, subject, sequence }) => (subject === planned.id ? [`${type} ${sequence}`] : []))).toEqual([
      'transfer.created 1',
      'transfer.sent 2',
      'transfer.received 3',
      'transfer.written_off 4',
      'transfer.received 5',
    ]);
    expect(said.findLast(({ type }) => type === 'transfer.written_off')?.data).toMatchObject({ status: 'sent', reason: 'fell off the lorry' });
    expect((await get('/v1/stock/postings', { ref_id: planned.id })).items).toHaveLength(6);
    expect((await get('/v1/stock/postings', { ref_id: planned.id })).items[0]).toMatchObject({ ref_type: 'transfer', to_account: 'available' });
    await expect(ask(planned.id, 'receive')).rejects.toEqual(refusal('transfer_state'));
    await expect(ask('trf_never', 'receive')).rejects.toEqual(refusal('transfer_not_found'));
  });

  it('give back what is not sent, and those who wait get it', async () => {
    const { stocked, tell, reserve, heardOf, allowWaiting } = inventory;
    const { sku, order } = named();
    const [one, two] = [await stocked({ [sku]: 4 }), await stocked({})];
    await allowWaiting(sku, 9);
    const first = await create(one, two, { [sku]: 2 });
    const second = await create(one, two, { [sku]: 2 });
    await tell(reserve(order('a'), { [sku]: 4 }, { split: true, backorder: true }));
    await ask(first.id, 'send', { lines: [{ sku, quantity: 1 }] });
    expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${one}: 1 ${sku}`]);
    expect(await ask(second.id, 'cancel')).toMatchObject({ status: 'cancelled' });
    expect(await ask(second.id, 'cancel')).toMatchObject({ status: 'cancelled', version: 2 });
    expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${one}: 2 ${sku}`]);
    await ask(first.id, 'receive');
    expect(partsInWords(heardOf('stock.filled', order('a'))?.parts)).toEqual([`${two}: 1 ${sku}`]);
    await expect(ask(first.id, 'cancel')).rejects.toEqual(refusal('transfer_state'));
  });

  it('lose goods that are not there before orders do', async () => {
    const { stocked, tell, reserve, heardOf, send, said, get } = inventory;
    const { sku, order } = named();
    const [one, two] = [await stocked({ [sku]: 9 }), await stocked({})];
    await tell(reserve(order('a'), { [sku]: 3 }));
    const older = await create(one, two, { [sku]: 2 });
    const newer = await create(one, two, { [sku]: 2 });
    await send('POST', '/v1/stock/counts', { warehouse_id: one, lines: [{ sku, counted: 4 }] });
    expect(heardOf('stock.shorted', order('a'))).toBeUndefined();
    expect(said.filter(({ type }) => type === 'transfer.shorted').map(({ subject, data }) => [subject, data])).toEqual([
      [newer.id, expect.objectContaining({ lines: [expect.objectContaining({ quantity: 0 })], reason: 'counted' })],
      [older.id, expect.objectContaining({ lines: [expect.objectContaining({ quantity: 1 })], reason: 'counted' })],
    ]);
    await expect(ask(newer.id, 'send')).rejects.toEqual(refusal('invalid_request'));
    await send('POST', '/v1/stock/counts', { warehouse_id: one, lines: [{ sku, counted: 2 }] });
    expect(heardOf('stock.shorted', order('a'))).toMatchObject({ lines: [{ quantity: 1 }] });
    expect((await get<Told>('/v1/transfers/{transfer_id}', {}, { transfer_id: older.id })).lines).toMatchObject([{ quantity: 0 }]);
  });

  it('keep both warehouses open until they are over', async () => {
    const { stocked, send } = inventory;
    const { sku } = named();
    const [one, two] = [await stocked({ [sku]: 1 }), await stocked({})];
    const archive = (warehouse_id: string) => send('DELETE', '/v1/warehouses/{warehouse_id}', undefined, { params: { warehouse_id } });
    const { id } = await create(one, two, { [sku]: 1 });
    await expect(archive(two)).rejects.toEqual(refusal('warehouse_in_use'));
    await ask(id, 'send');
    await expect(archive(one)).rejects.toEqual(refusal('warehouse_in_use'));
    await expect(archive(two)).rejects.toEqual(refusal('warehouse_in_use'));
    await ask(id, 'write-off', { reason: 'lost' });
    await archive(one);
    await archive(two);
  });

  it.each([
    ['to where they are', {}, 'same', 'invalid_request'],
    ['of nothing', { lines: [] }, 'other', undefined],
    ['of a sku twice', {}, 'twice', 'invalid_request'],
    ['of more than there is', {}, 'more', 'stock_insufficient'],
    ['from nowhere', { from_warehouse_id: 'whs_never' }, 'other', 'warehouse_not_found'],
    ['to nowhere', { to_warehouse_id: 'whs_never' }, 'other', 'warehouse_not_found'],
    ['of a sku nobody knows', { lines: [{ sku: 'NEVER', quantity: 1 }] }, 'other', 'unknown_sku'],
  ])('are refused %s', async (_, wrong, kind, code) => {
    const { stocked, levelOf, send } = inventory;
    const { sku } = named();
    const [one, two] = [await stocked({ [sku]: 2 }), await stocked({})];
    const lines = {
      same: [{ sku, quantity: 1 }],
      other: [{ sku, quantity: 1 }],
      twice: [
        { sku, quantity: 1 },
        { sku, quantity: 1 },
      ],
      more: [{ sku, quantity: 3 }],
    };
    const body = { from_warehouse_id: one, to_warehouse_id: kind === 'same' ? one : two, lines: lines[kind as keyof typeof lines], ...wrong };
    const asked = await send('POST', '/v1/transfers', body).then(
      () => 'taken',
      (error: { code?: string }) => error.code,
    );
    expect(asked).toBe(code);
    expect(await levelOf(one, sku)).toEqual([2, 0, 2]);
  });

  it('are made once for one idempotency key, listed, and meet each other without harm', async () => {
    const { stocked, send, get, levelOf } = inventory;
    const { sku } = named();
    const [one, two] = [await stocked({ [sku]: 40 }), await stocked({ [sku]: 40 })];
    const context = requestContext({ client: 'anna', idempotency: { key: `t-${n}`, hash: 'h' } });
    const body = { from_warehouse_id: one, to_warehouse_id: two, lines: [{ sku, quantity: 1 }] };
    const once = await send<Told>('POST', '/v1/transfers', body, { context });
    expect(await send('POST', '/v1/transfers', body, { context })).toEqual(once);
    // Back and forth at the same time: nobody waits for anybody in a circle.
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const { id } = await (i % 2 === 0 ? create(one, two, { [sku]: 1 }) : create(two, one, { [sku]: 1 }));
        await ask(id, 'send');
        await ask(id, 'receive');
      }),
    );
    expect([await levelOf(one, sku), await levelOf(two, sku)]).toEqual([
      [40, 1, 39],
      [40, 0, 40],
    ]);
    const first = await get('/v1/transfers', { warehouse_id: two, limit: '8' });
    const second = await get('/v1/transfers', { warehouse_id: two, limit: '8', cursor: first.next_cursor });
    expect([...first.items, ...second.items]).toHaveLength(11);
    expect((await get('/v1/transfers', { warehouse_id: two, status: 'planned' })).items).toMatchObject([{ id: once.id, actor: 'anna' }]);
  });
});
