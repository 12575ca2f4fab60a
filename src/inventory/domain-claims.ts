/**
 * Claims: where the pieces of parted reservations are, and who waits for more. As with stock, what one transaction works on is loaded, moved
 * in memory by one decision after the other, and written back as what has changed.
 */
import { Fault } from '../kernel/errors.ts';
import { type Stock, free } from './domain.ts';

/** Which line of which order. */
export interface Piece {
  readonly order_id: string;
  readonly line_id: string;
  readonly sku: string;
}
/** Pieces of a line in one warehouse. */
export interface Part extends Piece {
  readonly warehouse_id: string;
  readonly held: number;
  readonly gone: number;
}
/** A line that waits. */
export interface Entry extends Piece {
  readonly quantity: number;
  /** 0: its goods vanished; 1: everybody else. */
  readonly turn: number;
  /** When it asked. */
  readonly since: number;
  /** The only one whose goods will do; null for any. */
  readonly warehouse_id: string | null;
  /** 1: the first warehouse that fills a line of the order fills them all. */
  readonly together: number;
}
export interface EntryChange {
  /** As it was found; undefined when it is new. */
  readonly was: Entry | undefined;
  /** As it is left; a quantity of 0 is nothing. */
  readonly now: Entry;
}

export interface Claims {
  partsOf(orderId: string): readonly Part[];
  entriesOf(orderId: string): readonly Entry[];
  /** Who waits for a sku, in the order of the line, as far as it was loaded. */
  waiting(sku: string): readonly Entry[];
  /** Pieces more (or, negative, less) that are held or gone. */
  move(piece: Piece, warehouseId: string, change: { readonly held?: number; readonly gone?: number }): void;
  queue(entry: Entry): void;
  dequeue(piece: Piece, quantity: number): void;
  /** From now on only this warehouse may fill the order. */
  bind(orderId: string, warehouseId: string): void;
  /** Pieces of a sku that wait more (or less) than before. */
  queuedMore(sku: string): number;
  changes(): ClaimChanges;
}
export interface ClaimChanges {
  /** By how much. */
  readonly parts: readonly (Part & { readonly fresh: boolean })[];
  readonly entries: readonly EntryChange[];
  readonly bound: readonly { readonly order_id: string; readonly warehouse_id: string }[];
}

const inLine = (a: Entry, b: Entry): number =>
  a.turn - b.turn || a.since - b.since || compare(a.order_id, b.order_id) || compare(a.line_id, b.line_id);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Something as it was found (undefined: it is new) and as it is after the decisions so far. */
interface Slot<Thing> {
  readonly was: Thing | undefined;
  now: Thing;
}

