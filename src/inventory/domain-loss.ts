/**
 * Goods that are not there although they were promised: who loses them. README.md has the order.
 */
import { Fault } from '../kernel/errors.ts';
import type { Loss, StockDocument } from './domain-hand.ts';
import { type Desk, partsOf, short } from './domain-parted.ts';
import type { OrderLine } from './domain-allocation.ts';
import type { Reservation, StockAnswer } from './domain-reservations.ts';
import { type Transfer, shorten } from './domain-transfers.ts';

/** Who may lose them, those first that come first. */
export interface Holders {
  readonly transfers: readonly Transfer[];
  readonly reservations: readonly Reservation[];
}
export interface Lost {
  readonly transfers: readonly Transfer[];
  readonly reservations: readonly Reservation[];
  readonly answers: readonly StockAnswer[];
}

/**
 * Takes what is missing from transfers that were not sent, then from reservations, and what none of them holds from what was set aside. Moves
 * what lies on the desk. Throws the Fault `conflict` when others hold some of it who are not among the holders.
 */
export function lose(losses: readonly Loss[], holders: Holders, document: StockDocument, desk: Desk): Lost {
  const { stock, claims } = desk;
  const { warehouse_id } = document;
  const reason = `${document.reason}, ${document.id}`;
  const shortened = new Map(holders.transfers.map((transfer) => [transfer.id, transfer]));
  const taken = new Map<Reservation, OrderLine[]>();
  for (const { sku, pieces } of losses) {
    let rest = pieces;
    for (const transfer of shortened.values()) {
      const quantity = Math.min(rest, transfer.lines.find((line) => line.sku === sku)?.quantity ?? 0);
      if (quantity > 0) shortened.set(transfer.id, shorten(transfer, { sku, quantity, reason }, stock));
      rest -= quantity;
    }
    const ofOrders = rest;
    for (const holder of holders.reservations) {
      for (const part of partsOf(holder, claims)) {
        const quantity = part.sku === sku && part.warehouse_id === warehouse_id ? Math.min(rest, part.held) : 0;
        if (quantity === 0) continue;
        taken.set(holder, [...(taken.get(holder) ?? []), { line_id: part.line_id, sku, quantity }]);
        rest -= quantity;
      }
    }
    if (rest === 0) continue;
    const { reserved } = stock.cell(sku, warehouse_id)!.now;
    if (reserved > ofOrders - rest) throw new Fault('conflict', `others hold ${sku} in ${warehouse_id} than were found`);
    stock.move({
      sku,
      warehouse_id,
      from: 'unavailable',
      to: 'outside:shrink',
      quantity: rest,
      reason,
      ref_type: document.kind,
      ref_id: document.id,
    });
  }
  const decisions = [...taken].flatMap(([holder, lines]) => short(holder, { warehouse_id, lines, reason }, desk) ?? []);
  return {
    transfers: [...shortened.values()].filter((transfer) => !holders.transfers.includes(transfer)),
    reservations: decisions.map(({ reservation }) => reservation),
    answers: decisions.flatMap(({ answer }) => (answer === undefined ? [] : [answer])),
  };
}
