import { describe, expect, it } from 'vitest';
import { distanceBetween, placeOf } from './domain-distance.ts';

const hamburg = { latitude: 53.55, longitude: 9.99, country: 'DE', postal_code: '20095' };
const munich = { latitude: 48.14, longitude: 11.58, country: 'DE', postal_code: '80331' };

describe('distance', () => {
  it('is the great circle where both ends have coordinates', () => {
    expect(distanceBetween(hamburg, munich)).toBeGreaterThan(605);
    expect(distanceBetween(hamburg, munich)).toBeLessThan(618);
    expect(distanceBetween(hamburg, hamburg)).toBe(0);
    expect(distanceBetween({ latitude: 0, longitude: 179.9 }, { latitude: 0, longitude: -179.9 })).toBe(22); // the short way round
  });

  it.each([
    [{ country: 'DE', postal_code: '20095' }, 10],
    [{ country: 'de', postal_code: '200 99' }, 100],
    [{ country: 'DE', postal_code: '20251' }, 200],
    [{ country: 'DE', postal_code: '22085' }, 400],
    [{ country: 'DE', postal_code: '80331' }, 800],
    [{ country: 'FR', postal_code: '20095' }, 2_000],
    [{ country: 'FR' }, 2_000],
    [{ postal_code: '20095' }, 10],
    [{ country: 'DE' }, null],
    [{}, null],
  ])('is guessed from the postal code: %j', (to, km) => {
    expect(distanceBetween({ ...hamburg, latitude: null }, to)).toBe(km);
  });

  it('reads an address as far as it says something', () => {
    expect(placeOf({ street: 'Long Street 1', postal_code: '20095', country: 'DE', latitude: '53.55', longitude: 'east' })).toEqual({
      country: 'DE',
      postal_code: '20095',
      latitude: 53.55,
      longitude: undefined,
    });
    expect(distanceBetween(hamburg, placeOf({ latitude: '948.14', longitude: '11.58', zip: '80331', country: 'DE' }))).toBe(800);
  });
});
