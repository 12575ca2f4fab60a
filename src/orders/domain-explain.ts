/**
 * What an order waits for, since when, who must act and by when. Every unfinished order has an answer; a finished one has none.
 */
import { isLegal } from './domain.ts';
import { type Hold, type Order, areGoodsOnBooks, isFinished } from './domain-order.ts';
import { type Wait, waitOf } from './domain-table.ts';
import type { Deadlines } from './domain-waybill.ts';

export type Owner = Wait['owner'] | 'operator';
export type LegalCommand = 'cancel' | 'resume' | 'redrive_dead_letter' | 'skip_gap' | 'dispatch' | 'deliver';

export interface Blocker {
  /** The state the order is in, `on_hold`, or `stock_commit`: the goods left and are not yet off the books. */
  readonly blocker: string;
  /** Milliseconds UTC, like `deadline`. */
  readonly since: number;
  readonly owner: Owner;
  readonly deadline: number;
  /** What a person may ask for now. */
  readonly legal_commands: readonly LegalCommand[];
  readonly evidence: Evidence;
}

export interface Evidence {
  /** The command that was said and has not been answered. */
  readonly asked: string | null;
  /** Any of these lets the order go on. */
  readonly awaits: readonly string[];
  readonly note: string | null;
  readonly dead_letter_id: string | null;
}

export function explain(order: Order, deadlines: Deadlines): Blocker[] {
  const { journey } = order;
  if (isFinished(journey)) return [];
  const wait = waitOf(journey.at);
  const blockers: Blocker[] = [];
  if (journey.hold !== null) blockers.push(heldBy(order, journey.hold, wait));
  if (wait !== null && journey.deadline !== null) blockers.push(waitsFor(order, wait, journey.deadline));
  const goods = goodsLeaving(order, deadlines);
  return goods === undefined ? blockers : [...blockers, goods];
}

function waitsFor(order: Order, wait: Wait, deadline: number): Blocker {
  const { at, since } = order.journey;
  const evidence = { asked: wait.asks, awaits: wait.answers, note: null, dead_letter_id: null };
  return { blocker: at, since, owner: wait.owner, deadline, legal_commands: legalCommands(order, wait), evidence };
}

/** The hold comes first: it needs a person, whatever lies beneath it. */
function heldBy(order: Order, { since, deadline, note, dead_letter_id }: Hold, wait: Wait | null): Blocker {
  const redrive: LegalCommand[] = dead_letter_id === null ? [] : ['redrive_dead_letter'];
  const legal_commands = [...redrive, ...(wait === null ? [] : legalCommands(order, wait))];
  const evidence = { asked: wait?.asks ?? null, awaits: wait?.answers ?? [], note, dead_letter_id };
  return { blocker: 'on_hold', since, owner: 'operator', deadline, legal_commands, evidence };
}

function legalCommands(order: Order, { answers }: Wait): LegalCommand[] {
  const byAnswer: LegalCommand[] = answers.flatMap((answer) =>
    answer === 'shipment.dispatch_requested' ? ['dispatch' as const] : answer === 'shipment.delivered' ? ['deliver' as const] : [],
  );
  const resume: LegalCommand[] = order.journey.hold !== null && isLegal(order, 'resume') ? ['resume'] : [];
  return [...byAnswer, ...resume, ...(isLegal(order, 'cancel') ? (['cancel'] as const) : [])];
}

/** The parcel has left; until inventory confirms, its goods still stand on the books. */
function goodsLeaving({ journey }: Order, deadlines: Deadlines): Blocker | undefined {
  if (!areGoodsOnBooks(journey)) return undefined;
  const left = journey.stops.find(({ stop }) => stop === 'shipping')?.since ?? journey.since;
  const evidence = { asked: 'stock.commit', awaits: ['stock.committed'], note: null, dead_letter_id: null };
  return { blocker: 'stock_commit', since: left, owner: 'stock', deadline: left + deadlines.stock, legal_commands: ['resume'], evidence };
}
