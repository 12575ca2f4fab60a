/** Notifications: telling customers what became of their orders. */
import { runnable } from '../kernel/lifecycle.ts';
import { type Service, subscription } from '../messaging/service.ts';
import { notificationRoutes } from './api.ts';
import { type NotificationsContext, notificationUseCases } from './use-cases.ts';

export function notificationsService(context: NotificationsContext): Service {
  const { tell, tasks } = notificationUseCases(context);
  const connections = runnable(
    'notification channels',
    () => undefined,
    () => context.channels.forEach((channel) => channel.name === 'email' && channel.close()),
  );
  return {
    name: 'notifications',
    migrations: new URL('migrations/', import.meta.url),
    routes: notificationRoutes(context.mailbox.db),
    subscriptions: [
      subscription({ types: ['order.confirmed', 'order.cancelled', 'order.shipped', 'order.delivered'], dedupe: 'natural', handle: tell }),
    ],
    runnables: tasks === undefined ? [] : [connections, tasks],
  };
}
