/** The checker, shown a sound history and then the same with one thing wrong: it must find that, and nothing else. */
import { expect, it, test } from 'vitest';
import { type Call, FAULTS, type Fault, type History, type Truth, verdictOf } from './history.ts';

type Changeable<T> = T extends readonly (infer Item)[] ? Changeable<Item>[] : T extends object ? { -readonly [K in keyof T]: Changeable<T[K]> } : T;
interface Ground {
  history: Changeable<History>;
  truth: Changeable<Truth>;
}

const QUANTITY = 2;
const TOTAL = 900;
/** What becomes of an order, and how far its parcel and its money have come. */
const ENDS = {
  confirmed: { shipment: 'ready', payment: 'authorized', held: TOTAL, captured: 0, moves: ['authorize'], told: ['order.confirmed'] },
  shipped: {
    shipment: 'in_transit',
    payment: 'captured',
    held: 0,
    captured: TOTAL,
    moves: ['authorize', 'capture'],
    told: ['order.confirmed', 'order.shipped'],
  },
  delivered: {
    shipment: 'delivered',
    payment: 'captured',
    held: 0,
    captured: TOTAL,
    moves: ['authorize', 'capture'],
    told: ['order.confirmed', 'order.shipped', 'order.delivered'],
  },
  cancelled: {
    shipment: 'cancelled',
    payment: 'voided',
    held: 0,
    captured: 0,
    moves: ['authorize', 'void'],
    told: ['order.confirmed', 'order.cancelled'],
  },
} as const;
type End = keyof typeof ENDS;

const ACCOUNTS = { authorize: ['outside:psp', 'held'], capture: ['held', 'captured'], void: ['held', 'outside:psp'] } as const;
const GOODS: Readonly<Record<End, readonly (readonly [string, string])[]>> = {
  confirmed: [['available', 'reserved']],
  shipped: [
    ['available', 'reserved'],
    ['reserved', 'outside:customer'],
  ],
  delivered: [
    ['available', 'reserved'],
    ['reserved', 'outside:customer'],
  ],
  cancelled: [
    ['available', 'reserved'],
    ['reserved', 'available'],
  ],
};

/** Everything there is of one order, as it should be. */
function add({ truth }: Ground, key: string, status: End): void {
  const end = ENDS[status];
  const id = `ord_${key}`;
  const left = status === 'shipped' || status === 'delivered';
  const state = status === 'cancelled' ? 'undone' : left ? 'settled' : 'done';
  truth.orders.push({
    id,
    customer: { id: key },
    status,
    status_reason: status === 'cancelled' ? 'customer' : null,
    version: 9,
    total: TOTAL,
    lines: [{ sku: 'TEA', quantity: QUANTITY }],
    stops: ['stock', 'payment', 'shipping'].map((stop) => ({ stop, state })),
  });
  truth.payments.push({
    id: `pay_${key}`,
    order_id: id,
    status: end.payment,
    under_way: null,
    held: end.held,
    captured: end.captured,
    refunded: 0,
    operations: end.moves.map((kind) => ({ id: `pop_${kind}_${key}`, kind, state: 'succeeded', amount: TOTAL })),
    postings: end.moves.map((kind) => ({ from_account: ACCOUNTS[kind][0], to_account: ACCOUNTS[kind][1], quantity: TOTAL })),
  });
  truth.shipments.push({ id: `shp_${key}`, order_id: id, status: end.shipment, version: 5, dispatch_requested_at: null, refused_reason: null });
  for (const [from_account, to_account] of GOODS[status])
    truth.postings.push({ sku: 'TEA', from_account, to_account, quantity: QUANTITY, ref_type: 'order', ref_id: id, reference: null });
  for (const topic of end.told)
    for (const channel of truth.channels) {
      truth.notifications.push({ id: `ntf_${topic}_${key}_${channel}`, order_id: id, topic, channel, status: 'sent' });
      if (channel === 'email') truth.mails.push({ notification_id: `ntf_${topic}_${key}_${channel}`, order_id: id });
    }
}

const call = (given: Partial<Call> & Pick<Call, 'act' | 'key' | 'asked'>): Changeable<Call> => ({
  answered: given.asked + 5,
  outcome: 'ok',
  ...given,
});

