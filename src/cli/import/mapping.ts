/**
 * What becomes of each line of an Online Retail file. Pure; README.md beside this file gives the reasons.
 *
 *   sale invoice (six digits)   goods, quantity > 0, price ≥ 0      → a line of the order
 *                               service code, the same              → a charge on the order
 *                               goods, quantity < 0, price 0        → a stock adjustment (write-off)
 *   C invoice                   goods                               → a return of what an earlier order delivered (matching.ts)
 *                               service code                        → a refund on an earlier order
 *   A invoice                   in favour of a customer             → a refund on an earlier order
 *                               else                                → an exception: bad_debt_adjustment
 *   anything else                                                   → an exception that says why
 *
 * Every line meets exactly one fate. An order is in whole pennies: what a price has below the penny is listed as a remainder of its
 * line, so that orders and remainders together are worth what the file says, exactly.
 */
import { AMOUNT_MAX } from '../../kernel/money.ts';
import { type Line, PENNY, type Unreadable, isUnreadable } from './lines.ts';

/** Stock codes that name no goods: postage, carriage, hand-written amounts, discounts, fees, samples, bank charges, donations. */
export const SERVICE_CODES: ReadonlySet<string> = new Set(['POST', 'DOT', 'C2', 'M', 'm', 'D', 'S', 'B', 'AMAZONFEE', 'BANK CHARGES', 'CRUK']);

export const EXCEPTION_REASONS = {
  return_without_customer: 'a cancellation that names no customer, so the sale it belongs to cannot be told',
  return_without_sale: 'goods come back that this customer did not buy earlier in the file',
  return_exceeds_sales: 'more pieces or more money than is left of what this customer bought of it earlier in the file',
  refund_without_order: 'money for a customer of whom no earlier order has so much left to give back',
  odd_cancellation: 'a cancellation of positive quantity or negative price, or of a service for less than a penny',
  bad_debt_adjustment: 'an adjustment of bad debt that gives no customer money back: bookkeeping, no goods and no order',
  invoice_without_goods: 'the sale invoice has only postage and the like: nothing to reserve, nothing to ship',
  negative_sale: 'a sale line of negative quantity or price that is no write-off',
  service_write_off: 'a write-off of something that is no goods',
  out_of_range: 'the invoice has more lines or more value than an order may have',
  unreadable_line: 'the line cannot be read',
} as const;
export type ExceptionReason = keyof typeof EXCEPTION_REASONS;
/** Why no order was found for what is given back. */
export type BackReason = 'return_without_sale' | 'return_exceeds_sales' | 'refund_without_order';

export interface ExceptionLine {
  readonly line: number;
  readonly invoice: string;
  readonly sku: string;
  readonly reason: ExceptionReason;
  /** What exactly, when the reason alone does not say it. */
  readonly detail?: string;
  readonly quantity: number;
  /** Quantity times price, in 10^-6 pounds. */
  readonly value: bigint;
}

/** What a line is worth beyond the whole pennies of its order. */
export interface Remainder {
  readonly line: number;
  readonly invoice: string;
  readonly sku: string;
  /** In 10^-6 pounds; below zero of what is given back. */
  readonly value: bigint;
}

export interface WriteOff {
  readonly line: number;
  readonly invoice: string;
  readonly sku: string;
  /** Pieces that leave the stock, > 0. */
  readonly quantity: number;
}

export interface PlannedOrder {
  readonly external_id: string;
  readonly customer_id: string;
  readonly country: string;
  /** In file order, duplicates kept apart; prices in whole pennies. */
  readonly lines: readonly { readonly line: number; readonly sku: string; readonly quantity: number; readonly unit_price: number }[];
  readonly charges: readonly {
    readonly line: number;
    readonly code: string;
    readonly name: string;
    readonly quantity: number;
    readonly amount: number;
  }[];
  /** Whole pennies. */
  readonly total: number;
}

/** Goods of one order that come back by one invoice. */
export interface PlannedReturn {
  /** The cancelling invoice, and its part where its number comes up again. */
  readonly invoice: string;
  /** The `external_id` of the order. */
  readonly order: string;
  /** `index`: which line of the order. */
  readonly lines: readonly { readonly index: number; readonly sku: string; readonly quantity: number }[];
  /** What the file gives back for them, pennies. */
  readonly amount: number;
  /** What the order was charged for them: what is given back when nobody decides otherwise. */
  readonly by_rule: number;
}

/** Money given back without goods. */
export interface PlannedRefund {
  readonly line: number;
  readonly invoice: string;
  readonly code: string;
  readonly order: string;
  /** Pennies, > 0. */
  readonly amount: number;
}

/** A line of the file that became a refund or (part of) one or several returns. */
export interface MatchedLine {
  readonly line: number;
  readonly invoice: string;
  readonly sku: string;
  readonly fate: 'return' | 'refund';
  /** As in the file: below zero. */
  readonly quantity: number;
  /** In 10^-6 pounds, whole pennies, below zero. */
  readonly value: bigint;
}

export interface InvoicePlan {
  readonly invoice: string;
  /** The invoice, and its part where its number comes up again: `561037/2`. */
  readonly name: string;
  readonly order?: PlannedOrder;
  readonly write_offs: readonly WriteOff[];
  readonly remainders: readonly Remainder[];
  /** Lines that give something back; matching.ts finds the orders. */
  readonly back: readonly Line[];
  readonly exceptions: readonly ExceptionLine[];
}

