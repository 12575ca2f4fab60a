/** Scripts out of a seed, and the program that follows them beside the model. README.md is the protocol. */
import assert from 'node:assert/strict';
import type { TestClient } from '../support/app.ts';
import { until } from '../support/server.ts';
import type { Audit, Level, Order, Payment, Shipment } from '../support/shop.ts';
import { type Command, Model, type Outcome, PRICES, SKUS, type Sku } from './model.ts';

type Chance = () => number;
interface Items<Item> {
  readonly items: readonly Item[];
}

function command(chance: Chance): Command {
  const upTo = (most: number): number => 1 + Math.floor(chance() * most);
  const sku = (): Sku => SKUS[upTo(SKUS.length) - 1]!;
  const order = upTo(1_000);
  const which = upTo(22);
  if (which <= 3) return { do: 'receive', sku: sku(), quantity: upTo(6) };
  if (which <= 4) return { do: 'take away', sku: sku(), quantity: upTo(3) };
  if (which <= 10)
    return { do: 'place', lines: Array.from({ length: upTo(2) }, () => ({ sku: sku(), quantity: upTo(3) })), declined: chance() < 0.15 };
  if (which <= 12) return { do: 'cancel', order };
  if (which <= 14) return { do: 'cancel a piece', order };
  if (which <= 17) return { do: 'dispatch', order };
  if (which <= 18) return { do: 'deliver', order };
  return which <= 20 ? { do: 'refund', order, amount: upTo(2_000) } : { do: 'a piece more', order, declined: chance() < 0.3 };
}

/** What was seen: a command, how it ended, and in what state it found its order. */
export type Seen = Set<string>;

export interface Script {
  readonly name: string;
  readonly steps: number;
  readonly chance: Chance;
  readonly seen: Seen;
  /** Seconds the program has to come to rest after a step. */
  readonly patience?: number;
}

