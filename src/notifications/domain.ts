/**
 * Notifications: telling customers what became of their orders, once for each event and channel.
 *
 *   (event) ──> sent              on a channel that cannot fail
 *   (event) ──> pending ──> sent  on one that can; tried again after each pause of a table
 *                  └──────> failed: refused for good, or the attempts are spent
 *
 * The id follows from event and channel, so an event that comes again finds its notifications. It is also the name under which a mail
 * is sent: after a crash between sending and writing it down the mail goes out again under the same name, and mail programs show it once.
 */
import type { DataOf } from '../contracts/messages.ts';
import { formatMoney } from '../kernel/money.ts';
import type { AnyMessage } from '../messaging/service.ts';

export type NotificationStatus = 'pending' | 'sent' | 'failed';
export type ChannelName = 'log' | 'email';
export type Topic = 'order.confirmed' | 'order.cancelled' | 'order.shipped' | 'order.delivered';
export type Occasion = AnyMessage<Topic>;

/** A row of the table `notification`. */
export interface Notification {
  readonly id: string;
  readonly event_id: string;
  readonly order_id: string;
  readonly topic: Topic;
  readonly channel: ChannelName;
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  readonly status: NotificationStatus;
  /** Times it was tried to send it, as far as the outcome was written down. */
  readonly attempts: number;
  /** When it is to be tried (again); null unless pending. */
  readonly due_at: number | null;
  readonly error: string | null;
  readonly sent_at: number | null;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What is needed to send one. */
export type Delivery = Pick<Notification, 'id' | 'event_id' | 'order_id' | 'topic' | 'recipient' | 'subject' | 'body' | 'attempts'>;

/** Every legal change of status. */
export const NOTIFICATION_TRANSITIONS: Readonly<Record<NotificationStatus, readonly NotificationStatus[]>> = {
  pending: ['sent', 'failed'],
  sent: [],
  failed: [],
};

/** Somewhere a customer can be reached. */
export interface Address {
  readonly channel: ChannelName;
  readonly recipient: string;
  /** When it is to be tried again in case nobody writes down what became of it; null: it is sent by being written down. */
  readonly dueAt: number | null;
}

/** What became of one attempt to send. */
export type Outcome =
  | { readonly result: 'sent' }
  /** It may go through later. */
  | { readonly result: 'again'; readonly error: string }
  /** It never will. */
  | { readonly result: 'refused'; readonly error: string };

/** How long to wait after the n-th attempt that did not go through; after the last one the notification has failed. Milliseconds. */
export const SEND_AGAIN_MS = [1_000, 10_000, 60_000, 600_000, 3_600_000] as const;

/** The notification of an event on one channel. */
export function notificationOf(occasion: Occasion, { channel, recipient, dueAt }: Address, now: number): Notification {
  return {
    id: `ntf_${occasion.id.slice(occasion.id.indexOf('_') + 1)}_${channel}`,
    event_id: occasion.id,
    order_id: occasion.data.order_id,
    topic: occasion.type,
    channel,
    recipient,
    ...textOf(occasion),
    status: dueAt === null ? 'sent' : 'pending',
    attempts: dueAt === null ? 1 : 0,
    due_at: dueAt,
    error: null,
    sent_at: dueAt === null ? now : null,
    version: 1,
    created_at: now,
    updated_at: now,
  };
}

export type Progress = Pick<Notification, 'status' | 'attempts' | 'due_at' | 'error' | 'sent_at'>;

/** What an attempt makes of a pending notification. `attempts` counts those before. */
export function progress(attempts: number, outcome: Outcome, now: number): Progress {
  const done = { attempts: attempts + 1, due_at: null, error: null, sent_at: null };
  if (outcome.result === 'sent') return { ...done, status: 'sent', sent_at: now };
  const pause = outcome.result === 'again' ? SEND_AGAIN_MS[attempts] : undefined;
  return pause === undefined
    ? { ...done, status: 'failed', error: outcome.error }
    : { ...done, status: 'pending', due_at: now + pause, error: outcome.error };
}

/** Why an order was cancelled, for the customer. */
const REASONS: Readonly<Record<string, string>> = {
  customer: 'as you asked.',
  out_of_stock: 'because we do not have everything you ordered. Nothing was charged.',
  payment_declined: 'because the payment was declined. Nothing was charged.',
  timeout: 'because we could not complete it in time. Nothing stays charged.',
  operator: 'by us. Nothing stays charged.',
};

/** Subject and body, plain text. */
export function textOf({ type, data }: Occasion): { readonly subject: string; readonly body: string } {
  const order = `Your order ${data.number}`;
  const [happened, details] = happening(type, data);
  const greeting = data.customer.name === undefined ? 'Hello,' : `Hello ${data.customer.name},`;
  return { subject: `${order} ${happened}`, body: `${greeting}\n\nyour order ${data.number} ${happened}${details}\n` };
}

/** What happened, as a predicate of "your order", and how the sentence goes on. */
function happening(topic: Topic, data: Occasion['data']): [string, string] {
  switch (topic) {
    case 'order.confirmed':
      return ['is confirmed', `. The total is ${formatMoney(data.total, data.currency)}; we are packing it.`];
    case 'order.cancelled':
      return ['was cancelled', ` ${REASONS[(data as DataOf<'order.cancelled'>).reason] ?? 'by us.'}`];
    case 'order.shipped':
      return ['is on its way', `. Its tracking number is ${(data as DataOf<'order.shipped'>).tracking_number}.`];
    case 'order.delivered':
      return ['was delivered', '. Thank you for ordering with us.'];
  }
}
