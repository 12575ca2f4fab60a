/** Orders: placing them, and their journey from stop to stop. README.md is the protocol. */
import type { Refusal } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { type Service, subscription } from '../messaging/service.ts';
import { type GapsOf, orderRoutes } from './api.ts';
import { type TaxProvider, asGiven } from './domain-charges.ts';
import type { Reply } from './domain-order.ts';
import { askByMessage, hearAnswers } from './catalogue-elsewhere.ts';
import { REPLIES } from './domain-table.ts';
import { DEADLINES, type Deadlines, POLICIES, type Policies, faultsOfPolicies } from './domain-waybill.ts';
import { learnProducts } from './store-catalogue.ts';
import { destinationsOf } from './store-destinations.ts';
import { standingOf } from './store-standing.ts';
import { advanceMany } from './use-cases.ts';
import { type AskCatalogue, type Placement, type PlacingDesk, placeMany, placing } from './use-cases-place.ts';
import type { OrderView } from './view.ts';

export type { Deadlines, Policies } from './domain-waybill.ts';
export type { CatalogueItem } from './domain-place.ts';
export type { Placement } from './use-cases-place.ts';
export type { OrderView } from './view.ts';

export interface OrdersContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  /** Asks the owner of the catalogue where it is at hand; when absent it is asked by message. */
  readonly catalogue?: AskCatalogue | undefined;
  /** The provider's token for orders that bring none: a simulated provider has one. */
  readonly defaultToken?: string | undefined;
  readonly policies?: Policies | undefined;
  readonly deadlines?: Partial<Deadlines> | undefined;
  /** What is missing for too long in streams of an order, in whatever service of this process. */
  readonly gaps?: GapsOf | undefined;
  /** Whoever knows taxes; without, they are taken as they are given. */
  readonly taxes?: TaxProvider | undefined;
}

export interface OrdersService extends Service {
  /** Places one order; calls that come together share a transaction. Answers once it is durable, throws its Refusal. */
  place(placement: Placement): Promise<OrderView>;
  /** Places a set in a transaction of the caller's. */
  placeMany(unit: Unit, placements: readonly Placement[]): Promise<(OrderView | Refusal)[]>;
  /** Moves orders on, in a transaction of the caller's. */
  advanceMany(unit: Unit, messages: readonly Reply[]): Promise<void>;
  /** Where orders go to, by id; those without an address are left out. */
  destinations(orderIds: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>>;
}

/** Throws an Error that names every fault of the policies. */
export function ordersService({ deadlines, policies = POLICIES, taxes = asGiven, gaps = async () => [], ...context }: OrdersContext): OrdersService {
  const faults = faultsOfPolicies(policies);
  if (faults.length > 0) throw new Error(faults.join('; '));
  const desk: PlacingDesk = {
    ...context,
    catalogue: context.catalogue ?? askByMessage(context.mailbox),
    policies,
    deadlines: { ...DEADLINES, ...deadlines },
    taxes,
    world: context.mailbox.world,
  };
  const place = placing(desk);
  const advance = (unit: Unit, messages: readonly Reply[]): Promise<void> => advanceMany(unit, desk, messages);
  return {
    name: 'orders',
    migrations: new URL('migrations/', import.meta.url),
    routes: orderRoutes(desk, place, gaps),
    subscriptions: [
      // One handler for all of them: messages about one order keep their order within a batch.
      subscription({ name: 'journey', types: REPLIES, dedupe: 'natural', handle: advance }),
      subscription({
        name: 'catalogue',
        types: ['product.created', 'product.updated', 'product.archived'],
        dedupe: 'latest',
        handle: ({ tx }, messages) =>
          learnProducts(
            tx,
            messages.map(({ sequence = 1, data: { sku, name, price, currency, archived } }) => ({
              sku,
              name,
              price,
              currency,
              archived,
              version: sequence,
            })),
          ),
      }),
      subscription({ name: 'answers', types: ['product.told'], dedupe: 'natural', handle: hearAnswers }),
    ],
    runnables: [],
    async measure() {
      const { db, world } = context.mailbox;
      const { openOrders, oldestOrder } = context.telemetry.metrics;
      for (const { status, count, since = world.now() } of await standingOf(db.read)) {
        openOrders.set({ status }, count);
        oldestOrder.set({ status }, Math.max(0, world.now() - since) / 1_000);
      }
    },
    place,
    placeMany: (unit, placements) => placeMany(unit, desk, placements),
    advanceMany: advance,
    destinations: (orderIds) => destinationsOf(context.mailbox.db.read, orderIds),
  };
}
