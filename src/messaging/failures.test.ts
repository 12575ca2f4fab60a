import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATALOGUE, type ErrorCode, Fault, Refusal } from '../kernel/errors.ts';
import { fingerprintOf, wordsOf } from './dead-letter-groups.ts';
import { type FailureClass, POLICIES, classOf, delayAfter, isOutage } from './failures.ts';

describe('classes of failure', () => {
  it.each([
    ['conflict', 'transient'],
    ['provider_unavailable', 'provider'],
    ['contract_violation', 'contract'],
    ['too_many_hops', 'contract'],
    ['crash_suspect', 'contract'],
    ['internal', 'bug'],
  ] as const)('%s is %s', (code, expected) => {
    expect(classOf(new Fault(code, 'x'))).toBe(expected);
  });

  it('whatever is unknown, and a Refusal that was thrown, is a bug', () => {
    expect([new TypeError('x'), 'text', undefined, new Refusal('order_not_found', 'x')].map(classOf)).toEqual(['bug', 'bug', 'bug', 'bug']);
  });

  it('every retryable fault is retried or waited for, never a bug', () => {
    for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
      if (!CATALOGUE[code].retryable) continue;
      const fault = new Fault(code, 'x');
      expect([code, isOutage(fault) || classOf(fault) !== 'bug']).toEqual([code, true]);
    }
  });
});

describe('delayAfter', () => {
  it('is within a fifth of the table, and ends when the table ends', () => {
    const classes = Object.keys(POLICIES) as FailureClass[];
    fc.assert(
      fc.property(
        fc.constantFrom(...classes),
        fc.integer({ min: 1, max: 20 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failure, attempts, chance) => {
          const listed = (POLICIES[failure].delays as readonly number[])[attempts - 1];
          const delay = delayAfter(failure, attempts, chance);
          if (listed === undefined) {
            expect(delay).toBeUndefined();
            return;
          }
          expect(delay).toBeGreaterThanOrEqual(Math.round(listed * 0.8));
          expect(delay).toBeLessThanOrEqual(Math.round(listed * 1.2));
        },
      ),
    );
  });
});

describe('fingerprintOf', () => {
  const stack = (line: number): string =>
    `Error: x\n    at reserve (file:///a/src/inventory/use-cases.ts:${line}:3)\n    at next (file:///a/node_modules/z.js:1:1)`;
  const like = (more: Partial<Parameters<typeof fingerprintOf>[0]> = {}) => ({
    destination: 'inventory',
    code: 'internal',
    type: 'a',
    error: 'x',
    ...more,
  });

  it('is the same for the same failure of other things', () => {
    const one = fingerprintOf(like({ error: 'order ord_01jm8r3v9qe7bvkc1xk6w2t4nz has 3 lines of "TEA"' }), stack(10));
    const two = fingerprintOf(like({ error: 'order ord_01jm8r3v9qe7bvkc1xk6w2t4n0 has 17 lines of "CUP"' }), stack(12));
    expect(two).toBe(one);
  });

  it('differs by consumer, code, type, words and place', () => {
    const all = [
      fingerprintOf(like(), stack(1)),
      fingerprintOf(like({ destination: null }), stack(1)),
      fingerprintOf(like({ code: 'conflict' }), stack(1)),
      fingerprintOf(like({ type: 'b' }), stack(1)),
      fingerprintOf(like({ error: 'y' }), stack(1)),
      fingerprintOf(like(), undefined),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('wordsOf', () => {
  it('leaves out what differs from one message to the next, and keeps the rest', () => {
    expect(wordsOf('order ord_01jm8r3v9qe7bvkc1xk6w2t4nz of "Ada": 3 of 17 (0190B6A2-11f2-7abc-8def-0123456789ab)')).toBe('order * of *: # of # (*)');
    expect(wordsOf('x'.repeat(10_000))).toHaveLength(500);
  });
});
