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

export const customerSchema = z.object({
  id: z.string(),
  name: z.string().optional(),
  email: z.string().optional(),
  /** BCP 47. */
  locale: z.string().optional(),
});
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
/** Pieces of an order in one warehouse. */
const part = z.object({ warehouse_id: id, lines: z.array(reservedLineSchema) });
/** Pieces that wait; `place` is how many entries of the sku come before, and one. */
const queuedLine = reservedLineSchema.extend({ place: z.int().min(1) });
/** What an order asks beside goods; what is absent is as it always was: by priority, from one warehouse, now or not at all. */
export const allocationSchema = z.object({
  strategy: z.enum(['priority', 'fewest_parcels', 'nearest']).optional(),
  split: z.boolean().optional(),
  backorder: z.boolean().optional(),
  /** For `nearest`: `latitude` and `longitude`, else `country` and `postal_code`. */
  ship_to: addressSchema.optional(),
  expires_at: z.iso.datetime().optional(),
});
const shortSku = z.object({ sku: z.string(), requested: z.int(), available: z.int() });
/** Of a level; said when it is crossed, not while it lasts. */
const crossing = z.object({ warehouse_id: id, sku: z.string(), available: z.int(), threshold: z.int() });
const transfer = z.object({
  transfer_id: id,
  from_warehouse_id: id,
  to_warehouse_id: id,
  status: z.string(),
  lines: z.array(z.object({ sku: z.string(), quantity: z.int(), sent: z.int(), received: z.int(), written_off: z.int() })),
});
const payment = z.object({ ...order, payment_id: id, amount, currency });
/** Which authorisation; absent: the first one of its order. */
const authorization = id.optional();
const shipment = z.object({ ...order, shipment_id: id, tracking_number: z.string(), warehouse_id: id });

const placedLine = z.object({ line_id: id, sku: z.string(), quantity, unit_price: amount });
/** Which shipment, and what was in it; absent when it is the only one of its order. */
const ofShipment = { shipment_id: id.optional(), lines: z.array(reservedLineSchema).optional() };
/** `target`: `order`, `line` or `shipment`. */
const hold = orderFact.extend({ hold_id: id, target: z.string(), line_id: id.optional(), shipment_id: id.optional(), reason: z.string() });

/** Of a parcel; `lines` is what is in it. */
const parcel = shipment.extend({ parcel_id: id });
/** `over`: no parcel of the shipment is under way any more, and none arrived: no `shipment.delivered` follows. */
const parcelEnd = parcel.extend({ lines: z.array(reservedLineSchema), over: z.boolean() });
const packedParcel = z.object({
  parcel_id: id,
  tracking_number: z.string(),
  weight_g: z.int().optional(),
  /** Length, width and height. */
  dims_mm: z.array(z.int()).optional(),
  lines: z.array(reservedLineSchema),
});
export const dispositionSchema = z.enum(['restock', 'quarantine', 'scrap']);
/** Goods a customer sends back, or (with `parcel_id`) that came back undelivered. A disposition is known once they were received. */
const goodsReturn = z.object({
  ...order,
  return_id: id,
  parcel_id: id.optional(),
  lines: z.array(reservedLineSchema.extend({ reason: z.string(), disposition: dispositionSchema.optional() })),
});
/** Which shipment of the order a command is about. */
const aboutShipment = { ...order, shipment_id: id.optional() };

