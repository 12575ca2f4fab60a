/** Payments: the table of contents. */
import { type Service, subscription } from '../messaging/service.ts';
import { paymentRoutes } from './api.ts';
import { webhookRoutes } from './api-webhooks.ts';
import { type WebhooksContext, webhookUseCase } from './use-cases-webhooks.ts';
import { type PaymentsContext, paymentUseCases } from './use-cases.ts';

export function paymentsService(context: PaymentsContext & WebhooksContext): Service {
  const { obey, tasks } = paymentUseCases(context);
  return {
    name: 'payments',
    migrations: new URL('./migrations/', import.meta.url),
    routes: [...paymentRoutes(context.mailbox.db), ...webhookRoutes(context.mailbox.db, webhookUseCase(context))],
    subscriptions: [
      subscription({ types: ['payment.authorize'], dedupe: 'natural', handle: obey }),
      // A capture that failed may be asked for again, and every asking wants its answer: only the message's id tells that from a duplicate.
      subscription({ types: ['payment.capture', 'payment.void', 'payment.refund', 'payment.expire'], dedupe: 'inbox', handle: obey }),
    ],
    runnables: [tasks],
  };
}
