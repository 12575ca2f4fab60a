import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkFailures, titlesOf } from './failures.ts';
import { ROOT, sourcesOf } from './source.ts';

const read = (path: string): string => readFileSync(ROOT + path, 'utf8');
const headings = (page: string): string[] => [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!);

describe('the matrix of failures', () => {
  it('has each fault once, with tests that there are', () => {
    const alerts = headings(read('docs/operating/observability.md'));
    expect(checkFailures(read('docs/operating/failures.md'), sourcesOf('{src,test}/**/*.ts'), alerts)).toEqual([]);
  });

  it('is complained about when a row is missing, doubled or strange, or names what is not there', () => {
    const page = [
      '| 1 | a | b | WaybillAway | `test/a.test.ts` “one” |',
      '| 1 | a | b | WaybillGone | `test/a.test.ts` “two” |',
      '| 2 | a | b | c |  |',
      '| 3 | a | b | c | `test/b.test.ts` “one” |',
      '| 4 | a | b | c | not shown: too dear |',
      '| 5 | a | b | c |',
      '| 61 | a | b | c | not shown: none |',
    ].join('\n');
    const complaints = checkFailures(page, [{ path: 'test/a.test.ts', text: `it('one', () => {});` }], ['WaybillAway']);
    expect(complaints.filter((complaint) => !complaint.endsWith('has no row'))).toEqual([
      'fault 1 has two rows',
      'fault 61 is none of the 60',
      'fault 1 names “two”, which is not in test/a.test.ts',
      'fault 2 names no test, and does not say why',
      'fault 3 names test/b.test.ts, which is not there',
      'fault 5 has 4 cells instead of 5',
      'there is no alert WaybillGone',
    ]);
    expect(complaints.filter((complaint) => complaint.endsWith('has no row'))).toHaveLength(55);
  });

  it('reads titles as they are written', () => {
    const text = "it('a', f); test.each([1])('b %i', f); it.runIf(x)('c', f); it(`${N} d`, f); describe('no', f); submit('no');";
    expect([...titlesOf({ path: 'test/x.test.ts', text })]).toEqual(['a', 'b %i', 'c', '${N} d']);
  });
});
