/**
 * The figures of an Online Retail file, computed a second time by other means than the importer's: records cut by hand, money as whole
 * thousandths of a pound, and the whole file in memory. `node test/support/retail-truth.ts FILE.csv` writes FILE's truth beside it.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

interface Sold {
  readonly invoice: string;
  readonly code: string;
  readonly quantity: number;
  /** Thousandths of a pound. */
  readonly price: number;
  readonly customer: string;
  readonly country: string;
  readonly day: string;
  readonly minute: string;
}

/** Fields of one line; quotes may hold commas, never line breaks. */
function fieldsOf(text: string): string[] {
  const fields: string[] = [];
  for (let rest = text; ;) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest);
    const field = quoted?.[0] ?? /^[^,]*/.exec(rest)![0];
    fields.push(quoted ? quoted[1]!.replaceAll('""', '"') : field);
    if (rest.length === field.length) return fields;
    rest = rest.slice(field.length + 1);
  }
}

function thousandths(text: string): number {
  const [whole = '0', part = ''] = text.replace('-', '').split('.');
  if (part.length > 3) throw new Error(`${text} has more than three decimals`);
  return (text.startsWith('-') ? -1 : 1) * (Number(whole) * 1000 + Number(part.padEnd(3, '0')));
}

const pounds = (mils: number): string => {
  const text = `${mils < 0 ? '-' : ''}${Math.floor(Math.abs(mils) / 1000)}.${String(Math.abs(mils) % 1000).padStart(3, '0')}`;
  return text.endsWith('0') ? text.slice(0, -1) : text;
};
const pad = (text: string): string => text.padStart(2, '0');

export function readSold(csv: string): Sold[] {
  return csv
    .trimEnd()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => {
      const [invoice, code, , quantity, date, price, customer, country] = fieldsOf(line) as [
        string,
        string,
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      const [day, time] = date.split(' ') as [string, string];
      const [m, d, y] = day.split('/') as [string, string, string];
      const [hour, minute] = time.split(':') as [string, string];
      const iso = `${y}-${pad(m)}-${pad(d)}`;
      return {
        invoice,
        code,
        quantity: Number(quantity),
        price: thousandths(price),
        customer,
        country,
        day: iso,
        minute: `${iso} ${pad(hour)}:${minute}`,
      };
    });
}

const worth = (lines: readonly Sold[]): number => lines.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
const pieces = (lines: readonly Sold[]): number => lines.reduce((sum, { quantity }) => sum + quantity, 0);
const distinct = (lines: readonly Sold[], of: (line: Sold) => string): number => new Set(lines.map(of)).size;
const invoices = (lines: readonly Sold[]): number => distinct(lines, ({ invoice }) => invoice);
const by = (lines: readonly Sold[], of: (line: Sold) => string): [string, Sold[]][] =>
  [...Map.groupBy(lines, of)].sort(([a], [b]) => (a < b ? -1 : 1));

/** Could the sale be the one that was cancelled, but for the pieces? */
const isSaleOf = (sale: Sold, gone: Sold): boolean =>
  gone.customer !== '' && sale.customer === gone.customer && sale.code === gone.code && sale.price === gone.price && sale.minute <= gone.minute;

