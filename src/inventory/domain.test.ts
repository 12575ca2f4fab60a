import { describe, expect, it } from 'vitest';
import { type Level, stockOf } from './domain.ts';

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

describe('stock in memory', () => {
  it('asks warehouses by priority, then by age', () => {
    const at = (warehouse_id: string, priority: number) => level('A', { warehouse_id, priority });
    const stock = stockOf([at('whs_1', 5), at('whs_2', 1), at('whs_0', 5)]);
    expect(stock.cellsOf('A').map(({ found }) => found.warehouse_id)).toEqual(['whs_2', 'whs_0', 'whs_1']);
    expect(stock.cellsOf('B')).toEqual([]);
  });

  it('writes many moves as one change and moves that cancel out as none', () => {
    const stock = stockOf([level('A', { available: 3 }), level('B', { available: 3 })]);
    const move = (sku: string, from: 'available' | 'reserved', to: 'available' | 'reserved', quantity: number) =>
      stock.move({ sku, warehouse_id: 'whs_1', from, to, quantity, reason: 'r', ref_type: 'order', ref_id: 'o' });
    expect([move('A', 'available', 'reserved', 2), move('A', 'available', 'reserved', 2)]).toEqual([true, false]);
    move('A', 'available', 'reserved', 1);
    move('B', 'available', 'reserved', 1);
    move('B', 'reserved', 'available', 1);
    expect(stock.changes()).toEqual([{ sku: 'A', warehouse_id: 'whs_1', available: -3, reserved: 3, unavailable: 0 }]);
    expect(stock.moves).toHaveLength(4);
  });

  it('takes a level that was not loaded for what it is: a bug', () => {
    expect(() =>
      stockOf([]).move({
        sku: 'A',
        warehouse_id: 'whs_1',
        from: 'outside:supplier',
        to: 'available',
        quantity: 1,
        reason: 'r',
        ref_type: 'x',
        ref_id: 'y',
      }),
    ).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});

describe('crossings', () => {
  const after = (given: Partial<Level>, ...changes: number[]): string[] => {
    const stock = stockOf([level('A', given)]);
    for (const change of changes) {
      const way =
        change > 0 ? { from: 'outside:found' as const, to: 'available' as const } : { from: 'available' as const, to: 'outside:shrink' as const };
      stock.move({ sku: 'A', warehouse_id: 'whs_1', ...way, quantity: Math.abs(change), reason: 'r', ref_type: 'x', ref_id: 'y' });
    }
    return stock.crossings().map(({ type, data }) => `${type} ${data.available}/${data.threshold}`);
  };

  it.each([
    ['out at nothing', { available: 2 }, [-2], ['stock.out 0/0']],
    ['out at the safety stock, although there is some', { available: 9, safety_stock: 3 }, [-6], ['stock.out 3/3']],
    ['not out twice', { available: 2, safety_stock: 3 }, [-1], []],
    ['low when it falls to the mark', { available: 6, low_at: 5 }, [-1], ['stock.low 5/5']],
    ['not low while it stays low', { available: 5, low_at: 5 }, [-1], []],
    ['low and out at once', { available: 6, low_at: 5 }, [-6], ['stock.low 0/5', 'stock.out 0/0']],
    ['back when some may be promised again', { available: 3, safety_stock: 3 }, [1], ['stock.back 4/3']],
    ['nothing when it goes down and up again', { available: 3 }, [-3, 1], []],
    ['nothing when it goes up and down again', { available: 0 }, [3, -3], []],
    ['not back when it never was there', { begun: true }, [5], []],
  ] satisfies [string, Partial<Level>, number[], string[]][])('%s', (_, given, changes, said) => {
    expect(after(given, ...changes)).toEqual(said);
  });
});

it('sees what is under way as beyond the level', () => {
  const stock = stockOf([level('A', { reserved: 2 }), level('A', { warehouse_id: 'whs_2' })]);
  const move = { sku: 'A', quantity: 2, reason: 'r', ref_type: 'transfer', ref_id: 'trf_1' };
  expect(stock.move({ ...move, warehouse_id: 'whs_1', from: 'reserved', to: 'transit:trf_1' })).toBe(true);
  expect(stock.move({ ...move, warehouse_id: 'whs_2', from: 'transit:trf_1', to: 'available' })).toBe(true);
  expect(stock.changes().map(({ warehouse_id, available, reserved }) => [warehouse_id, available, reserved])).toEqual([
    ['whs_1', 0, -2],
    ['whs_2', 2, 0],
  ]);
  expect(stock.moves.map(({ from, to }) => `${from}>${to}`)).toEqual(['reserved>transit:trf_1', 'transit:trf_1>available']);
});
