/**
 * The stops around one order beyond the ordinary: two warehouses and a line of those who wait, a provider that holds several authorisations,
 * shipments in parcels. Each keeps plain books of its own, answers what it is asked once, and knows a command that comes twice.
 */
import { expect } from 'vitest';
import type { Pieces, Says } from '../../src/orders/domain-order.ts';
import type { reply } from './make.ts';

const WAREHOUSES = ['whs_1', 'whs_2'] as const;
export type Counts = Map<string, number>;
export const add = (counts: Counts, key: string, by: number): void => void counts.set(key, (counts.get(key) ?? 0) + by);
export const sum = (counts: Iterable<number>): number => [...counts].reduce((all, one) => all + one, 0);

interface Parcel {
  state: 'ready' | 'in_transit' | 'delivered' | 'lost' | 'cancelled';
  readonly warehouse_id: string;
  lines: readonly Pieces[];
  asked: boolean;
  readonly holds: Set<string>;
}

export abstract class WholeStops {
  /** `warehouse line` → pieces held there. */
  readonly held: Counts = new Map();
  readonly queued: Counts = new Map();
  readonly gone: Counts = new Map();
  stock: 'none' | 'live' | 'rejected' | 'released' = 'none';
  readonly authorizations = new Map<string, 'authorized' | 'declined' | 'failed'>();
  readonly money = { held: 0, captured: 0, refunded: 0 };
  voided = false;
  readonly parcels = new Map<string, Parcel>();
  private changed: { revision: number; answer: () => void } = { revision: 0, answer: () => undefined };
  private readonly done = new Set<string>();
  /** Shipments whose short pick orders has not heard of. */
  protected readonly shorts = new Set<string>();
  protected readonly skus = new Map<string, string>();

  /** Says something to orders. */
  protected abstract tell(type: Parameters<typeof reply>[0], data: object): void;

  /** People in the warehouse and carriers do something. */
  person(choice: number): void {
    const all = [...this.parcels];
    const found = all[choice % Math.max(1, all.length)];
    if (found === undefined) return;
    const [shipment_id, parcel] = found;
    const data = { shipment_id, tracking_number: `T${shipment_id}`, warehouse_id: parcel.warehouse_id };
    if (parcel.state === 'in_transit') {
      parcel.state = 'delivered';
      this.tell('shipment.delivered', data);
    } else if (parcel.state === 'ready' && !parcel.asked && !this.shorts.has(shipment_id) && parcel.holds.size === 0 && this.isThere(parcel)) {
      parcel.asked = true;
      this.tell('shipment.dispatch_requested', data);
    }
  }

  protected isLeaving = (id: string, { state, asked }: Parcel): boolean =>
    state === 'ready' ? asked : state !== 'cancelled' && !this.done.has(`commit ${id}`);

  /** Are its goods really there, beside those of the parcels that are leaving? Nobody hands over what is not. */
  private isThere({ warehouse_id, lines }: Parcel): boolean {
    const leaving = [...this.parcels].flatMap(([id, one]) => (one.warehouse_id === warehouse_id && this.isLeaving(id, one) ? one.lines : []));
    return (
      lines.length > 0 &&
      lines.every(({ line_id, quantity }) => {
        const others = sum(leaving.flatMap((one) => (one.line_id === line_id ? [one.quantity] : [])));
        return (this.held.get(`${warehouse_id} ${line_id}`) ?? 0) >= quantity + others;
      })
    );
  }

  /** Goods come in for those who wait. */
  receipt(choice: number): void {
    const waiting = [...this.queued].find(([, count]) => count > 0);
    if (this.stock !== 'live' || waiting === undefined) return;
    const [line, count] = waiting;
    const quantity = 1 + (choice % count);
    const warehouse_id = WAREHOUSES[choice % 2]!;
    add(this.queued, line, -quantity);
    add(this.held, `${warehouse_id} ${line}`, quantity);
    this.tell('stock.filled', { parts: [{ warehouse_id, lines: [this.pieces(line, quantity)] }], queued: this.waiting() });
  }

  /** Goods are not there: found out by a count, or by whoever picks. Never of a parcel that somebody is handing over. */
  vanish(choice: number): void {
    if (this.stock !== 'live') return;
    const there = [...this.held].filter(([, count]) => count > 0);
    const found = there[choice % Math.max(1, there.length)];
    if (found === undefined) return;
    const [warehouse_id, line] = found[0].split(' ') as [string, string];
    const parcels = [...this.parcels].filter(([, one]) => one.warehouse_id === warehouse_id && one.lines.some(({ line_id }) => line_id === line));
    if (parcels.some(([id, parcel]) => this.isLeaving(id, parcel))) return;
    const ready = parcels.find(([, { state }]) => state === 'ready');
    add(this.held, found[0], -1);
    add(this.queued, line, 1);
    if (ready !== undefined) {
      const [shipment_id, parcel] = ready;
      if (choice % 3 > 0) {
        // A short pick: the parcel goes on without it.
        parcel.lines = parcel.lines
          .map((one) => (one.line_id === line ? { ...one, quantity: one.quantity - 1 } : one))
          .filter(({ quantity }) => quantity > 0);
        const tracked = { shipment_id, tracking_number: `T${shipment_id}`, warehouse_id };
        this.shorts.add(shipment_id);
        this.tell('shipment.shorted', { ...tracked, lines: [this.pieces(line, 1)], left: parcel.lines, reason: 'not found' });
        if (parcel.lines.length === 0) {
          parcel.state = 'cancelled';
          this.tell('shipment.cancelled', { shipment_id });
        }
      }
    }
    this.tell('stock.shorted', { warehouse_id, lines: [this.pieces(line, 1)], reason: 'counted' });
  }