/** A placement with an unanswered first attempt and an answer; the order is then seen on its way. */
function ask({ history }: Ground, key: string, status: End): void {
  const id = `ord_${key}`;
  const placed = { act: 'place', key, seen: { id, status: 'pending', version: 1 }, answer: `the answer to ${key}` } as const;
  history.placements.push({ key, lines: [{ sku: 'TEA', quantity: QUANTITY }], total: TOTAL });
  history.calls.push(call({ act: 'place', key, asked: 0, outcome: 'unknown' }), call({ ...placed, asked: 10 }), call({ ...placed, asked: 20 }));
  history.calls.push(call({ act: 'read', key: id, asked: 30, seen: { id, status: 'confirmed', version: 4 } }));
  history.calls.push(call({ act: 'read', key: id, asked: 90, seen: { id, status, version: 9 } }));
}

function sound(): Ground {
  const ground: Ground = {
    history: { placements: [], receipts: [], calls: [], abandoned: [] },
    truth: {
      orders: [],
      payments: [],
      shipments: [],
      levels: [],
      postings: [],
      notifications: [],
      channels: ['log', 'email'],
      mails: [],
      deadLetters: [],
      waiting: { 'outbox of orders': 0 },
      audit: { violations: 0 },
    },
  };
  const { history, truth } = ground;
  for (const status of Object.keys(ENDS) as End[]) {
    ask(ground, status, status);
    add(ground, status, status);
  }
  const parcel = (key: string, status: string, version: number) => ({ id: `shp_${key}`, status, version });
  history.calls.push(
    call({ act: 'cancel', key: 'cancel it', asked: 50, seen: { id: 'ord_cancelled', status: 'confirmed', version: 6 } }),
    call({ act: 'dispatch', key: 'send it', asked: 50, seen: parcel('delivered', 'ready', 3) }),
    call({ act: 'deliver', key: 'it arrived', asked: 70, seen: parcel('delivered', 'delivered', 5) }),
    call({ act: 'cancel', key: 'too late', asked: 80, outcome: 'refused', code: 'order_not_cancellable' }),
  );
  // Two clients went away: one order is there, the other is not. A third was refused.
  for (const key of ['gone', 'never']) {
    history.placements.push({ key, lines: [{ sku: 'TEA', quantity: QUANTITY }], total: TOTAL });
    history.calls.push(call({ act: 'place', key, asked: 5, outcome: 'unknown' }));
    history.abandoned.push(key);
  }
  add(ground, 'gone', 'confirmed');
  history.placements.push({ key: 'refused', lines: [{ sku: 'NONE', quantity: 1 }], total: 1 });
  history.calls.push(call({ act: 'place', key: 'refused', asked: 5, outcome: 'refused', code: 'unknown_sku' }));
  // Goods came, and what is left of them is on the books.
  history.receipts.push({ key: 'goods', sku: 'TEA', quantity: 10 });
  history.calls.push(call({ act: 'receive', key: 'goods', asked: 0, answer: 'rcp_1' }));
  truth.postings.push({
    sku: 'TEA',
    from_account: 'outside:supplier',
    to_account: 'available',
    quantity: 10,
    ref_type: 'receipt',
    ref_id: 'rcp_1',
    reference: 'goods',
  });
  truth.levels.push({ sku: 'TEA', on_hand: 6, reserved: 4, available: 2 });
  return ground;
}

it('finds nothing wrong with a sound history', () => {
  const { history, truth } = sound();
  expect(verdictOf(history, truth)).toMatchObject({ sound: true, faults: { lost: { count: 0, examples: [] } } });
});

const order = ({ truth }: Ground, key: string) => truth.orders.find(({ id }) => id === `ord_${key}`)!;
const payment = ({ truth }: Ground, key: string) => truth.payments.find(({ id }) => id === `pay_${key}`)!;
const shipment = ({ truth }: Ground, key: string) => truth.shipments.find(({ id }) => id === `shp_${key}`)!;
const calls = ({ history }: Ground, key: string) => history.calls.filter((one) => one.key === key);
/** Takes away all there is of an order, as if it had never been. */
function forget({ truth }: Ground, key: string): void {
  const id = `ord_${key}`;
  truth.orders = truth.orders.filter((one) => one.id !== id);
  for (const name of ['payments', 'shipments', 'notifications', 'mails'] as const)
    Object.assign(truth, { [name]: truth[name].filter(({ order_id }) => order_id !== id) });
  truth.postings = truth.postings.filter(({ ref_id }) => ref_id !== id);
}
/** Moves goods on the books and in the level alike. */
function move({ truth }: Ground, from_account: 'available' | 'reserved', to_account: string, quantity: number, ref_id: string): void {
  truth.postings.push({ sku: 'TEA', from_account, to_account, quantity, ref_type: 'order', ref_id, reference: null });
  const level = truth.levels[0]!;
  level[from_account] -= quantity;
  if (to_account === 'reserved' || to_account === 'available') level[to_account] += quantity;
  level.on_hand = level.reserved + level.available;
}
const forgetTold = ({ truth }: Ground, id: string): void => void (truth.notifications = truth.notifications.filter((one) => one.id !== id));

