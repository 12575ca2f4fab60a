/**
 * Stock moved by hand: receipts, corrections, counts, what is set aside and thrown away. All lines of a document or none.
 */
import { Fault, Refusal } from '../kernel/errors.ts';
import { type Cell, type Stock, onHand } from './domain.ts';

/** The paper a movement by hand goes by. */
export interface StockDocument {
  readonly id: string;
  readonly kind: 'receipt' | 'adjustment' | 'count';
  readonly warehouse_id: string;
  /** Why, in the ledger. */
  readonly reason: string;
}
export interface MovedLine {
  readonly sku: string;
  /** Pieces more (or, negative, less) on hand than before. */
  readonly quantity: number;
  readonly on_hand: number;
  readonly reserved: number;
  readonly available: number;
}

export interface AdjustmentLine {
  readonly sku: string;
  readonly quantity: number;
  /** Which balance; `available` when absent. */
  readonly account?: 'available' | 'unavailable' | undefined;
}
export interface CountLine {
  readonly sku: string;
  readonly counted: number;
  readonly expected_on_hand?: number | undefined;
}

/** Goods that arrive. Moves `stock`, which must hold the levels of all lines. */
export function receive(document: StockDocument, lines: readonly { sku: string; quantity: number }[], stock: Stock): MovedLine[] {
  return lines.map(({ sku, quantity }) => {
    postLine(document, { sku, quantity, account: 'available' }, 'outside:supplier', stock);
    return movedLine(document, sku, quantity, stock);
  });
}

/** Corrections by people. All lines or none; the refusal names the first line that takes more than there is. Moves `stock`. */
export function adjust(document: StockDocument, lines: readonly AdjustmentLine[], stock: Stock): MovedLine[] {
  return lines.map(({ sku, quantity, account = 'available' }, i) => {
    if (!postLine(document, { sku, quantity, account }, 'outside:found', stock)) {
      const there = cellOf(document, sku, stock).now[account];
      throw insufficient(`${-quantity} of ${sku} cannot be taken out of ${there} ${account}`, `lines.${i}.quantity`, there);
    }
    return movedLine(document, sku, quantity, stock);
  });
}

/**
 * What was counted becomes what is on hand; what is reserved and set aside stays, so the difference is one of `available`.
 * With `expected_on_hand` a count is refused when goods have moved since it began. Moves `stock`.
 */
export function count(document: StockDocument, lines: readonly CountLine[], stock: Stock): MovedLine[] {
  return lines.map(({ sku, counted, expected_on_hand }, i) => {
    const { now } = cellOf(document, sku, stock);
    const before = onHand(now);
    if (expected_on_hand !== undefined && expected_on_hand !== before)
      throw new Refusal('stock_changed', `${before} of ${sku} are on hand, not ${expected_on_hand}`, [
        { field: `lines.${i}.expected_on_hand`, rule: `on hand are ${before}` },
      ]);
    const quantity = counted - before;
    if (quantity !== 0 && !postLine(document, { sku, quantity, account: 'available' }, 'outside:found', stock))
      throw insufficient(
        `${counted} of ${sku} were counted, fewer than the ${before - now.available} that are reserved or set aside`,
        `lines.${i}.counted`,
        now.available,
      );
    return movedLine(document, sku, quantity, stock);
  });
}

const insufficient = (message: string, field: string, available: number): Refusal =>
  new Refusal('stock_insufficient', message, [
    { field, rule: `takes more than the ${available} there are`, remedy: 'release or cancel reservations first, or ask for less' },
  ]);

function cellOf({ warehouse_id }: StockDocument, sku: string, stock: Stock): Cell {
  const cell = stock.cell(sku, warehouse_id);
  if (cell === undefined) throw new Fault('internal', `the stock level of ${sku} in ${warehouse_id} is not there`);
  return cell;
}

/** One posting of a document: in from `source` when `quantity` is positive, else out to the shrinkage. */
function postLine(
  { id, kind, warehouse_id, reason }: StockDocument,
  { sku, quantity, account }: { sku: string; quantity: number; account: 'available' | 'unavailable' },
  source: 'outside:supplier' | 'outside:found',
  stock: Stock,
): boolean {
  const way = quantity > 0 ? { from: source, to: account } : { from: account, to: 'outside:shrink' as const };
  return stock.move({ sku, warehouse_id, ...way, quantity: Math.abs(quantity), reason, ref_type: kind, ref_id: id });
}

function movedLine(document: StockDocument, sku: string, quantity: number, stock: Stock): MovedLine {
  const { now } = cellOf(document, sku, stock);
  return { sku, quantity, on_hand: onHand(now), reserved: now.reserved, available: now.available };
}
