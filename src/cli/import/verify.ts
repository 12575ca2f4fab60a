/**
 * Compares three accounts of the same file: what it says, what the server now says, and (when given) what an independent truth says.
 */
import type { StockLevel } from '../answers.ts';
import type { Client } from '../client.ts';
import { formatValue, productFigures } from './figures.ts';
import { PENNY } from './lines.ts';
import type { ImportResult } from './run.ts';
import { type Comparison, type Truth, compareFigures } from './truth.ts';

/** One figure from two sides. */
export interface Check {
  readonly what: string;
  readonly file: string;
  readonly server: string;
  readonly ok: boolean;
}

export interface StockDifference {
  readonly sku: string;
  readonly expected: number;
  readonly found: number;
}

export interface Verification {
  readonly checks: readonly Check[];
  /** Skus whose pieces on hand are not what the file leaves; the first ones. */
  readonly stock_differences: readonly StockDifference[];
  readonly truth: { readonly figures: Comparison; readonly products: Comparison | null } | null;
  readonly ok: boolean;
}

export async function verify(client: Client, result: ImportResult, truth: Truth | undefined): Promise<Verification> {
  const { scan, tally, settled, given_back: givenBack } = result;
  const backs = [...tally.back.values()];
  const figures = scan.counting.figures();
  const differences = await stockDifferences(client, result);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const pounds = (pennies: number): string => formatValue(BigInt(pennies) * PENNY);
  const wrongTotals = settled.filter(({ total, charged }) => total !== charged).length;
  const accounted = sum([...tally.fates.values()].map(({ lines }) => lines));
  const value = [...tally.fates.values(), ...tally.remainders].reduce((total, one) => total + one.value, 0n);
  const check = (what: string, file: string | number, server: string | number): Check => ({
    what,
    file: String(file),
    server: String(server),
    ok: file === server,
  });

  const checks = [
    check('lines accounted for', figures['counts.lines'] ?? 0, accounted),
    check('net value of all lines and remainders', figures['money.net'] ?? '', formatValue(value)),
    check('orders', scan.orders, settled.length),
    check('pieces ordered', sum([...tally.ordered.values()]), sum(settled.map(({ units }) => units))),
    check('gross sales, of orders, remainders and sales that are no orders', figures['money.gross_sales'] ?? '', formatValue(grossSales(result))),
    check('value of the orders', pounds(tally.ordersTotal()), pounds(sum(settled.map(({ charged }) => charged)))),
    check('orders whose total differs', 0, wrongTotals),
    check('orders not ready', 0, settled.filter(({ stands }) => !['ready', 'shipped', 'delivered'].includes(stands)).length),
    check('pieces of C invoices', figures['units.cancelled'] ?? 0, tally.cancelled.units),
    check(
      'value of C invoices, of returns, refunds, exceptions and remainders',
      figures['money.cancellations'] ?? '',
      formatValue(tally.cancelled.value),
    ),
    check('returns', sum(backs.map(({ returns }) => returns.length)), sum(givenBack.map(({ returns }) => returns.length))),
    check('pieces returned', sum([...tally.returned.values()]), sum(givenBack.flatMap(({ returns }) => returns.map(({ received }) => received)))),
    check('money given back', pounds(tally.backTotal()), pounds(sum(givenBack.map(({ credited }) => credited)))),
    check('orders of which something has not come back', 0, givenBack.filter(({ why }) => why !== null).length),
    check('skus whose stock differs', 0, differences.length),
  ];
  const compared = truth === undefined ? null : compareTruth(truth, result);
  const fits = compared === null || (compared.figures.differences.length === 0 && (compared.products?.differences.length ?? 0) === 0);
  return { checks, stock_differences: differences.slice(0, 50), truth: compared, ok: checks.every(({ ok }) => ok) && fits };
}

/** What was sold: the orders as the server has them, what they leave below the penny, and sales no order was made of. */
function grossSales({ tally, settled }: ImportResult): bigint {
  const orders = settled.reduce((sum, { charged }) => sum + BigInt(charged) * PENNY, 0n);
  const remainders = tally.remainders.reduce((sum, { value }) => (value > 0n ? sum + value : sum), 0n);
  const elsewhere = tally.exceptions.filter(({ reason }) => reason === 'invoice_without_goods' || reason === 'out_of_range');
  return elsewhere.reduce((sum, { value }) => sum + value, orders + remainders);
}

function compareTruth({ figures, products }: Truth, { scan }: ImportResult): NonNullable<Verification['truth']> {
  return {
    figures: compareFigures(figures, scan.counting.figures()),
    products: products === undefined ? null : compareFigures(products, productFigures(scan.counting.products())),
  };
}

/** The opening stock was what orders and write-offs take, and no more: what is there is what has not left yet, and what came back. */
async function stockDifferences(client: Client, { scan, warehouse_id, tally, settled }: ImportResult): Promise<StockDifference[]> {
  // Somebody may have delivered more than the import has; then what is reserved is what has not gone, and only the rest is compared.
  const more = settled.some(({ stands, deliver }) => !deliver && (stands === 'shipped' || stands === 'delivered'));
  const levels = new Map<string, StockLevel>();
  for await (const level of client.each<StockLevel>('/v1/stock', { warehouse_id })) levels.set(level.sku, level);
  return scan.products.flatMap(({ sku }) => {
    const level = levels.get(sku);
    const back = tally.returned.get(sku) ?? 0;
    const waiting = (tally.ordered.get(sku) ?? 0) - (tally.left.get(sku) ?? 0);
    const expected = more ? back : waiting + back;
    const found = (more ? level?.available : level?.on_hand) ?? 0;
    return expected === found ? [] : [{ sku, expected, found }];
  });
}
