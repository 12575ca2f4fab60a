/**
 * What if: the orders of a while again, by another strategy or without some warehouses, on the stock as it was.
 *
 *   levels at the beginning ─┐
 *   asked ───────────────────┼─> what would have been held, by the functions that decide every day ─> figures
 *   moved, given back ───────┘   what was held, as the ledger says ─────────────────────────────────> figures
 *
 * Whatever moved that was not one of these orders' moves again as it did, as far as goods are there. Pure; nothing is changed by it.
 */
import { type Level, type Stock, free, stockOf } from './domain.ts';
import type { Asked, OrderLine } from './domain-allocation.ts';
import { claimsOf, fill } from './domain-claims.ts';
import { type Place, distanceBetween, placeOf } from './domain-distance.ts';
import { type Desk, NEEDS_LINE, releaseParted, reserveAsAsked } from './domain-parted.ts';

/** What is to be otherwise; what is undefined is as each order asked. */
export interface Otherwise {
  readonly strategy?: Asked['strategy'];
  readonly split?: boolean | undefined;
  readonly backorder?: boolean | undefined;
  readonly without: ReadonlySet<string>;
  /** Minor units. */
  readonly cost_per_parcel?: number | undefined;
  readonly cost_per_km?: number | undefined;
}

/** Something that happened then, in the order in which it did. */
export type Happening =
  | { readonly what: 'asked'; readonly order_id: string; readonly lines: readonly OrderLine[]; readonly asked: Asked; readonly at: number }
  | { readonly what: 'held'; readonly order_id: string; readonly sku: string; readonly warehouse_id: string; readonly quantity: number }
  | { readonly what: 'gave back'; readonly order_id: string; readonly sku: string; readonly quantity: number; readonly all: boolean }
  | { readonly what: 'moved'; readonly sku: string; readonly warehouse_id: string; readonly change: number };

export interface Figures {
  readonly orders: number;
  readonly parcels: number;
  /** In more than one parcel. */
  readonly split_orders: number;
  /** Not all of it was held. */
  readonly unfilled_orders: number;
  readonly unfilled_pieces: number;
  /** From the warehouses to the customers, one way for each parcel, where both are known. */
  readonly distance_km: number;
  readonly parcels_of_unknown_distance: number;
  /** Minor units; null when nobody said what a parcel or a kilometre costs. */
  readonly cost: number | null;
}
export interface Difference {
  readonly order_id: string;
  readonly was: readonly string[];
  readonly would_be: readonly string[];
  readonly unfilled_was: number;
  readonly unfilled_would_be: number;
}
export interface Comparison {
  readonly was: Figures;
  readonly would_be: Figures;
  /** Some of the orders for which something is otherwise. */
  readonly differences: readonly Difference[];
  readonly different_orders: number;
  /** Pieces that were taken by hand then and would not have been there. */
  readonly missing_pieces: number;
}
export const DIFFERENCES_MAX = 50;

interface Outcome {
  readonly wanted: number;
  readonly to: Place | undefined;
  /** Pieces held by warehouse. */
  readonly was: Map<string, number>;
  readonly would_be: Map<string, number>;
}

export interface WhatIf {
  /** Lets the next of it happen. */
  take(happenings: readonly Happening[]): void;
  result(): Comparison;
}

