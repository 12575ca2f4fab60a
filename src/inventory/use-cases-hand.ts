/**
 * Stock moved by hand: each function loads, lets the domain decide, fills the line of those who wait, saves and says, in one transaction.
 */
import type { DataOf, EventType } from '../contracts/messages.ts';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Unit } from '../messaging/mailbox.ts';
import type { RequestContext } from '../messaging/service.ts';
import { type Stock, stockOf } from './domain.ts';
import type { Warehouse } from './domain-catalogue.ts';
import { claimsOf, fill } from './domain-claims.ts';
import { filledAnswers } from './domain-decide.ts';
import * as hand from './domain-hand.ts';
import { type Lost, lose } from './domain-loss.ts';
import type { Desk } from './domain-parted.ts';
import type { Transfer } from './domain-transfers.ts';
import * as catalogue from './store.ts';
import { loadEntries, loadParts } from './store-claims.ts';
import { findHolders, loadReservations, saveReservations } from './store-reservations.ts';
import * as store from './store-stock.ts';
import { lockPlanned, saveTransfers } from './store-transfers.ts';
import { expectNoNewLevels, fillLine, offersIn, saveMoved, sayTransfer } from './use-cases.ts';

export interface DocumentOf<Line> {
  readonly warehouse_id: string;
  readonly reference?: string | undefined;
  readonly lines: readonly Line[];
}
export interface StockMoved {
  readonly id: string;
  readonly warehouse_id: string;
  readonly reference: string | null;
  readonly at: number;
  readonly lines: readonly hand.MovedLine[];
}
export type Who = Pick<RequestContext, 'client' | 'operation'>;

interface Kind<Line> {
  readonly kind: hand.StockDocument['kind'];
  readonly prefix: 'rcp' | 'adj' | 'cnt' | 'mov';
  readonly says: Extract<EventType, 'stock.received' | 'stock.adjusted' | 'stock.counted' | 'stock.moved'>;
  /** Whether an archived product may still be moved this way: out it must, in it must not. */
  readonly archived: boolean;
  decide(document: hand.StockDocument, lines: readonly Line[], stock: Stock): hand.MovedLine[];
  /** What the event says of a line beside what all of them say. */
  readonly more?: (line: Line) => object;
}

type Piece = { readonly sku: string; readonly quantity: number };
const RECEIPT: Kind<Piece> = { kind: 'receipt', prefix: 'rcp', says: 'stock.received', archived: false, decide: hand.receive };
const ADJUSTMENT: Kind<hand.AdjustmentLine> = { kind: 'adjustment', prefix: 'adj', says: 'stock.adjusted', archived: true, decide: hand.adjust };
const COUNT: Kind<hand.CountLine> = { kind: 'count', prefix: 'cnt', says: 'stock.counted', archived: true, decide: hand.countedLines };
const MOVE: Kind<hand.MoveLine> = {
  kind: 'move',
  prefix: 'mov',
  says: 'stock.moved',
  archived: true,
  decide: hand.setAside,
  more: (line) => ({ quantity: line.quantity, ...hand.wayOf(line) }),
};

/** Goods arrive: all lines or none. */
export const receiveStock = (unit: Unit, world: World, who: Who, receipt: DocumentOf<Piece>): Promise<StockMoved> =>
  moveByHand(unit, world, who, RECEIPT, receipt, 'received');

/** Corrects stock up or down: all lines or none. */
export const adjustStock = (
  unit: Unit,
  world: World,
  who: Who,
  adjustment: DocumentOf<hand.AdjustmentLine> & { reason: string },
): Promise<StockMoved> => moveByHand(unit, world, who, ADJUSTMENT, adjustment, adjustment.reason);

/** Sets aside, puts back, throws away: all lines or none. */
export const moveAside = (unit: Unit, world: World, who: Who, moved: DocumentOf<hand.MoveLine> & { reason: string }): Promise<StockMoved> =>
  moveByHand(unit, world, who, MOVE, moved, moved.reason);