  protected pieces = (line_id: string, quantity: number): Pieces => ({ line_id, sku: this.skus.get(line_id)!, quantity });
  protected waiting = () => [...this.queued].filter(([, count]) => count > 0).map(([line, count]) => ({ ...this.pieces(line, count), place: 1 }));
  protected parts = () =>
    WAREHOUSES.map((warehouse_id) => ({
      warehouse_id,
      lines: [...this.held].flatMap(([key, count]) =>
        count > 0 && key.startsWith(`${warehouse_id} `) ? [this.pieces(key.split(' ')[1]!, count)] : [],
      ),
    })).filter(({ lines }) => lines.length > 0);

  protected atStop(id: string, said: Says, choice: number): void {
    if (said.type.startsWith('stock.')) return this.atStock(said, choice);
    if (said.type.startsWith('payment.')) return this.atPayments(id, said, choice);
    this.atShipping(id, said);
  }

  private atStock(said: Says, choice: number): void {
    const chance = choice % 8;
    switch (said.type) {
      case 'stock.reserve':
        if (this.stock !== 'none') return;
        this.stock = chance === 0 ? 'rejected' : 'live';
        if (chance === 0) return this.tell('stock.rejected', { reason: 'x', lines: [] });
        for (const [i, { line_id, sku, quantity }] of said.data.lines.entries()) {
          this.skus.set(line_id, sku);
          this.place(line_id, quantity, chance + i);
        }
        return this.tell('stock.reserved', { warehouse_id: this.parts()[0]?.warehouse_id ?? 'whs_1', lines: [], ...this.picture(chance) });
      case 'stock.release':
        if (this.stock === 'released') return;
        this.stock = 'released';
        this.held.clear();
        this.queued.clear();
        return this.tell('stock.released', {});
      case 'stock.change': {
        const { revision, lines } = said.data;
        if (this.stock !== 'live' || revision < this.changed.revision) return;
        if (revision === this.changed.revision) return this.changed.answer();
        const wanted = new Map(lines.map((line) => [line.line_id, line.quantity]));
        for (const line of lines) this.skus.set(line.line_id, line.sku);
        const raises = lines.some(({ line_id, quantity }) => quantity > this.has(line_id));
        const no = raises && chance === 0;
        this.changed = {
          revision,
          answer: () =>
            no
              ? this.tell('stock.change_rejected', { revision, lines: [] })
              : this.tell('stock.changed', { revision, parts: this.parts(), queued: this.waiting() }),
        };
        if (!no) for (const line of new Set([...wanted.keys(), ...this.skus.keys()])) this.becomes(line, wanted.get(line) ?? 0, chance);
        return this.changed.answer();
      }
      case 'stock.commit': {
        const { shipment_id, warehouse_id, lines } = said.data;
        if (this.done.has(`commit ${shipment_id}`)) return;
        this.done.add(`commit ${shipment_id}`);
        // An ordinary order's shipment takes all there is; one of several what is in it, where it is.
        const leaving = lines ?? this.parts().flatMap((part) => part.lines);
        for (const { line_id, quantity } of leaving) {
          const key = `${warehouse_id ?? this.parts().find((part) => part.lines.some((one) => one.line_id === line_id))!.warehouse_id} ${line_id}`;
          expect([key, (this.held.get(key) ?? 0) >= quantity]).toEqual([key, true]);
          add(this.held, key, -quantity);
          add(this.gone, line_id, quantity);
        }
        return this.tell('stock.committed', { shipment_id });
      }
      default:
        return;
    }
  }

  private has = (line: string): number =>
    (this.gone.get(line) ?? 0) + (this.queued.get(line) ?? 0) + sum(WAREHOUSES.map((one) => this.held.get(`${one} ${line}`) ?? 0));

  /** One warehouse now and then; else where chance wants it. */
  private place(line: string, quantity: number, chance: number): void {
    if (chance < 4) return add(this.held, `whs_1 ${line}`, quantity);
    if (chance === 7) return add(this.queued, line, quantity);
    add(this.held, `${WAREHOUSES[chance % 2]!} ${line}`, quantity);
  }

  private becomes(line: string, target: number, chance: number): void {
    let less = this.has(line) - target;
    if (less < 0) return this.place(line, -less, chance);
    for (const [counts, key] of [[this.queued, line], ...WAREHOUSES.map((one) => [this.held, `${one} ${line}`])] as [Counts, string][]) {
      const taken = Math.min(less, counts.get(key) ?? 0);
      add(counts, key, -taken);
      less -= taken;
    }
    expect(less).toBe(0); // what has left was never to be wanted less
  }

