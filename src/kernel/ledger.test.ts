import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Balances, type Posting, isOutside, post } from './ledger.ts';

type Account = 'available' | 'reserved';
const account = fc.constantFrom('available', 'reserved', 'outside:supplier', 'outside:customer');
const postings = fc.array(
  fc.record({ from: account, to: account, quantity: fc.integer({ min: 1, max: 10 }) }).filter(({ from, to }) => from !== to),
) as fc.Arbitrary<Posting<Account>[]>;

describe('post', () => {
  it('moves a quantity from one account to another', () => {
    expect(post<Account>({ available: 5, reserved: 0 }, { from: 'available', to: 'reserved', quantity: 3 })).toEqual({ available: 2, reserved: 3 });
  });

  it('refuses to take an inner account below zero', () => {
    expect(post<Account>({ available: 2, reserved: 0 }, { from: 'available', to: 'reserved', quantity: 3 })).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN])('throws on a quantity of %s', (quantity) => {
    expect(() => post<Account>({ available: 9, reserved: 0 }, { from: 'available', to: 'reserved', quantity })).toThrow(RangeError);
  });

  it('whatever is posted, balances are the sums of what was accepted and never negative', () => {
    fc.assert(
      fc.property(postings, (all) => {
        let balances: Balances<Account> = { available: 0, reserved: 0 };
        const accepted: Posting<Account>[] = [];
        for (const posting of all) {
          const next = post(balances, posting);
          if (next === undefined) continue;
          balances = next;
          accepted.push(posting);
        }
        for (const name of ['available', 'reserved'] as const) {
          const sum = accepted.reduce((n, { from, to, quantity }) => n + (to === name ? quantity : 0) - (from === name ? quantity : 0), 0);
          expect(balances[name]).toBe(sum);
          expect(balances[name]).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it('knows the outside', () => {
    expect([isOutside('outside:customer'), isOutside('available')]).toEqual([true, false]);
  });
});
