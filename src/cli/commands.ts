/**
 * `waybill`: the table of commands. Each asks the server through its public HTTP API and prints the answer, for people or (`--json`)
 * for programs. Only `start` is the server itself.
 */
import { Command, CommanderError, Option } from 'commander';
import { audit } from './audit.ts';
import { type Common, ask, group, several, wholeNumber, world } from './command.ts';
import { consumerCommands, deadLetterCommands, gapCommands } from './commands-messages.ts';
import { notificationCommands } from './commands-notifications.ts';
import { returnCommands, shipmentCommands } from './commands-shipping.ts';
import { whatIfCommand } from './commands-stock.ts';
import { exportCommands, tableImports } from './commands-tables.ts';
import { doctor } from './doctor.ts';
import { importOnlineRetail } from './import/command.ts';
import * as orders from './orders.ts';
import { openOutput } from './print.ts';
import { CommandError, EXIT } from './problems.ts';
import { dataDirFrom, urlFrom } from './settings.ts';
import { applyTopology, planTopology } from './topology.ts';
import { VERSION } from '../version.ts';

const EXIT_CODES = `
Exit codes:
  ${EXIT.ok}   done, and all is as it should be
  ${EXIT.no}   the answer is no: refused, violations found, figures that differ
  ${EXIT.unreachable}   the server cannot be reached or cannot answer now
  ${EXIT.usage}  the command was not understood`;

/** What most people ask for. Not read out of config.ts: that would cost every command the 0.1 s it takes to load. */
const SETTINGS = `
Settings are environment variables, e.g. PORT=9000 DATA_DIR=/var/lib/waybill waybill start
  PORT          the port to listen on, 8000 by default
  DATA_DIR      the folder of the data, ./data by default
  DATABASE_URL  a PostgreSQL database in place of SQLite files
  SMTP_URL      a mail server; without one, notifications are written to the log
  LOG_LEVEL     how much is logged, info by default
docs/operating/settings.md lists all of them.`;

export function commands(): Command {
  const program = new Command('waybill').description(
    'Takes an order from checkout to doorstep, and can prove that nothing was lost, sold twice or charged twice.',
  );
  program.version(VERSION, '--version', 'say which version this is');
  program.addHelpText('after', EXIT_CODES).showHelpAfterError('Say `waybill --help`, or `waybill <command> --help`.').exitOverride();

  program.addCommand(startCommand());
  for (const command of [
    ...orderCommands(),
    shipmentCommands(),
    returnCommands(),
    whatIfCommand(),
    notificationCommands(),
    deadLetterCommands(),
    gapCommands(),
    consumerCommands(),
    ...proofCommands(),
    topologyCommands(),
    importCommands(),
    exportCommands(),
  ])
    program.addCommand(command);
  return inherit(program);
}

/** Settings that commander does not hand down to commands which were made apart from their parent. */
function inherit(parent: Command): Command {
  for (const child of parent.commands) inherit(child.copyInheritedSettings(parent));
  return parent;
}

function startCommand(): Command {
  return new Command('start')
    .description('start the server')
    .addHelpText('after', SETTINGS)
    .action(async () => {
      // Loaded only here: the other commands must not wait for a whole server to be read.
      const { runServer } = await import('../main.ts');
      process.exitCode = await runServer();
    });
}