/** Makes one script; throws at the first step after which the program is not what the model is. Its `name` is its own within a program. */
export async function follow(app: TestClient, { name, steps, chance, seen, patience = 30 }: Script): Promise<void> {
  const model = new Model();
  const ids: string[] = [];
  const named = (sku: Sku): string => `${sku}-${name}`;
  for (const sku of SKUS) await app.post('/v1/products', { sku: named(sku), name: sku, price: PRICES[sku], currency: 'EUR' });
  const { id: warehouse_id } = await app.post<{ id: string }>('/v1/warehouses', { name: `Main ${name}`, location: 'Lyon' });
  for (const sku of SKUS) {
    model.obey({ do: 'receive', sku, quantity: 4 });
    await app.post('/v1/stock/receipts', { warehouse_id, lines: [{ sku: named(sku), quantity: 4 }] });
  }
  const history: Command[] = [];

  /** Asks once or twice with one key: the second answer must be the first; of refusals, which are decided anew, the reason. */
  async function send(path: string, body: unknown): Promise<{ status: number; body: { id: string } }> {
    const key = { 'idempotency-key': `${name}-${history.length}` };
    const ask = () => app.ask<{ id: string; code?: string }>('POST', path, body, key);
    const told = (answer: Awaited<ReturnType<typeof ask>>): unknown => (answer.status < 300 ? answer.body : [answer.status, answer.body.code]);
    const first = await ask();
    if (chance() < 0.3) assert.deepEqual(told(await ask()), told(first), `${path}, sent again, is answered otherwise`);
    assert.ok(first.status < 500, `${path} is answered ${first.status}`);
    return first;
  }

  async function perform(one: Command): Promise<Outcome> {
    const ended = ({ status }: { status: number }): Outcome => (status < 300 ? 'done' : 'refused');
    if (one.do === 'receive')
      return ended(await send('/v1/stock/receipts', { warehouse_id, lines: [{ sku: named(one.sku), quantity: one.quantity }] }));
    if (one.do === 'take away') {
      const lines = [{ sku: named(one.sku), quantity: -one.quantity }];
      return ended(await send('/v1/stock/adjustments', { warehouse_id, reason: 'broken', lines }));
    }
    if (one.do === 'place') {
      const lines = one.lines.map(({ sku, quantity }) => ({ sku: named(sku), quantity }));
      const payment = { token: one.declined ? 'tok_declined' : 'tok_ok' };
      const placed = await send('/v1/orders', { customer: { id: name }, currency: 'EUR', lines, payment });
      ids.push(placed.body.id);
      assert.equal(placed.status, 201);
      return ended(placed);
    }
    const id = ids[one.order % ids.length]!;
    if (one.do === 'cancel') return ended(await send(`/v1/orders/${id}/cancel`, { reason: 'a change of mind' }));
    if (one.do === 'refund') return ended(await send(`/v1/orders/${id}/refunds`, { amount: one.amount, reason: 'sorry' }));
    if (one.do === 'cancel a piece') {
      const { lines } = await app.get<{ lines: { id: string; quantity: number; cancelled: number }[] }>(`/v1/orders/${id}`);
      const line = lines.find(({ quantity, cancelled }) => quantity - cancelled > 1)!;
      return ended(await send(`/v1/orders/${id}/cancel-lines`, { lines: [{ line_id: line.id, quantity: 1 }] }));
    }
    if (one.do === 'a piece more') {
      const { lines } = await app.get<{ lines: { id: string; quantity: number; cancelled: number }[] }>(`/v1/orders/${id}`);
      const { id: line_id, quantity, cancelled } = lines[0]!;
      const payment = { token: one.declined ? 'tok_declined' : 'tok_ok' };
      return ended(await send(`/v1/orders/${id}/edits`, { lines: [{ line_id, quantity: quantity - cancelled + 1 }], payment }));
    }
    const state = one.do === 'dispatch' ? 'ready' : 'in_transit';
    const found = (items: readonly Shipment[]): Shipment | undefined => items.find(({ status }) => status === state);
    const { items } = await app.until<Items<Shipment>>(`/v1/shipments?order_id=${id}`, (page) => found(page.items) !== undefined);
    return ended(await send(`/v1/shipments/${found(items)!.id}/${one.do}`, {}));
  }

  async function isAsModelled(): Promise<void> {
    const wanted = {
      stock: Object.fromEntries(SKUS.map((sku) => [sku, { ...model.stock[sku], available: model.stock[sku].on_hand - model.stock[sku].reserved }])),
      orders: model.orders.map(({ status, declined, held, captured, refunded }) => ({ status, declined, held, captured, refunded, changing: false })),
    };
    let last: unknown;
    const same = async (): Promise<true | undefined> => {
      last = await actual();
      try {
        assert.deepEqual(last, wanted);
        return true;
      } catch {
        return undefined;
      }
    };
    await until(same, 'the program is as the model', patience).catch(() => assert.deepEqual(last, wanted, JSON.stringify(history)));
  }

  async function actual(): Promise<unknown> {
    const stock = await Promise.all(
      SKUS.map(async (sku) => {
        const { on_hand, reserved, available } = (await app.get<Items<Level>>(`/v1/stock?sku=${named(sku)}`)).items[0]!;
        return [sku, { on_hand, reserved, available }] as const;
      }),
    );
    const orders = await Promise.all(
      ids.map(async (id) => {
        const { status, revision } = await app.get<Order & { revision?: object }>(`/v1/orders/${id}`);
        const [payment] = (await app.get<Items<Payment>>(`/v1/payments?order_id=${id}`)).items;
        const { held = 0, captured = 0, refunded = 0 } = payment ?? {};
        return { status, declined: payment?.status === 'declined', held, captured, refunded, changing: revision !== undefined };
      }),
    );
    return { stock: Object.fromEntries(stock), orders };
  }

  for (let step = 0; step < steps; step += 1) {
    const one = command(chance);
    const before = 'order' in one ? (model.orders[one.order % Math.max(1, model.orders.length)]?.status ?? 'none') : '';
    const outcome = model.obey(one);
    history.push(one);
    if (outcome !== 'nothing to do') assert.equal(await perform(one), outcome, `${JSON.stringify(one)} after ${JSON.stringify(history)}`);
    const after = one.do === 'place' ? model.orders.at(-1)!.status : '';
    seen.add([one.do, outcome, before, after].join(' '));
    await isAsModelled();
  }
  const audit = await app.get<Audit>('/v1/audit?fresh=true');
  assert.deepEqual(audit.equations.filter(({ violations }) => violations > 0), []); // oxfmt-ignore
}
