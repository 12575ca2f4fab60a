import { describe, expect, it } from 'vitest';
import {
  LINES,
  NOW,
  ORDER,
  SHIPMENT,
  command,
  inEveryStatus,
  packed,
  picking,
  ready,
  refusalOf,
  stepOf,
  told,
  typesOf,
} from '../../test/shipping/make.ts';
import type { Refusal } from '../kernel/errors.ts';
import { requestDispatch } from './domain.ts';
import { isTrackingNumber } from './domain-number.ts';
import { type Shipment, type Step, shippedLines } from './domain-shipment.ts';
import { STATUSES, type ShipmentStatus } from './domain-table.ts';
import { pack, pick, putBack, short, unpack } from './domain-work.ts';

const missing = (quantity: number, line_id = 'lin_1') => ({ lines: [{ line_id, quantity }], reason: 'the shelf was empty' });
const WORK: readonly { name: string; act(shipment: Shipment): Step | Refusal; from: readonly ShipmentStatus[]; same?: ShipmentStatus }[] = [
  { name: 'picked', act: (shipment) => pick(shipment, NOW), from: ['ready'], same: 'picking' },
  { name: 'put back', act: (shipment) => putBack(shipment, NOW), from: ['picking'], same: 'ready' },
  { name: 'packed', act: (shipment) => pack(shipment, [{}], [], NOW), from: ['ready', 'picking'] },
  { name: 'unpacked', act: (shipment) => unpack(shipment, NOW), from: ['packed'], same: 'picking' },
  { name: 'reported short', act: (shipment) => short(shipment, missing(1), NOW), from: ['ready', 'picking'] },
];

describe.each(WORK)('a shipment is $name', ({ name, act, from, same }) => {
  it('where the table says so, and elsewhere refused in words that say what is possible', () => {
    for (const status of STATUSES) {
      const shipment = inEveryStatus[status];
      if (from.includes(status)) expect(stepOf(act(shipment)).shipment).not.toBe(shipment);
      else if (status === same) expect(act(shipment)).toEqual({ shipment, events: [] });
      else expect(refusalOf(act(shipment)).message).toMatch(`is ${status} and cannot be ${name}: `);
    }
  });

  it('not once its dispatch was asked for', () => {
    for (const status of from) {
      const asked = { ...inEveryStatus[status], dispatch_requested_at: NOW };
      expect(refusalOf(act(asked))).toMatchObject({ code: 'shipment_state', message: expect.stringContaining('is about to leave') as string });
    }
  });

  it('not while a hold lies on it, when it goes on towards the door', () => {
    for (const status of from) {
      const held = stepOf(told(inEveryStatus[status], command('shipment.hold', { hold_id: 'hld_1', reason: 'fraud' }))).shipment;
      if (name !== 'picked' && name !== 'packed') expect(stepOf(act(held)).shipment).not.toBe(held);
      else expect(refusalOf(act(held))).toMatchObject({ code: 'shipment_on_hold', message: expect.stringContaining('on hold (fraud)') as string });
    }
  });
});

describe('picking', () => {
  it('is said, and putting back is not', () => {
    const begun = stepOf(pick(ready, NOW));
    expect(begun).toMatchObject({
      shipment: { status: 'picking', sequence: 1 },
      events: [{ type: 'shipment.picking', data: { shipment_id: SHIPMENT } }],
    });
    expect(stepOf(putBack(begun.shipment, NOW))).toMatchObject({ shipment: { status: 'ready' }, events: [] });
  });
});

