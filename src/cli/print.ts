/**
 * What commands print: tables for people, JSON for programs. Standard output is for answers, standard error for everything else.
 */
import { stripVTControlCharacters, styleText } from 'node:util';
import Table from 'cli-table3';
import { formatMoney } from '../kernel/money.ts';

export interface Output {
  /** `--json`: one JSON document on standard output, nothing else there. */
  readonly json: boolean;
  /** Prints an answer: `value` as JSON, or what `people` makes of it. */
  answer(value: unknown, people: () => string): void;
  /** Prints a line to standard error, for people only. */
  note(line: string): void;
}

export interface Streams {
  readonly out: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export function openOutput(json: boolean, { out, err }: Streams = { out: process.stdout, err: process.stderr }): Output {
  return {
    json,
    answer: (value, people) => void out.write(`${json ? JSON.stringify(value, undefined, 2) : people()}\n`),
    note: (line) => void (json ? undefined : err.write(`${line}\n`)),
  };
}

/** A number, an amount of money, or nothing. */
const isNumber = (value: unknown): boolean =>
  typeof value === 'number' || (typeof value === 'string' && /^([-+]?[\d,]+(\.\d+)?( [A-Z]{3})?)?$/.test(stripVTControlCharacters(value)));

/** A table; columns whose values are numbers are set to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  if (rows.length === 0) return faint('(none)');
  const numeric = head.map((_, i) => rows.every((row) => isNumber(row[i])));
  const drawn = new Table({
    head: head.map((title) => bold(title)),
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' }, // oxfmt-ignore
  });
  drawn.push(...rows.map((row) => row.map((value) => value ?? '')));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Names and values, one a line; what is empty is left out. */
export function facts(pairs: readonly (readonly [name: string, value: string | number | null | undefined])[]): string {
  const told = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(...told.map(([name]) => name.length));
  return told.map(([name, value]) => `${faint(name.padEnd(width))}  ${value}`).join('\n');
}

// styleText leaves colours out by itself where there is no terminal, or NO_COLOR is set.
export const bold = (text: string): string => styleText('bold', text);
export const faint = (text: string): string => styleText('dim', text);
export const good = (text: string): string => styleText('green', text);
export const bad = (text: string): string => styleText('red', text);
export const warning = (text: string): string => styleText('yellow', text);

export const money = (amount: number, currency: string): string => formatMoney(amount, currency);

/** `2026-03-01T09:30:00.000Z` → `2026-03-01 09:30:00 UTC`. */
export const moment = (at: string | null | undefined): string => (at ? `${at.slice(0, 19).replace('T', ' ')} UTC` : '');

/** `37634` → `37,634`. */
export const count = (n: number): string => n.toLocaleString('en-GB');

/** `1, 'order'` → `1 order`; `2, 'order'` → `2 orders`. */
export const plural = (n: number, noun: string, nouns = `${noun}s`): string => `${count(n)} ${n === 1 ? noun : nouns}`;
