/** The doors of notifications: what customers were told, and telling them once more. */
import { z } from 'zod';
import { decodeCursor, idSchema, pageFrom, pageOf, pageQuerySchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import { once } from '../messaging/idempotency.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { CHANNEL_NAMES, NOTIFICATION_STATUSES, type Notification, TOPICS } from './domain.ts';
import { type NotificationTables, listNotifications, readNotification } from './store.ts';
import type { NotificationUseCases } from './use-cases.ts';

const status = z.enum(NOTIFICATION_STATUSES).meta({ description: '`suppressed`: the customer had opted out of the topic, and nothing was sent.' });

const notificationSchema = z
  .object({
    id: z.string(),
    event_id: z.string().meta({ description: 'The event the customer hears of.' }),
    order_id: z.string(),
    customer_id: z.string().nullable(),
    topic: z.enum(TOPICS),
    channel: z.enum(CHANNEL_NAMES),
    recipient: z.string(),
    subject: z.string(),
    body: z.string().meta({ description: 'Plain text.' }),
    status,
    attempts: z.int(),
    due_at: timestamp.nullable().meta({ description: 'When it is tried again; null unless pending.' }),
    error: z.string().nullable(),
    sent_at: timestamp.nullable(),
    repeats: z.string().nullable().meta({ description: 'The notification it says once more, because a person asked for it.' }),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Notification', description: 'What a customer was told of one event, on one channel.' });

const present = (notification: Notification): z.output<typeof notificationSchema> => ({
  ...notification,
  due_at: rfc3339OrNull(notification.due_at),
  sent_at: rfc3339OrNull(notification.sent_at),
  created_at: rfc3339(notification.created_at),
  updated_at: rfc3339(notification.updated_at),
});

export function notificationRoutes(mailbox: Mailbox, { resend }: Pick<NotificationUseCases, 'resend'>): Route[] {
  const { db } = mailbox;
  const builder = db.builder<NotificationTables>();
  return [
    route({
      method: 'GET',
      path: '/v1/notifications',
      tag: 'Notifications',
      summary: 'List notifications, newest event first',
      query: pageQuerySchema.extend({ order_id: idSchema('ord').optional(), status: status.optional() }),
      output: pageOf(notificationSchema),
      answers: 'ok',
      refuses: ['invalid_cursor'],
      async handle({ query: { cursor, limit, ...filter } }) {
        const before = decodeCursor(cursor, z.tuple([z.string()]))?.[0];
        const { items, next_cursor } = pageFrom(await listNotifications(db.read, builder, filter, { before, limit: limit + 1 }), limit, ({ id }) => [
          id,
        ]);
        return { items: items.map(present), next_cursor };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/notifications/{notification_id}',
      tag: 'Notifications',
      summary: 'Get a notification',
      params: z.object({ notification_id: idSchema('ntf') }),
      output: notificationSchema,
      answers: 'ok',
      refuses: ['notification_not_found'],
      async handle({ params: { notification_id } }) {
        const notification = await readNotification(db.read, builder, notification_id);
        if (notification === undefined) throw new Refusal('notification_not_found', `there is no notification ${notification_id}`);
        return present(notification);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/notifications/{notification_id}/resend',
      tag: 'Notifications',
      summary: 'Say a notification once more, to the same recipient in the same words',
      params: z.object({ notification_id: idSchema('ntf') }),
      body: z.object({
        even_if_opted_out: z.boolean().default(false).meta({ description: 'The customer asked for it, although he has opted out of the topic.' }),
      }),
      output: notificationSchema,
      answers: 'created',
      refuses: ['notification_not_found', 'notification_state', 'notification_opted_out'],
      handle: ({ params: { notification_id }, body, context }) =>
        once(mailbox, context, 'POST /v1/notifications/{notification_id}/resend', async (unit) => present(await resend(unit, notification_id, body))),
    }),
  ];
}
