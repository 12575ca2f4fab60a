/**
 * Goods from one warehouse to another: reserved where they leave from, then in the transfer's own book, then where they arrive.
 *
 *   planned ──send──> sent ──receive, write off──> received (nothing is under way any more)
 *      └──cancel──> cancelled
 */
import { Refusal } from '../kernel/errors.ts';
import type { Stock, StockMove } from './domain.ts';

export type TransferStatus = 'planned' | 'sent' | 'received' | 'cancelled';
export const TRANSFER_STATUSES = ['planned', 'sent', 'received', 'cancelled'] as const satisfies readonly TransferStatus[];

export interface TransferLine {
  readonly sku: string;
  readonly quantity: number;
  readonly sent: number;
  readonly received: number;
  readonly written_off: number;
}
export interface Transfer {
  readonly id: string;
  readonly from_warehouse_id: string;
  readonly to_warehouse_id: string;
  readonly status: TransferStatus;
  readonly reference: string | null;
  readonly client: string;
  readonly operation: string | null;
  /** 1, 2, …: how often it was changed, and the sequence of its events. */
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly lines: readonly TransferLine[];
}

/** What is asked of a transfer. */
export type TransferStep = 'send' | 'receive' | 'write off' | 'cancel';
type Verdict = 'go' | 'same' | 'refuse';
// oxfmt-ignore
const TABLE: Readonly<Record<TransferStep, Readonly<Record<TransferStatus, Verdict>>>> = {
  send:        { planned: 'go',     sent: 'same',   received: 'refuse', cancelled: 'refuse' },
  receive:     { planned: 'refuse', sent: 'go',     received: 'refuse', cancelled: 'refuse' },
  'write off': { planned: 'refuse', sent: 'go',     received: 'refuse', cancelled: 'refuse' },
  cancel:      { planned: 'go',     sent: 'refuse', received: 'refuse', cancelled: 'same' },
};

/** Whether a step is to be made; false when it was made before. Throws the Refusals `version_mismatch` and `transfer_state`. */
export function mayStep({ id, status, version }: Transfer, step: TransferStep, expectedVersion: number | undefined): boolean {
  if (expectedVersion !== undefined && expectedVersion !== version)
    throw new Refusal('version_mismatch', `${id} has version ${version}, not ${expectedVersion}`, [
      { field: 'expected_version', rule: `the version is ${version}` },
    ]);
  if (TABLE[step][status] === 'refuse') throw new Refusal('transfer_state', `${id} is ${status}: it cannot be asked to ${step} now`);
  return TABLE[step][status] === 'go';
}

/** Pieces of a sku; where they are to lie when they arrive. */
export interface Pieces {
  readonly sku: string;
  readonly quantity: number;
  readonly account?: 'available' | 'unavailable' | undefined;
}

export const underWay = ({ sent, received, written_off }: TransferLine): number => sent - received - written_off;
const allUnderWay = ({ lines }: Transfer): Pieces[] =>
  lines.map((line) => ({ sku: line.sku, quantity: underWay(line) })).filter(({ quantity }) => quantity > 0);

/** Reserves what is to be sent. Moves `stock`. */
export function plan(transfer: Omit<Transfer, 'lines' | 'status'>, pieces: readonly Pieces[], stock: Stock): Transfer {
  for (const [i, { sku, quantity }] of pieces.entries()) {
    if (post(transfer, stock, { sku, quantity, from: 'available', to: 'reserved', reason: 'to be sent', at: transfer.from_warehouse_id })) continue;
    const there = stock.cell(sku, transfer.from_warehouse_id)?.now.available ?? 0;
    throw tooMany('stock_insufficient', i, `${quantity} of ${sku} cannot be taken out of ${there} available`, there);
  }
  return { ...transfer, status: 'planned', lines: pieces.map(({ sku, quantity }) => ({ sku, quantity, sent: 0, received: 0, written_off: 0 })) };
}

/** Sends all of it, or `pieces`; the rest is given back. Moves `stock`. */
export function send(transfer: Transfer, pieces: readonly Pieces[] | undefined, stock: Stock): Transfer {
  const asked = pieces ?? transfer.lines;
  const sent = takenFrom(transfer, asked, ({ quantity }) => quantity);
  if ([...sent.values()].every((quantity) => quantity === 0))
    throw new Refusal('invalid_request', `nothing of ${transfer.id} would be sent`, [
      { field: 'lines', rule: 'send nothing', remedy: 'cancel the transfer' },
    ]);
  const at = transfer.from_warehouse_id;
  const lines = transfer.lines.map((line) => {
    const quantity = sent.get(line.sku) ?? 0;
    const rest = line.quantity - quantity;
    if (quantity > 0) must(post(transfer, stock, { sku: line.sku, quantity, from: 'reserved', to: `transit:${transfer.id}`, reason: 'sent', at }));
    if (rest > 0) must(post(transfer, stock, { sku: line.sku, quantity: rest, from: 'reserved', to: 'available', reason: 'not sent', at }));
    return { ...line, sent: quantity };
  });
  return { ...transfer, status: 'sent', lines };
}

