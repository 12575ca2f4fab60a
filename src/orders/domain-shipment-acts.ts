/**
 * What the acts of a shipment's table mean, and the holds orders itself lays on shipments.
 */
import { askedAgain, commitOf } from './domain-commands.ts';
import { stopsShipment } from './domain-holds.ts';
import { captureFor, moneyOf } from './domain-money.ts';
import { type Hold, type Reply, factOf } from './domain-order.ts';
import {
  type Shipment,
  type ShipmentAct,
  type ShipmentState,
  type ShipmentTrigger,
  actOfShipment,
  hasLeft,
  waitOfShipment,
} from './domain-shipment-table.ts';
import { change, enterShipment, hasAllLeft, isOver, shipmentsOf, tally } from './domain-shipments.ts';
import { onHold } from './domain-status.ts';
import { type HoldSaid, type Turn, holdOf, orderNow, refuseDispatch, sayEvent } from './domain-turn.ts';

export type AboutShipment = Extract<Reply, { readonly type: ShipmentTrigger }>;

/** What a message does to the shipment it is about; false when nothing. */
export function moveShipment(turn: Turn, message: AboutShipment): boolean {
  const shipment = namedIn(turn, message);
  if (shipment === undefined) return true; // written down: it is about none we know
  turn.detail.shipment_id = shipment.id;
  const moved = ACTS[actOfShipment(shipment.state, message.type)](turn, shipment, message);
  if (moved === false) return false;
  tally(turn);
  return true;
}

/** The shipment a message names; payments may not know which, and then it is the one that waits for it. */
function namedIn(turn: Turn, { type, data }: AboutShipment): Shipment | undefined {
  const named = 'shipment_id' in data ? data.shipment_id : undefined;
  if (named !== undefined) return shipmentsOf(turn).find(({ id }) => id === named);
  const awaited = shipmentsOf(turn).filter(({ state }) => (waitOfShipment(state)?.answers as readonly string[] | undefined)?.includes(type));
  return awaited[0] ?? shipmentsOf(turn)[0];
}

type Does = (turn: Turn, shipment: Shipment, message: AboutShipment) => void | false;

const ACTS: Readonly<Record<ShipmentAct, Does>> = {
  made(turn, shipment, message) {
    enterShipment(turn, { ...lifted(turn, shipment), ...trackedIn(message) }, 'ready');
  },
  ask(turn, shipment, message) {
    const free = { ...lifted(turn, shipment), ...trackedIn(message) };
    const why = turn.journey.revision !== undefined ? 'order_being_changed' : stopsShipment(turn.journey, shipment) ? 'order_on_hold' : undefined;
    if (why !== undefined) {
      if (shipment.state === 'preparing') enterShipment(turn, free, 'ready');
      else change(turn, free);
      return refuseDispatch(turn, why, shipment.id);
    }
    if (shipment.paid === true) return void enterShipment(turn, free, 'dispatching');
    const order = orderNow(turn);
    const amount = captureFor(order, shipment);
    if (amount === 0) return void enterShipment(turn, { ...free, amount, paid: true }, 'dispatching');
    if (amount > moneyOf(order).held) {
      const ready = shipment.state === 'preparing' ? enterShipment(turn, free, 'ready') : change(turn, free);
      refuseDispatch(turn, 'payment_missing', shipment.id);
      return holdShipment(turn, ready, { reason: 'payment_expired', note: `${amount} to be captured, ${moneyOf(order).held} authorised` });
    }
    enterShipment(turn, { ...free, amount }, 'capturing');
  },
  deny: (turn, shipment) => refuseDispatch(turn, turn.journey.reason === null ? 'order_not_ready' : 'order_cancelled', shipment.id),
  paid(turn, shipment, message) {
    const paid = { ...lifted(turn, shipment), paid: true };
    takeMoney(turn, message);
    if (!stopsShipment(turn.journey, shipment)) return void enterShipment(turn, paid, 'dispatching');
    enterShipment(turn, paid, 'ready');
    refuseDispatch(turn, 'order_on_hold', shipment.id);
  },
  kept(turn, shipment, message) {
    if (shipment.paid === true) return false;
    takeMoney(turn, message);
    change(turn, { ...shipment, paid: true });
  },
  unpaid(turn, shipment, message) {
    const ready = enterShipment(turn, lifted(turn, { ...shipment, amount: undefined }), 'ready');
    refuseDispatch(turn, 'capture_failed', shipment.id);
    holdShipment(turn, ready, { reason: 'capture_failed', note: message.type === 'payment.capture_failed' ? message.data.reason : '' });
  },
  left: (turn, shipment) => void leaveShipment(turn, lifted(turn, shipment)),
  gone(turn, shipment) {
    if (shipment.gone === true) return false;
    change(turn, { ...shipment, gone: true });
  },
  here(turn, shipment, message) {
    const left = shipment.state === 'dispatching' ? leaveShipment(turn, lifted(turn, shipment)) : lifted(turn, shipment);
    const { tracking_number = '', lines, id: shipment_id } = enterShipment(turn, { ...left, exception: undefined }, 'delivered');
    if (isOver(turn)) return;
    const arrived = message.type === 'shipment.delivered' ? (message.data.lines ?? lines) : lines;
    sayEvent(turn, { type: 'order.part_delivered', data: { ...factOf(turn.order), shipment_id, tracking_number, lines: [...arrived] } });
  },
  end(turn, shipment) {
    enterShipment(turn, lifted(turn, shipment), 'cancelled');
  },
  fewer(turn, shipment, message) {
    if (message.type === 'shipment.shorted') change(turn, { ...shipment, lines: message.data.left });
  },
  mishap(turn, shipment, message) {
    if (message.type !== 'shipment.exception') return;
    const { code, note } = message.data;
    Object.assign(turn.detail, { code, note });
    change(turn, { ...shipment, exception: { code, note, since: turn.rules.now } });
  },
  mend: (turn, shipment) => void change(turn, { ...shipment, exception: undefined }),
  lose(turn, shipment, message) {
    if (message.type !== 'shipment.lost' && message.type !== 'shipment.returned') return;
    const { parcel_id, lines, over } = message.data;
    if (shipment.ends?.some((one) => one.parcel_id === parcel_id)) return false;
    const left = shipment.state === 'dispatching' ? leaveShipment(turn, lifted(turn, shipment)) : lifted(turn, shipment);
    const end = message.type === 'shipment.lost' ? 'lost' : 'returned';
    const ended: Shipment = { ...left, exception: undefined, ends: [...(left.ends ?? []), { parcel_id, end, lines }] };
    if (over && left.state === 'shipped') enterShipment(turn, ended, end);
    else change(turn, ended);
  },
  late(turn, shipment, message) {
    if (isRepetition(shipment, message.type)) return false;
    turn.detail.late = true;
  },
};

