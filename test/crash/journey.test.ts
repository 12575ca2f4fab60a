/** The whole program killed under load: what was accepted is there, once, and every journey goes on. A longer run: `node bench/kill.ts --kills 20`. */
import { expect, test } from 'vitest';
import { killAgainAndAgain } from './kills.ts';

test('killed five times while 64 clients order: nothing lost, nothing doubled, every parcel ready', async () => {
  const report = await killAgainAndAgain({ kills: 5, connections: 64, between: [50, 800], random: Math.random });
  expect(report.complaints).toEqual([]);
  expect(report.unanswered).toBeGreaterThan(0); // else no kill hit anything
});
