/**
 * The published language: every event and command, with the shape of its data. The only thing services share.
 *
 * An event says what happened and goes to whoever subscribes. A command asks one service to do something; it names that service
 * here and must find its queue. Adding an optional field is compatible; everything else is a new type (`….v2`).
 * Producers validate before commit, consumers ignore fields they do not know.
 */
import { z } from 'zod';

const id = z.string().min(1).max(64);
const quantity = z.int().min(1);
const amount = z.int();
const currency = z.string().length(3);
const order = { order_id: id };

export const customerSchema = z.object({ id: z.string(), name: z.string().optional(), email: z.string().optional() });
export const addressSchema = z.record(z.string(), z.string());
export const reservedLineSchema = z.object({ line_id: id, sku: z.string(), quantity });

const orderFact = z.object({ ...order, number: z.string(), customer: customerSchema, currency, total: amount });
const product = z.object({ product_id: id, sku: z.string(), name: z.string(), price: amount, currency, archived: z.boolean() });
const warehouse = z.object({ warehouse_id: id, name: z.string(), location: z.string(), archived: z.boolean() });
const stockMoved = z.object({
  warehouse_id: id,
  sku: z.string(),
  quantity: z.int(),
  on_hand: z.int(),
  available: z.int(),
  reason: z.string(),
  ref: z.string(),
});
const payment = z.object({ ...order, payment_id: id, amount, currency });
const shipment = z.object({ ...order, shipment_id: id, tracking_number: z.string(), warehouse_id: id });

/** What happened. */
export const EVENTS = {
  'order.placed': orderFact.extend({ policy: z.string(), lines: z.array(z.object({ line_id: id, sku: z.string(), quantity, unit_price: amount })) }),
  'order.confirmed': orderFact,
  'order.cancelled': orderFact.extend({ reason: z.string() }),
  'order.on_hold': orderFact.extend({ reason: z.string() }),
  'order.resumed': orderFact,
  'order.shipped': orderFact.extend({ tracking_number: z.string() }),
  'order.delivered': orderFact,

  'product.created': product,
  'product.updated': product,
  'product.archived': product,
  'warehouse.created': warehouse,
  'warehouse.updated': warehouse,
  'warehouse.archived': warehouse,
  'stock.received': stockMoved,
  'stock.adjusted': stockMoved,
  'stock.counted': stockMoved,
  /** All lines of the order are held in one warehouse. */
  'stock.reserved': z.object({ ...order, warehouse_id: id, lines: z.array(reservedLineSchema) }),
  'stock.rejected': z.object({ ...order, reason: z.string(), lines: z.array(z.object({ sku: z.string(), requested: z.int(), available: z.int() })) }),
  /** Nothing of the order is held (any more), whether anything ever was or not. */
  'stock.released': z.object(order),
  /** The goods left the building. */
  'stock.committed': z.object(order),

  'payment.authorized': payment,
  'payment.declined': payment.extend({ reason: z.string() }),
  /** The provider could not be brought to an answer in the attempts there are. */
  'payment.failed': payment.extend({ reason: z.string() }),
  'payment.captured': payment,
  'payment.capture_failed': payment.extend({ reason: z.string() }),
  /** No money of the order is held or kept (any more), whether any ever was or not; `refunded` says what was given back. */
  'payment.voided': z.object({ ...order, refunded: amount }),

  'shipment.ready': shipment,
  /** Somebody wants to hand the parcel over; the order must agree (and the money be captured) first. */
  'shipment.dispatch_requested': shipment,
  'shipment.dispatched': shipment,
  'shipment.delivered': shipment,
  /** No parcel of the order will leave, whether one was ever prepared or not. */
  'shipment.cancelled': z.object(order),

  'notification.sent': z.object({ notification_id: id, event_id: id, topic: z.string() }),
  'notification.failed': z.object({ notification_id: id, event_id: id, topic: z.string(), reason: z.string() }),

  /** A consumer gave a message up; `correlationid` of the envelope says which order waits for it. */
  'message.dead_lettered': z.object({ dead_letter_id: id, message_id: id, message_type: z.string(), code: z.string(), error: z.string() }),
} as const satisfies Record<string, z.ZodType>;

/** What is asked of one service. `to` is that service; its answer is an event. */
export const COMMANDS = {
  'stock.reserve': { to: 'inventory', data: z.object({ ...order, lines: z.array(reservedLineSchema) }) },
  'stock.release': { to: 'inventory', data: z.object({ ...order, reason: z.string() }) },
  'stock.commit': { to: 'inventory', data: z.object({ ...order, shipment_id: id }) },
  'payment.authorize': { to: 'payments', data: z.object({ ...order, amount: z.int().min(1), currency, token: z.string() }) },
  'payment.capture': { to: 'payments', data: z.object({ ...order, shipment_id: id }) },
  'payment.void': { to: 'payments', data: z.object({ ...order, reason: z.string() }) },
  'shipment.prepare': {
    to: 'shipping',
    data: z.object({
      ...order,
      number: z.string(),
      warehouse_id: id,
      customer: customerSchema,
      ship_to: addressSchema.optional(),
      lines: z.array(reservedLineSchema),
    }),
  },
  'shipment.dispatch': { to: 'shipping', data: z.object(order) },
  'shipment.refuse_dispatch': { to: 'shipping', data: z.object({ ...order, reason: z.string() }) },
  'shipment.cancel': { to: 'shipping', data: z.object({ ...order, reason: z.string() }) },
  /** The time a stop may take is over; the order tells itself. */
  'order.check_deadline': { to: 'orders', data: z.object({ ...order, stop: z.string(), epoch: z.int() }) },
} as const satisfies Record<string, { to: string; data: z.ZodType }>;

export type EventType = keyof typeof EVENTS;
export type CommandType = keyof typeof COMMANDS;
export type MessageType = EventType | CommandType;
export type DataOf<T extends MessageType> = T extends EventType
  ? z.infer<(typeof EVENTS)[T]>
  : T extends CommandType
    ? z.infer<(typeof COMMANDS)[T]['data']>
    : never;

export const isCommand = (type: string): type is CommandType => Object.hasOwn(COMMANDS, type);

/** The schema of a type's data, or undefined for a type nobody defined. */
export function schemaOf(type: string): z.ZodType | undefined {
  if (Object.hasOwn(EVENTS, type)) return EVENTS[type as EventType];
  return isCommand(type) ? COMMANDS[type].data : undefined;
}
