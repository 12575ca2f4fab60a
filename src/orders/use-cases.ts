/**
 * What is done with orders: placed in sets, moved on by messages in sets, cancelled and resumed one by one. Each loads, asks the domain,
 * saves and says, in the one transaction it is given.
 */
import type { Message } from '../contracts/envelope.ts';
import type { Reader } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { traceIds } from '../kernel/tracing.ts';
import type { Unit } from '../messaging/mailbox.ts';
import { advance, mayNeedLines } from './domain.ts';
import type { TaxProvider } from './domain-charges.ts';
import type { Order, OrderStatus, Reply, Rules, Says, Step } from './domain-order.ts';
import { statusOf, timerOf } from './domain-status.ts';
import type { Deadlines } from './domain-waybill.ts';
import * as store from './store.ts';

export interface Desk {
  readonly deadlines: Deadlines;
  readonly telemetry: Telemetry;
  readonly taxes: TaxProvider;
  /** Mints ids. */
  readonly world: Pick<World, 'id'>;
}

export const rulesOf = ({ deadlines, taxes, world }: Desk, now: number): Rules => ({ now, deadlines, taxes, id: world.id });

/** An order on its way through a batch: as it was loaded, and the steps it has made since. */
export interface Track {
  readonly loaded: Order;
  order: Order;
  /** Has its timer gone off in this batch? */
  reminded: boolean;
  readonly steps: { readonly step: Step; readonly cause?: Message | undefined }[];
}

/** Moves the orders the messages are about; several messages about one order work in sequence. Seven statements at most, whatever the number; three more when some are rewritten. */
export async function advanceMany(unit: Unit, desk: Desk, messages: readonly Reply[]): Promise<void> {
  const byOrder = Map.groupBy(messages, orderIdOf);
  const tracks = await loadTracks(unit, byOrder);
  const rules = rulesOf(desk, unit.now);
  for (const message of messages) {
    const track = tracks.get(orderIdOf(message));
    if (track === undefined) {
      // Dead letters of conversations that are not about an order are none of this room's business.
      if (message.type !== 'message.dead_lettered')
        desk.telemetry.log.warn(
          { type: message.type, order_id: orderIdOf(message), message_id: message.id, ...traceIds(message.traceparent) },
          'a message about an order nobody knows',
        );
      continue;
    }
    if (message.type === 'order.check_deadline') track.reminded = true;
    const step = advance(track.order, message, rules);
    if (step !== undefined) follow(track, step, message);
  }
  await save(unit, desk, [...tracks.values()]);
}

const orderIdOf = (message: Reply): string => (message.type === 'message.dead_lettered' ? message.correlationid : message.data.order_id);

async function loadTracks({ tx }: Unit, byOrder: ReadonlyMap<string, readonly Reply[]>): Promise<Map<string, Track>> {
  const bare = await store.lock(tx, [...byOrder.keys()]);
  const needy = bare.filter((order) => mayNeedLines(order, byOrder.get(order.id)!));
  const full = new Map((await store.withLines(tx, needy)).map((order) => [order.id, order]));
  return new Map(bare.map((order) => [order.id, trackOf(full.get(order.id) ?? order)]));
}

export const trackOf = (order: Order): Track => ({ loaded: order, order, reminded: false, steps: [] });

export function follow(track: Track, step: Step, cause?: Message): void {
  track.order = step.order;
  track.steps.push({ step, cause });
}

/** Saves the tracks that have moved, and says what they said. */
export async function save(unit: Unit, desk: Desk, tracks: readonly Track[]): Promise<void> {
  const moved = tracks.filter(({ steps }) => steps.length > 0);
  await store.saveMoved(
    unit.tx,
    moved.map(({ order, loaded }) => ({ order, loaded: loaded.version })),
  );
  await store.rewrite(
    unit.tx,
    moved.filter(isRewritten).map(({ order }) => order),
  );
  await record(
    unit,
    moved.flatMap(({ loaded, steps }) => steps.map(({ step, cause }) => ({ order_id: loaded.id, step, cause }))),
  );
  await keepTimers(unit, tracks);
  countTransitions(unit, desk, moved);
}

