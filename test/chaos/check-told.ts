/** What customers were told of each order: all that happened, once on each channel, and nothing else; and mails that were sent arrived. */
import type { Case, Complain, OrderFound } from './history.ts';

/** By the status an order ends in: what its customer was told. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  confirmed: ['order.confirmed'],
  shipped: ['order.confirmed', 'order.shipped'],
  delivered: ['order.confirmed', 'order.shipped', 'order.delivered'],
  cancelled: ['order.cancelled'],
};

export function checkTold(one: Case, complain: Complain): void {
  checkTopics(one, complain);
  checkMails(one, complain);
}

function checkTopics({ orders, orderOf, notifications, channels, calls }: Case, complain: Complain): void {
  const confirmed = new Set(calls.flatMap(({ seen }) => (seen?.status === 'confirmed' ? [seen.id] : [])));
  const told = Map.groupBy(notifications, ({ order_id }) => order_id);
  for (const [id, some] of told) if (!orderOf.has(id)) complain('duplicated', `${some.length} notifications speak of ${id}, which is no order`);
  for (const order of orders) {
    const must = new Set(TOLD[order.status] ?? []);
    if (confirmed.has(order.id)) must.add('order.confirmed');
    const found = Map.groupBy(told.get(order.id) ?? [], ({ topic, channel }) => `${topic} by ${channel}`);
    for (const topic of must)
      for (const channel of channels)
        if (!found.has(`${topic} by ${channel}`)) complain('lost', `${topic} of ${order.id} was not told by ${channel}`);
    for (const [what, some] of found) {
      if (some.length > 1) complain('duplicated', `${what} of ${order.id} was told ${some.length} times`);
      if (some.some(({ status }) => status === 'failed')) complain('lost', `${what} of ${order.id} was given up`);
      if (!mayBeTold(order, some[0]!.topic)) complain('duplicated', `${what} was told of ${order.id}, which is ${order.status}`);
    }
  }
}

/** A confirmation may have been taken back, and an order that is not at its end may be anywhere. */
const mayBeTold = ({ status }: OrderFound, topic: string): boolean => topic === 'order.confirmed' || (TOLD[status]?.includes(topic) ?? true);

function checkMails({ notifications, mails }: Case, complain: Complain): void {
  const arrived = new Set(mails.map(({ notification_id }) => notification_id));
  const written = new Map(notifications.map(({ id, order_id }) => [id, order_id]));
  for (const { id, channel, status } of notifications)
    if (channel === 'email' && status === 'sent' && !arrived.has(id)) complain('lost', `mail ${id} was sent and did not arrive`);
  for (const { notification_id, order_id } of mails)
    if (written.get(notification_id) !== order_id) complain('duplicated', `mail ${notification_id} of ${order_id} arrived and is not on the books`);
}
