/**
 * Stock levels: what a transaction finds, moves and leaves. README.md lists the postings; nothing else changes a balance.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import { type Balances, type Posting, post } from '../kernel/ledger.ts';

export type StockAccount = 'available' | 'reserved' | 'unavailable';
/** What is under way in the name of a transfer: beyond every level, and not outside. */
export type TransitAccount = `transit:${string}`;
export type StockBalances = Balances<StockAccount>;

/** A stock level as it was found. */
export interface Level extends StockBalances {
  readonly sku: string;
  readonly warehouse_id: string;
  /** The warehouse's: the lowest is asked first. */
  readonly priority: number;
  /** Pieces of `available` that nobody is promised. */
  readonly safety_stock: number;
  /** `stock.low` is said at so many. */
  readonly low_at: number | null;
  /** Did it come to be in this transaction? */
  readonly begun?: boolean;
  /** Its settings before this transaction, where it changes them. */
  readonly was?: Pick<Level, 'safety_stock' | 'low_at'>;
}

/** A posting of the stock ledger, before it has a place and a time. */
export interface StockMove extends Posting<StockAccount | TransitAccount> {
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
/** Pieces that may be promised; below zero when people have taken some of the safety stock. */
export const free = ({ now, found }: Cell): number => now.available - found.safety_stock;
/** Has it more to be promised than when it was found? */
export const freed = (cell: Cell): boolean => {
  const { found } = cell;
  return free(cell) > 0 && free(cell) > found.available - (found.was ?? found).safety_stock;
};

/**
 * The levels one transaction works on: found, moved in memory by one decision after the other, written back as sums. So a thousand
 * lines of one sku cost one update, and each decision sees what those before it took.
 */
export interface Stock {
  cell(sku: string, warehouseId: string): Cell | undefined;
  /** The warehouses that ever had a sku, in the order in which they are asked. */
  cellsOf(sku: string): readonly Cell[];
  cells(): readonly Cell[];
  /** Makes a posting; false, and no change, when an account would fall below zero. Throws when the level was not loaded. */
  move(move: StockMove): boolean;
  readonly moves: readonly StockMove[];
  changes(): LevelChange[];
  crossings(): Crossing[];
}

type CrossingType = 'stock.low' | 'stock.out' | 'stock.back';
/** An event about a level, said when it is crossed. */
export interface Crossing {
  readonly type: CrossingType;
  readonly subject: string;
  readonly data: DataOf<CrossingType>;
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
    cells: () => [...bySku.values()].flat(),
    moves,
    move(move) {
      const cell = cellAt(move.sku, move.warehouse_id);
      if (cell === undefined) throw new Fault('internal', `the stock level of ${move.sku} in ${move.warehouse_id} is not there`);
      const next = post(cell.now, withoutTransit(move));
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
    crossings: () => [...bySku.values()].flat().flatMap(crossingsOf),
  };
}

/** Seen from a level, what is under way is beyond it. */
function withoutTransit(move: StockMove): Posting<StockAccount> {
  const ofLevel = (account: StockMove['from']): Posting<StockAccount>['from'] => (isTransit(account) ? 'outside:transit' : account);
  return { from: ofLevel(move.from), to: ofLevel(move.to), quantity: move.quantity };
}
const isTransit = (account: string): account is TransitAccount => account.startsWith('transit:');

function crossingsOf({ found, now }: Cell): Crossing[] {
  const { sku, warehouse_id, safety_stock, low_at, was = found } = found;
  const { available } = now;
  if (found.available === available && was === found) return [];
  const [wasOut, isOut] = [found.available <= was.safety_stock, available <= safety_stock];
  const wasLow = was.low_at !== null && found.available <= was.low_at;
  const isLow = low_at !== null && available <= low_at;
  const crossing = (type: CrossingType, threshold: number): Crossing[] => [
    { type, subject: `${warehouse_id}/${sku}`, data: { warehouse_id, sku, available, threshold } },
  ];
  return [
    ...(isLow && !wasLow ? crossing('stock.low', low_at) : []),
    ...(isOut && !wasOut ? crossing('stock.out', safety_stock) : []),
    ...(wasOut && !isOut && found.begun !== true ? crossing('stock.back', safety_stock) : []),
  ];
}

/** What each of the postings of one level left, the newest first, given the level after the newest; and the level before the oldest. */
export function backwards(
  postings: readonly { readonly from_account: string; readonly to_account: string; readonly quantity: number }[],
  level: StockBalances | undefined,
): { readonly afters: readonly StockBalances[]; readonly left: StockBalances | undefined } {
  const afters: StockBalances[] = [];
  let left = level;
  for (const { from_account, to_account, quantity } of postings) {
    if (left === undefined) break;
    afters.push(left);
    const undone: Record<StockAccount, number> = { ...left };
    if (from_account in undone) undone[from_account as StockAccount] += quantity;
    if (to_account in undone) undone[to_account as StockAccount] -= quantity;
    left = undone;
  }
  return { afters, left };
}
