import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, type OrderLine, type Plan, type Strategy, allocate, totalsOf } from './domain-allocation.ts';

const warehouse = (warehouse_id: string, free: Record<string, number>, given: Partial<Candidate> = {}): Candidate => ({
  warehouse_id,
  priority: 100,
  distance: null,
  free: new Map(Object.entries(free)),
  ...given,
});
const wants = (...lines: [sku: string, quantity: number][]): OrderLine[] =>
  lines.map(([sku, quantity], i) => ({ line_id: `lin_${i}`, sku, quantity }));
/** `whs_1: 10 A, 3 B` */
const inWords = ({ parts, missing }: Plan): string[] => [
  ...parts.map(({ warehouse_id, lines }) => `${warehouse_id}: ${lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join(', ')}`),
  ...(missing.length === 0 ? [] : [`missing: ${missing.map(({ sku, quantity }) => `${quantity} ${sku}`).join(', ')}`]),
];

describe('without splitting', () => {
  it('takes the first that has everything', () => {
    const candidates = [warehouse('whs_1', { A: 9 }), warehouse('whs_3', { A: 2, B: 1 }), warehouse('whs_2', { A: 2, B: 1 }, { priority: 200 })];
    const plan = allocate(wants(['A', 2], ['B', 1]), candidates, {});
    expect(inWords(plan)).toEqual(['whs_3: 2 A, 1 B']);
    expect(plan.rejected).toEqual([
      { warehouse_id: 'whs_1', why: 'has 0 of 1 B' },
      { warehouse_id: 'whs_2', why: 'is asked later: priority 200, not 100' },
    ]);
  });

  it('takes the one that has the most when none has everything', () => {
    const candidates = [warehouse('whs_1', { A: 1 }), warehouse('whs_2', { A: 1, B: 2 }), warehouse('whs_3', { A: 1, B: 2 })];
    expect(inWords(allocate(wants(['A', 2], ['B', 2]), candidates, {}))).toEqual(['whs_2: 1 A, 2 B', 'missing: 1 A']);
    expect(inWords(allocate(wants(['A', 2]), [], {}))).toEqual(['missing: 2 A']);
  });

  it('takes the nearest, and the unknown last', () => {
    const candidates = [
      warehouse('whs_1', { A: 9 }, { distance: null, priority: 1 }),
      warehouse('whs_2', { A: 9 }, { distance: 320 }),
      warehouse('whs_3', { A: 9 }, { distance: 40 }),
      warehouse('whs_4', { A: 1 }, { distance: 5 }),
    ];
    const plan = allocate(wants(['A', 2]), candidates, { strategy: 'nearest' });
    expect(inWords(plan)).toEqual(['whs_3: 2 A']);
    expect(plan.rejected.map(({ why }) => why)).toEqual(['has 1 of 2 A', 'is 320 km away, not 40', 'lies nobody knows how far away']);
  });

  it('adds up lines of one sku', () => {
    const candidates = [warehouse('whs_1', { A: 3 }), warehouse('whs_2', { A: 4 })];
    expect(inWords(allocate(wants(['A', 2], ['A', 2]), candidates, {}))).toEqual(['whs_2: 2 A, 2 A']);
  });
});

