/**
 * The whole program under load, killed with SIGKILL at moments nobody chose, and started again; and what must hold afterwards.
 *
 * Each client sends one order after another, each with an idempotency key, and sends it again until it is answered: with an answer the
 * order is accepted, without one nobody knows, and the same key finds out. So in the end every key has one answer, and there must be
 * exactly one order, one payment, one parcel and one mail behind each.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, listOf } from '../support/client.ts';
import { type Server, freePort, startServer, until } from '../support/server.ts';

export interface KillOptions {
  readonly kills: number;
  readonly connections: number;
  /** Orders accepted between two kills: at least the first, less than the second. */
  readonly between: readonly [number, number];
  /** In [0, 1). */
  random(): number;
  /** Told of each kill, for those who watch. */
  killed?(n: number, accepted: number): void;
}

export interface KillReport {
  readonly accepted: number;
  /** Requests that met no server, or one that died before it answered; each was sent again. */
  readonly unanswered: number;
  /** Every way in which the end is not what it must be; empty when all is well. */
  readonly complaints: readonly string[];
}

interface Order {
  readonly id: string;
  readonly status: string;
  readonly total: number;
}
type Row = Readonly<Record<string, string | number | null>> & { readonly order_id: string };

const PRICE = 450;
/** Pieces an order takes, told by its key. */
const piecesOf = (key: string): number => 1 + ((key.length + key.charCodeAt(key.length - 1)) % 3);

