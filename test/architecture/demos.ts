/** The table of demonstrations in test/journeys/README.md against the tests there are. */
import { checkShown } from './failures.ts';
import type { Source } from './source.ts';

const DEMOS = 12;

export function checkDemos(page: string, sources: readonly Source[]): string[] {
  const rows = page
    .split('\n')
    .filter((line) => /^\| \d+ \|/.test(line))
    .map((line) => line.slice(2, -2).split(' | '));
  const wanted = Array.from({ length: DEMOS }, (_, i) => String(i + 1));
  const numbers = rows.map(([number]) => number!);
  return [
    ...(numbers.join() === wanted.join() ? [] : [`the demonstrations are ${numbers.join(', ')} instead of 1 to ${DEMOS}`]),
    ...rows.flatMap(([number, , shown = '']) => checkShown(`demonstration ${number}`, shown, sources)),
  ];
}
