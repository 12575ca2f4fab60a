import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Line, PENNY } from './lines.ts';
import { type MatchedPlan, planInvoice, valueOf } from './mapping.ts';
import { startMatching } from './matching.ts';
import { startTally } from './tally.ts';

let next = 2;
const line = (invoice: string, quantity: number, over: Partial<Line> = {}): Line => ({
  line: (next += 1),
  invoice,
  sku: '22423',
  description: 'REGENCY CAKESTAND 3 TIER',
  quantity,
  unit_price: 1_275n * PENNY,
  customer: '17949',
  country: 'United Kingdom',
  at: '2011-08-17 15:06',
  ...over,
});

/** Plans a file: the lines of one invoice stand together. */
function matched(lines: readonly Line[]): MatchedPlan[] {
  const matching = startMatching();
  return [...Map.groupBy(lines, ({ invoice }) => invoice)].map(([invoice, all]) => matching.match(planInvoice(invoice, all, 1)));
}
const last = (...lines: Line[]): MatchedPlan => matched(lines).at(-1)!;
const reasons = ({ exceptions }: MatchedPlan): string[] => exceptions.map(({ reason }) => reason);

describe('goods come back to', () => {
  test('the latest earlier sale of the customer, code and price that has enough', () => {
    const { returns, exceptions } = last(
      line('561001', 6),
      line('561002', 6),
      line('561003', 6, { unit_price: 1_095n * PENNY }),
      line('C561004', -4),
    );
    expect(exceptions).toEqual([]);
    expect(returns).toEqual([
      { invoice: 'C561004', order: '561002', lines: [{ index: 0, sku: '22423', quantity: 4 }], amount: 5_100, by_rule: 5_100 },
    ]);
  });

  test('what is left of a sale: pieces come back once', () => {
    const plans = matched([line('561001', 6), line('561002', 6), line('C561003', -4), line('C561004', -4), line('C561005', -4)]);
    expect(plans.flatMap(({ returns }) => returns.map(({ order, lines }) => [order, lines[0]!.quantity]))).toEqual([
      ['561002', 4],
      ['561001', 4],
      ['561002', 2],
      ['561001', 2],
    ]);
  });

  test('several sales, the latest first, when no one has enough', () => {
    const { returns, matched: lines } = last(line('561001', 4), line('561002', 2), line('C561003', -5));
    expect(returns.map(({ order, lines: [one] }) => [order, one!.quantity])).toEqual([
      ['561002', 2],
      ['561001', 3],
    ]);
    expect(lines).toMatchObject([{ fate: 'return', quantity: -5, value: -5n * 1_275n * PENNY }]);
  });

  test('a sale at another price when none at this price has enough; then the file says what is given back', () => {
    const { returns } = last(line('561001', 6, { unit_price: 1_095n * PENNY }), line('C561002', -2, { unit_price: 500n * PENNY }));
    expect(returns).toMatchObject([{ order: '561001', amount: 1_000, by_rule: 2_190 }]);
  });

  test('one line of a return when two lines of the invoice give back the same', () => {
    const { returns } = last(line('561001', 6), line('C561002', -2), line('C561002', -1));
    expect(returns).toMatchObject([{ lines: [{ index: 0, quantity: 3 }], amount: 3_825 }]);
  });

  test('a sale that cost nothing, and no other, when nothing is given back for them', () => {
    const free = { unit_price: 0n };
    expect(last(line('561001', 6, free), line('561002', 6), line('C561003', -2, free)).returns).toMatchObject([{ order: '561001', amount: 0 }]);
    expect(reasons(last(line('561002', 6), line('C561003', -2, free)))).toEqual(['return_without_sale']);
  });

  test.each<[string, Line[], string]>([
    ['nobody', [line('561001', 6), line('C561002', -2, { customer: '' })], 'return_without_customer'],
    ['another customer', [line('561001', 6), line('C561002', -2, { customer: '12472' })], 'return_without_sale'],
    ['another letter case', [line('561001', 6, { sku: '85123a' }), line('C561002', -2, { sku: '85123A' })], 'return_without_sale'],
    ['a later sale', [line('561001', 6, { sku: 'X' }), line('C561000', -2), line('561002', 6)], 'return_without_sale'],
    ['too few pieces', [line('561001', 6), line('C561002', -7)], 'return_exceeds_sales'],
    ['too little money', [line('561001', 6), line('C561002', -2, { unit_price: 5_000n * PENNY })], 'return_exceeds_sales'],
    ['no cancellation at all', [line('561001', 6), line('C561002', 2)], 'odd_cancellation'],
  ])('no sale: %s', (_name, lines, reason) => {
    const plans = matched(lines);
    expect(plans.flatMap(reasons)).toEqual([reason]);
    expect(plans.flatMap(({ returns }) => returns)).toEqual([]);
  });

  test('nothing when only a part of a line could: what it would have taken is still there', () => {
    const plans = matched([line('561001', 6), line('C561002', -7), line('C561003', -6)]);
    expect(plans.at(-1)!.returns).toMatchObject([{ order: '561001', amount: 7_650 }]);
  });
});

