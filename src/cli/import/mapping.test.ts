import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Line, PENNY, type Unreadable, isUnreadable, toLine } from './lines.ts';
import { type InvoicePlan, fateOf, planInvoice, valueOf } from './mapping.ts';

let next = 2;
const line = (over: Partial<Line> = {}): Line => ({
  line: (next += 1),
  invoice: '561037',
  sku: '85123A',
  description: 'WHITE HANGING HEART T-LIGHT HOLDER',
  quantity: 6,
  unit_price: 255n * PENNY,
  customer: '12472',
  country: 'Germany',
  at: '2011-07-24 11:55',
  ...over,
});

const record = (over: Record<number, string> = {}): string[] =>
  ['561037', '85123A', ' HEART ', '6', '7/24/2011 11:55', '2.55', '12472', 'Germany'].map((field, i) => over[i] ?? field);

describe('a record becomes a line', () => {
  test('exactly: three decimals, letter case, outer blanks of the description', () => {
    expect(toLine(record({ 1: '85123a', 5: '0.001' }), 7)).toEqual({
      line: 7,
      invoice: '561037',
      sku: '85123a',
      description: 'HEART',
      quantity: 6,
      unit_price: 1_000n,
      customer: '12472',
      country: 'Germany',
      at: '2011-07-24 11:55',
    });
  });

  test.each([
    [{ 0: '56103' }, '"56103" is no invoice number'],
    [{ 1: ' ' }, 'no stock code'],
    [{ 3: '0' }, '"0" is no quantity'],
    [{ 3: '1.5' }, '"1.5" is no quantity'],
    [{ 5: '1e3' }, '"1e3" is no price'],
  ])('unless it cannot be read: %j', (over, problem) => {
    expect(toLine(record(over), 7)).toMatchObject({ line: 7, problem });
  });

  test('a record of too few fields cannot be read', () => {
    expect(toLine(['561037', '85123A'], 7)).toMatchObject({ problem: '2 fields instead of 8' });
  });
});

describe('the fate of a line', () => {
  test.each<[string, Partial<Line>, string]>([
    ['goods sold', {}, 'order_line'],
    ['goods given away', { unit_price: 0n }, 'order_line'],
    ['goods for a tenth of a penny', { sku: 'PADS', unit_price: 1_000n }, 'order_line'],
    ['a gift voucher', { sku: 'gift_0001_20' }, 'order_line'],
    ['a code that only looks like a service', { sku: 'DCGSSBOY' }, 'order_line'],
    ['postage', { sku: 'POST' }, 'order_charge'],
    ['an amount written by hand', { sku: 'M' }, 'order_charge'],
    ['goods gone', { quantity: -7, unit_price: 0n }, 'write_off'],
    ['postage gone', { sku: 'POST', quantity: -7, unit_price: 0n }, 'service_write_off'],
    ['goods gone, with a price', { quantity: -7 }, 'negative_sale'],
    ['goods of negative price', { unit_price: -1n }, 'negative_sale'],
    ['goods back', { invoice: 'C561037', quantity: -7 }, 'return'],
    ['goods back from nobody', { invoice: 'C561037', quantity: -7, customer: '' }, 'return_without_customer'],
    ['postage back', { invoice: 'C561037', sku: 'POST', quantity: -7 }, 'refund'],
    ['less than a penny back', { invoice: 'C561037', sku: 'POST', quantity: -1, unit_price: 9_999n }, 'odd_cancellation'],
    ['a cancellation that takes', { invoice: 'C561037' }, 'odd_cancellation'],
    ['an adjustment nobody gains by', { invoice: 'A563185', sku: 'B' }, 'bad_debt_adjustment'],
    ['an adjustment for nobody', { invoice: 'A563186', sku: 'B', unit_price: -PENNY, customer: '' }, 'bad_debt_adjustment'],
    ['an adjustment a customer gains by', { invoice: 'A563186', sku: 'B', quantity: 1, unit_price: -PENNY }, 'refund'],
  ])('%s', (_name, over, fate) => {
    expect(fateOf(line(over))).toBe(fate);
  });
});

