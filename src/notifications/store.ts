/**
 * SQL of notifications. A row is the shape the domain works on.
 */
import type { Kysely } from 'kysely';
import { type Reader, type Tx, statement } from '../db/database.ts';
import type { Delivery, Notification, Progress } from './domain.ts';

type NewNotification = Omit<Notification, 'error' | 'version' | 'updated_at'>;

// What is there already was told before: a duplicate event inserts nothing.
const insertNew = statement<NewNotification, { id: string }>(
  {
    id: 'text',
    event_id: 'text',
    order_id: 'text',
    customer_id: 'text',
    topic: 'text',
    channel: 'text',
    recipient: 'text',
    subject: 'text',
    body: 'text',
    status: 'text',
    attempts: 'integer',
    due_at: 'bigint',
    sent_at: 'bigint',
    repeats: 'text',
    created_at: 'bigint',
  },
  (rows) => `
    insert into notification (id, event_id, order_id, customer_id, topic, channel, recipient, subject, body, status, attempts, due_at, sent_at, repeats,
      created_at, updated_at)
    select row.id, row.event_id, row.order_id, row.customer_id, row.topic, row.channel, row.recipient, row.subject, row.body, row.status, row.attempts, row.due_at,
      row.sent_at, row.repeats, row.created_at, row.created_at
    from ${rows} where true on conflict (id) do nothing returning id`,
);

// A row for each channel there is: what is to go another way waits until that is set up again.
const claimDue = statement<{ channel: string; now: number; lease_until: number; most: number }, Delivery>(
  { channel: 'text', now: 'bigint', lease_until: 'bigint', most: 'integer' },
  (rows, dialect) => `
    update notification set due_at = (select max(row.lease_until) from ${rows})
    where notification.id in (
      select due.id from notification due
      where due.due_at <= (select max(row.now) from ${rows}) and due.channel in (select row.channel from ${rows})
      order by due.due_at limit (select max(row.most) from ${rows}) ${dialect.skipLocked('due')})
    returning notification.id, notification.event_id, notification.order_id, notification.customer_id, notification.topic, notification.channel,
      notification.recipient, notification.subject, notification.body, notification.attempts, notification.created_at`,
);

type Progressed = Progress & { readonly id: string; readonly updated_at: number };

// Who concludes late, after somebody else has, finds another number of attempts and changes nothing.
const recordProgress = statement<Progressed, { id: string }>(
  { id: 'text', status: 'text', attempts: 'integer', due_at: 'bigint', error: 'text', sent_at: 'bigint', updated_at: 'bigint' },
  (rows) => `
    update notification set status = row.status, attempts = row.attempts, due_at = row.due_at, error = row.error, sent_at = row.sent_at,
      version = notification.version + 1, updated_at = row.updated_at
    from ${rows} where notification.id = row.id and notification.status = 'pending' and notification.attempts = row.attempts - 1
    returning notification.id`,
);

/** Stores notifications that are not there yet; answers their ids. */
export async function insertNotifications(tx: Tx, notifications: readonly Notification[]): Promise<Set<string>> {
  return new Set((await tx.run(insertNew, notifications)).map(({ id }) => id));
}

/** Leases notifications on these channels that are due, the longest waiting first. */
export const claimNotifications = (
  tx: Tx,
  channels: readonly string[],
  { now, leaseUntil, limit }: { now: number; leaseUntil: number; limit: number },
): Promise<Delivery[]> =>
  tx.run(
    claimDue,
    channels.map((channel) => ({ channel, now, lease_until: leaseUntil, most: limit })),
  );

/** Records what attempts came to; answers the ids of those nobody else had concluded. */
export async function progressNotifications(tx: Tx, progressed: readonly Progressed[]): Promise<Set<string>> {
  return new Set((await tx.run(recordProgress, progressed)).map(({ id }) => id));
}

export interface NotificationTables {
  notification: Notification;
}
export interface NotificationFilter {
  readonly order_id?: string | undefined;
  readonly status?: Notification['status'] | undefined;
}

/** Notifications, newest event first, after the one with the id `before`. */
export function listNotifications(
  read: Reader,
  builder: Kysely<NotificationTables>,
  { order_id, status }: NotificationFilter,
  page: { before: string | undefined; limit: number },
): Promise<Notification[]> {
  let query = builder.selectFrom('notification').selectAll().orderBy('id', 'desc').limit(page.limit);
  if (order_id !== undefined) query = query.where('order_id', '=', order_id);
  if (status !== undefined) query = query.where('status', '=', status);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return read.query(query);
}

/** One notification; undefined when there is none. */
export async function readNotification(read: Reader, builder: Kysely<NotificationTables>, id: string): Promise<Notification | undefined> {
  const [notification] = await read.query(builder.selectFrom('notification').selectAll().where('id', '=', id));
  return notification;
}
