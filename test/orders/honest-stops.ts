/**
 * A small world around one order: honest stops with tombstones, a bus that loses nothing and keeps no order, a clock, people. The order
 * itself is the real domain. What must never happen is checked where it would.
 */
import { expect } from 'vitest';
import { Refusal } from '../../src/kernel/errors.ts';
import { advance, request } from '../../src/orders/domain.ts';
import { explain } from '../../src/orders/domain-explain.ts';
import type { Order, Reply, Step } from '../../src/orders/domain-order.ts';
import { isFinished, timerOf } from '../../src/orders/domain-status.ts';
import { DEADLINES } from '../../src/orders/domain-waybill.ts';
import { ANSWERS, T0, placed, reply, rulesAt } from './make.ts';

interface InFlight {
  readonly id: string;
  readonly to: 'orders' | 'stops';
  readonly type: string;
  readonly message?: Reply;
}

/** A choice is a number that somebody (a generator) made up; `pick` uses it up. */
export class Surroundings {
  order: Order;
  now = T0;
  stock: 'none' | 'held' | 'rejected' | 'released' | 'committed' = 'none';
  payment: 'none' | 'authorized' | 'declined' | 'failed' | 'voided' | 'captured' | 'refunded' = 'none';
  parcel: 'none' | 'ready' | 'cancelled' | 'in_transit' | 'delivered' = 'none';
  dispatchAsked = false;
  /** Everything the order said, in order. */
  readonly said: string[] = [];
  readonly asks = new Set<string>();
  resumed = 0;
  private flying: InFlight[] = [];
  private dead: InFlight[] = [];
  private captures = new Set<string>();
  private count = 0;

  constructor(policy: string) {
    const first = placed({ policy });
    this.order = first.order;
    this.take(first);
  }

  get inFlight(): number {
    return this.flying.length;
  }

  private take(step: Step): void {
    expect(step.order.version).toBe(step.entry.seq);
    this.order = step.order;
    for (const { type, sequence } of step.says) {
      this.said.push(type);
      if (type.startsWith('order.')) expect(sequence).toBe(this.said.filter((one) => one.startsWith('order.')).length);
      else this.flying.push({ id: this.newId(), to: 'stops', type });
    }
    this.check();
  }

  private newId(): string {
    this.count += 1;
    return `m${this.count}`;
  }

  private tell<T extends keyof typeof ANSWERS>(type: T): void {
    const id = this.newId();
    this.flying.push({ id, to: 'orders', type, message: reply(type, ANSWERS[type], { id }) });
  }

  /** Delivers the message at a place of one's choice; with `again` it stays in flight as well. */
  deliver(choice: number, again: boolean): void {
    const [one] = this.flying.splice(choice % Math.max(1, this.flying.length), 1);
    if (one === undefined) return;
    if (again) this.flying.push(one);
    if (one.to === 'stops') return this.atStop(one, choice);
    if (one.type === 'shipment.dispatch_requested') this.asks.add(one.id);
    const step = advance(this.order, one.message!, rulesAt(this.now));
    if (step !== undefined) this.take(step);
  }

  /** A message cannot be handled, for now. */
  bury(choice: number): void {
    const [one] = this.flying.splice(choice % Math.max(1, this.flying.length), 1);
    if (one === undefined || one.type === 'message.dead_lettered') return void (one && this.flying.push(one));
    this.dead.push(one);
    const id = this.newId();
    const data = { dead_letter_id: `dl_${id}`, message_id: one.id, message_type: one.type, code: 'internal', error: 'x' };
    this.flying.push({ id, to: 'orders', type: 'message.dead_lettered', message: reply('message.dead_lettered', data, { id, source: one.to }) });
  }

  redrive(): void {
    this.flying.push(...this.dead.splice(0));
  }

  ask(type: 'cancel' | 'resume'): void {
    const { at } = this.order.journey;
    const step = request(this.order, { type }, rulesAt(this.now));
    if (type === 'cancel') expect(step instanceof Refusal).toBe(['capturing', 'dispatching', 'shipped', 'delivered'].includes(at));
    if (step === undefined || step instanceof Refusal) return;
    if (type === 'resume') this.resumed += 1;
    this.take(step);
  }

  person(): void {
    if (this.parcel === 'in_transit') {
      this.parcel = 'delivered';
      this.tell('shipment.delivered');
    } else if (this.parcel === 'ready' && !this.dispatchAsked) {
      this.dispatchAsked = true;
      this.tell('shipment.dispatch_requested');
    }
  }

