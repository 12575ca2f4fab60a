/**
 * The auditor beside everything that moves: orders of every kind, cancelled and dispatched at any moment, and pass after pass meanwhile.
 * None of them may complain, during or after.
 */
import { describe, expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { postgresUrl } from '../support/databases.ts';
import { type Audit, type Order, type Shop, openShop } from '../support/shop.ts';

const grounds = [{ name: 'SQLite', postgres: undefined }, ...(postgresUrl === undefined ? [] : [{ name: 'PostgreSQL', postgres: postgresUrl }])];
const ORDERS = 120;
const TOKENS = ['tok_ok', 'tok_ok', 'tok_declined', 'tok_error_twice', 'tok_unknown', 'tok_capture_fails'];
/** Nothing more happens by itself. */
const RESTS: ReadonlySet<string> = new Set(['ready', 'shipped', 'on_hold']);

const broken = ({ equations }: Audit): unknown[] => equations.filter(({ violations }) => violations > 0);

/** What becomes of an order: left alone, cancelled at once, handed over, handed over and delivered. */
async function live(shop: Shop, n: number): Promise<Order> {
  const order = await shop.place({ payment: { token: TOKENS[n % TOKENS.length] } });
  if (n % 4 === 1) await shop.cancel(order.id);
  if (n % 4 < 2) return order;
  await rest(shop, order.id);
  const [shipment] = await shop.shipments(order.id);
  if (shipment?.status !== 'ready') return order;
  await shop.dispatch(shipment);
  if (n % 4 === 3 && TOKENS[n % TOKENS.length] !== 'tok_capture_fails') await shop.deliver(await shop.shipment(order.id, 'in_transit'));
  return order;
}

/** Waits until an order waits for a person, or for nothing. */
async function rest(shop: Shop, id: string): Promise<void> {
  for (;;) {
    const blockers = await shop.blockers(id);
    if (blockers.every(({ blocker }) => RESTS.has(blocker))) return;
  }
}

describe.each(grounds)('while orders move on $name', ({ postgres }) => {
  it('the auditor finds nothing, pass after pass, and nothing afterwards', { timeout: 60_000 }, async () => {
    const app = await startApp({ postgres });
    try {
      const shop = await openShop(app, { stock: ORDERS });
      let busy = true;
      const orders = Promise.all(Array.from({ length: ORDERS }, (_, n) => live(shop, n))).finally(() => (busy = false));
      let passes = 0;
      do {
        expect(broken(await shop.audit())).toEqual([]);
        passes += 1;
      } while (busy);
      for (const { id } of await orders) await rest(shop, id);
      const last = await shop.audit();
      expect(broken(last)).toEqual([]);
      expect(last.equations.find(({ id }) => id === 'O1')?.rows).toBe(ORDERS);
      expect(passes).toBeGreaterThan(1);
    } finally {
      await app.stop();
    }
  });
});
