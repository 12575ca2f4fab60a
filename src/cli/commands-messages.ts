/** The commands about messages: dead letters, gaps and consumers. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Common, ask, defined, group, wholeNumber, world } from './command.ts';
import * as jobs from './dead-letter-jobs.ts';
import * as gaps from './gaps.ts';
import * as messages from './messages.ts';

export function deadLetterCommands(): Command {
  const id = ['<id>', 'the id of a dead letter'] as const;
  const list = new Command('list')
    .description('list dead letters, the newest first')
    .option('--status <status>', 'open, redriving, resolved or discarded', 'open')
    .option('--service <name>', 'only those of this service')
    .option('--type <type>', 'only messages of this type, e.g. stock.reserve')
    .option('--group <fingerprint>', 'only those that look alike; see dead-letters groups')
    .option('--order <id>', 'only those of this order')
    .option('--limit <n>', 'at most so many', wholeNumber, 50);
  const show = new Command('show').description('show a dead letter, why it failed and what was done about it').argument(...id);
  const groups = new Command('groups')
    .description('list dead letters by what they look like, the most frequent first')
    .option('--service <name>', 'only those of this service')
    .option('--type <type>', 'only messages of this type, e.g. stock.reserve')
    .option('--code <code>', 'only those with this error, e.g. provider_unavailable')
    .option('--recent', 'those that were added to last come first', false)
    .option('--all', 'those of which none is open any more, too', false)
    .option('--limit <n>', 'at most so many', wholeNumber, 50);
  const all = [
    ask<Common & messages.GroupsOptions>(groups, ({ client, output }, { service, type, code, recent, all, limit }) =>
      messages.listGroups(client, output, { recent, all, limit, ...defined({ service, type, code }) }),
    ),
    ask<Common & messages.DeadLetterFilter>(list, ({ client, output }, { status, service, type, group: fingerprint, order, limit }) =>
      messages.listDeadLetters(client, output, { limit, ...defined({ status, service, type, group: fingerprint, order }) }),
    ),
    ask(show, ({ client, output }, _options, [name = '']) => messages.showDeadLetter(client, output, name)),
    redriveCommand(),
    editCommand(),
    discardCommand(),
    jobCommands('redrive'),
    jobCommands('discard'),
  ];
  return group('dead-letters', 'messages a consumer gave up', all);
}

/** The options by which a job over many is told what it is about. */
const selecting = (command: Command): Command =>
  command
    .argument('[ids...]', 'ids of dead letters; or say by the options below which ones')
    .option('--group <fingerprint>', 'all that look alike; see dead-letters groups')
    .option('--service <name>', 'those of this service; needed when the others fit in several')
    .option('--consumer <name>', 'those this queue gave up')
    .option('--type <type>', 'messages of this type, e.g. stock.reserve')
    .option('--code <code>', 'those with this error, e.g. provider_unavailable')
    .option('--order <id>', 'those of this order')
    .option('--since <time>', 'first given up at this time or later, e.g. 2026-03-01T09:30:00Z')
    .option('--until <time>', 'first given up before this time')
    .option('--all', 'all that are open')
    .option('--dry-run', 'say how many of what kind it would be, and change nothing', false)
    .option('--key <key>', 'idempotency key: the same command with the same key is one job')
    .addOption(new Option('--watch', 'follow the job until it is over').default(process.stdout.isTTY, 'on a terminal'))
    .option('--no-watch', 'answer as soon as the job is accepted');

type Begin = Common & Omit<jobs.BeginOptions, 'ids'>;

function redriveCommand(): Command {
  const command = selecting(new Command('redrive').description('send dead letters again to the consumers that gave them up'))
    .option('--reason <text>', 'kept, for those who ask later; needed for many')
    .option('--rate <n>', 'messages a second, at most (default: 50)', wholeNumber)
    .option('--no-ramp', 'at full rate from the start, not one, ten, a hundred first')
    .option('--stop-above <percent>', 'stop when more than so many percent fail again (default: 10)', percent);
  return ask<Begin & { ramp: boolean }>(command, ({ client, output }, options, ids) => {
    const { url: _url, json: _json, ...asked } = options;
    if (jobs.isSingle({ ids, ...selectionIn(options) }) && !options.dryRun) return messages.redriveDeadLetter(client, output, ids[0]!);
    return jobs.begin(client, world, output, 'redrive', { ...asked, ids });
  });
}

function editCommand(): Command {
  const json = (text: string): object => {
    try {
      const data: unknown = JSON.parse(text);
      if (typeof data === 'object' && data !== null) return data;
    } catch {
      // Told below.
    }
    throw new InvalidArgumentError('write a JSON object, e.g. "$(cat data.json)".');
  };
  const command = new Command('edit')
    .description('send a dead letter again with other data, under a new message id')
    .argument('<id>', 'the id of a dead letter')
    .requiredOption('--data <json>', 'all of the data as they should have been; a token may stay redacted', json)
    .requiredOption('--reason <text>', 'kept, for those who ask later');
  return ask<Common & { readonly data: object; readonly reason: string }>(command, ({ client, output }, { data, reason }, [id = '']) =>
    messages.editDeadLetter(client, output, id, { data, reason }),
  );
}

