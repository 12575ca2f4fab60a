/**
 * What is done with stock: each function loads, lets the domain decide, saves and says, in one transaction.
 */
import type { EventType } from '../contracts/messages.ts';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Unit } from '../messaging/mailbox.ts';
import type { AnyMessage, RequestContext } from '../messaging/service.ts';
import { type AdjustmentLine, type CountLine, type MovedLine, type Stock, type StockDocument, adjust, count, receive, stockOf } from './domain.ts';
import type { Warehouse } from './domain-catalogue.ts';
import { type Decision, type Reservation, type StockAnswer, commit, release, reserve } from './domain-reservations.ts';
import * as catalogue from './store.ts';
import { loadReservations, saveReservations } from './store-reservations.ts';
import * as store from './store-stock.ts';

type StockCommand = AnyMessage<'stock.reserve' | 'stock.release' | 'stock.commit'>;

/**
 * Decides about N orders in the order in which the commands arrived, with at most eight statements, whatever N: load and lock the
 * reservations (and the lines they hold) and every level involved, decide in memory, write sums, rows and postings.
 */
export async function moveStock({ tx, now, say }: Unit, commands: readonly StockCommand[]): Promise<void> {
  const known = await loadReservations(
    tx,
    commands.map(({ data }) => data.order_id),
  );
  const stock = stockOf(await store.lockStock(tx, skusOf(commands, known)));
  const decided = new Map<string, Reservation>();
  const answers: (StockAnswer & { readonly subject: string; readonly cause: StockCommand })[] = [];
  for (const command of commands) {
    const { order_id } = command.data;
    const decision = decide(decided.get(order_id) ?? known.get(order_id), command, stock, now);
    if (decision === undefined) continue;
    decided.set(order_id, decision.reservation);
    answers.push({ ...decision.answer, subject: order_id, cause: command });
  }
  await saveReservations(tx, known, [...decided.values()], now);
  await store.saveStock(tx, stock, now);
  say(answers);
}

function decide(reservation: Reservation | undefined, command: StockCommand, stock: Stock, now: number): Decision {
  switch (command.type) {
    case 'stock.reserve':
      return reserve(reservation, command.data, stock);
    case 'stock.release':
      return release(reservation, command.data, stock, now);
    case 'stock.commit':
      return commit(reservation, command.data, stock);
  }
}

/** Every sku a command may move: of lines wanted, and of lines held. */
function* skusOf(commands: readonly StockCommand[], known: ReadonlyMap<string, Reservation>): Generator<string> {
  for (const { type, data } of commands) {
    const reservation = known.get(data.order_id);
    for (const { sku } of reservation?.lines ?? []) yield sku;
    if (type === 'stock.reserve' && reservation === undefined) for (const { sku } of data.lines) yield sku;
  }
}

// ── Stock moved by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────

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
  readonly lines: readonly MovedLine[];
}
type Who = Pick<RequestContext, 'client' | 'operation'>;

interface Kind<Line> {
  readonly kind: StockDocument['kind'];
  readonly prefix: 'rcp' | 'adj' | 'cnt';
  readonly says: Extract<EventType, 'stock.received' | 'stock.adjusted' | 'stock.counted'>;
  /** Whether an archived product may still be moved this way: out it must, in it must not. */
  readonly archived: boolean;
  decide(document: StockDocument, lines: readonly Line[], stock: Stock): MovedLine[];
}

const RECEIPT: Kind<{ sku: string; quantity: number }> = { kind: 'receipt', prefix: 'rcp', says: 'stock.received', archived: false, decide: receive };
const ADJUSTMENT: Kind<AdjustmentLine> = { kind: 'adjustment', prefix: 'adj', says: 'stock.adjusted', archived: true, decide: adjust };
const COUNT: Kind<CountLine> = { kind: 'count', prefix: 'cnt', says: 'stock.counted', archived: true, decide: count };

