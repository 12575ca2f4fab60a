/**
 * Bugs to be planted: each one change of the program that somebody could make by mistake. The model, or the auditor at the end of a script, has to
 * find it (bench/planted.ts). `find` must occur exactly once, so that a bug that the code has outgrown is noticed.
 */
export interface Planted {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What goes wrong. */
  readonly bug: string;
}

const INVENTORY = 'src/inventory/domain-reservations.ts';
const HAND = 'src/inventory/domain-hand.ts';
const PAYMENTS = 'src/payments/domain.ts';
const MONEY = 'src/orders/domain-money.ts';
const PLAN = 'src/orders/domain-revision-plan.ts';

// A table: one bug an entry.
// oxfmt-ignore
export const PLANTED: readonly Planted[] = [
  // Stock
  { file: INVENTORY, find: 'free(cell) < quantity) return false', replace: 'free(cell) < quantity - 1) return false', bug: 'one piece more is promised than there is' },
  { file: INVENTORY, find: 'totals.set(sku, (totals.get(sku) ?? 0) + quantity)', replace: 'totals.set(sku, quantity)', bug: 'two lines of one sku are looked for as if they were one' },
  { file: INVENTORY, find: "'released', { sku, warehouse_id, quantity, order_id,", replace: "'released', { sku, warehouse_id, quantity: Math.max(1, quantity - 1), order_id,", bug: 'a release forgets a piece of a line' },
  { file: INVENTORY, find: "if (known?.status === 'committed') return undefined;", replace: "if (known?.status === 'held') return undefined;", bug: 'goods that have left stay on the books' },
  { file: INVENTORY, find: "from: 'reserved', to: 'outside:customer' });", replace: "from: 'available', to: 'outside:customer' });", bug: 'goods leave from what others may still buy' },
  { file: INVENTORY, find: "if (known.status !== 'held') return { reservation: { ...known, released_at: now }, answer };", replace: "if (known.status === 'held') return { reservation: { ...known, released_at: now }, answer };", bug: 'a cancelled order keeps its goods' },
  { file: HAND, find: "postLine(document, { sku, quantity, account: 'available' }, 'outside:supplier', stock);", replace: "postLine(document, { sku, quantity: quantity + 1, account: 'available' }, 'outside:supplier', stock);", bug: 'a receipt counts one too many' },
  { file: HAND, find: ": { from: account, to: 'outside:shrink' as const };", replace: ": { from: source, to: account };", bug: 'what is taken away is put there instead' },
  { file: 'src/inventory/domain.ts', find: 'const reserved = now.reserved - found.reserved;', replace: 'const reserved = Math.max(0, now.reserved - found.reserved);', bug: 'reserved goods are never fewer in the table' },
  // Payments
  { file: PAYMENTS, find: "refunded: payment.refunded + (kind === 'refund' ? amount : 0),", replace: "refunded: payment.refunded + (kind === 'void' ? amount : 0),", bug: 'what was voided is told as refunded' },
  { file: PAYMENTS, find: "const begin: Beginning = { kind: 'capture', amount: payment.held, command_id", replace: "const begin: Beginning = { kind: 'capture', amount: payment.held - 1, command_id", bug: 'a penny is never captured' },
  { file: PAYMENTS, find: "const kind = payment.held > 0 ? 'void'", replace: "const kind = payment.held < 0 ? 'void'", bug: 'an authorisation is not given up when the order is cancelled' },
  { file: PAYMENTS, find: "moved(idle, declined ? 'declined' : 'failed', now)", replace: "moved(idle, declined ? 'failed' : 'declined', now)", bug: 'a declined card is taken for a provider that is away' },
  { file: PAYMENTS, find: "...moved(payment, REACHED[kind], now),\n    ...balances,", replace: '...moved(payment, REACHED[kind], now),', bug: 'the ledger moves, the balances do not' },
  // Orders
  { file: MONEY, find: 'return captured - external - refunded - refundingOf(order.journey);', replace: 'return captured - external - refundingOf(order.journey);', bug: 'the same money can be given back twice' },
  { file: MONEY, find: "case 'settled':\n      return { ...nothing, captured: total };", replace: "case 'settled':\n      return { ...nothing, held: total };", bug: 'money that was taken is believed to be held' },
  { file: PLAN, find: 'isAsked(order) ? Math.max(0, moneyOf(order).held - Math.max(0, total - net(order))) : 0;', replace: '0;', bug: 'what a cancelled piece would have cost stays held' },
  { file: PLAN, find: '(larger.get(line.line_id)?.quantity ?? 0) < line.quantity)', replace: '(larger.get(line.line_id)?.quantity ?? 0) > line.quantity)', bug: 'a change asks for the smaller number first' },
  { file: 'src/orders/domain-place.ts', find: 'const amount = unit * quantity;', replace: 'const amount = unit * Math.min(quantity, 2);', bug: 'a third piece is for nothing' },
  { file: 'src/orders/domain-refunds.ts', find: '  if (amount > refundable) {', replace: '  if (amount > refundable + 500) {', bug: 'more is given back than was taken' },
  { file: 'src/orders/domain-status.ts', find: "    case 'shipped':\n    case 'delivered':\n      return { status: at, status_reason: null };", replace: "    case 'shipped':\n    case 'delivered':\n      return { status: 'shipped', status_reason: null };", bug: 'nothing ever arrives' },
  // Messages
  { file: 'src/messaging/idempotency.ts', find: 'i.scope = row.scope and i.key = row.key`', replace: 'i.scope = row.scope and i.key = row.scope`', bug: 'an answer that was kept is not found again' },
  { file: 'src/edge/http.ts', find: '.code(isPreview ? 200 : status)', replace: '.code(200 + (status - 200) * 0)', bug: 'what was made is answered like what was only looked at' },
];
