import { describe, expect, it } from 'vitest';
import { TEST_EPOCH, testWorld } from '../../test/support/world.ts';
import { type LabelCall, type Registration, simulatedCarrier } from './carrier.ts';

const parcel = (simulate?: string): Registration => ({
  id: 'shp_1',
  tracking_number: 'WB0000000000001',
  warehouse_id: 'whs_1',
  recipient: 'Ada',
  ship_to: simulate === undefined ? null : { simulate },
  lines: [],
});

it('registers a parcel the same way each time', async () => {
  const carrier = simulatedCarrier({ world: testWorld() });
  const registered = await carrier.register(parcel());
  expect(registered).toEqual({ label_ref: 'label_1', estimated_delivery: TEST_EPOCH + 259_200_000 });
  expect(await carrier.register(parcel())).toEqual(registered);
});

it('fails as it is told', async () => {
  const carrier = simulatedCarrier({ world: testWorld() });
  for (let i = 0; i < 2; i += 1) await expect(carrier.register(parcel('error_twice'))).rejects.toMatchObject({ code: 'provider_unavailable' });
  expect(await carrier.register(parcel('error_twice'))).toMatchObject({ label_ref: 'label_1' });
  for (let i = 0; i < 5; i += 1) await expect(carrier.register(parcel('unavailable'))).rejects.toThrow('out of order');
});

it('is slow as it is told', async () => {
  const world = testWorld();
  let answered = false;
  const registering = simulatedCarrier({ world })
    .register(parcel('slow'))
    .then(() => (answered = true));
  world.advance(1_999);
  await Promise.resolve();
  expect(answered).toBe(false);
  world.advance(1);
  expect(await registering).toBe(true);
});

const label = (simulate?: string, format: LabelCall['format'] = 'pdf'): LabelCall => ({
  id: 'lbl_1',
  format,
  shipment_id: 'shp_1',
  parcel_id: 'prc_1',
  order_number: 'ORD-1',
  tracking_number: 'WB0000000000001',
  from: ['Hamburg'],
  recipient: 'Ada',
  ship_to: { street: 'Rue 1', ...(simulate === undefined ? {} : { simulate }) },
  weight_g: 900,
  dims_mm: null,
  lines: [],
});

describe('labels of the simulated carrier', () => {
  it('are the same for the same call, in both formats, and do not show what was simulated', async () => {
    const carrier = simulatedCarrier({ world: testWorld() });
    const bought = await carrier.buyLabel(label('whatever'));
    expect(bought).toMatchObject({ result: 'bought', carrier_ref: 'sim_1', content_type: 'application/pdf' });
    expect(await carrier.buyLabel(label('whatever'))).toEqual(bought);
    expect(await carrier.findLabel(label('whatever'))).toEqual(bought);
    const text = Buffer.from((bought as { content: Uint8Array }).content).toString('latin1');
    expect(text).toContain('(Rue 1)');
    expect(text).not.toContain('whatever');
    expect(await carrier.buyLabel(label(undefined, 'zpl'))).toMatchObject({ content_type: 'application/zpl' });
  });

  it('are not sold, sold unheard, or given back, as it is told', async () => {
    const carrier = simulatedCarrier({ world: testWorld() });
    expect(await carrier.buyLabel(label('label_refused'))).toEqual({ result: 'refused', error: 'the address cannot be delivered to' });
    expect(await carrier.findLabel(label('label_refused'))).toEqual({ result: 'absent' });
    await expect(carrier.buyLabel(label('label_lost'))).rejects.toThrow('did not come in time');
    expect(await carrier.findLabel(label('label_lost'))).toMatchObject({ result: 'bought' });
    expect(await carrier.voidLabel(label('label_lost'))).toEqual({ result: 'voided' });
    expect(await carrier.findLabel(label('label_lost'))).toEqual({ result: 'absent' });
    for (let i = 0; i < 2; i += 1) await expect(carrier.buyLabel(label('error_twice'))).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(await carrier.buyLabel(label('error_twice'))).toMatchObject({ result: 'bought' });
  });
});