async function moveByHand<Line extends { readonly sku: string }>(
  unit: Unit,
  world: World,
  who: Who,
  kind: Kind<Line>,
  asked: DocumentOf<Line>,
  reason: string,
): Promise<StockMoved> {
  const { tx, now } = unit;
  const document = await openDocument(unit, world, kind, asked, reason);
  const skus = asked.lines.map(({ sku }) => sku);
  const stock = stockOf(await store.lockStockIn(tx, asked.warehouse_id, skus, now));
  const moved = kind.decide(document, asked.lines, stock);
  const line = await fillLine(unit, stock, offersIn(stock));
  await saveMoved(unit, { stock, ...line }, filledAnswers(line));
  return closeDocument(unit, who, kind, { document, asked, moved: hand.afterFilling(document, moved, stock) });
}

/** The paper, if what it says can be right: the warehouse is open and stays locked, the products are known. */
async function openDocument<Line extends { readonly sku: string }>(
  { tx }: Unit,
  world: World,
  { kind, prefix, archived }: Kind<Line>,
  { warehouse_id, lines }: DocumentOf<Line>,
  reason: string,
): Promise<hand.StockDocument> {
  expectOpen(warehouse_id, await catalogue.lockWarehouse(tx, warehouse_id));
  await expectProducts(tx, lines, { archived });
  return { id: world.id(prefix), kind, warehouse_id, reason };
}

export async function expectProducts(
  tx: Unit['tx'],
  lines: readonly { readonly sku: string }[],
  { archived, field }: { archived: boolean; field?: string },
): Promise<void> {
  const found = await catalogue.findProductsBySku(
    tx,
    lines.map(({ sku }) => sku),
  );
  const products = new Map(found.map((product) => [product.sku, product]));
  refuseLines(lines, ({ sku }) => (products.has(sku) ? undefined : 'is not in the catalogue'), 'unknown_sku', field);
  if (!archived) refuseLines(lines, ({ sku }) => (products.get(sku)!.archived_at === null ? undefined : 'is archived'), 'product_archived', field);
}

interface Done<Line> {
  readonly document: hand.StockDocument;
  readonly asked: DocumentOf<Line>;
  readonly moved: readonly hand.MovedLine[];
}

async function closeDocument<Line>(
  { tx, now, say }: Unit,
  { client, operation }: Who,
  { kind, says, more = () => ({}) }: Kind<Line>,
  { document: { id, warehouse_id, reason }, asked, moved }: Done<Line>,
): Promise<StockMoved> {
  const reference = asked.reference ?? null;
  await store.insertDocument(tx, { id, kind, warehouse_id, reference, client, operation: operation ?? null, created_at: now });
  say(
    moved.map(({ sku, quantity, on_hand, available }, i) => ({
      type: says,
      subject: `${warehouse_id}/${sku}`,
      data: { warehouse_id, sku, quantity, on_hand, available, reason, ref: id, ...more(asked.lines[i]!) } as DataOf<typeof says>,
    })),
  );
  return { id, warehouse_id, reference, at: now, lines: moved };
}

// ── Counts ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Makes what was counted what is on hand: all lines or none. Orders that lose their goods by it wait for others. */
export async function countStock(unit: Unit, world: World, who: Who, counted: DocumentOf<hand.CountLine>): Promise<StockMoved> {
  const { tx, now } = unit;
  const { warehouse_id, lines } = counted;
  refuseLines(lines, ({ sku }, i) => (lines.findIndex((line) => line.sku === sku) < i ? 'counted twice' : undefined), 'invalid_request');
  const document = await openDocument(unit, world, COUNT, counted, 'counted');
  const skus = lines.map(({ sku }) => sku);
  // Whoever may lose goods is locked before the levels are; what is found here is only a guess at who that is.
  const missing = await missingIn(unit, counted);
  const transfers = await lockPlanned(
    tx,
    warehouse_id,
    missing.map(({ sku }) => sku),
  );
  const holders = await lockHolders(unit, warehouse_id, missing);
  // Elsewhere, too, when somebody loses goods: another warehouse may have what he needs.
  const stock = stockOf(await store.lockStockIn(tx, warehouse_id, skus, now, { everywhere: missing.length > 0 }));
  const losses = hand.count(document, lines, stock);
  if (losses.length === 0) {
    const line = await fillLine(unit, stock, offersIn(stock));
    await saveMoved(unit, { stock, ...line }, filledAnswers(line));
  } else await saveLosses(unit, { document, losses, transfers, holders, stock });
  return closeDocument(unit, who, COUNT, { document, asked: counted, moved: hand.countedLines(document, lines, stock) });
}

