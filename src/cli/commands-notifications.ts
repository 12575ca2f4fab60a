/** The commands about what customers are told. */
import { Command } from 'commander';
import { type Common, ask, defined, group, wholeNumber } from './command.ts';
import * as notifications from './notifications.ts';

export function notificationCommands(): Command {
  const list = new Command('list')
    .description('list what customers were told, the newest event first')
    .option('--order <id>', 'only about this order')
    .option('--status <status>', 'pending, sent, failed or suppressed')
    .option('--limit <n>', 'at most so many', wholeNumber, 50);
  const show = new Command('show').description('show one with its words').argument('<notification>', 'its id');
  const resend = new Command('resend')
    .description('say one once more, to the same recipient in the same words')
    .argument('<notification>', 'its id')
    .option('--even-if-opted-out', 'the customer asked for it, although he has opted out of the topic', false);
  return group('notifications', 'what customers were told', [
    ask<Common & notifications.NotificationFilter>(list, ({ client, output }, { order, status, limit }) =>
      notifications.listNotifications(client, output, { limit, ...defined({ order, status }) }),
    ),
    ask(show, ({ client, output }, _options, [id = '']) => notifications.showNotification(client, output, id)),
    ask<Common & { evenIfOptedOut: boolean }>(resend, ({ client, output }, { evenIfOptedOut }, [id = '']) =>
      notifications.resendNotification(client, output, id, evenIfOptedOut),
    ),
  ]);
}