export function claimsOf(loadedParts: readonly Part[], loadedEntries: readonly Entry[]): Claims {
  const parts = new Map<string, Map<string, Slot<Part>>>();
  const entries = new Map<string, Map<string, Slot<Entry>>>();
  const lines = new Map<string, Slot<Entry>[]>();
  const bound = new Map<string, string>();

  const partSlot = ({ order_id, line_id, sku }: Piece, warehouse_id: string): Slot<Part> => {
    const ofOrder = getOrMake(parts, order_id);
    const key = `${line_id}\n${warehouse_id}`;
    let slot = ofOrder.get(key);
    if (slot === undefined) {
      slot = { was: undefined, now: { order_id, line_id, sku, warehouse_id, held: 0, gone: 0 } };
      ofOrder.set(key, slot);
    }
    return slot;
  };
  const addEntry = (was: Entry | undefined, now: Entry): void => {
    const slot = { was, now };
    getOrMake(entries, now.order_id).set(now.line_id, slot);
    const line = lines.get(now.sku);
    if (line === undefined) lines.set(now.sku, [slot]);
    else line.push(slot);
  };
  for (const part of loadedParts) getOrMake(parts, part.order_id).set(`${part.line_id}\n${part.warehouse_id}`, { was: part, now: part });
  for (const entry of loadedEntries) addEntry(entry, entry);

  return {
    partsOf: (orderId) => [...(parts.get(orderId)?.values() ?? [])].map(({ now }) => now),
    entriesOf: (orderId) => [...(entries.get(orderId)?.values() ?? [])].map(({ now }) => now).filter(({ quantity }) => quantity > 0),
    waiting: (sku) =>
      (lines.get(sku) ?? [])
        .map(({ now }) => now)
        .filter(({ quantity }) => quantity > 0)
        .sort(inLine),
    move(piece, warehouseId, { held = 0, gone = 0 }) {
      const slot = partSlot(piece, warehouseId);
      slot.now = { ...slot.now, held: slot.now.held + held, gone: slot.now.gone + gone };
      if (slot.now.held < 0 || slot.now.gone < 0)
        throw new Fault('internal', `${piece.order_id} would hold less than nothing of ${piece.sku} in ${warehouseId}`);
    },
    queue(entry) {
      const slot = entries.get(entry.order_id)?.get(entry.line_id);
      if (slot === undefined) return addEntry(undefined, entry);
      // Its goods vanished while it waited for more: all of it is at the head of the line.
      const first = slot.now.quantity > 0 && inLine(slot.now, entry) < 0 ? slot.now : entry;
      slot.now = { ...entry, turn: first.turn, since: first.since, quantity: slot.now.quantity + entry.quantity };
    },
    dequeue(piece, quantity) {
      const slot = entries.get(piece.order_id)?.get(piece.line_id);
      if (slot === undefined || slot.now.quantity < quantity)
        throw new Fault('internal', `${piece.order_id} does not wait for ${quantity} of ${piece.sku}`);
      slot.now = { ...slot.now, quantity: slot.now.quantity - quantity };
    },
    bind(orderId, warehouse_id) {
      bound.set(orderId, warehouse_id);
      for (const slot of entries.get(orderId)?.values() ?? []) slot.now = { ...slot.now, warehouse_id };
    },
    queuedMore: (sku) => (lines.get(sku) ?? []).reduce((sum, { was, now }) => sum + now.quantity - (was?.quantity ?? 0), 0),
    changes: () => ({
      parts: [...parts.values()].flatMap((ofOrder) =>
        [...ofOrder.values()].flatMap(({ was, now }) => {
          const held = now.held - (was?.held ?? 0);
          const gone = now.gone - (was?.gone ?? 0);
          return held === 0 && gone === 0 ? [] : [{ ...now, held, gone, fresh: was === undefined }];
        }),
      ),
      entries: [...entries.values()].flatMap((ofOrder) =>
        [...ofOrder.values()].filter(({ was, now }) => was !== now && !(was === undefined && now.quantity === 0)),
      ),
      bound: [...bound].map(([order_id, warehouse_id]) => ({ order_id, warehouse_id })),
    }),
  };
}

function getOrMake<Value>(map: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  let inner = map.get(key);
  if (inner === undefined) map.set(key, (inner = new Map<string, Value>()));
  return inner;
}

/** Pieces that were queued and are held now. */
export interface Filled extends Piece {
  readonly warehouse_id: string;
  readonly quantity: number;
}

/**
 * Gives what is free to those who wait, in the order of the line: nobody is passed over who could be served, nobody is served out of turn.
 * Moves `stock` and `claims`.
 */
export function fill(skus: Iterable<string>, { stock, claims }: { readonly stock: Stock; readonly claims: Claims }): Filled[] {
  const filled: Filled[] = [];
  for (const sku of skus) {
    for (const { order_id, line_id } of claims.waiting(sku)) {
      const cells = stock.cellsOf(sku).filter((cell) => free(cell) > 0);
      if (cells.length === 0) break;
      for (const cell of cells) {
        // Read anew: what came before may have bound the order to a warehouse.
        const entry = claims.entriesOf(order_id).find((one) => one.line_id === line_id);
        if (entry === undefined) break;
        const { warehouse_id } = cell.found;
        if (entry.warehouse_id !== null && entry.warehouse_id !== warehouse_id) continue;
        const quantity = Math.min(entry.quantity, free(cell));
        hold(stock, { order_id, line_id, sku, warehouse_id, quantity });
        claims.dequeue(entry, quantity);
        claims.move(entry, warehouse_id, { held: quantity });
        if (entry.together === 1 && entry.warehouse_id === null) claims.bind(order_id, warehouse_id);
        filled.push({ order_id, line_id, sku, warehouse_id, quantity });
      }
    }
  }
  return filled;
}

function hold(stock: Stock, { order_id, sku, warehouse_id, quantity }: Filled): void {
  const done = stock.move({ sku, warehouse_id, from: 'available', to: 'reserved', quantity, reason: 'filled', ref_type: 'order', ref_id: order_id });
  if (!done) throw new Fault('internal', `${quantity} of ${sku} in ${warehouse_id} are free and cannot be held`);
}