describe('money goes back to', () => {
  const postage = (invoice: string, quantity: number, over: Partial<Line> = {}): Line =>
    line(invoice, quantity, { sku: 'POST', unit_price: 400n * PENNY, ...over });

  test('the latest order charged with the same for as much', () => {
    const lines = [line('561001', 1), postage('561001', 2), line('561002', 1), postage('561002', 1), line('561003', 1), postage('C561004', -2)];
    expect(last(...lines).refunds).toMatchObject([{ order: '561001', code: 'POST', amount: 800 }]);
  });

  test('the order whose goods come back by the same invoice', () => {
    const lines = [line('561001', 3), line('561002', 1, { sku: 'X' }), postage('C561003', -1), line('C561003', -1)];
    expect(last(...lines).refunds).toMatchObject([{ order: '561001' }]);
  });

  test('the latest order otherwise, an adjustment in favour of a customer, too', () => {
    const discount = line('C561003', -1, { sku: 'D' });
    expect(last(line('561001', 3), line('561002', 1, { sku: 'X' }), discount).refunds).toMatchObject([{ order: '561002', amount: 1_275 }]);
    const adjusted = line('A561003', 1, { sku: 'B', unit_price: -500n * PENNY });
    expect(last(line('561001', 3), adjusted).refunds).toMatchObject([{ order: '561001', amount: 500 }]);
  });

  test('no order that has not so much', () => {
    expect(reasons(last(line('561001', 1), line('C561002', -1, { sku: 'M', unit_price: 1_276n * PENNY })))).toEqual(['refund_without_order']);
    expect(reasons(last(line('561001', 1), line('C561002', -1), postage('C561003', -1)))).toEqual(['refund_without_order']);
  });
});

test('nothing below the penny is lost', () => {
  const { returns, remainders } = last(line('561001', 6, { unit_price: 21_000n }), line('C561002', -3, { unit_price: 21_000n }));
  expect(returns).toMatchObject([{ amount: 6, by_rule: 6 }]);
  expect(remainders).toMatchObject([{ value: -3_000n }]);
});

const anyFile: fc.Arbitrary<Line[]> = fc
  .array(
    fc.record({
      invoice: fc.constantFrom('561001', '561002', '561003', 'C561004', 'C561005', 'A561006', '561007', 'C561008'),
      sku: fc.constantFrom('22423', '85123A', 'POST', 'D'),
      size: fc.integer({ min: 1, max: 12 }),
      unit_price: fc.constantFrom(0n, 100n * PENNY, 255n * PENNY, 21_000n, 1_000n),
      customer: fc.constantFrom('', '1', '1', '2'),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((lines) =>
    lines
      .sort((a, b) => (a.invoice.slice(-1) < b.invoice.slice(-1) ? -1 : 1))
      // One invoice has one customer.
      .map(({ size, ...one }, _i, all) =>
        line(one.invoice, /^[CA]/.test(one.invoice) ? -size : size, {
          ...one,
          customer: all.find(({ invoice }) => invoice === one.invoice)!.customer,
        }),
      ),
  );

describe('whatever the file', () => {
  test('each line is accounted for once, and all is worth what the file says', () => {
    fc.assert(
      fc.property(anyFile, (lines) => {
        const tally = startTally(() => false);
        for (const plan of matched(lines)) tally.add(plan);
        const fates = [...tally.fates.values()];
        expect(fates.reduce((sum, one) => sum + one.lines, 0)).toBe(lines.length);
        const value = [...fates, ...tally.remainders].reduce((sum, one) => sum + one.value, 0n);
        expect(value).toBe(lines.reduce((sum, one) => sum + valueOf(one), 0n));
      }),
    );
  });

  test('no more comes back of an order than was in it, and no more money than it cost', () => {
    fc.assert(
      fc.property(anyFile, (lines) => {
        const plans = matched(lines);
        for (const { order } of plans) {
          if (order === undefined) continue;
          const returns = plans.flatMap((plan) => plan.returns.filter((one) => one.order === order.external_id));
          const refunds = plans.flatMap((plan) => plan.refunds.filter((one) => one.order === order.external_id));
          const money = [...returns, ...refunds].reduce((sum, { amount }) => sum + amount, 0);
          expect(money).toBeLessThanOrEqual(order.total);
          for (const [index, { quantity }] of order.lines.entries()) {
            const pieces = returns.flatMap((one) => one.lines.filter((back) => back.index === index)).reduce((sum, back) => sum + back.quantity, 0);
            expect(pieces).toBeLessThanOrEqual(quantity);
          }
        }
      }),
    );
  });
});
