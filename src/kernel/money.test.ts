import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMoney, parseDecimal } from './money.ts';

describe('formatMoney', () => {
  it.each([
    [1250, 'EUR', '12.50 EUR'],
    [-5, 'GBP', '-0.05 GBP'],
    [0, 'USD', '0.00 USD'],
    [1250, 'JPY', '1250 JPY'],
    [1250, 'KWD', '1.250 KWD'],
  ])('%i %s reads %s', (amount, currency, text) => expect(formatMoney(amount, currency)).toBe(text));
});

describe('parseDecimal', () => {
  it.each([
    ['12.5', 2, 1250n],
    ['0.001', 3, 1n],
    ['-11062.06', 2, -1106206n],
    ['7', 0, 7n],
    ['1.50', 1, 15n],
  ])('%s at scale %i is %s', (text, scale, units) => expect(parseDecimal(text, scale)).toBe(units));

  it.each(['', 'abc', '1.2.3', '1e5', '.5', '0.001'])('has no answer for "%s" at scale 2', (text) => expect(parseDecimal(text, 2)).toBeUndefined());

  it('reads back what formatMoney writes', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (amount) => {
        expect(parseDecimal(formatMoney(amount, 'EUR').replace(' EUR', ''), 2)).toBe(BigInt(amount));
      }),
    );
  });
});