/** What happened. */
export const EVENTS = {
  'order.placed': orderFact.extend({ policy: z.string(), lines: z.array(placedLine) }),
  'order.confirmed': orderFact,
  'order.cancelled': orderFact.extend({ reason: z.string() }),
  'order.on_hold': orderFact.extend({ reason: z.string() }),
  'order.resumed': orderFact,
  /** Everything has left; of an order of several shipments, the last one. */
  'order.shipped': orderFact.extend({ tracking_number: z.string(), ...ofShipment }),
  /** Everything has arrived. */
  'order.delivered': orderFact.extend(ofShipment),
  /** One shipment of several has left, and others are still to come. */
  'order.part_shipped': orderFact.extend({ shipment_id: id, tracking_number: z.string(), lines: z.array(reservedLineSchema) }),
  'order.part_delivered': orderFact.extend({ shipment_id: id, tracking_number: z.string(), lines: z.array(reservedLineSchema) }),
  /** These pieces are to wait for goods. */
  'order.backordered': orderFact.extend({ lines: z.array(reservedLineSchema), reason: z.string() }),
  'order.drafted': orderFact.extend({ policy: z.string() }),
  'order.discarded': orderFact,
  /** `total` is the total after. */
  'order.edited': orderFact.extend({
    revision: z.int(),
    lines_added: z.array(placedLine),
    lines_changed: z.array(z.object({ line_id: id, sku: z.string(), from: z.int(), to: z.int() })),
    total_before: amount,
    reason: z.string().optional(),
  }),
  'order.lines_cancelled': orderFact.extend({
    revision: z.int(),
    lines: z.array(reservedLineSchema),
    total_before: amount,
    reason: z.string().optional(),
  }),
  /** An edit or a partial cancel could not be: the order is as it was before. */
  'order.revision_rejected': orderFact.extend({ revision: z.int(), reason: z.string() }),
  'order.address_changed': orderFact.extend({ from: addressSchema.optional(), to: addressSchema }),
  'order.note_added': orderFact.extend({ text: z.string() }),
  /** Said when an order closes otherwise than by `order.delivered`. */
  'order.closed': orderFact.extend({ reason: z.string() }),
  'order.reopened': orderFact.extend({ reason: z.string() }),

  'hold.placed': hold.extend({ note: z.string().optional(), expires_at: z.iso.datetime().optional() }),
  'hold.released': hold.extend({ release_reason: z.string().optional() }),
  'hold.expired': hold,

  'product.created': product,
  'product.updated': product,
  'product.archived': product,
  /** The answer to `product.tell`: those of the products asked about that there are. */
  'product.told': z.object({
    question_id: id,
    products: z.array(z.object({ sku: z.string(), name: z.string(), price: amount, currency, archived: z.boolean(), version: z.int().min(1) })),
  }),
  'warehouse.created': warehouse,
  'warehouse.updated': warehouse,
  'warehouse.archived': warehouse,
  'stock.received': stockMoved,
  'stock.adjusted': stockMoved,
  'stock.counted': stockMoved,
  /** Stock set aside, put back or thrown away: `quantity` pieces went from the one to the other. */
  'stock.moved': stockMoved.extend({ from: z.string(), to: z.string() }),
  'stock.low': crossing,
  /** Nothing of it may be promised any more; `threshold` is the safety stock. */
  'stock.out': crossing,
  'stock.back': crossing,
  /**
   * The lines of the order are held, in one warehouse unless there are `parts`: then these say where, and may be none, `queued` says
   * what waits, and `warehouse_id` is the first of the parts (or the one asked first). `plan` says why there and not elsewhere.
   */
  'stock.reserved': z.object({
    ...order,
    warehouse_id: id,
    lines: z.array(reservedLineSchema),
    parts: z.array(part).optional(),
    queued: z.array(queuedLine).optional(),
    plan: z.object({ strategy: z.string(), rejected: z.array(z.object({ warehouse_id: id, why: z.string() })) }).optional(),
  }),
  'stock.rejected': z.object({ ...order, reason: z.string(), lines: z.array(shortSku) }),
  /** Lines that waited found goods: `parts` is what is held now that was queued, `queued` what still waits. */
  'stock.filled': z.object({ ...order, parts: z.array(part), queued: z.array(queuedLine) }),
  /** Goods held for the order are not there: these pieces are queued again, at the head of the line. */
  'stock.shorted': z.object({ ...order, warehouse_id: id, lines: z.array(reservedLineSchema), reason: z.string() }),
  /** The time of the reservation is over: nothing of the order is held or queued any more. */
  'stock.expired': z.object({ ...order, lines: z.array(reservedLineSchema) }),
  /** What the order holds now, by warehouse, and what of it waits; what has left is in neither. */
  'stock.changed': z.object({ ...order, revision: z.int(), parts: z.array(part), queued: z.array(queuedLine) }),
  /** Nothing was changed. */
  'stock.change_rejected': z.object({ ...order, revision: z.int(), lines: z.array(shortSku) }),
  /** Nothing of the order is held (any more), whether anything ever was or not. */
  'stock.released': z.object(order),
  /** The goods left the building: those of the shipment. */
  'stock.committed': z.object({ ...order, shipment_id: id.optional() }),
  /** The goods of a return are in the house, or were thrown away. */
  'stock.taken_back': z.object({ ...order, return_id: id }),

  'transfer.created': transfer,
  'transfer.sent': transfer,
  /** Some of it arrived; `status` is `received` when nothing is under way any more. */
  'transfer.received': transfer,
  /** Some of it never will. */
  'transfer.written_off': transfer.extend({ reason: z.string() }),
  /** Goods that were to be sent are not there: `quantity` of the lines is what is left. */
  'transfer.shorted': transfer.extend({ reason: z.string() }),
  'transfer.cancelled': transfer,

  'payment.authorized': payment.extend({ authorization }),
  'payment.declined': payment.extend({ reason: z.string(), authorization }),
  /** The provider could not be brought to an answer in the attempts there are. */
  'payment.failed': payment.extend({ reason: z.string(), authorization }),
  /** `amount` is what was captured now; with a `shipment_id` for that shipment. */
  'payment.captured': payment.extend({ shipment_id: id.optional() }),
  'payment.capture_failed': payment.extend({ reason: z.string(), shipment_id: id.optional() }),
  /** So much less is held, as `revision` asked; less than asked when there was less. */
  'payment.reduced': payment.extend({ revision: z.int().min(1) }),
  'payment.refunded': payment.extend({ refund_id: id }),
  /** `refunded`: what of `amount` was given back all the same. */
  'payment.refund_failed': payment.extend({ refund_id: id, reason: z.string(), refunded: amount }),
  /** An authorisation lapsed; nothing is held on it any more. */
  'payment.expired': payment.extend({ authorization }),
  /** No money of the order is held or kept (any more), whether any ever was or not; `refunded` says what was given back. */
  'payment.voided': z.object({ ...order, refunded: amount }),

  'shipment.ready': shipment,
  /** Somebody wants to hand the parcel over; the order must agree (and the money be captured) first. */
  'shipment.dispatch_requested': shipment,
  'shipment.dispatched': shipment,
  /** It arrived; `lines` when not all of it did. */
  'shipment.delivered': shipment.extend({ lines: z.array(reservedLineSchema).optional() }),
  /** No parcel of the order (of the shipment named) will leave, whether one was ever prepared or not. */
  'shipment.cancelled': z.object(aboutShipment),
  'shipment.picking': shipment,
  'shipment.packed': shipment.extend({ parcels: z.array(packedParcel) }),
  /** `lines` were not where they should be; the shipment goes on with `left`, or is cancelled when that is nothing. */
  'shipment.shorted': shipment.extend({ lines: z.array(reservedLineSchema), left: z.array(reservedLineSchema), reason: z.string() }),
  /** A parcel is in trouble; `code` is the carrier's or a person's: `delivery_attempted`, `returning`, `exception`. */
  'shipment.exception': parcel.extend({ code: z.string(), note: z.string() }),
  /** The parcel is on its way again. */
  'shipment.resolved': parcel,
  'shipment.lost': parcelEnd,
  /** A parcel came back; `return_id` is the return that was opened for it. */
  'shipment.returned': parcelEnd.extend({ return_id: id }),

  'return.requested': goodsReturn,
  'return.approved': goodsReturn,
  'return.rejected': goodsReturn.extend({ rejection: z.string() }),
  /** `lines` is what really came, and stock has taken it back. */
  'return.received': goodsReturn.extend({ warehouse_id: id }),
  'return.cancelled': goodsReturn,
  'return.closed': goodsReturn,

  'notification.sent': z.object({ notification_id: id, event_id: id, topic: z.string() }),
  'notification.failed': z.object({ notification_id: id, event_id: id, topic: z.string(), reason: z.string() }),

  /** A consumer gave a message up; `correlationid` of the envelope says which order waits for it. */
  'message.dead_lettered': z.object({ dead_letter_id: id, message_id: id, message_type: z.string(), code: z.string(), error: z.string() }),
} as const satisfies Record<string, z.ZodType>;