export async function killAgainAndAgain(options: KillOptions): Promise<KillReport> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-kills-'));
  const port = await freePort();
  const start = (): Promise<Server> => startServer({ dataDir: folder, port });
  let server = await start();
  try {
    await ask(server.url, 'POST', '/v1/products', { sku: 'TEA', name: 'Tea', price: PRICE, currency: 'EUR' });
    const warehouse = (await ask<{ id: string }>(server.url, 'POST', '/v1/warehouses', { name: 'Main', location: 'Lyon' })).body;
    await ask(server.url, 'POST', '/v1/stock/receipts', { warehouse_id: warehouse.id, lines: [{ sku: 'TEA', quantity: 10_000_000 }] });

    const load = startLoad(server.url, options.connections);
    for (let n = 1; n <= options.kills; n += 1) {
      const [least, most] = options.between;
      await load.accept(least + Math.floor(options.random() * (most - least)));
      await server.stop('SIGKILL');
      options.killed?.(n, load.answers.size);
      server = await start();
    }
    await load.accept(options.connections); // it takes orders as before
    await load.stop();
    return { accepted: load.answers.size, unanswered: load.unanswered(), complaints: await compare(server.url, load.answers) };
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Load {
  /** The order each key was answered with. */
  readonly answers: ReadonlyMap<string, Order>;
  unanswered(): number;
  /** Resolves when so many more have been accepted. */
  accept(more: number): Promise<void>;
  /** Sends nothing new, and resolves when all is answered. */
  stop(): Promise<void>;
}

function startLoad(url: string, connections: number): Load {
  const answers = new Map<string, Order>();
  let unanswered = 0;
  let stopping = false;

  async function client(name: number): Promise<void> {
    for (let n = 0; !stopping; n += 1) {
      const key = `client-${name}-order-${n}`;
      answers.set(key, await until(() => place(key), `${key} is answered`));
    }
  }
  /** Undefined when it is not known what became of it. */
  async function place(key: string): Promise<Order | undefined> {
    const { status, body } = await placeOnce(url, key);
    if (status === 0) unanswered += 1;
    if (status === 201) return body;
    if (status === 0 || status === 409 || status === 503) return undefined;
    throw new Error(`${key} was answered ${status}: ${JSON.stringify(body)}`);
  }

  const clients = Promise.all(Array.from({ length: connections }, (_, name) => client(name)));
  return {
    answers,
    unanswered: () => unanswered,
    async accept(more) {
      const enough = answers.size + more;
      await Promise.race([until(async () => answers.size >= enough || undefined, `${more} more orders are accepted`), clients]);
    },
    async stop() {
      stopping = true;
      await clients;
    },
  };
}

function placeOnce(url: string, key: string): Promise<{ status: number; body: Order }> {
  const order = { customer: { id: key, email: 'ada@example.org' }, currency: 'EUR', lines: [{ sku: 'TEA', quantity: piecesOf(key) }] };
  return ask<Order>(url, 'POST', '/v1/orders', order, { 'idempotency-key': key });
}

/** Waits until all journeys have come to rest, and says what is not as it must be. */
async function compare(url: string, answers: ReadonlyMap<string, Order>): Promise<string[]> {
  const complaints: string[] = [];
  const say = (fine: boolean, complaint: string): void => void (fine || complaints.push(complaint));
  await until(async () => ((await atRest(url)) ? true : undefined), 'all journeys are at rest').catch((error: unknown) => say(false, String(error)));
  const shipments = await listOf<Row>(url, '/v1/shipments?status=ready');
  const mails = await listOf<Row>(url, '/v1/notifications?status=sent');
  const orders = new Map((await listOf<Order>(url, '/v1/orders')).map((order) => [order.id, order]));
  const payments = await listOf<Row>(url, '/v1/payments');
  const [level] = await listOf<Row>(url, '/v1/stock?sku=TEA');

  const ids = new Set([...answers.values()].map(({ id }) => id));
  say(ids.size === answers.size, `${answers.size} keys were answered with ${ids.size} different orders`);
  say(orders.size === ids.size, `${ids.size} orders were accepted, ${orders.size} are there`);
  for (const [key, { id }] of answers) say(orders.get(id)?.status === 'confirmed', `order ${id} of ${key} is ${orders.get(id)?.status ?? 'lost'}`);
  for (const [what, rows] of Object.entries({ shipments, payments, mails })) {
    say(rows.length === ids.size, `there are ${rows.length} ${what} for ${ids.size} orders`);
    say(new Set(rows.map(({ order_id }) => order_id)).size === rows.length, `an order has two ${what}`);
  }
  for (const { order_id, status, held } of payments)
    say(status === 'authorized' && held === orders.get(order_id)?.total, `the payment of ${order_id} is ${status} and holds ${held}`);
  const pieces = [...answers.keys()].reduce((sum, key) => sum + piecesOf(key), 0);
  say(level?.['reserved'] === pieces, `${level?.['reserved']} pieces are reserved for orders of ${pieces}`);

  for (const key of [...answers.keys()].slice(-200)) {
    const again = await placeOnce(url, key);
    say(
      JSON.stringify(again.body) === JSON.stringify(answers.get(key)),
      `${key}, sent again, is answered ${again.status} ${JSON.stringify(again.body)}`,
    );
  }
  const letters = await listOf<Row>(url, '/v1/dead-letters');
  say(letters.length === 0, `there are dead letters: ${JSON.stringify(letters[0])}`);
  const { body: audit } = await ask<{ ok: boolean }>(url, 'GET', '/v1/audit?fresh=true');
  say(audit.ok, `the auditor complains: ${JSON.stringify(audit)}`);
  return complaints;
}

/** Nothing waits to be carried, handled, or told anybody outside. */
async function atRest(url: string): Promise<boolean> {
  const { body: consumers } = await ask<{ items: { depth: number }[] }>(url, 'GET', '/v1/consumers');
  if (consumers.items.some(({ depth }) => depth > 0)) return false;
  for (const path of [
    '/v1/orders?status=pending',
    '/v1/payments?status=requested',
    '/v1/shipments?status=pending',
    '/v1/notifications?status=pending',
  ]) {
    const { body } = await ask<{ items: unknown[] }>(url, 'GET', `${path}&limit=1`);
    if (body.items.length > 0) return false;
  }
  const unpublished = (await (await fetch(`${url}/metrics`)).text()).matchAll(/^waybill_outbox_messages\{.*\} (\d+)$/gm);
  return [...unpublished].every(([, depth]) => depth === '0');
}
