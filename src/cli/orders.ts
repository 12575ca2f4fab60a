/** `waybill place`, `orders`, `show`, `explain`. */
import type { World } from '../kernel/world.ts';
import type { Blocker, Explanation, Order, TimelineEntry } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, bad, bold, facts, faint, good, moment, money, table, warning } from './print.ts';
import { CommandError, EXIT, type ExitCode } from './problems.ts';

export interface PlaceOptions {
  readonly sku: readonly string[];
  readonly quantity: readonly number[];
  readonly customer: string;
  readonly name?: string;
  readonly email?: string;
  readonly currency: string;
  readonly policy?: string;
  readonly token?: string;
  readonly externalId?: string;
  readonly key?: string;
  readonly watch: boolean;
}

/** Each sku goes with the quantity at its place; a single quantity goes with all of them. */
export function linesOf({ sku, quantity }: Pick<PlaceOptions, 'sku' | 'quantity'>): { sku: string; quantity: number }[] {
  if (quantity.length > 1 && quantity.length !== sku.length)
    throw new CommandError(EXIT.usage, `There are ${sku.length} skus and ${quantity.length} quantities.`, {
      more: ['Give one --quantity for all, or one after each --sku.'],
      code: 'usage',
    });
  return sku.map((one, i) => ({ sku: one, quantity: quantity[i] ?? quantity[0] ?? 1 }));
}

export async function place(client: Client, world: World, output: Output, options: PlaceOptions): Promise<ExitCode> {
  const { customer, name, email, currency, policy, token, externalId, key } = options;
  const body = {
    customer: { id: customer, ...given({ name, email }) },
    currency,
    lines: linesOf(options),
    ...given({ policy, external_id: externalId }),
    ...(token === undefined ? {} : { payment: { token } }),
  };
  const order = await client.post<Order>('/v1/orders', body, key);
  if (!options.watch) {
    output.answer(order, () => orderText(order));
    return EXIT.ok;
  }
  output.note(`Order ${bold(order.number)} (${order.id}) placed, ${money(order.total, order.currency)}.`);
  return watch(client, world, output, order.id);
}

const given = <Fields extends Readonly<Record<string, string | undefined>>>(fields: Fields): Partial<Fields> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>;

const LOOK_MS = 200;
const WATCH_MS = 60_000;

/** Follows an order until it waits for a person or is over; prints each step as it comes. */
export async function watch(client: Client, world: World, output: Output, id: string): Promise<ExitCode> {
  const until = world.now() + WATCH_MS;
  let seen = 0;
  for (;;) {
    // Asked before the timeline is read: so the steps that led to the end are among those printed.
    const { blockers } = await client.get<Explanation>(`/v1/orders/${id}/explain`);
    for (const entry of await timelineOf(client, id)) {
      if (entry.seq <= seen) continue;
      seen = entry.seq;
      output.note(stepText(entry));
    }
    const person = blockers.some(({ owner }) => owner === 'warehouse' || owner === 'operator');
    if (blockers.length === 0 || person || world.now() > until) {
      const order = await client.get<Order>(`/v1/orders/${id}`);
      output.answer({ ...order, blockers }, () => `${orderText(order)}\n\n${explanationText(blockers)}`);
      return order.status === 'cancelled' || order.status === 'on_hold' ? EXIT.no : EXIT.ok;
    }
    await world.sleep(LOOK_MS);
  }
}

const timelineOf = async (client: Client, id: string): Promise<readonly TimelineEntry[]> =>
  (await client.get<{ items: TimelineEntry[] }>(`/v1/orders/${id}/timeline`)).items;

const stepText = ({ at, type, status }: TimelineEntry): string => `${faint(moment(at))}  ${type.padEnd(28)} ${statusText(status)}`;

export async function listOrders(
  client: Client,
  output: Output,
  { limit, ...filter }: { readonly status?: string; readonly customer?: string; readonly limit: number },
): Promise<ExitCode> {
  const orders: Order[] = [];
  for await (const order of client.each<Order>('/v1/orders', { status: filter.status, customer_id: filter.customer, limit: Math.min(limit, 200) })) {
    orders.push(order);
    if (orders.length >= limit) break;
  }
  output.answer(orders, () =>
    table(
      ['number', 'id', 'status', 'customer', 'total', 'placed'],
      orders.map((order) => [
        order.number,
        order.id,
        statusText(order.status, order.status_reason),
        order.customer.id,
        money(order.total, order.currency),
        moment(order.created_at),
      ]),
    ),
  );
  return EXIT.ok;
}

export async function showOrder(client: Client, output: Output, id: string): Promise<ExitCode> {
  const order = await client.get<Order>(`/v1/orders/${encodeURIComponent(id)}`);
  const timeline = await timelineOf(client, order.id);
  output.answer({ ...order, timeline }, () => `${orderText(order)}\n\n${timeline.map(stepText).join('\n')}`);
  return EXIT.ok;
}

export async function explainOrder(client: Client, output: Output, id: string): Promise<ExitCode> {
  const explanation = await client.get<Explanation>(`/v1/orders/${encodeURIComponent(id)}/explain`);
  output.answer(explanation, () => explanationText(explanation.blockers));
  return EXIT.ok;
}

export function orderText(order: Order): string {
  const {
    number,
    id,
    external_id: externalId,
    status,
    status_reason: reason,
    customer,
    currency,
    lines,
    charges,
    total,
    policy,
    stops,
    created_at: at,
  } = order;
  const head = facts([
    ['order', `${bold(number)}  ${faint(id)}`],
    ['external id', externalId],
    ['status', statusText(status, reason)],
    ['customer', customer.name === undefined ? customer.id : `${customer.name} (${customer.id})`],
    ['waybill', `${stops.map(({ stop, state }) => `${stop} ${state}`).join(', ')}  ${faint(`policy ${policy}`)}`],
    ['placed', moment(at)],
  ]);
  const rows: (string | number)[][] = [
    ...lines.map((line) => [line.sku, line.name, line.quantity, money(line.unit_price, currency), money(line.amount, currency)]),
    ...charges.map((charge) => [charge.code, charge.name ?? '', '', '', money(charge.amount, currency)]),
    ['', bold('total'), '', '', bold(money(total, currency))],
  ];
  return `${head}\n\n${table(['sku', 'name', 'quantity', 'each', 'amount'], rows)}`;
}

export function explanationText(blockers: readonly Blocker[]): string {
  if (blockers.length === 0) return 'It waits for nothing: it is finished.';
  return blockers
    .map(({ blocker, since, owner, deadline, legal_commands: commands, evidence }) =>
      facts([
        ['waits for', `${bold(owner)} (${blocker})`],
        ['since', moment(since)],
        ['until', moment(deadline)],
        ['awaited', evidence.awaits.join(' or ')],
        ['note', evidence.note],
        ['dead letter', evidence.dead_letter_id],
        ['possible now', commands.join(', ')],
      ]),
    )
    .join('\n\n');
}

function statusText(status: string, reason: string | null = null): string {
  const text = reason === null ? status : `${status} (${reason})`;
  if (status === 'cancelled' || status === 'on_hold') return bad(text);
  if (status === 'pending') return warning(text);
  return good(text);
}
