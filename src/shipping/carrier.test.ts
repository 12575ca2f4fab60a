import { expect, it } from 'vitest';
import { TEST_EPOCH, testWorld } from '../../test/support/world.ts';
import { type Registration, simulatedCarrier } from './carrier.ts';

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
