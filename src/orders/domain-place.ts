/**
 * From a request to an order: `price` decides everything that can be refused; `place` gives the priced order its number and lets it set out.
 */
import { type FieldError, Refusal } from '../kernel/errors.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import { draw, setOut } from './domain.ts';
import { type Charge, type TaxProvider, asGiven, totalsOf } from './domain-charges.ts';
import type { Allocation, Customer, Journey, Line, Order, Rules, Step } from './domain-order.ts';
import { DEFAULT_POLICY, type Policies, type Stop } from './domain-waybill.ts';

/** What a client asks for. */
export interface PlaceOrder {
  readonly external_id?: string | undefined;
  readonly customer: Customer;
  readonly currency: string;
  readonly lines: readonly LineAsked[];
  /** On the whole order. */
  readonly charges?: readonly Charge[] | undefined;
  readonly ship_to?: Readonly<Record<string, string>> | undefined;
  readonly policy?: string | undefined;
  readonly payment?: { readonly token: string } | undefined;
  readonly allocation?: Allocation | undefined;
  /** It is to be looked at again before anything is promised. */
  readonly draft?: boolean | undefined;
}

export interface LineAsked {
  readonly sku: string;
  readonly quantity: number;
  readonly unit_price?: number | undefined;
  readonly charges?: readonly Omit<Charge, 'line_id'>[] | undefined;
}

/** A product as this room knows it. */
export interface CatalogueItem {
  readonly sku: string;
  readonly name: string;
  /** Minor units of `currency`. */
  readonly price: number;
  readonly currency: string;
  readonly archived: boolean;
  /** The product's version: of two copies the higher one is the newer. */
  readonly version: number;
}

export interface Shop {
  readonly catalogue: ReadonlyMap<string, CatalogueItem>;
  readonly policies: Policies;
  /** The provider's token for orders that bring none; absent when they must. */
  readonly defaultToken?: string | undefined;
  /** As given, without one. */
  readonly taxes?: TaxProvider | undefined;
}

/** An order that may be placed: all but its number. */
export interface PricedOrder extends Omit<
  Order,
  'id' | 'number' | 'client' | 'journey' | 'sequence' | 'version' | 'created_at' | 'updated_at' | 'lines'
> {
  /** A charge on a line names it by its place among `lines`, for want of an id. */
  readonly charges: readonly Charge[];
  readonly lines: readonly PricedLine[];
  readonly waybill: Policies[string];
  readonly allocation: Allocation | undefined;
  readonly draft: boolean;
}

type PricedLine = Omit<Line, 'id' | 'cancelled'>;

/** Prices an order, or says why it cannot be placed. */
export function price(command: PlaceOrder, { catalogue, policies, defaultToken, taxes = asGiven }: Shop): PricedOrder | Refusal {
  const policy = command.policy ?? DEFAULT_POLICY;
  const waybill = Object.hasOwn(policies, policy) ? policies[policy] : undefined;
  if (waybill === undefined) {
    const names = Object.keys(policies).join(', ');
    return new Refusal('unknown_policy', `there is no policy "${policy}"; there are ${names}`, [{ field: 'policy', rule: `one of ${names}` }]);
  }
  const lines = priceLines(command.lines, command.currency, catalogue);
  if (lines instanceof Refusal) return lines;

  const charges = chargesOf(command, lines, taxes);
  const { goods_total, charges_total, total } = totalsOf(lines, charges);
  if (total < 0 || total > AMOUNT_MAX) {
    const rule = `goods ${goods_total} and charges ${charges_total} must make 0 to ${AMOUNT_MAX}`;
    return new Refusal('amount_out_of_range', `the total of the order would be ${total}`, [{ field: '', rule }]);
  }
  const pays = total > 0 && waybill.includes('payment');
  const draft = command.draft === true;
  const payment_token = pays ? (command.payment?.token ?? defaultToken ?? null) : null;
  if (pays && payment_token === null && !draft) {
    const rule = `required by the policy ${policy}`;
    return new Refusal('payment_token_required', `the policy "${policy}" takes a payment`, [{ field: 'payment.token', rule }]);
  }
  const { customer, currency, external_id = null, ship_to = null, allocation } = command;
  const money = { charges, goods_total, charges_total, total, payment_token };
  return { external_id, customer, currency, ...money, policy, ship_to, lines, waybill, allocation, draft };
}

