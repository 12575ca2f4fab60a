/** What people in the warehouse do with a shipment before it leaves: pick it, put it back, pack it into parcels, miss something. */
import { type FieldError, Refusal } from '../kernel/errors.ts';
import { cancelled, heldBack } from './domain.ts';
import { trackingNumberOf } from './domain-number.ts';
import { type Parcel, isFetched, newParcel, onlyParcel } from './domain-parcels.ts';
import { type Shipment, type ShipmentLine, type Step, about, impossible, less, moved, saying, shippedLines, silent } from './domain-shipment.ts';
import { type Trigger, actOf } from './domain-table.ts';

/** Work that goes on towards the door stops while a hold lies on the shipment; what is undone or found out may be. */
const STOPPED_BY_HOLDS: ReadonlySet<Trigger> = new Set(['pick', 'pack']);

/** Whether the work can begin: a step when there is nothing to do, a refusal when it cannot be. */
function begin(shipment: Shipment, trigger: Trigger, asked: string): Step | Refusal | undefined {
  const act = actOf(shipment.status, trigger);
  if (act === 'same') return silent(shipment);
  if (act !== 'go') return impossible(shipment, asked);
  // Who asked for the dispatch waits for the order's answer; until then nobody opens the parcel again.
  if (shipment.dispatch_requested_at !== null || shipment.dispatch_ordered_at !== null)
    return new Refusal(
      'shipment_state',
      `shipment ${shipment.id} is about to leave and cannot be ${asked}: its order has been asked for the dispatch`,
    );
  return STOPPED_BY_HOLDS.has(trigger) ? heldBack(shipment, asked) : undefined;
}

/** Somebody takes the goods from the shelves. */
export function pick(shipment: Shipment, now: number): Step | Refusal {
  return begin(shipment, 'pick', 'picked') ?? saying(moved(shipment, 'picking', now), { type: 'shipment.picking', data: about(shipment) });
}

/** Somebody has put them back. */
export function putBack(shipment: Shipment, now: number): Step | Refusal {
  return begin(shipment, 'put_back', 'put back') ?? silent(moved(shipment, 'ready', now));
}

/** What a person says of a parcel; without lines it holds everything. */
export interface PackedParcel {
  readonly weight_g?: number | undefined;
  readonly dims_mm?: readonly number[] | undefined;
  readonly lines?: readonly { readonly line_id: string; readonly quantity: number }[] | undefined;
}

/**
 * Everything lies in parcels. `ids` are ids for them. The first one is the parcel that the shipment was from the beginning: it has its
 * tracking number, and keeps what the carrier may have said of it.
 */
export function pack(shipment: Shipment, packed: readonly PackedParcel[], ids: readonly string[], now: number): Step | Refusal {
  const hindrance = begin(shipment, 'pack', 'packed');
  if (hindrance !== undefined) return hindrance;
  const contents = contentsOf(shipment, packed);
  if (contents instanceof Refusal) return contents;
  const parcels = packed.map(({ weight_g = null, dims_mm = null }, i): Parcel => {
    const given = { weight_g, dims_mm, lines: contents[i]! };
    if (i === 0) return { ...(shipment.parcels[0] ?? onlyParcel(shipment, now)), ...given, updated_at: now };
    return newParcel(shipment, { ...given, id: ids[i]!, tracking_number: trackingNumberOf(ids[i]!) }, now);
  });
  return saying(
    { ...moved(shipment, 'packed', now), parcels, parcel_count: parcels.length },
    { type: 'shipment.packed', data: { ...about(shipment), parcels: parcels.map(tellOf) } },
  );
}

const tellOf = ({ id, tracking_number, weight_g, dims_mm, lines }: Parcel) => ({
  parcel_id: id,
  tracking_number,
  ...(weight_g === null ? {} : { weight_g }),
  ...(dims_mm === null ? {} : { dims_mm: [...dims_mm] }),
  lines: [...lines],
});

