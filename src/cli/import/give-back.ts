/**
 * Gives back what the file gives back, order by order, once the orders are delivered: refunds, and returns from the asking to the shelf.
 *
 *   refunds ──> return asked for ──> approved ──> (refund, where the file gives another amount than was paid) ──> received, restocked
 *     ──> stock has it and the money is back ──> closed
 *
 * A refund that names its return stands in place of the one by rule, so it is asked for before the goods are received. The steps of one order follow
 * each other; each has its idempotency key, so the whole may be done again from the start.
 */
import type { World } from '../../kernel/world.ts';
import type { Order, Return } from '../answers.ts';
import type { Client } from '../client.ts';
import type { Progress } from '../progress.ts';
import type { PlannedReturn } from './mapping.ts';
import { forEach } from './pool.ts';
import { LOOK_MS, type SettledOrder, creditedOf } from './settle.ts';
import type { OrderBack } from './tally.ts';

export interface GiveBackOptions {
  readonly client: Client;
  readonly world: World;
  readonly width: number;
  readonly progress: Progress;
  readonly patience: number;
  key(kind: string, which: string | number): string;
  /** Told what was made, and when. */
  made(what: 'returns' | 'refunds', at: string): void;
}

export interface GivenBack {
  readonly external_id: string;
  readonly number: string;
  /** Pennies, as the order says. */
  readonly credited: number;
  readonly returns: readonly { readonly number: string; readonly status: string; readonly received: number }[];
  /** Why it has not all come back; null when it has. */
  readonly why: string | null;
}

/** An order, and what is given back of it. */
interface Work {
  readonly order: SettledOrder;
  readonly back: OrderBack;
}

export async function giveBack(
  settled: readonly SettledOrder[],
  back: ReadonlyMap<string, OrderBack>,
  options: GiveBackOptions,
): Promise<GivenBack[]> {
  const { width, progress, world, patience } = options;
  const all = settled.flatMap((order): Work[] => (back.has(order.external_id) ? [{ order, back: back.get(order.external_id)! }] : []));
  const done: GivenBack[] = [];
  let moving = all.filter(({ order }) => order.stands === 'delivered');
  progress.step('giving back', moving.length);
  await forEach(moving, width, (work) => say(work, options).then(() => progress.advance()));
  progress.step('coming back', moving.length);
  let movedAt = world.now();
  while (moving.length > 0) {
    const still: Work[] = [];
    await forEach(moving, width, async (work) => {
      const seen = await look(work, options, null);
      if (!isBack(work, seen)) return void still.push(work);
      await forEach(seen.returns, 1, ({ id }) => options.client.post<Return>(`/v1/returns/${id}/close`, {}, options.key('close', id)).then(noMore));
      done.push(await look(work, options, null));
      movedAt = world.now();
      progress.advance();
    });
    moving = still;
    if (moving.length === 0 || world.now() - movedAt > patience) break;
    await world.sleep(LOOK_MS);
  }
  const late = [...all.filter(({ order }) => order.stands !== 'delivered'), ...moving];
  await forEach(late, width, async (work) => void done.push(await look(work, options, whyLate(work))));
  return done.sort((a, b) => (a.external_id < b.external_id ? -1 : 1));
}

const noMore = (): void => undefined;
const whyLate = ({ order }: Work): string =>
  order.stands === 'delivered' ? 'goods or money are still under way' : `the order is ${order.status}, so nothing can come back`;

async function say({ order, back }: Work, { client, key, made }: GiveBackOptions): Promise<void> {
  const refunds = `/v1/orders/${order.id}/refunds`;
  for (const { line, invoice, code, amount } of back.refunds) {
    const { updated_at } = await client.post<Order>(refunds, { amount, reason: `invoice ${invoice} line ${line}: ${code}` }, key('refund', line));
    made('refunds', updated_at);
  }
  for (const one of back.returns) {
    const which = `${one.invoice}:${one.order}`;
    const lines = await linesOf(client, order.id, one);
    const reason = `cancelled by ${one.invoice}`;
    const wish = { order_id: order.id, lines: lines.map((line) => ({ ...line, reason })), note: `invoice ${one.invoice}` };
    const { id, created_at } = await client.post<Return>('/v1/returns', wish, key('return', which));
    made('returns', created_at);
    await client.post(`/v1/returns/${id}/approve`, {}, key('approve', which));
    if (one.amount !== one.by_rule) await client.post(refunds, { amount: one.amount, reason, return_id: id }, key('return_refund', which));
    const came = lines.map((line) => ({ ...line, disposition: 'restock' }));
    await client.post(`/v1/returns/${id}/receive`, { lines: came }, key('receive', which));
  }
}

async function linesOf(client: Client, orderId: string, { lines }: PlannedReturn): Promise<{ line_id: string; quantity: number }[]> {
  const order = await client.get<Order>(`/v1/orders/${orderId}`);
  return lines.map(({ index, quantity }) => ({ line_id: order.lines[index]!.id, quantity }));
}

interface Seen extends GivenBack {
  readonly returns: readonly { readonly id: string; readonly number: string; readonly status: string; readonly received: number }[];
  readonly under_way: boolean;
}

async function look({ order }: Work, { client }: GiveBackOptions, why: string | null): Promise<Seen> {
  const { number, charges, refunds = [] } = await client.get<Order>(`/v1/orders/${order.id}`);
  const returns: Seen['returns'][number][] = [];
  for await (const { id, number: name, status, received } of client.each<Return>('/v1/returns', { order_id: order.id }))
    returns.push({ id, number: name, status, received: (received ?? []).reduce((sum, { quantity }) => sum + quantity, 0) });
  return { external_id: order.external_id, number, credited: creditedOf(charges), returns, under_way: refunds.length > 0, why };
}

/** The goods are on the shelf, and the money is with the customer. */
function isBack({ back }: Work, { credited, returns, under_way }: Seen): boolean {
  const amount = [...back.returns, ...back.refunds].reduce((sum, one) => sum + one.amount, 0);
  return !under_way && credited >= amount && returns.length >= back.returns.length && returns.every(({ status }) => OVER.has(status));
}

const OVER: ReadonlySet<string> = new Set(['received', 'closed', 'rejected', 'cancelled']);
