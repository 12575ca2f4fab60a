import { describe, expect, it } from 'vitest';
import type { Level } from './domain.ts';
import type { Asked } from './domain-allocation.ts';
import { type Comparison, type Happening, type Otherwise, openWhatIf } from './domain-what-if.ts';

const level = (sku: string, warehouse_id: string, available: number, given: Partial<Level> = {}): Level => ({
  sku,
  warehouse_id,
  priority: 100,
  available,
  reserved: 0,
  unavailable: 0,
  safety_stock: 0,
  low_at: null,
  ...given,
});
const asked = (order_id: string, pieces: Record<string, number>, wish: Asked = {}): Happening => ({
  what: 'asked',
  order_id,
  lines: Object.entries(pieces).map(([sku, quantity]) => ({ line_id: sku, sku, quantity })),
  asked: wish,
  at: 1,
});
const held = (order_id: string, warehouse_id: string, quantity: number, sku = 'A'): Happening => ({
  what: 'held',
  order_id,
  sku,
  warehouse_id,
  quantity,
});
const gaveBack = (order_id: string, quantity: number, all = true): Happening => ({ what: 'gave back', order_id, sku: 'A', quantity, all });
const moved = (warehouse_id: string, change: number): Happening => ({ what: 'moved', sku: 'A', warehouse_id, change });
const places = new Map([
  ['whs_1', { country: 'DE', postal_code: '80331' }],
  ['whs_2', { country: 'DE', postal_code: '20095' }],
]);
const run = (levels: Level[], happenings: Happening[], otherwise: Partial<Otherwise> = {}): Comparison => {
  const whatIf = openWhatIf(levels, places, { without: new Set(), ...otherwise });
  whatIf.take(happenings);
  return whatIf.result();
};
const stock = () => [level('A', 'whs_1', 3), level('A', 'whs_2', 5)];

describe('what if', () => {
  it('nothing were otherwise: it is as it was', () => {
    const happenings = [
      asked('ord_1', { A: 2 }),
      held('ord_1', 'whs_1', 2),
      asked('ord_2', { A: 2 }),
      held('ord_2', 'whs_2', 2),
      asked('ord_3', { A: 9 }),
    ];
    const { was, would_be, different_orders } = run(stock(), happenings);
    expect(was).toEqual({
      orders: 3,
      parcels: 2,
      split_orders: 0,
      unfilled_orders: 1,
      unfilled_pieces: 9,
      distance_km: 0,
      parcels_of_unknown_distance: 2,
      cost: null,
    });
    expect([would_be, different_orders]).toEqual([was, 0]);
  });

  it('orders went by distance, and each kilometre and parcel had its price', () => {
    const ship_to = { country: 'DE', postal_code: '20095' };
    const happenings = [asked('ord_1', { A: 2 }, { ship_to }), held('ord_1', 'whs_1', 2)];
    const { was, would_be, differences } = run(stock(), happenings, { strategy: 'nearest', cost_per_parcel: 500, cost_per_km: 2 });
    expect([was.distance_km, was.cost, would_be.distance_km, would_be.cost]).toEqual([800, 2_100, 10, 520]);
    expect(differences).toEqual([{ order_id: 'ord_1', was: ['whs_1'], would_be: ['whs_2'], unfilled_was: 0, unfilled_would_be: 0 }]);
  });

  it('orders could be split', () => {
    const { was, would_be } = run(stock(), [asked('ord_1', { A: 8 })], { split: true });
    expect([was.parcels, was.unfilled_pieces]).toEqual([0, 8]);
    expect([would_be.parcels, would_be.split_orders, would_be.unfilled_pieces]).toEqual([2, 1, 0]);
  });

  it('a warehouse were closed', () => {
    const happenings = [asked('ord_1', { A: 3 }), held('ord_1', 'whs_1', 3), asked('ord_2', { A: 3 }), held('ord_2', 'whs_2', 3), moved('whs_1', 9)];
    const { was, would_be } = run(stock(), happenings, { without: new Set(['whs_1']) });
    expect([was.unfilled_orders, would_be.unfilled_orders]).toEqual([0, 1]);
  });

  it('orders could wait: they are served by what came later, in their order', () => {
    const happenings = [asked('ord_1', { A: 9 }), asked('ord_2', { A: 1 }), moved('whs_2', 1), moved('whs_1', 2)];
    const { would_be, differences } = run([level('A', 'whs_2', 0), level('A', 'whs_1', 0)], happenings, { split: true, backorder: true });
    expect(would_be).toMatchObject({ unfilled_orders: 2, unfilled_pieces: 7, parcels: 2 });
    expect(differences).toMatchObject([{ order_id: 'ord_1', would_be: ['whs_2', 'whs_1'], unfilled_would_be: 6 }]);
  });

  it('what was given back is there for the next, wherever it would have been held', () => {
    const happenings = [
      asked('ord_1', { A: 5 }),
      held('ord_1', 'whs_2', 5),
      gaveBack('ord_1', 5),
      asked('ord_2', { A: 5 }),
      held('ord_2', 'whs_2', 5),
    ];
    expect(run(stock(), happenings).would_be.unfilled_orders).toBe(0);
    const part = [
      asked('ord_1', { A: 5 }),
      held('ord_1', 'whs_2', 5),
      gaveBack('ord_1', 2, false),
      asked('ord_2', { A: 3 }),
      asked('ord_3', { A: 2 }),
    ];
    expect(run(stock(), part).would_be.unfilled_pieces).toBe(0);
  });

  it('what was taken by hand and would not be there is told', () => {
    const happenings = [asked('ord_1', { A: 5 }), held('ord_1', 'whs_2', 5), moved('whs_1', -3)];
    expect(run(stock(), happenings, { without: new Set(['whs_2']), split: true, backorder: true }).missing_pieces).toBe(3);
  });
});