  /** An ordinary reservation says only where it is. */
  private picture(chance: number): object {
    const parts = this.parts();
    return parts.length === 1 && this.waiting().length === 0 && chance % 2 === 0 ? {} : { parts, queued: this.waiting() };
  }

  private atPayments(id: string, said: Says, choice: number): void {
    const chance = choice % 8;
    const about = { payment_id: 'pay_1', currency: 'EUR' };
    switch (said.type) {
      case 'payment.authorize': {
        const { amount, authorization } = said.data;
        const key = authorization ?? 'first';
        const which = authorization === undefined ? {} : { authorization };
        const before = this.authorizations.get(key);
        if ((before !== undefined && before !== 'failed') || this.voided) return;
        const result = chance === 0 ? 'declined' : chance === 1 && before === undefined ? 'failed' : 'authorized';
        this.authorizations.set(key, result);
        if (result === 'authorized') this.money.held += amount;
        return this.tell(`payment.${result}`, { ...about, ...which, amount, reason: 'x' });
      }
      case 'payment.capture': {
        const { shipment_id, amount = this.money.held } = said.data;
        if (this.done.has(id)) return;
        this.done.add(id);
        if (this.done.has(`capture ${shipment_id}`)) return;
        if (chance === 0 || amount > this.money.held || amount === 0) {
          expect([amount > this.money.held, 'an amount that is not held']).toEqual([false, 'an amount that is not held']);
          return this.tell('payment.capture_failed', { ...about, amount, shipment_id, reason: 'x' });
        }
        this.done.add(`capture ${shipment_id}`);
        this.money.held -= amount;
        this.money.captured += amount;
        return this.tell('payment.captured', { ...about, amount, shipment_id });
      }
      case 'payment.void': {
        const { amount, revision } = said.data;
        if (amount === undefined) {
          if (this.done.has(id)) return;
          this.done.add(id);
          this.voided = true;
          const refunded = this.money.captured - this.money.refunded;
          Object.assign(this.money, { held: 0, refunded: this.money.captured });
          return this.tell('payment.voided', { refunded });
        }
        if (this.voided || this.done.has(`reduce ${revision}`)) return;
        this.done.add(`reduce ${revision}`);
        expect(this.money.held).toBeGreaterThanOrEqual(amount);
        this.money.held -= amount;
        return this.tell('payment.reduced', { ...about, amount, revision });
      }
      case 'payment.refund': {
        const { refund_id, amount } = said.data;
        if (this.done.has(refund_id)) return;
        this.done.add(refund_id);
        if (this.voided) return this.tell('payment.refund_failed', { ...about, refund_id, amount, refunded: 0, reason: 'given back already' });
        expect(this.money.captured - this.money.refunded).toBeGreaterThanOrEqual(amount);
        if (chance === 0) {
          const refunded = choice % 2 === 0 ? 0 : Math.floor(amount / 2);
          this.money.refunded += refunded;
          return this.tell('payment.refund_failed', { ...about, refund_id, amount, refunded, reason: 'x' });
        }
        this.money.refunded += amount;
        return this.tell('payment.refunded', { ...about, refund_id, amount });
      }
      default:
        return;
    }
  }

  private atShipping(message: string, said: Says): void {
    const named = 'shipment_id' in said.data ? said.data.shipment_id : undefined;
    const id = named ?? 'shp_1';
    const parcel = this.parcels.get(id);
    switch (said.type) {
      case 'shipment.prepare': {
        if (parcel !== undefined) return;
        const { warehouse_id, lines } = said.data;
        this.parcels.set(id, { state: 'ready', warehouse_id, lines, asked: false, holds: new Set() });
        return this.tell('shipment.ready', { shipment_id: id, tracking_number: `T${id}`, warehouse_id });
      }
      case 'shipment.dispatch':
        expect(parcel?.state).not.toBe('cancelled');
        if (parcel?.state !== 'ready') return;
        parcel.state = 'in_transit';
        return this.tell('shipment.dispatched', { shipment_id: id, tracking_number: `T${id}`, warehouse_id: parcel.warehouse_id });
      case 'shipment.refuse_dispatch':
        if (parcel !== undefined && !this.done.has(message)) parcel.asked = false;
        this.done.add(message);
        return;
      case 'shipment.cancel':
        expect(['in_transit', 'delivered']).not.toContain(parcel?.state);
        this.parcels.set(id, { state: 'cancelled', warehouse_id: '', lines: [], asked: false, holds: new Set() });
        return this.tell('shipment.cancelled', named === undefined ? {} : { shipment_id: id });
      case 'shipment.hold':
        return void parcel?.holds.add(said.data.hold_id);
      case 'shipment.release_hold':
        return void parcel?.holds.delete(said.data.hold_id);
      default:
        throw new Error(`nobody takes ${said.type}`);
    }
  }
}
