/**
 * From what a person asks to be changed to what the order is to be: everything that can be refused is refused here.
 */
import { type ErrorCode, type FieldError, Refusal } from '../kernel/errors.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import type { IdPrefix } from '../kernel/world.ts';
import { type Charge, type TaxProvider, liveOf } from './domain-charges.ts';
import { sumPieces } from './domain-money.ts';
import { type Customer, type Line, type Order, linesOf, stateOfStop } from './domain-order.ts';
import { type CatalogueItem, type LineAsked, chargesOfLines, priceLines } from './domain-place.ts';
import { type Change, type Target, becoming, sameTarget, toAuthorize, withoutCredits } from './domain-revision-plan.ts';
import { isLeaving } from './domain-shipment-table.ts';

export interface EditAsked {
  readonly lines?: readonly LineEdit[] | undefined;
  readonly add_lines?: readonly LineAsked[] | undefined;
  /** In place of those on the whole order. */
  readonly charges?: readonly Charge[] | undefined;
  readonly ship_to?: Readonly<Record<string, string>> | undefined;
  /** Of a draft only. */
  readonly customer?: Customer | undefined;
  readonly reason?: string | undefined;
  readonly payment?: { readonly token: string } | undefined;
}

export interface LineEdit {
  readonly line_id: string;
  /** How many there are to be; 0: none. */
  readonly quantity?: number | undefined;
  readonly unit_price?: number | undefined;
  /** In place of those on the line. */
  readonly charges?: readonly Omit<Charge, 'line_id'>[] | undefined;
}

export interface EditRules {
  readonly catalogue: ReadonlyMap<string, CatalogueItem>;
  readonly defaultToken?: string | undefined;
  readonly taxes: TaxProvider;
  readonly id: (prefix: IdPrefix) => string;
}

const LINES_MAX = 500;

/** The change that makes an order what is asked. */
export function edit(order: Order, asked: EditAsked, rules: EditRules): Change | Refusal {
  const isDraft = order.journey.at === 'draft';
  if (asked.customer !== undefined && !isDraft)
    return refuse('order_state', `order ${order.number} has been placed: its customer stays`, 'customer', 'can be changed of a draft only');
  const changed = changeLines(order, asked.lines ?? [], isDraft);
  if (changed instanceof Refusal) return changed;
  const added = priceLines(asked.add_lines ?? [], order.currency, rules.catalogue, 'add_lines');
  if (added instanceof Refusal) return added;
  const fresh = added.map((line): Line => ({ id: rules.id('lin'), cancelled: 0, ...line }));
  const lines = [...changed.filter((line) => !isDraft || line.quantity > 0), ...fresh];
  const target: Target = {
    lines,
    charges: chargesAfter(order, asked, lines, fresh, rules.taxes),
    ship_to: asked.ship_to ?? order.ship_to,
    customer: asked.customer ?? order.customer,
  };
  return checked(order, { kind: 'edit', target, reason: asked.reason, token: asked.payment?.token ?? rules.defaultToken ?? null });
}

/** Fewer pieces: of the lines named, or all that are not on the point of leaving. */
export function cancelLines(
  order: Order,
  { lines, reason }: { readonly lines?: readonly { line_id: string; quantity: number }[] | undefined; readonly reason?: string | undefined },
  { taxes }: Pick<EditRules, 'taxes'>,
): Change | Refusal {
  const leaving = leavingPieces(order);
  const open = (line: Line): number => liveOf(line) - (leaving.get(line.id) ?? 0);
  const wanted = lines ?? linesOf(order).flatMap((line) => (open(line) > 0 ? [{ line_id: line.id, quantity: open(line) }] : []));
  const sums = sumPieces(wanted);
  const edits = [...sums].map(([line_id, quantity]): LineEdit => {
    const line = linesOf(order).find(({ id }) => id === line_id);
    return { line_id, quantity: line === undefined ? 0 : liveOf(line) - quantity };
  });
  const tooMany = edits.find(({ quantity = 0 }) => quantity < 0);
  if (tooMany !== undefined)
    return refuse(
      'line_shipped',
      `line ${tooMany.line_id} of order ${order.number} has fewer pieces than are to be cancelled`,
      'lines',
      'cancels more than there is',
    );
  const changed = changeLines(order, edits, false);
  if (changed instanceof Refusal) return changed;
  const charges = chargesAfter(order, {}, changed, [], taxes);
  return checked(order, { kind: 'cancel_lines', target: { ...sameTarget(order), lines: changed, charges }, reason, token: null });
}

/** Pieces that have left or are on the point of it, by line: these stay. */
function leavingPieces(order: Order): Map<string, number> {
  const { at, shipments } = order.journey;
  if (shipments !== undefined) return sumPieces(shipments.filter(isLeaving).flatMap(({ lines }) => lines));
  const leaves = at === 'capturing' || at === 'dispatching' || at === 'shipped' || at === 'delivered';
  return new Map(leaves ? linesOf(order).map((line) => [line.id, liveOf(line)]) : []);
}