function orderCommands(): Command[] {
  const place = new Command('place')
    .description('place an order and watch it until its parcel is ready')
    .requiredOption('--sku <sku>', 'what; may be repeated', several(String))
    .option('--quantity <n>', 'how many; once for all, or after each --sku (default: 1)', several(wholeNumber))
    .requiredOption('--customer <id>', 'for whom')
    .option('--name <name>', "the customer's name")
    .option('--email <address>', "the customer's mail address")
    .option('--currency <code>', 'ISO 4217', 'EUR')
    .option('--policy <name>', 'which stops the order makes')
    .option('--token <token>', 'stands for the card at the payment provider')
    .option('--external-id <id>', 'your own number of the order')
    .option('--key <key>', 'idempotency key: the same command with the same key is one order')
    .addOption(new Option('--watch', 'follow the order until it waits for a person or is over').default(process.stdout.isTTY, 'on a terminal'))
    .option('--no-watch', 'answer as soon as the order is accepted');
  const list = new Command('orders')
    .description('list orders, the newest first')
    .option('--status <status>', 'only orders of this status')
    .option('--customer <id>', 'only orders of this customer')
    .option('--limit <n>', 'at most so many', wholeNumber, 20);
  const show = new Command('show')
    .description('show an order with its lines and its timeline')
    .argument('<order>', 'the id or the number of an order');
  const explain = new Command('explain')
    .description('say what an order waits for, since when, who must act and by when')
    .argument('<order>', 'the id or the number of an order');
  return [
    ask<Common & Omit<orders.PlaceOptions, 'quantity'> & { quantity?: number[] }>(place, ({ client, output }, options) =>
      orders.place(client, world, output, { ...options, quantity: options.quantity ?? [] }),
    ),
    ask<Common & { status?: string; customer?: string; limit: number }>(list, ({ client, output }, options) =>
      orders.listOrders(client, output, options),
    ),
    ask(show, ({ client, output }, _options, [id = '']) => orders.showOrder(client, output, id)),
    ask(explain, ({ client, output }, _options, [id = '']) => orders.explainOrder(client, output, id)),
  ];
}

function proofCommands(): Command[] {
  const check = new Command('audit')
    .description('recompute every balance and every status from the beginning')
    .option('--last', 'the result of the last pass instead of a new one', false);
  const look = new Command('doctor').description('look at everything that commonly goes wrong, and say what to do');
  return [
    ask<Common & { last: boolean }>(check, ({ client, output }, options) => audit(client, output, options)),
    ask(look, ({ client, output }) => doctor(client, world, output, dataDirFrom())),
  ];
}

/** They speak to the broker themselves, with the settings of the server: there may be no server yet. */
function topologyCommands(): Command {
  const plan = new Command('plan').description('what is missing or different at the RabbitMQ of AMQP_URL; changes nothing');
  const apply = new Command('apply')
    .description('create what is missing')
    .option('--migrate', 'replace queues that differ, moving what is in them', false);
  plan.option('--json', 'print one JSON document').action(async () => {
    process.exitCode = await planTopology(openOutput(plan.opts<Common>().json === true));
  });
  apply.option('--json', 'print one JSON document').action(async () => {
    const { json, migrate } = apply.opts<Common & { migrate: boolean }>();
    process.exitCode = await applyTopology(openOutput(json === true), { migrate });
  });
  return group('topology', 'exchanges and queues at RabbitMQ', [plan, apply]);
}

function importCommands(): Command {
  const retail = new Command('online-retail')
    .description('bring in a file of the Online Retail dataset: products, stock, an order for every sale, and what comes back')
    .argument('<file>', 'a CSV file; examples/online-retail has one')
    .option('--truth <file>', 'compare with figures computed independently')
    .option('--report <file>', 'write everything, exceptions line by line, as JSON')
    .option('--concurrency <n>', 'requests under way at once', wholeNumber, 32)
    .option('--wait <seconds>', 'how long to go on when the server is away, or no order moves', wholeNumber, 120)
    .option('--dispatch', 'also hand over and deliver the parcels of which nothing comes back', false);
  interface Options extends Common {
    truth?: string;
    report?: string;
    concurrency: number;
    wait: number;
    dispatch: boolean;
  }
  ask<Options>(retail, ({ output }, { url, ...options }, [file = '']) => importOnlineRetail(file, { ...options, url: urlFrom(url) }, world, output));
  return group('import', 'bring in data; run again, it changes nothing', [retail, ...tableImports()]);
}

/** Runs a command line. What goes wrong is said in sentences and told by the exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await commands().parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Asking for help is no mistake; everything else commander throws is, and it has already said what.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    if (!(error instanceof CommandError)) {
      process.stderr.write(`Something broke that should not: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = EXIT.no;
      return;
    }
    process.exitCode = error.exitCode;
    if (argv.includes('--json'))
      process.stdout.write(`${JSON.stringify({ ok: false, code: error.code, error: error.message, more: error.more }, undefined, 2)}\n`);
    else process.stderr.write(`${[error.message, ...error.more].join('\n')}\n`);
  }
}
