import { describe, expect, it } from 'vitest';
import { type Warehouse, archived, born, revised } from './domain-catalogue.ts';

const warehouse: Warehouse = {
  ...born('whs_1', 1_000),
  name: 'North',
  location: 'Oslo',
  priority: 100,
  country: 'NO',
  postal_code: null,
  latitude_e6: null,
  longitude_e6: null,
};

describe('a revision', () => {
  it('changes what is given and counts', () => {
    expect(revised(warehouse, { location: 'Bergen', name: undefined }, undefined, 2_000)).toEqual({
      ...warehouse,
      location: 'Bergen',
      version: 2,
      updated_at: 2_000,
    });
  });

  it('is none when nothing changes', () => {
    expect(revised(warehouse, { name: 'North', archived: false }, 1, 2_000)).toBeUndefined();
  });

  it('is refused for another version than the one expected', () => {
    expect(() => revised(warehouse, { name: 'South' }, 2, 2_000)).toThrow(expect.objectContaining({ code: 'version_mismatch' }));
    expect(() => archived(warehouse, 2, 2_000)).toThrow(expect.objectContaining({ code: 'version_mismatch' }));
  });

  it('goes to the archive and back', () => {
    const away = archived(warehouse, 1, 2_000)!;
    expect(away).toMatchObject({ archived_at: 2_000, version: 2 });
    expect(archived(away, undefined, 3_000)).toBeUndefined();
    expect(revised(away, { archived: false }, undefined, 3_000)).toMatchObject({ archived_at: null, version: 3 });
  });
});
