/**
 * What people ask of one order: loaded and locked, decided by the domain, saved and said; or, dry, only decided.
 */
import type { Reader } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Unit } from '../messaging/mailbox.ts';
import { request } from './domain.ts';
import { type EditAsked, cancelLines, edit } from './domain-edit.ts';
import type { Order, Request, Step } from './domain-order.ts';
import { sameTarget, toAuthorize } from './domain-revision-plan.ts';
import * as store from './store.ts';
import { findProducts } from './store-catalogue.ts';
import { findOrder, follow, idOf, notFound, rulesOf, save, trackOf } from './use-cases.ts';
import type { PlacingDesk } from './use-cases-place.ts';

/** Something asked of an order. */
export interface Asked {
  readonly order: string;
  readonly expected_version?: number | undefined;
  /** Skus whose prices are needed to decide. */
  readonly skus?: readonly string[] | undefined;
  /** The request, once the order and the products are known; undefined: there is nothing to do. */
  decide(order: Order, rules: Deciding): Request | Refusal | undefined;
}

export interface Deciding extends Pick<PlacingDesk, 'defaultToken' | 'taxes'> {
  readonly catalogue: Awaited<ReturnType<typeof findProducts>>;
  readonly id: PlacingDesk['world']['id'];
}

/** Does it; answers the order as it is then. Throws the domain's Refusal. */
export async function ask(unit: Unit, desk: PlacingDesk, asked: Asked): Promise<Order> {
  const [bare] = await store.lock(unit.tx, [await idOf(unit.tx, asked.order)]);
  const [order] = await store.withLines(unit.tx, bare === undefined ? [] : [bare]);
  if (order === undefined) throw notFound(asked.order);
  const track = trackOf(order);
  const step = stepOf(desk, order, asked, await deciding(unit.tx, desk, asked), unit.now).step;
  if (step !== undefined) follow(track, step);
  await save(unit, desk, [track]);
  return track.order;
}

/** What would come of it. */
export interface Outcome {
  readonly before: Order;
  readonly asked: Request | undefined;
  /** Undefined when nothing changes. */
  readonly step: Step | undefined;
}

/** Does it not, and answers what would come of it. */
export async function rehearse(reader: Reader, desk: PlacingDesk, asked: Asked): Promise<Outcome> {
  const before = await findOrder(reader, asked.order);
  return { before, ...stepOf(desk, before, asked, await deciding(reader, desk, asked), desk.mailbox.world.now()) };
}

async function deciding(reader: Reader, { defaultToken, taxes, world }: PlacingDesk, { skus = [] }: Asked): Promise<Deciding> {
  return { defaultToken, taxes, id: world.id, catalogue: await findProducts(reader, new Set(skus)) };
}

function stepOf(desk: PlacingDesk, order: Order, asked: Asked, rules: Deciding, now: number): Pick<Outcome, 'asked' | 'step'> {
  if (asked.expected_version !== undefined && asked.expected_version !== order.version) {
    const rule = `the order has version ${order.version}`;
    throw new Refusal('version_mismatch', `order ${order.number} has changed: ${rule}`, [{ field: 'expected_version', rule }]);
  }
  const wanted = asked.decide(order, rules);
  if (wanted instanceof Refusal) throw wanted;
  if (wanted === undefined) return { asked: undefined, step: undefined };
  const step = request(order, wanted, rulesOf(desk, now));
  if (step instanceof Refusal) throw step;
  return { asked: wanted, step };
}

type Who = Pick<Request, 'operation' | 'client'>;

/** What a person wants changed, as a request. */
export const editing =
  (asked: EditAsked, who: Who) =>
  (order: Order, rules: Deciding): Request | Refusal => {
    const change = edit(order, asked, rules);
    return change instanceof Refusal ? change : { type: 'revise', change, ...who };
  };

/** Pieces are cancelled; all there are of an order of which nothing is leaving: so is the order. */
export const cancellingLines =
  (asked: Parameters<typeof cancelLines>[1], who: Who) =>
  (order: Order, rules: Deciding): Request | Refusal => {
    const change = cancelLines(order, asked, rules);
    if (!(change instanceof Refusal)) return { type: 'revise', change, ...who };
    return change.code === 'order_state' ? { type: 'cancel', reason: asked.reason, ...who } : change;
  };

/** What is missing of the money is to be authorised with another token. */
export const authorizing =
  (token: string, who: Who) =>
  (order: Order): Request | Refusal =>
    toAuthorize(order, order.total) === 0
      ? new Refusal('order_state', `nothing is missing of the money for order ${order.number}`)
      : { type: 'revise', change: { kind: 'payment', target: sameTarget(order), token }, ...who };
