import { describe, expect, it } from 'vitest';
import { type Level, onHand, stockOf } from './domain.ts';
import { type StockDocument, adjust, count, countedLines, receive, setAside } from './domain-hand.ts';

const level = (sku: string, given: Partial<Level> = {}): Level => ({
  sku,
  warehouse_id: 'whs_1',
  priority: 100,
  available: 0,
  reserved: 0,
  unavailable: 0,
  safety_stock: 0,
  low_at: null,
  ...given,
});
const document = (kind: StockDocument['kind']): StockDocument => ({ id: 'doc_1', kind, warehouse_id: 'whs_1', reason: 'because' });

describe('stock moved by hand', () => {
  it('arrives from the supplier, line by line', () => {
    const stock = stockOf([level('A', { available: 1, reserved: 2 })]);
    const moved = receive(
      document('receipt'),
      [
        { sku: 'A', quantity: 4 },
        { sku: 'A', quantity: 1 },
      ],
      stock,
    );
    expect(moved).toEqual([
      { sku: 'A', quantity: 4, on_hand: 7, reserved: 2, available: 5, unavailable: 0 },
      { sku: 'A', quantity: 1, on_hand: 8, reserved: 2, available: 6, unavailable: 0 },
    ]);
    expect(stock.moves[0]).toEqual({
      sku: 'A',
      warehouse_id: 'whs_1',
      from: 'outside:supplier',
      to: 'available',
      quantity: 4,
      reason: 'because',
      ref_type: 'receipt',
      ref_id: 'doc_1',
    });
  });

  it('is adjusted up from what was found and down to the shrinkage, in the account asked for', () => {
    const stock = stockOf([level('A', { available: 5 })]);
    adjust(
      document('adjustment'),
      [
        { sku: 'A', quantity: -2 },
        { sku: 'A', quantity: 2, account: 'unavailable' },
      ],
      stock,
    );
    expect(stock.moves.map(({ from, to }) => `${from}>${to}`)).toEqual(['available>outside:shrink', 'outside:found>unavailable']);
    expect(stock.cell('A', 'whs_1')!.now).toEqual({ available: 3, reserved: 0, unavailable: 2 });
  });

  it('is never adjusted below what is available; the line that does so is named', () => {
    const stock = stockOf([level('A', { available: 5, reserved: 9 })]);
    const lines = [
      { sku: 'A', quantity: -5 },
      { sku: 'A', quantity: -1 },
    ];
    expect(() => adjust(document('adjustment'), lines, stock)).toThrow(
      expect.objectContaining({ code: 'stock_insufficient', errors: [expect.objectContaining({ field: 'lines.1.quantity' })] }),
    );
  });

  it('is counted: the difference is one of available, as far as there is any', () => {
    const stock = stockOf([level('A', { available: 5, reserved: 2, unavailable: 1 }), level('B', { available: 1, reserved: 4 })]);
    const lines = [
      { sku: 'A', counted: 6, expected_on_hand: 8 },
      { sku: 'B', counted: 2 },
    ];
    expect(count(document('count'), lines, stock)).toEqual([{ sku: 'B', pieces: 2 }]);
    expect(countedLines(document('count'), lines, stock)[0]).toEqual({
      sku: 'A',
      quantity: -2,
      on_hand: 6,
      reserved: 2,
      available: 3,
      unavailable: 1,
    });
    expect(onHand(stock.cell('A', 'whs_1')!.now)).toBe(6);
    expect(stock.cell('B', 'whs_1')!.now).toEqual({ available: 0, reserved: 4, unavailable: 0 });
  });

  it('makes no posting when a count finds what is there', () => {
    const stock = stockOf([level('A', { available: 5 })]);
    expect(count(document('count'), [{ sku: 'A', counted: 5 }], stock)).toEqual([]);
    expect(stock.moves).toEqual([]);
  });

  it('refuses a count that began before goods moved', () => {
    const stock = stockOf([level('A', { available: 4, reserved: 3 })]);
    expect(() => count(document('count'), [{ sku: 'A', counted: 7, expected_on_hand: 6 }], stock)).toThrow(
      expect.objectContaining({ code: 'stock_changed', errors: [expect.objectContaining({ field: 'lines.0.expected_on_hand' })] }),
    );
  });

  it('is set aside, put back and thrown away, never more than there is', () => {
    const stock = stockOf([level('A', { available: 5 })]);
    const moved = setAside(
      document('move'),
      [
        { sku: 'A', quantity: 4, to: 'unavailable' },
        { sku: 'A', quantity: 1, to: 'available' },
        { sku: 'A', quantity: 2, to: 'scrap' },
      ],
      stock,
    );
    expect(moved.map(({ quantity, on_hand, available, unavailable }) => [quantity, on_hand, available, unavailable])).toEqual([
      [0, 5, 1, 4],
      [0, 5, 2, 3],
      [-2, 3, 2, 1],
    ]);
    expect(() => setAside(document('move'), [{ sku: 'A', quantity: 2, to: 'scrap' }], stock)).toThrow(
      expect.objectContaining({ code: 'stock_insufficient', errors: [expect.objectContaining({ field: 'lines.0.quantity' })] }),
    );
  });
});
