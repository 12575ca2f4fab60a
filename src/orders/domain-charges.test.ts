import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { priced } from '../../test/orders/make.ts';
import { type Charge, asGiven, distribute, proportion, totalsOf, worthOf } from './domain-charges.ts';
import type { Line } from './domain-order.ts';

const line = (id: string, quantity: number, unit_price: number, cancelled = 0): Line => ({
  id,
  sku: id.toUpperCase(),
  name: id,
  quantity,
  cancelled,
  unit_price,
  amount: unit_price * (quantity - cancelled),
});

test.each([
  [5, 1, 2, 2], // 2.5: the even one
  [7, 1, 2, 4], // 3.5: the even one
  [-5, 1, 2, -2],
  [-7, 1, 2, -4],
  [10, 1, 3, 3],
  [20, 1, 3, 7],
  [-20, 1, 3, -7],
  [9_000_000_000, 999_999_999, 1_000_000_000, 8_999_999_991],
])('%i × %i ÷ %i is %i', (amount, part, whole, expected) => {
  expect(proportion(amount, part, whole)).toBe(expected);
});

test('an amount is divided so that its parts make the whole, and no part is off by more than the others’ rounding', () => {
  const weights = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), weights, (amount, of) => {
      const parts = distribute(amount, of);
      expect(parts.reduce((sum, one) => sum + one, 0)).toBe(amount);
      const whole = of.reduce((sum, one) => sum + one, 0);
      const heaviest = of.indexOf(Math.max(...of));
      for (const [i, part] of parts.entries())
        if (whole > 0) expect(Math.abs(part - (amount * of[i]!) / whole)).toBeLessThanOrEqual(i === heaviest ? of.length / 2 : 0.5);
    }),
  );
});

test('what is left over goes to the heaviest', () => {
  expect(distribute(100, [1, 1, 1])).toEqual([34, 33, 33]);
  expect(distribute(-100, [1, 5, 1])).toEqual([-14, -72, -14]);
  expect(distribute(7, [0, 0])).toEqual([7, 0]);
});

test('charges on lines are kept with their line; those in the prices already are not added', () => {
  const order = priced({
    lines: [
      { sku: 'A', quantity: 2, charges: [{ code: 'vat', amount: 319, kind: 'tax', included: true, rate_ppm: 190_000 }] },
      { sku: 'B', quantity: 1, unit_price: 250, charges: [{ code: 'coupon', amount: -50, kind: 'discount' }] },
    ],
    charges: [{ code: 'shipping', amount: 490 }],
  });
  expect(order).toMatchObject({ goods_total: 2_250, charges_total: 440, total: 2_690 });
  expect(order.charges.map(({ code, line_id }) => [code, line_id])).toEqual([
    ['shipping', undefined],
    ['vat', '0'],
    ['coupon', '1'],
  ]);
});

describe('as given', () => {
  const tax: Charge = { code: 'vat', amount: 100, kind: 'tax', line_id: 'a' };
  const taxed = (charge: Charge, quantity: number, cancelled: number, before: number): Charge =>
    asGiven({
      currency: 'EUR',
      ship_to: null,
      lines: [line('a', quantity, 500, cancelled)],
      charges: [charge],
      before: new Map([['a', before]]),
    })[0]!;

  test('a line of fewer pieces is charged in proportion, and as it was when it has them again', () => {
    const two = taxed(tax, 3, 1, 3);
    expect(two).toMatchObject({ amount: 67, given: { amount: 100, quantity: 3 } });
    const one = taxed(two, 3, 2, 2);
    expect(one.amount).toBe(33);
    expect(taxed(one, 5, 2, 1).amount).toBe(100);
  });

  test('what was given for the pieces there are stays, and so does what is charged on the whole', () => {
    expect(taxed(tax, 3, 0, 3)).toBe(tax);
    const onOrder: Charge = { code: 'shipping', amount: 490 };
    expect(taxed(onOrder, 3, 1, 3)).toBe(onOrder);
  });
});

test('a tax provider is asked for all charges, when an order is priced', () => {
  const byRate = ({ lines, charges }: Parameters<typeof asGiven>[0]): Charge[] => [
    ...charges.filter(({ kind }) => kind !== 'tax'),
    ...lines.map(({ id, amount }): Charge => ({
      code: 'vat',
      kind: 'tax',
      line_id: id,
      rate_ppm: 190_000,
      amount: proportion(amount, 190_000, 1_000_000),
    })),
  ];
  const order = priced({ charges: [{ code: 'shipping', amount: 490 }] }, byRate);
  expect(order.charges.map(({ amount, line_id }) => [amount, line_id])).toEqual([
    [490, undefined],
    [380, '0'],
    [48, '1'], // 47.5, the even one
  ]);
  expect(order.total).toBe(2_250 + 490 + 380 + 48);
});

test('the worth of pieces: their price, their share of what is charged on their line, and of what is charged on the order when asked', () => {
  const lines = [line('a', 3, 1_000), line('b', 1, 1_000)];
  const charges: Charge[] = [
    { code: 'vat', amount: 100, line_id: 'a' },
    { code: 'incl', amount: 999, line_id: 'a', included: true },
    { code: 'shipping', amount: 400 },
    { code: 'refund', kind: 'credit', amount: -70 },
  ];
  expect(totalsOf(lines, charges)).toEqual({ goods_total: 4_000, charges_total: 430, total: 4_430 });
  expect(worthOf({ lines, charges }, [{ line_id: 'a', quantity: 2 }])).toBe(2_067);
  expect(worthOf({ lines, charges }, [{ line_id: 'a', quantity: 2 }], { withOrder: true })).toBe(2_000 + 267);
  expect(worthOf({ lines, charges }, [{ line_id: 'gone', quantity: 2 }])).toBe(0);
});
