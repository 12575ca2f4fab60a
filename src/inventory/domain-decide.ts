/**
 * What becomes of each message about an order's goods: the table of README.md as data, and the one place that looks into it.
 */
import type { DataOf } from '../contracts/messages.ts';
import type { AnyMessage } from '../messaging/service.ts';
import { change } from './domain-change.ts';
import { type Claims, fill } from './domain-claims.ts';
import {
  type Desk,
  NEEDS_LINE,
  type Outcome,
  commitAsAsked,
  expire,
  heldParts,
  releaseParted,
  renew,
  reserveAsAsked,
  short,
  takeBack,
} from './domain-parted.ts';
import { type Reservation, type StockAnswer, rejectionOf, release, reserve, unheld, wantedOf } from './domain-reservations.ts';

export type Trigger =
  | `stock.${'reserve' | 'release' | 'commit' | 'change' | 'renew' | 'expire' | 'take_back'}`
  /** A person found less than there should be. */
  | 'shipment.shorted';
export type StockCommand = AnyMessage<Trigger>;

/** How a reservation stands: its status, but that a parted one may have been released. */
type Standing = 'unknown' | 'held' | 'parted' | 'released' | 'rejected' | 'committed';
/** `idle`: nothing changes, nothing is said. `fault`: goods moved that nobody held. `act`: the function of the trigger decides. */
type Verdict = 'act' | 'idle' | 'fault';

// oxfmt-ignore
export const TABLE: Readonly<Record<Trigger, Readonly<Record<Standing, Verdict>>>> = {
  'stock.reserve':    { unknown: 'act',   held: 'idle',  parted: 'idle', released: 'idle', rejected: 'idle',  committed: 'idle' },
  'stock.release':    { unknown: 'act',   held: 'act',   parted: 'act',  released: 'idle', rejected: 'act',   committed: 'act' },
  'stock.commit':     { unknown: 'fault', held: 'act',   parted: 'act',  released: 'act',  rejected: 'fault', committed: 'idle' },
  'stock.change':     { unknown: 'fault', held: 'act',   parted: 'act',  released: 'idle', rejected: 'act',   committed: 'act' },
  'stock.renew':      { unknown: 'idle',  held: 'act',   parted: 'act',  released: 'idle', rejected: 'idle',  committed: 'idle' },
  'stock.expire':     { unknown: 'idle',  held: 'idle',  parted: 'act',  released: 'idle', rejected: 'idle',  committed: 'idle' },
  'stock.take_back':  { unknown: 'fault', held: 'fault', parted: 'act',  released: 'act',  rejected: 'fault', committed: 'act' },
  'shipment.shorted': { unknown: 'idle',  held: 'act',   parted: 'act',  released: 'idle', rejected: 'idle',  committed: 'idle' },
};

/** Triggers that may set goods free, or write them off: then those who wait are looked at. */
const FREEING: ReadonlySet<Trigger> = new Set<Trigger>([
  'stock.release',
  'stock.change',
  'stock.expire',
  'stock.take_back',
  'shipment.shorted',
] satisfies Trigger[]);
export const frees = ({ type }: Pick<StockCommand, 'type'>): boolean => FREEING.has(type);

export interface Decided {
  readonly reservations: ReadonlyMap<string, Reservation>;
  readonly answers: readonly (StockAnswer & { readonly cause: StockCommand })[];
}

/** Decides about the commands in their order. Moves what lies on the desk. */
export function decideAll(commands: readonly StockCommand[], known: ReadonlyMap<string, Reservation>, desk: Desk): Decided | typeof NEEDS_LINE {
  const reservations = new Map<string, Reservation>();
  const answers: (StockAnswer & { cause: StockCommand })[] = [];
  for (const command of commands) {
    const { order_id } = command.data;
    const before = reservations.get(order_id) ?? known.get(order_id);
    const outcome = decide(before, command, desk);
    if (outcome === NEEDS_LINE) return outcome;
    if (outcome === undefined) continue;
    reservations.set(order_id, outcome.reservation);
    if (outcome.answer !== undefined) answers.push({ ...outcome.answer, cause: command });
    if (!frees(command)) continue;
    const skus = new Set([before?.lines, outcome.reservation.lines, linesOf(command)].flatMap((lines) => (lines ?? []).map(({ sku }) => sku)));
    for (const one of fill(skus, desk)) desk.filled.set(one.order_id, [...(desk.filled.get(one.order_id) ?? []), one]);
  }
  return { reservations, answers };
}