describe('an invoice', () => {
  test('becomes one order: duplicates stay apart, postage is a charge', () => {
    const lines = [line(), line(), line({ sku: 'POST', description: 'POSTAGE', quantity: 3, unit_price: 1_800n * PENNY })];
    const { order, exceptions } = planInvoice('561037', lines, 1);
    expect(order).toMatchObject({
      external_id: '561037',
      customer_id: '12472',
      country: 'Germany',
      lines: [
        { sku: '85123A', quantity: 6, unit_price: 255 },
        { sku: '85123A', quantity: 6, unit_price: 255 },
      ],
      charges: [{ code: 'POST', name: 'POSTAGE', amount: 5_400 }],
      total: 2 * 6 * 255 + 5_400,
    });
    expect(exceptions).toEqual([]);
  });

  test('without a customer is a guest, one for each invoice', () => {
    expect(planInvoice('561037', [line({ customer: '' })], 1).order?.customer_id).toBe('guest-561037');
  });

  test('whose number comes up again further down is an order of its own', () => {
    expect(planInvoice('561037', [line()], 2).order?.external_id).toBe('561037/2');
  });

  test('of postage alone is no order', () => {
    const { order, exceptions } = planInvoice('561216', [line({ sku: 'POST' })], 1);
    expect(order).toBeUndefined();
    expect(exceptions).toMatchObject([{ reason: 'invoice_without_goods', quantity: 6 }]);
  });

  test('with more lines than an order may have is no order', () => {
    const lines = Array.from({ length: 501 }, () => line());
    const { order, exceptions } = planInvoice('561037', lines, 1);
    expect(order).toBeUndefined();
    expect(new Set(exceptions.map(({ reason }) => reason))).toEqual(new Set(['out_of_range']));
  });

  test('loses nothing below the penny', () => {
    const { order, remainders } = planInvoice('561226', [line({ sku: 'PADS', quantity: 3, unit_price: 1_000n })], 1);
    expect(order?.lines).toMatchObject([{ unit_price: 0 }]);
    expect(remainders).toMatchObject([{ sku: 'PADS', value: 3_000n }]);
  });
});

const anyLine: fc.Arbitrary<Line | Unreadable> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      line: fc.constant(0),
      invoice: fc.constantFrom('561037', 'C561037', 'A561037'),
      sku: fc.constantFrom('85123A', '85123a', 'POST', 'M', 'PADS', 'DCGS0003', 'BANK CHARGES'),
      description: fc.constant(''),
      quantity: fc.integer({ min: -2_000, max: 2_000 }).filter((n) => n !== 0),
      unit_price: fc.bigInt({ min: -200_000_000n, max: 200_000_000n }).map((n) => (n % 5n === 0n ? 0n : n)),
      customer: fc.constantFrom('', '12472'),
      country: fc.constant('EIRE'),
      at: fc.constant(''),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ line: 0, invoice: '561037', sku: '', problem: 'no stock code' }) },
);
const anyInvoice = fc.array(anyLine, { minLength: 1, maxLength: 40 }).map((lines) => lines.map((one, i) => ({ ...one, line: i + 2 })));

const linesIn = (plan: InvoicePlan): number[] =>
  [...(plan.order?.lines ?? []), ...(plan.order?.charges ?? []), ...plan.write_offs, ...plan.back, ...plan.exceptions]
    .map((one) => one.line)
    .sort((a, b) => a - b);

describe('whatever the lines', () => {
  test('each is accounted for exactly once', () => {
    fc.assert(
      fc.property(anyInvoice, (lines) => {
        expect(linesIn(planInvoice('561037', lines, 1))).toEqual(lines.map(({ line: n }) => n));
      }),
    );
  });

  test('orders, remainders and exceptions are together worth what the file says', () => {
    fc.assert(
      fc.property(anyInvoice, (lines) => {
        const { order, remainders, exceptions, back } = planInvoice('561037', lines, 1);
        const file = lines.reduce((sum, one) => sum + (isUnreadable(one) ? 0n : valueOf(one)), 0n);
        const planned = [...remainders, ...exceptions, ...back.map((one) => ({ value: valueOf(one) }))].reduce(
          (sum, { value }) => sum + value,
          BigInt(order?.total ?? 0) * PENNY,
        );
        expect(planned).toBe(file);
      }),
    );
  });

  test('an order is in whole pennies and its total is that of its lines and charges', () => {
    fc.assert(
      fc.property(anyInvoice, (lines) => {
        const { order } = planInvoice('561037', lines, 1);
        const sum = [...(order?.lines ?? []).map((one) => one.quantity * one.unit_price), ...(order?.charges ?? []).map(({ amount }) => amount)];
        expect(order?.total ?? 0).toBe(sum.reduce((a, b) => a + b, 0));
        expect(sum.every((amount) => Number.isSafeInteger(amount) && amount >= 0)).toBe(true);
      }),
    );
  });
});
