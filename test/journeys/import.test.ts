/**
 * A retailer's real invoices through the whole journey, by the command line and over HTTP: every line accounted for, every figure as
 * an independent count says, and the same end whatever is killed on the way, as often as it is run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  readonly lines: readonly { readonly fate: string; readonly lines: number; readonly value: string }[];
  readonly remainders: readonly { readonly value: string }[];
  readonly done: Readonly<
    Record<'products' | 'receipts' | 'orders' | 'write_offs' | 'returns' | 'refunds', { readonly created: number; readonly existing: number }>
  >;
}

async function imported(run: Run): Promise<Report> {
  const { code, out, err } = await run.ended;
  expect(code, `${out}\n${err}`).toBe(0);
  return JSON.parse(out) as Report;
}
/** What is given back in many ways: from several sales, at another price, twice from one line, below the penny, as money alone. */
const GIVING_BACK = `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
561001,MUG,Mug,6,7/24/2011 9:00,1.25,17949,EIRE
561001,BUN,Bunting,4,7/24/2011 9:00,4.95,17949,EIRE
561001,POST,POSTAGE,1,7/24/2011 9:00,18,17949,EIRE
561002,MUG,Mug,4,7/24/2011 9:05,1.25,17949,EIRE
561002,PAD,Pad,10,7/24/2011 9:05,0.021,17949,EIRE
561003,MUG,Mug,2,7/24/2011 9:06,1.25,12472,EIRE
561004,MUG,Mug,2,7/24/2011 9:07,1.25,,EIRE
561005,MUG,Mug,-3,7/24/2011 9:07,0,,EIRE
C561006,MUG,Mug,-8,7/24/2011 9:10,1.25,17949,EIRE
C561006,POST,POSTAGE,-1,7/24/2011 9:10,18,17949,EIRE
C561007,BUN,Bunting,-2,7/24/2011 9:11,3,17949,EIRE
C561007,BUN,Bunting,-1,7/24/2011 9:11,4.95,17949,EIRE
C561008,PAD,Pad,-3,7/24/2011 9:12,0.021,17949,EIRE
C561008,D,Discount,-1,7/24/2011 9:12,0.50,17949,EIRE
C561009,MUG,Mug,-3,7/24/2011 9:13,1.25,17949,EIRE
C561010,MUG,Mug,-1,7/24/2011 9:14,1.25,,EIRE
A561011,B,Adjust bad debt,1,7/24/2011 9:15,-0.75,12472,EIRE
`;

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
  const returns = await each<{ status: string; received: { quantity: number; disposition: string }[] | null }>(server, '/v1/returns');
  const money = payments.map(({ status, amount, held }) => `${status} ${held} of ${amount}`);
  return {
    orders: orders.sort((a, b) => (a.external_id < b.external_id ? -1 : 1)),
    levels: levels.map(({ sku, on_hand, reserved, available }) => ({ sku, on_hand, reserved, available })),
    money: money.sort(),
    shipments: shipments.map(({ status }) => status).sort(),
    returns: returns
      .map(({ status, received }) => `${status}: ${(received ?? []).map((one) => `${one.quantity} ${one.disposition}`).join(', ')}`)
      .sort(),
  };
}

async function expectCleanAudit(server: Server): Promise<void> {
  const { code, out } = await waybill(server, 'audit').ended;
  expect(code, out).toBe(0);
}

/** Waits until so many returns have been asked for. */
const returnsAre = (server: Server, least: number): Promise<true> =>
  until(async () => ((await each(server, '/v1/returns')).length >= least ? true : undefined), `there are ${least} returns`);

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
async function onNewGround(ground: Ground, tell: (start: () => Promise<Server>, folder: string) => Promise<void>): Promise<void> {
  const opened = await ground.open();
  const folder = await mkdtemp(join(tmpdir(), 'waybill-import-'));
  const port = await freePort();
  let server: Server | undefined;
  try {
    await tell(async () => (server = await startServer({ env: opened.settings, dataDir: folder, port })), folder);
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
        'invoice_without_goods',
        'order_charge',
        'order_line',
        'refund',
        'refund_without_order',
        'return',
        'return_exceeds_sales',
        'return_without_customer',
        'return_without_sale',
        'write_off',
      ]);
      expect(first.remainders).toMatchObject([{ value: '0.001' }]);
      const state = await stateOf(server);
      expect(state.orders.length).toBeGreaterThan(100);
      expect(state.orders.filter(({ status }) => status !== 'confirmed')).toMatchObject([{ status: 'delivered' }, { status: 'delivered' }]);
      expect(state.levels.filter(({ available }) => available !== 0).map(({ available }) => available)).toEqual([36]);
      expect(state.returns).toEqual(['closed: 36 restock']);
      expect(state).toEqual(undisturbed);
      await expectCleanAudit(server);

      const second = await imported(importing(server));
      expect(second).toMatchObject({ ok: true, unchanged: true });
      expect(Object.values(second.done).map(({ created }) => created)).toEqual([0, 0, 0, 0, 0, 0]);
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

  it('gives back what comes back, once, though the importer is killed while it does', () =>
    onNewGround(ground, async (start, folder) => {
      const file = join(folder, 'giving-back.csv');
      await writeFile(file, GIVING_BACK);
      const server = await start();
      const run = (): Run => waybill(server, 'import', 'online-retail', file, '--concurrency', '1');
      for (const least of [1, 3]) {
        const killed = run();
        await returnsAre(server, least);
        killed.process.kill('SIGKILL');
        await killed.ended;
      }
      const report = await imported(run());
      expect(report.lines.map(({ fate, lines, value }) => `${lines} ${fate} ${value}`).sort()).toEqual([
        '1 order_charge 18.00',
        '1 return_exceeds_sales -3.75',
        '1 return_without_customer -1.25',
        '1 write_off 0.00',
        '3 refund -19.25',
        '4 return -21.01',
        '6 order_line 37.50',
      ]);
      expect(report.remainders).toMatchObject([{ value: '0.01' }, { value: '-0.003' }]);

      const { orders, levels, returns } = await stateOf(server);
      expect(orders.map(({ external_id, status, total }) => `${external_id} ${status} ${total}`)).toEqual([
        // 45.30, less 4 mugs, the postage, what the file gives for three buntings, and the discount, for which the later order has too little left.
        '561001 delivered 1085',
        // 5.20, less 4 mugs and 3 pads.
        '561002 delivered 14',
        '561003 delivered 175',
        '561004 confirmed 250',
      ]);
      expect(levels.map(({ sku, available }) => `${sku} ${available}`).sort()).toEqual(['BUN 3', 'MUG 8', 'PAD 3']);
      expect(returns).toEqual(['closed: 3 restock', 'closed: 3 restock', 'closed: 4 restock', 'closed: 4 restock']);
      await expectCleanAudit(server);

      const before = await stateOf(server);
      expect(await imported(run())).toMatchObject({ ok: true, unchanged: true });
      expect(await stateOf(server)).toEqual(before);
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
