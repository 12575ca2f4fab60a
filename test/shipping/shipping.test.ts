import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../src/kernel/world.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import { simulatedCarrier } from '../../src/shipping/carrier.ts';
import { shippingService } from '../../src/shipping/service.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { call, deliver, openTestMailbox, requestContext } from '../support/mailbox.ts';
import { cancel, carrierThat, dispatch, migrations, openByHand, prepare, refuse, telemetry } from './support.ts';

describe.each(databases())('shipping on $name', ({ open }) => {
  let opened: OpenDatabase;
  beforeEach(async () => void (opened = await open()));
  afterEach(() => opened.drop());

  it('prepares a shipment as soon as it is asked to, with a running worker', async () => {
    const world = realWorld();
    const { mailbox, said, heard } = await openTestMailbox(opened.db, { service: 'shipping', migrations, world });
    const service = shippingService({ mailbox, telemetry, carrier: simulatedCarrier({ world }) });
    for (const one of service.runnables) await one.start();
    await deliver(mailbox, service, [prepare(world, 'ord_1'), prepare(world, 'ord_2', { ship_to: { simulate: 'error_twice' } })]);
    await heard('shipment.ready', 2);
    for (const one of service.runnables) await one.stop();
    expect(said).toMatchObject([
      {
        type: 'shipment.ready',
        subject: 'shp_1',
        sequence: 1,
        correlationid: 'ord_1',
        data: { order_id: 'ord_1', shipment_id: 'shp_1', warehouse_id: 'whs_1' },
      },
      { type: 'shipment.ready', subject: 'shp_2', sequence: 1 },
    ]);
    expect(await opened.db.read.raw('select attempts from shipment order by id')).toEqual([{ attempts: 1 }, { attempts: 3 }]);
  });

  it('goes from ready to the customer, the order deciding', async () => {
    const { world, tell, work, post, get, said, types } = await openByHand(opened);
    await tell(prepare(world, 'ord_1'));
    await work();
    expect(await get('shp_1')).toMatchObject({
      status: 'ready',
      carrier: 'test',
      label_ref: 'label shp_1',
      lines: [{ sku: 'A' }],
      ship_to: { city: 'Bern' },
    });
    expect(await post('shp_1', 'dispatch')).toMatchObject({ status: 'ready', version: 3 });
    await post('shp_1', 'dispatch');
    await tell(refuse(world, 'ord_1'));
    expect(await get('shp_1')).toMatchObject({ status: 'ready', dispatch_requested_at: null, refused_reason: 'capture_failed' });
    await post('shp_1', 'dispatch');
    await tell(dispatch(world, 'ord_1'));
    expect(await post('shp_1', 'deliver')).toMatchObject({ status: 'delivered' });
    await post('shp_1', 'deliver');
    // Who asks again is heard again: the order may not have heard the first.
    expect(types()).toEqual([
      'shipment.ready',
      'shipment.dispatch_requested',
      'shipment.dispatch_requested',
      'shipment.dispatch_requested',
      'shipment.dispatched',
      'shipment.delivered',
      'shipment.delivered',
    ]);
    expect(said.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('refuses what is not possible, saying what is', async () => {
    const { world, tell, post } = await openByHand(opened);
    await tell(prepare(world, 'ord_1'));
    await expect(post('shp_1', 'dispatch')).rejects.toMatchObject({
      code: 'shipment_state',
      message: expect.stringContaining('will be ready by itself') as string,
    });
    await expect(post('shp_1', 'deliver')).rejects.toMatchObject({ code: 'shipment_state' });
    await expect(post('shp_none', 'deliver')).rejects.toMatchObject({ code: 'shipment_not_found' });
  });

  it('gives the same answer to the same request', async () => {
    const { world, tell, work, post, types } = await openByHand(opened);
    await tell(prepare(world, 'ord_1'));
    await work();
    const context = requestContext({ idempotency: { key: 'k', hash: 'h' } });
    const first = await post('shp_1', 'dispatch', { context });
    await tell(dispatch(world, 'ord_1'));
    expect(await post('shp_1', 'dispatch', { context })).toEqual(first);
    expect(types()).toEqual(['shipment.ready', 'shipment.dispatch_requested', 'shipment.dispatched']);
  });

  it('is silent about duplicates', async () => {
    const { world, tell, work, post, said } = await openByHand(opened);
    const messages = [prepare(world, 'ord_1'), dispatch(world, 'ord_1'), cancel(world, 'ord_2'), prepare(world, 'ord_2')];
    await tell(messages[0]!, messages[0]!);
    await work();
    await post('shp_1', 'dispatch');
    for (const message of messages.slice(1)) await tell(message, message);
    const before = [...said];
    await tell(...messages, ...messages);
    expect(said).toEqual(before);
    expect(await opened.db.read.raw('select id, status from shipment order by id')).toEqual([
      { id: 'shp_1', status: 'in_transit' },
      { id: 'shp_2', status: 'cancelled' },
    ]);
  });

  it('stays cancelled when the carrier answers late', async () => {
    const { mailbox, world, tell, claim, registrations, types, get } = await openByHand(opened);
    await tell(prepare(world, 'ord_1'));
    world.advance(LEASE_MS);
    const [task] = await claim();
    const outcome = await registrations.perform(task!);
    await tell(cancel(world, 'ord_1'));
    await mailbox.write((unit) => registrations.conclude(unit, [{ task: task!, outcome }]));
    expect(types()).toEqual(['shipment.cancelled']);
    expect(await get('shp_1')).toMatchObject({ status: 'cancelled', due_at: null });
    world.advance(LEASE_MS);
    expect(await claim()).toEqual([]);
  });

  it('calls the carrier again after a crash, and after the pauses of the table, and says ready once', async () => {
    let works = false;
    const { mailbox, world, tell, claim, registrations, work, types, get } = await openByHand(
      opened,
      carrierThat({
        register: async (parcel) => {
          if (!works) throw new Error('the line is dead');
          return carrierThat().register(parcel);
        },
      }),
    );
    await tell(prepare(world, 'ord_1'));
    world.advance(LEASE_MS);
    const [lost] = await claim(); // and the process dies
    expect(await claim()).toEqual([]);
    await work();
    expect(await get('shp_1')).toMatchObject({
      status: 'pending',
      attempts: 1,
      error: 'the line is dead',
      due_at: new Date(world.now() + 500).toISOString(),
    });
    works = true;
    const outcome = await registrations.perform(lost!); // the first one comes back from the dead, beside the second
    await mailbox.write((unit) =>
      registrations.conclude(unit, [
        { task: lost!, outcome },
        { task: lost!, outcome },
      ]),
    );
    await work();
    await mailbox.write((unit) => registrations.conclude(unit, [{ task: lost!, outcome }]));
    expect(types()).toEqual(['shipment.ready']);
    expect(await get('shp_1')).toMatchObject({ status: 'ready', attempts: 2, error: null });
  });

  it('costs the same statements for 200 as for 1', async () => {
    const { mailbox, world, tell, statements, claim, registrations } = await openByHand(opened);
    const counts: number[][] = [];
    for (const size of [1, 200]) {
      const orders = Array.from({ length: size }, (_, i) => `ord_${size}x${i}`);
      const count = async (work: Promise<unknown>): Promise<number> => (statements(), await work, statements());
      const prepared = await count(tell(...orders.map((order) => prepare(world, order))));
      world.advance(LEASE_MS);
      const tasks = await claim();
      expect(tasks).toHaveLength(size);
      const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await registrations.perform(task) })));
      const concluded = await count(mailbox.write((unit) => registrations.conclude(unit, done)));
      const dispatched = await count(tell(...orders.map((order) => dispatch(world, order))));
      counts.push([prepared, concluded, dispatched]);
    }
    expect(counts).toEqual([
      [2, 2, 3],
      [2, 2, 3],
    ]);
  });

  it('finds shipments by order, status and tracking number, newest first', async () => {
    const { world, tell, work, list, get, service } = await openByHand(opened);
    await tell(...['ord_1', 'ord_2', 'ord_3'].map((order) => prepare(world, order)));
    await work();
    await tell(cancel(world, 'ord_2'));
    const first = await list({ status: 'ready', limit: '1' });
    expect(first.items.map(({ order_id }) => order_id)).toEqual(['ord_3']);
    expect(await list({ status: 'ready', limit: '1', cursor: first.next_cursor })).toMatchObject({
      items: [{ order_id: 'ord_1' }],
      next_cursor: null,
    });
    expect(await list({ order_id: 'ord_2' })).toMatchObject({ items: [{ status: 'cancelled' }] });

    const { tracking_number } = (await get('shp_3')) as { tracking_number: string };
    expect(await list({ tracking_number })).toMatchObject({ items: [{ order_id: 'ord_3' }] });
    const track = (number: string) => call(service, 'GET', '/v1/shipments/tracking/{number}', { params: { number } });
    expect(await track(tracking_number)).toMatchObject({ id: 'shp_3' });
    await expect(track('WB0000000000009')).rejects.toMatchObject({
      code: 'shipment_not_found',
      message: expect.stringContaining('mistyped') as string,
    });
  });
});
