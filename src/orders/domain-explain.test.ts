import { expect, test } from 'vitest';
import { after, answer, placed, rulesAt, T0 } from '../../test/orders/make.ts';
import { request } from './domain.ts';
import { explain } from './domain-explain.ts';
import type { Order } from './domain-order.ts';
import type { ReplyName } from './domain-table.ts';
import { DEADLINES } from './domain-waybill.ts';

const NOW = T0 + 1_000;
const TO_READY: ReplyName[] = ['stock.reserved', 'payment.authorized', 'shipment.ready'];
const at = (...replies: ReplyName[]): Order => after(placed().order, replies, NOW).order;
const told = (order: Order): unknown[] =>
  explain(order, DEADLINES).map(({ blocker, owner, deadline, since, legal_commands }) => [
    blocker,
    owner,
    deadline - since,
    legal_commands.join(' '),
  ]);

test.each<[ReplyName[], unknown[]]>([
  [[], ['reserving', 'inventory', DEADLINES.stock, 'cancel']],
  [['stock.reserved'], ['authorizing', 'payments', DEADLINES.payment, 'cancel']],
  [
    ['stock.reserved', 'payment.authorized'],
    ['preparing', 'shipping', DEADLINES.shipping, 'cancel'],
  ],
  [TO_READY, ['ready', 'warehouse', DEADLINES.dispatch, 'dispatch cancel']],
  [
    [...TO_READY, 'shipment.dispatch_requested'],
    ['capturing', 'payments', DEADLINES.payment, ''],
  ],
  [
    [...TO_READY, 'shipment.dispatch_requested', 'payment.captured'],
    ['dispatching', 'shipping', DEADLINES.shipping, ''],
  ],
])('after %j it says who must act, by when, and what a person may do', (replies, blocker) => {
  expect(told(at(...replies))).toEqual([blocker]);
});

test('while an order is cancelled it waits for the stop being undone', () => {
  const step = request(at(...TO_READY), { type: 'cancel' }, rulesAt(NOW));
  expect(told((step as { order: Order }).order)).toEqual([['recalling', 'shipping', DEADLINES.shipping, '']]);
});

test('on hold an operator comes first, with the dead letter at hand', () => {
  const order = after(placed().order, [answer('message.dead_lettered')], NOW).order;
  expect(told(order)).toEqual([
    ['on_hold', 'operator', DEADLINES.hold, 'redrive_dead_letter resume cancel'],
    ['reserving', 'inventory', DEADLINES.stock, 'resume cancel'],
  ]);
  expect(explain(order, DEADLINES)[0]!.evidence).toEqual({
    asked: 'stock.reserve',
    awaits: ['stock.reserved', 'stock.rejected'],
    note: 'stock.reserve became a dead letter: internal',
    dead_letter_id: 'dl_1',
  });
});

test('a parcel on its way waits for the carrier, and for its goods to leave the books', () => {
  const shipped = at(...TO_READY, 'shipment.dispatch_requested', 'payment.captured', 'shipment.dispatched');
  expect(told(shipped)).toEqual([
    ['shipped', 'carrier', DEADLINES.delivery, 'deliver'],
    ['stock_commit', 'inventory', DEADLINES.stock, 'resume'],
  ]);
  const delivered = after(shipped, ['shipment.delivered'], NOW).order;
  expect(told(delivered)).toEqual([['stock_commit', 'inventory', DEADLINES.stock, 'resume']]);
  expect(told(after(delivered, ['stock.committed'], NOW).order)).toEqual([]);
});

test('a finished order waits for nothing', () => {
  expect(told(at('stock.rejected'))).toEqual([]);
  expect(told(after(placed({ policy: 'reserve_only' }).order, ['stock.reserved']).order)).toEqual([]);
});
