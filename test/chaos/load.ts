/**
 * The shop's day: customers place orders and change their minds, the warehouse hands parcels over, goods come in; each writes down what
 * it asked and heard. Wishes come at a steady rate, and for scarce things in a rush.
 *
 *   place ──answered──> look ──ready──> [dispatch ──left──> [deliver]]       until the plan is carried out, or the order has ended
 *     └─ no answer: again, same key      └──> [cancel]
 */
import type { Doors, Request } from './doors.ts';
import type { History, Receipt } from './history.ts';
import { pause } from './kept.ts';
import { CUP, type Plan, TEA, type Wish, priceOf, saleSku, wishOf } from './wishes.ts';

/** How many orders are looked after at the same time; beyond, new ones wait. */
const ATTENDED_MAX = 400;
const LOOK_MS = 250;
const LOOK_MOST_MS = 2_000;
/** The warehouse asks again for a dispatch of which it has not heard for so long. */
const ASK_AGAIN_MS = 20_000;
const PLENTY = 10_000_000;
const SCARCE = 15;
const SALE_MS = 4_000;
/** Customers who come at once when a sale begins. */
const RUSH = 20;
const RECEIPT_MS = 1_000;

export interface Counts {
  readonly placed: number;
  /** Of these, how many are as far as their plan goes. */
  readonly finished: number;
  readonly unanswered: number;
}

export interface Load {
  counts(): Counts;
  history(): History;
  /** No new wishes; resolves when all plans are carried out. */
  close(): Promise<void>;
}

export interface LoadOptions {
  readonly seed: number;
  /** Wishes a second. */
  readonly rate: number;
  /** Sales there are goods for. */
  readonly sales: number;
}

/** Puts goods on the shelves; answers the warehouse. */
export async function furnish(doors: Doors, sales: number): Promise<{ warehouse: string; receipts: Receipt[] }> {
  const must = async (path: string, key: string, body: object): Promise<{ id: string }> => {
    const { outcome, body: answer } = await doors.insist({ act: 'receive', key, service: 'inventory', method: 'POST', path, body });
    if (outcome !== 'ok') throw new Error(`POST ${path} was answered ${JSON.stringify(answer)}`);
    return answer as { id: string };
  };
  const { id: warehouse } = await must('/v1/warehouses', 'warehouse', { name: 'Main', location: 'Lyon' });
  const receipts: Receipt[] = [];
  const skus = [TEA, CUP, ...Array.from({ length: sales }, (_, n) => saleSku(n))];
  for (const sku of skus) {
    await must('/v1/products', `product-${sku}`, { sku, name: sku, price: priceOf(sku), currency: 'EUR' });
    const receipt = { key: `first-goods-${sku}`, sku, quantity: sku === TEA || sku === CUP ? PLENTY : SCARCE };
    await must('/v1/stock/receipts', receipt.key, bodyOf(receipt, warehouse));
    receipts.push(receipt);
  }
  return { warehouse, receipts };
}

const bodyOf = ({ key, sku, quantity }: Receipt, warehouse_id: string) => ({ warehouse_id, reference: key, lines: [{ sku, quantity }] });

export function startLoad(doors: Doors, goods: { readonly warehouse: string; readonly receipts: readonly Receipt[] }, options: LoadOptions): Load {
  const { seed, rate, sales } = options;
  const placements: Wish[] = [];
  const receipts = [...goods.receipts];
  const abandoned: string[] = [];
  const attended = new Set<Promise<void>>();
  let placed = 0;
  let finished = 0;
  let closing = false;

  function attend(sale?: number): void {
    const wish = wishOf(seed, placements.length, sale);
    placements.push(wish);
    const attending = fulfil(wish).finally(() => attended.delete(attending));
    attended.add(attending);
  }

  async function fulfil(wish: Wish): Promise<void> {
    const order = await place(doors, wish);
    if (order === 'unknown') return void abandoned.push(wish.key);
    if (order === 'refused') return;
    placed += 1;
    await follow(doors, wish, order.id);
    if (wish.repeated) await doors.insist(placing(wish));
    finished += 1;
  }

  async function customers(): Promise<void> {
    while (!closing) {
      if (attended.size < ATTENDED_MAX) attend();
      await pause((1_000 / rate) * (0.5 + Math.random()));
    }
  }
  async function bargains(): Promise<void> {
    for (let sale = 0; sale < sales && !closing; sale += 1) {
      for (let n = 0; n < RUSH; n += 1) attend(sale);
      await pause(SALE_MS);
    }
  }
  async function deliveries(): Promise<void> {
    for (let n = 0; !closing; n += 1) {
      const receipt = { key: `goods-${seed}-${n}`, sku: TEA, quantity: 1 + (n % 7) };
      receipts.push(receipt);
      const body = bodyOf(receipt, goods.warehouse);
      await doors.insist({ act: 'receive', key: receipt.key, service: 'inventory', method: 'POST', path: '/v1/stock/receipts', body });
      await pause(RECEIPT_MS);
    }
  }

  const running = Promise.all([customers(), bargains(), deliveries()]);
  return {
    counts: () => ({ placed, finished, unanswered: doors.unanswered() }),
    history: () => ({ placements, receipts, calls: doors.calls, abandoned }),
    async close() {
      closing = true;
      await running;
      while (attended.size > 0) await Promise.all(attended);
    },
  };
}