describe('with splitting', () => {
  const ten = warehouse('whs_1', { A: 10 });
  const fifteen = warehouse('whs_2', { A: 15 });

  it('empties the first before it asks the next, by priority', () => {
    expect(inWords(allocate(wants(['A', 13]), [fifteen, ten], { split: true }))).toEqual(['whs_1: 10 A', 'whs_2: 3 A']);
  });

  it('takes one parcel where one will do, for the fewest', () => {
    const plan = allocate(wants(['A', 13]), [ten, fifteen], { strategy: 'fewest_parcels', split: true });
    expect(inWords(plan)).toEqual(['whs_2: 13 A']);
    expect(inWords(allocate(wants(['A', 25]), [ten, fifteen], { strategy: 'fewest_parcels', split: true }))).toEqual(['whs_1: 10 A', 'whs_2: 15 A']);
  });

  it('finds two where the greedy would take three', () => {
    const candidates = [warehouse('whs_1', { A: 2, B: 2 }), warehouse('whs_2', { A: 3, C: 1 }), warehouse('whs_3', { B: 3, C: 1 })];
    const plan = allocate(wants(['A', 3], ['B', 3], ['C', 1]), candidates, { strategy: 'fewest_parcels', split: true });
    expect(inWords(plan)).toEqual(['whs_2: 3 A, 1 C', 'whs_3: 3 B']);
    expect(plan.rejected).toEqual([{ warehouse_id: 'whs_1', why: 'is not among the 2 that have everything' }]);
  });

  it('asks the nearest first', () => {
    const candidates = [warehouse('whs_1', { A: 2 }, { distance: 90 }), warehouse('whs_2', { A: 2 }, { distance: 9 })];
    expect(inWords(allocate(wants(['A', 3]), candidates, { strategy: 'nearest', split: true }))).toEqual(['whs_2: 2 A', 'whs_1: 1 A']);
  });

  it('asks first who sends something anyway', () => {
    const candidates = [ten, { ...fifteen, involved: true }];
    expect(inWords(allocate(wants(['A', 3]), candidates, { split: true }))).toEqual(['whs_2: 3 A']);
  });

  it('says what is nowhere', () => {
    const plan = allocate(wants(['A', 30], ['B', 1]), [ten, fifteen], { strategy: 'fewest_parcels', split: true });
    expect(inWords(plan)).toEqual(['whs_1: 10 A', 'whs_2: 15 A', 'missing: 5 A, 1 B']);
  });

  it('gives up looking for the smallest set among very many warehouses, and still finds one', () => {
    const many = Array.from({ length: 40 }, (_, i) => warehouse(`whs_${String(i).padStart(2, '0')}`, { A: 1 }));
    expect(allocate(wants(['A', 30]), many, { strategy: 'fewest_parcels', split: true }).parts).toHaveLength(30);
  });
});

describe('whatever there is', () => {
  const skus = ['A', 'B', 'C'] as const;
  const candidates = fc
    .array(fc.record({ free: fc.dictionary(fc.constantFrom(...skus), fc.integer({ min: -2, max: 6 })), distance: fc.option(fc.nat(900)) }), {
      maxLength: 6,
    })
    .map((given) => given.map(({ free, distance }, i) => warehouse(`whs_${i}`, free, { distance, priority: (i * 7) % 3 })));
  const lines = fc
    .array(fc.tuple(fc.constantFrom(...skus), fc.integer({ min: 1, max: 8 })), { minLength: 1, maxLength: 4 })
    .map((given) => wants(...given));
  const strategy = fc.constantFrom<Strategy>('priority', 'nearest', 'fewest_parcels');

  it('plans every piece once, and none that is not there', () => {
    fc.assert(
      fc.property(lines, candidates, strategy, fc.boolean(), (wanted, there, chosen, split) => {
        const plan = allocate(wanted, there, { strategy: chosen, split });
        const planned = [...plan.parts.flatMap((part) => part.lines), ...plan.missing];
        for (const { line_id, quantity } of wanted)
          expect(planned.filter((line) => line.line_id === line_id).reduce((sum, line) => sum + line.quantity, 0)).toBe(quantity);
        for (const { warehouse_id, lines: given } of plan.parts) {
          const { free } = there.find((one) => one.warehouse_id === warehouse_id)!;
          for (const [sku, pieces] of totalsOf(given)) expect(free.get(sku)).toBeGreaterThanOrEqual(pieces);
        }
        if (!split) expect(plan.parts.length).toBeLessThanOrEqual(1);
        expect(plan.parts.length + plan.rejected.length).toBe(there.length);
      }),
    );
  });

  it('misses nothing that is there, when it may split', () => {
    fc.assert(
      fc.property(lines, candidates, strategy, (wanted, there, chosen) => {
        const missing = totalsOf(allocate(wanted, there, { strategy: chosen, split: true }).missing);
        for (const [sku, quantity] of totalsOf(wanted)) {
          const all = there.reduce((sum, { free }) => sum + Math.max(0, free.get(sku) ?? 0), 0);
          expect(missing.get(sku) ?? 0).toBe(Math.max(0, quantity - all));
        }
      }),
    );
  });

  it('has no more parcels by fewest than by any other strategy', () => {
    fc.assert(
      fc.property(lines, candidates, (wanted, there) => {
        const [fewest, priority, nearest] = (['fewest_parcels', 'priority', 'nearest'] as const).map((one) =>
          allocate(wanted, there, { strategy: one, split: true }),
        );
        if (fewest!.missing.length > 0) return;
        expect(fewest!.parts.length).toBeLessThanOrEqual(Math.min(priority!.parts.length, nearest!.parts.length));
      }),
    );
  });
});
