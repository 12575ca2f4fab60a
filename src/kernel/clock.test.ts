import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { steadyClock } from './clock.ts';

const HOUR = 3_600_000;

/** A machine whose clock can be set, and the steady clock on it. */
function machine() {
  let wall = 100 * HOUR;
  let elapsed = 5_000;
  return {
    clock: steadyClock(
      () => wall,
      () => elapsed,
    ),
    wall: () => wall,
    set: (by: number) => void (wall += by),
    pass(ms: number) {
      wall += ms;
      elapsed += ms;
    },
  };
}

describe('a steady clock', () => {
  it('is the clock of the machine as long as nobody sets that back', () => {
    const { clock, wall, set, pass } = machine();
    pass(0.4);
    expect(clock.now()).toBe(Math.floor(wall()));
    pass(HOUR);
    set(HOUR);
    expect(clock.now()).toBe(Math.floor(wall()));
  });

  it('goes on more slowly when the machine is set back, however often it is asked, and meets it in the end', () => {
    const { clock, wall, set, pass } = machine();
    const before = clock.now();
    set(-3 * HOUR);
    expect(clock.now()).toBe(before);
    for (let i = 0; i < 10_000; i += 1) {
      pass(0.1);
      clock.now();
    }
    expect(clock.now()).toBeCloseTo(before + 800, -1);
    pass(15 * HOUR - 2_000);
    expect(clock.now()).toBeGreaterThan(wall());
    pass(2_000);
    expect(clock.now()).toBe(Math.floor(wall()));
  });

  it('begins where a clock before it had come to', () => {
    const { clock, wall, pass } = machine();
    const later = wall() + 2 * HOUR;
    clock.notBefore(wall() - HOUR);
    expect(clock.now()).toBe(wall());
    clock.notBefore(later);
    expect(clock.now()).toBe(later);
    pass(10_000);
    expect(clock.now()).toBe(later + 8_000);
  });

  it('never goes back and never stands still, whatever is done to the machine', () => {
    const step = fc.record({ pass: fc.integer({ min: 0, max: HOUR }), set: fc.integer({ min: -5 * HOUR, max: 5 * HOUR }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { clock, wall, set, pass } = machine();
        for (const one of steps) {
          const before = clock.now();
          pass(one.pass);
          set(one.set);
          const now = clock.now();
          expect(now).toBeGreaterThanOrEqual(Math.floor(before + 0.8 * one.pass));
          expect(now).toBeGreaterThanOrEqual(Math.floor(wall()));
        }
      }),
    );
  });
});