/** Goods arrive: all lines or none. */
export const receiveStock = (unit: Unit, world: World, who: Who, receipt: DocumentOf<{ sku: string; quantity: number }>): Promise<StockMoved> =>
  moveByHand(unit, world, who, RECEIPT, receipt, 'received');

/** Corrects stock up or down: all lines or none. */
export const adjustStock = (unit: Unit, world: World, who: Who, adjustment: DocumentOf<AdjustmentLine> & { reason: string }): Promise<StockMoved> =>
  moveByHand(unit, world, who, ADJUSTMENT, adjustment, adjustment.reason);

/** Makes what was counted what is on hand: all lines or none. */
export async function countStock(unit: Unit, world: World, who: Who, counted: DocumentOf<CountLine>): Promise<StockMoved> {
  refuseLines(
    counted.lines,
    ({ sku }, i) => (counted.lines.findIndex((line) => line.sku === sku) < i ? 'counted twice' : undefined),
    'invalid_request',
  );
  return moveByHand(unit, world, who, COUNT, counted, 'counted');
}

async function moveByHand<Line extends { readonly sku: string }>(
  { tx, now, say }: Unit,
  world: World,
  { client, operation }: Who,
  { kind, prefix, says, archived, decide: decideLines }: Kind<Line>,
  { warehouse_id, reference, lines }: DocumentOf<Line>,
  reason: string,
): Promise<StockMoved> {
  expectOpen(warehouse_id, await catalogue.lockWarehouse(tx, warehouse_id));
  const skus = lines.map(({ sku }) => sku);
  const products = new Map((await catalogue.findProductsBySku(tx, skus)).map((product) => [product.sku, product]));
  refuseLines(lines, ({ sku }) => (products.has(sku) ? undefined : 'is not in the catalogue'), 'unknown_sku');
  if (!archived) refuseLines(lines, ({ sku }) => (products.get(sku)!.archived_at === null ? undefined : 'is archived'), 'product_archived');

  const document = { id: world.id(prefix), kind, warehouse_id, reason };
  const stock = stockOf(await store.lockStockIn(tx, warehouse_id, skus, now));
  const moved = decideLines(document, lines, stock);
  await store.insertDocument(tx, {
    id: document.id,
    kind,
    warehouse_id,
    reference: reference ?? null,
    client,
    operation: operation ?? null,
    created_at: now,
  });
  await store.saveStock(tx, stock, now);
  say(
    moved.map(({ sku, quantity, on_hand, available }) => ({
      type: says,
      subject: `${warehouse_id}/${sku}`,
      data: { warehouse_id, sku, quantity, on_hand, available, reason, ref: document.id },
    })),
  );
  return { id: document.id, warehouse_id, reference: reference ?? null, at: now, lines: moved };
}

/** A warehouse stays locked while stock is moved by hand, so that it cannot be archived under the goods. */
function expectOpen(id: string, warehouse: Warehouse | undefined): void {
  if (warehouse === undefined)
    throw new Refusal('warehouse_not_found', `there is no warehouse ${id}`, [{ field: 'warehouse_id', rule: 'names no warehouse' }]);
  if (warehouse.archived_at !== null)
    throw new Refusal('warehouse_archived', `warehouse ${id} is archived`, [{ field: 'warehouse_id', rule: 'is archived' }]);
}

/** Refuses all lines together, naming each one that breaks the rule. */
function refuseLines<Line extends { readonly sku: string }>(
  lines: readonly Line[],
  brokenRule: (line: Line, index: number) => string | undefined,
  code: 'unknown_sku' | 'product_archived' | 'invalid_request',
): void {
  const errors: FieldError[] = lines.flatMap((line, i) => {
    const rule = brokenRule(line, i);
    return rule === undefined ? [] : [{ field: `lines.${i}.sku`, rule }];
  });
  const first = errors[0];
  if (first === undefined) return;
  const { sku } = lines[Number(first.field.split('.')[1])]!;
  throw new Refusal(code, `"${sku}" ${first.rule}${errors.length > 1 ? `, and ${errors.length - 1} more lines` : ''}`, errors);
}
