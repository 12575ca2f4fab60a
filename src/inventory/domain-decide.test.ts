import { expect, it } from 'vitest';
import { stockOf } from './domain.ts';
import { claimsOf } from './domain-claims.ts';
import { type StockCommand, decideAll } from './domain-decide.ts';
import { type Desk, NEEDS_LINE } from './domain-parted.ts';
import type { Reservation, StockAnswer } from './domain-reservations.ts';

const ORDER = 'ord_1';
const LINES = [{ line_id: 'lin_1', sku: 'A', quantity: 2 }];
const LEVEL = { sku: 'A', warehouse_id: 'whs_1', priority: 1, available: 1, reserved: 2, unavailable: 0, safety_stock: 0, low_at: null };

const openDesk = (): Desk => ({
  stock: stockOf([LEVEL]),
  claims: claimsOf([{ order_id: ORDER, line_id: 'lin_1', sku: 'A', warehouse_id: 'whs_1', held: 2, gone: 0 }], []),
  now: 1_000,
  places: new Map(),
  room: undefined,
  departures: { before: new Set(), now: [] },
  returns: { before: [], now: [] },
  filled: new Map(),
});
const reservation = (status: Reservation['status'], released_at: number | null = null): Reservation => ({
  order_id: ORDER,
  status,
  warehouse_id: status === 'rejected' ? null : 'whs_1',
  released_at,
  lines: LINES,
});
const command = (type: 'stock.reserve' | 'stock.release' | 'stock.commit', again: boolean): StockCommand =>
  ({ type, data: { order_id: ORDER, lines: LINES, reason: 'customer', shipment_id: 'shp_1', ...(again && { again }) } }) as unknown as StockCommand;

/** What is answered to a command; nothing may have been moved or changed. */
function answersTo(known: Reservation, one: StockCommand): readonly StockAnswer[] {
  const desk = openDesk();
  const decided = decideAll([one], new Map([[ORDER, known]]), desk);
  if (decided === NEEDS_LINE) throw new Error('nobody waits here');
  expect(desk.stock.moves).toEqual([]);
  for (const after of decided.reservations.values()) expect(after).toBe(known);
  return decided.answers.map(({ type, data }) => ({ type, data }) as StockAnswer);
}

const DONE: readonly (readonly ['stock.reserve' | 'stock.release' | 'stock.commit', Reservation, object])[] = [
  ['stock.reserve', reservation('held'), { type: 'stock.reserved', data: { order_id: ORDER, warehouse_id: 'whs_1', lines: LINES } }],
  [
    'stock.reserve',
    reservation('parted'),
    { type: 'stock.reserved', data: { warehouse_id: 'whs_1', lines: LINES, parts: [{ warehouse_id: 'whs_1', lines: LINES }] } },
  ],
  ['stock.reserve', reservation('rejected'), { type: 'stock.rejected', data: { order_id: ORDER, reason: 'out_of_stock' } }],
  ['stock.release', reservation('released', 5), { type: 'stock.released', data: { order_id: ORDER } }],
  ['stock.release', reservation('rejected', 5), { type: 'stock.released', data: { order_id: ORDER } }],
  ['stock.commit', reservation('committed'), { type: 'stock.committed', data: { order_id: ORDER } }],
];

it.each(DONE)('%s that is done: a duplicate says nothing, who asks again is answered', (type, known, answer) => {
  expect(answersTo(known, command(type, false))).toEqual([]);
  expect(answersTo(known, command(type, true))).toMatchObject([answer]);
});

it('does not answer again what was overtaken', () => {
  expect(answersTo(reservation('released', 5), command('stock.reserve', true))).toEqual([]);
  expect(answersTo(reservation('committed'), command('stock.reserve', true))).toEqual([]);
});
