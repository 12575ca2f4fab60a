/**
 * Rows as text: CSV (RFC 4180, UTF-8, a header line) and NDJSON (one JSON object a line). Both stream, so a file may be of any size.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import type { Cell, Column, Kind, Row } from './kinds.ts';

export const FORMATS = ['csv', 'ndjson'] as const;
export type Format = (typeof FORMATS)[number];

/** By the end of a file's name; CSV when that says nothing. */
export const formatOf = (file: string | undefined): Format => (/\.(ndjson|jsonl)$/i.test(file ?? '') ? 'ndjson' : 'csv');

/** A row as it was found, before anybody has judged it. */
export interface Found {
  /** Its line in the file, the first is 1. */
  readonly line: number;
  /** By column, as text; what NDJSON says otherwise is JSON. */
  readonly cells: Readonly<Record<string, string>>;
}

// A field with a quote, a comma or a line break stands in quotes, and its quotes are doubled: https://www.rfc-editor.org/rfc/rfc4180.
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const csvLine = (cells: readonly string[]): string => `${cells.map(quoted).join(',')}\r\n`;
const textOf = (cell: Cell | undefined): string =>
  cell === undefined || cell === null ? '' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell);

/** What comes before the first row. */
export const headOf = (format: Format, columns: readonly string[]): string => (format === 'csv' ? csvLine(columns) : '');

/** A row as a line, with these columns in this order. */
export function lineOf(format: Format, columns: readonly string[], row: Row): string {
  if (format === 'csv') return csvLine(columns.map((name) => textOf(row[name])));
  return `${JSON.stringify(Object.fromEntries(columns.map((name) => [name, row[name] ?? null])))}\n`;
}

/** Streams the rows of a file; `advanced` is told how many bytes have been read. Throws for a file that is no such file. */
export async function* readRows(file: string, format: Format, advanced: (bytes: number) => void): AsyncGenerator<Found> {
  const input = createReadStream(file);
  if (format === 'csv') {
    const options = { bom: true, info: true, columns: true, skip_empty_lines: true, relax_column_count: true } as const;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `columns` and `info` make its records these
    const records = input.pipe(parse(options)) as AsyncIterable<{ record: Record<string, string>; info: { lines: number } }>;
    for await (const { record, info } of records) {
      advanced(input.bytesRead);
      yield { line: info.lines, cells: record };
    }
    return;
  }
  let line = 0;
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    advanced(input.bytesRead);
    line += 1;
    const plain = line === 1 ? text.replace(/^\uFEFF/, '') : text;
    if (plain.trim() !== '') yield { line, cells: cellsOf(plain, line) };
  }
}

function cellsOf(text: string, line: number): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`line ${line} is not JSON: each line must be one object`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`line ${line} is not a JSON object`);
  return Object.fromEntries(Object.entries(value as Row).map(([name, cell]) => [name, textOf(cell)]));
}

/** A row out of its texts, or the complaints about it, each with its column. Columns nobody knows are a complaint too, but `error` and `line`. */
export function understand({ columns, needed }: Kind, cells: Found['cells']): { readonly row: Row } | { readonly complaints: readonly string[] } {
  const complaints: string[] = [];
  const row: Record<string, Cell> = {};
  for (const name of Object.keys(cells))
    if (!Object.hasOwn(columns, name) && name !== 'error' && name !== 'line')
      complaints.push(`${name}: no such column. There are ${Object.keys(columns).join(', ')}.`);
  for (const [name, column] of Object.entries(columns)) {
    const text = cells[name] ?? '';
    if (text === '' && needed.includes(name)) complaints.push(`${name}: is missing.`);
    if (text === '') continue;
    const cell = cellOf(column, text);
    if (cell === undefined) complaints.push(`${name}: ${column === 'json' ? 'is not JSON' : 'must be a whole number, without separators'}.`);
    else row[name] = cell;
  }
  return complaints.length > 0 ? { complaints } : { row };
}

function cellOf(column: Column, text: string): Cell | undefined {
  if (column === 'text') return text;
  if (column === 'number') return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
