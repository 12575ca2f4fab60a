/**
 * Orders beyond the ordinary: those that keep several shipments themselves, on which people lay holds, that were changed, or whose money
 * is not all in one place. What such an order claims of one shipment is held against that shipment.
 *
 * What stock holds for it may have shrunk without the order knowing yet (goods that vanish are told, not asked for), so nothing is claimed of
 * goods that are still to leave; those that have left are compared by H1.
 */
import type { Discrepancy } from './equation.ts';
import type { Journey, ShipmentOfOrder } from './journey.ts';

type Finding = Discrepancy | undefined;
type Claimed = Journey['order']['journey'];

/** One shipment, one payment, never changed: then its stops say where everything is. */
export const isOrdinary = ({ order: { journey } }: Journey): boolean =>
  journey.shipments === undefined && journey.money === undefined && journey.revision === undefined && journey.changes === undefined;

/** Why the order is on hold by its parts; undefined when it is not. */
export function laidHold({ at, holds = [], shipments = [] }: Claimed): string | undefined {
  const ofShipment = shipments.find(({ hold }) => hold !== undefined);
  if (ofShipment !== undefined) return ofShipment.hold!.reason;
  if (at === 'draft' || at === 'cancelled') return undefined;
  return (holds.find(({ target }) => target === 'order') ?? (at === 'held' ? holds[0] : undefined))?.reason;
}

const WAITING: ReadonlySet<string> = new Set(['preparing', 'ready', 'capturing', 'dispatching', 'shipped', 'recalling']);

/** What the order waits for without a deadline. */
export function unowned({ holds = [], shipments = [], refunds = [] }: Claimed): string[] {
  const late = (one: { readonly deadline: number | null }): boolean => one.deadline === null;
  return [
    ...holds.filter(late).map(({ id }) => `hold ${id} without a deadline`),
    ...shipments.filter((one) => WAITING.has(one.state) && late(one)).map(({ id, state }) => `shipment ${id} ${state} without a deadline`),
    ...refunds.filter(late).map(({ refund_id }) => `refund ${refund_id} without a deadline`),
  ];
}

/** Deadlines of shipments and holds on which orders itself acts. */
export const areWatched = ({ holds = [], shipments = [] }: Claimed, watched: ReadonlySet<string>): number[] => [
  ...holds.flatMap(({ expires_at }) => (expires_at === null ? [] : [expires_at])),
  ...shipments.flatMap(({ state, deadline, hold }) => (watched.has(state) && hold === undefined && deadline !== null ? [deadline] : [])),
];

/** States in which shipping must have made the shipment what the order thinks it is. */
const MADE: ReadonlySet<string> = new Set(['ready', 'capturing', 'dispatching', 'shipped', 'delivered']);

type Lines = readonly { readonly sku: string; readonly quantity: number }[];

/** `sku × quantity`, less what is in `without`. */
function pieces(lines: Lines, without: Lines = []): string {
  const counts = new Map<string, number>();
  for (const { sku, quantity } of lines) counts.set(sku, (counts.get(sku) ?? 0) + quantity);
  for (const { sku, quantity } of without) counts.set(sku, (counts.get(sku) ?? 0) - quantity);
  return Array.from(counts, ([sku, quantity]) => (quantity === 0 ? '' : `${sku} × ${quantity}`))
    .filter((text) => text !== '')
    .toSorted()
    .join(', ');
}

/** Those shipments that differ, side by side; undefined when none does. */
function differing(
  journey: Journey,
  states: ReadonlySet<string>,
  expected: (one: ShipmentOfOrder) => string,
  found: (one: ShipmentOfOrder) => string,
): Finding {
  if (journey.shipments === undefined) return undefined;
  const wrong = journey.order.journey.shipments!.filter((one) => states.has(one.state) && expected(one) !== found(one));
  if (wrong.length === 0) return undefined;
  return { subject: `order ${journey.order.id}`, expected: wrong.map(expected).join('; '), found: wrong.map(found).join('; ') };
}

/** Each shipment the order counts on leaves from where the order thinks, with what it thinks; less what was short, which it may not know yet. */
export function areShipmentsThere(journey: Journey): Finding {
  const rows = new Map((journey.shipments ?? []).map((one) => [one.id, one]));
  return differing(
    journey,
    MADE,
    ({ id, warehouse_id, lines }) => `${id} from ${warehouse_id}: ${pieces(lines)}`,
    (one) => {
      const row = rows.get(one.id);
      if (row === undefined) return 'no shipment';
      const shipped = [pieces(row.lines), pieces(row.lines, row.shorted ?? [])];
      return `${row.id} from ${row.warehouse_id}: ${shipped.includes(pieces(one.lines)) ? pieces(one.lines) : shipped[1]}`;
    },
  );
}

const GONE: ReadonlySet<string> = new Set(['shipped', 'delivered', 'lost', 'returned']);
const ON_ITS_WAY: ReadonlySet<string> = new Set(['in_transit', 'exception', 'delivered', 'lost', 'returned']);

/** Each shipment that has left, has; each that arrived did. */
export function haveShipmentsLeft(journey: Journey): Finding {
  const rows = new Map((journey.shipments ?? []).map((one) => [one.id, one]));
  const found = ({ id }: ShipmentOfOrder): string => rows.get(id)?.status ?? 'none';
  return differing(
    journey,
    GONE,
    (one) => `${one.id} ${one.state === 'delivered' ? 'delivered' : ON_ITS_WAY.has(found(one)) ? found(one) : 'in_transit'}`,
    (one) => `${one.id} ${found(one)}`,
  );
}

/** What the order believes to be captured was, and what it believes to be given back was: payments may know of more, never of less. */
export function isMoneyThere({ order, payment }: Journey): Finding {
  const { captured, external, refunded } = order.journey.money!;
  if (payment === undefined || captured - external + refunded === 0) return undefined;
  const there = { captured: (payment?.captured ?? 0) + (payment?.refunded ?? 0), refunded: payment?.refunded ?? 0 };
  if (there.captured >= captured - external && there.refunded >= refunded) return undefined;
  const inWords = (of: typeof there): string => `captured ${of.captured}, refunded ${of.refunded}`;
  return { subject: `order ${order.id}`, expected: `at least ${inWords({ captured: captured - external, refunded })}`, found: inWords(there) };
}

/** Nothing leaves unpaid: what the shipments that left were captured for has been taken, or was paid elsewhere. */
export function isPaidFor({ order }: Journey): Finding {
  const { shipments = [], money, stops } = order.journey;
  const left = shipments.filter((one) => GONE.has(one.state));
  if (left.length === 0 || !stops.some(({ stop }) => stop === 'payment')) return undefined;
  const asked = left.reduce((sum, { amount = 0 }) => sum + amount, 0);
  const unpaid = left.filter(({ paid }) => paid !== true).map(({ id }) => `${id} has left unpaid`);
  const taken = money?.captured ?? order.total;
  const found = [...unpaid, ...(taken < asked ? [`captured ${taken} for ${asked}`] : [])].join(', ');
  return found === '' ? undefined : { subject: `order ${order.id}`, expected: 'each shipment that left paid for', found };
}
