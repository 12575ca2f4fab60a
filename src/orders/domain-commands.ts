/**
 * What is said when an order, or one of its shipments, enters a state. Said again by `resume`: so it follows from the state alone.
 */
import { type Order, type Pieces, type Says, piecesOf, reservedLines } from './domain-order.ts';
import { type Revision, largerOf } from './domain-revision-plan.ts';
import type { Shipment } from './domain-shipment-table.ts';
import { fulfilled } from './domain-waybill.ts';

/** What is said on entering the state the order is in. */
export function commandOf(order: Order): Says | undefined {
  const { id, number, customer, ship_to, total, currency, payment_token, journey } = order;
  const reason = journey.reason ?? 'operator';
  switch (journey.at) {
    case 'reserving':
      return { type: 'stock.reserve', data: { order_id: id, lines: reservedLines(order), ...allocationOf(order) } };
    case 'authorizing':
      if (payment_token === null) throw new Error(`${id} has no payment token`);
      return { type: 'payment.authorize', data: { order_id: id, amount: total - (journey.money?.captured ?? 0), currency, token: payment_token } };
    case 'preparing': {
      const { warehouse_id } = fulfilled(journey.stops, 'stock');
      const to = ship_to === null ? {} : { ship_to };
      return { type: 'shipment.prepare', data: { order_id: id, number, warehouse_id, customer, ...to, lines: reservedLines(order) } };
    }
    case 'capturing':
      return { type: 'payment.capture', data: { order_id: id, shipment_id: fulfilled(journey.stops, 'shipping').shipment_id } };
    case 'dispatching':
      return { type: 'shipment.dispatch', data: { order_id: id } };
    case 'recalling':
      // Shipments of its own are recalled each by itself.
      return journey.shipments === undefined ? { type: 'shipment.cancel', data: { order_id: id, reason } } : undefined;
    case 'voiding':
      return { type: 'payment.void', data: { order_id: id, reason } };
    case 'releasing':
      return { type: 'stock.release', data: { order_id: id, reason } };
    case 'raising':
    case 'topping_up':
    case 'lowering':
    case 'reducing':
      return commandOfRevision(order, revisionOf(order));
    default:
      return undefined;
  }
}

export function revisionOf({ id, journey }: Order): Revision {
  if (journey.revision === undefined) throw new Error(`${id} is not being changed`);
  return journey.revision;
}

function commandOfRevision(order: Order, revision: Revision): Says {
  const { id, currency, journey } = order;
  const wanted = (lines: readonly Pieces[]): Says => ({
    type: 'stock.change',
    data: { order_id: id, revision: journey.changes!, lines: [...lines], ...allocationOf(order) },
  });
  switch (journey.at) {
    case 'raising':
      return wanted(largerOf(reservedLines(order), piecesOf(revision.target.lines)));
    case 'lowering':
      return wanted(reservedLines(order)); // the lines are what they shall be by now, or still what they were
    case 'topping_up': {
      const { authorization, top_up, token } = revision;
      return { type: 'payment.authorize', data: { order_id: id, authorization: authorization!, amount: top_up!, currency, token: token! } };
    }
    default:
      return {
        type: 'payment.void',
        data: { order_id: id, amount: revision.reduction!, revision: revision.number, reason: revision.reason ?? revision.kind },
      };
  }
}

const allocationOf = ({ ship_to, journey: { allocation } }: Order) =>
  allocation === undefined ? {} : { allocation: { ...allocation, ...(ship_to === null ? {} : { ship_to }) } };

/** What is said on entering the state the shipment is in. */
export function commandOfShipment({ id: order_id, number, customer, ship_to, journey }: Order, shipment: Shipment): Says | undefined {
  const { id: shipment_id, warehouse_id, lines, amount = 0 } = shipment;
  switch (shipment.state) {
    case 'preparing': {
      const to = ship_to === null ? {} : { ship_to };
      return { type: 'shipment.prepare', data: { order_id, shipment_id, number, warehouse_id, customer, ...to, lines: [...lines] } };
    }
    case 'capturing':
      return { type: 'payment.capture', data: { order_id, shipment_id, amount } };
    case 'dispatching':
      return { type: 'shipment.dispatch', data: { order_id, shipment_id } };
    case 'recalling':
      return { type: 'shipment.cancel', data: { order_id, shipment_id, reason: journey.reason ?? 'changed' } };
    default:
      return undefined;
  }
}

/** The goods have left: all there are, or those of one of several shipments. */
export function commitOf({ id: order_id, journey }: Order, shipment?: Shipment): Says {
  if (shipment === undefined) return { type: 'stock.commit', data: { order_id, shipment_id: fulfilled(journey.stops, 'shipping').shipment_id } };
  const { id: shipment_id, warehouse_id, lines } = shipment;
  return { type: 'stock.commit', data: { order_id, shipment_id, warehouse_id, lines: [...lines] } };
}

/** Commands whose stop, when it has done what they ask for, answers once only, unless it is asked again. The others are answered each time. */
const ANSWERED_ONCE: ReadonlySet<Says['type']> = new Set<Says['type']>([
  'stock.reserve',
  'stock.release',
  'stock.commit',
  'payment.authorize',
  'shipment.prepare',
  'shipment.dispatch',
]);

export const askedAgain = (command: Says): Says =>
  ANSWERED_ONCE.has(command.type) ? ({ ...command, data: { ...command.data, again: true } } as Says) : command; // all of the set have the field
