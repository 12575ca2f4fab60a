import { describe, expect, it } from 'vitest';
import type { DataOf } from '../contracts/messages.ts';
import { Refusal } from '../kernel/errors.ts';
import { CALL_AGAIN_MS, type ShipmentCommand, obey, pauseAfter, requestDispatch } from './domain.ts';
import { isTrackingNumber, trackingNumberOf } from './domain-number.ts';
import { type Shipment, type Step, moved, shipmentIdOf } from './domain-shipment.ts';
import { SHIPMENT_TRANSITIONS, STATUSES, type ShipmentStatus } from './domain-table.ts';
import { deliver } from './domain-tracking.ts';

const NOW = 1_000;
const statuses = STATUSES;
const ORDER = 'ord_01jm8r3v9qe7bvkc1xk6w2t4nz';

const prepareData: DataOf<'shipment.prepare'> = {
  order_id: ORDER,
  number: 'ORD-2026-000001',
  warehouse_id: 'whs_1',
  customer: { id: 'cus_1', name: 'Ada' },
  ship_to: { city: 'Bern' },
  lines: [{ line_id: 'lin_1', sku: 'A', quantity: 2 }],
};
const command = (type: ShipmentCommand['type'], data: object = { order_id: ORDER, reason: 'capture_failed' }): ShipmentCommand =>
  ({ id: 'msg_1', type, source: 'orders', time: 0, subject: ORDER, partitionkey: ORDER, correlationid: ORDER, hops: 1, data }) as ShipmentCommand;
const prepare = command('shipment.prepare', prepareData);
const given = (shipment: Shipment | undefined, what: ShipmentCommand): Step | undefined =>
  obey({ id: what.data.shipment_id ?? shipmentIdOf(what.data.order_id), shipment }, what, NOW, NOW + 30);
const types = (step: Step | undefined): string[] => step?.events.map(({ type }) => type) ?? [];
const refusalOf = (answer: Step | Refusal): string => {
  if (!(answer instanceof Refusal)) throw new Error('it was not refused');
  expect(answer.code).toBe('shipment_state');
  return answer.message;
};
const stepOf = (answer: Step | Refusal): Step => {
  if (answer instanceof Refusal) throw answer;
  return answer;
};

const pending = given(undefined, prepare)!.shipment;
const ready = moved(pending, 'ready', NOW);
const inTransit = given(ready, command('shipment.dispatch'))!.shipment;
const everyStatus: Record<ShipmentStatus, Shipment> = {
  pending,
  ready,
  picking: moved(ready, 'picking', NOW),
  packed: moved(ready, 'packed', NOW),
  in_transit: inTransit,
  exception: moved(inTransit, 'exception', NOW),
  lost: moved(inTransit, 'lost', NOW),
  delivered: stepOf(deliver(inTransit, NOW)).shipment,
  cancelled: given(ready, command('shipment.cancel'))!.shipment,
  returned: moved(inTransit, 'returned', NOW),
};

describe('the status of a shipment', () => {
  it('is reached as its name says', () => {
    for (const status of statuses) expect(everyStatus[status].status).toBe(status);
  });

  it('changes along the table and not otherwise', () => {
    const pairs = statuses.flatMap((from) => statuses.map((to) => ({ from, to, legal: SHIPMENT_TRANSITIONS[from].includes(to) })));
    for (const { from, to } of pairs.filter(({ legal }) => legal)) expect(moved(everyStatus[from], to, NOW).status).toBe(to);
    for (const { from, to } of pairs.filter(({ legal }) => !legal)) {
      expect(() => moved(everyStatus[from], to, NOW)).toThrow(`is ${from} and cannot become ${to}`);
    }
  });
});

describe('a preparation', () => {
  it('makes a shipment with a tracking number, due for the carrier', () => {
    expect(given(undefined, prepare)).toMatchObject({
      shipment: {
        id: 'shp_01jm8r3v9qe7bvkc1xk6w2t4nz',
        order_id: ORDER,
        order_number: 'ORD-2026-000001',
        warehouse_id: 'whs_1',
        recipient: 'Ada',
        status: 'pending',
        ship_to: { city: 'Bern' },
        due_at: NOW + 30,
      },
      events: [],
    });
  });

  it('changes nothing when there is a shipment already, also a cancelled one', () => {
    for (const shipment of Object.values(everyStatus)) expect(given(shipment, prepare)).toBeUndefined();
  });

  it('asked for again is answered once more by a shipment that waits to leave', () => {
    const again = command('shipment.prepare', { ...prepareData, again: true });
    for (const [status, shipment] of Object.entries(everyStatus)) {
      const answers = status === 'ready' || status === 'picking' || status === 'packed';
      expect(given(shipment, again)?.events.map(({ type }) => type)).toEqual(answers ? ['shipment.ready'] : undefined);
      if (answers) expect(given(shipment, again)!.shipment).toEqual({ ...shipment, sequence: shipment.sequence + 1 });
    }
  });
});

