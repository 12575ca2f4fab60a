/** The commands that carry products, stock and orders in and out as files. */
import { Command, Option } from 'commander';
import { type Common, ask, defined, group, wholeNumber, world } from './command.ts';
import { openClient } from './client.ts';
import { openProgress } from './progress.ts';
import { urlFrom } from './settings.ts';
import { exportTable, importTable } from './tables/carry.ts';
import { KINDS, type KindName } from './tables/kinds.ts';
import { FORMATS, type Format, formatOf } from './tables/rows.ts';

const names = Object.keys(KINDS) as KindName[];
const format = (): Option => new Option('--format <format>', 'by default as the file is named, else csv').choices(FORMATS);

export function exportCommands(): Command {
  const all = names.map((kind) => {
    const command = new Command(kind)
      .description(`write all ${kind} as rows`)
      .addOption(format())
      .option('--out <file>', 'a file; standard output when absent');
    return ask<Common & { format?: Format; out?: string }>(command, ({ client, output }, { out, format: asked = formatOf(out) }) =>
      exportTable(client, output, { kind, format: asked, ...defined({ out }) }, process.stdout),
    );
  });
  return group('export', 'write products, stock or orders as CSV or NDJSON', all);
}

interface Options extends Common {
  readonly format?: Format;
  readonly errors?: string;
  readonly concurrency: number;
  readonly wait: number;
}

/** Added to the other imports. */
export const tableImports = (): Command[] =>
  names.map((kind) => {
    const command = new Command(kind)
      .description(`bring in ${kind} from a CSV or NDJSON file; run again, what is there stays as it is`)
      .argument('<file>', 'with the columns an export has')
      .addOption(format())
      .option('--errors <file>', 'where rows go that could not be taken (default: beside the file)')
      .option('--concurrency <n>', 'requests under way at once', wholeNumber, 16)
      .option('--wait <seconds>', 'how long to go on when the server is away', wholeNumber, 120);
    return ask<Options>(command, ({ output }, { url, errors, wait, concurrency, format: asked }, [file = '']) => {
      const progress = openProgress(world, process.stderr);
      const client = openClient({ url: urlFrom(url), world, patience: wait * 1_000, waiting: (why) => progress.waiting(why) });
      const how = asked ?? formatOf(file);
      return importTable(client, output, { kind, format: how, file, concurrency, errors: errors ?? `${file}.errors.${how}` }, progress);
    });
  });
