/**
 * What became of the lines of a file, added up: the importer's side of the reconciliation.
 */
import { PENNY } from './lines.ts';
import type { ExceptionLine, ExceptionReason, MatchedPlan, PlannedRefund, PlannedReturn, Remainder } from './mapping.ts';

export interface FateTally {
  lines: number;
  units: number;
  /** In 10^-6 pounds. */
  value: bigint;
}
export type TalliedFate = 'order_line' | 'order_charge' | 'write_off' | 'return' | 'refund' | ExceptionReason;

/** All that is given back of one order. */
export interface OrderBack {
  readonly returns: PlannedReturn[];
  readonly refunds: PlannedRefund[];
}

export interface Tally {
  add(plan: MatchedPlan): void;
  readonly fates: ReadonlyMap<TalliedFate, FateTally>;
  readonly exceptions: readonly ExceptionLine[];
  readonly remainders: readonly Remainder[];
  /** Pieces ordered, by sku. */
  readonly ordered: ReadonlyMap<string, number>;
  /** Pieces of those orders that are delivered, by sku. */
  readonly left: ReadonlyMap<string, number>;
  /** Pieces that come back, by sku. */
  readonly returned: ReadonlyMap<string, number>;
  /** By the `external_id` of the order. */
  readonly back: ReadonlyMap<string, OrderBack>;
  /** All that became of C invoices. */
  readonly cancelled: Readonly<FateTally>;
  /** The totals of all orders, in pennies. */
  ordersTotal(): number;
  /** All that is given back, in pennies. */
  backTotal(): number;
}

/** `leaves` says which orders are delivered. */
export function startTally(leaves: (externalId: string) => boolean): Tally {
  const fates = new Map<TalliedFate, FateTally>();
  const exceptions: ExceptionLine[] = [];
  const remainders: Remainder[] = [];
  const ordered = new Map<string, number>();
  const left = new Map<string, number>();
  const returned = new Map<string, number>();
  const back = new Map<string, OrderBack>();
  const cancelled: FateTally = { lines: 0, units: 0, value: 0n };
  let total = 0;
  let givenBack = 0;

  function count(fate: TalliedFate, units: number, value: bigint): void {
    const tally = fates.get(fate) ?? { lines: 0, units: 0, value: 0n };
    fates.set(fate, { lines: tally.lines + 1, units: tally.units + units, value: tally.value + value });
  }

  function addBack({ returns, refunds }: MatchedPlan): void {
    const of = (order: string): OrderBack => {
      const known = back.get(order) ?? { returns: [], refunds: [] };
      back.set(order, known);
      return known;
    };
    for (const one of returns) {
      of(one.order).returns.push(one);
      for (const { sku, quantity } of one.lines) add(returned, sku, quantity);
    }
    for (const one of refunds) of(one.order).refunds.push(one);
    for (const { amount } of [...returns, ...refunds]) givenBack += amount;
  }

  function addCancelled({ matched, exceptions: failed, remainders: rest }: MatchedPlan): void {
    for (const { quantity, value } of [...matched, ...failed]) {
      cancelled.lines += 1;
      cancelled.units -= quantity;
      cancelled.value += value;
    }
    for (const { value } of rest) cancelled.value += value;
  }

  return {
    fates,
    exceptions,
    remainders,
    ordered,
    left,
    returned,
    back,
    cancelled,
    ordersTotal: () => total,
    backTotal: () => givenBack,
    add(plan) {
      const { order, write_offs: writeOffs, exceptions: failed, remainders: rest, matched } = plan;
      for (const { sku, quantity, unit_price } of order?.lines ?? []) {
        count('order_line', quantity, BigInt(quantity * unit_price) * PENNY);
        add(ordered, sku, quantity);
        if (leaves(order!.external_id)) add(left, sku, quantity);
      }
      for (const { quantity, amount } of order?.charges ?? []) count('order_charge', quantity, BigInt(amount) * PENNY);
      for (const { quantity } of writeOffs) count('write_off', -quantity, 0n);
      for (const { fate, quantity, value } of matched) count(fate, quantity, value);
      for (const { reason, quantity, value } of failed) count(reason, quantity, value);
      exceptions.push(...failed);
      remainders.push(...rest);
      total += order?.total ?? 0;
      addBack(plan);
      if (plan.invoice.startsWith('C')) addCancelled(plan);
    },
  };
}

function add(sums: Map<string, number>, key: string, quantity: number): void {
  sums.set(key, (sums.get(key) ?? 0) + quantity);
}