/** In which states an answer has been taken already. */
const TAKEN: Readonly<Partial<Record<ShipmentTrigger, readonly ShipmentState[]>>> = {
  'shipment.ready': ['ready', 'capturing', 'dispatching', 'shipped', 'delivered', 'lost', 'returned'],
  'shipment.dispatch_requested': ['shipped', 'delivered', 'lost', 'returned'],
  'shipment.dispatched': ['shipped', 'delivered', 'lost', 'returned'],
  'shipment.delivered': ['delivered'],
  'shipment.cancelled': ['cancelled'],
  'payment.captured': ['dispatching', 'shipped', 'delivered', 'lost', 'returned'],
};
const isRepetition = ({ state }: Shipment, type: ShipmentTrigger): boolean => TAKEN[type]?.includes(state) === true;

const trackedIn = ({ data }: AboutShipment): { tracking_number?: string } =>
  'tracking_number' in data ? { tracking_number: data.tracking_number } : {};

/** The shipment has left, and so have its goods. */
function leaveShipment(turn: Turn, shipment: Shipment): Shipment {
  const left = enterShipment(turn, shipment, 'shipped');
  const { tracking_number = '', lines, id: shipment_id } = left;
  if (!hasAllLeft(turn))
    sayEvent(turn, { type: 'order.part_shipped', data: { ...factOf(turn.order), shipment_id, tracking_number, lines: [...lines] } });
  turn.says.push(commitOf(turn.order, left));
  turn.detail.tracking_number = tracking_number;
  return left;
}

/** Captured now, so it is held no more. */
function takeMoney(turn: Turn, message: AboutShipment): void {
  if (message.type !== 'payment.captured') return;
  const { amount } = message.data;
  const money = moneyOf(orderNow(turn));
  turn.journey = { ...turn.journey, money: { ...money, held: Math.max(0, money.held - amount), captured: money.captured + amount } };
}

// ── Holds orders itself lays ─────────────────────────────────────────────────────────────────────────────────────────────────

export function holdShipment(turn: Turn, shipment: Shipment, said: HoldSaid): void {
  turn.detail.note = said.note;
  if (shipment.hold !== undefined) return;
  const was = onHold(turn.journey);
  change(turn, { ...shipment, hold: holdOf(turn.rules, said) });
  if (was === null) sayEvent(turn, { type: 'order.on_hold', data: { ...factOf(turn.order), reason: said.reason } });
}

function lifted(turn: Turn, shipment: Shipment): Shipment {
  if (shipment.hold === undefined) return shipment;
  const free = change(turn, { ...shipment, hold: undefined });
  if (onHold(turn.journey) === null) sayEvent(turn, { type: 'order.resumed', data: factOf(turn.order) });
  return free;
}

/** What those shipments were held for is mended. */
export function freeShipments(turn: Turn, reason: Hold['reason']): void {
  for (const shipment of shipmentsOf(turn)) if (shipment.hold?.reason === reason) lifted(turn, shipment);
}

/** Each shipment that orders holds says its command again, and each whose goods are still on the books. Answers whether there was one. */
export function resumeShipments(turn: Turn): boolean {
  const held = shipmentsOf(turn).filter((shipment) => shipment.hold !== undefined);
  for (const shipment of held) enterShipment(turn, lifted(turn, shipment), shipment.state, true);
  const onBooks = shipmentsOf(turn).filter((shipment) => hasLeft(shipment) && shipment.gone !== true);
  for (const shipment of onBooks) turn.says.push(askedAgain(commitOf(turn.order, shipment)));
  return held.length + onBooks.length > 0;
}

/** Each shipment whose deadline has passed is held. Answers whether there was one. */
export function holdOverdue(turn: Turn): boolean {
  const late = shipmentsOf(turn).filter(
    ({ state, deadline, hold }) => waitOfShipment(state)?.overdue === 'hold' && hold === undefined && deadline !== null && turn.rules.now >= deadline,
  );
  for (const shipment of late)
    holdShipment(turn, shipment, { reason: 'technical', note: `no answer by ${new Date(shipment.deadline!).toISOString()}` });
  return late.length > 0;
}

/** Each shipment that waits for this message, which became a dead letter, is held. */
export function holdWaiting(turn: Turn, type: string, source: string, said: HoldSaid): void {
  for (const shipment of shipmentsOf(turn)) {
    const wait = waitOfShipment(shipment.state);
    const awaited = wait?.asks === type || (source === 'orders' && (wait?.answers as readonly string[] | undefined)?.includes(type) === true);
    if (awaited) holdShipment(turn, shipment, said);
  }
}