export const linesOf = ({ data }: StockCommand): readonly { readonly sku: string }[] => ('lines' in data ? (data.lines ?? []) : []);

function standingOf(known: Reservation | undefined): Standing {
  if (known === undefined) return 'unknown';
  return known.status === 'parted' && known.released_at !== null ? 'released' : known.status;
}

function decide(known: Reservation | undefined, command: StockCommand, desk: Desk): Outcome {
  const verdict = TABLE[command.type][standingOf(known)];
  if (verdict === 'fault') throw unheld(command.data.order_id, known);
  const outcome = verdict === 'act' ? act(known, command, desk) : undefined;
  const asksAgain = outcome === undefined && 'again' in command.data && command.data.again === true;
  return asksAgain && known !== undefined ? answerAgain(known, command, desk) : outcome;
}

/** What was answered already, said once more as it is now; undefined when the order has asked for something else since. */
function answerAgain(known: Reservation, command: StockCommand, { stock, claims }: Desk): Outcome {
  const { order_id, warehouse_id, status, released_at, lines } = known;
  const say = (answer: StockAnswer): Outcome => ({ reservation: known, answer });
  if (command.type === 'stock.release' && released_at !== null) return say({ type: 'stock.released', data: { order_id } });
  if (command.type === 'stock.commit' && status === 'committed') return say({ type: 'stock.committed', data: { order_id } });
  if (command.type !== 'stock.reserve' || released_at !== null) return undefined;
  if (status === 'held') return say({ type: 'stock.reserved', data: { order_id, warehouse_id: warehouse_id!, lines: [...lines] } });
  if (status === 'parted') return say({ type: 'stock.reserved', data: heldOf(known, claims), waits: true });
  const rejection = rejectionOf(command.data.lines, wantedOf(command.data.lines), stock);
  return status === 'rejected' ? say({ type: 'stock.rejected', data: { order_id, ...rejection } }) : undefined;
}

function heldOf(known: Reservation, claims: Claims): DataOf<'stock.reserved'> {
  const parts = heldParts(known, claims);
  const lines = [
    ...Map.groupBy(
      parts.flatMap((part) => part.lines),
      ({ line_id }) => line_id,
    ).values(),
  ];
  return {
    order_id: known.order_id,
    warehouse_id: known.warehouse_id ?? 'none',
    lines: lines.map((same) => ({ ...same[0]!, quantity: same.reduce((sum, { quantity }) => sum + quantity, 0) })),
    parts,
  };
}

function act(known: Reservation | undefined, command: StockCommand, desk: Desk): Outcome {
  // Most of what comes is about ordinary reservations, or none yet.
  if (command.type === 'stock.reserve') {
    const { allocation } = command.data;
    return allocation === undefined ? reserve(known, command.data, desk.stock) : reserveAsAsked({ ...command.data, allocation }, desk);
  }
  if (command.type === 'stock.release')
    return known?.status === 'parted' ? releaseParted(known, desk) : release(known, command.data, desk.stock, desk.now);
  return known === undefined ? undefined : actOnKnown(known, command, desk);
}

function actOnKnown(known: Reservation, command: Exclude<StockCommand, { readonly type: 'stock.reserve' | 'stock.release' }>, desk: Desk): Outcome {
  switch (command.type) {
    case 'stock.commit':
      return commitAsAsked(known, command.data, desk);
    case 'stock.change':
      return change(known, command.data, desk);
    case 'stock.renew':
      return renew(known, command.data, desk);
    case 'stock.expire':
      return expire(known, desk);
    case 'stock.take_back':
      return takeBack(known, command.data, desk);
    case 'shipment.shorted':
      return short(known, command.data, desk);
  }
}

/** What is said of those who waited and found goods; how long the others still wait is added later. */
export const filledAnswers = (desk: Pick<Desk, 'filled'>): (StockAnswer & { readonly type: 'stock.filled' })[] =>
  [...desk.filled].map(([order_id, pieces]) => ({
    type: 'stock.filled',
    data: {
      order_id,
      parts: [...Map.groupBy(pieces, ({ warehouse_id }) => warehouse_id)].map(([warehouse_id, given]) => ({
        warehouse_id,
        lines: given.map(({ line_id, sku, quantity }) => ({ line_id, sku, quantity })),
      })),
      queued: [],
    },
    waits: true,
  }));
