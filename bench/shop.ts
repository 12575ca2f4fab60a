/** What the benches of whole journeys share: a shop, an order, and when everything ordered is done. */
import { type Server, post, until } from './support.ts';

export const ORDER = {
  customer: { id: 'cus-1', name: 'Ada', email: 'ada@example.org' },
  currency: 'EUR',
  lines: [
    { sku: 'TEA-1', quantity: 1 },
    { sku: 'CUP-1', quantity: 2 },
  ],
  payment: { token: 'tok_ok' },
};

export async function stock({ url }: Server): Promise<void> {
  const warehouse = await post<{ id: string }>(`${url}/v1/warehouses`, { name: 'Main', location: 'Lyon' });
  for (const [sku, price] of [
    ['TEA-1', 450],
    ['CUP-1', 1200],
  ] as const)
    await post(`${url}/v1/products`, { sku, name: sku, price, currency: 'EUR' });
  await post(`${url}/v1/stock/receipts`, { warehouse_id: warehouse.id, lines: ORDER.lines.map(({ sku }) => ({ sku, quantity: 50_000_000 })) });
}

/** Orders placed; and orders whose shipment is ready and whose customer has been told: each is one message said by its service. */
export async function progress(servers: readonly Server[]): Promise<{ placed: number; completed: number }> {
  const texts = await Promise.all(servers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  const value = (name: string): number => texts.reduce((sum, text) => sum + Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0), 0);
  const said = (service: string): number => value(`waybill_messages_published_total{service="${service}"}`);
  return { placed: value('waybill_orders_placed_total{policy="default"}'), completed: Math.min(said('shipping'), said('notifications')) };
}

/** Waits until all that was placed is completed; answers how many that is. `servers` are all processes of the program. */
export async function settled(servers: readonly Server[]): Promise<number> {
  let done = { placed: 0, completed: -1 };
  await until(async () => {
    done = await progress(servers);
    return done.placed === done.completed;
  });
  return done.completed;
}