  /** The deadline passes. Answers whether there was one. */
  timeIsOver(): boolean {
    const timer = timerOf(this.order);
    if (timer === undefined) return false;
    this.now = Math.max(this.now, timer.dueAt);
    const step = advance(this.order, reply('order.check_deadline', timer.data), rulesAt(this.now));
    expect(step).toBeDefined();
    this.take(step!);
    return true;
  }

  /** Everything arrives, dead letters are redriven, deadlines pass, until nothing moves without a person. */
  settle(): void {
    do {
      this.redrive();
      for (let turns = 0; this.flying.length > 0; turns += 1) {
        expect(turns).toBeLessThan(500);
        this.deliver(0, false);
      }
    } while (this.timeIsOver() || this.flying.length > 0);
  }

  private atStop({ id, type }: InFlight, choice: number): void {
    const chance = choice % 8;
    switch (type) {
      case 'stock.reserve':
        if (this.stock !== 'none') return;
        this.stock = chance === 0 ? 'rejected' : 'held';
        return this.tell(chance === 0 ? 'stock.rejected' : 'stock.reserved');
      case 'stock.release':
        expect(this.stock).not.toBe('committed');
        if (this.stock === 'released') return;
        this.stock = 'released';
        return this.tell('stock.released');
      case 'stock.commit':
        if (this.stock === 'committed') return;
        expect(this.stock).toBe('held');
        this.stock = 'committed';
        return this.tell('stock.committed');
      case 'payment.authorize':
        if (this.payment !== 'none' && this.payment !== 'failed') return;
        this.payment = chance === 0 ? 'declined' : chance === 1 ? 'failed' : 'authorized';
        return this.tell(`payment.${this.payment}`);
      case 'payment.capture':
        if (this.payment !== 'authorized' || this.captures.has(id)) return;
        this.captures.add(id);
        if (chance === 0) return this.tell('payment.capture_failed');
        this.payment = 'captured';
        return this.tell('payment.captured');
      case 'payment.void':
        expect(['in_transit', 'delivered']).not.toContain(this.parcel);
        if (this.payment === 'voided' || this.payment === 'refunded') return;
        this.payment = this.payment === 'captured' ? 'refunded' : 'voided';
        return this.tell('payment.voided');
      case 'shipment.prepare':
        if (this.parcel !== 'none') return;
        this.parcel = 'ready';
        return this.tell('shipment.ready');
      case 'shipment.dispatch':
        if (this.parcel !== 'ready') return;
        expect(['captured', 'none']).toContain(this.payment);
        this.parcel = 'in_transit';
        return this.tell('shipment.dispatched');
      case 'shipment.refuse_dispatch':
        this.dispatchAsked = false;
        return;
      case 'shipment.cancel':
        expect(['in_transit', 'delivered']).not.toContain(this.parcel);
        if (this.parcel === 'cancelled') return;
        this.parcel = 'cancelled';
        return this.tell('shipment.cancelled');
      default:
        throw new Error(`nobody takes ${type}`);
    }
  }

  /** What must hold at every moment. */
  private check(): void {
    const times = (type: string): number => this.said.filter((one) => one === type).length;
    expect(times('order.shipped') + times('order.cancelled')).toBeLessThanOrEqual(1);
    expect(times('payment.capture')).toBeLessThanOrEqual(this.asks.size + this.resumed);
    expect(times('shipment.dispatch')).toBeLessThanOrEqual(this.asks.size + this.resumed);

    const compensations = ['shipment.cancel', 'payment.void', 'stock.release'];
    for (const type of compensations) expect(times(type)).toBeLessThanOrEqual(1 + this.resumed);
    const undone = [...new Set(this.said.filter((type) => compensations.includes(type)))];
    const commands: Readonly<Record<string, string>> = { stock: 'stock.release', payment: 'payment.void', shipping: 'shipment.cancel' };
    const backwards = this.order.journey.stops.map(({ stop }) => commands[stop]!).toReversed();
    expect(undone).toEqual(backwards.filter((type) => undone.includes(type)));

    const blockers = explain(this.order, DEADLINES);
    expect(blockers.length > 0).toBe(!isFinished(this.order));
    for (const { owner, deadline, since } of blockers) {
      expect(owner).toBeTruthy();
      expect(deadline).toBeGreaterThan(since);
    }
    // Nobody is only waited for: a clock watches the machine, a person's name stands at the rest.
    if (blockers.length > 0 && timerOf(this.order) === undefined)
      expect(blockers.some(({ owner, blocker }) => ['operator', 'warehouse'].includes(owner) || ['shipped', 'stock_commit'].includes(blocker))).toBe(
        true,
      );
  }
}
