import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Surroundings } from '../../test/orders/honest-stops.ts';

const choice = fc.nat({ max: 63 });
const event = fc.oneof(
  { weight: 12, arbitrary: fc.record({ act: fc.constant('deliver' as const), choice, again: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('person' as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('cancel' as const, 'resume' as const, 'time' as const, 'redrive' as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('bury' as const), choice }) },
);

const ENDS = ['authorizing on hold', 'cancelled', 'complete', 'delivered', 'ready', 'ready on hold', 'shipped'];

test('whatever comes, in whatever order, however often: every order ends well or waits for somebody', () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(fc.constantFrom('default', 'prepaid', 'reserve_only'), fc.array(event, { maxLength: 80, size: 'max' }), (policy, events) => {
      const world = new Surroundings(policy);
      for (const one of events) {
        if (one.act === 'deliver') world.deliver(one.choice, one.again && world.inFlight < 30);
        else if (one.act === 'person') world.person();
        else if (one.act === 'time') world.timeIsOver();
        else if (one.act === 'redrive') world.redrive();
        else if (one.act === 'bury') world.bury(one.choice);
        else world.ask(one.act);
      }
      world.settle();

      const { at, hold } = world.order.journey;
      const end = hold === null ? at : `${at} on hold`;
      reached.add(end);
      // Everything has arrived and every deadline has passed: only a person can be waited for.
      expect(ENDS).toContain(end);
      if (at === 'cancelled') {
        expect(['none', 'rejected', 'released']).toContain(world.stock);
        expect(['none', 'declined', 'voided', 'refunded']).toContain(world.payment);
        expect(['none', 'cancelled']).toContain(world.parcel);
      }
      if (at === 'shipped' || at === 'delivered') expect([world.stock, world.payment]).toEqual(['committed', 'captured']);
      if (at === 'ready' || at === 'complete') expect([world.stock, world.dispatchAsked]).toEqual(['held', false]);
    }),
    { numRuns: 3_000 },
  );
  expect([...reached].sort()).toEqual(ENDS); // the run has been everywhere
});
