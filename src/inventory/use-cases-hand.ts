/**
 * Stock moved by hand: each function loads, lets the domain decide, fills the line of those who wait, saves and says, in one transaction.
 */
import type { EventType } from '../contracts/messages.ts';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Unit } from '../messaging/mailbox.ts';
import type { RequestContext } from '../messaging/service.ts';
import { type Stock, stockOf } from './domain.ts';
import type { Warehouse } from './domain-catalogue.ts';
import { filledAnswers } from './domain-decide.ts';
import { type AdjustmentLine, type CountLine, type MovedLine, type StockDocument, adjust, count, receive } from './domain-hand.ts';
import * as catalogue from './store.ts';
import * as store from './store-stock.ts';
import { fillLine, offersIn, saveMoved } from './use-cases.ts';

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
  unit: Unit,
  world: World,
  { client, operation }: Who,
  { kind, prefix, says, archived, decide: decideLines }: Kind<Line>,
  { warehouse_id, reference, lines }: DocumentOf<Line>,
  reason: string,
): Promise<StockMoved> {
  const { tx, now, say } = unit;
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
  const line = await fillLine(unit, stock, offersIn(stock));
  await saveMoved(unit, { stock, ...line }, filledAnswers(line));
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
