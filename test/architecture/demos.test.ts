import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkDemos } from './demos.ts';
import { ROOT, sourcesOf } from './source.ts';

it('each demonstration is made by tests that there are, or says why not', () => {
  expect(checkDemos(readFileSync(`${ROOT}test/journeys/README.md`, 'utf8'), sourcesOf('test/**/*.test.ts'))).toEqual([]);
});

it('one that is missing, or made by nothing, is complained about', () => {
  const page = ['| 1 | a | `test/a.test.ts` “one” |', '| 3 | b | `test/a.test.ts` “two” |', '| 4 | c |  |'].join('\n');
  expect(checkDemos(page, [{ path: 'test/a.test.ts', text: "it('one', () => {});" }])).toEqual([
    'the demonstrations are 1, 3, 4 instead of 1 to 12',
    'demonstration 3 names “two”, which is not in test/a.test.ts',
    'demonstration 4 names no test, and does not say why',
  ]);
});
