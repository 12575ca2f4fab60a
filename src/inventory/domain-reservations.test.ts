import { describe, expect, it } from 'vitest';
import { type Level, stockOf } from './domain.ts';
import { type Reservation, commit, release, reserve } from './domain-reservations.ts';

const NOW = 1_767_225_600_000;
const levels = (...rows: [sku: string, warehouse: string, available: number, reserved?: number][]): Level[] =>
  rows.map(([sku, warehouse_id, available, reserved = 0]) => ({
    sku,
    warehouse_id,
    priority: 100,
    available,
    reserved,
    unavailable: 0,
    safety_stock: 0,
    low_at: null,
  }));
const wants = (...lines: [sku: string, quantity: number][]) => ({
  order_id: 'ord_1',
  lines: lines.map(([sku, quantity], i) => ({ line_id: `lin_${i}`, sku, quantity })),
});
const order = { order_id: 'ord_1', reason: 'customer' };
const shipped = { order_id: 'ord_1', shipment_id: 'shp_1' };
const held: Reservation = { order_id: 'ord_1', status: 'held', warehouse_id: 'whs_1', released_at: null, lines: wants(['A', 2]).lines };

describe('reserve', () => {
  it('holds all lines in the first warehouse that has them all', () => {
    const stock = stockOf(levels(['A', 'whs_1', 9], ['B', 'whs_1', 0], ['A', 'whs_2', 2], ['B', 'whs_2', 1]));
    const decision = reserve(undefined, wants(['A', 2], ['B', 1]), stock);
    expect(decision?.reservation).toMatchObject({ status: 'held', warehouse_id: 'whs_2' });
    expect(decision?.answer).toMatchObject({ type: 'stock.reserved', data: { warehouse_id: 'whs_2' } });
    expect(stock.changes().map(({ sku, warehouse_id, reserved }) => [sku, warehouse_id, reserved])).toEqual([
      ['A', 'whs_2', 2],
      ['B', 'whs_2', 1],
    ]);
  });

  it('promises nothing of the safety stock', () => {
    const stock = stockOf([{ ...levels(['A', 'whs_1', 5])[0]!, safety_stock: 3 }]);
    expect(reserve(undefined, wants(['A', 3]), stock)?.answer).toMatchObject({
      type: 'stock.rejected',
      data: { lines: [{ requested: 3, available: 2 }] },
    });
    expect(reserve(undefined, wants(['A', 2]), stock)?.answer?.type).toBe('stock.reserved');
  });

  it('adds up lines of one sku', () => {
    const stock = stockOf(levels(['A', 'whs_1', 3]));
    expect(reserve(undefined, wants(['A', 2], ['A', 2]), stock)?.answer).toEqual({
      type: 'stock.rejected',
      data: { order_id: 'ord_1', reason: 'out_of_stock', lines: [{ sku: 'A', requested: 4, available: 3 }] },
    });
    expect(stock.moves).toEqual([]);
  });

  it.each([
    ['names the skus that are short', wants(['A', 1], ['B', 5]), 'out_of_stock', [{ sku: 'B', requested: 5, available: 4 }]],
    ['knows nothing of an unknown sku', wants(['X', 1]), 'out_of_stock', [{ sku: 'X', requested: 1, available: 0 }]],
    [
      'does not take an order apart',
      wants(['A', 3], ['B', 4]),
      'no_single_warehouse',
      [
        { sku: 'A', requested: 3, available: 3 },
        { sku: 'B', requested: 4, available: 4 },
      ],
    ],
    ['refuses a quantity that is none', wants(['A', 0]), 'invalid_lines', [{ sku: 'A', requested: 0, available: 0 }]],
    ['refuses an order without lines', wants(), 'invalid_lines', []],
    [
      'refuses a line named twice',
      { order_id: 'ord_1', lines: [...wants(['A', 1]).lines, ...wants(['B', 1]).lines] },
      'invalid_lines',
      [
        { sku: 'A', requested: 1, available: 0 },
        { sku: 'B', requested: 1, available: 0 },
      ],
    ],
  ])('%s', (_, wanted, reason, lines) => {
    const stock = stockOf(levels(['A', 'whs_1', 3], ['B', 'whs_1', 1], ['A', 'whs_2', 1], ['B', 'whs_2', 4]));
    const decision = reserve(undefined, wanted, stock);
    const kept = reason === 'invalid_lines' ? [] : wanted.lines;
    expect(decision?.reservation).toMatchObject({ status: 'rejected', warehouse_id: null, lines: kept });
    expect(decision?.answer).toEqual({ type: 'stock.rejected', data: { order_id: 'ord_1', reason, lines } });
  });

  it.each(['held', 'rejected', 'released', 'committed'] as const)('is ignored when the order is %s', (status) => {
    const stock = stockOf(levels(['A', 'whs_1', 9]));
    expect(reserve({ ...held, status }, wants(['A', 1]), stock)).toBeUndefined();
    expect(stock.moves).toEqual([]);
  });
});

describe('release', () => {
  it('gives back what is held', () => {
    const stock = stockOf(levels(['A', 'whs_1', 0, 2]));
    expect(release(held, order, stock, NOW)).toEqual({
      reservation: { ...held, status: 'released', released_at: NOW },
      answer: { type: 'stock.released', data: { order_id: 'ord_1' } },
    });
    expect(stock.cell('A', 'whs_1')!.now).toEqual({ available: 2, reserved: 0, unavailable: 0 });
  });

  it('leaves a tombstone when it comes before the reserve', () => {
    const decision = release(undefined, order, stockOf([]), NOW);
    expect(decision).toMatchObject({ reservation: { status: 'released', lines: [] }, answer: { type: 'stock.released' } });
    expect(reserve(decision!.reservation, wants(['A', 1]), stockOf(levels(['A', 'whs_1', 9])))).toBeUndefined();
  });

  it.each(['rejected', 'committed'] as const)('is answered once, and moves nothing, when the order is %s', (status) => {
    const stock = stockOf(levels(['A', 'whs_1', 0, 2]));
    const decision = release({ ...held, status }, order, stock, NOW);
    expect(decision).toMatchObject({ reservation: { status, released_at: NOW }, answer: { type: 'stock.released' } });
    expect(release(decision!.reservation, order, stock, NOW + 1)).toBeUndefined();
    expect(stock.moves).toEqual([]);
  });

  it('does not give back what is not there', () => {
    expect(() => release(held, order, stockOf(levels(['A', 'whs_1', 0, 1])), NOW)).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});

describe('commit', () => {
  it('lets the goods leave, once', () => {
    const stock = stockOf(levels(['A', 'whs_1', 1, 2]));
    const decision = commit(held, shipped, stock);
    expect(decision).toEqual({ reservation: { ...held, status: 'committed' }, answer: { type: 'stock.committed', data: { order_id: 'ord_1' } } });
    expect(stock.moves).toEqual([expect.objectContaining({ from: 'reserved', to: 'outside:customer', quantity: 2 })]);
    expect(commit(decision!.reservation, shipped, stock)).toBeUndefined();
  });

  it.each([undefined, { ...held, status: 'released' as const }, { ...held, status: 'rejected' as const }])(
    'is a fault when nothing is held: %j',
    (known) => {
      expect(() => commit(known, shipped, stockOf([]))).toThrow(expect.objectContaining({ code: 'reservation_state' }));
    },
  );
});
