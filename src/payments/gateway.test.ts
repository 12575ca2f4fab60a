import { expect, it } from 'vitest';
import { testWorld } from '../../test/support/world.ts';
import { type ProviderCall, simulatedGateway } from './gateway.ts';

const call = (token: string, id = 'pop_1', kind: ProviderCall['kind'] = 'authorize', attempts = 0): ProviderCall => ({
  id,
  order_id: 'ord_1',
  kind,
  amount: 100,
  currency: 'EUR',
  token,
  provider_ref: null,
  last: true,
  attempts,
});

it('decides the same operation the same way, also after a restart', async () => {
  const first = simulatedGateway({ world: testWorld() });
  const again = simulatedGateway({ world: testWorld() });
  const answer = await first.authorize(call('tok_ok'));
  expect(answer).toEqual({ result: 'approved', ref: 'sim_1' });
  expect(await first.authorize(call('tok_ok'))).toEqual(answer);
  expect(await again.authorize(call('tok_ok'))).toEqual(answer);
});

it('answers as its tokens say', async () => {
  const gateway = simulatedGateway({ world: testWorld() });
  expect(await gateway.authorize(call('tok_declined'))).toEqual({ result: 'declined', code: 'card_declined' });
  expect(await gateway.authorize(call('whatever', 'pop_2'))).toEqual({ result: 'declined', code: 'invalid_token' });
  expect(await gateway.authorize(call('tok_capture_fails', 'pop_3'))).toMatchObject({ result: 'approved' });
  expect(await gateway.capture(call('tok_capture_fails', 'pop_4', 'capture'))).toEqual({ result: 'declined', code: 'capture_refused' });
});

it('does not take the first two calls of an operation with tok_error_twice, whoever was restarted in between', async () => {
  for (const attempts of [0, 1]) {
    const gateway = simulatedGateway({ world: testWorld() });
    await expect(gateway.authorize(call('tok_error_twice', 'pop_1', 'authorize', attempts))).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(await gateway.lookup('pop_1', call('tok_ok'))).toEqual({ result: 'absent' });
  }
  expect(await simulatedGateway({ world: testWorld() }).authorize(call('tok_error_twice', 'pop_1', 'authorize', 2))).toMatchObject({
    result: 'approved',
  });
});

it('has done what it gave no answer for with tok_unknown', async () => {
  const gateway = simulatedGateway({ world: testWorld() });
  expect(await gateway.authorize(call('tok_unknown'))).toMatchObject({ result: 'unknown' });
  expect(await gateway.lookup('pop_1', call('tok_ok'))).toEqual({ result: 'approved', ref: 'sim_1' });
  const restarted = simulatedGateway({ world: testWorld() });
  expect(await restarted.lookup('pop_1', call('tok_ok'))).toEqual({ result: 'absent' });
  expect(await restarted.authorize(call('tok_unknown', 'pop_1', 'authorize', 1))).toEqual({ result: 'approved', ref: 'sim_1' });
});

it('takes two seconds with tok_slow', async () => {
  const world = testWorld();
  let answered = false;
  const slow = simulatedGateway({ world })
    .authorize(call('tok_slow'))
    .then((answer) => ((answered = true), answer));
  world.advance(1_999);
  await Promise.resolve();
  expect(answered).toBe(false);
  world.advance(1);
  expect(await slow).toMatchObject({ result: 'approved' });
});
