/**
 * Allocation: from which warehouses the lines of an order come, and why not from the others. Pure; README.md says what each strategy means.
 */
import type { DataOf } from '../contracts/messages.ts';

export type Asked = NonNullable<DataOf<'stock.reserve'>['allocation']>;
export type Strategy = NonNullable<Asked['strategy']>;
export type OrderLine = DataOf<'stock.reserve'>['lines'][number];

/** A warehouse that might send something. */
export interface Candidate {
  readonly warehouse_id: string;
  readonly priority: number;
  /** Kilometres to the customer; null when nobody knows, or asked. */
  readonly distance: number | null;
  /** Pieces of each sku that may be promised. */
  readonly free: ReadonlyMap<string, number>;
  /** Does it send something of this order already? Then it is asked first. */
  readonly involved?: boolean;
}

export interface PlannedPart {
  readonly warehouse_id: string;
  readonly lines: readonly OrderLine[];
}
export interface Plan {
  readonly strategy: Strategy;
  readonly parts: readonly PlannedPart[];
  /** What no warehouse (or, unsplit, not the one taken) has. */
  readonly missing: readonly OrderLine[];
  /** The others, and why not. */
  readonly rejected: readonly { readonly warehouse_id: string; readonly why: string }[];
}

/** Reasons kept with a plan, at most. */
export const REASONS_MAX = 20;

/** `lines` are quantities of at least 1. Without `split` everything comes from one warehouse, or as much of it as one has. */
export function allocate(
  lines: readonly OrderLine[],
  candidates: readonly Candidate[],
  { strategy = 'priority', split = false }: Pick<Asked, 'strategy' | 'split'>,
): Plan {
  const wanted = totalsOf(lines);
  const inOrder = ranked(candidates, strategy);
  const chosen = split ? chooseSeveral(wanted, inOrder, strategy) : chooseOne(wanted, inOrder);
  const { parts, missing } = share(lines, chosen);
  const taken = new Set(parts.map(({ warehouse_id }) => warehouse_id));
  const last = inOrder.findLast(({ warehouse_id }) => taken.has(warehouse_id));
  const rejected = inOrder
    .filter(({ warehouse_id }) => !taken.has(warehouse_id))
    .slice(0, REASONS_MAX)
    .map((candidate) => ({ warehouse_id: candidate.warehouse_id, why: whyNot(candidate, { wanted, last, strategy, split, parts: parts.length }) }));
  return { strategy, parts, missing, rejected };
}

type Totals = ReadonlyMap<string, number>;

export function totalsOf(lines: readonly Pick<OrderLine, 'sku' | 'quantity'>[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { sku, quantity } of lines) totals.set(sku, (totals.get(sku) ?? 0) + quantity);
  return totals;
}

/** Warehouses in the order in which they are asked. Ids are minted in time order: among equals the oldest comes first. */
export const ranked = (candidates: readonly Candidate[], strategy: Strategy = 'priority'): Candidate[] =>
  candidates.toSorted(
    (a, b) =>
      Number(b.involved ?? false) - Number(a.involved ?? false) ||
      (strategy === 'nearest' ? compareDistance(a.distance, b.distance) : 0) ||
      a.priority - b.priority ||
      (a.warehouse_id < b.warehouse_id ? -1 : 1),
  );
// Not by subtraction: infinity less infinity is no number.
const compareDistance = (a: number | null, b: number | null): number => (a === b ? 0 : a === null ? 1 : b === null ? -1 : a - b);

const has = ({ free }: Candidate, sku: string): number => Math.max(0, free.get(sku) ?? 0);
/** How many of the pieces wanted it could send. */
const coverage = (wanted: Totals, candidate: Candidate): number => {
  let pieces = 0;
  for (const [sku, quantity] of wanted) pieces += Math.min(quantity, has(candidate, sku));
  return pieces;
};
const hasAll = (wanted: Totals, candidates: readonly Candidate[]): boolean => {
  for (const [sku, quantity] of wanted) {
    let there = 0;
    for (const candidate of candidates) there += has(candidate, sku);
    if (there < quantity) return false;
  }
  return true;
};

/** The first that has everything, else the first of those that have the most of it. */
function chooseOne(wanted: Totals, inOrder: readonly Candidate[]): readonly Candidate[] {
  let best: Candidate | undefined;
  let most = 0;
  for (const candidate of inOrder) {
    if (hasAll(wanted, [candidate])) return [candidate];
    const covered = coverage(wanted, candidate);
    if (covered > most) [best, most] = [candidate, covered];
  }
  return best === undefined ? [] : [best];
}

