/** `waybill what-if`: what another way of allocating would have done with the orders of a while. */
import type { AllocationComparison, AllocationFigures } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, count, good, moment, plural, table, warning } from './print.ts';
import { EXIT, type ExitCode } from './problems.ts';

export interface WhatIfOptions {
  readonly from?: string;
  readonly to?: string;
  readonly strategy?: string;
  readonly split?: boolean;
  readonly backorder?: boolean;
  readonly withoutWarehouse?: readonly string[];
  readonly costPerParcel?: number;
  readonly costPerKm?: number;
  /** At most so many of the orders that differ; the server names no more than it wants to. */
  readonly limit: number;
}

const ROWS: readonly (readonly [label: string, of: (figures: AllocationFigures) => number | null])[] = [
  ['orders', (figures) => figures.orders],
  ['parcels', (figures) => figures.parcels],
  ['orders in several parcels', (figures) => figures.split_orders],
  ['orders not held whole', (figures) => figures.unfilled_orders],
  ['pieces not held', (figures) => figures.unfilled_pieces],
  ['km to the customers', (figures) => figures.distance_km],
  ['parcels of unknown distance', (figures) => figures.parcels_of_unknown_distance],
  ['cost, minor units', (figures) => figures.cost],
];

const change = (was: number, wouldBe: number): string => (was === wouldBe ? '' : `${wouldBe > was ? '+' : ''}${count(wouldBe - was)}`);

/** Both sides of each figure; one that nobody gave a price for is left out. */
const figuresText = ({ was, would_be: wouldBe }: AllocationComparison): string =>
  table(
    ['', 'was', 'would be', 'change'],
    ROWS.flatMap(([label, of]) => {
      const [before, after] = [of(was), of(wouldBe)];
      return before === null || after === null ? [] : [[label, count(before), count(after), change(before, after)]];
    }),
  );

const placesOf = (warehouses: readonly string[], unfilled: number): string =>
  [...warehouses, ...(unfilled === 0 ? [] : [`${plural(unfilled, 'piece')} not held`])].join(', ');

function differencesText({ different_orders: different, differences }: AllocationComparison, limit: number): string {
  if (different === 0) return good('No order would have come from elsewhere.');
  const shown = differences.slice(0, limit);
  const rows = shown.map((one) => [one.order_id, placesOf(one.was, one.unfilled_was), placesOf(one.would_be, one.unfilled_would_be)]);
  const told = shown.length < different ? `, ${count(shown.length)} of them:` : ':';
  return `${plural(different, 'order')} would have come from elsewhere${told}\n${table(['order', 'was', 'would be'], rows)}`;
}

export function comparisonText(comparison: AllocationComparison, limit: number): string {
  const { from, to, missing_pieces: missing } = comparison;
  const parts = [`${moment(from)} to ${moment(to)}`, figuresText(comparison), differencesText(comparison, limit)];
  if (missing > 0) parts.push(warning(`${plural(missing, 'piece')} taken by hand in that while would not have been there.`));
  return parts.join('\n\n');
}

export async function whatIf(client: Client, output: Output, options: WhatIfOptions): Promise<ExitCode> {
  const { from, to, strategy, split, backorder, withoutWarehouse, costPerParcel, costPerKm, limit } = options;
  const comparison = await client.get<AllocationComparison>('/v1/what-if/allocation', {
    from,
    to,
    strategy,
    split,
    backorder,
    without_warehouse: withoutWarehouse?.join(','),
    cost_per_parcel: costPerParcel,
    cost_per_km: costPerKm,
  });
  output.answer(comparison, () => comparisonText(comparison, limit));
  return EXIT.ok;
}
