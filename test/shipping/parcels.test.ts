import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { call, requestContext } from '../support/mailbox.ts';
import { cancel, dispatch, hold, openByHand, prepare, release } from './support.ts';

const LINES = [
  { line_id: 'lin_1', sku: 'A', quantity: 3 },
  { line_id: 'lin_2', sku: 'B', quantity: 1 },
];
const TWO = [
  { lines: [{ line_id: 'lin_1', quantity: 2 }], weight_g: 700 },
  {
    lines: [
      { line_id: 'lin_1', quantity: 1 },
      { line_id: 'lin_2', quantity: 1 },
    ],
    dims_mm: [300, 200, 100],
  },
];
interface Detail {
  status: string;
  version: number;
  tracking_number: string;
  estimated_delivery: string;
  parcels: { id: string; status: string; tracking_number: string; lines: unknown[] }[];
}
interface Page {
  items: { action: string; client: string; operation: string | null; code: string; carrier_event_id: string; detail: object }[];
  next_cursor: string | null;
}

describe.each(databases())('parcels on $name', ({ open }) => {
  let opened: OpenDatabase;
  beforeEach(async () => void (opened = await open()));
  afterEach(() => opened.drop());

  async function openShipping() {
    const test = await openByHand(opened);
    const at = (seconds: number) => new Date(test.world.now() + seconds * 1_000).toISOString();
    return {
      ...test,
      detail: (id: string) => test.get(id) as Promise<Detail>,
      act: (id: string, act: string, body: object = {}, context = requestContext()) => test.post(id, act, { body, context }) as Promise<Detail>,
      at,
      event: (carrier_event_id: string, code: string, seconds: number, more: object = {}) => ({
        carrier_event_id,
        code,
        carrier_at: at(seconds),
        ...more,
      }),
      page: (id: string, what: 'history' | 'tracking-events', query: object = {}) =>
        call(test.service, 'GET', `/v1/shipments/{shipment_id}/${what}`, { params: { shipment_id: id }, query }) as Promise<Page>,
      /** Prepared, packed into two parcels and gone. */
      async gone() {
        await test.ready('ord_1', { lines: LINES });
        await test.post('shp_1', 'pack', { body: { parcels: TWO } });
        await test.post('shp_1', 'dispatch');
        await test.tell(dispatch(test.world, 'ord_1'));
        return (await (test.get('shp_1') as Promise<Detail>)).parcels as [Detail['parcels'][number], Detail['parcels'][number]];
      },
    };
  }

  it('are picked, packed and handed over, one word of each', async () => {
    const { ready, act, detail, tell, world, types, said } = await openShipping();
    await ready('ord_1', { lines: LINES });
    expect(await act('shp_1', 'pick')).toMatchObject({ status: 'picking' });
    await act('shp_1', 'pick');
    const packed = await act('shp_1', 'pack', { parcels: TWO });
    expect(packed).toMatchObject({ status: 'packed', parcels: [{ weight_g: 700, dims_mm: null, status: 'packed' }, { dims_mm: [300, 200, 100] }] });
    expect(await detail('shp_1')).toEqual(packed);
    await act('shp_1', 'dispatch');
    await tell(dispatch(world, 'ord_1'));
    expect(await detail('shp_1')).toMatchObject({ status: 'in_transit', parcels: [{ status: 'in_transit' }, { status: 'in_transit' }] });
    expect(await act('shp_1', 'deliver')).toMatchObject({ status: 'delivered', parcels: [{ status: 'delivered' }, { status: 'delivered' }] });
    expect(types()).toEqual([
      'shipment.ready',
      'shipment.picking',
      'shipment.packed',
      'shipment.dispatch_requested',
      'shipment.dispatched',
      'shipment.delivered',
    ]);
    expect(said.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('can be opened and packed again', async () => {
    const { ready, act, detail } = await openShipping();
    await ready('ord_1', { lines: LINES });
    const [first] = (await act('shp_1', 'pack', { parcels: TWO })).parcels;
    expect(await act('shp_1', 'unpack')).toMatchObject({ status: 'picking', parcels: [] });
    expect(await detail('shp_1')).toMatchObject({ status: 'picking', parcels: [] });
    await act('shp_1', 'put-back');
    const again = await act('shp_1', 'pack');
    expect(again.parcels).toMatchObject([{ id: first!.id, status: 'packed', lines: LINES }]);
    expect(await detail('shp_1')).toEqual(again);
    expect(await opened.db.read.raw('select status from parcel order by status')).toEqual([{ status: 'cancelled' }, { status: 'packed' }]);
  });

  it('miss what is missing', async () => {
    const { ready, act, detail, types, said } = await openShipping();
    await ready('ord_1', { lines: LINES });
    await act('shp_1', 'pick');
    expect(await act('shp_1', 'short', { lines: [{ line_id: 'lin_1', quantity: 1 }], reason: 'broken' })).toMatchObject({
      status: 'picking',
      shorted: [{ line_id: 'lin_1', sku: 'A', quantity: 1 }],
    });
    await expect(act('shp_1', 'pack', { parcels: TWO })).rejects.toMatchObject({ code: 'lines_do_not_match' });
    await act('shp_1', 'pack');
    expect(await detail('shp_1')).toMatchObject({ lines: LINES, parcels: [{ lines: [{ quantity: 2 }, { quantity: 1 }] }] });
    expect(said.find(({ type }) => type === 'shipment.shorted')!.data).toMatchObject({ left: [{ quantity: 2 }, { quantity: 1 }], reason: 'broken' });

    await ready('ord_2');
    expect(await act('shp_2', 'short', { lines: [{ line_id: 'lin_1', quantity: 2 }], reason: 'gone' })).toMatchObject({ status: 'cancelled' });
    expect(types().slice(-2)).toEqual(['shipment.shorted', 'shipment.cancelled']);
  });

  it('are tracked: an event once, whatever the order, by parcel and by number', async () => {
    const { gone, detail, event, post, service, types, page, world, at } = await openShipping();
    const [first, second] = await gone();
    const before = types().length;
    const send = (parcel_id: string, ...events: object[]) => post('shp_1', 'tracking-events', { body: { parcel_id, events } });
    const byNumber = (number: string, ...events: object[]) =>
      call(service, 'POST', '/v1/shipments/tracking/{number}/tracking-events', { params: { number }, body: { events } });

    await send(first.id, event('a', 'out_for_delivery', 30, { place: 'Bern', estimated_delivery: at(3_600) }));
    await send(first.id, event('b', 'delivery_attempted', 20, { note: 'late news' }), event('c', 'picked_up', 10));
    expect(types().slice(before)).toEqual([]);
    expect(await detail('shp_1')).toMatchObject({ status: 'in_transit', estimated_delivery: '2027-01-15T08:00:00.000Z' });
    const { version } = await detail('shp_1');
    await send(first.id, event('a', 'exception', 35), event('c', 'picked_up', 10)); // ids that are known, whatever else is said
    expect(await detail('shp_1')).toMatchObject({ version, status: 'in_transit' });
    await send(second.id, event('a', 'returning', 40, { note: 'refused' }));
    expect(await detail('shp_1')).toMatchObject({
      status: 'exception',
      parcels: [{ status: 'in_transit' }, { status: 'exception', note: 'refused' }],
    });
    await byNumber(second.tracking_number, event('a', 'delivered', 40), event('z', 'delivered', 50), event('z', 'lost', 50));
    await byNumber(first.tracking_number, event('d', 'delivered', 60));
    world.advance(1_000);
    await byNumber(first.tracking_number, event('d', 'lost', 60));
    expect(types().slice(before)).toEqual(['shipment.exception', 'shipment.delivered']);
    const { items, next_cursor } = await page('shp_1', 'tracking-events', { limit: '4' });
    const rest = await page('shp_1', 'tracking-events', { limit: '4', cursor: next_cursor });
    expect([...items, ...rest.items].map(({ carrier_event_id, code }) => `${carrier_event_id} ${code}`)).toEqual([
      'd delivered',
      'z delivered',
      'a returning',
      'a out_for_delivery',
      'b delivery_attempted',
      'c picked_up',
    ]);
    expect(rest.next_cursor).toBeNull();
    const path = '/v1/shipments/tracking/{number}/tracking-events';
    expect(((await call(service, 'GET', path, { params: { number: second.tracking_number } })) as Page).items).toHaveLength(6);
    await expect(post('shp_1', 'tracking-events', { body: { events: [event('q', 'lost', 1)] } })).rejects.toMatchObject({
      code: 'invalid_request',
      errors: [{ field: 'parcel_id', rule: 'is required: the shipment has 2 parcels' }],
    });
    await expect(send('prc_none', event('q', 'lost', 1))).rejects.toMatchObject({ code: 'parcel_not_found' });
    await expect(send(first.id, event('q', 'in_transit', 90_000))).rejects.toMatchObject({ errors: [{ field: 'events.0.carrier_at' }] });
  });

  it('of a shipment on the short way are one, made of what is said of it', async () => {
    const { ready, post, detail, event, tell, world, types } = await openShipping();
    await ready('ord_1');
    await post('shp_1', 'tracking-events', { body: { events: [event('1', 'announced', 1)] } });
    expect(await detail('shp_1')).toMatchObject({ status: 'ready', parcels: [{ status: 'packed', lines: [{ quantity: 2 }] }] });
    await post('shp_1', 'tracking-events', { body: { events: [event('2', 'picked_up', 2)] } });
    await tell(dispatch(world, 'ord_1'));
    await post('shp_1', 'exception', { body: { note: 'wet' } });
    await post('shp_1', 'resolve', { body: { as: 'delivered' } });
    expect(await detail('shp_1')).toMatchObject({ status: 'delivered', parcels: [{ status: 'delivered' }] });
    expect(types()).toEqual(['shipment.ready', 'shipment.dispatch_requested', 'shipment.dispatched', 'shipment.exception', 'shipment.delivered']);
  });

  it('are what several shipments of one order have, each by its own name', async () => {
    const { ready, list, act, tell, world, types, detail } = await openShipping();
    await ready('ord_1', { shipment_id: 'shp_x' });
    await ready('ord_1', { shipment_id: 'shp_y' });
    expect((await list({ order_id: 'ord_1' })).items).toMatchObject([{ id: 'shp_y' }, { id: 'shp_x' }]);
    await tell(hold(world, 'ord_1', 'hld_1'));
    for (const id of ['shp_x', 'shp_y']) await expect(act(id, 'pick')).rejects.toMatchObject({ code: 'shipment_on_hold' });
    await tell(release(world, 'ord_1', 'hld_1', { shipment_id: 'shp_x' }));
    await act('shp_x', 'dispatch');
    await tell(dispatch(world, 'ord_1', { shipment_id: 'shp_x' }), cancel(world, 'ord_1', { shipment_id: 'shp_y' }));
    expect([await detail('shp_x'), await detail('shp_y')]).toMatchObject([{ status: 'in_transit' }, { status: 'cancelled' }]);

    await tell(prepare(world, 'ord_2', { shipment_id: 'shp_u' }), prepare(world, 'ord_2', { shipment_id: 'shp_v' }));
    await tell(cancel(world, 'ord_2'));
    expect((await list({ order_id: 'ord_2' })).items).toMatchObject([{ status: 'cancelled' }, { status: 'cancelled' }]);
    expect(types().filter((type) => type === 'shipment.cancelled')).toHaveLength(3);
  });

  it('keep who did what, and under which name', async () => {
    const { ready, act, page, detail, event } = await openShipping();
    await ready('ord_1', { lines: LINES });
    await act('shp_1', 'pick', {}, requestContext({ client: 'ada', operation: 'morning round' }));
    await act('shp_1', 'pack', { parcels: TWO });
    await act('shp_1', 'dispatch');
    const first = (await detail('shp_1')).parcels[0]!.id;
    await act('shp_1', 'tracking-events', { parcel_id: first, events: [event('1', 'announced', 0)] });
    const { items, next_cursor } = await page('shp_1', 'history', { limit: '1' });
    expect(items).toMatchObject([{ action: 'pack', client: 'test', operation: null, detail: { parcels: [{ weight_g: 700 }, {}] } }]);
    expect((await page('shp_1', 'history', { cursor: next_cursor })).items).toMatchObject([
      { action: 'pick', client: 'ada', operation: 'morning round' },
    ]);
  });

  it('are only thought of in a dry run, and refused for another version', async () => {
    const { ready, act, detail, types, said } = await openShipping();
    await ready('ord_1', { lines: LINES });
    const before = await detail('shp_1');
    const context = requestContext({ idempotency: { key: 'k', hash: 'h' } });
    for (const [what, body] of [
      ['pick', {}],
      ['pack', { parcels: TWO }],
      ['short', { lines: [{ line_id: 'lin_1', quantity: 1 }], reason: 'x' }],
      ['dispatch', {}],
    ] as const)
      expect((await act('shp_1', what, { ...body, dry_run: true }, context)).version).toBe(before.version + 1);
    await expect(act('shp_1', 'unpack', { dry_run: true })).rejects.toMatchObject({ code: 'shipment_state' });
    expect(await detail('shp_1')).toEqual(before);
    expect(types()).toEqual(['shipment.ready']);
    await expect(act('shp_1', 'pick', { expected_version: before.version + 1 })).rejects.toMatchObject({ code: 'version_mismatch' });
    const first = await act('shp_1', 'pick', { expected_version: before.version }, context);
    expect(await act('shp_1', 'pick', { expected_version: before.version }, context)).toEqual(first);
    expect(said.length).toBe(2);
  });

  it('are listed by what is done with them', async () => {
    const { ready, act, list } = await openShipping();
    for (const order of ['ord_1', 'ord_2', 'ord_3']) await ready(order, { lines: LINES });
    await act('shp_1', 'pick');
    await act('shp_3', 'pick');
    const first = await list({ status: 'picking', limit: '1' });
    expect(first.items).toMatchObject([{ order_id: 'ord_3' }]);
    expect((await list({ status: 'picking', limit: '1', cursor: first.next_cursor })).items).toMatchObject([{ order_id: 'ord_1' }]);
    expect((await list({ status: 'picking', warehouse_id: 'whs_2' })).items).toEqual([]);
    if (opened.db.dialect.name !== 'sqlite') return;
    const plan = await opened.db.read.raw<{ detail: string }>(
      `explain query plan select * from shipment where status = $1 and status in ('picking', 'packed', 'exception', 'returned', 'lost') order by id desc limit 50`,
      ['picking'],
    );
    expect(plan.map(({ detail }) => detail).join()).toContain('USING INDEX shipment_worked_on (status=?)');
  });

  it('cost an ordinary shipment nothing, and 100 of them the statements of one', async () => {
    const { ready, tell, world, statements, post } = await openShipping();
    const counts: number[][] = [];
    for (const size of [1, 100]) {
      const orders = Array.from({ length: size }, (_, i) => `ord_${size}y${i}`);
      await tell(...orders.map((order) => prepare(world, order, { lines: LINES })));
      await ready(`ord_${size}y_more`);
      for (const order of orders) await post(`shp_${order.slice(4)}`, 'pack', { body: { parcels: TWO } });
      statements();
      await tell(...orders.map((order) => dispatch(world, order)));
      counts.push([statements()]);
    }
    expect(counts).toEqual([[5], [5]]); // load shipments and their parcels, write both, and what was said
    expect(
      await opened.db.read.raw(
        `select count(*) as n from shipment where id like '%more' and coalesce(holds, shorted) is null and parcel_count is null`,
      ),
    ).toEqual([{ n: 2 }]);
  });
});