/** With what is given back told as returns and refunds; what fits no order is among the exceptions. */
export interface MatchedPlan extends InvoicePlan {
  readonly returns: readonly PlannedReturn[];
  readonly refunds: readonly PlannedRefund[];
  readonly matched: readonly MatchedLine[];
}

export type Fate = 'order_line' | 'order_charge' | 'write_off' | 'return' | 'refund' | ExceptionReason;

/** What a line is worth: quantity times price, exact. */
export const valueOf = (line: Line): bigint => BigInt(line.quantity) * line.unit_price;

/** The fate of one line, seen alone. */
export function fateOf(line: Line): Fate {
  const service = SERVICE_CODES.has(line.sku);
  if (line.invoice.startsWith('C')) {
    if (line.quantity > 0 || line.unit_price < 0n || (service && -valueOf(line) < PENNY)) return 'odd_cancellation';
    if (line.customer === '') return 'return_without_customer';
    return service ? 'refund' : 'return';
  }
  if (line.invoice.startsWith('A')) return line.customer !== '' && -valueOf(line) >= PENNY ? 'refund' : 'bad_debt_adjustment';
  if (line.unit_price < 0n) return 'negative_sale';
  if (line.quantity > 0) return service ? 'order_charge' : 'order_line';
  if (line.unit_price !== 0n) return 'negative_sale';
  return service ? 'service_write_off' : 'write_off';
}

/** The most lines and charges an order may have, as the API says. */
const ORDER_LINES_MAX = 500;
const CHARGES_MAX = 100;

/**
 * What becomes of an invoice. `part` is 1 for the lines of an invoice that stand together, and 2, 3, … where its number comes up again
 * further down the file: those become orders of their own (`561037/2`), because the first may be on its way already.
 */
export function planInvoice(invoice: string, all: readonly (Line | Unreadable)[], part: number): InvoicePlan {
  const lines = all.filter((line): line is Line => !isUnreadable(line));
  const fates = new Map(lines.map((line) => [line, fateOf(line)]));
  const having = (fate: Fate): Line[] => lines.filter((line) => fates.get(line) === fate);

  const goods = having('order_line');
  const services = having('order_charge');
  const refused = orderRefusal(goods, services);
  const ordered = refused === undefined ? [...goods, ...services] : [];
  const exceptions = lines.flatMap((line) => {
    const fate = fates.get(line)!;
    if (fate === 'write_off' || fate === 'return' || fate === 'refund') return [];
    if (fate === 'order_line' || fate === 'order_charge') return refused === undefined ? [] : [exceptionOf(line, refused)];
    return [exceptionOf(line, fate)];
  });
  const name = part === 1 ? invoice : `${invoice}/${part}`;
  return {
    invoice,
    name,
    ...(ordered.length === 0 ? {} : { order: orderOf(name, goods, services) }),
    write_offs: having('write_off').map(({ line, sku, quantity }) => ({ line, invoice, sku, quantity: -quantity })),
    remainders: ordered.flatMap((line) => remainderOf(line)),
    back: lines.filter((line) => ['return', 'refund'].includes(fates.get(line)!)),
    exceptions: [...exceptions, ...all.filter(isUnreadable).map(unreadableException)],
  };
}

function orderRefusal(goods: readonly Line[], services: readonly Line[]): ExceptionReason | undefined {
  if (goods.length === 0) return 'invoice_without_goods';
  const value = [...goods, ...services].reduce((sum, line) => sum + valueOf(line), 0n);
  if (goods.length > ORDER_LINES_MAX || services.length > CHARGES_MAX || value > BigInt(AMOUNT_MAX) * PENNY) return 'out_of_range';
  return undefined;
}

function orderOf(externalId: string, goods: readonly Line[], services: readonly Line[]): PlannedOrder {
  const first = goods[0]!;
  const lines = goods.map((line) => ({ line: line.line, sku: line.sku, quantity: line.quantity, unit_price: Number(line.unit_price / PENNY) }));
  const charges = services.map((line) => ({
    line: line.line,
    code: line.sku,
    name: line.description || line.sku,
    quantity: line.quantity,
    amount: Number(valueOf(line) / PENNY),
  }));
  const goodsTotal = lines.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price, 0);
  return {
    external_id: externalId,
    customer_id: first.customer === '' ? `guest-${first.invoice}` : first.customer,
    country: first.country,
    lines,
    charges,
    total: charges.reduce((sum, { amount }) => sum + amount, goodsTotal),
  };
}

/** Goods carry their price each, so the part below the penny counts for every piece; a charge is one amount. */
function remainderOf(line: Line): Remainder[] {
  const value = SERVICE_CODES.has(line.sku) ? valueOf(line) % PENNY : BigInt(line.quantity) * (line.unit_price % PENNY);
  return value === 0n ? [] : [{ line: line.line, invoice: line.invoice, sku: line.sku, value }];
}

export const exceptionOf = (line: Line, reason: ExceptionReason): ExceptionLine => ({
  line: line.line,
  invoice: line.invoice,
  sku: line.sku,
  reason,
  quantity: line.quantity,
  value: valueOf(line),
});

const unreadableException = ({ line, invoice, sku, problem }: Unreadable): ExceptionLine => ({
  line,
  invoice,
  sku,
  reason: 'unreadable_line',
  detail: problem,
  quantity: 0,
  value: 0n,
});
