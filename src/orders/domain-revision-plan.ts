/**
 * What a change of an order comes to, before anything is asked of anybody: pieces, money, shipments. README.md draws how it is carried out.
 */
import { type Charge, type Totals, liveOf, totalsOf } from './domain-charges.ts';
import { moneyOf, refundableOf, refundingOf } from './domain-money.ts';
import { type Address, type Customer, type Line, type Order, type Part, type Pieces, linesOf, piecesOf, stateOfStop } from './domain-order.ts';
import { isAhead } from './domain-shipment-table.ts';

/** What the order is to be. */
export interface Target {
  readonly lines: readonly Line[];
  /** But for credits, which only refunds make. */
  readonly charges: readonly Charge[];
  readonly ship_to: Address | null;
  readonly customer: Customer;
}

/** `payment`: only what is missing of the money; `external_payment`: only what is held too much; `sync`: stock says anew what it holds. */
export type ChangeKind = 'edit' | 'cancel_lines' | 'payment' | 'external_payment' | 'sync';

export interface Change {
  readonly kind: ChangeKind;
  readonly target: Target;
  readonly reason?: string | undefined;
  /** For what has to be authorised beyond what is. Never shown. */
  readonly token: string | null;
}

/** A change that is under way, or waits to be. */
export interface Revision extends Change {
  readonly number: number;
  readonly since: number;
  /** False: it waits for an answer that is under way, or for a shipment to be off the books. */
  readonly begun: boolean;
  readonly raised?: boolean | undefined;
  readonly authorization?: string | undefined;
  readonly top_up?: number | undefined;
  readonly reduction?: number | undefined;
  /** Why it cannot be; then stock is told the old lines again. */
  readonly rejected?: string | undefined;
  /** What stock says that it holds now. */
  readonly parts?: readonly Part[] | undefined;
  readonly queued?: readonly Pieces[] | undefined;
  /** It goes to somebody or somewhere else: no shipment that was prepared can stay. */
  readonly afresh?: boolean | undefined;
  /** Stock has said something in between that may not fit: it is asked once more. */
  readonly resync?: boolean | undefined;
}

const isCredit = ({ kind }: Charge): boolean => kind === 'credit';
export const withoutCredits = (charges: readonly Charge[]): Charge[] => charges.filter((charge) => !isCredit(charge));

export const sameTarget = (order: Order): Target => ({
  lines: linesOf(order),
  charges: withoutCredits(order.charges),
  ship_to: order.ship_to,
  customer: order.customer,
});

/** The charges and totals of an order that becomes `target`. */
export function becoming({ charges }: Pick<Order, 'charges'>, target: Target): Totals & { readonly charges: readonly Charge[] } {
  const all = [...target.charges, ...charges.filter(isCredit)];
  return { charges: all, ...totalsOf(target.lines, all) };
}

/** Of each line the larger number of pieces. */
export function largerOf(before: readonly Pieces[], after: readonly Pieces[]): Pieces[] {
  const larger = new Map(before.map((line) => [line.line_id, line]));
  for (const line of after) if ((larger.get(line.line_id)?.quantity ?? 0) < line.quantity) larger.set(line.line_id, line);
  return [...larger.values()];
}

/** The pieces of `all` that are more than in `than`. */
export function moreThan(all: readonly Pieces[], than: readonly Pieces[]): Pieces[] {
  const there = new Map(than.map(({ line_id, quantity }) => [line_id, quantity]));
  return all.flatMap((line) => {
    const quantity = line.quantity - (there.get(line.line_id) ?? 0);
    return quantity > 0 ? [{ ...line, quantity }] : [];
  });
}

/** Is stock concerned at all: has it promised something? */
export const isPromised = ({ journey }: Order): boolean => {
  const stock = stateOfStop(journey.stops, 'stock');
  return stock === 'done' || stock === 'settled';
};

/** Is money there to be changed: was payment asked, or found unnecessary, already? */
const isAsked = ({ journey }: Order): boolean => {
  const payment = stateOfStop(journey.stops, 'payment');
  return payment === 'done' || payment === 'settled' || payment === 'skipped';
};

const net = (order: Order): number => moneyOf(order).captured - moneyOf(order).refunded - refundingOf(order.journey);

/** What has to be authorised beyond what is, if the total becomes this. */
export const toAuthorize = (order: Order, total: number): number => (isAsked(order) ? Math.max(0, total - net(order) - moneyOf(order).held) : 0);
/** What is held beyond the need. */
export const toReduce = (order: Order, total: number): number =>
  isAsked(order) ? Math.max(0, moneyOf(order).held - Math.max(0, total - net(order))) : 0;
/** What was taken beyond the total, and can be given back by whoever took it. */
export const toRefund = (order: Order, total: number): number => Math.min(Math.max(0, net(order) - total), Math.max(0, refundableOf(order)));

/** What a change comes to, for whoever wants to know beforehand. */
export interface Effects {
  readonly reserve: readonly Pieces[];
  readonly release: readonly Pieces[];
  readonly authorize: number;
  readonly give_up: number;
  readonly refund: number;
  /** Shipments that are recalled and prepared anew; when stock keeps what it can where it is. */
  readonly recall: readonly string[];
}

export function effectsOf(order: Order, { target }: Change): Effects {
  const before = piecesOf(linesOf(order));
  const after = piecesOf(target.lines);
  const { total } = becoming(order, target);
  const release = moreThan(before, after);
  const fewer = new Set(release.map(({ line_id }) => line_id));
  const elsewhere = isElsewhere(order, target);
  const recall = (order.journey.shipments ?? [])
    .filter(
      (shipment) => isAhead(shipment) && shipment.state !== 'planned' && (elsewhere || shipment.lines.some(({ line_id }) => fewer.has(line_id))),
    )
    .map(({ id }) => id);
  return {
    reserve: moreThan(after, before),
    release,
    authorize: toAuthorize(order, total),
    give_up: toReduce(order, total),
    refund: toRefund(order, total),
    recall,
  };
}

/** Does it go to somebody or somewhere else? */
export const isElsewhere = (order: Pick<Order, 'ship_to' | 'customer'>, { ship_to, customer }: Target): boolean =>
  !sameAddress(order.ship_to, ship_to) || order.customer.name !== customer.name || order.customer.id !== customer.id;

export function sameAddress(one: Address | null, other: Address | null): boolean {
  const text = (address: Address | null): string => JSON.stringify(Object.entries(address ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return text(one) === text(other);
}

/** Does the change change nothing? */
export function isIdle(order: Order, { kind, target }: Change): boolean {
  if (kind !== 'edit' && kind !== 'cancel_lines') return false;
  const text = (lines: readonly Line[], charges: readonly Charge[]): string =>
    JSON.stringify([lines.map((line) => [line.id, liveOf(line), line.unit_price]), charges]);
  return text(linesOf(order), withoutCredits(order.charges)) === text(target.lines, target.charges) && !isElsewhere(order, target);
}
