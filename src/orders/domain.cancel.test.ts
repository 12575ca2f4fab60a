import { expect, test } from 'vitest';
import { Surroundings } from '../../test/orders/honest-stops.ts';

/** Picks the message that has waited longest; a stop it is for says yes. */
function yes(inFlight: number): number {
  for (let choice = 0; ; choice += inFlight) if (choice % 8 >= 2) return choice;
}

/** An order after so many messages have been delivered, in their order; with `twice`, every other one comes again later. */
function walk(policy: string, deliveries: number, twice: boolean): Surroundings {
  const world = new Surroundings(policy);
  for (let n = 0; n < deliveries; n += 1) {
    if (world.inFlight === 0) world.person();
    if (world.inFlight > 0) world.deliver(yes(world.inFlight), twice && n % 2 === 0);
  }
  return world;
}

const policies = ['default', 'prepaid', 'reserve_only'];

test.each(policies)(
  'K14 %s: cancelled at every step, before and after each answer, once and twice, with duplicates: all is undone or all is sent',
  (policy) => {
    const met = new Set<string>();
    for (const twice of [false, true]) {
      for (let deliveries = 0; deliveries <= 16; deliveries += 1) {
        const world = walk(policy, deliveries, twice);
        met.add(world.order.journey.at);
        const past = ['capturing', 'dispatching', 'shipped', 'delivered'].includes(world.order.journey.at);
        world.ask('cancel');
        if (twice) world.ask('cancel');
        world.settle();
        if (past) {
          expect([world.order.journey.at, world.stock, world.parcel]).not.toContain('cancelled');
          continue;
        }
        expect(world.order.journey.at).toBe('cancelled');
        expect(['none', 'rejected', 'released']).toContain(world.stock);
        expect(['none', 'declined', 'voided']).toContain(world.payment);
        expect(['none', 'cancelled']).toContain(world.parcel);
      }
    }
    const all = ['authorizing', 'capturing', 'delivered', 'dispatching', 'preparing', 'ready', 'reserving', 'shipped'];
    expect([...met].toSorted()).toEqual(policy === 'reserve_only' ? ['complete', 'reserving'] : all);
  },
);
