/**
 * Stock: what may move, and what follows from it.
 *
 *   outside:supplier ──receive──> available ──reserve──> reserved ──commit──> outside:customer
 *   outside:found ────adjust up──>    │   ^                  │
 *   outside:shrink <──adjust down─────┘   └─────release──────┘
 *
 * `unavailable` holds what is in the house and not for sale; on_hand is the sum of the three. A count is an adjustment by the
 * difference found. Every arrow is a posting, and nothing else changes a balance. Reservations are in domain-reservations.ts.
 */
import { Fault, Refusal } from '../kernel/errors.ts';
import { type Balances, type Posting, post } from '../kernel/ledger.ts';

export type StockAccount = 'available' | 'reserved' | 'unavailable';
export type StockBalances = Balances<StockAccount>;

/** A stock level as it was found. */
export interface Level extends StockBalances {
  readonly sku: string;
  readonly warehouse_id: string;
  /** The warehouse's: the lowest is asked first. */
  readonly priority: number;
}

/** A posting of the stock ledger, before it has a place and a time. */
export interface StockMove extends Posting<StockAccount> {
  readonly sku: string;
  readonly warehouse_id: string;
  readonly reason: string;
  readonly ref_type: string;
  readonly ref_id: string;
}

/** By how much a transaction changes a level. */
export interface LevelChange extends StockBalances {
  readonly sku: string;
  readonly warehouse_id: string;
}

/** A level as it was found and as it is after the moves so far. */
export interface Cell {
  readonly found: Level;
  now: StockBalances;
}

export const onHand = ({ available, reserved, unavailable }: StockBalances): number => available + reserved + unavailable;

/**
 * The levels one transaction works on: found, moved in memory by one decision after the other, written back as sums. So a thousand
 * lines of one sku cost one update, and each decision sees what those before it took.
 */
export interface Stock {
  cell(sku: string, warehouseId: string): Cell | undefined;
  /** The warehouses that ever had a sku, in the order in which they are asked. */
  cellsOf(sku: string): readonly Cell[];
  /** Makes a posting; false, and no change, when an account would fall below zero. Throws when the level was not loaded. */
  move(move: StockMove): boolean;
  readonly moves: readonly StockMove[];
  changes(): LevelChange[];
}

export function stockOf(levels: readonly Level[]): Stock {
  const bySku = new Map<string, Cell[]>();
  const moves: StockMove[] = [];
  for (const found of levels) {
    const { available, reserved, unavailable } = found;
    const cell = { found, now: { available, reserved, unavailable } };
    const cells = bySku.get(found.sku);
    if (cells === undefined) bySku.set(found.sku, [cell]);
    else cells.push(cell);
  }
  // Ids of warehouses are minted in time order: among equals the oldest is asked first.
  for (const cells of bySku.values())
    cells.sort(({ found: a }, { found: b }) => a.priority - b.priority || (a.warehouse_id < b.warehouse_id ? -1 : 1));

  const cellsOf = (sku: string): readonly Cell[] => bySku.get(sku) ?? [];
  const cellAt = (sku: string, warehouseId: string): Cell | undefined => cellsOf(sku).find(({ found }) => found.warehouse_id === warehouseId);
  return {
    cell: cellAt,
    cellsOf,
    moves,
    move(move) {
      const cell = cellAt(move.sku, move.warehouse_id);
      if (cell === undefined) throw new Fault('internal', `the stock level of ${move.sku} in ${move.warehouse_id} is not there`);
      const next = post(cell.now, move);
      if (next === undefined) return false;
      cell.now = next;
      moves.push(move);
      return true;
    },
    changes: () =>
      [...bySku.values()].flat().flatMap(({ found, now }) => {
        const { sku, warehouse_id } = found;
        const available = now.available - found.available;
        const reserved = now.reserved - found.reserved;
        const unavailable = now.unavailable - found.unavailable;
        return available === 0 && reserved === 0 && unavailable === 0 ? [] : [{ sku, warehouse_id, available, reserved, unavailable }];
      }),
  };
}

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
