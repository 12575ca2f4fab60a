/** `waybill import online-retail FILE`. */
import { access, constants, writeFile } from 'node:fs/promises';
import type { World } from '../../kernel/world.ts';
import { openClient } from '../client.ts';
import type { Output } from '../print.ts';
import { CommandError, EXIT, type ExitCode } from '../problems.ts';
import { openProgress } from '../progress.ts';
import { reportOf, reportText } from './report.ts';
import { importFile } from './run.ts';
import { readTruth } from './truth.ts';
import { verify } from './verify.ts';

export interface ImportCommandOptions {
  readonly url: string;
  readonly truth?: string;
  readonly report?: string;
  readonly concurrency: number;
  readonly dispatch: boolean;
  /** Seconds to go on asking a server that is away, and to wait for orders that do not move. */
  readonly wait: number;
}

export async function importOnlineRetail(file: string, options: ImportCommandOptions, world: World, output: Output): Promise<ExitCode> {
  await readable(file);
  const truth = options.truth === undefined ? undefined : await readTruth(await readable(options.truth));
  const patience = options.wait * 1_000;
  const progress = openProgress(world, process.stderr);
  const client = openClient({ url: options.url, world, patience, waiting: (why) => progress.waiting(why) });
  await client.get('/health/live');
  const result = await importFile({ client, world, file, width: options.concurrency, progress, patience, dispatch: options.dispatch }).finally(() =>
    progress.end(),
  );
  const verification = await verify(client, result, truth);
  const report = reportOf(result, verification);
  if (options.report !== undefined) {
    await writeFile(options.report, `${JSON.stringify(report, undefined, 2)}\n`);
    output.note(`The whole report is in ${options.report}.`);
  }
  output.answer(report, () => reportText(result, verification));
  return verification.ok ? EXIT.ok : EXIT.no;
}

async function readable(file: string): Promise<string> {
  try {
    await access(file, constants.R_OK);
    return file;
  } catch {
    throw new CommandError(EXIT.no, `The file ${file} cannot be read.`, { more: ['Check the path and its permissions.'], code: 'file_unreadable' });
  }
}
