import { describe, expect, test } from 'vitest';
import { catalogueOf, item, placed, priced, shop, wish } from '../../test/orders/make.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import { orderNumber, price } from './domain-place.ts';
import { faultsOfPolicies, POLICIES } from './domain-waybill.ts';

describe('pricing', () => {
  test('takes missing prices and names from the catalogue and computes every total', () => {
    expect(
      priced({
        charges: [
          { code: 'shipping', amount: 490 },
          { code: 'voucher', amount: -300, name: 'Welcome' },
        ],
      }),
    ).toMatchObject({
      lines: [
        { sku: 'A', name: 'Name of A', quantity: 2, unit_price: 1_000, amount: 2_000 },
        { sku: 'B', quantity: 1, unit_price: 250, amount: 250 },
      ],
      goods_total: 2_250,
      charges_total: 190,
      total: 2_440,
      payment_token: 'tok_secret',
    });
  });

  test('names every line that is wrong', () => {
    const lines = [
      { sku: 'A', quantity: 1 },
      { sku: 'nope', quantity: 1 },
      { sku: 'nada', quantity: 1, unit_price: 5 },
    ];
    expect(price(wish({ lines }), shop)).toMatchObject({ code: 'unknown_sku', errors: [{ field: 'lines.1.sku' }, { field: 'lines.2.sku' }] });
  });

  test('refuses archived products, whatever price is sent', () => {
    const archived = { ...shop, catalogue: catalogueOf(item('A', { archived: true }), item('B')) };
    expect(price(wish({ lines: [{ sku: 'A', quantity: 1, unit_price: 5 }] }), archived)).toMatchObject({
      code: 'product_archived',
      errors: [{ field: 'lines.0.sku' }],
    });
  });

  test('refuses a currency the catalogue has no price in, unless the price is sent', () => {
    expect(price(wish({ currency: 'USD' }), shop)).toMatchObject({ code: 'no_price', errors: [{ field: 'lines.0.sku' }] });
    expect(price(wish({ currency: 'USD', lines: [{ sku: 'A', quantity: 1, unit_price: 7 }] }), shop)).toMatchObject({ total: 7 });
  });

  test('refuses totals below 0 and beyond the largest amount', () => {
    expect(price(wish({ charges: [{ code: 'x', amount: -2_251 }] }), shop)).toMatchObject({ code: 'amount_out_of_range' });
    expect(price(wish({ lines: [{ sku: 'A', quantity: 2, unit_price: AMOUNT_MAX }] }), shop)).toMatchObject({
      code: 'amount_out_of_range',
      errors: [{ field: 'lines.0' }],
    });
    const two = [1, 2].map(() => ({ sku: 'A', quantity: 1, unit_price: AMOUNT_MAX }));
    expect(price(wish({ lines: two }), shop)).toMatchObject({ code: 'amount_out_of_range', errors: [{ field: '' }] });
  });

  test('a payment needs a token: its own, else the provider’s default', () => {
    const bare = wish({ payment: undefined });
    expect(price(bare, shop)).toMatchObject({ code: 'payment_token_required', errors: [{ field: 'payment.token' }] });
    expect(price(bare, { ...shop, defaultToken: 'tok_ok' })).toMatchObject({ payment_token: 'tok_ok' });
    expect(price({ ...bare, policy: 'reserve_only' }, shop)).toMatchObject({ payment_token: null });
    expect(price({ ...bare, charges: [{ code: 'gift', amount: -2_250 }] }, shop)).toMatchObject({ total: 0, payment_token: null });
    expect(price(wish({ policy: 'reserve_only' }), shop)).toMatchObject({ payment_token: null }); // not kept where it is of no use
  });

  test('refuses an unknown policy and names the known ones', () => {
    expect(price(wish({ policy: 'toString' }), shop)).toMatchObject({ code: 'unknown_policy', message: expect.stringContaining('prepaid') });
  });
});

test('a placed order says so with its lines and prices, and writes down the client’s operation', () => {
  const { order, says, entry } = placed();
  expect(says[0]).toEqual({
    type: 'order.placed',
    sequence: 1,
    data: {
      order_id: order.id,
      number: 'ORD-2026-000001',
      customer: { id: 'cus_1', name: 'Ada' },
      currency: 'EUR',
      total: 2_250,
      policy: 'default',
      lines: [
        { line_id: 'lin_2', sku: 'A', quantity: 2, unit_price: 1_000 },
        { line_id: 'lin_3', sku: 'B', quantity: 1, unit_price: 250 },
      ],
    },
  });
  expect(entry).toMatchObject({ seq: 1, type: 'order.placed', status: 'pending' });
  expect(JSON.stringify([says, entry])).not.toContain('tok_secret');
});

test('numbers have six digits, or more', () => {
  expect([orderNumber(2026, 7), orderNumber(2026, 12_345_678)]).toEqual(['ORD-2026-000007', 'ORD-2026-12345678']);
});

test('policies that cannot work are found', () => {
  expect(faultsOfPolicies(POLICIES)).toEqual([]);
  expect(faultsOfPolicies({ default: ['shipping', 'stock'] })).toEqual(['policy "default" ships before its last stop']);
  expect(faultsOfPolicies({ a: ['stock', 'stock'], b: ['payment'] })).toEqual([
    'policy "a" makes a stop twice',
    'policy "b" has no stop "stock": nothing would be promised',
    'policy "b" takes a payment and never ships: nothing would be captured',
    'there is no policy "default"',
  ]);
});
