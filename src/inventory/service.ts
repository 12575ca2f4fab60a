/** Inventory: products, warehouses, stock levels and reservations. */
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Service, subscription } from '../messaging/service.ts';
import { catalogueRoutes } from './api.ts';
import { allocationRoutes } from './api-allocations.ts';
import { stockRoutes } from './api-stock.ts';
import { transferRoutes } from './api-transfers.ts';
import { whatIfRoutes } from './api-what-if.ts';
import { moveStock } from './use-cases.ts';
import type { Destinations } from './use-cases-what-if.ts';
import { type CatalogueEntry, readCatalogue, tellProducts } from './use-cases-catalogue.ts';

export interface InventoryService extends Service {
  /** What orders need to know of products when they are placed; unknown skus are left out. */
  catalogue(skus: readonly string[]): Promise<CatalogueEntry[]>;
}

export interface InventoryContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  /** Asks whoever keeps orders where they go to, where that is at hand. */
  readonly destinations?: Destinations | undefined;
}

export function inventoryService({ mailbox, destinations = async () => new Map() }: InventoryContext): InventoryService {
  return {
    name: 'inventory',
    migrations: new URL('migrations/', import.meta.url),
    routes: [
      ...catalogueRoutes(mailbox),
      ...stockRoutes(mailbox),
      ...allocationRoutes(mailbox),
      ...transferRoutes(mailbox),
      ...whatIfRoutes(mailbox, destinations),
    ],
    subscriptions: [
      // One handler for all: commands about one order keep their order, and share the locks on its levels.
      subscription({
        types: ['stock.reserve', 'stock.release', 'stock.commit', 'stock.change', 'stock.renew', 'stock.expire', 'stock.take_back'],
        dedupe: 'natural',
        handle: (unit, messages) => moveStock(unit, messages),
      }),
      // A pick may come short twice, so what is written off does not tell a duplicate.
      subscription({ types: ['shipment.shorted'], dedupe: 'inbox', handle: (unit, messages) => moveStock(unit, messages) }),
      subscription({ types: ['product.tell'], dedupe: 'inbox', handle: (unit, messages) => tellProducts(unit, messages) }),
    ],
    runnables: [],
    catalogue: (skus) => readCatalogue(mailbox.db.read, skus),
  };
}
