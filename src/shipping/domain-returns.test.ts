import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINES, NOW, ORDER, goneAtOnce, packed, stepOf as shipmentStepOf } from '../../test/shipping/make.ts';
import { Refusal } from '../kernel/errors.ts';
import { isCheckedNumber } from './domain-number.ts';
import {
  RETURN_STATUSES,
  RETURN_TRIGGERS,
  type Receipt,
  type Return,
  type ReturnStatus,
  type ReturnStep,
  type ReturnTrigger,
  approve,
  cameBack,
  cancelReturn,
  close,
  receive,
  reject,
  request,
  returnActOf,
  returnables,
  takenBack,
} from './domain-returns.ts';
import type { Shipment } from './domain-shipment.ts';
import { deliver } from './domain-tracking.ts';

const delivered: Shipment = shipmentStepOf(deliver(goneAtOnce, NOW)).shipment;
const ID = 'rtn_01jm8r3v9qe7bvkc1xk6w2t4nz';
const ask = (
  lines: readonly { line_id: string; quantity: number }[],
  returns: readonly Return[] = [],
  shipments: readonly Shipment[] = [delivered],
) => request({ order_id: ORDER, lines: lines.map((line) => ({ ...line, reason: 'too small' })) }, { shipments, returns }, { id: ID, now: NOW });
function stepOf(answer: ReturnStep | Refusal | undefined): ReturnStep {
  if (answer === undefined || answer instanceof Refusal) throw answer ?? new Error('nothing came of it');
  return answer;
}
const refusalOf = (answer: unknown): Refusal => {
  expect(answer).toBeInstanceOf(Refusal);
  return answer as Refusal;
};
const stored = ({ back }: ReturnStep): Return => ({ ...back, version: back.version + 1 });

const requested = stored(stepOf(ask([{ line_id: 'lin_1', quantity: 2 }])));
const approved = stored(stepOf(approve(requested, NOW)));
const receipt: Receipt = { warehouse_id: 'whs_2', lines: [{ line_id: 'lin_1', quantity: 1, disposition: 'restock' }, { line_id: 'lin_1', quantity: 1, disposition: 'scrap' }] }; // oxfmt-ignore
const receiving = stored(stepOf(receive(approved, receipt, NOW)));
const received = stored(stepOf(takenBack(receiving, ID, NOW)));
const inEveryStatus: Readonly<Record<ReturnStatus, Return>> = {
  requested,
  approved,
  receiving,
  received,
  closed: stored(stepOf(close(received, NOW))),
  rejected: stored(stepOf(reject(requested, { reason: 'worn' }, NOW))),
  cancelled: stored(stepOf(cancelReturn(approved, NOW))),
};

describe('the machine of a return', () => {
  const acts: Readonly<Record<ReturnTrigger, (back: Return) => ReturnStep | Refusal | undefined>> = {
    approve: (back) => approve(back, NOW),
    reject: (back) => reject(back, { reason: 'worn' }, NOW),
    cancel: (back) => cancelReturn(back, NOW),
    receive: (back) => receive({ ...back, received: null }, receipt, NOW),
    taken_back: (back) => takenBack(back, back.id, NOW),
    close: (back) => close(back, NOW),
  };

  it.each(RETURN_TRIGGERS)('does in every status what the table says: %s', (trigger) => {
    for (const status of RETURN_STATUSES) {
      const back = inEveryStatus[status];
      expect(back.status).toBe(status);
      switch (returnActOf(status, trigger)) {
        case 'go':
          expect(stepOf(acts[trigger](back)).back).not.toBe(back);
          break;
        case 'same':
          expect(acts[trigger](back)).toEqual({ back, events: [] });
          break;
        case 'refuse':
          expect(refusalOf(acts[trigger](back)).message).toMatch(new RegExp(`is ${status} and cannot be .+: `));
          break;
        case 'idle':
          expect(acts[trigger](back)).toBeUndefined();
          break;
        case 'breach':
          expect(() => acts[trigger](back)).toThrow(expect.objectContaining({ code: 'contract_violation' }));
      }
    }
    expect(() => takenBack(undefined, ID, NOW)).toThrow('which does not exist');
  });

  it('says each step, numbered, with what is expected and then what came', () => {
    const steps = [stepOf(ask([{ line_id: 'lin_1', quantity: 2 }])), stepOf(approve(requested, NOW)), stepOf(takenBack(receiving, ID, NOW))];
    expect(steps.map(({ back, events }) => [back.sequence, events[0]!.type])).toEqual([
      [1, 'return.requested'],
      [2, 'return.approved'],
      [3, 'return.received'],
    ]);
    expect(steps[0]!.events[0]!.data).toMatchObject({
      order_id: ORDER,
      return_id: ID,
      lines: [{ line_id: 'lin_1', sku: 'A', quantity: 2, reason: 'too small' }],
    });
    expect(steps[2]!.events[0]!.data).toMatchObject({
      warehouse_id: 'whs_2',
      lines: [
        { quantity: 1, disposition: 'restock', reason: 'too small' },
        { quantity: 1, disposition: 'scrap' },
      ],
    });
  });

  it('asks stock to take back what came', () => {
    expect(stepOf(receive(approved, receipt, NOW))).toMatchObject({
      events: [],
      asks: {
        type: 'stock.take_back',
        data: { return_id: ID, warehouse_id: 'whs_2', lines: [{ sku: 'A', disposition: 'restock' }, { disposition: 'scrap' }] },
      },
    });
    expect(refusalOf(receive(receiving, receipt, NOW)).message).toContain('was received already');
  });

  it('receives no more than is expected, and nothing else', () => {
    const strange = { warehouse_id: 'whs_1', lines: [{ line_id: 'lin_2', quantity: 1, disposition: 'scrap' as const }] };
    expect(refusalOf(receive(approved, strange, NOW)).errors).toEqual([{ field: 'lines.0.line_id', rule: 'names no line of this return' }]);
    const many = { ...receipt, lines: [...receipt.lines, { line_id: 'lin_1', quantity: 1, disposition: 'restock' as const }] };
    expect(refusalOf(receive(approved, many, NOW)).errors[0]).toMatchObject({ rule: 'must be together at most 2, not 3' });
  });
});

