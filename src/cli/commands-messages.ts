/** The commands about messages: dead letters and consumers. */
import { Command } from 'commander';
import { type Common, ask, defined, group, wholeNumber } from './command.ts';
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
  const redrive = new Command('redrive').description('send it again to the consumer that gave it up').argument(...id);
  const discard = new Command('discard')
    .description('give it up for good')
    .argument(...id)
    .requiredOption('--reason <text>', 'kept, for those who ask later');
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
    ask(redrive, ({ client, output }, _options, [name = '']) => messages.redriveDeadLetter(client, output, name)),
    ask<Common & { reason: string }>(discard, ({ client, output }, { reason }, [name = '']) =>
      messages.discardDeadLetter(client, output, name, reason),
    ),
  ];
  return group('dead-letters', 'messages a consumer gave up', all);
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
