import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINES, NOW, command, gone, goneAtOnce, inEveryStatus, packed, ready, refusalOf, stepOf, told, typesOf } from '../../test/shipping/make.ts';
import { type Parcel, TRACKING_CODES, type TrackingCode, type TrackingEvent, statusOfParcels } from './domain-parcels.ts';
import type { Shipment, Step } from './domain-shipment.ts';
import { STATUSES } from './domain-table.ts';
import { deliver, parcelsOf, resolve, track, trouble } from './domain-tracking.ts';
import { unpack } from './domain-work.ts';

const [FIRST, SECOND] = packed.parcels as [Parcel, Parcel];
let made = 0;
const event = (code: TrackingCode, given: Partial<TrackingEvent> = {}): TrackingEvent => {
  made += 1;
  return {
    parcel_id: FIRST.id,
    carrier_event_id: `e${made}`,
    code,
    carrier_at: NOW + made,
    place: null,
    note: null,
    estimated_delivery: null,
    ...given,
  };
};
const of = (parcel: Parcel): Pick<TrackingEvent, 'parcel_id'> => ({ parcel_id: parcel.id });
/** Each event by itself, one after the other: what the shipment is then, and all that was said. */
const heardOneByOne = (shipment: Shipment, ...events: readonly TrackingEvent[]): Step =>
  events.reduce<Step>(
    (before, one) => {
      const step = track(before.shipment, [one], NOW);
      return { shipment: step.shipment, events: [...before.events, ...step.events] };
    },
    { shipment, events: [] },
  );
const statuses = ({ shipment }: Step): string[] => [shipment.status, ...shipment.parcels.map(({ status }) => status)];

