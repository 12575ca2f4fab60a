import { describe, expect, it } from 'vitest';
import { idTime, realWorld, typeIds } from './world.ts';

const zeros = (): Uint8Array => new Uint8Array(8);
const ones = (): Uint8Array => new Uint8Array(8).fill(255);
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** The 16 bytes of the UUID in a TypeID, as hex: an independent decoder. */
function uuidOf(id: string): string {
  let n = 0n;
  for (const character of id.slice(id.indexOf('_') + 1)) n = n * 32n + BigInt(ALPHABET.indexOf(character));
  return n.toString(16).padStart(32, '0');
}

describe('ids', () => {
  it('are TypeIDs: a prefix and 26 characters', () => {
    expect(realWorld().id('ord')).toMatch(/^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
  });

  it('hold a UUID of version 7 and variant 10 whatever chance gives', () => {
    for (const bytes of [zeros, ones]) {
      const uuid = uuidOf(typeIds(() => 1_700_000_000_000, bytes)('ord'));
      expect(uuid.slice(0, 12)).toBe((1_700_000_000_000).toString(16).padStart(12, '0'));
      expect(uuid[12]).toBe('7');
      expect('89ab').toContain(uuid[16]);
    }
  });

  it('keep all 62 random bits', () => {
    const uuid = uuidOf(typeIds(() => 1_700_000_000_000, ones)('ord'));
    expect(uuid.slice(16)).toBe('bfffffffffffffff');
  });

  it('never go back: within a millisecond, when it is spent, and when the clock steps back', () => {
    const clock = [...Array<number>(5_000).fill(1_000), 10, 1_000, 1_001, 1_002];
    const id = typeIds(() => clock.shift()!, zeros);
    const ids = Array.from({ length: 5_004 }, () => id('ord'));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('tell when they were minted', () => {
    expect(idTime(typeIds(() => 1_763_700_000_123, ones)('msg'))).toBe(1_763_700_000_123);
    expect(idTime('something else')).toBeNaN();
  });
});

describe('sleep', () => {
  it('ends at once when its signal is or becomes aborted', async () => {
    const { sleep } = realWorld();
    const stop = new AbortController();
    const sleeping = sleep(1e9, stop.signal);
    stop.abort();
    await sleeping;
    await sleep(1e9, stop.signal);
  });
});
