/**
 * Brings a file into Waybill through its public API: products, opening stock, then one order per sale invoice and one adjustment per
 * write-off, waits until every order is ready to leave (or is delivered, where something comes back), and gives back what comes back.
 *
 *   scan ──> warehouse, products ──> opening stock ──> orders, write-offs ──> wait until settled ──> returns, refunds ──> compare (verify.ts)
 *
 * Nothing is remembered here. Every write has an idempotency key made of the file's hash and the place in it, so a run that was
 * killed anywhere, at either end, is simply run again: what has been done answers as it did, what has not is done.
 */
import type { World } from '../../kernel/world.ts';
import type { Client } from '../client.ts';
import { CommandError, EXIT } from '../problems.ts';
import type { Progress } from '../progress.ts';
import type { PlannedOrder, WriteOff } from './mapping.ts';
import { type GivenBack, giveBack } from './give-back.ts';
import { forEach } from './pool.ts';
import { type Scan, type ScannedProduct, readInvoices, scan } from './scan.ts';
import { type PlacedOrder, type SettledOrder, settle } from './settle.ts';
import { type Tally, startTally } from './tally.ts';

export const CURRENCY = 'GBP';
/** What a write-off says in the ledger. */
export const WRITE_OFF_REASON = 'write_off';
/** Lines in one receipt. */
const RECEIPT_LINES = 500;
/** The server keeps answers for 30 days; a run later than this might repeat what it has forgotten. */
const REPEATABLE_MS = 29 * 24 * 3_600_000;

export interface ImportOptions {
  readonly client: Client;
  readonly world: World;
  readonly file: string;
  /** Requests under way at once. */
  readonly width: number;
  readonly progress: Progress;
  /** Give up waiting for orders when none has moved for this long, milliseconds. */
  readonly patience: number;
  /** Also hand the parcels over and deliver them. */
  readonly dispatch: boolean;
}

/** What was done, and what had been done before. */
export interface Done {
  created: number;
  existing: number;
}

export interface ImportResult {
  readonly scan: Scan;
  readonly tally: Tally;
  readonly warehouse_id: string;
  readonly products: Done;
  readonly receipts: Done;
  readonly write_offs: Done;
  readonly orders: Done;
  readonly returns: Done;
  readonly refunds: Done;
  readonly settled: readonly SettledOrder[];
  readonly given_back: readonly GivenBack[];
  /** Nothing was created: all of it had been imported before. */
  readonly unchanged: boolean;
}

interface Created {
  readonly created_at: string;
}

export async function importFile(options: ImportOptions): Promise<ImportResult> {
  const { client, file, width, progress, world } = options;
  progress.step('reading', 1);
  const scanned = await scan(file);
  progress.advance();
  const key = (kind: string, which: string | number): string => `import:${scanned.sha256.slice(0, 16)}:${kind}:${which}`;

  const name = `Online Retail ${scanned.sha256.slice(0, 12)}`;
  const before = await findWarehouse(client, name);
  if (before !== undefined) refuseForgotten(before, await client.now());
  // What an earlier run has made is told from what this one makes by its time; the server's clock is read to the second, so let one go by.
  const since = before === undefined ? 0 : await nextSecond(client, world);
  const told = (done: Done, at: string): void => void (Date.parse(at) < since ? (done.existing += 1) : (done.created += 1));
  const { id: warehouse_id } = before ?? (await client.post<Warehouse>('/v1/warehouses', { name, location: 'United Kingdom' }, key('warehouse', 1)));

  const products: Done = { created: 0, existing: 0 };
  progress.step('products', scanned.products.length);
  await forEach(scanned.products.entries(), width, async ([i, product]) => {
    const created = await createProduct(client, product, key('product', i + 1));
    if (created === undefined) products.existing += 1;
    else told(products, created.created_at);
    progress.advance();
  });

  const receipts: Done = { created: 0, existing: 0 };
  const stocked = scanned.products.filter(({ opening }) => opening > 0);
  const parts = Array.from({ length: Math.ceil(stocked.length / RECEIPT_LINES) }, (_, i) =>
    stocked.slice(i * RECEIPT_LINES, (i + 1) * RECEIPT_LINES),
  );
  progress.step('stock', parts.length);
  await forEach(parts.entries(), width, async ([i, part]) => {
    const reference = `opening stock ${i + 1} of ${parts.length}`;
    const lines = part.map(({ sku, opening }) => ({ sku, quantity: opening }));
    const { at } = await client.post<{ at: string }>('/v1/stock/receipts', { warehouse_id, reference, lines }, key('receipt', i + 1));
    told(receipts, at);
    progress.advance();
  });

  const orders: Done = { created: 0, existing: 0 };
  const writeOffs: Done = { created: 0, existing: 0 };
  const leaves = (externalId: string): boolean => options.dispatch || scanned.given_back.has(externalId);
  const tally = startTally(leaves);
  const placed: PlacedOrder[] = [];
  progress.step('orders', scanned.orders + scanned.write_offs);
  await forEach(workOf(file, tally), width, async (work) => {
    if ('order' in work) {
      const answer = await client.post<{ id: string } & Created>('/v1/orders', orderBody(work.order), key('order', work.order.external_id));
      const { external_id, total } = work.order;
      placed.push({ id: answer.id, external_id, total, deliver: leaves(external_id) });
      told(orders, answer.created_at);
    } else {
      const answer = await client.post<{ at: string }>(
        '/v1/stock/adjustments',
        writeOffBody(warehouse_id, work.write_off),
        key('write_off', work.write_off.line),
      );
      told(writeOffs, answer.at);
    }
    progress.advance();
  });

  const settled = await settle(placed, options);
  const given: Record<'returns' | 'refunds', Done> = { returns: { created: 0, existing: 0 }, refunds: { created: 0, existing: 0 } };
  const givenBack = await giveBack(settled, tally.back, { ...options, key, made: (what, at) => told(given[what], at) });
  const done = { products, receipts, write_offs: writeOffs, orders, ...given };
  const unchanged = Object.values(done).every(({ created }) => created === 0) && before !== undefined;
  return { scan: scanned, tally, warehouse_id, ...done, settled, given_back: givenBack, unchanged };
}

