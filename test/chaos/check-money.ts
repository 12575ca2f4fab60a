/** The money of each order: once, its total, and none for an order that gets nothing; and the ledger says the same as the balances. */
import type { Case, Complain, OrderFound, PaymentFound } from './history.ts';
import { countsOnAll, hasLeft } from './check-orders.ts';

export function checkMoney({ payments, orderOf }: Case, complain: Complain): void {
  for (const payment of payments) {
    const say = (what: string): void => complain('double_charged', `payment ${payment.id} of ${payment.order_id}: ${what}`);
    checkOperations(payment, say);
    checkLedger(payment, say);
    const order = orderOf.get(payment.order_id);
    if (order !== undefined) checkAmount(payment, order, say);
  }
}

type Say = (what: string) => void;

/** Money was moved once in each way, and each time it was moved is in the ledger. */
function checkOperations({ operations, postings }: PaymentFound, say: Say): void {
  const succeeded = operations.filter(({ state }) => state === 'succeeded');
  for (const [kind, same] of Map.groupBy(succeeded, (operation) => operation.kind)) if (same.length > 1) say(`${same.length} times ${kind}`);
  if (succeeded.length !== postings.length) say(`${succeeded.length} operations succeeded, ${postings.length} are in the ledger`);
}

function checkLedger({ held, captured, postings }: PaymentFound, say: Say): void {
  for (const [account, balance] of Object.entries({ held, captured })) {
    const sum = postings.reduce((total, { from_account, to_account, quantity }) => {
      return total + (to_account === account ? quantity : 0) - (from_account === account ? quantity : 0);
    }, 0);
    if (sum !== balance) say(`${balance} ${account}, the ledger says ${sum}`);
  }
}

function checkAmount({ held, captured }: PaymentFound, order: OrderFound, say: Say): void {
  const money = `${held} held and ${captured} captured`;
  if (order.status === 'cancelled') {
    if (held + captured !== 0) say(`${money}, and the order is cancelled`);
  } else if (hasLeft(order)) {
    if (held !== 0 || captured !== order.total) say(`${money}, and the order left for ${order.total}`);
  } else if (countsOnAll(order) ? held + captured !== order.total : held + captured > order.total) {
    say(`${money}, and the order is ${order.total}`);
  }
}
