/**
 * Placing: N orders in one transaction, with the same number of statements whatever N and their lines.
 *
 * A catalogue copy may lag behind its owner. When it makes an order look wrong the owner is asked, between two transactions, and the
 * order is tried once more; in the ordinary case the copy is right and nobody is asked.
 */
import { hash } from 'node:crypto';
import { Refusal, type ErrorCode } from '../kernel/errors.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { gather } from '../messaging/gather.ts';
import { onceEach, onceOf } from '../messaging/idempotency.ts';
import type { RequestContext } from '../messaging/service.ts';
import type { Charge } from './domain-charges.ts';
import type { Order, Step } from './domain-order.ts';
import { type CatalogueItem, type PlaceOrder, type PricedOrder, type Shop, orderNumber, place, price } from './domain-place.ts';
import * as store from './store.ts';
import { findProducts, learnProducts } from './store-catalogue.ts';
import { type Desk, record, rulesOf, setDeadlines } from './use-cases.ts';
import { type OrderView, viewOf } from './view.ts';

/**
 * Asks the owner of the catalogue, between transactions, when the copy is in doubt. Skus there are no products of are left out;
 * undefined: the owner does not answer.
 */
export type AskCatalogue = (skus: readonly string[]) => Promise<readonly CatalogueItem[] | undefined>;

export interface PlacingDesk extends Desk, Omit<Shop, 'catalogue' | 'taxes'> {
  readonly mailbox: Mailbox;
  readonly catalogue: AskCatalogue;
}

export interface Placement {
  readonly input: PlaceOrder;
  readonly context: RequestContext;
}

const DOUBTFUL: ReadonlySet<ErrorCode> = new Set(['unknown_sku', 'product_archived', 'no_price']);

/** A function that places an order and answers it once it is durable. Throws its Refusal. */
export function placing(desk: PlacingDesk): (placement: Placement) => Promise<OrderView> {
  const placeOne = gather<Placement, OrderView>(desk.mailbox, (unit, placements) => placeMany(unit, desk, placements));
  return (placement) => onceKnown(desk, skusOf([placement]), () => placeOne(placement));
}

/** Does what needs these products. Where the copy of the catalogue makes it look wrong its owner is asked, and it is done once more. */
export async function onceKnown<T>(desk: PlacingDesk, skus: ReadonlySet<string>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal && DOUBTFUL.has(error.code))) throw error;
    const items = await desk.catalogue([...skus]);
    // What the copy does know was said by the owner: there it may speak for it. What it does not know may exist all the same.
    if (items === undefined && error.code === 'unknown_sku') throw unanswered(error);
    if (items === undefined || items.length === 0) throw error;
    await desk.mailbox.write(({ tx }) => learnProducts(tx, items));
    return work();
  }
}

/** What placing would come to: nothing is written, no number is taken. */
export async function previewPlacing(desk: PlacingDesk, { input, context }: Placement): Promise<Step> {
  const { read } = desk.mailbox.db;
  return onceKnown(desk, skusOf([{ input, context }]), async () => {
    const priced = price(input, { ...desk, catalogue: await findProducts(read, skusOf([{ input, context }])) });
    if (priced instanceof Refusal) throw priced;
    const now = desk.mailbox.world.now();
    const { client, operation } = context;
    return place(priced, { number: orderNumber(new Date(now).getUTCFullYear(), 0), client, operation }, rulesOf(desk, now));
  });
}

const unanswered = ({ errors }: Refusal): Refusal =>
  new Refusal(
    'catalogue_away',
    'not all of the products are known here, and the service that keeps them does not answer',
    errors.map(({ field }) => ({ field, rule: 'is not known here at the moment' })),
  );

const skusOf = (placements: readonly Placement[]): Set<string> => new Set(placements.flatMap(({ input }) => input.lines.map(({ sku }) => sku)));

/** Places a set of orders, each at most once for its idempotency key and its external_id. */
export const placeMany = (unit: Unit, desk: PlacingDesk, placements: readonly Placement[]): Promise<(OrderView | Refusal)[]> =>
  onceEach(
    unit,
    placements,
    ({ context }) => onceOf(context, 'POST /v1/orders'),
    (fresh) => placeFresh(unit, desk, fresh),
  );

/** What becomes of one placement: refused, a new order, or the order that has its external_id already. */
type Fate = Refusal | Step | 'taken';

async function placeFresh(unit: Unit, desk: PlacingDesk, placements: readonly Placement[]): Promise<(OrderView | Refusal)[]> {
  const externals = placements.map(externalOf);
  const fates = await numbered(unit, desk, placements, await decide(unit, desk, placements, externals));
  const born = fates.flatMap((fate, i) => {
    if (!isStep(fate)) return [];
    return [{ order: fate.order, requestHash: externals[i]?.request_hash ?? null, step: fate, traceparent: placements[i]!.context.traceparent }];
  });
  const stored = await store.insertNew(unit.tx, born);
  const settled = born.filter(({ order }) => stored.has(order.id));
  await record(
    unit,
    settled.map(({ order, step, traceparent }) => ({ order_id: order.id, step, traceparent })),
  );
  await setDeadlines(
    unit,
    settled.map(({ order }) => order),
  );
  countPlaced(unit, desk, settled);
  const isTaken = (fate: Fate): boolean => fate === 'taken' || (isStep(fate) && !stored.has(fate.order.id));
  const others = await takenBy(
    unit,
    externals.flatMap((external, i) => (external !== undefined && isTaken(fates[i]!) ? [external] : [])),
  );
  return fates.map((fate, i) => {
    if (isTaken(fate)) return others.get(externals[i]!)!;
    return isStep(fate) ? viewOf(fate.order) : (fate as Refusal);
  });
}

