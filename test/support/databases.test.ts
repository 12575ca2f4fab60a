import { expect, it } from 'vitest';
import { isLeftBehind, throwAwayName } from './databases.ts';

it('what a test makes is left behind when it is still there an hour later; what others made is not ours', () => {
  const now = Date.now();
  expect(isLeftBehind(throwAwayName(now), now)).toBe(false);
  expect(isLeftBehind(throwAwayName(now - 3_599_000), now)).toBe(false);
  expect(isLeftBehind(throwAwayName(now - 3_602_000), now)).toBe(true);
  expect(isLeftBehind('waybill_orders', now)).toBe(false);
  expect(isLeftBehind('waybill_test_mine', now)).toBe(false);
});
