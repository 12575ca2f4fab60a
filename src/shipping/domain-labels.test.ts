import { describe, expect, it } from 'vitest';
import { LABEL_STATUSES, type Label, type LabelOutcome, type LabelStatus, concluded, isLive, unwanted } from './domain-labels.ts';

const NOW = 1_000;
const label = (status: LabelStatus, given: Partial<Label> = {}): Label => ({
  id: 'lbl_1',
  shipment_id: 'shp_1',
  parcel_id: 'prc_1',
  format: 'pdf',
  status,
  unwanted: 0,
  attempts: 0,
  due_at: NOW,
  carrier: null,
  carrier_ref: null,
  content_type: null,
  sha256: null,
  error: null,
  created_at: 0,
  updated_at: 0,
  ...given,
});
const bought: LabelOutcome = {
  result: 'bought',
  carrier: 'test',
  carrier_ref: 'ref',
  document: { content_type: 'application/pdf', content: new Uint8Array(), sha256: 'hash' },
};
const failed = (result: 'untaken' | 'unknown'): LabelOutcome => ({ result, error: 'broken' });

describe('an answer of the carrier', () => {
  it('makes a label bought, with what was bought', () => {
    for (const status of ['requested', 'unknown'] as const)
      expect(concluded(label(status), bought, NOW)).toMatchObject({
        status: 'bought',
        due_at: null,
        attempts: 1,
        carrier_ref: 'ref',
        sha256: 'hash',
      });
  });

  it('makes one nobody wants any more a label to be given back', () => {
    expect(concluded(label('requested', { unwanted: 1 }), bought, NOW)).toMatchObject({ status: 'voiding', due_at: NOW, carrier_ref: 'ref' });
    expect(concluded(label('unknown', { unwanted: 1 }), { result: 'absent' }, NOW)).toMatchObject({ status: 'voided', due_at: null });
  });

  it('is final when it is a no: not bought, or not taken back', () => {
    const no: LabelOutcome = { result: 'refused', error: 'no' };
    expect(concluded(label('requested'), no, NOW)).toMatchObject({ status: 'refused', error: 'no', due_at: null });
    expect(concluded(label('voiding', { unwanted: 1 }), no, NOW)).toMatchObject({ status: 'kept', error: 'no', due_at: null });
  });

  it('that did not come is waited for, longer and longer', () => {
    expect(concluded(label('requested'), failed('untaken'), NOW)).toMatchObject({ status: 'requested', due_at: NOW + 500 });
    expect(concluded(label('requested'), failed('unknown'), NOW)).toMatchObject({ status: 'unknown', due_at: NOW + 500 });
    expect(concluded(label('voiding', { attempts: 1 }), failed('unknown'), NOW)).toMatchObject({ status: 'voiding', due_at: NOW + 2_000 });
    expect(concluded(label('unknown', { attempts: 99 }), failed('unknown'), NOW)).toMatchObject({ due_at: NOW + 900_000 });
  });
});

describe('a label nobody wants', () => {
  it('is given back, now or when its fate is known; what is over is over', () => {
    expect(unwanted(label('bought', { due_at: null }), NOW)).toMatchObject({ status: 'voiding', unwanted: 1, due_at: NOW });
    expect(unwanted(label('unknown', { due_at: 7 }), NOW)).toMatchObject({ status: 'unknown', unwanted: 1, due_at: 7 });
    for (const status of ['refused', 'voiding', 'voided', 'kept'] as const) expect(unwanted(label(status), NOW)).toEqual(label(status));
  });

  it('is not the label of its parcel any more', () => {
    expect(LABEL_STATUSES.filter((status) => isLive(label(status)))).toEqual(['requested', 'unknown', 'bought']);
    expect(LABEL_STATUSES.filter((status) => isLive(unwanted(label(status), NOW)))).toEqual([]);
  });
});
