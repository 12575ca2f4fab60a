/** Notifications: what there is of one, and how it moves; README.md is the protocol. Pure. */
import { Refusal } from '../kernel/errors.ts';
import type { AnyMessage } from '../messaging/service.ts';

export const NOTIFICATION_STATUSES = ['pending', 'sent', 'failed', 'suppressed'] as const;
export type NotificationStatus = (typeof NOTIFICATION_STATUSES)[number];
export const CHANNEL_NAMES = ['log', 'email', 'webhook'] as const;
export type ChannelName = (typeof CHANNEL_NAMES)[number];
export const TOPICS = ['order.confirmed', 'order.backordered', 'order.cancelled', 'order.part_shipped', 'order.shipped', 'order.delivered'] as const;
export type Topic = (typeof TOPICS)[number];
export type Occasion = AnyMessage<Topic>;

/** A row of the table `notification`. */
export interface Notification {
  readonly id: string;
  readonly event_id: string;
  readonly order_id: string;
  /** Null in rows from before it was kept. */
  readonly customer_id: string | null;
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
  /** The notification it says once more, because a person asked for it. */
  readonly repeats: string | null;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What is needed to send one. */
export type Delivery = Pick<
  Notification,
  'id' | 'event_id' | 'order_id' | 'customer_id' | 'topic' | 'channel' | 'recipient' | 'subject' | 'body' | 'attempts' | 'created_at'
>;

/** Every legal change of status. */
export const NOTIFICATION_TRANSITIONS: Readonly<Record<NotificationStatus, readonly NotificationStatus[]>> = {
  pending: ['sent', 'failed'],
  sent: [],
  failed: [],
  suppressed: [],
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

/** What is said. */
export interface Text {
  readonly subject: string;
  readonly body: string;
}

/** The notification of an event on one channel: suppressed when the customer wants to hear nothing of its topic. */
export function notificationOf(
  { id, type, data }: Occasion,
  { channel, recipient, dueAt }: Address,
  { text, suppressed, now }: { readonly text: Text; readonly suppressed: boolean; readonly now: number },
): Notification {
  return {
    id: `ntf_${id.slice(id.indexOf('_') + 1)}_${channel}`,
    event_id: id,
    order_id: data.order_id,
    customer_id: data.customer.id,
    topic: type,
    channel,
    recipient,
    ...text,
    ...(suppressed ? SUPPRESSED : begun(dueAt, now)),
    error: null,
    repeats: null,
    version: 1,
    created_at: now,
    updated_at: now,
  };
}

const SUPPRESSED = { status: 'suppressed', attempts: 0, due_at: null, sent_at: null } as const;
/** Sent where that cannot fail, else on its way. */
const begun = (dueAt: number | null, now: number): Pick<Notification, 'status' | 'attempts' | 'due_at' | 'sent_at'> =>
  dueAt === null ? { status: 'sent', attempts: 1, due_at: null, sent_at: now } : { status: 'pending', attempts: 0, due_at: dueAt, sent_at: null };

/** The same words to the same recipient once more. Throws the Refusal `notification_state` while the first is still on its way. */
export function repeatOf(
  original: Notification,
  { id, dueAt, now }: { readonly id: string; readonly dueAt: number | null; readonly now: number },
): Notification {
  if (original.status === 'pending')
    throw new Refusal('notification_state', `notification ${original.id} is still being sent, and is tried again by itself`);
  return {
    ...original,
    ...begun(dueAt, now),
    id: `${id}_${original.channel}`,
    error: null,
    repeats: original.id,
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