// A table: one thing gone wrong a line.
// oxfmt-ignore
const DOCTORED: readonly (readonly [string, Fault, (ground: Ground) => unknown])[] = [
  ['an accepted order is gone, with all that belonged to it', 'lost', (g) => { forget(g, 'delivered'); g.truth.levels[0] = { sku: 'TEA', on_hand: 8, reserved: 4, available: 4 }; }],
  ['a line of an accepted order has another quantity', 'lost', (g) => { g.history.placements[0]!.lines[0]!.quantity = 3; }],
  ['an accepted order has another total', 'lost', (g) => { g.history.placements[0]!.total = TOTAL + 1; }],
  ['an accepted cancellation had no effect', 'lost', (g) => g.history.calls.push(call({ act: 'cancel', key: 'stop', asked: 95, seen: { id: 'ord_confirmed', status: 'confirmed', version: 9 } }))],
  ['an accepted delivery had no effect', 'lost', (g) => g.history.calls.push(call({ act: 'deliver', key: 'here', asked: 95, seen: { id: 'shp_shipped', status: 'in_transit', version: 5 } }))],
  ['an accepted dispatch had no effect', 'lost', (g) => g.history.calls.push(call({ act: 'dispatch', key: 'go', asked: 95, seen: { id: 'shp_confirmed', status: 'ready', version: 5 } }))],
  ['an order that was seen is not found', 'lost', (g) => g.history.calls.push(call({ act: 'read', key: 'ord_shipped', asked: 95, outcome: 'refused', code: 'order_not_found' }))],
  ['a confirmed order has no payment', 'lost', (g) => { g.truth.payments = g.truth.payments.filter(({ id }) => id !== 'pay_confirmed'); }],
  ['a shipped order has no parcel', 'lost', (g) => { g.truth.shipments = g.truth.shipments.filter(({ id }) => id !== 'shp_shipped'); }],
  ['goods that were received are not on the books', 'lost', (g) => { g.truth.postings = g.truth.postings.filter(({ ref_type }) => ref_type !== 'receipt'); g.truth.levels[0]!.available -= 10; g.truth.levels[0]!.on_hand -= 10; g.truth.postings.push({ ...g.truth.postings[0]!, from_account: 'outside:adjustment', to_account: 'available', quantity: 20, ref_type: 'adjustment' }); g.truth.levels[0]!.available += 20; g.truth.levels[0]!.on_hand += 20; }],
  ['a customer was not told that the order is confirmed', 'lost', (g) => forgetTold(g, 'ntf_order.confirmed_confirmed_log')],
  ['a customer was not told that the parcel left', 'lost', (g) => forgetTold(g, 'ntf_order.shipped_delivered_log')],
  ['a customer who saw a confirmation was told of the cancellation only', 'lost', (g) => forgetTold(g, 'ntf_order.confirmed_cancelled_log')],
  ['a notification was given up', 'lost', (g) => { g.truth.notifications[0]!.status = 'failed'; }],
  ['a mail was sent and did not arrive', 'lost', (g) => g.truth.mails.pop()],

  ['one key was answered with two orders', 'duplicated', (g) => { const last = calls(g, 'confirmed').at(-1)!; last.seen!.id = 'ord_gone'; last.answer = 'another'; }],
  ['one key made two orders', 'duplicated', (g) => { ask(g, 'twice', 'confirmed'); add(g, 'twice', 'confirmed'); order(g, 'twice').customer.id = 'confirmed'; g.truth.levels[0] = { sku: 'TEA', on_hand: 6, reserved: 6, available: 0 }; }],
  ['there is an order nobody asked for', 'duplicated', (g) => { add(g, 'phantom', 'delivered'); g.truth.levels[0] = { sku: 'TEA', on_hand: 4, reserved: 4, available: 0 }; }],
  ['a refused order is there', 'duplicated', (g) => { for (const one of calls(g, 'never')) Object.assign(one, { outcome: 'refused', code: 'no_price' }); add(g, 'never', 'delivered'); g.truth.levels[0] = { sku: 'TEA', on_hand: 4, reserved: 4, available: 0 }; }],
  ['the answer to a repeated key is another one', 'duplicated', (g) => { calls(g, 'shipped').at(-1)!.answer = 'changed'; }],
  ['an order has two parcels', 'duplicated', (g) => g.truth.shipments.push({ ...shipment(g, 'shipped'), id: 'shp_again' })],
  ['an order has two payments', 'duplicated', (g) => g.truth.payments.push({ ...payment(g, 'cancelled'), id: 'pay_again' })],
  ['a parcel belongs to no order', 'duplicated', (g) => g.truth.shipments.push({ ...shipment(g, 'shipped'), id: 'shp_x', order_id: 'ord_x' })],
  ['goods that came once are on the books twice', 'duplicated', (g) => { g.truth.postings.push({ ...g.truth.postings.at(-1)! }); g.truth.levels[0]!.available += 10; g.truth.levels[0]!.on_hand += 10; }],
  ['a customer was told twice', 'duplicated', (g) => g.truth.notifications.push({ ...g.truth.notifications[0]!, id: 'ntf_again' })],
  ['a customer was told of something that did not happen', 'duplicated', (g) => g.truth.notifications.push({ id: 'ntf_x', order_id: 'ord_confirmed', topic: 'order.shipped', channel: 'log', status: 'sent' })],
  ['a mail arrived under a second name', 'duplicated', (g) => g.truth.mails.push({ ...g.truth.mails[0]!, notification_id: 'ntf_x' })],

  ['an authorisation was made twice', 'double_charged', (g) => { const one = payment(g, 'confirmed'); one.operations.push({ ...one.operations[0]!, id: 'pop_x' }); one.postings.push({ ...one.postings[0]! }); one.held *= 2; }],
  ['money was taken twice', 'double_charged', (g) => { const one = payment(g, 'delivered'); for (const kind of ['authorize', 'capture'] as const) { one.operations.push({ id: `pop_${kind}`, kind, state: 'succeeded', amount: TOTAL }); one.postings.push({ from_account: ACCOUNTS[kind][0], to_account: ACCOUNTS[kind][1], quantity: TOTAL }); } one.captured *= 2; }],
  ['too much was taken', 'double_charged', (g) => { const one = payment(g, 'shipped'); one.captured += 1; for (const posting of one.postings) posting.quantity += 1; }],
  ['a cancelled order keeps the money', 'double_charged', (g) => { const one = payment(g, 'cancelled'); one.operations.pop(); one.postings.pop(); one.held = TOTAL; }],
  ['an order left without being paid', 'double_charged', (g) => { const one = payment(g, 'shipped'); one.operations.pop(); one.postings.pop(); Object.assign(one, { held: TOTAL, captured: 0 }); }],
  ['a balance is not what the ledger says', 'double_charged', (g) => { payment(g, 'confirmed').captured = 1; payment(g, 'confirmed').held -= 1; }],
  ['money was moved at the provider and not in the ledger', 'double_charged', (g) => payment(g, 'confirmed').operations.push({ id: 'pop_x', kind: 'refund', state: 'succeeded', amount: 1 })],

  ['more is reserved than there is', 'oversold', (g) => { g.truth.postings.at(-1)!.quantity = 7; g.history.receipts[0]!.quantity = 7; Object.assign(g.truth.levels[0]!, { on_hand: 3, available: -1 }); }],
  ['an order holds its goods twice', 'oversold', (g) => move(g, 'available', 'reserved', 2, 'ord_confirmed')],
  ['a confirmed order holds nothing', 'oversold', (g) => move(g, 'reserved', 'available', 2, 'ord_confirmed')],
  ['goods of an order that has not left were taken', 'oversold', (g) => move(g, 'reserved', 'outside:customer', 2, 'ord_confirmed')],
  ['a level is not what the ledger says', 'oversold', (g) => { g.truth.levels[0]!.available += 1; g.truth.levels[0]!.on_hand += 1; }],

  ['an order is pending', 'stuck', (g) => { order(g, 'gone').status = 'pending'; }],
  ['an order is on hold', 'stuck', (g) => { order(g, 'gone').status = 'on_hold'; }],
  ['a cancellation does not end', 'stuck', (g) => { order(g, 'gone').status_reason = 'cancelling'; }],
  ['an order has not heard that its parcel is ready', 'stuck', (g) => { order(g, 'gone').stops[2]!.state = 'requested'; }],
  ['the goods of a parcel that left are on the books', 'stuck', (g) => { order(g, 'shipped').stops[0]!.state = 'done'; }],
  ['goods stay reserved for a cancelled order', 'stuck', (g) => move(g, 'available', 'reserved', 2, 'ord_cancelled')],
  ['the carrier was never told', 'stuck', (g) => { shipment(g, 'gone').status = 'pending'; }],
  ['a parcel that is to leave does not', 'stuck', (g) => { shipment(g, 'gone').dispatch_requested_at = '2026-01-01T00:00:00Z'; }],
  ['a parcel arrived and its order does not know', 'stuck', (g) => { shipment(g, 'shipped').status = 'delivered'; }],
  ['a call to the provider is under way', 'stuck', (g) => { payment(g, 'gone').under_way = 'void'; }],
  ['a notification is not sent', 'stuck', (g) => { const one = g.truth.notifications.find(({ channel }) => channel === 'log')!; one.status = 'pending'; }],
  ['a dead letter lies about', 'stuck', (g) => g.truth.deadLetters.push({ id: 'dl_1', type: 'stock.reserve', code: 'internal' })],
  ['a message waits', 'stuck', (g) => { g.truth.waiting['outbox of orders'] = 1; }],
  ['somebody is never answered', 'stuck', (g) => { g.history.abandoned = g.history.abandoned.filter((key) => key !== 'never'); }],

  ['a version goes down', 'backward', (g) => g.history.calls.push(call({ act: 'read', key: 'ord_shipped', asked: 40, seen: { id: 'ord_shipped', status: 'confirmed', version: 3 } }))],
  ['a status goes back', 'backward', (g) => g.history.calls.push(call({ act: 'read', key: 'ord_shipped', asked: 99, seen: { id: 'ord_shipped', status: 'pending', version: 9 } }))],
  ['a cancelled order lives again', 'backward', (g) => g.history.calls.push(call({ act: 'read', key: 'ord_delivered', asked: 60, seen: { id: 'ord_delivered', status: 'cancelled', version: 7 } }))],
  ['a hold hides that a status went back', 'backward', (g) => g.history.calls.push(call({ act: 'read', key: 'ord_shipped', asked: 40, seen: { id: 'ord_shipped', status: 'on_hold', version: 5 } }), call({ act: 'read', key: 'ord_shipped', asked: 50, seen: { id: 'ord_shipped', status: 'pending', version: 6 } }))],
  ['a parcel is on its way, and then in the warehouse', 'backward', (g) => g.history.calls.push(call({ act: 'read', key: 'shp_delivered', asked: 60, seen: { id: 'shp_delivered', status: 'in_transit', version: 4 } }), call({ act: 'read', key: 'shp_delivered', asked: 66, seen: { id: 'shp_delivered', status: 'ready', version: 4 } }))],
  ['the end is before what was seen', 'backward', (g) => { order(g, 'confirmed').version = 8; }],
];

