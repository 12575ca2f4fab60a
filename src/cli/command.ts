/**
 * What the tables of commands are made of: a command that asks the server, a group of them, and how their options are read.
 */
import { Command, InvalidArgumentError } from 'commander';
import { type Client, openClient } from './client.ts';
import { type Output, openOutput } from './print.ts';
import type { ExitCode } from './problems.ts';
import { DEFAULT_URL, urlFrom } from './settings.ts';
import { realWorld } from '../kernel/world.ts';

export const world = realWorld();

/** What every command but `start` takes. */
export interface Common {
  readonly url?: string;
  readonly json?: boolean;
}

type Asked = { readonly client: Client; readonly output: Output };

/** Runs a command with a client and an output; its exit code becomes the program's. */
export function ask<Options extends Common>(
  command: Command,
  run: (asked: Asked, options: Options, names: readonly string[]) => Promise<ExitCode>,
): Command {
  return command
    .option('--url <url>', `where Waybill is (default: WAYBILL_URL, else ${DEFAULT_URL})`)
    .option('--json', 'print one JSON document')
    .action(async (...given: unknown[]) => {
      const options = command.opts<Options>();
      const names = given.slice(0, command.registeredArguments.length).flat() as string[];
      const client = openClient({ url: urlFrom(options.url), world });
      process.exitCode = await run({ client, output: openOutput(options.json === true) }, options, names);
    });
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}
export const several =
  <Value>(read: (text: string) => Value) =>
  (text: string, before: readonly Value[] = []): Value[] => [...before, read(text)];

export function group(name: string, description: string, all: readonly Command[]): Command {
  const command = new Command(name).description(description);
  for (const one of all) command.addCommand(one);
  return command;
}

/** Without the fields that are undefined. */
export const defined = <Fields extends object>(fields: Fields): { [K in keyof Fields]?: Exclude<Fields[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof Fields]?: Exclude<Fields[K], undefined> };