/** What was counted less than is promised or set aside, as it looks without a lock. */
async function missingIn({ tx }: Unit, { warehouse_id, lines }: DocumentOf<hand.CountLine>): Promise<hand.Loss[]> {
  const levels = new Map((await store.findLevels(tx, warehouse_id, lines)).map((level) => [level.sku, level]));
  return lines.flatMap(({ sku, counted }) => {
    const level = levels.get(sku);
    const pieces = level === undefined ? 0 : level.reserved + level.unavailable - counted;
    return pieces > 0 ? [{ sku, pieces }] : [];
  });
}

/** The reservations whose goods in a warehouse were set aside last, enough of them to lose what is missing; locked. */
async function lockHolders({ tx }: Unit, warehouse_id: string, missing: readonly hand.Loss[]): Promise<Pick<Saving, 'holders'>['holders']> {
  const ids = await findHolders(tx, warehouse_id, missing);
  const known = await loadReservations(tx, ids, new Set(ids));
  return { known, newestFirst: ids.flatMap((id) => known.get(id) ?? []), parts: await loadParts(tx, ids), entries: await loadEntries(tx, ids) };
}

interface Saving {
  readonly document: hand.StockDocument;
  readonly losses: readonly hand.Loss[];
  readonly transfers: readonly Transfer[];
  readonly holders: {
    readonly known: Awaited<ReturnType<typeof loadReservations>>;
    readonly newestFirst: readonly Lost['reservations'][number][];
    readonly parts: Awaited<ReturnType<typeof loadParts>>;
    readonly entries: Awaited<ReturnType<typeof loadEntries>>;
  };
  readonly stock: Stock;
}

async function saveLosses(unit: Unit, { document, losses, transfers, holders, stock }: Saving): Promise<void> {
  const { tx, now } = unit;
  const claims = claimsOf(holders.parts, holders.entries);
  const desk: Desk = {
    stock,
    claims,
    now,
    places: new Map(),
    room: undefined,
    departures: { before: new Set(), now: [] },
    returns: { before: [], now: [] },
    filled: new Map(),
  };
  const lost = lose(losses, { transfers, reservations: holders.newestFirst }, document, desk);
  const shortened = lost.transfers.map((transfer) => ({ ...transfer, version: transfer.version + 1, updated_at: now }));
  const skus = new Set(losses.map(({ sku }) => sku));
  await expectNoNewLevels(unit, stock, skus);
  const filled = Map.groupBy(fill(skus, desk), ({ order_id }) => order_id);
  await saveTransfers(tx, shortened);
  for (const transfer of shortened) sayTransfer(unit, 'transfer.shorted', transfer, document.reason);
  await saveReservations(tx, holders.known, lost.reservations, now);
  await saveMoved(unit, desk, [...lost.answers, ...filledAnswers({ filled })]);
}

// ── What cannot be right ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** A warehouse stays locked while stock is moved by hand, so that it cannot be archived under the goods. */
export function expectOpen(id: string, warehouse: Warehouse | undefined, field = 'warehouse_id'): void {
  if (warehouse === undefined) throw new Refusal('warehouse_not_found', `there is no warehouse ${id}`, [{ field, rule: 'names no warehouse' }]);
  if (warehouse.archived_at !== null) throw new Refusal('warehouse_archived', `warehouse ${id} is archived`, [{ field, rule: 'is archived' }]);
}

/** Refuses all lines together, naming each one that breaks the rule. */
export function refuseLines<Line extends { readonly sku: string }>(
  lines: readonly Line[],
  brokenRule: (line: Line, index: number) => string | undefined,
  code: 'unknown_sku' | 'product_archived' | 'invalid_request',
  field?: string,
): void {
  const broken = lines.flatMap(({ sku }, i) => {
    const rule = brokenRule(lines[i]!, i);
    return rule === undefined ? [] : [{ sku, field: field ?? `lines.${i}.sku`, rule }];
  });
  const [first] = broken;
  if (first === undefined) return;
  const errors: FieldError[] = broken.map((one) => ({ field: one.field, rule: one.rule }));
  throw new Refusal(code, `"${first.sku}" ${first.rule}${errors.length > 1 ? `, and ${errors.length - 1} more lines` : ''}`, errors);
}
