/**
 * A retailer's real invoices through the whole journey, by the command line and over HTTP: every line accounted for, every figure as
 * an independent count says, and the same end whatever is killed on the way, as often as it is run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Ground, onEveryGround } from '../support/grounds.ts';
import { truthFilesOf } from '../support/retail-truth.ts';
import { ROOT, type Server, freePort, startServer, until } from '../support/server.ts';

const FOLDER = join(ROOT, 'examples/online-retail');
const FILE = join(FOLDER, 'online-retail.csv');
const TRUTH = join(FOLDER, 'truth-online-retail.json');

interface Run {
  readonly process: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

function waybill(server: Pick<Server, 'url'>, ...given: string[]): Run {
  const env = { ...process.env, WAYBILL_URL: server.url };
  const child = spawn('node', ['bin/waybill.mjs', ...given, '--json'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return { process: child, ended: once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, out, err })) };
}

interface Compared {
  readonly differences: readonly unknown[];
  readonly not_compared: readonly unknown[];
}
interface Report {
  readonly ok: boolean;
  readonly unchanged: boolean;
  readonly truth: { readonly figures: Compared; readonly products: Compared };
  readonly lines: readonly { readonly fate: string }[];
  readonly remainders: readonly { readonly value: string }[];
  readonly done: Readonly<Record<'products' | 'receipts' | 'orders' | 'write_offs', { readonly created: number; readonly existing: number }>>;
}

async function imported(run: Run): Promise<Report> {
  const { code, out, err } = await run.ended;
  expect(code, `${out}\n${err}`).toBe(0);
  return JSON.parse(out) as Report;
}
const importing = (server: Pick<Server, 'url'>, ...given: string[]): Run =>
  waybill(server, 'import', 'online-retail', FILE, '--truth', TRUTH, ...given);

async function each<Item>(server: Server, path: string): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: '200', ...(cursor === null ? {} : { cursor }) });
    const answer: Response = await fetch(`${server.url}${path}?${query}`);
    const page = (await answer.json()) as { items: Item[]; next_cursor: string | null };
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return items;
}

interface Order {
  readonly external_id: string;
  readonly status: string;
  readonly total: number;
  readonly customer: unknown;
  readonly charges: unknown;
  readonly lines: readonly { readonly sku: string; readonly quantity: number; readonly unit_price: number }[];
}

/** Everything that was imported, without ids, numbers and times. */
async function stateOf(server: Server) {
  const orders = (await each<Order>(server, '/v1/orders')).map(({ external_id, status, total, customer, charges, lines }) => ({
    external_id,
    status,
    total,
    customer,
    charges,
    lines: lines.map(({ sku, quantity, unit_price }) => ({ sku, quantity, unit_price })),
  }));
  const levels = await each<{ sku: string; on_hand: number; reserved: number; available: number }>(server, '/v1/stock');
  const payments = await each<{ status: string; amount: number; held: number }>(server, '/v1/payments');
  const shipments = await each<{ status: string }>(server, '/v1/shipments');
  const money = payments.map(({ status, amount, held }) => `${status} ${held} of ${amount}`);
  return {
    orders: orders.sort((a, b) => (a.external_id < b.external_id ? -1 : 1)),
    levels: levels.map(({ sku, on_hand, reserved, available }) => ({ sku, on_hand, reserved, available })),
    money: money.sort(),
    shipments: shipments.map(({ status }) => status),
  };
}

async function expectCleanAudit(server: Server): Promise<void> {
  const { code, out } = await waybill(server, 'audit').ended;
  expect(code, out).toBe(0);
}

/** Waits until so many orders have come in. */
const ordersAre = (server: Server, least: number): Promise<true> =>
  until(async () => {
    const page = (await (await fetch(`${server.url}/v1/orders?limit=200`)).json()) as { items: unknown[] };
    return page.items.length >= least ? true : undefined;
  }, `there are ${least} orders`);