/** Takes in what has arrived: all that is under way, or `pieces`. Moves `stock`. */
export function receive(transfer: Transfer, pieces: readonly Pieces[] | undefined, stock: Stock): Transfer {
  const asked = pieces ?? allUnderWay(transfer);
  const taken = takenFrom(transfer, asked, underWay);
  const at = transfer.to_warehouse_id;
  for (const { sku, quantity, account = 'available' } of asked)
    must(post(transfer, stock, { sku, quantity, from: `transit:${transfer.id}`, to: account, reason: 'received', at }));
  return over({ ...transfer, lines: transfer.lines.map((line) => ({ ...line, received: line.received + (taken.get(line.sku) ?? 0) })) });
}

/** Gives up what will not arrive: all that is under way, or `pieces`. Moves `stock`. */
export function writeOff(transfer: Transfer, pieces: readonly Pieces[] | undefined, reason: string, stock: Stock): Transfer {
  const asked = pieces ?? allUnderWay(transfer);
  const lost = takenFrom(transfer, asked, underWay);
  const at = transfer.from_warehouse_id;
  for (const { sku, quantity } of asked)
    must(post(transfer, stock, { sku, quantity, from: `transit:${transfer.id}`, to: 'outside:shrink', reason, at }));
  return over({ ...transfer, lines: transfer.lines.map((line) => ({ ...line, written_off: line.written_off + (lost.get(line.sku) ?? 0) })) });
}

/** Gives back what was reserved. Moves `stock`. */
export function cancel(transfer: Transfer, stock: Stock): Transfer {
  for (const { sku, quantity } of transfer.lines) {
    if (quantity === 0) continue;
    must(post(transfer, stock, { sku, quantity, from: 'reserved', to: 'available', reason: 'cancelled', at: transfer.from_warehouse_id }));
  }
  return { ...transfer, status: 'cancelled' };
}

/** Goods that were to be sent are not there: so many fewer will be. Moves `stock`. */
export function shorten(transfer: Transfer, { sku, quantity, reason }: { sku: string; quantity: number; reason: string }, stock: Stock): Transfer {
  must(post(transfer, stock, { sku, quantity, from: 'reserved', to: 'outside:shrink', reason, at: transfer.from_warehouse_id }));
  return { ...transfer, lines: transfer.lines.map((line) => (line.sku === sku ? { ...line, quantity: line.quantity - quantity } : line)) };
}

const over = (transfer: Transfer): Transfer =>
  transfer.lines.every((line) => underWay(line) === 0) ? { ...transfer, status: 'received' } : transfer;

/** How many are asked for of each sku. Throws a Refusal when one is not in the transfer, or is asked for more than `most` of its line. */
function takenFrom({ id, lines }: Transfer, asked: readonly Pieces[], most: (line: TransferLine) => number): Map<string, number> {
  const taken = new Map<string, number>();
  for (const [i, { sku, quantity }] of asked.entries()) {
    const line = lines.find((one) => one.sku === sku);
    if (line === undefined)
      throw new Refusal('unknown_sku', `${id} has no line of ${sku}`, [{ field: `lines.${i}.sku`, rule: 'is not in the transfer' }]);
    const sum = (taken.get(sku) ?? 0) + quantity;
    if (sum > most(line)) throw tooMany('transfer_state', i, `${sum} of ${sku} are more than the ${most(line)} of ${id}`, most(line));
    taken.set(sku, sum);
  }
  return taken;
}

const tooMany = (code: 'stock_insufficient' | 'transfer_state', i: number, message: string, there: number): Refusal =>
  new Refusal(code, message, [{ field: `lines.${i}.quantity`, rule: `takes more than the ${there} there are`, remedy: 'ask for less' }]);

type Leg = Pick<StockMove, 'sku' | 'quantity' | 'from' | 'to' | 'reason'> & { readonly at: string };
const post = ({ id }: Pick<Transfer, 'id'>, stock: Stock, { at, ...leg }: Leg): boolean =>
  stock.move({ ...leg, warehouse_id: at, ref_type: 'transfer', ref_id: id });

/** A posting whose goods the transfer holds: when it cannot be made, a balance is not what the transfers say. */
function must(done: boolean): void {
  if (!done) throw new Error('a transfer holds goods that are not there');
}
