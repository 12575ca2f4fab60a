/** Shipping: shipments, from telling the carrier to the customer's door. */
import { type Service, subscription } from '../messaging/service.ts';
import { shippingRoutes } from './api.ts';
import { type ShippingContext, shippingUseCases } from './use-cases.ts';

export function shippingService(context: ShippingContext): Service {
  const { obeyAll, tasks } = shippingUseCases(context);
  return {
    name: 'shipping',
    migrations: new URL('migrations/', import.meta.url),
    routes: shippingRoutes(context.mailbox),
    subscriptions: [
      subscription({ types: ['shipment.prepare'], dedupe: 'natural', handle: obeyAll }),
      // A refusal that came twice would take back the next request: only the message's id tells a duplicate from another answer.
      subscription({
        types: ['shipment.dispatch', 'shipment.refuse_dispatch', 'shipment.cancel', 'shipment.hold', 'shipment.release_hold'],
        dedupe: 'inbox',
        handle: obeyAll,
      }),
    ],
    runnables: [tasks],
  };
}
