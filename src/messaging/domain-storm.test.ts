import { describe, expect, it } from 'vitest';
import { CALM, type Storm, afterSettled, atOnce, atTime } from './domain-storm.ts';

const failing = (storm: Storm, n: number, now: number): Storm => {
  let after = storm;
  for (let i = 0; i < n; i += 1) after = afterSettled(after, { settled: 1, failed: 1 }, now);
  return after;
};
const handling = (storm: Storm, n: number, now: number): Storm => afterSettled(storm, { settled: n, failed: 0 }, now);
const NOW = 1_000_000_000;

describe('a storm', () => {
  it('begins with twenty failures in a minute when they are more than half', () => {
    expect(failing(CALM, 19, NOW).state).toBe('calm');
    expect(failing(CALM, 20, NOW).state).toBe('resting');
    expect(failing(handling(CALM, 21, NOW), 20, NOW).state).toBe('calm');
    expect(failing(handling(CALM, 21, NOW), 22, NOW).state).toBe('resting');
  });

  it('does not begin with failures that lie far apart, nor with one after many that were handled', () => {
    let storm: Storm = CALM;
    for (let i = 0; i < 100; i += 1) storm = failing(storm, 1, NOW + i * 10_000);
    expect(storm.state).toBe('calm');
    let busy: Storm = CALM;
    for (let i = 0; i < 1_000; i += 1) busy = failing(handling(busy, 500, NOW + i), 1, NOW + i);
    expect(busy.state).toBe('calm');
  });

  it('what was a minute ago no longer counts', () => {
    expect(failing(handling(CALM, 1_000, NOW), 20, NOW + 70_000).state).toBe('resting');
  });

  it('rests, tries one, eight, sixty-four, and is over', () => {
    let storm = failing(CALM, 20, NOW);
    expect(atTime(storm, NOW + 4_999).state).toBe('resting');
    storm = atTime(storm, NOW + 5_000);
    const taken: number[] = [];
    while (storm.state === 'trying') {
      taken.push(atOnce(storm));
      storm = handling(storm, atOnce(storm), NOW + 5_000);
    }
    expect([taken, storm, atOnce(storm)]).toEqual([[1, 8, 64], CALM, Number.POSITIVE_INFINITY]);
  });

  it('rests twice as long each time, a minute at most', () => {
    let storm = failing(CALM, 20, NOW);
    const rests: number[] = [];
    let now = NOW;
    for (let i = 0; i < 6; i += 1) {
      if (storm.state !== 'resting') throw new Error('it should rest');
      rests.push(storm.until - now);
      now = storm.until;
      storm = failing(atTime(storm, now), 1, now);
    }
    expect(rests).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('is over although some still fail, and not while most do', () => {
    const trying = atTime(failing(CALM, 20, NOW), NOW + 5_000);
    const second = handling(trying, 1, NOW + 5_000);
    const some = handling(failing(second, 4, NOW + 5_000), 4, NOW + 5_000);
    expect([some.state, atOnce(some)]).toEqual(['trying', 64]);
    expect(failing(second, 5, NOW + 5_000).state).toBe('resting');
  });
});
