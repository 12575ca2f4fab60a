/** Inventory on a test database, with a few words for what tests do to it. */
import { inventoryService, type InventoryService } from '../../src/inventory/service.ts';
import type { Message } from '../../src/contracts/envelope.ts';
import type { DataOf, MessageType } from '../../src/contracts/messages.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import type { AnyMessage, RequestContext } from '../../src/messaging/service.ts';
import type { OpenDatabase, TestDatabase } from '../support/databases.ts';
import { type TestMailbox, call, deliver, messageOf, openTestMailbox } from '../support/mailbox.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

export interface Thing {
  readonly id: string;
  readonly version: number;
  readonly archived_at: string | null;
}
/** Said of levels, whoever moved them. */
const CROSSINGS = new Set(['stock.low', 'stock.out', 'stock.back']);

export interface ItemPage {
  readonly items: Record<string, unknown>[];
  readonly next_cursor: string | null;
}

/** How many of each sku. */
export type Pieces = Readonly<Record<string, number>>;
/** Lines are named by their sku. */
export const linesOf = (pieces: Pieces): DataOf<'stock.reserve'>['lines'] =>
  Object.entries(pieces).map(([sku, quantity]) => ({ line_id: `lin_${sku}`, sku, quantity }));

/** `whs_1: 10 A, 2 B` of the parts in an event. */
export const partsInWords = (parts: DataOf<'stock.filled'>['parts'] | undefined): string[] =>
  (parts ?? []).map(({ warehouse_id, lines }) => `${warehouse_id}: ${lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join(', ')}`);
/** `2 A at 1` */
export const queuedInWords = (lines: DataOf<'stock.filled'>['queued'] | undefined): string[] =>
  (lines ?? []).map(({ sku, quantity, place }) => `${quantity} ${sku} at ${place}`);

export interface TestInventory extends TestMailbox {
  readonly world: TestWorld;
  readonly service: InventoryService;
  readonly open: OpenDatabase;
  /** Where orders go to, as whoever keeps them would say. */
  readonly destinations: Map<string, Record<string, string>>;
  /** Calls a route with a body. */
  send<Answer = Thing>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    given?: { params?: unknown; query?: unknown; context?: RequestContext },
  ): Promise<Answer>;
  get<Answer = ItemPage>(path: string, query?: unknown, params?: unknown): Promise<Answer>;
  /** Makes a warehouse with stock; products come to be as needed. Answers its id. */
  stocked(stock: Readonly<Record<string, number>>, priority?: number): Promise<string>;
  receive(warehouse_id: string, pieces: Pieces): Promise<unknown>;
  /** So many pieces of the product may wait. */
  allowWaiting(sku: string, backorder_limit: number): Promise<unknown>;
  /** What is there: on_hand, reserved, available. */
  levelOf(warehouse_id: string, sku: string): Promise<[on_hand: number, reserved: number, available: number]>;
  reserve(order_id: string, lines: Pieces, allocation?: DataOf<'stock.reserve'>['allocation']): AnyMessage<'stock.reserve'>;
  release(order_id: string): AnyMessage<'stock.release'>;
  commit(order_id: string, given?: { shipment_id?: string; warehouse_id?: string; lines?: Pieces }): AnyMessage<'stock.commit'>;
  /** Any other message about an order. */
  message<T extends MessageType>(type: T, data: DataOf<T> & { readonly order_id: string }): AnyMessage<T>;
  /** The data of what was said last of a type about an order; undefined when nothing was. */
  heardOf<T extends MessageType>(type: T, order_id: string): DataOf<T> | undefined;
  /** Delivers messages in one batch and answers what was said of orders, as `type order`. */
  tell(...messages: Message[]): Promise<string[]>;
}

export async function openInventory(database: TestDatabase): Promise<TestInventory> {
  const open = await database.open();
  const world = testWorld();
  const migrations = new URL('../../src/inventory/migrations/', import.meta.url);
  const mailbox = await openTestMailbox(open.db, { service: 'inventory', migrations, world });
  const destinations = new Map<string, Record<string, string>>();
  const service = inventoryService({
    mailbox: mailbox.mailbox,
    telemetry: createTelemetry({ level: 'silent' }),
    destinations: async (ids) => new Map(ids.flatMap((id) => (destinations.has(id) ? [[id, destinations.get(id)!]] : []))),
  });

  const send: TestInventory['send'] = (method, path, body, given = {}) => call(service, method, path, { body, ...given }) as never;
  const get: TestInventory['get'] = (path, query, params) => call(service, 'GET', path, { query, params }) as never;
  const message = <T extends MessageType>(type: T, order_id: string, data: Parameters<typeof messageOf<T>>[3]): AnyMessage<T> =>
    messageOf(world, type, order_id, data);
  return {
    ...mailbox,
    world,
    service,
    open,
    destinations,
    send,
    get,
    async stocked(stock, priority) {
      const { id } = await send('POST', '/v1/warehouses', { name: 'North', location: 'Oslo', priority });
      const lines = Object.entries(stock).map(([sku, quantity]) => ({ sku, quantity }));
      const known = new Set((await service.catalogue(lines.map(({ sku }) => sku))).map(({ sku }) => sku));
      for (const { sku } of lines) if (!known.has(sku)) await send('POST', '/v1/products', { sku, name: sku, price: 100, currency: 'EUR' });
      const received = lines.filter(({ quantity }) => quantity > 0);
      if (received.length > 0) await send('POST', '/v1/stock/receipts', { warehouse_id: id, lines: received });
      return id;
    },
    receive: (warehouse_id, pieces) =>
      send('POST', '/v1/stock/receipts', { warehouse_id, lines: Object.entries(pieces).map(([sku, quantity]) => ({ sku, quantity })) }),
    allowWaiting: (sku, backorder_limit) => send('PATCH', '/v1/products/{product_id}', { backorder_limit }, { params: { product_id: sku } }),
    async levelOf(warehouse_id, sku) {
      const { items } = await get('/v1/stock', { warehouse_id, sku });
      return [Number(items[0]?.on_hand ?? 0), Number(items[0]?.reserved ?? 0), Number(items[0]?.available ?? 0)];
    },
    reserve: (order_id, lines, allocation) =>
      message('stock.reserve', order_id, { order_id, lines: linesOf(lines), ...(allocation && { allocation }) }),
    release: (order_id) => message('stock.release', order_id, { order_id, reason: 'customer' }),
    commit: (order_id, { shipment_id = `shp_${order_id}`, warehouse_id, lines } = {}) =>
      message('stock.commit', order_id, { order_id, shipment_id, ...(warehouse_id && { warehouse_id }), ...(lines && { lines: linesOf(lines) }) }),
    message: (type, data) => message(type, data.order_id, data),
    heardOf: (type, order_id) => mailbox.said.findLast((one) => one.type === type && one.subject === order_id)?.data as never,
    async tell(...messages) {
      const from = mailbox.said.length;
      await deliver(mailbox.mailbox, service, messages);
      // Packs hold one type each; in the order of the commands the answers are compared.
      const answers = mailbox.said.slice(from).filter(({ type }) => !CROSSINGS.has(type));
      return answers.map(({ type, subject }) => `${type} ${subject}`);
    },
  };
}