describe('packing', () => {
  it('makes parcels, the first under the number of the shipment', () => {
    const [first, second] = packed.parcels;
    expect(packed).toMatchObject({ status: 'packed', parcel_count: 2 });
    expect(first).toMatchObject({ id: 'prc_01jm8r3v9qe7bvkc1xk6w2t4nz', tracking_number: packed.tracking_number, status: 'packed', weight_g: null });
    expect(first!.lines).toEqual([{ line_id: 'lin_1', sku: 'A', quantity: 2 }]);
    expect(second).toMatchObject({ id: 'prc_01jm8r3v9qe7bvkc1xk6w2second', weight_g: 500 });
    expect(second!.tracking_number).not.toBe(first!.tracking_number);
    expect(isTrackingNumber(second!.tracking_number)).toBe(true);
  });

  it('puts everything into the only parcel when nothing is said', () => {
    const step = stepOf(pack(ready, [{ weight_g: 900, dims_mm: [300, 200, 100] }], [], NOW));
    expect(step.shipment.parcels[0]!.lines).toEqual(LINES);
    expect(step.events).toMatchObject([
      { type: 'shipment.packed', data: { order_id: ORDER, parcels: [{ weight_g: 900, dims_mm: [300, 200, 100], lines: LINES }] } },
    ]);
  });

  it.each([
    ['too little', [{ lines: [{ line_id: 'lin_1', quantity: 3 }] }], 'hold 0 of 1 × B (lin_2)'],
    ['too much', [{ lines: [{ line_id: 'lin_1', quantity: 4 }, { line_id: 'lin_2', quantity: 1 }] }], 'hold 4 of 3 × A (lin_1)'], // oxfmt-ignore
    ['a strange line', [{ lines: [...LINES, { line_id: 'lin_9', quantity: 1 }] }], 'names no line of this shipment'],
    ['no word about what lies where', [{}, { lines: LINES }], 'is required when there are several parcels'],
  ])('with %s is refused, naming it', (_, parcels, rule) => {
    const refusal = refusalOf(pack(picking, parcels, ['a', 'b'], NOW));
    expect(refusal.code).toBe('lines_do_not_match');
    expect(refusal.errors.map((error) => error.rule)).toContain(rule);
  });

  it('can be undone and done otherwise; the first parcel stays the same', () => {
    const open = stepOf(unpack(packed, NOW));
    expect(open).toMatchObject({ shipment: { status: 'picking', parcel_count: null }, events: [] });
    expect(open.shipment.parcels.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    const again = stepOf(pack({ ...open.shipment, parcels: [] }, [{}], [], NOW)).shipment;
    expect(again.parcels).toMatchObject([{ id: packed.parcels[0]!.id, status: 'packed', lines: LINES }]);
  });
});

describe('what is missing', () => {
  it('is said, and the shipment goes on with the rest', () => {
    const { shipment, events } = stepOf(short(picking, missing(2), NOW));
    expect(shippedLines(shipment)).toEqual([
      { line_id: 'lin_1', sku: 'A', quantity: 1 },
      { line_id: 'lin_2', sku: 'B', quantity: 1 },
    ]);
    expect(shipment).toMatchObject({ status: 'picking', lines: LINES });
    expect(events).toMatchObject([
      {
        type: 'shipment.shorted',
        data: {
          warehouse_id: 'whs_1',
          lines: [{ line_id: 'lin_1', sku: 'A', quantity: 2 }],
          left: shippedLines(shipment),
          reason: 'the shelf was empty',
        },
      },
    ]);
    expect(stepOf(pack(shipment, [{}], [], NOW)).shipment.parcels[0]!.lines).toEqual(shippedLines(shipment));
  });

  it('can be reported again and again, never more than is left', () => {
    const once = stepOf(short(picking, missing(2), NOW)).shipment;
    expect(refusalOf(short(once, missing(2), NOW)).errors).toEqual([{ field: 'lines.0.quantity', rule: 'must be at most 1' }]);
    const twice = stepOf(short(once, missing(1), NOW)).shipment;
    expect(shippedLines(twice)).toEqual([{ line_id: 'lin_2', sku: 'B', quantity: 1 }]);
    expect(refusalOf(short(twice, missing(1), NOW)).errors).toEqual([{ field: 'lines.0.line_id', rule: 'names no line this shipment still ships' }]);
  });

  it('may not name a line twice', () => {
    const { lines, reason } = missing(1);
    expect(refusalOf(short(picking, { lines: [...lines, ...lines], reason }, NOW)).errors[0]!.field).toBe('lines.1.line_id');
  });

  it('is everything: then the shipment is cancelled, and both are said', () => {
    const step = stepOf(short(picking, { lines: LINES, reason: 'burnt down' }, NOW));
    expect(step.shipment).toMatchObject({ status: 'cancelled', sequence: 2 });
    expect(step.events).toMatchObject([
      { type: 'shipment.shorted', data: { left: [] } },
      { type: 'shipment.cancelled', data: { order_id: ORDER, shipment_id: SHIPMENT } },
    ]);
  });
});

describe('a hold', () => {
  const hold = (shipment: Shipment, id = 'hld_1') => told(shipment, command('shipment.hold', { hold_id: id }));
  const free = (shipment: Shipment, id = 'hld_1') => told(shipment, command('shipment.release_hold', { hold_id: id }));
  const held = stepOf(hold(packed)).shipment;

  it('stops the asking for the dispatch until it is released, and knows a repetition', () => {
    expect(refusalOf(requestDispatch(held, NOW)).code).toBe('shipment_on_hold');
    expect(hold(held)).toBeUndefined();
    const released = stepOf(free(held)).shipment;
    expect(free(released)).toBeUndefined();
    expect(typesOf(stepOf(requestDispatch(released, NOW)))).toEqual(['shipment.dispatch_requested']);
  });

  it('that was released before it came lies no more', () => {
    const early = stepOf(free(packed)).shipment;
    expect(hold(early)).toBeUndefined();
    expect(typesOf(stepOf(requestDispatch(early, NOW)))).toEqual(['shipment.dispatch_requested']);
  });

  it('keeps back what the order has decided, until the last one is released', () => {
    const ordered = stepOf(told(stepOf(hold(held, 'hld_2')).shipment, command('shipment.dispatch')));
    expect(ordered).toMatchObject({ shipment: { status: 'packed', dispatch_ordered_at: NOW }, events: [] });
    expect(told(ordered.shipment, command('shipment.dispatch'))).toBeUndefined();
    const one = stepOf(free(ordered.shipment));
    expect(one).toMatchObject({ shipment: { status: 'packed' }, events: [] });
    const none = stepOf(free(one.shipment, 'hld_2'));
    expect(none).toMatchObject({ shipment: { status: 'in_transit', dispatch_ordered_at: null }, events: [{ type: 'shipment.dispatched' }] });
  });

  it('that comes before the shipment is tried again', () => {
    for (const type of ['shipment.hold', 'shipment.release_hold'] as const)
      expect(() => told(undefined, command(type, { hold_id: 'hld_1' }))).toThrow(expect.objectContaining({ code: 'conflict' }));
  });

  it('means nothing to what has left or was cancelled', () => {
    for (const status of ['in_transit', 'exception', 'delivered', 'returned', 'lost', 'cancelled'] as const)
      expect(hold(inEveryStatus[status])).toBeUndefined();
  });
});

describe('one shipment of several', () => {
  it('has the id its order chose, and its answers name it', () => {
    const prepare = command('shipment.prepare', {
      shipment_id: 'shp_second',
      number: 'N',
      warehouse_id: 'whs_2',
      customer: { id: 'c' },
      lines: LINES,
    });
    const step = stepOf(told(undefined, prepare));
    expect(step.shipment).toMatchObject({ id: 'shp_second', order_id: ORDER, warehouse_id: 'whs_2' });
    expect(isTrackingNumber(step.shipment.tracking_number!)).toBe(true);
    expect(stepOf(told(step.shipment, command('shipment.cancel', { shipment_id: 'shp_second' }))).events).toEqual([
      { type: 'shipment.cancelled', data: { order_id: ORDER, shipment_id: 'shp_second' } },
    ]);
  });

  it('cancelled before it was prepared stays cancelled', () => {
    const tomb = stepOf(told(undefined, command('shipment.cancel', { shipment_id: 'shp_second' }))).shipment;
    expect(tomb).toMatchObject({ id: 'shp_second', status: 'cancelled' });
    expect(told(tomb, command('shipment.prepare', { shipment_id: 'shp_second' }))).toBeUndefined();
  });
});
