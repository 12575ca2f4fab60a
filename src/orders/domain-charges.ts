/**
 * What an order costs: its lines, and what is charged on them and on the whole. Amounts are taken as they are given; where one must be
 * divided, it is here, and the parts make the whole again.
 */
import type { Address, Line } from './domain-order.ts';

/** Something paid beside the goods. */
export interface Charge {
  readonly code: string;
  /** Minor units; negative for a discount and for a credit. */
  readonly amount: number;
  readonly name?: string | undefined;
  readonly kind?: ChargeKind | undefined;
  /** On this line; on the whole order without. */
  readonly line_id?: string | undefined;
  /** Parts of a million, as told by whoever computed it. */
  readonly rate_ppm?: number | undefined;
  /** It is part of the prices already, and not to be added to them. */
  readonly included?: boolean | undefined;
  /** What was given, and for how many pieces, once the line has another number of them. */
  readonly given?: { readonly amount: number; readonly quantity: number } | undefined;
}

export const CHARGE_KINDS = ['discount', 'shipping', 'fee', 'tax', 'credit'] as const;
export type ChargeKind = (typeof CHARGE_KINDS)[number];

/** An order as it is to be charged. */
export interface Chargeable {
  readonly currency: string;
  readonly ship_to: Address | null;
  readonly lines: readonly Pick<Line, 'id' | 'sku' | 'quantity' | 'cancelled' | 'unit_price' | 'amount'>[];
  /** For the lines as they were before. */
  readonly charges: readonly Charge[];
  /** How many pieces each line had before. */
  readonly before: ReadonlyMap<string, number>;
}

/** Whoever knows taxes: answers all charges for the order as it is now. Pure; whatever it has to ask for, it has asked before. */
export type TaxProvider = (order: Chargeable) => readonly Charge[];

/** Taxes and discounts as they were given; of a line that has another number of pieces now, in proportion. */
export const asGiven: TaxProvider = ({ lines, charges, before }) => {
  const live = new Map(lines.map((line) => [line.id, liveOf(line)]));
  return charges.map((charge) => {
    const { line_id } = charge;
    const now = line_id === undefined ? undefined : live.get(line_id);
    const given = charge.given ?? { amount: charge.amount, quantity: before.get(line_id ?? '') ?? 0 };
    if (now === undefined || given.quantity === 0 || (charge.given === undefined && now === given.quantity)) return charge;
    return { ...charge, amount: proportion(given.amount, now, given.quantity), given };
  });
};

/** The pieces of a line that are not cancelled. */
export const liveOf = ({ quantity, cancelled }: Pick<Line, 'quantity' | 'cancelled'>): number => quantity - cancelled;

export interface Totals {
  readonly goods_total: number;
  readonly charges_total: number;
  readonly total: number;
}

export function totalsOf(lines: readonly Pick<Line, 'amount'>[], charges: readonly Charge[]): Totals {
  const goods_total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const charges_total = charges.reduce((sum, charge) => sum + (charge.included === true ? 0 : charge.amount), 0);
  return { goods_total, charges_total, total: goods_total + charges_total };
}

/** `amount × part ÷ whole`, rounded half to even: of many such roundings none drifts. */
export function proportion(amount: number, part: number, whole: number): number {
  const dividend = BigInt(amount) * BigInt(part);
  const divisor = BigInt(whole);
  const down = dividend / divisor; // towards zero
  const twice = 2n * (dividend % divisor);
  const size = twice < 0n ? -twice : twice;
  const up = size > divisor || (size === divisor && down % 2n !== 0n);
  return Number(up ? down + (dividend < 0n ? -1n : 1n) : down);
}

/** Divides an amount by weights: each part rounded half to even, what is left over to the heaviest (the first of them). The parts make the whole. */
export function distribute(amount: number, weights: readonly number[]): number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  if (weights.length === 0) return [];
  const parts = weights.map((weight) => (whole === 0 ? 0 : proportion(amount, weight, whole)));
  const heaviest = weights.indexOf(Math.max(...weights));
  parts[heaviest]! += amount - parts.reduce((sum, part) => sum + part, 0);
  return parts;
}

/**
 * What these pieces of an order cost: their price, and their share of what is charged on their lines.
 *
 * `withOrder`: and their share, by price, of what is charged on the whole order.
 */
export function worthOf(
  { lines, charges }: { readonly lines: readonly Line[]; readonly charges: readonly Charge[] },
  pieces: readonly { readonly line_id: string; readonly quantity: number }[],
  { withOrder = false }: { readonly withOrder?: boolean } = {},
): number {
  const shares = withOrder ? orderShares(lines, charges) : new Map<string, number>();
  let sum = 0;
  for (const { line_id, quantity } of pieces) {
    const line = lines.find(({ id }) => id === line_id);
    if (line === undefined || liveOf(line) === 0) continue;
    const onLine = charges.reduce((all, { line_id: on, amount, included }) => all + (on === line_id && included !== true ? amount : 0), 0);
    sum += line.unit_price * quantity + proportion(onLine + (shares.get(line_id) ?? 0), quantity, liveOf(line));
  }
  return sum;
}

/** What is charged on the whole order, credits aside, divided among its lines by their price. */
function orderShares(lines: readonly Line[], charges: readonly Charge[]): Map<string, number> {
  const whole = onOrder(charges);
  const parts = distribute(
    whole,
    lines.map(({ amount }) => amount),
  );
  return new Map(lines.map(({ id }, i) => [id, parts[i]!]));
}

/** What is charged on the order as a whole; a credit is money given back and no part of the price. */
export const onOrder = (charges: readonly Charge[]): number =>
  charges.reduce(
    (sum, { line_id, kind, included, amount }) => sum + (line_id === undefined && kind !== 'credit' && included !== true ? amount : 0),
    0,
  );
