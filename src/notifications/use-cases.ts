/**
 * From events to notifications, and from attempts to what became of them. A set of events costs a fixed number of statements.
 */
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Saying, Unit } from '../messaging/mailbox.ts';
import { LEASE_MS, type TaskKind, type Tasks, runTasks } from '../messaging/tasks.ts';
import type { Channel, RemoteChannel } from './channels.ts';
import { type Delivery, type Occasion, type Outcome, notificationOf, progress } from './domain.ts';
import { claimNotifications, insertNotifications, progressNotifications } from './store.ts';

export interface NotificationsContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  readonly channels: readonly Channel[];
}

export interface NotificationUseCases {
  tell(unit: Unit, occasions: readonly Occasion[]): Promise<void>;
  /** Sending over the channel that can fail; absent when there is none. */
  readonly deliveries: TaskKind<Delivery, Outcome> | undefined;
  /** What sends. */
  readonly tasks: Tasks<Delivery> | undefined;
}

export function notificationUseCases({ mailbox, telemetry, channels }: NotificationsContext): NotificationUseCases {
  const { world } = mailbox;
  const remote = channels.find((channel): channel is RemoteChannel => channel.name === 'email');

  async function tell({ tx, now, say }: Unit, occasions: readonly Occasion[]): Promise<void> {
    const made = occasions.flatMap((occasion) =>
      channels.flatMap((channel) => {
        const recipient = channel.recipientOf(occasion.data.customer);
        if (recipient === undefined) return [];
        const dueAt = channel.name === 'log' ? null : now + LEASE_MS;
        return [{ occasion, channel, notification: notificationOf(occasion, { channel: channel.name, recipient, dueAt }, now) }];
      }),
    );
    const stored = await insertNotifications(
      tx,
      made.map(({ notification }) => notification),
    );
    const fresh = made.filter(({ notification }) => stored.delete(notification.id));
    const sent = fresh.filter(({ notification }) => notification.status === 'sent');
    say(sent.map(({ occasion, notification }) => ({ ...sentSaying(notification), cause: occasion })));
    tx.afterCommit(() => {
      for (const { channel, notification, occasion } of fresh) if (channel.name === 'log') channel.show(notification, occasion.traceparent);
      tasks?.poke(fresh.flatMap(({ channel, notification }) => (channel === remote ? [notification] : [])));
    });
  }

  const deliveries = remote && deliveriesOver(remote);
  function deliveriesOver(channel: RemoteChannel): TaskKind<Delivery, Outcome> {
    return {
      name: 'notifications',
      concurrency: channel.concurrency,
      claim: ({ tx, now }, { limit, leaseUntil }) => claimNotifications(tx, { now, limit, leaseUntil }),
      async perform(notification) {
        const begun = world.now();
        const outcome = await channel.send(notification);
        telemetry.metrics.providerCalls.observe({ provider: channel.name, call: 'send', outcome: outcome.result }, (world.now() - begun) / 1_000);
        return outcome;
      },
      unanswered: { result: 'again', error: 'the mail server did not answer in time' },
      async conclude({ tx, now, say }, done) {
        // Of two outcomes of one attempt the one that sent it counts.
        const sentLast = [...done].sort((a, b) => Number(a.outcome.result === 'sent') - Number(b.outcome.result === 'sent'));
        const outcomes = new Map(sentLast.map((one) => [one.task.id, one]));
        const next = [...outcomes.values()].map(({ task, outcome }) => ({ task, next: progress(task.attempts, outcome, now) }));
        const recorded = await progressNotifications(
          tx,
          next.map(({ task: { id }, next }) => ({ ...next, id, updated_at: now })),
        );
        say(
          next.flatMap(({ task, next: { status, error } }): Saying[] => {
            if (!recorded.has(task.id) || status === 'pending') return [];
            const cause = { id: task.event_id, hops: 0, correlationid: task.order_id };
            return [{ ...(status === 'sent' ? sentSaying(task) : failedSaying(task, error ?? '')), cause }];
          }),
        );
      },
    };
  }
  const tasks = deliveries && runTasks(mailbox, telemetry, deliveries);

  return { tell, deliveries, tasks };
}

// A notification ends once, so that is the first and last event of its stream.
const sentSaying = ({ id, event_id, topic, order_id }: Delivery): Saying => ({
  type: 'notification.sent',
  subject: id,
  sequence: 1,
  correlationid: order_id,
  data: { notification_id: id, event_id, topic },
});
const failedSaying = ({ id, event_id, topic, order_id }: Delivery, reason: string): Saying => ({
  type: 'notification.failed',
  subject: id,
  sequence: 1,
  correlationid: order_id,
  data: { notification_id: id, event_id, topic, reason },
});
