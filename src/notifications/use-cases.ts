/**
 * From events to notifications, from attempts to what became of them, and once more when a person asks. A set of events costs a fixed
 * number of statements.
 */
import type { Message } from '../contracts/envelope.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Saying, Unit } from '../messaging/mailbox.ts';
import { type TaskKind, type Tasks, runTasks } from '../messaging/tasks.ts';
import type { Channel, RemoteChannel } from './channels.ts';
import { type Delivery, type Notification, type Occasion, type Outcome, notificationOf, progress, repeatOf } from './domain.ts';
import { textOf } from './domain-texts.ts';
import { claimNotifications, insertNotifications, progressNotifications, readNotification } from './store.ts';
import { preferencesOf, templatesOf } from './store-customers.ts';

export interface NotificationsContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  readonly channels: readonly Channel[];
}

export interface NotificationUseCases {
  tell(unit: Unit, occasions: readonly Occasion[]): Promise<void>;
  /** Says a notification once more. Throws the Refusals `notification_not_found`, `notification_state` and `notification_opted_out`. */
  resend(unit: Unit, id: string, options: { readonly even_if_opted_out: boolean }): Promise<Notification>;
  /** Sending over the channels that can fail; absent when there are none. */
  readonly deliveries: TaskKind<Delivery, Outcome> | undefined;
  /** What sends. */
  readonly tasks: Tasks<Delivery> | undefined;
}

/** A notification, and the event it is about, unless a person asked for it. */
interface Made {
  readonly notification: Notification;
  readonly channel: Channel;
  readonly cause?: Message;
}

export function notificationUseCases({ mailbox, telemetry, channels }: NotificationsContext): NotificationUseCases {
  const { world } = mailbox;
  const remotes = new Map(channels.filter((one): one is RemoteChannel => one.name !== 'log').map((one) => [one.name, one]));

  async function tell(unit: Unit, occasions: readonly Occasion[]): Promise<void> {
    const { tx, now } = unit;
    const preferences = await preferencesOf(
      tx,
      occasions.map(({ data }) => data.customer.id),
    );
    const templates = await templatesOf(
      tx,
      occasions.map(({ type }) => type),
    );
    const made = occasions.flatMap((occasion) => {
      const { customer } = occasion.data;
      const preference = preferences.get(customer.id);
      const text = textOf(occasion, templates, preference?.locale ?? customer.locale ?? null);
      const suppressed = preference?.opted_out.includes(occasion.type) ?? false;
      return channels.flatMap((channel): Made[] => {
        const recipient = channel.recipientOf(customer);
        if (recipient === undefined) return [];
        const address = { channel: channel.name, recipient, dueAt: dueAt(channel, now) };
        return [{ channel, notification: notificationOf(occasion, address, { text, suppressed, now }), cause: occasion }];
      });
    });
    await keep(unit, made);
  }

  const dueAt = ({ name }: Channel, now: number): number | null => (name === 'log' ? null : tasks!.leaseFrom(now));

  /** Stores what is not there yet; says and shows what is sent by that, and sends the rest. */
  async function keep({ tx, say }: Unit, made: readonly Made[]): Promise<void> {
    const stored = await insertNotifications(
      tx,
      made.map(({ notification }) => notification),
    );
    const fresh = made.filter(({ notification }) => stored.delete(notification.id));
    const sent = fresh.filter(({ notification }) => notification.status === 'sent');
    say(sent.map(({ notification, cause }) => ({ ...sentSaying(notification), ...(cause && { cause }) })));
    tx.afterCommit(() => {
      for (const { channel, notification, cause } of sent) if (channel.name === 'log') channel.show(notification, cause?.traceparent);
      tasks?.poke(fresh.flatMap(({ notification }) => (notification.status === 'pending' ? [notification] : [])));
    });
  }

  async function resend(unit: Unit, id: string, { even_if_opted_out }: { readonly even_if_opted_out: boolean }): Promise<Notification> {
    const { tx, now } = unit;
    const original = await readNotification(tx, mailbox.db.builder(), id);
    if (original === undefined) throw new Refusal('notification_not_found', `there is no notification ${id}`);
    const channel = channels.find(({ name }) => name === original.channel);
    if (channel === undefined) throw new Refusal('notification_state', `nothing is sent by ${original.channel} here any more`);
    const preference = original.customer_id === null ? undefined : (await preferencesOf(tx, [original.customer_id])).get(original.customer_id);
    if (preference?.opted_out.includes(original.topic) === true && !even_if_opted_out)
      throw new Refusal('notification_opted_out', `customer ${original.customer_id} wants to hear nothing of ${original.topic}`);
    const notification = repeatOf(original, { id: world.id('ntf'), dueAt: dueAt(channel, now), now });
    await keep(unit, [{ notification, channel }]);
    return notification;
  }

  const deliveries: TaskKind<Delivery, Outcome> | undefined = remotes.size === 0 ? undefined : deliveriesOver(remotes);
  function deliveriesOver(open: ReadonlyMap<string, RemoteChannel>): TaskKind<Delivery, Outcome> {
    return {
      name: 'notifications',
      concurrency: [...open.values()].reduce((sum, { concurrency }) => sum + concurrency, 0),
      claim: ({ tx, now }, { limit, leaseUntil }) => claimNotifications(tx, [...open.keys()], { now, limit, leaseUntil }),
      async perform(notification) {
        const begun = world.now();
        const channel = open.get(notification.channel)!;
        const outcome = await channel.send(notification);
        telemetry.metrics.providerCalls.observe({ provider: channel.name, call: 'send', outcome: outcome.result }, (world.now() - begun) / 1_000);
        return outcome;
      },
      unanswered: { result: 'again', error: 'there was no answer in time' },
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

  return { tell, resend, deliveries, tasks };
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
