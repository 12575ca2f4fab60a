/**
 * What became of the lines of a file, added up: the importer's side of the reconciliation.
 */
import { PENNY } from './lines.ts';
import type { ExceptionLine, ExceptionReason, InvoicePlan, Remainder } from './mapping.ts';

export interface FateTally {
  lines: number;
  units: number;
  /** In 10^-6 pounds. */
  value: bigint;
}
export type TalliedFate = 'order_line' | 'order_charge' | 'write_off' | ExceptionReason;

export interface Tally {
  add(plan: InvoicePlan): void;
  readonly fates: ReadonlyMap<TalliedFate, FateTally>;
  readonly exceptions: readonly ExceptionLine[];
  readonly remainders: readonly Remainder[];
  /** Pieces ordered, by sku. */
  readonly ordered: ReadonlyMap<string, number>;
  /** The totals of all orders, in pennies. */
  ordersTotal(): number;
}

export function startTally(): Tally {
  const fates = new Map<TalliedFate, FateTally>();
  const exceptions: ExceptionLine[] = [];
  const remainders: Remainder[] = [];
  const ordered = new Map<string, number>();
  let total = 0;

  function count(fate: TalliedFate, units: number, value: bigint): void {
    const tally = fates.get(fate) ?? { lines: 0, units: 0, value: 0n };
    fates.set(fate, { lines: tally.lines + 1, units: tally.units + units, value: tally.value + value });
  }

  return {
    fates,
    exceptions,
    remainders,
    ordered,
    ordersTotal: () => total,
    add({ order, write_offs: writeOffs, exceptions: failed, remainders: rest }) {
      for (const { sku, quantity, unit_price } of order?.lines ?? []) {
        count('order_line', quantity, BigInt(quantity * unit_price) * PENNY);
        ordered.set(sku, (ordered.get(sku) ?? 0) + quantity);
      }
      for (const { quantity, amount } of order?.charges ?? []) count('order_charge', quantity, BigInt(amount) * PENNY);
      for (const { quantity } of writeOffs) count('write_off', -quantity, 0n);
      for (const { reason, quantity, value } of failed) count(reason, quantity, value);
      exceptions.push(...failed);
      remainders.push(...rest);
      total += order?.total ?? 0;
    },
  };
}
