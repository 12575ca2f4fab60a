/** Notifications: telling customers what became of their orders. */
import { runnable } from '../kernel/lifecycle.ts';
import { type Service, subscription } from '../messaging/service.ts';
import { notificationRoutes } from './api.ts';
import { customerRoutes, templateRoutes } from './api-customers.ts';
import { TOPICS } from './domain.ts';
import { type NotificationsContext, notificationUseCases } from './use-cases.ts';

export function notificationsService(context: NotificationsContext): Service {
  const { mailbox } = context;
  const { tell, tasks, resend } = notificationUseCases(context);
  const connections = runnable(
    'notification channels',
    () => undefined,
    () => context.channels.forEach((channel) => channel.name !== 'log' && channel.close()),
  );
  return {
    name: 'notifications',
    migrations: new URL('migrations/', import.meta.url),
    routes: [...notificationRoutes(mailbox, { resend }), ...customerRoutes(mailbox), ...templateRoutes(mailbox)],
    subscriptions: [subscription({ types: TOPICS, dedupe: 'natural', handle: tell })],
    runnables: tasks === undefined ? [] : [connections, tasks],
  };
}
