/**
 * To which sale a cancellation belongs: the file does not say, so it is a rule. Pure; the same file is always matched alike.
 *
 *   goods     a line of an earlier order of the same customer and stock code of which enough pieces are left. Those sold at the price that is
 *             given back come first, the latest before the earlier. Where no single line has enough, pieces are taken from several in that order;
 *             only then are lines sold at another price looked at, the same way. What cost nothing goes back to what cost nothing.
 *   money     (service codes) an earlier order of the same customer that has so much left to give back: the latest one charged with the
 *             same code for as much, else the latest one the goods of this invoice go back to, else the latest.
 *
 * Pieces and money are given back once: what a match takes is gone for the next one. A line is matched whole or is an exception.
 */
import { type Line, PENNY } from './lines.ts';
import {
  type BackReason,
  type InvoicePlan,
  type MatchedLine,
  type MatchedPlan,
  type PlannedOrder,
  type PlannedRefund,
  type PlannedReturn,
  SERVICE_CODES,
  exceptionOf,
  fateOf,
  valueOf,
} from './mapping.ts';

/** A line of an order, and what of it has not come back. */
interface Sold {
  readonly order: string;
  /** Its place among the lines of the order. */
  readonly index: number;
  /** Pennies. */
  readonly price: number;
  left: number;
}

interface Bought {
  readonly order: string;
  /** Pennies charged by service code, less what was given back of them. */
  readonly charges: Map<string, number>;
}

interface Take {
  readonly sold: Sold;
  readonly quantity: number;
}

export interface Matching {
  /** Takes the invoices in the order of the file. */
  match(plan: InvoicePlan): MatchedPlan;
}

export function startMatching(): Matching {
  /** By customer and stock code, the latest first. */
  const sales = new Map<string, Sold[]>();
  /** By customer, the latest first. */
  const orders = new Map<string, Bought[]>();
  /** What each order has left to give back, pennies. */
  const money = new Map<string, number>();

  function remember({ external_id: order, customer_id, lines, charges, total }: PlannedOrder): void {
    money.set(order, total);
    const codes = new Map<string, number>();
    for (const { code, amount } of charges) codes.set(code, (codes.get(code) ?? 0) + amount);
    entry(orders, customer_id).unshift({ order, charges: codes });
    for (const [index, { sku, quantity, unit_price: price }] of lines.entries())
      entry(sales, saleKey(customer_id, sku)).unshift({ order, index, price, left: quantity });
  }

  function takesOf(candidates: readonly Sold[], quantity: number, price: number): Take[] | undefined {
    const fits = ({ order, left }: Sold, spent = 0): number => (price === 0 ? left : Math.min(left, Math.floor((money.get(order)! - spent) / price)));
    const one = candidates.find((sold) => fits(sold) >= quantity);
    if (one !== undefined) return [{ sold: one, quantity }];
    const spent = new Map<string, number>();
    const takes: Take[] = [];
    let wanted = quantity;
    for (const sold of candidates) {
      const before = spent.get(sold.order) ?? 0;
      const taken = Math.min(wanted, fits(sold, before));
      if (taken <= 0) continue;
      takes.push({ sold, quantity: taken });
      spent.set(sold.order, before + taken * price);
      wanted -= taken;
    }
    return wanted === 0 ? takes : undefined;
  }

  function goodsOf(line: Line): Take[] | BackReason {
    const price = Number(line.unit_price / PENNY);
    const all = (sales.get(saleKey(line.customer, line.sku)) ?? []).filter((sold) => price > 0 || sold.price === 0);
    if (all.length === 0) return 'return_without_sale';
    const same = all.filter((sold) => sold.price === price);
    const rest = all.filter((sold) => sold.price !== price);
    return takesOf(same, -line.quantity, price) ?? takesOf([...same, ...rest], -line.quantity, price) ?? 'return_exceeds_sales';
  }

  function orderFor({ customer, sku }: Line, amount: number, returned: (order: string) => boolean): Bought | undefined {
    const able = (orders.get(customer) ?? []).filter(({ order }) => money.get(order)! >= amount);
    return able.find(({ charges }) => (charges.get(sku) ?? 0) >= amount) ?? able.find(({ order }) => returned(order)) ?? able[0];
  }

  function spend(order: string, amount: number): void {
    money.set(order, money.get(order)! - amount);
  }

  function match(plan: InvoicePlan): MatchedPlan {
    if (plan.order !== undefined) remember(plan.order);
    const returns = new Map<string, PlannedReturn>();
    const refunds: PlannedRefund[] = [];
    const matched: MatchedLine[] = [];
    const failed: { readonly line: Line; readonly reason: BackReason }[] = [];
    const goods = plan.back.filter((line) => fateOf(line) === 'return');
    for (const line of goods) {
      const takes = goodsOf(line);
      if (typeof takes === 'string') {
        failed.push({ line, reason: takes });
        continue;
      }
      const price = Number(line.unit_price / PENNY);
      for (const { sold, quantity } of takes) {
        sold.left -= quantity;
        spend(sold.order, quantity * price);
        returns.set(sold.order, withPieces(returns.get(sold.order) ?? emptyReturn(plan.name, sold.order), line, { sold, quantity }, price));
      }
      matched.push(matchedAs('return', line));
    }
    for (const line of plan.back) {
      if (goods.includes(line)) continue;
      const amount = Number(-valueOf(line) / PENNY);
      const found = orderFor(line, amount, (order) => returns.has(order));
      if (found === undefined) {
        failed.push({ line, reason: 'refund_without_order' });
        continue;
      }
      spend(found.order, amount);
      found.charges.set(line.sku, (found.charges.get(line.sku) ?? 0) - amount);
      refunds.push({ line: line.line, invoice: line.invoice, code: line.sku, order: found.order, amount });
      matched.push(matchedAs('refund', line));
    }
    const exceptions = [...plan.exceptions, ...failed.map(({ line, reason }) => exceptionOf(line, reason))];
    const remainders = [...plan.remainders, ...plan.back.filter((line) => !failed.some((one) => one.line === line)).flatMap(shortfallOf)];
    return { ...plan, exceptions, remainders, returns: [...returns.values()], refunds, matched };
  }

  return { match };
}

