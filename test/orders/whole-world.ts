/**
 * The world around one order beyond the ordinary: its stops (whole-stops.ts), people who change their minds, a clock, and a bus that loses
 * nothing and keeps no order. The order itself is the real domain; what it believes must be what the stops have, once everything has arrived.
 */
import { expect } from 'vitest';
import { Refusal } from '../../src/kernel/errors.ts';
import { advance, request } from '../../src/orders/domain.ts';
import { asGiven } from '../../src/orders/domain-charges.ts';
import { cancelLines, edit } from '../../src/orders/domain-edit.ts';
import { explain } from '../../src/orders/domain-explain.ts';
import { moneyOf, refundableOf } from '../../src/orders/domain-money.ts';
import type { Order, Reply, Request, Says, Step } from '../../src/orders/domain-order.ts';
import { isAhead } from '../../src/orders/domain-shipment-table.ts';
import { isFinished, timerOf } from '../../src/orders/domain-status.ts';
import { sameTarget, toAuthorize } from '../../src/orders/domain-revision-plan.ts';
import { DEADLINES } from '../../src/orders/domain-waybill.ts';
import { type Counts, WholeStops, add, sum } from './whole-stops.ts';
import { T0, catalogueOf, counting, item, placed, reply, rulesAt } from './make.ts';

type Flying = { readonly id: string } & ({ readonly to: 'orders'; readonly message: Reply } | { readonly to: 'stops'; readonly said: Says });

export class WholeWorld extends WholeStops {
  order: Order;
  now = T0;
  readonly said: string[] = [];
  private flying: Flying[] = [];
  private readonly count = counting();
  private readonly id = (prefix: string): string => this.count(`${prefix}_w`); // beside those the order was placed with
  private readonly rules;

  constructor(policy: string) {
    super();
    this.rules = { ...rulesAt(T0), id: this.id };
    const first = placed({ policy, charges: [{ code: 'shipping', amount: 97 }], allocation: { split: true, backorder: true } });
    this.order = first.order;
    this.take(first);
  }

  get inFlight(): number {
    return this.flying.length;
  }

  private take(step: Step): void {
    expect(step.order.version).toBe(step.entry.seq);
    this.order = step.order;
    for (const line of this.order.lines!) this.skus.set(line.id, line.sku);
    for (const one of step.says) {
      this.said.push(one.type);
      if (one.type.startsWith('order.') || one.type.startsWith('hold.'))
        expect(one.sequence).toBe(this.said.filter((type) => type.startsWith('order.') || type.startsWith('hold.')).length);
      else this.flying.push({ id: this.id('m'), to: 'stops', said: one });
    }
    this.check();
  }

  protected override tell(type: Parameters<typeof reply>[0], data: object): void {
    const id = this.id('m');
    this.flying.push({ id, to: 'orders', message: reply(type, { order_id: 'ord_1', ...data } as never, { id }) });
  }

  deliver(choice: number, again: boolean): void {
    const [one] = this.flying.splice(choice % Math.max(1, this.flying.length), 1);
    if (one === undefined) return;
    if (again) this.flying.push(one);
    if (one.to === 'stops') return this.atStop(one.id, one.said, choice);
    if (one.message.type === 'shipment.shorted') this.shorts.delete(one.message.data.shipment_id);
    const step = advance(this.order, one.message, { ...this.rules, now: this.now });
    if (step !== undefined) this.take(step);
  }

  /** A person asks for something; what it is, and of what, a number decides. */
  ask(choice: number): void {
    const what = this.requestFor(choice);
    if (what === undefined || what instanceof Refusal) return;
    const step = request(this.order, what, { ...this.rules, now: this.now });
    if (step === undefined || step instanceof Refusal) return;
    this.take(step);
  }

