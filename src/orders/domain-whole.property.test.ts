import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WholeWorld } from '../../test/orders/whole-world.ts';
import { dueOf } from './domain-money.ts';
import { isFinished } from './domain-status.ts';

const choice = fc.nat({ max: 1_023 });
const event = fc.oneof(
  { weight: 12, arbitrary: fc.record({ act: fc.constant('deliver' as const), choice, again: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('person' as const), choice }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('ask' as const), choice }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('receipt' as const, 'vanish' as const), choice }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('time' as const), choice }) },
);

const ENDS = ['cancelled', 'closed', 'complete', 'waits for a person', 'waits for goods'];

test('whatever people want, however often they change their minds: order, stock, money and parcels agree in the end', () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(fc.constantFrom('default', 'prepaid', 'reserve_only'), fc.array(event, { maxLength: 120, size: 'max' }), (policy, events) => {
      const world = new WholeWorld(policy);
      for (const one of events) {
        if (one.act === 'deliver') world.deliver(one.choice, one.again && world.inFlight < 30);
        else if (one.act === 'time') world.timeIsOver();
        else world[one.act](one.choice);
      }
      world.settle();
      world.agree();

      const { order } = world;
      const { at } = order.journey;
      const end = !isFinished(order)
        ? (order.journey.queued ?? []).length > 0
          ? 'waits for goods'
          : 'waits for a person'
        : at === 'cancelled' || at === 'complete'
          ? at
          : 'closed';
      reached.add(end);
      const gone = Object.fromEntries([...world.gone].filter(([, count]) => count > 0));
      const live = Object.fromEntries(order.lines!.map((line) => [line.id, line.quantity - line.cancelled]).filter(([, count]) => count !== 0));
      if (end === 'closed') {
        expect([dueOf(order), gone]).toEqual([0, live]);
        expect(world.money).toMatchObject({ held: 0 });
        expect(world.money.captured - world.money.refunded).toBe(order.total);
        expect([...world.held.values(), ...world.queued.values()].filter((count) => count !== 0)).toEqual([]);
      }
      if (at === 'cancelled') {
        expect(['none', 'rejected', 'released']).toContain(world.stock);
        expect([world.money.held, world.money.captured - world.money.refunded]).toEqual([0, 0]);
        for (const { state } of world.parcels.values()) expect(state).toBe('cancelled');
      }
    }),
    { numRuns: 1_000 },
  );
  expect([...reached].sort()).toEqual(ENDS); // the run has been everywhere
}, 120_000);
