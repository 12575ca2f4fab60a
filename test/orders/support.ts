/** The orders service on a test database. */
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import {
  type CatalogueItem,
  type OrdersContext,
  type OrdersService,
  type OrderView,
  type Placement,
  ordersService,
} from '../../src/orders/service.ts';
import type { ReplyName } from '../../src/orders/domain-table.ts';
import type { TestDatabase } from '../support/databases.ts';
import { type TestMailbox, call, deliver, messageOf, openTestMailbox, requestContext } from '../support/mailbox.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import type { DataOf } from '../../src/contracts/messages.ts';
import { ANSWERS, item, wish } from './make.ts';

export interface Room extends TestMailbox {
  readonly world: TestWorld;
  readonly service: OrdersService;
  /** How often the owner of the catalogue was asked. */
  readonly asked: string[][];
  /** What the owner of the catalogue knows. */
  readonly products: Map<string, CatalogueItem>;
  place(more?: Partial<Placement['input']>, context?: Partial<Placement['context']>): Promise<OrderView>;
  get(id: string): Promise<OrderView>;
  /** Tells the service what the stops say of these orders, one message an order and type. */
  tell<T extends ReplyName>(type: T, ids: readonly string[], more?: Partial<DataOf<T>>): Promise<void>;
  /** The types said since the last call. */
  news(): string[];
  /** The metrics of orders, one line each. */
  metrics(): Promise<string[]>;
  drop(): Promise<void>;
}

export async function openRoom(database: TestDatabase, more: Partial<OrdersContext> = {}): Promise<Room> {
  const opened = await database.open();
  const world = testWorld();
  const products = new Map(['A', 'B', 'C'].map((sku) => [sku, item(sku)]));
  const asked: string[][] = [];
  const migrations = new URL('../../src/orders/migrations/', import.meta.url);
  const test = await openTestMailbox(opened.db, { service: 'orders', migrations, world });
  const telemetry = createTelemetry({ level: 'silent' });
  const service = ordersService({
    mailbox: test.mailbox,
    telemetry,
    async catalogue(skus) {
      asked.push([...skus].sort());
      return skus.flatMap((sku) => products.get(sku) ?? []);
    },
    ...more,
  });
  let told = 0;
  return {
    ...test,
    world,
    service,
    asked,
    products,
    place: (input = {}, context = {}) => service.place({ input: wish(input), context: requestContext(context) }),
    get: (id) => call(service, 'GET', '/v1/orders/{order_id}', { params: { order_id: id } }) as Promise<OrderView>,
    tell: (type, ids, data = {}) =>
      deliver(
        test.mailbox,
        service,
        ids.map((order_id) => messageOf(world, type, order_id, { ...ANSWERS[type], ...data, order_id } as DataOf<typeof type>)),
      ),
    news() {
      const types = test.said.slice(told).map(({ type }) => type);
      told = test.said.length;
      return types;
    },
    async metrics() {
      const text = await telemetry.metrics.registry.metrics();
      return text.split('\n').filter((line) => /^waybill_orders?_(placed|transitions)_/.test(line));
    },
    drop: opened.drop,
  };
}

export { call, deliver, messageOf, requestContext };