function discardCommand(): Command {
  const command = selecting(new Command('discard').description('give dead letters up for good')).option(
    '--reason <text>',
    'kept, for those who ask later; needed',
  );
  return ask<Begin>(command, ({ client, output }, options, ids) => {
    const { url: _url, json: _json, ...asked } = options;
    if (jobs.isSingle({ ids, ...selectionIn(options) }) && !options.dryRun)
      return messages.discardDeadLetter(client, output, ids[0]!, options.reason ?? '');
    return jobs.begin(client, world, output, 'discard', { ...asked, ids });
  });
}

const selectionIn = ({
  service,
  group: fingerprint,
  consumer,
  type,
  code,
  order,
  since,
  until,
  all,
}: Omit<jobs.Selecting, 'ids'>): Omit<jobs.Selecting, 'ids'> =>
  defined({ service, group: fingerprint, consumer, type, code, order, since, until, all });

function percent(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100) throw new InvalidArgumentError('It must be a whole number from 0 to 100.');
  return Number(text);
}

/** What can be asked of the jobs there are. */
function jobCommands(action: jobs.Action): Command {
  const id = ['<id>', `the id of a ${action} of many`] as const;
  const because = (command: Command): Command => command.argument(...id).option('--reason <text>', 'kept, for those who ask later');
  const list = new Command('list')
    .description('list them, the newest first')
    .option('--state <state>', 'running, paused, stopped, cancelled or done')
    .option('--limit <n>', 'at most so many', wholeNumber, 20);
  const show = new Command('show')
    .description('how far it is, and who did what to it')
    .argument(...id)
    .option('--watch', 'follow it until it is over', false)
    .option('--outcome <outcome>', 'with those that ended so: succeeded, failed_again, skipped, …')
    .option('--limit <n>', 'so many of those at most', wholeNumber, 50);
  const pause = because(new Command('pause').description('send no more until resumed; what is on its way comes to its end'));
  const resume = because(new Command('resume').description('go on after a pause or a stop, slowly first')).option(
    '--rate <n>',
    'another rate from here on, messages a second',
    wholeNumber,
  );
  const cancel = because(new Command('cancel').description('end it; what it has not begun stays as it is'));
  type Order = Common & { reason?: string; rate?: number };
  const ordered = (command: Command, name: 'pause' | 'resume' | 'cancel'): Command =>
    ask<Order>(command, ({ client, output }, { reason, rate }, [job = '']) =>
      jobs.orderJob(client, output, action, name, job, defined({ reason, rate })),
    );
  return group(`${action}s`, `${action}s of many, and how far they are`, [
    ask<Common & { state?: string; limit: number }>(list, ({ client, output }, { state, limit }) =>
      jobs.listJobs(client, output, action, { limit, ...defined({ state }) }),
    ),
    ask<Common & jobs.ShowOptions>(show, ({ client, output }, { watch, outcome, limit }, [job = '']) =>
      jobs.showJob(client, world, output, action, job, { watch, limit, ...defined({ outcome }) }),
    ),
    ordered(pause, 'pause'),
    ordered(resume, 'resume'),
    ordered(cancel, 'cancel'),
  ]);
}

export function gapCommands(): Command {
  const list = new Command('list')
    .description('list what is missing, the oldest first')
    .option('--service <name>', 'only what this service lacks')
    .option('--order <id>', 'only in streams of this order')
    .option('--overdue', 'only what may be given up', false)
    .option('--limit <n>', 'at most so many', wholeNumber, 50);
  const skip = new Command('skip')
    .description('give up what is missing, so that what waits behind it goes on')
    .argument('<gap>', 'the id of a gap, e.g. orders-17')
    .requiredOption('--reason <text>', 'kept, for those who ask later');
  const skips = new Command('skips').description('list what was given up, by whom and why').option('--limit <n>', 'at most so many', wholeNumber, 50);
  const all = [
    ask<Common & gaps.GapsOptions>(list, ({ client, output }, { service, order, overdue, limit }) =>
      gaps.listGaps(client, output, { overdue, limit, ...defined({ service, order }) }),
    ),
    ask<Common & { reason: string }>(skip, ({ client, output }, { reason }, [id = '']) => gaps.skipGap(client, output, id, reason)),
    ask<Common & { limit: number }>(skips, ({ client, output }, { limit }) => gaps.listSkips(client, output, limit)),
  ];
  return group('gaps', 'messages that are missing in streams of strict order', all);
}

export function consumerCommands(): Command {
  const name = ['<name>', 'a consumer, e.g. payments'] as const;
  const list = new Command('list').description('how the consumers are, and what waits for them');
  const pause = new Command('pause')
    .description('take no more messages until resumed')
    .argument(...name)
    .requiredOption('--reason <text>', 'kept, for those who ask later');
  const resume = new Command('resume').description('take messages again').argument(...name);
  const all = [
    ask(list, ({ client, output }) => messages.listConsumers(client, output)),
    ask<Common & { reason: string }>(pause, ({ client, output }, { reason }, [consumer = '']) =>
      messages.pauseConsumer(client, output, consumer, reason),
    ),
    ask(resume, ({ client, output }, _options, [consumer = '']) => messages.resumeConsumer(client, output, consumer)),
  ];
  return group('consumers', 'those who handle messages', all);
}