describe('a dispatch', () => {
  it('is asked for by a person; who asks again is heard again, for the order may not have been', () => {
    const asked = stepOf(requestDispatch(ready, NOW));
    expect(asked).toMatchObject({ shipment: { status: 'ready', dispatch_requested_at: NOW }, events: [{ type: 'shipment.dispatch_requested' }] });
    expect(stepOf(requestDispatch(asked.shipment, NOW)).events).toEqual(asked.events);
    expect(stepOf(requestDispatch(inTransit, NOW))).toEqual({ shipment: inTransit, events: [] });
  });

  it('is refused where it is not possible, saying what is', () => {
    expect(refusalOf(requestDispatch(pending, NOW))).toMatch(/is pending and cannot be dispatched: the carrier does not know of it yet/);
    for (const status of ['delivered', 'cancelled', 'returned'] as const)
      expect(refusalOf(requestDispatch(everyStatus[status], NOW))).toContain(`is ${status}`);
  });

  it('is ordered by the order, and said once', () => {
    const asked = stepOf(requestDispatch(ready, NOW)).shipment;
    expect(given(asked, command('shipment.dispatch'))).toMatchObject({
      shipment: { status: 'in_transit', dispatched_at: NOW, dispatch_requested_at: null },
      events: [{ type: 'shipment.dispatched' }],
    });
    for (const status of ['in_transit', 'delivered', 'returned'] as const) {
      expect(given(everyStatus[status], command('shipment.dispatch'))).toBeUndefined();
      expect(given(everyStatus[status], command('shipment.dispatch', { order_id: ORDER, again: true }))).toMatchObject({
        shipment: { status },
        events: [{ type: 'shipment.dispatched' }],
      });
    }
  });

  it('that nobody could have ordered is a breach of contract', () => {
    for (const shipment of [undefined, pending, everyStatus.picking, everyStatus.cancelled])
      expect(() => given(shipment, command('shipment.dispatch'))).toThrow(/no shipment|cannot be meant/);
  });

  it('may be refused, and then be asked for again', () => {
    const asked = stepOf(requestDispatch(ready, NOW)).shipment;
    const refused = given(asked, command('shipment.refuse_dispatch'))!;
    expect(refused).toMatchObject({ shipment: { status: 'ready', dispatch_requested_at: null, refused_reason: 'capture_failed' }, events: [] });
    expect(given(refused.shipment, command('shipment.refuse_dispatch'))).toBeUndefined();
    expect(stepOf(requestDispatch(refused.shipment, NOW))).toMatchObject({
      shipment: { refused_reason: null },
      events: [{ type: 'shipment.dispatch_requested' }],
    });
  });
});

describe('a cancellation', () => {
  it('that comes first leaves a cancelled shipment behind, which the preparation finds', () => {
    const step = given(undefined, command('shipment.cancel'))!;
    expect(step).toMatchObject({ shipment: { status: 'cancelled', tracking_number: null, due_at: null }, events: [{ type: 'shipment.cancelled' }] });
    expect(given(step.shipment, prepare)).toBeUndefined();
  });

  it('ends what is pending or ready, and takes it from the carrier', () => {
    for (const shipment of [pending, stepOf(requestDispatch(ready, NOW)).shipment]) {
      expect(given(shipment, command('shipment.cancel'))).toMatchObject({
        shipment: { status: 'cancelled', due_at: null, dispatch_requested_at: null },
      });
    }
    expect(types(given(everyStatus.cancelled, command('shipment.cancel')))).toEqual(['shipment.cancelled']);
  });

  it('of what has left is a breach of contract', () => {
    for (const status of ['in_transit', 'delivered', 'returned'] as const) {
      expect(() => given(everyStatus[status], command('shipment.cancel'))).toThrow('cannot be meant for it');
    }
  });
});

describe('a delivery', () => {
  it('is said once', () => {
    expect(stepOf(deliver(inTransit, NOW))).toMatchObject({
      shipment: { status: 'delivered', delivered_at: NOW },
      events: [{ type: 'shipment.delivered' }],
    });
    expect(types(stepOf(deliver(everyStatus.delivered, NOW)))).toEqual(['shipment.delivered']); // once more: its order may not have heard it
  });

  it('is refused for what is not on its way', () => {
    for (const status of ['pending', 'ready', 'cancelled', 'returned'] as const)
      expect(refusalOf(deliver(everyStatus[status], NOW))).toContain(`is ${status} and cannot be delivered`);
  });
});

describe('a tracking number', () => {
  const number = trackingNumberOf('shp_01jm8r3v9qe7bvkc1xk6w2t4nz');

  it('follows from the id', () => {
    expect(number).toMatch(/^WBKC1XK6W2T4NZ.$/);
    expect(isTrackingNumber(number)).toBe(true);
    expect(isTrackingNumber(trackingNumberOf('shp_1'))).toBe(true);
  });

  it('shows any one character mistyped, and neighbours swapped', () => {
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.split('');
    for (let at = 2; at < number.length; at += 1) {
      const typos = alphabet
        .filter((character) => character !== number[at])
        .map((character) => number.slice(0, at) + character + number.slice(at + 1));
      expect(typos.filter(isTrackingNumber)).toEqual([]);
    }
    for (let at = 2; at < number.length - 2; at += 1) {
      const swapped = number.slice(0, at) + number[at + 1]! + number[at]! + number.slice(at + 2);
      expect(isTrackingNumber(swapped)).toBe(swapped === number);
    }
    expect(isTrackingNumber('WB')).toBe(false);
  });
});

it('the pauses between calls to the carrier follow the table, the last one for ever', () => {
  expect(CALL_AGAIN_MS.map((_, i) => pauseAfter(i + 1))).toEqual([...CALL_AGAIN_MS]);
  expect(pauseAfter(1_000)).toBe(CALL_AGAIN_MS.at(-1));
});