/** How many sales a run of so many milliseconds has. */
export const salesIn = (ms: number): number => Math.ceil(ms / SALE_MS);

const placing = ({ key, lines, token, simulate }: Wish): Request => ({
  act: 'place',
  key,
  service: 'orders',
  method: 'POST',
  path: '/v1/orders',
  body: {
    customer: { id: key, email: `${key}@example.org` },
    currency: 'EUR',
    lines,
    payment: { token },
    ...(simulate === undefined ? {} : { ship_to: { city: 'Lyon', simulate } }),
  },
});

/** The order, or what became of the wish instead. */
async function place(doors: Doors, wish: Wish): Promise<{ readonly id: string } | 'unknown' | 'refused'> {
  const request = placing(wish);
  const twin = wish.doubled ? doors.insist(request) : undefined;
  const { outcome, body } = wish.fleeting ? await doors.send(request) : await doors.insist(request);
  await twin;
  return outcome === 'ok' ? (body as { id: string }) : outcome;
}

/** Looks after an order until its plan is carried out or it has ended. */
async function follow(doors: Doors, { key, plan }: Wish, id: string): Promise<void> {
  const asked = new Map<Deed, number>();
  for (let n = 1, rest = LOOK_MS; doors.patient(); rest = Math.min(LOOK_MOST_MS, rest * 1.3)) {
    const order = await look(doors, 'orders', id);
    if (order === undefined) return;
    const deed = nextDeed(order, plan, asked);
    if (deed === 'done') return;
    const shipment = shipmentOf(order);
    const last = deed === 'wait' ? undefined : asked.get(deed);
    if (deed !== 'wait' && (last === undefined || doors.now() - last > ASK_AGAIN_MS)) {
      await doors.insist(doing(deed, `${deed}-${n}-${key}`, deed === 'cancel' ? id : shipment!));
      asked.set(deed, doors.now());
      n += 1;
    }
    if (asked.has('dispatch') && shipment !== undefined) await look(doors, 'shipping', shipment);
    await pause(rest * (0.5 + Math.random()));
  }
}

/** What is asked for next, for an order as it is; pure. */
export function nextDeed(order: OrderSeen, plan: Plan, asked: ReadonlyMap<Deed, unknown>): Deed | 'wait' | 'done' {
  const { status, status_reason } = order;
  const changesMind = (plan === 'cancel_early' && status === 'pending') || (plan === 'cancel_late' && status === 'confirmed');
  if (status === 'cancelled' || status === 'delivered') return 'done';
  if (status === 'on_hold' && status_reason === 'capture_failed') return 'cancel';
  if (changesMind && !asked.has('cancel')) return 'cancel';
  if (status === 'shipped') return plan === 'deliver' ? 'deliver' : 'done';
  if (status !== 'confirmed' || status_reason !== null || shipmentOf(order) === undefined) return 'wait';
  return plan === 'dispatch' || plan === 'deliver' ? 'dispatch' : 'done';
}

type Deed = 'cancel' | 'dispatch' | 'deliver';
interface OrderSeen {
  readonly status: string;
  readonly status_reason: string | null;
  readonly stops: readonly { readonly stop: string; readonly state: string; readonly shipment_id?: string }[];
}

/** The parcel, once it is ready. */
const shipmentOf = ({ stops }: OrderSeen): string | undefined => stops.find(({ stop }) => stop === 'shipping')?.shipment_id;

const doing = (deed: Deed, key: string, thing: string): Request => ({
  act: deed,
  key,
  method: 'POST',
  ...(deed === 'cancel'
    ? { service: 'orders', path: `/v1/orders/${thing}/cancel`, body: { reason: 'changed my mind' } }
    : { service: 'shipping', path: `/v1/shipments/${thing}/${deed}` }),
});

/** Reads an order or a shipment; undefined when it is not there, or nobody waits any more. */
async function look(doors: Doors, service: 'orders' | 'shipping', id: string): Promise<OrderSeen | undefined> {
  const path = `/v1/${service === 'orders' ? 'orders' : 'shipments'}/${id}`;
  const { outcome, body } = await doors.insist({ act: 'read', key: id, service, method: 'GET', path });
  return outcome === 'ok' ? (body as OrderSeen) : undefined;
}