const saleKey = (customer: string, sku: string): string => `${customer}\n${sku}`;
const emptyReturn = (invoice: string, order: string): PlannedReturn => ({ invoice, order, lines: [], amount: 0, by_rule: 0 });

/** One line of the order may come back in several lines of the invoice, and is named once. */
function withPieces(back: PlannedReturn, { sku }: Line, { sold, quantity }: Take, price: number): PlannedReturn {
  const { index } = sold;
  const known = back.lines.find((one) => one.index === index)?.quantity ?? 0;
  return {
    ...back,
    lines: [...back.lines.filter((one) => one.index !== index), { index, sku, quantity: known + quantity }],
    amount: back.amount + quantity * price,
    by_rule: back.by_rule + quantity * sold.price,
  };
}

/** What is given back in whole pennies: of goods for each piece, of money as one amount. */
function penniesOf(line: Line): bigint {
  return SERVICE_CODES.has(line.sku) || line.invoice.startsWith('A') ? valueOf(line) / PENNY : BigInt(line.quantity) * (line.unit_price / PENNY);
}

const matchedAs = (fate: MatchedLine['fate'], line: Line): MatchedLine => ({
  line: line.line,
  invoice: line.invoice,
  sku: line.sku,
  fate,
  quantity: line.quantity,
  value: penniesOf(line) * PENNY,
});

/** What a cancellation gives back below the penny. */
function shortfallOf(line: Line): InvoicePlan['remainders'] {
  const value = valueOf(line) - penniesOf(line) * PENNY;
  return value === 0n ? [] : [{ line: line.line, invoice: line.invoice, sku: line.sku, value }];
}

function entry<Value>(map: Map<string, Value[]>, key: string): Value[] {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = []));
  return found;
}