function chooseSeveral(wanted: Totals, inOrder: readonly Candidate[], strategy: Strategy): readonly Candidate[] {
  if (strategy !== 'fewest_parcels') return inOrder;
  const useful = inOrder.filter((candidate) => coverage(wanted, candidate) > 0);
  const chosen = (hasAll(wanted, useful) ? smallestSet(wanted, useful) : undefined) ?? byMostCovered(wanted, useful);
  return inOrder.filter((candidate) => chosen.includes(candidate));
}

/** Sets of warehouses looked at before the search is given up for a good guess. */
const SETS_MAX = 5_000;

/** The smallest set that has everything; of several, the one whose warehouses are asked first. Undefined when there are too many to look at. */
function smallestSet(wanted: Totals, useful: readonly Candidate[]): readonly Candidate[] | undefined {
  let looked = 0;
  const search = (chosen: readonly Candidate[], from: number, more: number): readonly Candidate[] | undefined => {
    if (more === 0) return ++looked <= SETS_MAX && hasAll(wanted, chosen) ? chosen : undefined;
    for (let i = from; i <= useful.length - more && looked <= SETS_MAX; i += 1) {
      const found = search([...chosen, useful[i]!], i + 1, more - 1);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  for (let size = 1; size <= useful.length && looked <= SETS_MAX; size += 1) {
    const found = search([], 0, size);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Again and again the one that has the most of what is still missing. */
function byMostCovered(wanted: Totals, useful: readonly Candidate[]): readonly Candidate[] {
  const missing = new Map(wanted);
  const left = [...useful];
  const chosen: Candidate[] = [];
  for (;;) {
    let best: Candidate | undefined;
    let most = 0;
    for (const candidate of left) {
      const covered = coverage(missing, candidate);
      if (covered > most) [best, most] = [candidate, covered];
    }
    if (best === undefined) return chosen;
    chosen.push(best);
    left.splice(left.indexOf(best), 1);
    for (const [sku, quantity] of missing) missing.set(sku, quantity - Math.min(quantity, has(best, sku)));
  }
}

/** Each warehouse in turn gives what it has of what is still missing. */
function share(lines: readonly OrderLine[], chosen: readonly Candidate[]): Pick<Plan, 'parts' | 'missing'> {
  const missing = new Map(lines.map((line) => [line.line_id, line]));
  const parts: PlannedPart[] = [];
  for (const candidate of chosen) {
    const free = new Map(candidate.free);
    const given: OrderLine[] = [];
    for (const line of missing.values()) {
      const quantity = Math.min(line.quantity, Math.max(0, free.get(line.sku) ?? 0));
      if (quantity === 0) continue;
      free.set(line.sku, free.get(line.sku)! - quantity);
      given.push({ ...line, quantity });
      if (quantity === line.quantity) missing.delete(line.line_id);
      else missing.set(line.line_id, { ...line, quantity: line.quantity - quantity });
    }
    if (given.length > 0) parts.push({ warehouse_id: candidate.warehouse_id, lines: given });
    if (missing.size === 0) break;
  }
  return { parts, missing: [...missing.values()] };
}

interface Verdict {
  readonly wanted: Totals;
  /** The last of those taken, in the order of asking. */
  readonly last: Candidate | undefined;
  readonly strategy: Strategy;
  readonly split: boolean;
  readonly parts: number;
}

/** One clause for a person: what it lacks, or why it was not its turn. */
function whyNot(candidate: Candidate, { wanted, last, strategy, split, parts }: Verdict): string {
  const lacks = [...wanted].filter(([sku, quantity]) => has(candidate, sku) < quantity);
  if (lacks.length > 0 && (!split || lacks.every(([sku]) => has(candidate, sku) === 0))) {
    const [sku, quantity] = lacks[0]!;
    const more = lacks.length > 1 ? `, and too few of ${lacks.length - 1} more` : '';
    return `has ${has(candidate, sku)} of ${quantity} ${sku}${more}`;
  }
  if (last === undefined) return 'was not needed';
  if (strategy === 'fewest_parcels' && parts > 1) return `is not among the ${parts} that have everything`;
  if (strategy === 'nearest' && candidate.distance !== last.distance)
    return candidate.distance === null ? 'lies nobody knows how far away' : `is ${candidate.distance} km away, not ${last.distance ?? 'unknown'}`;
  if (candidate.priority !== last.priority) return `is asked later: priority ${candidate.priority}, not ${last.priority}`;
  return 'is asked later: it is newer';
}
