/**
 * What a file adds up to, counted line by line while it streams by. Figures are named by path (`money.gross_sales`,
 * `by_country.EIRE.net`), so that they can be compared with those of a truth file. Money is exact.
 */
import { type Line, PENNY, type Unreadable, VALUE_DIGITS, isUnreadable } from './lines.ts';
import { startLikelySales } from './likely-sales.ts';
import { valueOf } from './mapping.ts';

export type Figures = Readonly<Record<string, number | string>>;

/** `1250000n` → `"1.25"`: pounds, exact, at least two decimals. */
export function formatValue(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(VALUE_DIGITS + 1, '0');
  const fraction = digits.slice(-VALUE_DIGITS).replace(/0+$/, '').padEnd(2, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -VALUE_DIGITS)}.${fraction}`;
}

/** Rounds to whole pennies, half to even. */
export function roundToPennies(value: bigint): bigint {
  const floor = value / PENNY - (value % PENNY < 0n ? 1n : 0n);
  const twice = (value - floor * PENNY) * 2n;
  return floor + (twice > PENNY || (twice === PENNY && floor % 2n !== 0n) ? 1n : 0n);
}

/** What one product adds up to; the columns of a per-product truth file. */
export interface ProductFigures {
  lines: number;
  units_sold: number;
  units_given_at_zero_price: number;
  units_cancelled: number;
  units_stock_adjustment: number;
  net_units: number;
  gross_sales: bigint;
  net_value: bigint;
}

type Kind = 'sale' | 'cancel' | 'adjust';
const kindOf = (invoice: string): Kind => (invoice.startsWith('C') ? 'cancel' : invoice.startsWith('A') ? 'adjust' : 'sale');

/** A sum and a set of invoices for one month or country. */
interface Group {
  lines: number;
  net_units: number;
  net: bigint;
  gross_sales: bigint;
  cancellations: bigint;
  invoices: Set<string>;
  cancel_invoices: Set<string>;
}
const emptyGroup = (): Group => ({
  lines: 0,
  net_units: 0,
  net: 0n,
  gross_sales: 0n,
  cancellations: 0n,
  invoices: new Set(),
  cancel_invoices: new Set(),
});

export interface Counting {
  add(line: Line | Unreadable): void;
  figures(): Figures;
  products(): ReadonlyMap<string, ProductFigures>;
}

/** Starts counting. Memory grows with invoices, products and what each customer bought at which price. */
export function startCounting(): Counting {
  const whole = emptyGroup();
  const months = new Map<string, Group>();
  const countries = new Map<string, Group>();
  const products = new Map<string, ProductFigures>();
  const lines = { sale: 0, cancel: 0, adjust: 0 };
  const invoices = { sale: new Set<string>(), cancel: new Set<string>(), adjust: new Set<string>() };
  const customers = new Set<string>();
  const likely = startLikelySales();
  const cancelCustomers = new Set<string>();
  const anonymousInvoices = new Set<string>();
  const cancelled = { lines: 0, units: 0, anonymous: 0 };
  const units = { net: 0, positive: 0, negative: 0, sold: 0, max: 0, min: 0 };
  const quirks = { anonymous: 0, free: 0, subPenny: 0, negative: 0, adjustments: 0, adjustmentUnits: 0 };
  let adjustments = 0n;
  let roundedSales = 0n;
  let unreadable = 0;
  let first = '';
  let last = '';
  let highest: bigint | undefined;
  let lowest: bigint | undefined;

  function add(line: Line | Unreadable): void {
    if (isUnreadable(line)) {
      unreadable += 1;
      return;
    }
    const { invoice, sku, quantity, unit_price: price, customer, at } = line;
    const kind = kindOf(invoice);
    const value = valueOf(line);
    const sold = kind === 'sale' && quantity > 0 && price > 0n;
    lines[kind] += 1;
    invoices[kind].add(invoice);
    for (const group of [whole, entry(months, at.slice(0, 7), emptyGroup), entry(countries, line.country, emptyGroup)])
      addToGroup(group, line, { kind, value, sold });
    addToProduct(entry(products, sku, emptyProduct), line, { kind, value, sold });
    if (kind === 'adjust') adjustments += value;
    if (sold) roundedSales += roundToPennies(value);

    units.net += quantity;
    if (quantity > 0) units.positive += quantity;
    else units.negative += quantity;
    if (sold) units.sold += quantity;
    units.max = Math.max(units.max, quantity);
    units.min = Math.min(units.min, quantity);

    if (customer === '') {
      quirks.anonymous += 1;
      anonymousInvoices.add(invoice);
    } else customers.add(customer);
    if (price === 0n) quirks.free += 1;
    if (price % PENNY !== 0n) quirks.subPenny += 1;
    if (quantity < 0) quirks.negative += 1;
    if (kind === 'sale' && quantity < 0) {
      quirks.adjustments += 1;
      quirks.adjustmentUnits += quantity;
    }
    likely.add(line);
    if (kind === 'cancel') {
      cancelled.lines += 1;
      cancelled.units -= quantity;
      if (customer === '') cancelled.anonymous += 1;
      else cancelCustomers.add(customer);
    }
    if (at !== '' && (first === '' || at < first)) first = at;
    if (at > last) last = at;
    if (highest === undefined || price > highest) highest = price;
    if (lowest === undefined || price < lowest) lowest = price;
  }

  function figures(): Figures {
    const explained = likely.count();
    const money = (value: bigint): string => formatValue(value);
    const pennies = (value: bigint): string => formatValue(roundToPennies(value) * PENNY);
    return {
      'counts.lines': lines.sale + lines.cancel + lines.adjust + unreadable,
      'counts.invoices': invoices.sale.size + invoices.cancel.size + invoices.adjust.size,
      ...Object.fromEntries(Object.entries(lines).map(([kind, count]) => [`counts.lines_by_kind.${kind}`, count])),
      ...Object.fromEntries(Object.entries(invoices).map(([kind, set]) => [`counts.invoices_by_kind.${kind}`, set.size])),
      'counts.stock_codes': products.size,
      'counts.stock_codes_case_insensitive': new Set([...products.keys()].map((sku) => sku.toLowerCase())).size,
      'counts.customers': customers.size,
      'counts.countries': countries.size,
      'counts.first': first,
      'counts.last': last,
      'money.net': money(whole.net),
      'money.gross_sales': money(whole.gross_sales),
      'money.cancellations': money(whole.cancellations),
      'money.adjustments': money(adjustments),
      'money.net_rounded': pennies(whole.net),
      'money.gross_sales_rounded': pennies(whole.gross_sales),
      'money.sum_of_gross_sales_lines_each_rounded_half_even': money(roundedSales * PENNY),
      'money.unit_price_max': money(highest ?? 0n),
      'money.unit_price_min': money(lowest ?? 0n),
      'units.net': units.net,
      'units.positive': units.positive,
      'units.negative': units.negative,
      'units.sold': units.sold,
      'units.cancelled': cancelled.units,
      'units.max_line': units.max,
      'units.min_line': units.min,
      'quirks.missing_customer_lines': quirks.anonymous,
      'quirks.missing_customer_invoices': anonymousInvoices.size,
      'quirks.zero_price_lines': quirks.free,
      'quirks.prices_with_more_than_2_decimals': quirks.subPenny,
      'quirks.negative_quantity_lines': quirks.negative,
      'quirks.stock_adjustment_lines': quirks.adjustments,
      'quirks.stock_adjustment_units': quirks.adjustmentUnits,
      'cancellations.invoices': invoices.cancel.size,
      'cancellations.lines': cancelled.lines,
      'cancellations.units': cancelled.units,
      'cancellations.value': money(whole.cancellations),
      'cancellations.customers': cancelCustomers.size,
      'cancellations.lines_without_customer': cancelled.anonymous,
      'cancellations.matched_lines': explained.matched,
      'cancellations.exactly_matched_lines': explained.exactly,
      ...groupFigures('by_month', months, ({ cancel_invoices: cancelInvoices, net_units: netUnits, gross_sales: grossSales, cancellations }) => ({
        cancel_invoices: cancelInvoices.size,
        net_units: netUnits,
        gross_sales: money(grossSales),
        cancellations: money(cancellations),
      })),
      ...groupFigures('by_country', countries, () => ({})),
    };
  }

  return { add, figures, products: () => products };
}

interface Seen {
  readonly kind: Kind;
  readonly value: bigint;
  readonly sold: boolean;
}

function addToGroup(group: Group, { invoice, quantity }: Line, { kind, value, sold }: Seen): void {
  group.lines += 1;
  group.net_units += quantity;
  group.net += value;
  group.invoices.add(invoice);
  if (sold) group.gross_sales += value;
  if (kind !== 'cancel') return;
  group.cancellations += value;
  group.cancel_invoices.add(invoice);
}

const emptyProduct = (): ProductFigures => ({
  lines: 0,
  units_sold: 0,
  units_given_at_zero_price: 0,
  units_cancelled: 0,
  units_stock_adjustment: 0,
  net_units: 0,
  gross_sales: 0n,
  net_value: 0n,
});

function addToProduct(product: ProductFigures, { quantity }: Line, { kind, value, sold }: Seen): void {
  product.lines += 1;
  product.net_units += quantity;
  product.net_value += value;
  if (sold) {
    product.units_sold += quantity;
    product.gross_sales += value;
  } else if (kind === 'cancel') product.units_cancelled -= quantity;
  else if (kind === 'sale' && quantity > 0) product.units_given_at_zero_price += quantity;
  else if (kind === 'sale') product.units_stock_adjustment += quantity;
}

function groupFigures(path: string, groups: ReadonlyMap<string, Group>, more: (group: Group) => Figures): Figures {
  return Object.fromEntries(
    [...groups].flatMap(([name, group]) =>
      Object.entries({ lines: group.lines, invoices: group.invoices.size, net: formatValue(group.net), ...more(group) }).map(([figure, value]) => [
        `${path}.${name}.${figure}`,
        value,
      ]),
    ),
  );
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = make()));
  return found;
}

/** Per-product figures by path (`85099B.units_sold`), as a per-product truth file has them. */
export function productFigures(products: ReadonlyMap<string, ProductFigures>): Figures {
  return Object.fromEntries(
    [...products].flatMap(([sku, figures]) =>
      Object.entries(figures).map(([name, value]) => [`${sku}.${name}`, typeof value === 'bigint' ? formatValue(value) : value]),
    ),
  );
}
