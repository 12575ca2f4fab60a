import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileAnswer } from '../../src/contracts/rest.ts';
import { Fault } from '../../src/kernel/errors.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { type Carrier, type LabelCall, simulatedCarrier } from '../../src/shipping/carrier.ts';
import { shippingService } from '../../src/shipping/service.ts';
import { type OpenDatabase, databases } from '../support/databases.ts';
import { call, deliver, messageOf, openTestMailbox, requestContext } from '../support/mailbox.ts';
import { until } from '../support/server.ts';
import { cancel, carrierThat, migrations, openByHand, prepare, telemetry } from './support.ts';

interface Labels {
  items: { id: string; parcel_id: string; status: string; format: string; attempts: number; error: string | null; sha256: string | null }[];
}
const TWO = [{ lines: [{ line_id: 'lin_1', quantity: 1 }] }, { lines: [{ line_id: 'lin_1', quantity: 1 }] }];

describe.each(databases())('labels on $name', ({ open }) => {
  let opened: OpenDatabase;
  beforeEach(async () => void (opened = await open()));
  afterEach(() => opened.drop());

  async function packed(carrier: Partial<Carrier> = {}) {
    const test = await openByHand(opened, carrierThat(carrier));
    await test.ready('ord_1');
    await test.post('shp_1', 'pack', { body: { parcels: TWO } });
    const path = '/v1/shipments/{shipment_id}/labels';
    const params = { shipment_id: 'shp_1' };
    return {
      ...test,
      ask: (body: object = {}, context = requestContext()) => call(test.service, 'POST', path, { params, body, context }) as Promise<Labels>,
      labels: async () => ((await call(test.service, 'GET', path, { params })) as Labels).items,
      document: (parcel_id: string) =>
        call(test.service, 'GET', `${path}/{parcel_id}`, { params: { ...params, parcel_id } }) as unknown as Promise<FileAnswer>,
      giveBack: (parcel_id: string, body: object = {}) =>
        call(test.service, 'POST', `${path}/{parcel_id}/void`, { params: { ...params, parcel_id }, body }) as Promise<Labels>,
    };
  }
  const statuses = (labels: Labels['items']): string[] => labels.map(({ status }) => status);

  it('are bought as soon as they are asked for, with a running worker, and look like labels', async () => {
    const world = realWorld();
    const { mailbox, heard } = await openTestMailbox(opened.db, { service: 'shipping', migrations, world });
    const carrier = simulatedCarrier({ world });
    const service = shippingService({ mailbox, telemetry, carrier });
    for (const one of service.runnables) await one.start();
    const warehouse = { warehouse_id: 'whs_1', name: 'Hamburg', location: 'Harbour', archived: false };
    await deliver(mailbox, service, [prepare(world, 'ord_1'), messageOf(world, 'warehouse.created', 'whs_1', warehouse, { sequence: 1 })]);
    await heard('shipment.ready');
    const params = { shipment_id: 'shp_1' };
    await call(service, 'POST', '/v1/shipments/{shipment_id}/pack', { params });
    await call(service, 'POST', '/v1/shipments/{shipment_id}/labels', { params });
    await until(async () => {
      const { items } = (await call(service, 'GET', '/v1/shipments/{shipment_id}/labels', { params })) as Labels;
      return items[0]?.status === 'bought' ? items : undefined;
    }, 'the label is bought');
    for (const one of service.runnables) await one.stop();
    const file = (await call(service, 'GET', '/v1/shipments/{shipment_id}/labels/{parcel_id}', {
      params: { ...params, parcel_id: 'prc_1' },
    })) as unknown as FileAnswer;
    expect(file).toMatchObject({ type: 'application/pdf', name: 'prc_1.pdf', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    const pdf = Buffer.from(file.body).toString('latin1');
    expect(pdf).toMatch(/^%PDF-/);
    for (const text of ['(Hamburg)', '(Harbour)', '(cus_1)', '(Bern)', '(NUMBER-ord_1']) expect(pdf).toContain(text);
  });

  it('are bought once, whoever asks again', async () => {
    const calls: LabelCall[] = [];
    const { ask, labels, document, workOnLabels } = await packed({
      buyLabel: async (asked) => {
        calls.push(asked);
        return carrierThat().buyLabel(asked);
      },
    });
    const context = requestContext({ idempotency: { key: 'k', hash: 'h' } });
    const first = await ask({}, context);
    expect(statuses(first.items)).toEqual(['requested', 'requested']);
    expect(await ask({}, context)).toEqual(first);
    expect(await ask()).toEqual(first);
    await expect(ask({ format: 'zpl' })).rejects.toMatchObject({ code: 'label_state' });
    await expect(document('prc_1')).rejects.toMatchObject({ code: 'label_state', message: expect.stringContaining('is requested') as string });
    expect(await workOnLabels()).toEqual(['bought', 'bought']);
    expect(await workOnLabels()).toEqual([]);
    expect(calls.map(({ order_number, from, weight_g }) => [order_number, from, weight_g])).toEqual([
      ['NUMBER-ord_1', ['whs_1'], null],
      ['NUMBER-ord_1', ['whs_1'], null],
    ]);
    const [, one] = await labels();
    expect(Buffer.from((await document(one!.parcel_id)).body).toString()).toBe(one!.id);
    await expect(document('prc_none')).rejects.toMatchObject({ code: 'label_not_found' });
  });

  it('whose answer was lost are asked about, not bought again', async () => {
    const bought: string[] = [];
    const { ask, labels, workOnLabels, claimLabels } = await packed({
      buyLabel: async ({ id }) => {
        bought.push(id);
        throw new Error('the line broke');
      },
      findLabel: async (asked) => (bought.includes(asked.id) ? carrierThat().buyLabel(asked) : { result: 'absent' }),
    });
    await ask({ parcel_ids: ['prc_1'] });
    expect(await workOnLabels()).toEqual(['unknown']);
    expect(await labels()).toMatchObject([{ status: 'unknown', attempts: 1, error: 'the line broke' }]);
    expect(await workOnLabels()).toEqual(['bought']);
    expect(bought).toHaveLength(1);
    expect(await claimLabels()).toEqual([]);
  });

  it('are bought under the same id when the carrier did not take the call, and refused for good when it says no', async () => {
    const ids: string[] = [];
    const { ask, labels, workOnLabels } = await packed({
      buyLabel: async ({ id }) => {
        ids.push(id);
        if (ids.length === 1) throw new Fault('provider_unavailable', 'closed');
        return { result: 'refused', error: 'no such street' };
      },
    });
    await ask({ parcel_ids: ['prc_1'] });
    expect(await workOnLabels()).toEqual(['untaken']);
    expect(await workOnLabels()).toEqual(['refused']);
    expect(new Set(ids).size).toBe(1);
    expect(await labels()).toMatchObject([{ status: 'refused', error: 'no such street' }]);
    expect(statuses((await ask({ parcel_ids: ['prc_1'] })).items)).toEqual(['requested', 'refused']);
  });

  it('are given back when their parcel is opened or cancelled, also those whose fate is not known yet', async () => {
    const voided: string[] = [];
    const { ask, labels, workOnLabels, post, tell, world } = await packed({
      voidLabel: async ({ id }) => {
        voided.push(id);
        return { result: 'voided' };
      },
    });
    const [second, first] = (await ask()).items;
    await workOnLabels();
    await post('shp_1', 'unpack');
    expect(statuses(await labels())).toEqual(['voiding', 'voiding']);
    expect(await workOnLabels()).toEqual(['voided', 'voided']);
    expect(voided.sort()).toEqual([first!.id, second!.id].sort());

    await post('shp_1', 'pack', { body: { parcels: TWO } });
    const again = await ask();
    expect(statuses(again.items)).toEqual(['requested', 'requested', 'voided', 'voided']);
    await tell(cancel(world, 'ord_1'));
    expect(await workOnLabels()).toEqual(['absent', 'absent']);
    expect(statuses(await labels())).toEqual(['voided', 'voided', 'voided', 'voided']);
  });

  it('can be given back by hand, and bought otherwise', async () => {
    const { ask, labels, giveBack, workOnLabels } = await packed();
    await ask({ parcel_ids: ['prc_1'] });
    await workOnLabels();
    expect(statuses((await giveBack('prc_1', { dry_run: true })).items)).toEqual(['voiding']);
    expect(statuses(await labels())).toEqual(['bought']);
    await giveBack('prc_1');
    expect(statuses((await ask({ parcel_ids: ['prc_1'], format: 'zpl' })).items)).toEqual(['requested', 'voiding']);
    await workOnLabels();
    expect(statuses(await labels())).toEqual(['bought', 'voided']);
  });

  it('are not sold for what is not packed, nor in a dry run', async () => {
    const { ask, post, labels, get } = await packed();
    const before = await get('shp_1');
    expect(statuses((await ask({ dry_run: true })).items)).toEqual(['requested', 'requested']);
    expect(await labels()).toEqual([]);
    expect(await get('shp_1')).toEqual(before);
    await expect(ask({ parcel_ids: ['prc_none'] })).rejects.toMatchObject({ code: 'parcel_not_found' });
    await expect(ask({ expected_version: 99 })).rejects.toMatchObject({ code: 'version_mismatch' });
    await post('shp_1', 'unpack');
    await expect(ask()).rejects.toMatchObject({ code: 'shipment_state', message: expect.stringContaining('cannot be labelled') as string });
  });

  it('answered twice count once', async () => {
    const { ask, labels, claimLabels, buying, mailbox, world } = await packed();
    await ask({ parcel_ids: ['prc_1'] });
    world.advance(60_000);
    const [task] = await claimLabels();
    const done = { task: task!, outcome: await buying.perform(task!) };
    for (let i = 0; i < 2; i += 1) await mailbox.write((unit) => buying.conclude(unit, [done, done]));
    expect(await labels()).toMatchObject([{ status: 'bought', attempts: 1 }]);
  });
});
