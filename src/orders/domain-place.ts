/**
 * From a request to an order: `price` decides everything that can be refused; `place` gives the priced order its number and lets it set out.
 */
import { type FieldError, Refusal } from '../kernel/errors.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import type { IdPrefix } from '../kernel/world.ts';
import { setOut } from './domain.ts';
import type { Charge, Customer, Journey, Line, Order, Rules, Step } from './domain-order.ts';
import { DEFAULT_POLICY, type Policies, type Stop } from './domain-waybill.ts';

/** What a client asks for. */
export interface PlaceOrder {
  readonly external_id?: string | undefined;
  readonly customer: Customer;
  readonly currency: string;
  readonly lines: readonly { readonly sku: string; readonly quantity: number; readonly unit_price?: number | undefined }[];
  readonly charges?: readonly Charge[] | undefined;
  readonly ship_to?: Readonly<Record<string, string>> | undefined;
  readonly policy?: string | undefined;
  readonly payment?: { readonly token: string } | undefined;
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
}

/** An order that may be placed: all but its number. */
export interface PricedOrder extends Omit<
  Order,
  'id' | 'number' | 'client' | 'journey' | 'sequence' | 'version' | 'created_at' | 'updated_at' | 'lines'
> {
  readonly lines: readonly Omit<Line, 'id'>[];
  readonly waybill: Policies[string];
}

/** Prices an order, or says why it cannot be placed. */
export function price(command: PlaceOrder, { catalogue, policies, defaultToken }: Shop): PricedOrder | Refusal {
  const policy = command.policy ?? DEFAULT_POLICY;
  const waybill = Object.hasOwn(policies, policy) ? policies[policy] : undefined;
  if (waybill === undefined) {
    const names = Object.keys(policies).join(', ');
    return new Refusal('unknown_policy', `there is no policy "${policy}"; there are ${names}`, [{ field: 'policy', rule: `one of ${names}` }]);
  }
  const lines = priceLines(command, catalogue);
  if (lines instanceof Refusal) return lines;

  const charges = command.charges ?? [];
  const goods_total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const charges_total = charges.reduce((sum, { amount }) => sum + amount, 0);
  const total = goods_total + charges_total;
  if (total < 0 || total > AMOUNT_MAX) {
    const rule = `goods ${goods_total} and charges ${charges_total} must make 0 to ${AMOUNT_MAX}`;
    return new Refusal('amount_out_of_range', `the total of the order would be ${total}`, [{ field: '', rule }]);
  }
  const pays = total > 0 && waybill.includes('payment');
  const payment_token = pays ? (command.payment?.token ?? defaultToken ?? null) : null;
  if (pays && payment_token === null) {
    const rule = `required by the policy ${policy}`;
    return new Refusal('payment_token_required', `the policy "${policy}" takes a payment`, [{ field: 'payment.token', rule }]);
  }
  const { customer, currency, external_id = null, ship_to = null } = command;
  return { external_id, customer, currency, charges, goods_total, charges_total, total, policy, ship_to, payment_token, lines, waybill };
}

function priceLines({ lines, currency }: PlaceOrder, catalogue: Shop['catalogue']): Omit<Line, 'id'>[] | Refusal {
  const priced: Omit<Line, 'id'>[] = [];
  for (const [i, { sku, quantity, unit_price }] of lines.entries()) {
    const product = catalogue.get(sku);
    // The first line decides the code; the answer names every line with the same fault, so that one correction is enough.
    if (product === undefined) return refuseLines('unknown_sku', lines, (line) => !catalogue.has(line.sku), 'must be a sku of the catalogue');
    if (product.archived) return refuseLines('product_archived', lines, (line) => catalogue.get(line.sku)?.archived === true, 'is archived');
    const unit = unit_price ?? (product.currency === currency ? product.price : undefined);
    if (unit === undefined)
      return refuseLines(
        'no_price',
        lines,
        (line) => line.unit_price === undefined && catalogue.get(line.sku)?.currency !== currency,
        `has no price in ${currency}`,
      );
    const amount = unit * quantity;
    if (amount > AMOUNT_MAX)
      return new Refusal('amount_out_of_range', `line ${i} comes to ${amount}`, [
        { field: `lines.${i}`, rule: `unit_price × quantity is at most ${AMOUNT_MAX}` },
      ]);
    priced.push({ sku, name: product.name, quantity, unit_price: unit, amount });
  }
  return priced;
}

function refuseLines(
  code: 'unknown_sku' | 'product_archived' | 'no_price',
  lines: PlaceOrder['lines'],
  isFaulty: (line: PlaceOrder['lines'][number]) => boolean,
  rule: string,
): Refusal {
  const errors: FieldError[] = lines.flatMap((line, i) => (isFaulty(line) ? [{ field: `lines.${i}.sku`, rule: `"${line.sku}" ${rule}` }] : []));
  return new Refusal(code, errors.map((error) => error.rule).join('; '), errors);
}

export interface PlaceContext {
  /** The next number, as people see it. */
  readonly number: string;
  readonly client: string;
  readonly operation?: string | undefined;
  readonly id: (prefix: IdPrefix) => string;
}

/** The order and its first step: everything has been decided, nothing can be refused any more. */
export function place(priced: PricedOrder, { number, client, operation, id }: PlaceContext, rules: Rules): Step {
  const { waybill, lines, ...rest } = priced;
  const { now } = rules;
  const stops = waybill.map((stop): Stop => ({ stop, state: stop === 'payment' && priced.total === 0 ? 'skipped' : 'waiting', since: now }));
  // Not on its way yet: setting out enters the first state.
  const journey: Journey = { at: 'reserving', since: now, deadline: null, epoch: 0, stops, confirmed: false, hold: null, reason: null, seen: [] };
  const order: Order = {
    ...rest,
    id: id('ord'),
    number,
    client,
    journey,
    sequence: 0,
    version: 0,
    created_at: now,
    updated_at: now,
    lines: lines.map((line) => ({ id: id('lin'), ...line })),
  };
  return setOut(order, rules, operation === undefined ? {} : { operation });
}

/** `2026, 123` → `ORD-2026-000123`. */
export const orderNumber = (year: number, count: number): string => `ORD-${year}-${String(count).padStart(6, '0')}`;