describe('the example', () => {
  it('has the truth that an independent count gives', () => {
    const { truth, products } = truthFilesOf(FILE);
    expect(readFileSync(TRUTH, 'utf8')).toBe(truth);
    expect(readFileSync(join(FOLDER, 'truth-online-retail-per-product.csv'), 'utf8')).toBe(products);
  });
});

/** A server on a ground of its own, with a folder that outlives it; all is removed after the story. */
async function onNewGround(ground: Ground, tell: (start: () => Promise<Server>) => Promise<void>): Promise<void> {
  const opened = await ground.open();
  const folder = await mkdtemp(join(tmpdir(), 'waybill-import-'));
  const port = await freePort();
  let server: Server | undefined;
  try {
    await tell(async () => (server = await startServer({ env: opened.settings, dataDir: folder, port })));
  } finally {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
    await opened.remove();
  }
}

/** What everything must end in, whatever it is killed and wherever it runs. */
let undisturbed: Awaited<ReturnType<typeof stateOf>>;
beforeAll(async () => {
  const server = await startServer();
  try {
    await imported(importing(server));
    undisturbed = await stateOf(server);
  } finally {
    await server.stop();
  }
});

onEveryGround((ground) => {
  it('accounts for every line, agrees with the truth, and changes nothing the second time', () =>
    onNewGround(ground, async (start) => {
      const server = await start();
      const first = await imported(importing(server));
      expect(first).toMatchObject({ ok: true, unchanged: false });
      expect(first.truth.figures).toMatchObject({ differences: [], not_compared: [] });
      expect(first.truth.products).toMatchObject({ differences: [], not_compared: [] });
      expect(first.lines.map(({ fate }) => fate).sort()).toEqual([
        'bad_debt_adjustment',
        'cancellation_awaits_returns',
        'invoice_without_goods',
        'order_charge',
        'order_line',
        'write_off',
      ]);
      expect(first.remainders).toMatchObject([{ value: '0.001' }]);
      const state = await stateOf(server);
      expect(state.orders.length).toBeGreaterThan(100);
      expect(new Set(state.orders.map(({ status }) => status))).toEqual(new Set(['confirmed']));
      expect(state.levels.filter(({ available }) => available !== 0)).toEqual([]);
      expect(state).toEqual(undisturbed);
      await expectCleanAudit(server);

      const second = await imported(importing(server));
      expect(second).toMatchObject({ ok: true, unchanged: true });
      expect(Object.values(second.done).map(({ created }) => created)).toEqual([0, 0, 0, 0]);
      expect(await stateOf(server)).toEqual(undisturbed);
      await expectCleanAudit(server);
    }));

  it('ends the same when the importer is killed on the way, and run again', () =>
    onNewGround(ground, async (start) => {
      const server = await start();
      for (const least of [10, 50]) {
        const killed = importing(server, '--concurrency', '2');
        await ordersAre(server, least);
        killed.process.kill('SIGKILL');
        expect((await killed.ended).code).toBeNull();
      }
      const last = await imported(importing(server));
      expect(last.unchanged).toBe(false);
      expect(last.done.orders.existing).toBeGreaterThanOrEqual(50);
      expect(await stateOf(server)).toEqual(undisturbed);
      await expectCleanAudit(server);
    }));

  it('ends the same when the server is killed on the way, and started again', () =>
    onNewGround(ground, async (start) => {
      let server = await start();
      const run = importing(server, '--concurrency', '4');
      for (const least of [10, 50]) {
        await ordersAre(server, least);
        await server.stop('SIGKILL');
        server = await start();
      }
      expect(await imported(run)).toMatchObject({ ok: true });
      expect(await stateOf(server)).toEqual(undisturbed);
      await expectCleanAudit(server);
    }));

  it('delivers every parcel when asked to', () =>
    onNewGround(ground, async (start) => {
      const server = await start();
      expect(await imported(importing(server, '--dispatch'))).toMatchObject({ ok: true });
      const { orders, levels } = await stateOf(server);
      expect(new Set(orders.map(({ status }) => status))).toEqual(new Set(['delivered']));
      expect(levels.filter(({ reserved }) => reserved !== 0)).toEqual([]);
      await expectCleanAudit(server);
    }));
});