const isStep = (fate: Fate | PricedOrder): fate is Step => typeof fate === 'object' && 'entry' in fate;

/** Everything that can be decided before numbers are given out, so that none is given out for a refusal. */
async function decide(
  { tx }: Unit,
  desk: PlacingDesk,
  placements: readonly Placement[],
  externals: readonly (External | undefined)[],
): Promise<(Refusal | PricedOrder | 'taken')[]> {
  const { policies, defaultToken, taxes } = desk;
  const shop: Shop = { catalogue: await findProducts(tx, skusOf(placements)), policies, defaultToken, taxes };
  const taken = new Set((await store.findExternal(tx, uniqueOf(externals))).map(nameOf));
  return placements.map(({ input }, i) => {
    const external = externals[i];
    if (external !== undefined && taken.has(nameOf(external))) return 'taken';
    const priced = price(input, shop);
    if (external !== undefined && !(priced instanceof Refusal)) taken.add(nameOf(external));
    return priced;
  });
}

/** Gives each priced order its number, in one statement, and lets it set out. */
async function numbered(
  { tx, now }: Unit,
  desk: PlacingDesk,
  placements: readonly Placement[],
  decided: readonly (Refusal | PricedOrder | 'taken')[],
): Promise<Fate[]> {
  const isPriced = (one: Refusal | PricedOrder | 'taken'): one is PricedOrder => one !== 'taken' && !(one instanceof Refusal);
  const year = new Date(now).getUTCFullYear();
  const rules = rulesOf(desk, now);
  let count = await store.takeNumbers(tx, year, decided.filter(isPriced).length);
  return decided.map((one, i) => {
    if (!isPriced(one)) return one;
    const { client, operation } = placements[i]!.context;
    return place(one, { number: orderNumber(year, count++), client, operation }, rules);
  });
}

interface External extends store.ExternalId {
  readonly request_hash: string;
}

function externalOf({ input, context }: Placement): External | undefined {
  if (input.external_id === undefined) return undefined;
  return { client: context.client, external_id: input.external_id, request_hash: hashOf(input) };
}

const nameOf = ({ client, external_id }: store.ExternalId): string => `${client}\n${external_id}`;

const uniqueOf = (externals: readonly (External | undefined)[]): External[] => [
  ...new Map(externals.flatMap((one) => (one === undefined ? [] : [[nameOf(one), one] as const]))).values(),
];

/** What a client asked for, as one text whatever the order of its fields. */
const hashOf = ({ customer, currency, lines, charges = [], ship_to = {}, policy, payment, allocation, draft }: PlaceOrder): string => {
  const ofCharge = ({ code, amount, name, kind, rate_ppm, included }: Omit<Charge, 'line_id'>): unknown[] =>
    // As it was written before there was more to a charge, so that a request of then is known again.
    kind === undefined && rate_ppm === undefined && included === undefined ? [code, amount, name] : [code, amount, name, kind, rate_ppm, included];
  const more = [allocation === undefined ? [] : Object.entries(allocation).toSorted(([a], [b]) => (a < b ? -1 : 1)), draft === true];
  return hash(
    'sha256',
    JSON.stringify([
      [customer.id, customer.name, customer.email, currency, policy, payment?.token, ...(customer.locale === undefined ? [] : [customer.locale])],
      lines.map(({ sku, quantity, unit_price, charges: on }) => [sku, quantity, unit_price, ...(on === undefined ? [] : [on.map(ofCharge)])]),
      charges.map(ofCharge),
      Object.entries(ship_to).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ...(allocation === undefined && draft !== true ? [] : more),
    ]),
  );
};

/** For external_ids that have an order: that order when the request is the same, else a refusal. */
async function takenBy({ tx }: Unit, externals: readonly External[]): Promise<Map<External, OrderView | Refusal>> {
  const rows = new Map((await store.findExternal(tx, uniqueOf(externals))).map((row) => [nameOf(row), row]));
  const orders = new Map((await store.find(tx, [...new Set(Array.from(rows.values(), ({ id }) => id))])).map((order) => [order.id, order]));
  return new Map(
    externals.map((external): [External, OrderView | Refusal] => {
      const { id, request_hash } = rows.get(nameOf(external))!;
      if (request_hash === external.request_hash) return [external, viewOf(orders.get(id)!)];
      const rule = `is the external_id of ${id}`;
      const message = `another order has the external_id "${external.external_id}"`;
      return [external, new Refusal('external_id_reused', message, [{ field: 'external_id', rule }])];
    }),
  );
}

function countPlaced({ tx }: Unit, { telemetry }: Desk, placed: readonly { readonly order: Order }[]): void {
  const byPolicy = new Map<string, number>();
  for (const { order } of placed) byPolicy.set(order.policy, (byPolicy.get(order.policy) ?? 0) + 1);
  tx.afterCommit(() => {
    for (const [policy, count] of byPolicy) telemetry.metrics.ordersPlaced.inc({ policy }, count);
    const drafts = placed.filter(({ order }) => order.journey.at === 'draft').length;
    if (placed.length > drafts) telemetry.metrics.orderTransitions.inc({ status: 'pending' }, placed.length - drafts);
    if (drafts > 0) telemetry.metrics.orderTransitions.inc({ status: 'draft' }, drafts);
  });
}