  private requestFor(choice: number): Request | Refusal | undefined {
    const { order } = this;
    const pick = Math.floor(choice / 16);
    const line = order.lines![pick % order.lines!.length]!;
    const rules = { catalogue: catalogueOf(item('A'), item('B'), item('C')), taxes: asGiven, id: this.id };
    const payment = { token: 'tok_more' };
    const revise = (change: ReturnType<typeof edit>): Request | Refusal => (change instanceof Refusal ? change : { type: 'revise', change });
    switch (choice % 16) {
      case 0:
        return { type: 'cancel' };
      case 1:
      case 2:
        return revise(edit(order, { lines: [{ line_id: line.id, quantity: pick % 5 }], payment }, rules));
      case 3:
        return order.lines!.length > 4
          ? undefined
          : revise(edit(order, { add_lines: [{ sku: 'C', quantity: 1 + (pick % 2), unit_price: 333 }], payment }, rules));
      case 4:
        return revise(cancelLines(order, { lines: [{ line_id: line.id, quantity: 1 }] }, rules));
      case 5:
        return revise(cancelLines(order, {}, rules));
      case 6:
        return revise(edit(order, { ship_to: { city: `c${pick}` } }, rules));
      case 7:
        return { type: 'hold', hold: { reason: 'manual' } };
      case 8:
        return { type: 'hold', hold: { reason: 'stock', line_id: line.id, expires_at: this.now + 1_000 } };
      case 9:
      case 10:
        return this.order.journey.holds === undefined ? undefined : { type: 'release', hold_id: this.order.journey.holds[0]!.id };
      case 11: {
        const refundable = refundableOf(order);
        return refundable > 0 ? { type: 'refund', amount: 1 + (pick % refundable), reason: 'sorry' } : undefined;
      }
      case 12:
        return { type: 'resume' };
      case 13:
        return revise(edit(order, { charges: [{ code: 'shipping', amount: 10 * pick }], payment }, rules));
      case 14:
        return toAuthorize(order, order.total) > 0
          ? { type: 'revise', change: { kind: 'payment', target: sameTarget(order), token: 'tok_new' } }
          : undefined;
      default:
        return { type: 'note', text: 'x' };
    }
  }

  timeIsOver(): boolean {
    const timer = timerOf(this.order);
    if (timer === undefined) return false;
    this.now = Math.max(this.now, timer.dueAt);
    const step = advance(this.order, reply('order.check_deadline', timer.data, { id: this.id('m') }), { ...this.rules, now: this.now });
    expect(step).toBeDefined();
    this.take(step!);
    return true;
  }

  /** Everything arrives and every deadline passes. */
  settle(): void {
    do {
      for (let turns = 0; this.flying.length > 0; turns += 1) {
        expect(turns).toBeLessThan(2_000);
        this.deliver(0, false);
      }
    } while (this.timeIsOver() || this.flying.length > 0);
  }

  /** What must hold at every moment. */
  private check(): void {
    const { order } = this;
    const lines = order.lines!;
    const goods = sum(lines.map((line) => line.unit_price * (line.quantity - line.cancelled)));
    expect(order.total).toBe(goods + sum(order.charges.map(({ amount }) => amount)));
    expect(order.total).toBeGreaterThanOrEqual(0);

    const blockers = explain(order, DEADLINES);
    expect([order.journey.at, blockers.length > 0]).toEqual([order.journey.at, !isFinished(order)]);
    for (const { deadline, since } of blockers) expect(deadline).toBeGreaterThan(since);
  }

  /** What must hold once everything has arrived: the order and the stops agree, to the piece and to the cent. */
  agree(): void {
    const { journey } = this.order;
    const counted = (pieces: readonly { line_id: string; quantity: number }[]): Record<string, number> => {
      const counts: Counts = new Map();
      for (const { line_id, quantity } of pieces) add(counts, line_id, quantity);
      return Object.fromEntries([...counts].filter(([, count]) => count > 0).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    };
    const inStock = counted(this.parts().flatMap(({ lines }) => lines));
    if (journey.shipments !== undefined && journey.reason === null && journey.revision === undefined) {
      const ahead = journey.shipments
        .filter((one) => isAhead(one) || one.state === 'capturing' || one.state === 'dispatching')
        .flatMap(({ lines }) => lines);
      expect(counted([...ahead, ...(journey.parts ?? []).flatMap(({ lines }) => lines)])).toEqual(inStock);
      expect(counted(journey.queued ?? [])).toEqual(counted(this.waiting()));
    }
    const { held, captured, refunded } = moneyOf(this.order);
    if (journey.at === 'cancelled') return;
    if (journey.stops.some(({ stop, state }) => stop === 'payment' && (state === 'done' || state === 'settled')))
      expect({ held, captured, refunded }).toEqual(this.money);
  }
}