describe('what may be returned', () => {
  it('is what was delivered and is in no other return', () => {
    expect(returnables([delivered], [requested])).toEqual([
      { line_id: 'lin_1', sku: 'A', delivered: 3, returned: 2, returnable: 1 },
      { line_id: 'lin_2', sku: 'B', delivered: 1, returned: 0, returnable: 1 },
    ]);
    expect(refusalOf(ask([{ line_id: 'lin_1', quantity: 2 }], [requested])).errors).toEqual([
      { field: 'lines.0.quantity', rule: 'must be at most 1: 3 delivered, 2 in returns' },
    ]);
    for (const status of ['rejected', 'cancelled'] as const) stepOf(ask([{ line_id: 'lin_1', quantity: 3 }], [inEveryStatus[status]]));
  });

  it('is, of what was received, only what did not come', () => {
    const less = stored(stepOf(receive(approved, { ...receipt, lines: receipt.lines.slice(1) }, NOW)));
    expect(returnables([delivered], [less])[0]).toMatchObject({ returned: 1, returnable: 2 });
  });

  it('is nothing of what is still on its way, or came back by itself', () => {
    expect(refusalOf(ask([{ line_id: 'lin_1', quantity: 1 }], [], [goneAtOnce])).message).toContain('nothing of order');
    const [lost, here] = packed.parcels;
    const part = {
      ...packed,
      status: 'delivered' as const,
      parcels: [
        { ...lost!, status: 'returned' as const },
        { ...here!, status: 'delivered' as const },
      ],
    };
    expect(returnables([part], [cameBack(part, part.parcels[0]!, NOW)])).toEqual([
      { line_id: 'lin_1', sku: 'A', delivered: 1, returned: 0, returnable: 1 },
      { line_id: 'lin_2', sku: 'B', delivered: 1, returned: 0, returnable: 1 },
    ]);
  });

  it('names no line twice, and none that is not there', () => {
    expect(refusalOf(ask([...LINES.slice(1), ...LINES.slice(1)])).errors).toEqual([{ field: 'lines.1.line_id', rule: 'names a line a second time' }]);
    expect(refusalOf(ask([{ line_id: 'lin_9', quantity: 1 }])).errors[0]).toMatchObject({ field: 'lines.0.line_id' });
  });

  it('never becomes more than was delivered, whatever is asked, received, rejected and cancelled', () => {
    const move = fc.record({
      what: fc.constantFrom('ask', 'approve', 'reject', 'cancel', 'receive', 'taken'),
      which: fc.nat(5),
      quantity: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
        const returns: Return[] = [];
        const wanted = ({ what, which, quantity }: (typeof moves)[number]): ReturnStep | Refusal | undefined => {
          const line_id = 'lin_1';
          if (what === 'ask') return request({ order_id: ORDER, lines: [{ line_id, quantity, reason: 'r' }] }, { shipments: [delivered], returns }, { id: `rtn_${returns.length}`, now: NOW }); // oxfmt-ignore
          const back = returns[which];
          if (back === undefined) return undefined;
          if (what === 'approve') return approve(back, NOW);
          if (what === 'reject') return reject(back, { reason: 'r' }, NOW);
          if (what === 'cancel') return cancelReturn(back, NOW);
          if (what === 'receive') return receive(back, { warehouse_id: 'w', lines: [{ line_id, quantity, disposition: 'restock' }] }, NOW);
          return back.received === null || back.status !== 'receiving' ? undefined : takenBack(back, back.id, NOW);
        };
        for (const one of moves) {
          const step = wanted(one);
          if (step === undefined || step instanceof Refusal) continue;
          const at = returns.findIndex(({ id }) => id === step.back.id);
          returns[at < 0 ? returns.length : at] = stored(step);
          const came = returns.flatMap((back) => back.received ?? []).reduce((sum, { quantity }) => sum + quantity, 0);
          expect(came).toBeLessThanOrEqual(3);
          for (const { returnable } of returnables([delivered], returns)) expect(returnable).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('a parcel that came back', () => {
  it('is a return that waits to be received, under an id and a number of its own', () => {
    const back = cameBack(packed, { ...packed.parcels[1]!, note: 'refused' }, NOW);
    expect(back).toMatchObject({
      id: 'rtn_01jm8r3v9qe7bvkc1xk6w2second',
      status: 'receiving',
      parcel_id: packed.parcels[1]!.id,
      warehouse_id: 'whs_1',
      received: null,
    });
    expect(back.lines).toEqual(packed.parcels[1]!.lines.map((line) => ({ ...line, reason: 'refused' })));
    expect(isCheckedNumber('RT', back.number)).toBe(true);
    expect(
      stepOf(receive(back, { ...receipt, lines: [{ line_id: 'lin_2', quantity: 1, disposition: 'quarantine' }] }, NOW)).asks!.data.lines,
    ).toHaveLength(1);
  });
});
