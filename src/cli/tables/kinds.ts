/**
 * What can be carried in and out as rows: products, stock and orders. For each its columns, where its rows come from, and what becomes of a row that is
 * brought in. Amounts are whole minor units, as everywhere.
 *
 *   products  made, or changed when they are there and differ            known by their sku
 *   stock     counted: what a warehouse has is made what the row says    known by sku, name and location of the warehouse, which is made when missing
 *   orders    placed anew and go their way                               known by external_id, else by their number and when they were placed
 */
import type { Client } from '../client.ts';
import { CommandError, EXIT } from '../problems.ts';

export type Cell = string | number | null | object;
export type Row = Readonly<Record<string, Cell | undefined>>;
/** How a column is written as text. */
export type Column = 'text' | 'number' | 'json';
/** What became of a row. */
export type Fate = 'new' | 'changed' | 'as it was';

export interface Kind {
  readonly columns: Readonly<Record<string, Column>>;
  /** Without these a row means nothing. */
  readonly needed: readonly string[];
  rows(client: Client): AsyncIterable<Row>;
  /** Throws a CommandError for a row the server refuses. */
  taker(client: Client): (row: Row) => Promise<Fate>;
}

const textIn = (row: Row, name: string): string | undefined => {
  const cell = row[name];
  return typeof cell === 'string' && cell !== '' ? cell : undefined;
};
/** Without cells that are empty. */
const given = (row: Row, names: readonly string[]): Record<string, Cell> =>
  Object.fromEntries(names.flatMap((name) => (row[name] === undefined || row[name] === null ? [] : [[name, row[name]]])));

const PRODUCT = ['sku', 'name', 'price', 'currency', 'description', 'safety_stock', 'low_at', 'backorder_limit'] as const;
const products: Kind = {
  columns: {
    sku: 'text',
    name: 'text',
    price: 'number',
    currency: 'text',
    description: 'text',
    safety_stock: 'number',
    low_at: 'number',
    backorder_limit: 'number',
  },
  needed: ['sku', 'name', 'price', 'currency'],
  rows: (client) => client.each<Row>('/v1/products'),
  taker: (client) => async (row) => {
    const body = given(row, PRODUCT);
    const path = `/v1/products/${encodeURIComponent(textIn(row, 'sku')!)}`;
    try {
      await client.post('/v1/products', body);
      return 'new';
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== 'product_exists') throw error;
    }
    const { sku: _sku, ...fields } = body;
    const there = await client.get<Row>(path);
    if (Object.entries(fields).every(([name, value]) => there[name] === value)) return 'as it was';
    await client.patch(path, fields);
    return 'changed';
  },
};

interface Level extends Row {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly on_hand: number;
}
interface Place {
  readonly id: string;
  readonly name: string;
  readonly location: string;
}
const stock: Kind = {
  columns: { sku: 'text', warehouse: 'text', location: 'text', on_hand: 'number', reserved: 'number', available: 'number', unavailable: 'number' },
  needed: ['sku', 'warehouse', 'on_hand'],
  async *rows(client) {
    const places = new Map<string, Place>();
    for await (const place of client.each<Place>('/v1/warehouses')) places.set(place.id, place);
    for await (const level of client.each<Level>('/v1/stock')) {
      const place = places.get(level.warehouse_id) ?? (await client.get<Place>(`/v1/warehouses/${level.warehouse_id}`));
      yield { ...level, warehouse: place.name, location: place.location };
    }
  },
  taker(client) {
    /** By name and location: rows of one warehouse ask once, and only the first of them makes it. */
    const places = new Map<string, Promise<string>>();
    let known: Promise<Place[]> | undefined;
    const readAll = (): Promise<Place[]> => Array.fromAsync(client.each<Place>('/v1/warehouses'));
    async function find(name: string, location: string | undefined): Promise<string> {
      const all = (await (known ??= readAll())).filter((place) => place.name === name && (location === undefined || place.location === location));
      const [place, other] = all;
      if (other !== undefined) {
        const where = location === undefined ? '' : ` in ${location}`;
        throw new CommandError(EXIT.no, `warehouse: there are several called ${name}${where}. Give each a name of its own.`, {
          code: 'invalid_request',
        });
      }
      return place?.id ?? (await client.post<Place>('/v1/warehouses', { name, location: location ?? name })).id;
    }
    return async (row) => {
      const [name, location] = [textIn(row, 'warehouse')!, textIn(row, 'location')];
      const key = JSON.stringify([name, location]);
      const place = places.get(key) ?? find(name, location);
      places.set(key, place);
      const lines = [{ sku: row['sku'], counted: row['on_hand'] }];
      const counted = await client.post<{ lines: { quantity: number }[] }>('/v1/stock/counts', { warehouse_id: await place, lines });
      return counted.lines[0]!.quantity === 0 ? 'as it was' : 'changed';
    };
  },
};