describe('a parcel on its way', () => {
  it('goes where the carrier says', () => {
    const step = heardOneByOne(gone, event('picked_up'), event('out_for_delivery'), event('delivered'), event('delivered', of(SECOND)));
    expect(statuses(step)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(step.events).toEqual([
      { type: 'shipment.delivered', data: expect.not.objectContaining({ lines: expect.anything() as unknown }) as unknown },
    ]);
  });

  it('is in trouble, and out of it again', () => {
    const step = heardOneByOne(
      gone,
      event('delivery_attempted', { note: 'nobody at home' }),
      event('delivery_attempted'),
      event('returning'),
      event('out_for_delivery'),
    );
    expect(step.events.map(({ type, data }) => ('code' in data ? `${type} ${data.code} ${data.note}` : type))).toEqual([
      'shipment.exception delivery_attempted nobody at home',
      'shipment.exception returning ',
      'shipment.resolved',
    ]);
    expect(statuses(step)).toEqual(['in_transit', 'in_transit', 'in_transit']);
  });

  it('is lost, while another one arrives: that is a delivery of the rest', () => {
    const step = heardOneByOne(gone, event('lost'), event('delivered', of(SECOND)));
    expect(step.events).toMatchObject([
      { type: 'shipment.lost', data: { parcel_id: FIRST.id, lines: FIRST.lines, over: false } },
      { type: 'shipment.delivered', data: { lines: SECOND.lines } },
    ]);
    expect(step.shipment.sequence).toBe(gone.sequence + 2);
  });

  it('is lost after the other one has arrived: both are said in one step', () => {
    const step = heardOneByOne(gone, event('delivered', of(SECOND)), event('lost'));
    expect(typesOf(step)).toEqual(['shipment.lost', 'shipment.delivered']);
    expect(step.events[0]!.data).toMatchObject({ over: false });
  });

  it('comes back, and opens its return; the last one says that it is over', () => {
    const step = heardOneByOne(gone, event('lost'), event('returned', of(SECOND)));
    expect(step.events).toMatchObject([
      { type: 'shipment.lost', data: { over: false } },
      { type: 'shipment.returned', data: { parcel_id: SECOND.id, lines: SECOND.lines, over: true, return_id: 'rtn_01jm8r3v9qe7bvkc1xk6w2second' } },
    ]);
    expect(step.shipment.status).toBe('returned');
  });

  it('that takes the short way is one parcel with all its lines', () => {
    const step = track(goneAtOnce, [event('returned', { parcel_id: parcelsOf(goneAtOnce, NOW)[0]!.id })], NOW);
    expect(step.events).toMatchObject([{ type: 'shipment.returned', data: { lines: LINES, over: true } }]);
    expect(step.shipment).toMatchObject({ status: 'returned', parcel_count: 1 });
  });

  it('is expected when the latest event that says so says', () => {
    const day = 86_400_000;
    const later = track(gone, [event('in_transit', { carrier_at: NOW + 20, estimated_delivery: NOW + day })], NOW);
    const late = track(later.shipment, [event('in_transit', { carrier_at: NOW + 10, estimated_delivery: NOW + 9 * day })], NOW);
    expect([later, late].map(({ shipment }) => shipment.estimated_delivery)).toEqual([NOW + day, NOW + day]);
  });
});

describe('the order of events', () => {
  const anEvent = fc.record({
    code: fc.constantFrom(...(Object.keys(TRACKING_CODES) as TrackingCode[])),
    carrier_at: fc.integer({ min: 0, max: 5 }),
    parcel_id: fc.constantFrom(FIRST.id, SECOND.id),
    estimated: fc.option(fc.integer({ min: 1, max: 3 }), { nil: null }),
  });
  const isEnd = (code: string): boolean => ['delivered', 'returned', 'lost'].includes(code);
  /** At most one end a parcel: of several the first to come stays. */
  const someEvents = fc.array(anEvent, { maxLength: 12 }).map((list) => {
    const ended = new Set<string>();
    return list
      .filter(({ code, parcel_id }) => !isEnd(code) || (!ended.has(parcel_id) && Boolean(ended.add(parcel_id))))
      .map(({ estimated, ...rest }, i) => event(rest.code, { ...rest, carrier_event_id: `e${i}`, estimated_delivery: estimated }));
  });

  it('does not matter for what becomes of it, however they come, one by one or together', () => {
    fc.assert(
      fc.property(someEvents, fc.infiniteStream(fc.nat()), (events, chance) => {
        const shuffled = events.map((one) => [chance.next().value as number, one] as const).sort(([a], [b]) => a - b).map(([, one]) => one); // oxfmt-ignore
        // What is expected of something that has ended is of no interest.
        const look = ({ shipment }: Step) => [
          shipment.status,
          isEnd(shipment.status) ? null : shipment.estimated_delivery,
          shipment.parcels.map(({ status, code, tracked_at }) => [status, code, tracked_at]),
        ];
        const expected = look(heardOneByOne(gone, ...events));
        expect(look(heardOneByOne(gone, ...shuffled))).toEqual(expected);
        expect(look(track(gone, shuffled, NOW))).toEqual(events.length === 0 ? look({ shipment: gone, events: [] }) : expected);
      }),
    );
  });

  it('never takes a parcel back from an end, and a delivery is said once at most', () => {
    fc.assert(
      fc.property(fc.array(anEvent, { maxLength: 20 }), (list) => {
        let shipment = gone;
        const said: string[] = [];
        list.forEach(({ estimated: _estimated, ...one }, i) => {
          const ended = shipment.parcels.filter(({ status }) => isEnd(status)).map(({ id, status }) => [id, status]);
          const step = track(shipment, [event(one.code, { ...one, carrier_event_id: `e${i}` })], NOW);
          for (const [id, status] of ended) expect(step.shipment.parcels.find((parcel) => parcel.id === id)!.status).toBe(status);
          expect(step.shipment.sequence).toBe(shipment.sequence + step.events.length);
          shipment = step.shipment;
          said.push(...typesOf(step));
        });
        expect(shipment.status).toBe(statusOfParcels(shipment.parcels));
        expect(said.filter((type) => type === 'shipment.delivered')).toHaveLength(shipment.status === 'delivered' ? 1 : 0);
        const ends = shipment.parcels.filter(({ status }) => status === 'lost' || status === 'returned').length;
        expect(said.filter((type) => type === 'shipment.lost' || type === 'shipment.returned')).toHaveLength(ends);
      }),
    );
  });
});

describe('the carrier is faster than we are', () => {
  it('a scan of what nobody has dispatched asks for the dispatch, once', () => {
    const scanned = track(packed, [event('picked_up')], NOW);
    expect(scanned).toMatchObject({ shipment: { status: 'packed', dispatch_requested_at: NOW }, events: [{ type: 'shipment.dispatch_requested' }] });
    expect(typesOf(track(scanned.shipment, [event('out_for_delivery')], NOW))).toEqual([]);
    expect(typesOf(track(packed, [event('announced')], NOW))).toEqual([]);
  });

  it('what was scanned counts once it has left', () => {
    const scanned = heardOneByOne(ready, ...['picked_up', 'delivered'].map((code) => event(code as TrackingCode)));
    expect(scanned.shipment.status).toBe('ready');
    const left = stepOf(told(scanned.shipment, command('shipment.dispatch')));
    expect(typesOf(left)).toEqual(['shipment.dispatched', 'shipment.delivered']);
    expect(left.shipment).toMatchObject({ status: 'delivered', delivered_at: scanned.shipment.parcels[0]!.ended_at });
  });

  it('on hold it is not asked for until the hold is released', () => {
    const held = stepOf(told(packed, command('shipment.hold', { hold_id: 'hld_1' }))).shipment;
    const scanned = track(held, [event('picked_up')], NOW);
    expect(typesOf(scanned)).toEqual([]);
    expect(typesOf(told(scanned.shipment, command('shipment.release_hold', { hold_id: 'hld_1' })))).toEqual(['shipment.dispatch_requested']);
  });

  it('what the carrier has cannot be unpacked, and what was cancelled stays so', () => {
    const scanned = track(packed, [event('picked_up')], NOW).shipment;
    expect(refusalOf(unpack({ ...scanned, dispatch_requested_at: null }, NOW)).message).toContain('its carrier has a parcel of it');
    const cancelled = { ...inEveryStatus.cancelled, parcels: [] };
    const { shipment } = track(cancelled, [event('picked_up', { parcel_id: parcelsOf(cancelled, NOW)[0]!.id })], NOW);
    expect(shipment).toMatchObject({ status: 'cancelled', parcels: [{ status: 'cancelled', carrier_status: null }] });
  });

  it('what comes after the end is kept and moves nothing', () => {
    for (const status of ['delivered', 'returned', 'lost', 'cancelled', 'pending'] as const)
      expect(track(inEveryStatus[status], [event('announced')], NOW)).toMatchObject({ shipment: { status }, events: [] });
  });
});

describe('a person', () => {
  it('says what a carrier says, and it counts from then on', () => {
    const ahead = track(gone, [event('in_transit', { carrier_at: NOW + 999_999 })], NOW).shipment;
    const step = stepOf(trouble(ahead, { parcel_id: FIRST.id, code: 'exception', note: 'wet' }, NOW));
    expect(step).toMatchObject({
      events: [{ type: 'shipment.exception', data: { note: 'wet' } }],
      tracked: [{ code: 'exception', carrier_at: NOW + 1_000_000 }],
    });
    expect(stepOf(resolve(step.shipment, { as: 'lost' }, NOW))).toMatchObject({
      events: [{ type: 'shipment.lost' }],
      shipment: { status: 'in_transit' },
    });
  });

  it('need not name the parcel where there is one', () => {
    expect(stepOf(trouble(goneAtOnce, { code: 'returning', note: 'refused' }, NOW)).shipment).toMatchObject({ status: 'exception', parcel_count: 1 });
    expect(refusalOf(trouble(gone, { code: 'exception', note: 'wet' }, NOW)).errors[0]).toMatchObject({
      field: 'parcel_id',
      rule: 'is required: 2 parcels are under way',
    });
    expect(refusalOf(trouble(gone, { parcel_id: 'prc_none', code: 'exception', note: 'wet' }, NOW)).code).toBe('parcel_not_found');
  });

  it('says that everything has arrived: what was lost stays lost', () => {
    const lost = track(gone, [event('lost')], NOW).shipment;
    const step = stepOf(deliver(lost, NOW));
    expect(statuses(step)).toEqual(['delivered', 'lost', 'delivered']);
    expect(step).toMatchObject({ events: [{ type: 'shipment.delivered', data: { lines: SECOND.lines } }], tracked: [{ parcel_id: SECOND.id }] });
  });

  it('is refused where nothing is under way, or nothing in trouble', () => {
    for (const status of STATUSES) {
      const shipment = inEveryStatus[status];
      if (status !== 'in_transit' && status !== 'exception')
        expect(refusalOf(trouble(shipment, { code: 'exception', note: '' }, NOW)).message).toContain('cannot be in trouble');
      if (status !== 'exception') expect(refusalOf(resolve(shipment, { as: 'lost' }, NOW)).message).toContain('cannot be resolved');
    }
  });
});
