import { expect, test } from 'vitest';
import { lowMark } from './low-mark.ts';

test('a look begins where the highest place was ten seconds ago, and at the beginning every thirty', () => {
  const mark = lowMark();
  expect(mark.next(0, 5)).toEqual({ above: 0, sweep: true });
  expect(mark.next(9_999, 100)).toEqual({ above: 0, sweep: false });
  expect(mark.next(10_000, 110)).toEqual({ above: 5, sweep: false });
  expect(mark.next(19_998, 200)).toEqual({ above: 5, sweep: false });
  expect(mark.next(19_999, 200)).toEqual({ above: 100, sweep: false });
  expect(mark.next(30_000, 300)).toEqual({ above: 0, sweep: true });
  expect(mark.next(30_001, 300)).toEqual({ above: 200, sweep: false });
});

test('looks that follow each other quickly share a mark', () => {
  const mark = lowMark();
  for (let now = 0; now <= 10_000; now += 1) mark.next(now, now);
  expect(mark.next(10_001, 0).above).toBe(0);
  expect(mark.next(10_200, 0).above).toBe(200);
});

test('what is forgotten is looked for from the beginning', () => {
  const mark = lowMark();
  mark.next(0, 5);
  mark.next(10_000, 50);
  mark.forget();
  expect(mark.next(20_000, 0)).toEqual({ above: 0, sweep: false });
});
