/** The commands about where goods come from. */
import { Command, Option } from 'commander';
import { type Common, ask, several, wholeNumber } from './command.ts';
import { type WhatIfOptions, whatIf } from './what-if.ts';

export function whatIfCommand(): Command {
  const command = new Command('what-if')
    .description('compare how the orders of a while were allocated with another way to do it; changes nothing')
    .option('--from <moment>', 'RFC 3339 (default: a day before --to)')
    .option('--to <moment>', 'RFC 3339 (default: now)')
    .addOption(new Option('--strategy <name>', 'instead of what each order asked').choices(['priority', 'fewest_parcels', 'nearest']))
    .option('--split', 'let every order come from several warehouses')
    .option('--no-split', 'let no order come from several warehouses')
    .option('--backorder', 'let every order wait for what is not there')
    .option('--no-backorder', 'let no order wait for what is not there')
    .option('--without-warehouse <id>', 'as if it had been closed; may be repeated', several(String))
    .option('--cost-per-parcel <n>', 'minor units', wholeNumber)
    .option('--cost-per-km <n>', 'minor units', wholeNumber)
    .option('--limit <n>', 'at most so many of the orders that differ', wholeNumber, 10);
  return ask<Common & WhatIfOptions>(command, ({ client, output }, options) => whatIf(client, output, options));
}
