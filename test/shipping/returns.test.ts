import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { call, messageOf, requestContext } from '../support/mailbox.ts';
import { dispatch, openByHand } from './support.ts';

const LINES = [
  { line_id: 'lin_1', sku: 'A', quantity: 3 },
  { line_id: 'lin_2', sku: 'B', quantity: 1 },
];
interface Back {
  id: string;
  number: string;
  status: string;
  version: number;
  received: unknown;
}

describe.each(databases())('returns on $name', ({ open }) => {
  let opened: OpenDatabase;
  beforeEach(async () => void (opened = await open()));
  afterEach(() => opened.drop());

  async function shop() {
    const test = await openByHand(opened);
    const warehouse = (warehouse_id: string, archived = false, sequence = 1) =>
      messageOf(test.world, archived ? 'warehouse.archived' : 'warehouse.created', warehouse_id, { warehouse_id, name: 'W', location: 'L', archived }, { sequence }); // oxfmt-ignore
    const params = (return_id: string) => ({ return_id });
    const path = '/v1/returns/{return_id}';
    const read = (return_id: string) => call(test.service, 'GET', path, { params: params(return_id) }) as Promise<Back>;
    return {
      ...test,
      warehouse,
      read,
      takenBack: (return_id: string) => messageOf(test.world, 'stock.taken_back', 'ord_1', { order_id: 'ord_1', return_id }),
      ask: (quantity: number, more: object = {}, context = requestContext()) =>
        call(test.service, 'POST', '/v1/returns', {
          body: { order_id: 'ord_1', lines: [{ line_id: 'lin_1', quantity, reason: 'too small' }], ...more },
          context,
        }) as Promise<Back>,
      act: (return_id: string, what: string, body: object = {}, context = requestContext()) =>
        call(test.service, 'POST', `${path}/${what}`, { params: params(return_id), body, context }) as Promise<Back>,
      list: (query: object) =>
        call(test.service, 'GET', '/v1/returns', { query }) as Promise<{
          items: (Back & { parcel_id: string | null })[];
          next_cursor: string | null;
        }>,
      returnable: async () =>
        (
          (await call(test.service, 'GET', '/v1/returns/returnable/{order_id}', { params: { order_id: 'ord_1' } })) as {
            items: { returnable: number }[];
          }
        ).items,
      history: async (return_id: string) =>
        ((await call(test.service, 'GET', `${path}/history`, { params: params(return_id) })) as { items: { action: string }[] }).items,
      /** An order whose shipment has left. */
      async gone() {
        await test.ready('ord_1', { lines: LINES });
        await test.post('shp_1', 'dispatch');
        await test.tell(dispatch(test.world, 'ord_1'));
      },
    };
  }
  const restock = (quantity: number) => ({ lines: [{ line_id: 'lin_1', quantity, disposition: 'restock' }] });

  it('are asked for, approved, received, taken back by stock and closed', async () => {
    const { gone, post, ask, act, read, tell, takenBack, said, types, returnable, history } = await shop();
    await gone();
    await expect(ask(1)).rejects.toMatchObject({ code: 'not_returnable' });
    await post('shp_1', 'deliver');
    const before = types().length;
    const asked = await ask(2);
    expect(asked).toMatchObject({ status: 'requested', order_number: 'NUMBER-ord_1', warehouse_id: 'whs_1', version: 1 });
    expect(await returnable()).toMatchObject([{ delivered: 3, returned: 2, returnable: 1 }, { returnable: 1 }]);
    await expect(ask(2)).rejects.toMatchObject({ errors: [{ field: 'lines.0.quantity' }] });
    expect(await act(asked.id, 'approve')).toMatchObject({ status: 'approved' });
    const receiving = await act(asked.id, 'receive', restock(1), requestContext({ client: 'dock', operation: 'monday' }));
    expect(receiving).toMatchObject({ status: 'receiving', received: [{ sku: 'A', quantity: 1, disposition: 'restock' }] });
    await expect(act(asked.id, 'receive', restock(1))).rejects.toMatchObject({ code: 'return_state' });
    await tell(takenBack(asked.id));
    await tell(takenBack(asked.id));
    expect(await returnable()).toMatchObject([{ returned: 1, returnable: 2 }, { returnable: 1 }]);
    await act(asked.id, 'close');
    expect(await read(asked.id)).toMatchObject({ status: 'closed', version: 5 });
    expect(types().slice(before)).toEqual(['return.requested', 'return.approved', 'stock.take_back', 'return.received', 'return.closed']);
    expect(said.slice(before).map(({ sequence, subject, correlationid }) => [sequence, subject, correlationid])).toEqual(
      [1, 2, undefined, 3, 4].map((sequence) => [sequence, asked.id, 'ord_1']),
    );
    expect(await history(asked.id)).toMatchObject([
      { action: 'close' },
      { action: 'receive', client: 'dock', operation: 'monday', detail: restock(1) },
      { action: 'approve' },
      { action: 'request' },
    ]);
  });

  it('are rejected or cancelled, and what was to be returned may be asked for again', async () => {
    const { gone, post, ask, act, types } = await shop();
    await gone();
    await post('shp_1', 'deliver');
    const first = await ask(3);
    expect(await act(first.id, 'reject', { reason: 'worn' })).toMatchObject({ status: 'rejected', rejection: 'worn' });
    const second = await ask(3);
    await act(second.id, 'approve');
    await act(second.id, 'cancel');
    await act(second.id, 'cancel');
    await ask(3);
    expect(types().slice(-6)).toEqual([
      'return.requested',
      'return.rejected',
      'return.requested',
      'return.approved',
      'return.cancelled',
      'return.requested',
    ]);
    await expect(act(first.id, 'approve')).rejects.toMatchObject({ code: 'return_state' });
    await expect(act('rtn_none', 'approve')).rejects.toMatchObject({ code: 'return_not_found' });
  });

  it('many ask for the same pieces at once: as many get them as there are', async () => {
    const { gone, post, ask, list, mailbox } = await shop();
    await gone();
    await post('shp_1', 'deliver');
    // With every connection open already, they really meet.
    await Promise.all(Array.from({ length: 4 }, () => mailbox.write(({ tx }) => tx.raw('select count(*) from shipment'))));
    const answers = await Promise.allSettled(Array.from({ length: 12 }, () => ask(1)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect((await list({ order_id: 'ord_1' })).items).toHaveLength(3);
  });

  it('are opened by a parcel that came back, and received like any other', async () => {
    const { gone, post, list, act, tell, takenBack, said, types, returnable } = await shop();
    await gone();
    await post('shp_1', 'exception', { body: { code: 'returning', note: 'refused at the door' } });
    await post('shp_1', 'resolve', { body: { as: 'returned' } });
    const [back] = (await list({ status: 'receiving' })).items;
    expect(back).toMatchObject({
      id: 'rtn_1',
      parcel_id: 'prc_1',
      warehouse_id: 'whs_1',
      lines: LINES.map((line) => ({ ...line, reason: 'undelivered' })),
    });
    expect(said.at(-1)).toMatchObject({ type: 'shipment.returned', data: { return_id: 'rtn_1', over: true, lines: LINES } });
    expect(await returnable()).toEqual([]);
    await expect(act('rtn_1', 'cancel')).rejects.toMatchObject({ code: 'return_state' });
    await act('rtn_1', 'receive', { lines: LINES.map(({ line_id, quantity }) => ({ line_id, quantity, disposition: 'quarantine' })) });
    await tell(takenBack('rtn_1'));
    expect(types().slice(-2)).toEqual(['stock.take_back', 'return.received']);
    expect(said.at(-1)!.data).toMatchObject({ parcel_id: 'prc_1', lines: [{ disposition: 'quarantine', reason: 'undelivered' }, {}] });
  });

  it('come back to another warehouse, if there is one', async () => {
    const { gone, post, ask, act, tell, warehouse, read } = await shop();
    await tell(warehouse('whs_2'), warehouse('whs_3'));
    await tell(warehouse('whs_3', true, 2), warehouse('whs_3', false, 1));
    await gone();
    await post('shp_1', 'deliver');
    const { id } = await ask(1);
    await act(id, 'approve');
    for (const [warehouse_id, code] of [
      ['whs_9', 'warehouse_not_found'],
      ['whs_3', 'warehouse_archived'],
    ])
      // oxfmt-ignore
      await expect(act(id, 'receive', { warehouse_id, ...restock(1) })).rejects.toMatchObject({ code, errors: [{ field: 'warehouse_id' }] });
    expect(await act(id, 'receive', { warehouse_id: 'whs_2', ...restock(1) })).toMatchObject({ warehouse_id: 'whs_2' });
    expect(await read(id)).toMatchObject({ warehouse_id: 'whs_2' });
  });

  it('are listed page by page, and found by their number', async () => {
    const { gone, post, ask, act, list } = await shop();
    await gone();
    await post('shp_1', 'deliver');
    const all = [await ask(1), await ask(1), await ask(1)].map(({ id }) => id);
    await act(all[1]!, 'approve');
    const first = await list({ limit: '2' });
    expect(first.items.map(({ id }) => id)).toEqual([all[2], all[1]]);
    expect((await list({ limit: '2', cursor: first.next_cursor })).items.map(({ id }) => id)).toEqual([all[0]]);
    expect((await list({ status: 'requested', warehouse_id: 'whs_1' })).items).toHaveLength(2);
    expect((await list({ number: first.items[0]!.number })).items.map(({ id }) => id)).toEqual([all[2]]);
    expect((await list({ order_id: 'ord_2' })).items).toEqual([]);
  });

  it('are only thought of in a dry run, done once for a key, and refused for another version', async () => {
    const { gone, post, ask, act, read, list, said } = await shop();
    await gone();
    await post('shp_1', 'deliver');
    const count = said.length;
    expect(await ask(3, { dry_run: true })).toMatchObject({ status: 'requested' });
    await expect(ask(4, { dry_run: true })).rejects.toMatchObject({ code: 'not_returnable' });
    expect((await list({})).items).toEqual([]);
    const context = requestContext({ idempotency: { key: 'k', hash: 'h' } });
    const asked = await ask(2, {}, context);
    expect(await ask(2, {}, context)).toEqual(asked);
    for (const [what, body] of [
      ['approve', {}],
      ['reject', { reason: 'no' }],
      ['cancel', {}],
    ] as const)
      // oxfmt-ignore
      expect((await act(asked.id, what, { ...body, dry_run: true })).version).toBe(2);
    expect(await read(asked.id)).toEqual(asked);
    await expect(act(asked.id, 'approve', { expected_version: 2 })).rejects.toMatchObject({ code: 'version_mismatch' });
    await act(asked.id, 'approve', { expected_version: 1 });
    expect(await act(asked.id, 'receive', { ...restock(2), dry_run: true })).toMatchObject({ status: 'receiving' });
    expect(said.length).toBe(count + 2);
  });
});
