/** The table against what is really done: each trigger, in each status. */
import { describe, expect, it } from 'vitest';
import { NOW, command, inEveryStatus, told } from '../../test/shipping/make.ts';
import { Refusal } from '../kernel/errors.ts';
import { requestDispatch } from './domain.ts';
import type { Shipment, Step } from './domain-shipment.ts';
import { SHIPMENT_TRANSITIONS, STATUSES, TRIGGERS, type Trigger, actOf } from './domain-table.ts';
import { deliver, parcelsOf, resolve, track, trouble } from './domain-tracking.ts';
import { pack, pick, putBack, short, unpack } from './domain-work.ts';

const firstOf = (shipment: Shipment): string => parcelsOf(shipment, NOW)[0]?.id ?? 'prc_none';
const DO: Readonly<Record<Trigger, (shipment: Shipment) => Step | Refusal | undefined>> = {
  'shipment.prepare': (shipment) => told(shipment, command('shipment.prepare')),
  'shipment.dispatch': (shipment) => told(shipment, command('shipment.dispatch')),
  'shipment.refuse_dispatch': (shipment) => told({ ...shipment, dispatch_requested_at: NOW }, command('shipment.refuse_dispatch')),
  'shipment.cancel': (shipment) => told(shipment, command('shipment.cancel')),
  'shipment.hold': (shipment) => told(shipment, command('shipment.hold', { hold_id: 'h' })),
  'shipment.release_hold': (shipment) => told(shipment, command('shipment.release_hold', { hold_id: 'h' })),
  request_dispatch: (shipment) => requestDispatch(shipment, NOW),
  pick: (shipment) => pick(shipment, NOW),
  put_back: (shipment) => putBack(shipment, NOW),
  pack: (shipment) => pack(shipment, [{}], [], NOW),
  unpack: (shipment) => unpack(shipment, NOW),
  short: (shipment) => short(shipment, { lines: [{ line_id: 'lin_1', quantity: 1 }], reason: 'r' }, NOW),
  deliver: (shipment) => deliver(shipment, NOW),
  trouble: (shipment) => trouble(shipment, { parcel_id: firstOf(shipment), code: 'exception', note: 'n' }, NOW),
  resolve: (shipment) =>
    resolve(
      { ...shipment, parcels: shipment.parcels.map((one) => ({ ...one, status: 'exception' })) },
      { parcel_id: firstOf(shipment), as: 'lost' },
      NOW,
    ),
  track: (shipment) =>
    track(shipment, [{ parcel_id: firstOf(shipment), carrier_event_id: 'e', code: 'exception', carrier_at: 1, place: null, note: null, estimated_delivery: null }], NOW), // oxfmt-ignore
};

describe.each(TRIGGERS)('%s', (trigger) => {
  it.each(STATUSES)('does to a shipment that is %s what the table says', (status) => {
    const shipment = inEveryStatus[status];
    const act = actOf(status, trigger);
    if (act === 'breach') return expect(() => DO[trigger](shipment)).toThrow(expect.objectContaining({ code: 'contract_violation' }));
    const answer = DO[trigger](shipment);
    switch (act) {
      case 'idle':
        return expect(answer).toBeUndefined();
      case 'refuse':
        return expect(answer).toBeInstanceOf(Refusal);
      case 'same':
        return expect((answer as Step).shipment.status).toBe(status);
      case 'keep':
        return expect(answer).toMatchObject({ shipment: { status } });
      default: {
        expect(answer).not.toBeInstanceOf(Refusal);
        const after = (answer as Step).shipment;
        expect(after).not.toBe(shipment);
        return expect([status, ...SHIPMENT_TRANSITIONS[status]]).toContain(after.status);
      }
    }
  });
});

it('is about all there is', () => {
  expect(Object.keys(DO).sort()).toEqual([...TRIGGERS].sort());
});
