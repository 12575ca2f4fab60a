/** Shipping: shipments, from telling the carrier to the customer's door. */
import { type Service, subscription } from '../messaging/service.ts';
import { shippingRoutes } from './api.ts';
import { labelRoutes } from './api-labels.ts';
import { returnRoutes } from './api-returns.ts';
import { learnWarehouses } from './store-labels.ts';
import { type ShippingContext, shippingUseCases } from './use-cases.ts';
import { labelDesk } from './use-cases-labels.ts';
import { heedTakenBack } from './use-cases-returns.ts';

export function shippingService(context: ShippingContext): Service {
  const { obeyAll, tasks } = shippingUseCases(context);
  const desk = labelDesk(context);
  return {
    name: 'shipping',
    migrations: new URL('migrations/', import.meta.url),
    routes: [...shippingRoutes(context.mailbox), ...labelRoutes(context.mailbox, desk), ...returnRoutes(context.mailbox)],
    subscriptions: [
      subscription({ types: ['shipment.prepare'], dedupe: 'natural', handle: obeyAll }),
      // A refusal that came twice would take back the next request: only the message's id tells a duplicate from another answer.
      subscription({
        types: ['shipment.dispatch', 'shipment.refuse_dispatch', 'shipment.cancel', 'shipment.hold', 'shipment.release_hold'],
        dedupe: 'inbox',
        handle: obeyAll,
      }),
      subscription({ types: ['stock.taken_back'], dedupe: 'natural', handle: heedTakenBack }),
      subscription({
        name: 'warehouses',
        types: ['warehouse.created', 'warehouse.updated', 'warehouse.archived'],
        dedupe: 'latest',
        handle: ({ tx }, messages) =>
          learnWarehouses(
            tx,
            messages.map(({ sequence = 1, data: { warehouse_id, ...warehouse } }) => ({ ...warehouse, id: warehouse_id, version: sequence })),
          ),
      }),
    ],
    runnables: [tasks, desk.tasks],
  };
}