interface OrderRow extends Row {
  readonly number: string;
  readonly external_id: string | null;
  readonly customer: { readonly id: string; readonly name?: string; readonly email?: string; readonly locale?: string };
  readonly lines: readonly { readonly sku: string; readonly quantity: number; readonly unit_price: number }[];
}
/** An order of this number was placed here at that very moment: the row is an export of our own. */
async function isOfThisShop(client: Client, number: string, created_at: string | undefined): Promise<boolean> {
  const order = await client.get<Row>(`/v1/orders/${encodeURIComponent(number)}`).catch((error: unknown) => {
    if (error instanceof CommandError && error.code === 'order_not_found') return undefined;
    throw error;
  });
  return order !== undefined && order['created_at'] === created_at;
}

const orders: Kind = {
  columns: {
    external_id: 'text',
    number: 'text',
    status: 'text',
    customer_id: 'text',
    customer_name: 'text',
    customer_email: 'text',
    customer_locale: 'text',
    currency: 'text',
    total: 'number',
    policy: 'text',
    created_at: 'text',
    ship_to: 'json',
    charges: 'json',
    lines: 'json',
    payment_token: 'text',
  },
  needed: ['customer_id', 'currency', 'lines'],
  async *rows(client) {
    for await (const { customer, lines, ...order } of client.each<OrderRow>('/v1/orders'))
      yield {
        ...order,
        customer_id: customer.id,
        customer_name: customer.name ?? null,
        customer_email: customer.email ?? null,
        customer_locale: customer.locale ?? null,
        lines: lines.map(({ sku, quantity, unit_price }) => ({ sku, quantity, unit_price })),
      };
  },
  taker: (client) => async (row) => {
    const [own, number] = [textIn(row, 'external_id'), textIn(row, 'number')];
    const external_id = own ?? number;
    if (external_id === undefined)
      throw new CommandError(EXIT.no, 'external_id or number: one of them must be given, so that the order is known again', {
        code: 'invalid_request',
      });
    if (own === undefined && (await isOfThisShop(client, external_id, textIn(row, 'created_at')))) return 'as it was';
    const names = { id: 'customer_id', name: 'customer_name', email: 'customer_email', locale: 'customer_locale' };
    const customer = Object.fromEntries(Object.entries(names).flatMap(([field, name]) => (row[name] ? [[field, row[name]]] : [])));
    const body = {
      external_id,
      customer,
      ...given(row, ['currency', 'policy', 'ship_to', 'charges', 'lines']),
      ...(row['payment_token'] ? { payment: { token: row['payment_token'] } } : {}),
    };
    const before = await client.first<{ id: string }>(1, '/v1/orders', { external_id: body.external_id });
    await client.post('/v1/orders', body);
    return before.length === 0 ? 'new' : 'as it was';
  },
};

export const KINDS = { products, stock, orders } as const satisfies Readonly<Record<string, Kind>>;
export type KindName = keyof typeof KINDS;