/** Has anything changed that an order on its ordinary way keeps as it was placed? */
const isRewritten = ({ loaded, order }: Track): boolean =>
  order.lines !== loaded.lines || order.charges !== loaded.charges || order.ship_to !== loaded.ship_to || order.customer !== loaded.customer;

/**
 * A timer reminds an order of its deadline; it may come early and never late. So it is left alone when the order goes on to a state whose
 * deadline is later (it spares two of three timers on the ordinary way), and one that comes early is set again.
 */
async function keepTimers(unit: Unit, tracks: readonly Track[]): Promise<void> {
  const set: Order[] = [];
  const cancel: string[] = [];
  for (const { loaded, order, reminded } of tracks) {
    const before = reminded ? undefined : timerOf(loaded);
    const after = timerOf(order);
    if (after !== undefined && (before === undefined || after.dueAt < before.dueAt)) set.push(order);
    if (after === undefined && before !== undefined) cancel.push(timerKey(order));
  }
  await setDeadlines(unit, set);
  await unit.cancelTimers(cancel);
}

const timerKey = ({ id }: Order): string => `deadline:${id}`;

/** Sets the timers of orders that have one. */
export const setDeadlines = (unit: Unit, orders: readonly Order[]): Promise<void> =>
  unit.setTimers(
    orders.flatMap((order) => {
      const timer = timerOf(order);
      if (timer === undefined) return [];
      return [{ key: timerKey(order), dueAt: timer.dueAt, saying: { type: 'order.check_deadline', subject: order.id, data: timer.data } }];
    }),
  );

/** A step, and what led to it: a message, or a request with its span. */
interface Recorded {
  readonly order_id: string;
  readonly step: Step;
  readonly cause?: Message | undefined;
  readonly traceparent?: string | undefined;
}

/** Writes steps into timelines and says what they say. */
export async function record(unit: Unit, steps: readonly Recorded[]): Promise<void> {
  await store.insertTimeline(
    unit.tx,
    steps.map(({ order_id, step }) => ({ order_id, entry: step.entry })),
  );
  for (const recorded of steps) unit.say(recorded.step.says.map((saying) => sayingOf(saying, recorded)));
}

const sayingOf = (saying: Says, { order_id, cause, traceparent }: Recorded) => ({
  ...saying,
  subject: order_id,
  ...(cause === undefined ? {} : { cause }),
  ...(traceparent === undefined ? {} : { traceparent }),
});

function countTransitions({ tx, now }: Unit, { telemetry }: Desk, moved: readonly Track[]): void {
  const reached: { status: OrderStatus; seconds: number }[] = [];
  for (const { loaded, steps } of moved) {
    let { status } = statusOf(loaded.journey);
    for (const { step } of steps) {
      if (step.entry.status !== status) reached.push({ status: step.entry.status, seconds: Math.max(0, now - loaded.created_at) / 1_000 });
      status = step.entry.status;
    }
  }
  tx.afterCommit(() => {
    const { orderTransitions, orderJourney } = telemetry.metrics;
    for (const { status, seconds } of reached) {
      orderTransitions.inc({ status });
      orderJourney.observe({ status }, seconds);
    }
  });
}

/** The order with this id or number. */
export async function findOrder(reader: Reader, idOrNumber: string): Promise<Order> {
  const [order] = await store.find(reader, [await idOf(reader, idOrNumber)]);
  return order ?? Promise.reject(notFound(idOrNumber));
}

export async function idOf(reader: Reader, idOrNumber: string): Promise<string> {
  if (idOrNumber.startsWith('ord_')) return idOrNumber;
  return (await store.idOfNumber(reader, idOrNumber)) ?? Promise.reject(notFound(idOrNumber));
}

export const notFound = (idOrNumber: string): Refusal => new Refusal('order_not_found', `there is no order "${idOrNumber}"`);
