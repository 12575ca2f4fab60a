/**
 * The lines of an Online Retail file, one after the other, exactly as they stand: nothing is rounded, merged or dropped here.
 *
 * Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
 */
import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { parseDecimal } from '../../kernel/money.ts';

/** Prices and values are exact: integers of 10^-6 of a pound. The file has up to three decimals, a float in between would lose them. */
export const VALUE_DIGITS = 6;
/** A penny in those units. */
export const PENNY = 10_000n;

export interface Line {
  /** Its line in the file, as an editor counts them; the header is line 1. */
  readonly line: number;
  readonly invoice: string;
  /** The StockCode, letter case and all. */
  readonly sku: string;
  readonly description: string;
  readonly quantity: number;
  /** In 10^-6 pounds. */
  readonly unit_price: bigint;
  /** Empty when the file names nobody. */
  readonly customer: string;
  readonly country: string;
  /** `2011-07-24 11:55`: the shop's wall clock; empty when the file's date cannot be read. */
  readonly at: string;
}

/** A line that cannot be understood, with the reason; it is accounted for like any other. */
export interface Unreadable {
  readonly line: number;
  readonly invoice: string;
  readonly sku: string;
  readonly problem: string;
}

export const isUnreadable = (line: Line | Unreadable): line is Unreadable => 'problem' in line;

const COLUMNS = ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID', 'Country'] as const;

/** Streams a file. Throws when its header is not that of an Online Retail file, or its quotes never end. */
export async function* readLines(file: string): AsyncGenerator<Line | Unreadable> {
  const parser = createReadStream(file).pipe(parse({ bom: true, info: true, relax_column_count: true, skip_empty_lines: true }));
  let header = true;
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    if (header) checkHeader(record);
    else yield toLine(record, info.lines);
    header = false;
  }
  if (header) checkHeader([]);
}

function checkHeader(record: readonly string[]): void {
  const wrong = COLUMNS.find((column, i) => record[i] !== column);
  if (wrong !== undefined)
    throw new Error(`this is no Online Retail file: its first line must read ${COLUMNS.join(',')}, and ${wrong} is missing or elsewhere`);
}

/** One record as a line. Pure. */
export function toLine(record: readonly string[], line: number): Line | Unreadable {
  const [invoice = '', sku = '', description = '', quantityText = '', dateText = '', priceText = '', customer = '', country = ''] = record;
  const quantity = Number(quantityText);
  const unitPrice = parseDecimal(priceText, VALUE_DIGITS);
  const unreadable = (problem: string): Unreadable => ({ line, invoice, sku, problem });
  if (record.length !== COLUMNS.length) return unreadable(`${record.length} fields instead of ${COLUMNS.length}`);
  if (!/^[AC]?\d{6}$/.test(invoice)) return unreadable(`"${invoice}" is no invoice number`);
  if (sku.trim() === '') return unreadable('no stock code');
  if (!/^-?\d{1,9}$/.test(quantityText) || quantity === 0) return unreadable(`"${quantityText}" is no quantity`);
  if (unitPrice === undefined) return unreadable(`"${priceText}" is no price`);
  return { line, invoice, sku, description: description.trim(), quantity, unit_price: unitPrice, customer, country, at: wallClock(dateText) };
}

/** `7/24/2011 11:55` → `2011-07-24 11:55`. */
function wallClock(text: string): string {
  const match = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{2})$/.exec(text);
  if (!match) return '';
  const [, month, day, year, hour, minute] = match as unknown as readonly string[];
  const two = (digits: string | undefined): string => (digits ?? '').padStart(2, '0');
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${minute}`;
}
