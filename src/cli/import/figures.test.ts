import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Figures, formatValue, productFigures, roundToPennies, startCounting } from './figures.ts';
import { type Line, PENNY, toLine } from './lines.ts';
import { compareFigures, flatten } from './truth.ts';

describe('a value', () => {
  test('is written exactly, with two digits at least', () => {
    expect([0n, 1_000n, 1_250_000n, -47_243_210_000n, 798_336_871_000n].map(formatValue)).toEqual([
      '0.00',
      '0.001',
      '1.25',
      '-47243.21',
      '798336.871',
    ]);
  });

  test('is rounded to pennies, half to even', () => {
    expect([4_999n, 5_000n, 5_001n, 15_000n, 25_000n, -5_000n, -5_001n, -15_000n].map(roundToPennies)).toEqual([0n, 0n, 1n, 2n, 2n, 0n, -1n, -2n]);
  });

  test('is rounded by half a penny at most', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), (value) => {
        const off = roundToPennies(value) * PENNY - value;
        expect(off * 2n <= PENNY && off * 2n >= -PENNY).toBe(true);
      }),
    );
  });
});

const line = (invoice: string, sku: string, quantity: string, price: string, customer = '1', country = 'EIRE'): Line =>
  toLine([invoice, sku, '', quantity, '7/24/2011 9:05', price, customer, country], 2) as Line;

function counted(): ReturnType<typeof startCounting> {
  const counting = startCounting();
  const lines = [
    line('561037', 'A', '2', '1.25'),
    line('561037', 'a', '1', '0.001', ''),
    line('561038', 'A', '-3', '0', '', 'Norway'),
    line('561038', 'A', '4', '0', '', 'Norway'),
    line('C561039', 'A', '-1', '1.25', '2'),
    line('A561040', 'B', '1', '-5'),
  ];
  for (const one of lines) counting.add(one);
  counting.add({ line: 9, invoice: '561041', sku: '', problem: 'no stock code' });
  return counting;
}

describe('figures', () => {
  test('count lines, invoices, pieces and money by kind', () => {
    expect(counted().figures()).toMatchObject({
      'counts.lines': 7,
      'counts.invoices': 4,
      'counts.lines_by_kind.sale': 4,
      'counts.stock_codes': 3,
      'counts.stock_codes_case_insensitive': 2,
      'counts.customers': 2,
      'counts.first': '2011-07-24 09:05',
      'money.gross_sales': '2.501',
      'money.cancellations': '-1.25',
      'money.adjustments': '-5.00',
      'money.net': '-3.749',
      'units.sold': 3,
      'units.cancelled': 1,
      'cancellations.matched_lines': 0,
      'quirks.stock_adjustment_units': -3,
      'quirks.prices_with_more_than_2_decimals': 1,
      'by_country.Norway.invoices': 1,
      'by_month.2011-07.cancel_invoices': 1,
    });
  });

  test('of a product tell sold from given, cancelled and written off', () => {
    expect(productFigures(counted().products())).toMatchObject({
      'A.lines': 4,
      'A.units_sold': 2,
      'A.units_given_at_zero_price': 4,
      'A.units_cancelled': 1,
      'A.units_stock_adjustment': -3,
      'A.net_units': 2,
      'A.gross_sales': '2.50',
      'a.gross_sales': '0.001',
    });
  });
});

test('cancellations that a sale explains are counted, each by itself', () => {
  const counting = startCounting();
  const at = (one: Line, minute: string): Line => ({ ...one, at: minute });
  for (const one of [
    at(line('C561030', 'A', '-1', '1'), '2011-07-24 09:00'), // before the sale
    at(line('561037', 'A', '2', '1'), '2011-07-24 09:05'),
    at(line('C561038', 'A', '-2', '1'), '2011-07-24 09:05'), // exactly
    at(line('C561039', 'A', '-1', '1'), '2011-07-24 09:06'), // though nothing is left by now
    at(line('C561040', 'A', '-3', '1'), '2011-07-24 09:06'), // too many
    at(line('C561041', 'A', '-1', '2'), '2011-07-24 09:06'), // another price
    at(line('C561042', 'A', '-1', '1', '2'), '2011-07-24 09:06'), // another customer
  ])
    counting.add(one);
  expect(counting.figures()).toMatchObject({ 'cancellations.matched_lines': 2, 'cancellations.exactly_matched_lines': 1 });
});

describe('against a truth', () => {
  const truth: Figures = flatten({
    dataset: 'x',
    definitions: { sale: 'six digits' },
    counts: { lines: 2 },
    money: { net: '1.5' },
    top: { products: [['A', 1]] },
  });

  test('numbers are the same however they are written', () => {
    expect(compareFigures(truth, { 'counts.lines': 2, 'money.net': '1.50' })).toEqual({
      reconciled: 2,
      differences: [],
      not_compared: ['top.products'],
    });
  });

  test('every difference is named', () => {
    expect(compareFigures(truth, { 'counts.lines': 3, 'money.net': '1.501' }).differences).toEqual([
      { figure: 'counts.lines', truth: '2', found: '3' },
      { figure: 'money.net', truth: '1.5', found: '1.501' },
    ]);
  });
});