export function openWhatIf(levels: readonly Level[], places: ReadonlyMap<string, Place>, otherwise: Otherwise): WhatIf {
  const stock = stockOf(levels.filter(({ warehouse_id }) => !otherwise.without.has(warehouse_id)));
  const claims = claimsOf([], []);
  const outcomes = new Map<string, Outcome>();
  let missing = 0;

  /** A desk for one decision: what waits in the line may be as long as it likes. */
  const desk = (now: number): Desk => ({
    stock,
    claims,
    now,
    places,
    room: () => Number.POSITIVE_INFINITY,
    departures: { before: new Set(), now: [] },
    returns: { before: [], now: [] },
    filled: new Map(),
  });
  const serve = (skus: Iterable<string>): void => {
    for (const { order_id, warehouse_id, quantity } of fill(skus, { stock, claims })) {
      const { would_be } = outcomes.get(order_id)!;
      add(would_be, warehouse_id, quantity);
    }
  };

  function ask({ order_id, lines, asked, at }: Extract<Happening, { what: 'asked' }>): void {
    if (outcomes.has(order_id)) return;
    const { strategy = asked.strategy, split = asked.split, backorder = asked.backorder } = otherwise;
    const { ship_to } = asked;
    const wish: Asked = {
      ...(strategy && { strategy }),
      ...(split !== undefined && { split }),
      ...(backorder !== undefined && { backorder }),
      ...(ship_to && { ship_to }),
    };
    const would_be = new Map<string, number>();
    const wanted = lines.reduce((sum, { quantity }) => sum + quantity, 0);
    outcomes.set(order_id, { wanted, to: ship_to && placeOf(ship_to), was: new Map(), would_be });
    const outcome = reserveAsAsked({ order_id, lines: [...lines], allocation: wish }, desk(at));
    if (outcome === undefined || outcome === NEEDS_LINE) return;
    const { reservation } = outcome;
    // One in one place is held like the others here, so that it can be given back like them.
    if (reservation.status === 'held')
      for (const { line_id, sku, quantity } of lines) claims.move({ order_id, line_id, sku }, reservation.warehouse_id!, { held: quantity });
    for (const part of claims.partsOf(order_id)) add(would_be, part.warehouse_id, part.held);
  }

  function giveBack({ order_id, sku, quantity, all }: Extract<Happening, { what: 'gave back' }>): void {
    if (all) {
      const skus = new Set([...claims.partsOf(order_id), ...claims.entriesOf(order_id)].map((one) => one.sku));
      releaseParted({ order_id, status: 'parted', warehouse_id: null, released_at: null, lines: [] }, desk(0));
      return serve(skus);
    }
    let rest = quantity;
    for (const part of claims.partsOf(order_id).toReversed()) {
      const pieces = part.sku === sku ? Math.min(rest, part.held) : 0;
      if (pieces === 0) continue;
      claims.move(part, part.warehouse_id, { held: -pieces });
      stock.move({ ...posting(sku, part.warehouse_id, pieces), from: 'reserved', to: 'available' });
      rest -= pieces;
    }
    serve([sku]);
  }

  function move({ sku, warehouse_id, change }: Extract<Happening, { what: 'moved' }>): void {
    const cell = stock.cell(sku, warehouse_id);
    if (cell === undefined) return;
    const quantity = change > 0 ? change : Math.min(-change, cell.now.available);
    missing += Math.abs(change) - quantity;
    if (quantity === 0) return;
    const way =
      change > 0 ? { from: 'outside:then' as const, to: 'available' as const } : { from: 'available' as const, to: 'outside:then' as const };
    stock.move({ ...posting(sku, warehouse_id, quantity), ...way });
    if (change > 0 && free(cell) > 0) serve([sku]);
  }

  return {
    take(happenings) {
      for (const one of happenings) {
        if (one.what === 'asked') ask(one);
        else if (one.what === 'gave back') giveBack(one);
        else if (one.what === 'moved') move(one);
        else add(outcomes.get(one.order_id)?.was ?? new Map(), one.warehouse_id, one.quantity);
      }
    },
    result: () => ({ ...compare(outcomes, places, otherwise), missing_pieces: missing }),
  };
}

const posting = (sku: string, warehouse_id: string, quantity: number): Omit<Parameters<Stock['move']>[0], 'from' | 'to'> => ({
  sku,
  warehouse_id,
  quantity,
  reason: 'what if',
  ref_type: 'what if',
  ref_id: 'what if',
});

function add(pieces: Map<string, number>, warehouse_id: string, quantity: number): void {
  if (quantity > 0) pieces.set(warehouse_id, (pieces.get(warehouse_id) ?? 0) + quantity);
}

function compare(
  outcomes: ReadonlyMap<string, Outcome>,
  places: ReadonlyMap<string, Place>,
  otherwise: Otherwise,
): Omit<Comparison, 'missing_pieces'> {
  const all = [...outcomes].map(([order_id, outcome]) => ({ order_id, ...outcome }));
  const figures = (side: 'was' | 'would_be'): Figures =>
    figuresOf(
      all.map((one) => ({ ...one, held: one[side] })),
      places,
      otherwise,
    );
  const different = all.filter(({ was, would_be }) => [...was.keys()].sort().join() !== [...would_be.keys()].sort().join());
  return {
    was: figures('was'),
    would_be: figures('would_be'),
    different_orders: different.length,
    differences: different.slice(0, DIFFERENCES_MAX).map(({ order_id, wanted, was, would_be }) => ({
      order_id,
      was: [...was.keys()],
      would_be: [...would_be.keys()],
      unfilled_was: unfilled(wanted, was),
      unfilled_would_be: unfilled(wanted, would_be),
    })),
  };
}

// Whoever was given goods, lost them and was given others had no more than he wanted.
const unfilled = (wanted: number, held: ReadonlyMap<string, number>): number =>
  Math.max(0, wanted - [...held.values()].reduce((sum, one) => sum + one, 0));

function figuresOf(
  outcomes: readonly { readonly wanted: number; readonly to: Place | undefined; readonly held: ReadonlyMap<string, number> }[],
  places: ReadonlyMap<string, Place>,
  { cost_per_parcel, cost_per_km }: Otherwise,
): Figures {
  const parcels = outcomes.flatMap(({ to, held }) =>
    [...held.keys()].map((id) => (to === undefined ? null : distanceBetween(places.get(id) ?? {}, to))),
  );
  const known = parcels.filter((km) => km !== null);
  const distance_km = known.reduce((sum, km) => sum + km, 0);
  const missing = outcomes.map(({ wanted, held }) => unfilled(wanted, held));
  const costs = cost_per_parcel !== undefined || cost_per_km !== undefined;
  return {
    orders: outcomes.length,
    parcels: parcels.length,
    split_orders: outcomes.filter(({ held }) => held.size > 1).length,
    unfilled_orders: missing.filter((pieces) => pieces > 0).length,
    unfilled_pieces: missing.reduce((sum, pieces) => sum + pieces, 0),
    distance_km,
    parcels_of_unknown_distance: parcels.length - known.length,
    cost: costs ? parcels.length * (cost_per_parcel ?? 0) + distance_km * (cost_per_km ?? 0) : null,
  };
}
