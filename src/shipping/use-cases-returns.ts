/** Returns: asked for, decided on, received, taken back by stock. */
import { Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Reader } from '../db/database.ts';
import type { Saying, Unit } from '../messaging/mailbox.ts';
import type { AnyMessage } from '../messaging/service.ts';
import {
  type Receipt,
  type Return,
  type ReturnStep,
  type Returnable,
  type Wish,
  receive,
  request,
  returnables,
  takenBack,
} from './domain-returns.ts';
import { lockShipments, readShipments, shipmentsOfOrders } from './store.ts';
import { findWarehouse } from './store-labels.ts';
import { lockReturns, returnsOfOrder, saveReturns } from './store-returns.ts';
import { type Act, record, refuseOtherVersion } from './use-cases.ts';

/** Somebody wants to send goods back. The lock on the order's shipments keeps two requests from taking the same pieces. */
export async function requestReturn(unit: Unit, world: World, wish: Wish, act: Act): Promise<Return> {
  const { tx, now } = unit;
  const shipments = await lockShipments(
    tx,
    (await shipmentsOfOrders(tx, [wish.order_id])).map(({ id }) => id),
  );
  const returns = await returnsOfOrder(tx, wish.order_id);
  const step = request(wish, { shipments, returns }, { id: world.id('rtn'), now });
  if (step instanceof Refusal) throw step;
  return keep(unit, undefined, step, act);
}

/** What may still be returned of an order. */
export async function returnableOf(read: Reader, orderId: string): Promise<Returnable[]> {
  const ids = (await shipmentsOfOrders(read, [orderId])).map(({ id }) => id);
  return returnables(await readShipments(read, ids), await returnsOfOrder(read, orderId));
}

/** What somebody decides about a return, e.g. `approve`. Throws the Refusal of the domain. */
export async function changeReturn(unit: Unit, id: string, act: Act, decide: (back: Return, now: number) => ReturnStep | Refusal): Promise<Return> {
  const [back] = await lockReturns(unit.tx, [id]);
  if (back === undefined) throw new Refusal('return_not_found', `there is no return ${id}`);
  refuseOtherVersion(`return ${back.number}`, back.version, act.expected_version);
  const step = decide(back, unit.now);
  if (step instanceof Refusal) throw step;
  return keep(unit, back, step, act);
}

/** Goods came back: to the warehouse named, or where they were expected. */
export async function receiveReturn(unit: Unit, id: string, { lines, ...where }: Received, act: Act): Promise<Return> {
  const [expected] = await lockReturns(unit.tx, [id]);
  const warehouse_id = where.warehouse_id ?? expected?.warehouse_id ?? '';
  const known = await findWarehouse(unit.tx, warehouse_id);
  return changeReturn(unit, id, act, (back, now) => {
    const refuse = (code: 'warehouse_not_found' | 'warehouse_archived', rule: string): Refusal =>
      new Refusal(code, `warehouse ${warehouse_id} ${rule}`, [{ field: 'warehouse_id', rule }]);
    // Of the warehouse it left from this room may not have heard, when that was before there was a copy.
    if (known === undefined && warehouse_id !== back.warehouse_id) return refuse('warehouse_not_found', 'names no warehouse');
    if (known?.archived === true) return refuse('warehouse_archived', 'is archived');
    return receive(back, { warehouse_id, lines }, now);
  });
}
type Received = Pick<Receipt, 'lines'> & { readonly warehouse_id?: string | undefined };

/** Stock has taken goods back. */
export async function heedTakenBack(unit: Unit, messages: readonly AnyMessage<'stock.taken_back'>[]): Promise<void> {
  const { tx, now } = unit;
  const known = new Map((await lockReturns(tx, messages.map(({ data }) => data.return_id))).map((back) => [back.id, back])); // oxfmt-ignore
  const changed = new Map<string, Return>();
  const sayings: Saying[] = [];
  for (const message of messages) {
    const { return_id } = message.data;
    const step = takenBack(changed.get(return_id) ?? known.get(return_id), return_id, now);
    if (step === undefined) continue;
    changed.set(return_id, step.back);
    sayings.push(...sayingsOf(step, message));
  }
  await saveReturns(tx, [...changed.values()]);
  unit.say(sayings);
}

async function keep(unit: Unit, before: Return | undefined, step: ReturnStep, act: Act): Promise<Return> {
  const { back } = step;
  if (back === before) return back;
  const after = { ...back, version: back.version + 1 };
  if (act.dry_run === true) return after;
  await saveReturns(unit.tx, [back]);
  await record(unit.tx, act, { subject: back.id, version: after.version, at: unit.now });
  unit.say(sayingsOf(step));
  return after;
}

const sayingsOf = ({ back, events, asks }: ReturnStep, cause?: Saying['cause']): Saying[] => {
  const envelope = { subject: back.id, correlationid: back.order_id, ...(cause && { cause }) };
  return [
    ...events.map(({ type, data }, i) => ({ ...envelope, type, data, sequence: back.sequence - events.length + i + 1 })),
    ...(asks === undefined ? [] : [{ ...envelope, ...asks }]),
  ];
};
