/** Goods: what was received is there once, what is promised is there, and the levels are what the ledger says. */
import type { Case, Complain, StockPostingFound } from './history.ts';
import { countsOnAll, hasLeft, piecesOf } from './check-orders.ts';

export function checkGoods(one: Case, complain: Complain): void {
  checkReceipts(one, complain);
  checkReservations(one, complain);
  checkLevels(one, complain);
}

const piecesIn = (postings: readonly StockPostingFound[], account: string): number =>
  postings.reduce(
    (sum, { from_account, to_account, quantity }) => sum + (to_account === account ? quantity : 0) - (from_account === account ? quantity : 0),
    0,
  );

/** What was brought is on the books once; what nobody knows of may be, or not. */
function checkReceipts({ receipts, callsOf, postings }: Case, complain: Complain): void {
  const brought = Map.groupBy(
    postings.filter(({ ref_type }) => ref_type === 'receipt'),
    ({ reference }) => reference ?? '',
  );
  for (const { key, sku, quantity } of receipts) {
    const outcomes = new Set(callsOf.get(key)?.map(({ outcome }) => outcome));
    const found = piecesIn(brought.get(key) ?? [], 'available');
    const refused = outcomes.size === 1 && outcomes.has('refused');
    if (found > (refused ? 0 : quantity)) complain('duplicated', `${key}: ${quantity} ${sku} came, ${found} are on the books`);
    if (found < quantity && (outcomes.has('ok') || found > 0)) complain('lost', `${key}: ${quantity} ${sku} came, ${found} are on the books`);
    brought.delete(key);
  }
  for (const key of brought.keys()) complain('duplicated', `goods are on the books that nobody brought, by the reference ${key}`);
}

/** What each order holds and took is what it should. */
function checkReservations({ orders, orderOf, postings }: Case, complain: Complain): void {
  const moved = Map.groupBy(
    postings.filter(({ ref_type }) => ref_type === 'order'),
    ({ ref_id }) => ref_id,
  );
  for (const id of moved.keys()) if (!orderOf.has(id)) complain('duplicated', `goods were moved for ${id}, which is no order`);
  for (const order of orders) {
    const bySku = Map.groupBy(moved.get(order.id) ?? [], ({ sku }) => sku);
    for (const [sku, quantity] of piecesOf(order.lines)) {
      const held = piecesIn(bySku.get(sku) ?? [], 'reserved');
      const left = piecesIn(bySku.get(sku) ?? [], 'outside:customer');
      const found = `order ${order.id} is ${order.status}: ${quantity} ${sku}, ${held} held and ${left} taken`;
      if (held + left > quantity) complain('oversold', found);
      else if (countsOnAll(order) && held + left < quantity) complain('oversold', found);
      else if (hasLeft(order) ? left < quantity : left > 0) complain(left > 0 ? 'oversold' : 'stuck', found);
      else if (order.status === 'cancelled' && held > 0) complain('stuck', found);
    }
  }
}

/** No level is below nothing, and each is the sum of its postings. */
function checkLevels({ levels, postings }: Case, complain: Complain): void {
  const bySku = Map.groupBy(postings, ({ sku }) => sku);
  for (const { sku, on_hand, reserved, available } of levels) {
    const own = bySku.get(sku) ?? [];
    const sums = { reserved: piecesIn(own, 'reserved'), available: piecesIn(own, 'available') };
    if (available < 0 || reserved < 0) complain('oversold', `${sku}: ${available} available, ${reserved} reserved`);
    if (sums.reserved !== reserved || sums.available !== available || on_hand !== reserved + available)
      complain(
        'oversold',
        `${sku}: ${available} available, ${reserved} reserved, ${on_hand} on hand; the ledger says ${sums.available} and ${sums.reserved}`,
      );
  }
}
