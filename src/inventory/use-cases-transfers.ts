/** What is done with transfers: load, decide, fill the line where goods became free, save and say, in one transaction. */
import { Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Reader } from '../db/database.ts';
import type { Unit } from '../messaging/mailbox.ts';
import { type Stock, stockOf } from './domain.ts';
import { claimsOf } from './domain-claims.ts';
import { filledAnswers } from './domain-decide.ts';
import * as domain from './domain-transfers.ts';
import * as catalogue from './store.ts';
import { lockStockIn } from './store-stock.ts';
import * as store from './store-transfers.ts';
import { type TransferEvent, fillLine, offersIn, saveMoved, sayTransfer } from './use-cases.ts';
import { type Who, expectOpen, expectProducts, refuseLines } from './use-cases-hand.ts';

export interface NewTransfer {
  readonly from_warehouse_id: string;
  readonly to_warehouse_id: string;
  readonly reference?: string | undefined;
  readonly lines: readonly domain.Pieces[];
}

export async function createTransfer(unit: Unit, world: World, { client, operation }: Who, asked: NewTransfer): Promise<domain.Transfer> {
  const { tx, now } = unit;
  const { from_warehouse_id, to_warehouse_id, reference = null, lines } = asked;
  if (from_warehouse_id === to_warehouse_id)
    throw new Refusal('invalid_request', 'a transfer goes from one warehouse to another', [
      { field: 'to_warehouse_id', rule: 'is where the goods are already', remedy: 'name another warehouse' },
    ]);
  refuseLines(lines, ({ sku }, i) => (lines.findIndex((line) => line.sku === sku) < i ? 'stands there twice' : undefined), 'invalid_request');
  await lockOpen(unit, { from_warehouse_id, to_warehouse_id });
  await expectProducts(tx, lines, { archived: true });
  const levels = await lockStockIn(
    tx,
    from_warehouse_id,
    lines.map(({ sku }) => sku),
    now,
  );
  const stock = stockOf(levels);
  const header = { id: world.id('trf'), from_warehouse_id, to_warehouse_id, reference, client, operation: operation ?? null };
  const transfer = domain.plan({ ...header, version: 1, created_at: now, updated_at: now }, lines, stock);
  await store.insertTransfer(tx, transfer);
  await saveMoved(unit, { stock, claims: claimsOf([], []) }, []);
  sayTransfer(unit, 'transfer.created', transfer);
  return transfer;
}

export async function findTransfer(reader: Reader, id: string): Promise<domain.Transfer> {
  return (await store.findTransfer(reader, id)) ?? noTransfer(id);
}

interface Asked {
  readonly lines?: readonly domain.Pieces[] | undefined;
  readonly expected_version?: number | undefined;
}

export const sendTransfer = (unit: Unit, id: string, { lines, expected_version }: Asked): Promise<domain.Transfer> =>
  step(unit, id, 'send', { expected_version, says: 'transfer.sent' }, (transfer, stock) => domain.send(transfer, lines, stock));

export const receiveTransfer = (unit: Unit, id: string, { lines, expected_version }: Asked): Promise<domain.Transfer> =>
  step(unit, id, 'receive', { expected_version, says: 'transfer.received' }, (transfer, stock) => domain.receive(transfer, lines, stock));

export const writeOffTransfer = (unit: Unit, id: string, { lines, expected_version, reason }: Asked & { reason: string }): Promise<domain.Transfer> =>
  step(unit, id, 'write off', { expected_version, says: 'transfer.written_off', reason }, (transfer, stock) =>
    domain.writeOff(transfer, lines, reason, stock),
  );

export const cancelTransfer = (unit: Unit, id: string, { expected_version }: Asked): Promise<domain.Transfer> =>
  step(unit, id, 'cancel', { expected_version, says: 'transfer.cancelled' }, domain.cancel);

interface Told {
  readonly expected_version: number | undefined;
  readonly says: TransferEvent;
  readonly reason?: string;
}

async function step(
  unit: Unit,
  id: string,
  what: domain.TransferStep,
  { expected_version, says, reason }: Told,
  decide: (transfer: domain.Transfer, stock: Stock) => domain.Transfer,
): Promise<domain.Transfer> {
  const { tx, now } = unit;
  const ends = await findTransfer(tx, id);
  // Neither end can have been archived: a transfer that is not over keeps both open. Locked all the same, because warehouses come first.
  await catalogue.lockWarehouses(tx, [ends.from_warehouse_id, ends.to_warehouse_id]);
  const [transfer = noTransfer(id)] = await store.lockTransfers(tx, [id]);
  if (!domain.mayStep(transfer, what, expected_version)) return transfer;
  const at = what === 'receive' ? transfer.to_warehouse_id : transfer.from_warehouse_id;
  const levels = await lockStockIn(
    tx,
    at,
    transfer.lines.map(({ sku }) => sku),
    now,
  );
  const stock = stockOf(levels);
  const next = { ...decide(transfer, stock), version: transfer.version + 1, updated_at: now };
  await store.saveTransfers(tx, [next]);
  const line = await fillLine(unit, stock, offersIn(stock));
  await saveMoved(unit, { stock, ...line }, filledAnswers(line));
  sayTransfer(unit, says, next, reason);
  return next;
}

async function lockOpen({ tx }: Unit, ends: Pick<NewTransfer, 'from_warehouse_id' | 'to_warehouse_id'>): Promise<void> {
  const locked = new Map((await catalogue.lockWarehouses(tx, Object.values(ends))).map((warehouse) => [warehouse.id, warehouse]));
  for (const [field, id] of Object.entries(ends)) expectOpen(id, locked.get(id), field);
}

function noTransfer(id: string): never {
  throw new Refusal('transfer_not_found', `there is no transfer ${id}`);
}