export function truthOf(lines: readonly Sold[]) {
  const sale = lines.filter(({ invoice }) => /^\d/.test(invoice));
  const cancel = lines.filter(({ invoice }) => invoice.startsWith('C'));
  const adjust = lines.filter(({ invoice }) => invoice.startsWith('A'));
  const isSold = ({ invoice, quantity, price }: Sold): boolean => /^\d/.test(invoice) && quantity > 0 && price > 0;
  const sold = lines.filter(isSold);
  const gone = sale.filter(({ quantity }) => quantity < 0);
  const nobody = lines.filter(({ customer }) => customer === '');
  const minutes = lines.map(({ minute }) => minute).sort();
  return {
    counts: {
      lines: lines.length,
      invoices: invoices(lines),
      lines_by_kind: { sale: sale.length, cancel: cancel.length, adjust: adjust.length },
      invoices_by_kind: { sale: invoices(sale), cancel: invoices(cancel), adjust: invoices(adjust) },
      stock_codes: distinct(lines, ({ code }) => code),
      stock_codes_case_insensitive: distinct(lines, ({ code }) => code.toUpperCase()),
      customers: distinct(
        lines.filter(({ customer }) => customer !== ''),
        ({ customer }) => customer,
      ),
      countries: distinct(lines, ({ country }) => country),
      first: minutes[0],
      last: minutes.at(-1),
    },
    money: { net: pounds(worth(lines)), gross_sales: pounds(worth(sold)), cancellations: pounds(worth(cancel)), adjustments: pounds(worth(adjust)) },
    units: {
      net: pieces(lines),
      positive: pieces(lines.filter(({ quantity }) => quantity > 0)),
      negative: pieces(lines.filter(({ quantity }) => quantity < 0)),
      sold: pieces(sold),
      cancelled: -pieces(cancel),
    },
    quirks: {
      missing_customer_lines: nobody.length,
      missing_customer_invoices: invoices(nobody),
      zero_price_lines: lines.filter(({ price }) => price === 0).length,
      prices_with_more_than_2_decimals: lines.filter(({ price }) => price % 10 !== 0).length,
      negative_quantity_lines: lines.filter(({ quantity }) => quantity < 0).length,
      stock_adjustment_lines: gone.length,
      stock_adjustment_units: pieces(gone),
    },
    cancellations: {
      invoices: invoices(cancel),
      lines: cancel.length,
      units: -pieces(cancel),
      value: pounds(worth(cancel)),
      lines_without_customer: cancel.filter(({ customer }) => customer === '').length,
      matched_lines: cancel.filter((gone) => sale.some((one) => isSaleOf(one, gone) && one.quantity >= -gone.quantity)).length,
      exactly_matched_lines: cancel.filter((gone) => sale.some((one) => isSaleOf(one, gone) && one.quantity === -gone.quantity)).length,
    },
    by_month: Object.fromEntries(
      by(lines, ({ day }) => day.slice(0, 7)).map(([month, all]) => [
        month,
        {
          lines: all.length,
          invoices: invoices(all),
          net_units: pieces(all),
          net: pounds(worth(all)),
          gross_sales: pounds(worth(all.filter(isSold))),
        },
      ]),
    ),
    by_country: Object.fromEntries(
      by(lines, ({ country }) => country).map(([country, all]) => [country, { invoices: invoices(all), lines: all.length, net: pounds(worth(all)) }]),
    ),
  };
}

export function productsOf(lines: readonly Sold[]): string {
  const head = 'StockCode,lines,units_sold,units_given_at_zero_price,units_cancelled,units_stock_adjustment,net_units,gross_sales,net_value';
  const rows = by(lines, ({ code }) => code).map(([code, all]) => {
    const sale = all.filter(({ invoice }) => /^\d/.test(invoice));
    const sold = sale.filter(({ quantity, price }) => quantity > 0 && price > 0);
    const given = sale.filter(({ quantity, price }) => quantity > 0 && price === 0);
    const gone = sale.filter(({ quantity }) => quantity < 0);
    const cancelled = all.filter(({ invoice }) => invoice.startsWith('C'));
    const units = [sold, given, cancelled, gone].map(pieces);
    return [code, all.length, units[0], units[1], -units[2]!, units[3], pieces(all), pounds(worth(sold)), pounds(worth(all))].join(',');
  });
  return `${[head, ...rows].join('\n')}\n`;
}

/** The two texts that stand beside a file: its truth, and its truth by product. */
export function truthFilesOf(file: string): { readonly truth: string; readonly products: string } {
  const csv = readFileSync(file, 'utf8');
  const lines = readSold(csv);
  const products = productsOf(lines);
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const stem = basename(file, '.csv');
  const document = {
    dataset: 'online-retail',
    files: { [`${stem}.csv`]: { rows: lines.length, sha256: sha256(csv) } },
    ...truthOf(lines),
    per_product_file: { [`truth-${stem}-per-product.csv`]: sha256(products) },
  };
  return { truth: `${JSON.stringify(document, undefined, 1)}\n`, products };
}

if (import.meta.main) {
  const file = process.argv[2]!;
  const { truth, products } = truthFilesOf(file);
  const beside = (name: string): string => file.replace(/[^/]*$/, name);
  const stem = basename(file, '.csv');
  writeFileSync(beside(`truth-${stem}.json`), truth);
  writeFileSync(beside(`truth-${stem}-per-product.csv`), products);
}