function changeLines(order: Order, edits: readonly LineEdit[], isDraft: boolean): Line[] | Refusal {
  const known = new Map(linesOf(order).map((line) => [line.id, line]));
  const leaving = leavingPieces(order);
  const errors: FieldError[] = [];
  let code: ErrorCode = 'line_not_found';
  const complain = (fault: ErrorCode, i: number, field: string, rule: string): void => {
    code = fault;
    errors.push({ field: `lines.${i}.${field}`, rule });
  };
  const after = new Map(known);
  for (const [i, { line_id, quantity, unit_price }] of edits.entries()) {
    const line = after.get(line_id);
    const gone = leaving.get(line_id) ?? 0;
    if (line === undefined) complain('line_not_found', i, 'line_id', `names no line of order ${order.number}`);
    else if (edits.findIndex((one) => one.line_id === line_id) < i) complain('invalid_request', i, 'line_id', 'is named twice');
    else if (quantity !== undefined && quantity < gone) complain('line_shipped', i, 'quantity', `must be at least ${gone}: so many have left`);
    else if (unit_price !== undefined && unit_price !== line.unit_price && gone > 0)
      complain('line_shipped', i, 'unit_price', 'stays as it was: pieces of the line have left');
    else after.set(line_id, becomeLine(line, quantity ?? liveOf(line), unit_price ?? line.unit_price, isDraft));
  }
  return errors.length > 0 ? new Refusal(code, errors.map(({ field, rule }) => `${field} ${rule}`).join('; '), errors) : [...after.values()];
}

/** More pieces are ordered, fewer are cancelled; of a draft there are just fewer. */
function becomeLine(line: Line, pieces: number, unit_price: number, isDraft: boolean): Line {
  const live = liveOf(line);
  const counts = isDraft
    ? { quantity: pieces, cancelled: 0 }
    : { quantity: line.quantity + Math.max(0, pieces - live), cancelled: line.cancelled + Math.max(0, live - pieces) };
  return { ...line, ...counts, unit_price, amount: unit_price * pieces };
}

function chargesAfter(order: Order, asked: EditAsked, lines: readonly Line[], fresh: readonly Line[], taxes: TaxProvider): readonly Charge[] {
  const given = new Map((asked.lines ?? []).flatMap(({ line_id, charges }) => (charges === undefined ? [] : [[line_id, charges] as const])));
  const there = new Set(lines.map(({ id }) => id));
  const kept = withoutCredits(order.charges).filter(({ line_id }) =>
    line_id === undefined ? asked.charges === undefined : there.has(line_id) && !given.has(line_id),
  );
  const charges = [
    ...kept,
    ...(asked.charges ?? []),
    ...[...given].flatMap(([line_id, ones]) => ones.map((charge) => ({ ...charge, line_id }))),
    ...chargesOfLines(fresh, asked.add_lines ?? []),
  ];
  const before = new Map(linesOf(order).flatMap((line) => (given.has(line.id) ? [] : [[line.id, liveOf(line)] as const])));
  return taxes({ currency: order.currency, ship_to: asked.ship_to ?? order.ship_to, lines, charges, before });
}

/** What can be said of the whole: not too large, not nothing, and somebody pays. */
function checked(order: Order, change: Change): Change | Refusal {
  const { number } = order;
  const { lines } = change.target;
  const { total, goods_total, charges_total } = becoming(order, change.target);
  if (lines.length > LINES_MAX)
    return refuse('invalid_request', `an order has at most ${LINES_MAX} lines`, 'add_lines', `at most ${LINES_MAX} lines in all`);
  if (total < 0 || total > AMOUNT_MAX || lines.some(({ amount }) => amount > AMOUNT_MAX)) {
    const rule = `goods ${goods_total} and charges ${charges_total} must make 0 to ${AMOUNT_MAX}`;
    return refuse('amount_out_of_range', `the total of order ${number} would be ${total}`, '', rule);
  }
  if (lines.every((line) => liveOf(line) === 0))
    return refuse('order_state', `order ${number} would have no pieces left`, 'lines', 'leaves nothing: cancel the order, or discard the draft');
  const isWaiting = stateOfStop(order.journey.stops, 'payment') === 'waiting' && order.journey.at !== 'draft';
  const needed = isWaiting && order.payment_token === null ? total : toAuthorize(order, total);
  if (needed > 0 && change.token === null)
    return refuse(
      'payment_token_required',
      `${needed} more has to be authorised for order ${number}`,
      'payment.token',
      'required: the order costs more',
    );
  return change;
}

const refuse = (code: ErrorCode, message: string, field: string, rule: string): Refusal => new Refusal(code, message, [{ field, rule }]);
