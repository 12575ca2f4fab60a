/**
 * Stock moved by hand: receipts, corrections, counts, what is set aside and thrown away. All lines of a document or none.
 */
import { Fault, Refusal } from '../kernel/errors.ts';
import { type Cell, type Stock, onHand } from './domain.ts';

/** The paper a movement by hand goes by. */
export interface StockDocument {
  readonly id: string;
  readonly kind: 'receipt' | 'adjustment' | 'count' | 'move';
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
  readonly unavailable: number;
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
export interface MoveLine {
  readonly sku: string;
  readonly quantity: number;
  /** Set aside, put back, or thrown away of what was set aside. */
  readonly to: 'unavailable' | 'available' | 'scrap';
}
/** Pieces that are not there although they are reserved or set aside. */
export interface Loss {
  readonly sku: string;
  readonly pieces: number;
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
 * What was counted becomes what is on hand. What is missing is taken from `available`; what that does not cover is a loss, for others to
 * decide about. With `expected_on_hand` a count is refused when goods have moved since it began. Moves `stock`.
 */
export function count(document: StockDocument, lines: readonly CountLine[], stock: Stock): Loss[] {
  return lines.flatMap(({ sku, counted, expected_on_hand }, i) => {
    const { now } = cellOf(document, sku, stock);
    const before = onHand(now);
    if (expected_on_hand !== undefined && expected_on_hand !== before)
      throw new Refusal('stock_changed', `${before} of ${sku} are on hand, not ${expected_on_hand}`, [
        { field: `lines.${i}.expected_on_hand`, rule: `on hand are ${before}` },
      ]);
    const quantity = Math.max(counted - before, -now.available);
    if (quantity !== 0) postLine(document, { sku, quantity, account: 'available' }, 'outside:found', stock);
    const pieces = before + quantity - counted;
    return pieces > 0 ? [{ sku, pieces }] : [];
  });
}

/** What was counted, and what is there now. */
export const countedLines = (document: StockDocument, lines: readonly CountLine[], stock: Stock): MovedLine[] =>
  lines.map(({ sku, counted }) => movedLine(document, sku, counted - onHand(cellOf(document, sku, stock).found), stock));

/** Moves between what is sold and what is not, and to the rubbish; never more than is there. Moves `stock`. */
export function setAside(document: StockDocument, lines: readonly MoveLine[], stock: Stock): MovedLine[] {
  return lines.map((line, i) => {
    const { sku, quantity } = line;
    const { id, kind, warehouse_id, reason } = document;
    const { from, to } = wayOf(line);
    if (!stock.move({ sku, warehouse_id, from, to, quantity, reason, ref_type: kind, ref_id: id })) {
      const there = cellOf(document, sku, stock).now[from];
      throw insufficient(`${quantity} of ${sku} cannot be taken out of ${there} ${from}`, `lines.${i}.quantity`, there);
    }
    return movedLine(document, sku, line.to === 'scrap' ? -quantity : 0, stock);
  });
}

/** The accounts a move goes between. */
export function wayOf({ to }: Pick<MoveLine, 'to'>): {
  readonly from: 'available' | 'unavailable';
  readonly to: 'available' | 'unavailable' | 'outside:shrink';
} {
  if (to === 'unavailable') return { from: 'available', to };
  return { from: 'unavailable', to: to === 'scrap' ? 'outside:shrink' : to };
}

/** The same lines, of which some was given to those who wait for it. */
export const afterFilling = (document: StockDocument, moved: readonly MovedLine[], stock: Stock): MovedLine[] =>
  moved.map((line) => {
    const { available, reserved } = cellOf(document, line.sku, stock).now;
    return { ...line, available: Math.min(line.available, available), reserved };
  });

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
  return { sku, quantity, on_hand: onHand(now), reserved: now.reserved, available: now.available, unavailable: now.unavailable };
}