/** Asked before, and no answer came: what is done already is answered once more. Without it a duplicate says nothing. */
const again = z.literal(true).optional();

/** What is asked of one service. `to` is that service; its answer is an event. */
export const COMMANDS = {
  'stock.reserve': {
    to: 'inventory',
    data: z.object({ ...order, lines: z.array(reservedLineSchema), allocation: allocationSchema.optional(), again }),
  },
  'stock.release': { to: 'inventory', data: z.object({ ...order, reason: z.string(), again }) },
  /** Goods have left: those named, from that warehouse; all that the order holds when none are. */
  'stock.commit': {
    to: 'inventory',
    data: z.object({ ...order, shipment_id: id, warehouse_id: id.optional(), lines: z.array(reservedLineSchema).optional(), again }),
  },
  /** `lines` is all the order wants of each line, what has left included; a line that is not listed is wanted no more. */
  'stock.change': {
    to: 'inventory',
    data: z.object({ ...order, revision: z.int().min(1), lines: z.array(reservedLineSchema), allocation: allocationSchema.optional() }),
  },
  /** The reservation is good until then; without a time, until it is released. */
  'stock.renew': { to: 'inventory', data: z.object({ ...order, expires_at: z.iso.datetime().optional() }) },
  /** The time of a reservation is over; stock tells itself. */
  'stock.expire': { to: 'inventory', data: z.object(order) },
  'stock.take_back': {
    to: 'inventory',
    data: z.object({
      ...order,
      return_id: id,
      warehouse_id: id,
      lines: z.array(reservedLineSchema.extend({ disposition: dispositionSchema })),
    }),
  },
  /** Somebody whose copy of the catalogue is in doubt asks its owner. */
  'product.tell': { to: 'inventory', data: z.object({ question_id: id, skus: z.array(z.string()) }) },
  'payment.authorize': {
    to: 'payments',
    data: z.object({ ...order, amount: z.int().min(1), currency, token: z.string(), authorization, again }),
  },
  /** Without an amount: all that is held. */
  'payment.capture': { to: 'payments', data: z.object({ ...order, shipment_id: id, amount: z.int().min(0).optional() }) },
  /** Without an amount nothing of the order is held or kept; with one, so much less is held, once for each revision. */
  'payment.void': {
    to: 'payments',
    data: z.object({ ...order, reason: z.string(), amount: z.int().min(1).optional(), revision: z.int().min(1).optional() }),
  },
  'payment.refund': { to: 'payments', data: z.object({ ...order, refund_id: id, amount: z.int().min(1), reason: z.string() }) },
  /** The time of an authorisation is over; payments tells itself. */
  'payment.expire': { to: 'payments', data: z.object({ ...order, authorization }) },
  'shipment.prepare': {
    to: 'shipping',
    data: z.object({
      ...aboutShipment,
      number: z.string(),
      warehouse_id: id,
      customer: customerSchema,
      ship_to: addressSchema.optional(),
      lines: z.array(reservedLineSchema),
      again,
    }),
  },
  'shipment.dispatch': { to: 'shipping', data: z.object({ ...aboutShipment, again }) },
  'shipment.refuse_dispatch': { to: 'shipping', data: z.object({ ...aboutShipment, reason: z.string() }) },
  /** Without a name: all shipments of the order. */
  'shipment.cancel': { to: 'shipping', data: z.object({ ...aboutShipment, reason: z.string() }) },
  /** Neither pick, nor pack, nor ask for the dispatch, until the hold is released. Without a name: all shipments of the order. */
  'shipment.hold': { to: 'shipping', data: z.object({ ...aboutShipment, hold_id: id, reason: z.string() }) },
  'shipment.release_hold': { to: 'shipping', data: z.object({ ...aboutShipment, hold_id: id, reason: z.string().optional() }) },
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
