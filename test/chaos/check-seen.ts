/** What clients saw of an order or a parcel, one look after another: its version only grows, and its status is on a way it can take. */
import type { Case, Complain, Seen } from './history.ts';

type Reaches = Readonly<Record<string, readonly string[]>>;

/** `on_hold` is in neither: it covers what it lies on, which comes back. */
const ORDER: Reaches = {
  pending: ['confirmed', 'shipped', 'delivered', 'cancelled'],
  confirmed: ['shipped', 'delivered', 'cancelled'],
  shipped: ['delivered'],
  delivered: [],
  cancelled: [],
};
const SHIPMENT: Reaches = {
  pending: ['ready', 'in_transit', 'delivered', 'cancelled'],
  ready: ['in_transit', 'delivered', 'cancelled'],
  in_transit: ['delivered'],
  delivered: [],
  cancelled: [],
};

interface Look extends Seen {
  readonly asked: number;
  readonly answered: number;
}

export function checkSeen({ calls, callsOf, orders, shipments }: Case, complain: Complain): void {
  const looks: Look[] = [];
  for (const { act, key, seen, asked, answered, outcome } of calls) {
    if (outcome !== 'ok' || seen === undefined) continue;
    // The answer to a write is kept: it shows what was at some time since the key was first sent.
    const since = act === 'read' ? asked : Math.min(...callsOf.get(key)!.map((call) => call.asked));
    looks.push({ ...seen, asked: since, answered });
  }
  for (const { id, status, version } of [...orders, ...shipments]) looks.push({ id, status, version, asked: Infinity, answered: Infinity });
  for (const [id, seen] of Map.groupBy(looks, (look) => look.id)) {
    const back = backward(seen, id.startsWith('shp_') ? SHIPMENT : ORDER);
    if (back !== undefined) complain('backward', `${id} was ${back}`);
  }
}

/** The first two looks, one answered before the other was asked, of which the later shows less. Looks that overlap may be in any order. */
function backward(looks: readonly Look[], reaches: Reaches): string | undefined {
  const byAnswered = looks.toSorted((a, b) => a.answered - b.answered);
  let newest: Look | undefined;
  let farthest: Look | undefined;
  let passed = 0;
  for (const look of looks.toSorted((a, b) => a.asked - b.asked)) {
    for (; byAnswered[passed]!.answered < look.asked; passed += 1) {
      const before = byAnswered[passed]!;
      if (newest === undefined || before.version > newest.version) newest = before;
      if (before.status in reaches && (farthest === undefined || reaches[farthest.status]!.includes(before.status))) farthest = before;
    }
    if (newest !== undefined && look.version < newest.version) return `${told(newest)}, then ${told(look)}`;
    const possible = farthest === undefined || !(look.status in reaches) || [farthest.status, ...reaches[farthest.status]!].includes(look.status);
    if (!possible) return `${told(farthest!)}, then ${told(look)}`;
  }
  return undefined;
}

const told = ({ status, version }: Look): string => `${status} (version ${version})`;
