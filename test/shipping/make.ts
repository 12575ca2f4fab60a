/** Shipments for tests of the domain, in whatever status. */
import { Refusal } from '../../src/kernel/errors.ts';
import { type ShipmentCommand, obey } from '../../src/shipping/domain.ts';
import { type Shipment, type Step, moved, prepared, shipmentIdOf } from '../../src/shipping/domain-shipment.ts';
import type { ShipmentStatus } from '../../src/shipping/domain-table.ts';
import { pack } from '../../src/shipping/domain-work.ts';

export const NOW = 1_000_000;
export const ORDER = 'ord_01jm8r3v9qe7bvkc1xk6w2t4nz';
export const SHIPMENT = shipmentIdOf(ORDER);
export const LINES = [
  { line_id: 'lin_1', sku: 'A', quantity: 3 },
  { line_id: 'lin_2', sku: 'B', quantity: 1 },
];

export function stepOf(answer: Step | Refusal | undefined): Step {
  if (answer === undefined) throw new Error('nothing came of it');
  if (answer instanceof Refusal) throw answer;
  return answer;
}
export function refusalOf(answer: Step | Refusal | undefined): Refusal {
  if (!(answer instanceof Refusal)) throw new Error('it was not refused');
  return answer;
}
export const typesOf = (step: Step | undefined): string[] => step?.events.map(({ type }) => type) ?? [];

export const command = <T extends ShipmentCommand['type']>(type: T, data: object = {}): ShipmentCommand =>
  ({
    id: 'msg_1',
    type,
    source: 'orders',
    time: 0,
    subject: ORDER,
    partitionkey: ORDER,
    correlationid: ORDER,
    hops: 1,
    data: { order_id: ORDER, reason: 'because', ...data },
  }) as unknown as ShipmentCommand;

/** What a command of the order leads to. */
export const told = (shipment: Shipment | undefined, what: ShipmentCommand): Step | undefined =>
  obey({ id: what.data.shipment_id ?? SHIPMENT, shipment }, what, NOW, NOW + 30);

export const pending: Shipment = {
  ...prepared(
    SHIPMENT,
    { order_id: ORDER, number: 'ORD-1', warehouse_id: 'whs_1', customer: { id: 'cus_1', name: 'Ada' }, lines: LINES },
    NOW,
    NOW + 30,
  ),
  version: 1,
};
export const ready: Shipment = { ...moved(pending, 'ready', NOW), due_at: null, estimated_delivery: NOW + 5_000 };
export const picking = moved(ready, 'picking', NOW);
/** In two parcels: 2 × A, and 1 × A with B. */
export const packed = stepOf(
  pack(
    picking,
    [
      { lines: [{ line_id: 'lin_1', quantity: 2 }] },
      {
        weight_g: 500,
        lines: [
          { line_id: 'lin_1', quantity: 1 },
          { line_id: 'lin_2', quantity: 1 },
        ],
      },
    ],
    ['prc_unused', 'prc_01jm8r3v9qe7bvkc1xk6w2second'],
    NOW,
  ),
).shipment;
export const gone = stepOf(told(packed, command('shipment.dispatch'))).shipment;
/** The same without parcels of its own. */
export const goneAtOnce = stepOf(told(ready, command('shipment.dispatch'))).shipment;

export const inEveryStatus: Readonly<Record<ShipmentStatus, Shipment>> = {
  pending,
  ready,
  picking,
  packed,
  in_transit: gone,
  exception: moved(gone, 'exception', NOW),
  delivered: moved(gone, 'delivered', NOW),
  returned: moved(gone, 'returned', NOW),
  lost: moved(gone, 'lost', NOW),
  cancelled: stepOf(told(packed, command('shipment.cancel'))).shipment,
};