test.each(DOCTORED)('%s: %s', (_, fault, doctor) => {
  const ground = sound();
  doctor(ground);
  const { faults, sound: isSound } = verdictOf(ground.history, ground.truth);
  expect(FAULTS.filter((name) => faults[name].count > 0)).toEqual([fault]);
  expect(faults[fault].examples.length).toBeGreaterThan(0);
  expect(isSound).toBe(false);
});

it('plants at least three of each', () => {
  for (const fault of FAULTS) expect(DOCTORED.filter(([, planted]) => planted === fault).length).toBeGreaterThan(2);
});

it('finds what the auditor found, and keeps a few examples of many', () => {
  const { history, truth } = sound();
  const audited = verdictOf(history, { ...truth, audit: { violations: 3, first: 'S1' } });
  expect(audited).toMatchObject({ sound: false, audit: { count: 3, examples: ['S1'] } });
  const many = verdictOf(history, { ...truth, deadLetters: Array.from({ length: 50 }, (_, n) => ({ id: `dl_${n}`, type: 'x', code: 'y' })) });
  expect(many.faults.stuck).toMatchObject({ count: 50 });
  expect(many.faults.stuck.examples.length).toBe(5);
});

it('does not take for going back: looks that overlap, and an answer that was kept', () => {
  const ground = sound();
  const seen = (status: string, version: number) => ({ id: 'ord_shipped', status, version });
  ground.history.calls.push(
    call({ act: 'read', key: 'ord_shipped', asked: 40, answered: 60, seen: seen('confirmed', 6) }),
    call({ act: 'read', key: 'ord_shipped', asked: 45, answered: 50, seen: seen('shipped', 7) }),
    call({ act: 'place', key: 'shipped', asked: 95, seen: seen('pending', 1), answer: 'the answer to shipped' }),
  );
  expect(verdictOf(ground.history, ground.truth).sound).toBe(true);
});
