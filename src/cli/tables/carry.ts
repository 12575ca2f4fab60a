/**
 * `waybill export` and `waybill import` of products, stock and orders.
 *
 * An import may be run again, after mending or after a kill: rows that are there already are found and change nothing. A row that cannot be taken
 * is kept with its reason, in a file of the same form that can be mended and brought in by itself; the others go on.
 */
import { createWriteStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from '../client.ts';
import { forEach } from '../import/pool.ts';
import { type Output, count, good, plural, table, warning } from '../print.ts';
import { CommandError, EXIT, type ExitCode } from '../problems.ts';
import type { Progress } from '../progress.ts';
import { type Fate, KINDS, type KindName } from './kinds.ts';
import { type Format, type Found, headOf, lineOf, readRows, understand } from './rows.ts';

export interface Export {
  readonly kind: KindName;
  readonly format: Format;
  /** Standard output when absent. */
  readonly out?: string;
}

/** A file gets its name when it is whole; whoever reads our output may stop reading. */
export async function exportTable(client: Client, output: Output, { kind, format, out }: Export, stdout: Writable): Promise<ExitCode> {
  const columns = Object.keys(KINDS[kind].columns);
  let rows = 0;
  async function* lines(): AsyncGenerator<string> {
    yield headOf(format, columns);
    for await (const row of KINDS[kind].rows(client)) {
      yield lineOf(format, columns, row);
      rows += 1;
    }
  }
  if (out === undefined) {
    await pipeline(lines, stdout, { end: false }).catch(unlessNobodyReads);
    return EXIT.ok;
  }
  const part = `${out}.part`;
  try {
    await pipeline(lines, createWriteStream(part));
    await rename(part, out);
  } catch (error) {
    await rm(part, { force: true });
    throw error instanceof CommandError ? error : unwritable(out, error);
  }
  output.answer({ kind, rows, file: out }, () => good(`${plural(rows, 'row')} of ${kind} in ${out}`));
  return EXIT.ok;
}

function unlessNobodyReads(error: unknown): void {
  if (error instanceof CommandError) throw error;
  if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw unwritable('standard output', error);
}

const unwritable = (file: string, error: unknown): CommandError =>
  new CommandError(EXIT.no, `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`, { code: 'file_unwritable' });

export interface Import {
  readonly kind: KindName;
  readonly format: Format;
  readonly file: string;
  /** Where rows go that could not be taken. */
  readonly errors: string;
  readonly concurrency: number;
}

interface Tally extends Record<Fate, number> {
  refused: number;
}

export async function importTable(client: Client, output: Output, options: Import, progress: Progress): Promise<ExitCode> {
  const { kind, format, file, errors, concurrency } = options;
  const { size } = await stat(file).catch(() => Promise.reject(unreadable(file, 'it is not there, or may not be read')));
  if (await isSame(file, errors))
    throw new CommandError(EXIT.usage, `--errors names ${file} itself, which would be written over. Name another file.`, { code: 'usage' });
  const take = KINDS[kind].taker(client);
  const tally: Tally = { new: 0, changed: 0, 'as it was': 0, refused: 0 };
  const rejects = openRejects(errors, format, kind);
  let rows = 0;
  progress.step(kind, size);

  async function one({ line, cells, beyond }: Found): Promise<void> {
    const understood = understand(KINDS[kind], { cells, beyond });
    try {
      if ('complaints' in understood) throw new CommandError(EXIT.no, understood.complaints.join(' '));
      tally[await take(understood.row)] += 1;
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== EXIT.no) throw error;
      tally.refused += 1;
      await rejects.keep(line, cells, [error.message, ...error.more.map((one) => one.trim())].join('; '));
    }
  }
  const found = readRows(file, format, KINDS[kind], (bytes) => progress.reach(bytes, size, plural((rows += 1), 'row')));
  try {
    await forEach(found, concurrency, one);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw unreadable(file, error instanceof Error ? error.message : String(error));
  } finally {
    progress.end();
    await rejects.close();
  }
  output.answer({ kind, ...tally, ...(tally.refused > 0 ? { errors } : {}) }, () => summary(kind, tally, errors));
  return tally.refused === 0 ? EXIT.ok : EXIT.no;
}

const unreadable = (file: string, why: string): CommandError =>
  new CommandError(EXIT.no, `${file} cannot be read as it should be: ${why}.`, { code: 'file_unreadable' });

const summary = (kind: KindName, tally: Tally, errors: string): string =>
  [
    table(
      [kind, 'rows'],
      Object.entries(tally).map(([fate, rows]) => [fate, count(rows)]),
    ),
    Object.values(tally).every((rows) => rows === 0)
      ? warning('There was no row in it.')
      : tally.refused === 0
        ? good('Every row is in.')
        : warning(`${plural(tally.refused, 'row')} could not be taken: see ${errors}, mend them there, and import that file.`),
  ].join('\n');

/** By whatever name or link. */
async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = [await stat(one), await stat(other).catch(() => undefined)];
  return b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** Opened with the first row that is refused: where none was, no file is made. Rows are written one after the other. */
function openRejects(file: string, format: Format, kind: KindName) {
  const columns = ['line', 'error', ...Object.keys(KINDS[kind].columns)];
  let handle: FileHandle | undefined;
  let last = Promise.resolve();

  async function append(text: string): Promise<void> {
    try {
      if (handle === undefined) {
        handle = await open(file, 'w');
        await handle.appendFile(headOf(format, columns));
      }
      await handle.appendFile(text);
    } catch (error) {
      throw unwritable(file, error);
    }
  }
  return {
    keep(line: number, cells: Found['cells'], error: string): Promise<void> {
      const row = lineOf(format, columns, { ...cells, line, error });
      return (last = last.then(() => append(row)));
    },
    async close(): Promise<void> {
      await handle?.close();
    },
  };
}
