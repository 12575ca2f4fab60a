/**
 * A shop to tell stories about: a warehouse with stock, and the things a customer and a warehouse do.
 */
import type { TestClient } from './app.ts';

export interface Order {
  readonly id: string;
  readonly number: string;
  readonly status: string;
  readonly status_reason: string | null;
  readonly total: number;
  readonly stops: readonly { readonly stop: string; readonly state: string }[];
}
export interface Shipment {
  readonly id: string;
  readonly order_id: string;
  readonly status: string;
  readonly tracking_number: string;
}
export interface Payment {
  readonly id: string;
  readonly order_id: string;
  readonly status: string;
  readonly held: number;
  readonly captured: number;
  readonly refunded: number;
}
export interface Level {
  readonly sku: string;
  readonly on_hand: number;
  readonly reserved: number;
  readonly available: number;
}
export interface Blocker {
  readonly blocker: string;
  readonly owner: string;
  readonly deadline: string;
  readonly legal_commands: readonly string[];
}
export interface Audit {
  readonly ok: boolean;
  readonly violations: number;
  readonly equations: readonly { readonly id: string; readonly rows: number; readonly violations: number; readonly first?: unknown }[];
}
interface Items<Item> {
  readonly items: readonly Item[];
}

export const TEAPOT = 'TEAPOT';
export const PRICE = 2_499;

export interface Shop {
  readonly warehouse: string;
  /** What it sells: teapots. */
  readonly sku: string;
  /** Places an order for two teapots, unless told otherwise. */
  place(order?: object, headers?: Record<string, string>): Promise<Order>;
  order(id: string): Promise<Order>;
  /** Waits until the order has that status. */
  reaches(id: string, status: string): Promise<Order>;
  /** Waits for the shipment of the order to have that status. */
  shipment(orderId: string, status: string): Promise<Shipment>;
  shipments(orderId: string): Promise<readonly Shipment[]>;
  payment(orderId: string): Promise<Payment | undefined>;
  dispatch(shipment: Shipment): Promise<unknown>;
  deliver(shipment: Shipment): Promise<unknown>;
  cancel(orderId: string): Promise<Order>;
  blockers(orderId: string): Promise<readonly Blocker[]>;
  /** The types of what happened to an order, oldest first. */
  timeline(orderId: string): Promise<string[]>;
  level(sku?: string): Promise<Level>;
  audit(): Promise<Audit>;
}

/** `stock` teapots in one warehouse. Several shops in one program sell teapots of different `sku`. */
export async function openShop(app: TestClient, { stock = 10, sku = TEAPOT }: { stock?: number; sku?: string } = {}): Promise<Shop> {
  await app.post('/v1/products', { sku, name: 'Teapot', price: PRICE, currency: 'EUR' });
  const { id: warehouse } = await app.post<{ id: string }>('/v1/warehouses', { name: 'Hamburg', location: 'Hamburg' });
  if (stock > 0) await app.post('/v1/stock/receipts', { warehouse_id: warehouse, lines: [{ sku, quantity: stock }] });
  const shipments = async (orderId: string): Promise<readonly Shipment[]> =>
    (await app.get<Items<Shipment>>(`/v1/shipments?order_id=${orderId}`)).items;
  return {
    warehouse,
    sku,
    place: (order = {}, headers = {}) =>
      app.post<Order>(
        '/v1/orders',
        { customer: { id: 'c-1', name: 'Ada', email: 'ada@example.org' }, currency: 'EUR', lines: [{ sku, quantity: 2 }], ...order },
        headers,
      ),
    order: (id) => app.get<Order>(`/v1/orders/${id}`),
    reaches: (id, status) => app.until<Order>(`/v1/orders/${id}`, (order) => order.status === status),
    async shipment(orderId, status) {
      const { items } = await app.until<Items<Shipment>>(`/v1/shipments?order_id=${orderId}`, ({ items: [shipment] }) => shipment?.status === status);
      return items[0]!;
    },
    shipments,
    payment: async (orderId) => (await app.get<Items<Payment>>(`/v1/payments?order_id=${orderId}`)).items[0],
    dispatch: ({ id }) => app.post(`/v1/shipments/${id}/dispatch`),
    deliver: ({ id }) => app.post(`/v1/shipments/${id}/deliver`),
    cancel: (orderId) => app.post<Order>(`/v1/orders/${orderId}/cancel`, { reason: 'changed my mind' }),
    blockers: async (orderId) => (await app.get<{ blockers: readonly Blocker[] }>(`/v1/orders/${orderId}/explain`)).blockers,
    timeline: async (orderId) => (await app.get<Items<{ type: string }>>(`/v1/orders/${orderId}/timeline`)).items.map(({ type }) => type),
    level: async (of = sku) => (await app.get<Items<Level>>(`/v1/stock?sku=${of}`)).items[0]!,
    audit: () => app.get<Audit>('/v1/audit?fresh=true'),
  };
}