/** What lies in each parcel: together exactly what is shipped. */
function contentsOf(shipment: Shipment, packed: readonly PackedParcel[]): ShipmentLine[][] | Refusal {
  const shipped = shippedLines(shipment);
  if (packed.length === 1 && packed[0]!.lines === undefined) return [[...shipped]];
  const known = new Map(shipped.map((line) => [line.line_id, line]));
  const errors: FieldError[] = [];
  const contents = packed.map(({ lines }, i) => {
    if (lines === undefined) errors.push({ field: `parcels.${i}.lines`, rule: 'is required when there are several parcels' });
    return (lines ?? []).flatMap(({ line_id, quantity }, n) => {
      const line = known.get(line_id);
      if (line === undefined) errors.push({ field: `parcels.${i}.lines.${n}.line_id`, rule: 'names no line of this shipment' });
      return line === undefined ? [] : [{ ...line, quantity }];
    });
  });
  for (const { line_id, sku, quantity } of shipped) {
    const found = contents.flat().reduce((sum, line) => sum + (line.line_id === line_id ? line.quantity : 0), 0);
    if (found === quantity) continue;
    const remedy = found < quantity ? 'Pack the rest, or report what is missing first.' : 'Pack no more than is shipped.';
    errors.push({ field: 'parcels', rule: `hold ${found} of ${quantity} × ${sku} (${line_id})`, remedy });
  }
  if (errors.length === 0) return contents;
  return new Refusal(
    'lines_do_not_match',
    `the parcels do not hold what shipment ${shipment.id} ships: ${errors[0]!.field} ${errors[0]!.rule}`,
    errors,
  );
}

/** The parcels are open again. */
export function unpack(shipment: Shipment, now: number): Step | Refusal {
  const hindrance = begin(shipment, 'unpack', 'unpacked');
  if (hindrance !== undefined) return hindrance;
  if (isFetched(shipment)) return new Refusal('shipment_state', `shipment ${shipment.id} cannot be unpacked: its carrier has a parcel of it`);
  const parcels = shipment.parcels.map((parcel): Parcel => ({ ...parcel, status: 'cancelled', updated_at: now }));
  return silent({ ...moved(shipment, 'picking', now), parcels, parcel_count: null });
}

export interface Shortage {
  readonly lines: readonly { readonly line_id: string; readonly quantity: number }[];
  readonly reason: string;
}

/** Something is not where it should be. The shipment goes on with the rest; without any it is cancelled. */
export function short(shipment: Shipment, { lines, reason }: Shortage, now: number): Step | Refusal {
  const hindrance = begin(shipment, 'short', 'reported short');
  if (hindrance !== undefined) return hindrance;
  const shipped = shippedLines(shipment);
  const errors = lines.flatMap(({ line_id, quantity }, i): FieldError[] => {
    const line = shipped.find((one) => one.line_id === line_id);
    if (line === undefined) return [{ field: `lines.${i}.line_id`, rule: 'names no line this shipment still ships' }];
    if (lines.findIndex((one) => one.line_id === line_id) < i) return [{ field: `lines.${i}.line_id`, rule: 'names a line a second time' }];
    return quantity > line.quantity ? [{ field: `lines.${i}.quantity`, rule: `must be at most ${line.quantity}` }] : [];
  });
  if (errors.length > 0)
    return new Refusal('lines_do_not_match', `that cannot be missing from shipment ${shipment.id}: ${errors[0]!.field} ${errors[0]!.rule}`, errors);
  const missing = lines.map(({ line_id, quantity }) => ({ ...shipped.find((line) => line.line_id === line_id)!, quantity }));
  const left = less(shipped, missing);
  const parcels = shipment.parcels.map((parcel) => ({ ...parcel, lines: left, updated_at: now })); // unpacked, there is one at most
  const gone = { ...shipment, shorted: [...(shipment.shorted ?? []), ...missing], parcels, updated_at: now };
  const event = { type: 'shipment.shorted', data: { ...about(shipment), lines: missing, left, reason } } as const;
  if (left.length > 0) return saying(gone, event);
  const data = { order_id: shipment.order_id!, shipment_id: shipment.id };
  return saying(cancelled(gone, now), event, { type: 'shipment.cancelled', data });
}
