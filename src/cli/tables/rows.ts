/**
 * Rows as text: CSV (RFC 4180, UTF-8, a header line) and NDJSON (one JSON object a line). Both stream, so a file may be of any size.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
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
  /** Cells that have no column: more commas than there should be. */
  readonly beyond: readonly string[];
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

/** Streams the rows of a file; `advanced` is told how many bytes have been read. Throws for a file that is no such file, with the line. */
export async function* readRows(file: string, format: Format, kind: Kind, advanced: (bytes: number) => void): AsyncGenerator<Found> {
  const input = createReadStream(file);
  const text = Readable.from(decoded(input), { objectMode: false });
  for await (const found of format === 'csv' ? csvRows(text, kind) : ndjsonRows(text)) {
    advanced(input.bytesRead);
    yield found;
  }
}

/** A byte order mark is left out. Throws for what is not UTF-8: guessed letters would be kept for good. */
async function* decoded(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const bytes of input) yield decoder.decode(bytes, { stream: true });
    yield decoder.decode();
  } catch (error) {
    throw error instanceof TypeError ? new Error('it is not UTF-8: save it as UTF-8 and import that') : error;
  }
}

async function* csvRows(text: Readable, kind: Kind): AsyncGenerator<Found> {
  const parser = parse({ info: true, skip_empty_lines: true, relax_column_count: true });
  text.on('error', (error) => parser.destroy(error));
  text.pipe(parser);
  let head: readonly string[] | undefined;
  let line = 1;
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    if (head === undefined) checkHead((head = record.map((name) => name.trim())), kind);
    else yield { line, cells: Object.fromEntries(head.map((name, i) => [name, record[i] ?? ''])), beyond: record.slice(head.length) };
    line = info.lines + 1;
  }
  if (head === undefined) throw new Error('it is empty: its first line must name the columns');
}

function checkHead(head: readonly string[], { columns, needed }: Kind): void {
  const known = (name: string): boolean => Object.hasOwn(columns, name) || name === 'error' || name === 'line';
  const faults = [
    ...needed.filter((name) => !head.includes(name)).map((name) => `no column ${name}`),
    ...head.filter((name) => !known(name)).map((name) => `a column "${name}" that is not known`),
    ...head.filter((name, i) => head.indexOf(name) < i).map((name) => `the column ${name} twice`),
  ];
  if (faults.length > 0)
    throw new Error(`its first line has ${faults.join(', ')}; there are ${Object.keys(columns).join(', ')}, with commas between them`);
}

async function* ndjsonRows(text: Readable): AsyncGenerator<Found> {
  let line = 0;
  for await (const row of createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (row.trim() !== '') yield { line, cells: cellsOf(row, line), beyond: [] };
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

/** A row out of its texts, or the complaints about it, each with its column. */
export function understand(
  { columns, needed }: Kind,
  { cells, beyond }: Pick<Found, 'cells' | 'beyond'>,
): { readonly row: Row } | { readonly complaints: readonly string[] } {
  const complaints: string[] = [];
  if (beyond.length > 0)
    complaints.push(`more cells than columns: ${JSON.stringify(beyond.join(','))}. Put quotes around a cell with a comma in it.`);
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
