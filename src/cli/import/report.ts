/**
 * The end of an import, for people and for programs: what became of every line, and whether all sides agree.
 */
import { bad, bold, count, faint, good, plural, table } from '../print.ts';
import { formatValue, productFigures } from './figures.ts';
import { EXCEPTION_REASONS } from './mapping.ts';
import type { Done, ImportResult } from './run.ts';
import type { FateTally, TalliedFate } from './tally.ts';
import type { Comparison } from './truth.ts';
import type { Verification } from './verify.ts';

const FATES: Readonly<Record<'order_line' | 'order_charge' | 'write_off' | 'return' | 'refund', string>> = {
  order_line: 'lines of orders',
  order_charge: 'charges on orders (postage and the like)',
  write_off: 'stock adjustments (write-offs)',
  return: 'goods returned to their order',
  refund: 'money refunded on an order',
};
const describe = (fate: TalliedFate): string => (Object.hasOwn(FATES, fate) ? FATES[fate as keyof typeof FATES] : `exception: ${fate}`);

/** Everything, as JSON: exceptions and remainders line by line, the figures of each product. */
export function reportOf(result: ImportResult, verification: Verification): object {
  const { scan, tally, settled, products, receipts, orders, write_offs, returns, refunds, warehouse_id, unchanged } = result;
  const inPounds = <One extends { readonly value: bigint }>(one: One) => ({ ...one, value: formatValue(one.value) });
  return {
    ok: verification.ok,
    unchanged,
    sha256: scan.sha256,
    warehouse_id,
    done: { products, receipts, orders, write_offs, returns, refunds },
    figures: scan.counting.figures(),
    lines: [...tally.fates].map(([fate, one]) => ({ fate, ...inPounds(one) })),
    checks: verification.checks,
    truth: verification.truth,
    stock_differences: verification.stock_differences,
    not_ready: settled.filter(({ why }) => why !== null),
    given_back: result.given_back.map(({ external_id, number, credited, returns: back, why }) => ({
      external_id,
      number,
      credited,
      returns: back,
      why,
    })),
    remainders: tally.remainders.map(inPounds),
    exceptions: tally.exceptions.map(inPounds),
    reasons: EXCEPTION_REASONS,
    products: productFigures(scan.counting.products()),
  };
}

/** The same for a person, on a page. */
export function reportText(result: ImportResult, verification: Verification): string {
  const { scan, tally, settled, unchanged } = result;
  const figures = scan.counting.figures();
  const notReady = settled.filter(({ why }) => why !== null);
  const notBack = result.given_back.filter(({ why }) => why !== null);
  const sections = [
    bold(
      `${plural(Number(figures['counts.lines']), 'line')}, ${plural(Number(figures['counts.invoices']), 'invoice')}, ${figures['counts.first']} to ${figures['counts.last']}`,
    ),
    unchanged ? good('All of it had been imported before: nothing was changed.') : doneText(result),
    fatesText(tally.fates, tally.remainders),
    checksText(verification),
    ...(verification.truth === null ? [] : [truthText(verification.truth)]),
    ...(notReady.length === 0
      ? []
      : [
          `${bold('Orders that are not ready')}\n${table(
            ['invoice', 'order', 'status', 'why'],
            notReady.slice(0, 20).map((order) => [order.external_id, order.number, order.status, order.why]),
          )}`,
        ]),
    ...(notBack.length === 0
      ? []
      : [
          `${bold('Orders of which something has not come back')}\n${table(
            ['invoice', 'order', 'why'],
            notBack.slice(0, 20).map((order) => [order.external_id, order.number, order.why]),
          )}`,
        ]),
    verification.ok ? good('Every line is accounted for, and every figure agrees.') : bad('Not everything agrees: see the lines marked above.'),
  ];
  return sections.join('\n\n');
}

function doneText({ products, receipts, orders, write_offs: writeOffs, returns, refunds }: ImportResult): string {
  const row = (what: string, { created, existing }: Done): [string, number, number] => [what, created, existing];
  return table(
    ['', 'created now', 'there before'],
    [
      row('products', products),
      row('receipts of opening stock', receipts),
      row('orders', orders),
      row('stock adjustments', writeOffs),
      row('returns', returns),
      row('refunds', refunds),
    ],
  );
}

function fatesText(fates: ReadonlyMap<TalliedFate, FateTally>, remainders: readonly { readonly value: bigint }[]): string {
  const rows = [...fates].map(([fate, { lines, units, value }]) => [describe(fate), lines, units, formatValue(value)]);
  const rest = remainders.reduce((sum, { value }) => sum + value, 0n);
  const total = [...fates.values()].reduce(
    (sum, { lines, units, value }) => ({ lines: sum.lines + lines, units: sum.units + units, value: sum.value + value }),
    { lines: 0, units: 0, value: rest },
  );
  const below: (string | number)[][] =
    rest === 0n ? [] : [[`below the penny (${plural(remainders.length, 'line')} of the above)`, '', '', formatValue(rest)]];
  return table(
    ['what became of the lines', 'lines', 'pieces', 'GBP'],
    [...rows, ...below, [bold('together'), total.lines, total.units, formatValue(total.value)]],
  );
}

function checksText({ checks, stock_differences: differences }: Verification): string {
  const rows = checks.map(({ what, file, server, ok }) => [ok ? good('agrees') : bad('differs'), what, file, server]);
  const stock = differences.slice(0, 10).map(({ sku, expected, found }) => `  ${sku}: ${count(expected)} expected, ${count(found)} found`);
  return [table(['', 'file against server', 'file', 'server'], rows), ...stock].join('\n');
}

function truthText({ figures, products }: NonNullable<Verification['truth']>): string {
  const said = (name: string, { reconciled, differences, not_compared }: Comparison): string[] => [
    `${differences.length === 0 ? good('agrees') : bad('differs')}  ${name}: ${plural(reconciled, 'figure')} reconciled, ${plural(differences.length, 'difference')}${not_compared.length === 0 ? '' : `, ${plural(not_compared.length, 'kind')} of figure not computed here`}`,
    ...differences.slice(0, 20).map(({ figure, truth, found }) => `  ${figure}: the truth says ${truth}, the file ${found}`),
    ...(not_compared.length === 0 ? [] : [faint(`  not computed: ${not_compared.join(', ')}`)]),
  ];
  return [bold('Against the truth'), ...said('figures', figures), ...(products === null ? [] : said('products', products))].join('\n');
}
