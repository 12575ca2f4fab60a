/**
 * A file read twice: once to learn what must be there before the first order (products, opening stock), once invoice by invoice.
 * Both readings stream; memory grows with products, invoices and what each customer bought of each product.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type Counting, startCounting } from './figures.ts';
import { type Line, PENNY, type Unreadable, isUnreadable, readLines } from './lines.ts';
import { type MatchedPlan, SERVICE_CODES, planInvoice } from './mapping.ts';
import { startMatching } from './matching.ts';

export interface ScannedProduct {
  readonly sku: string;
  /** The first description its lines have; the sku when they have none. */
  name: string;
  /** The first price above zero it is sold at, in whole pennies. */
  price: number;
  /** Pieces the orders and write-offs of the file take: the stock it must open with. */
  opening: number;
}

export interface Scan {
  /** SHA-256 of the file: the identity of the import. */
  readonly sha256: string;
  /** In the order of their first line, so that the same file always numbers them alike. */
  readonly products: readonly ScannedProduct[];
  readonly counting: Counting;
  readonly orders: number;
  readonly write_offs: number;
  /** The orders something is given back of, by `external_id`: those must be delivered first. */
  readonly given_back: ReadonlySet<string>;
}

/** The plans of a file, invoice by invoice. Lines of one invoice stand together; a number that comes up again begins a new part. */
export async function* readInvoices(file: string, seen: (line: Line | Unreadable) => void = () => undefined): AsyncGenerator<MatchedPlan> {
  const parts = new Map<string, number>();
  let lines: (Line | Unreadable)[] = [];
  const matching = startMatching();
  const plan = (): MatchedPlan => {
    const { invoice } = lines[0]!;
    const part = (parts.get(invoice) ?? 0) + 1;
    parts.set(invoice, part);
    return matching.match(planInvoice(invoice, lines, part));
  };
  for await (const line of readLines(file)) {
    seen(line);
    if (lines.length > 0 && lines[0]!.invoice !== line.invoice) {
      yield plan();
      lines = [];
    }
    lines.push(line);
  }
  if (lines.length > 0) yield plan();
}

/** The first reading. */
export async function scan(file: string): Promise<Scan> {
  const counting = startCounting();
  const products = new Map<string, ScannedProduct>();
  let orders = 0;
  let writeOffs = 0;
  const givenBack = new Set<string>();

  function seen(line: Line | Unreadable): void {
    counting.add(line);
    if (isUnreadable(line) || SERVICE_CODES.has(line.sku)) return;
    const known = products.get(line.sku);
    if (known === undefined) products.set(line.sku, { sku: line.sku, name: line.description || line.sku, price: priceOf(line), opening: 0 });
    else {
      if (known.name === known.sku && line.description !== '') known.name = line.description;
      if (known.price === 0) known.price = priceOf(line);
    }
  }

  for await (const { order, write_offs: gone, returns, refunds } of readInvoices(file, seen)) {
    if (order !== undefined) orders += 1;
    writeOffs += gone.length;
    for (const back of [...returns, ...refunds]) givenBack.add(back.order);
    for (const { sku, quantity } of [...(order?.lines ?? []), ...gone]) products.get(sku)!.opening += quantity;
  }
  return { sha256: await sha256Of(file), products: [...products.values()], counting, orders, write_offs: writeOffs, given_back: givenBack };
}

/** The price of a sale in whole pennies; 0 for everything that is no sale at a price. */
const priceOf = ({ invoice, quantity, unit_price: price }: Line): number =>
  /^\d/.test(invoice) && quantity > 0 && price > 0n ? Number(price / PENNY) : 0;

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