interface Warehouse extends Created {
  readonly id: string;
  readonly name: string;
}

async function findWarehouse(client: Client, name: string): Promise<Warehouse | undefined> {
  for await (const warehouse of client.each<Warehouse>('/v1/warehouses')) if (warehouse.name === name) return warehouse;
  return undefined;
}

function refuseForgotten({ id, created_at }: Warehouse, now: number): void {
  if (now - Date.parse(created_at) < REPEATABLE_MS) return;
  throw new CommandError(
    EXIT.no,
    `This file was imported on ${created_at.slice(0, 10)}, into the warehouse ${id}. The server no longer remembers each request of then.`,
    {
      more: ['Running it again could receive its stock twice, so nothing was done.'],
      code: 'import_too_old',
    },
  );
}

/** The server's time, once the second in which it was asked is over. */
async function nextSecond(client: Client, world: World): Promise<number> {
  const asked = await client.now();
  for (;;) {
    const now = await client.now();
    if (now > asked) return now;
    await world.sleep(50);
  }
}

/** Undefined when there is a product of this sku already, whoever created it. */
async function createProduct(client: Client, { sku, name, price }: ScannedProduct, key: string): Promise<Created | undefined> {
  try {
    return await client.post<Created>('/v1/products', { sku, name, price, currency: CURRENCY }, key);
  } catch (error) {
    if (error instanceof CommandError && error.code === 'product_exists') return undefined;
    throw error;
  }
}

/** Orders and write-offs in the order of the file; each invoice is tallied as it goes by. */
async function* workOf(file: string, tally: Tally): AsyncGenerator<{ order: PlannedOrder } | { write_off: WriteOff }> {
  for await (const plan of readInvoices(file)) {
    tally.add(plan);
    if (plan.order !== undefined) yield { order: plan.order };
    for (const writeOff of plan.write_offs) yield { write_off: writeOff };
  }
}

export const orderBody = ({ external_id, customer_id, country, lines, charges }: PlannedOrder) => ({
  external_id,
  customer: { id: customer_id },
  currency: CURRENCY,
  lines: lines.map(({ sku, quantity, unit_price }) => ({ sku, quantity, unit_price })),
  charges: charges.map(({ code, name, amount }) => ({ code, name, amount })),
  ship_to: { country },
  payment: { token: 'tok_ok' },
});

const writeOffBody = (warehouse_id: string, { invoice, line, sku, quantity }: WriteOff) => ({
  warehouse_id,
  reason: WRITE_OFF_REASON,
  reference: `invoice ${invoice} line ${line}`,
  lines: [{ sku, quantity: -quantity }],
});
