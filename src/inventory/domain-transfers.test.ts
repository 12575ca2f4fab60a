import { describe, expect, it } from 'vitest';
import { type Level, stockOf } from './domain.ts';
import {
  type Transfer,
  type TransferStatus,
  type TransferStep,
  cancel,
  mayStep,
  plan,
  receive,
  send,
  shorten,
  underWay,
  writeOff,
} from './domain-transfers.ts';

const header = {
  id: 'trf_1',
  from_warehouse_id: 'whs_1',
  to_warehouse_id: 'whs_2',
  reference: null,
  client: 'test',
  operation: null,
  version: 1,
  created_at: 1,
  updated_at: 1,
};
const level = (sku: string, warehouse_id: string, available = 0): Level => ({
  sku,
  warehouse_id,
  priority: 100,
  available,
  reserved: 0,
  unavailable: 0,
  safety_stock: 0,
  low_at: null,
});
const stock = () => stockOf([level('A', 'whs_1', 5), level('B', 'whs_1', 2), level('A', 'whs_2'), level('B', 'whs_2')]);
const pieces = (...lines: [sku: string, quantity: number][]) => lines.map(([sku, quantity]) => ({ sku, quantity }));
const counts = ({ lines }: Transfer): number[][] => lines.map((line) => [line.quantity, line.sent, line.received, line.written_off]);
const refusal = (code: string, field?: string): unknown =>
  expect.objectContaining({ code, ...(field !== undefined && { errors: [expect.objectContaining({ field })] }) });

describe('a transfer', () => {
  it('goes by way of its own book: reserved, under way, there', () => {
    const all = stock();
    const planned = plan(header, pieces(['A', 4], ['B', 1]), all);
    expect(all.cell('A', 'whs_1')!.now).toEqual({ available: 1, reserved: 4, unavailable: 0 });
    const sent = send(planned, undefined, all);
    expect([sent.status, all.cell('A', 'whs_1')!.now.reserved]).toEqual(['sent', 0]);
    const part = receive(
      sent,
      [
        { sku: 'A', quantity: 1 },
        { sku: 'A', quantity: 1, account: 'unavailable' },
      ],
      all,
    );
    expect([part.status, part.lines.map(underWay)]).toEqual(['sent', [2, 1]]);
    expect(all.cell('A', 'whs_2')!.now).toEqual({ available: 1, reserved: 0, unavailable: 1 });
    const lost = writeOff(part, pieces(['A', 2]), 'lost', all);
    const done = receive(lost, undefined, all);
    expect([done.status, counts(done)]).toEqual([
      'received',
      [
        [4, 4, 2, 2],
        [1, 1, 1, 0],
      ],
    ]);
    expect(all.moves.map(({ warehouse_id, from, to, quantity }) => `${warehouse_id} ${from}>${to} ${quantity}`)).toEqual([
      'whs_1 available>reserved 4',
      'whs_1 available>reserved 1',
      'whs_1 reserved>transit:trf_1 4',
      'whs_1 reserved>transit:trf_1 1',
      'whs_2 transit:trf_1>available 1',
      'whs_2 transit:trf_1>unavailable 1',
      'whs_1 transit:trf_1>outside:shrink 2',
      'whs_2 transit:trf_1>available 1',
    ]);
  });

  it('gives back what is not sent, or all of it', () => {
    const all = stock();
    const sent = send(plan(header, pieces(['A', 4], ['B', 1]), all), pieces(['A', 3]), all);
    expect(counts(sent)).toEqual([
      [4, 3, 0, 0],
      [1, 0, 0, 0],
    ]);
    expect([all.cell('A', 'whs_1')!.now, all.cell('B', 'whs_1')!.now]).toEqual([
      { available: 2, reserved: 0, unavailable: 0 },
      { available: 2, reserved: 0, unavailable: 0 },
    ]);
    const other = stock();
    expect(cancel(plan(header, pieces(['A', 4]), other), other).status).toBe('cancelled');
    expect(other.changes()).toEqual([]);
  });

  it('is sent in part when some of it vanished before', () => {
    const all = stock();
    const shorter = shorten(plan(header, pieces(['A', 4]), all), { sku: 'A', quantity: 3, reason: 'counted' }, all);
    expect(counts(send(shorter, undefined, all))).toEqual([[1, 1, 0, 0]]);
    expect(all.cell('A', 'whs_1')!.now).toEqual({ available: 1, reserved: 0, unavailable: 0 });
  });

  it('never takes more than there is, than was planned, than is under way', () => {
    const all = stock();
    expect(() => plan(header, pieces(['A', 5], ['B', 3]), all)).toThrow(refusal('stock_insufficient', 'lines.1.quantity'));
    const planned = plan(header, pieces(['B', 2]), stock());
    expect(() => send(planned, pieces(['B', 3]), stock())).toThrow(refusal('transfer_state', 'lines.0.quantity'));
    expect(() => send(planned, pieces(['A', 1]), stock())).toThrow(refusal('unknown_sku', 'lines.0.sku'));
    const sent = { ...planned, status: 'sent' as const, lines: [{ sku: 'B', quantity: 2, sent: 2, received: 1, written_off: 0 }] };
    expect(() => receive(sent, pieces(['B', 1], ['B', 1]), stock())).toThrow(refusal('transfer_state', 'lines.1.quantity'));
    expect(() => writeOff(sent, pieces(['B', 2]), 'lost', stock())).toThrow(refusal('transfer_state', 'lines.0.quantity'));
  });

  it.each([
    ['send', 'planned', true],
    ['send', 'sent', false],
    ['send', 'received', 'transfer_state'],
    ['receive', 'planned', 'transfer_state'],
    ['receive', 'sent', true],
    ['receive', 'received', 'transfer_state'],
    ['write off', 'planned', 'transfer_state'],
    ['cancel', 'planned', true],
    ['cancel', 'cancelled', false],
    ['cancel', 'sent', 'transfer_state'],
  ] satisfies [TransferStep, TransferStatus, boolean | string][])('asked to %s when it is %s: %s', (step, status, answer) => {
    const ask = (): boolean => mayStep({ ...header, status, lines: [] }, step, undefined);
    if (typeof answer === 'string') expect(ask).toThrow(refusal(answer));
    else expect(ask()).toBe(answer);
    expect(() => mayStep({ ...header, status, lines: [] }, step, 7)).toThrow(refusal('version_mismatch', 'expected_version'));
  });
});