function chargesOf(
  { lines: asked, charges = [], currency, ship_to }: PlaceOrder,
  priced: readonly PricedLine[],
  taxes: TaxProvider,
): readonly Charge[] {
  const places = asked.map((_, i) => ({ id: String(i) }));
  const given = asked.some((line) => line.charges !== undefined) ? [...charges, ...chargesOfLines(places, asked)] : charges;
  if (taxes === asGiven) return given; // nothing has changed that they were given for
  const lines = priced.map((line, i) => ({ ...line, ...places[i]!, cancelled: 0 }));
  return taxes({ currency, ship_to: ship_to ?? null, lines, charges: given, before: new Map(lines.map((line) => [line.id, line.quantity])) });
}

/** Prices lines that stand in the field `field` of a request. */
export function priceLines(
  lines: readonly LineAsked[],
  currency: string,
  catalogue: Shop['catalogue'],
  field: 'lines' | 'add_lines' = 'lines',
): PricedLine[] | Refusal {
  const priced: PricedLine[] = [];
  for (const [i, { sku, quantity, unit_price }] of lines.entries()) {
    const product = catalogue.get(sku);
    // The first line decides the code; the answer names every line with the same fault, so that one correction is enough.
    const refuse = (code: LineFault, isFaulty: (line: LineAsked) => boolean, rule: string): Refusal =>
      refuseLines(code, lines, field, isFaulty, rule);
    if (product === undefined) return refuse('unknown_sku', (line) => !catalogue.has(line.sku), 'must be a sku of the catalogue');
    if (product.archived) return refuse('product_archived', (line) => catalogue.get(line.sku)?.archived === true, 'is archived');
    const unit = unit_price ?? (product.currency === currency ? product.price : undefined);
    if (unit === undefined)
      return refuse(
        'no_price',
        (line) => line.unit_price === undefined && catalogue.get(line.sku)?.currency !== currency,
        `has no price in ${currency}`,
      );
    const amount = unit * quantity;
    if (amount > AMOUNT_MAX)
      return new Refusal('amount_out_of_range', `line ${i} comes to ${amount}`, [
        { field: `${field}.${i}`, rule: `unit_price × quantity is at most ${AMOUNT_MAX}` },
      ]);
    priced.push({ sku, name: product.name, quantity, unit_price: unit, amount });
  }
  return priced;
}

type LineFault = 'unknown_sku' | 'product_archived' | 'no_price';

function refuseLines(code: LineFault, lines: readonly LineAsked[], field: string, isFaulty: (line: LineAsked) => boolean, rule: string): Refusal {
  const errors: FieldError[] = lines.flatMap((line, i) => (isFaulty(line) ? [{ field: `${field}.${i}.sku`, rule: `"${line.sku}" ${rule}` }] : []));
  return new Refusal(code, errors.map((error) => error.rule).join('; '), errors);
}

/** What is charged on these lines, as charges of the order. */
export const chargesOfLines = (lines: readonly Pick<Line, 'id'>[], asked: readonly Pick<LineAsked, 'charges'>[]): Charge[] =>
  lines.flatMap(({ id }, i) => (asked[i]?.charges ?? []).map((charge) => ({ ...charge, line_id: id })));

export interface PlaceContext {
  /** The next number, as people see it. */
  readonly number: string;
  readonly client: string;
  readonly operation?: string | undefined;
}

/** The order and its first step: everything has been decided, nothing can be refused any more. */
export function place(priced: PricedOrder, { number, client, operation }: PlaceContext, rules: Rules): Step {
  const { waybill, draft, allocation, ...rest } = priced;
  const { now, id } = rules;
  const stops = waybill.map((stop): Stop => ({ stop, state: stop === 'payment' && priced.total === 0 ? 'skipped' : 'waiting', since: now }));
  // Not on its way yet: setting out enters the first state.
  const way: Journey = { at: 'reserving', since: now, deadline: null, epoch: 0, stops, confirmed: false, hold: null, reason: null, seen: [] };
  const orderId = id('ord');
  const lines = rest.lines.map((line): Line => ({ id: id('lin'), ...line, cancelled: 0 }));
  const order: Order = {
    ...rest,
    charges: rest.charges.map((charge) => (charge.line_id === undefined ? charge : { ...charge, line_id: lines[Number(charge.line_id)]!.id })),
    id: orderId,
    number,
    client,
    journey: allocation === undefined ? way : { ...way, allocation },
    sequence: 0,
    version: 0,
    created_at: now,
    updated_at: now,
    lines,
  };
  const detail = operation === undefined ? {} : { operation };
  return draft ? draw(order, rules, detail) : setOut(order, rules, detail);
}

/** `2026, 123` → `ORD-2026-000123`. */
export const orderNumber = (year: number, count: number): string => `ORD-${year}-${String(count).padStart(6, '0')}`;
