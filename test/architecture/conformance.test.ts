import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CASES, type CollectedTest, checkConformance, collectCases, rowsOf } from './conformance.ts';
import { ROOT } from './source.ts';

describe('the cases of conformance', () => {
  it('are shown where docs/operating/conformance.md says, and nowhere else', () => {
    expect(checkConformance(readFileSync(`${ROOT}docs/operating/conformance.md`, 'utf8'), collectCases())).toEqual([]);
  });

  it('are complained about when table and tests differ', () => {
    const page = [
      '| case | what must hold | SQLite, embedded | PostgreSQL, RabbitMQ | shown by | where not, and why |',
      '| --- | --- | --- | --- | --- | --- |',
      '| K01 | nothing | yes | yes | `a.test.ts` |  |',
      '| K02 | all | – | yes | `a.test.ts`, `b.test.ts` |  |',
      '| K02 | again | yes | yes | `a.test.ts` |  |',
    ].join('\n');
    const tests: CollectedTest[] = [
      { file: 'a.test.ts', name: 'on SQLite, embedded > K01 says nothing' },
      { file: 'a.test.ts', name: 'on SQLite, embedded > K02 says all' },
      { file: 'a.test.ts', name: 'on PostgreSQL, RabbitMQ > K02 says all' },
      { file: 'c.test.ts', name: 'on PostgreSQL, RabbitMQ > K99 is new' },
    ];
    const complaints = checkConformance(page, tests);
    expect(complaints.filter((complaint) => !complaint.endsWith('has no row') || complaint.startsWith('K99'))).toEqual([
      'K02 has two rows',
      'K99 is the name of a test and has no row',
      'K01 is not shown on PostgreSQL, RabbitMQ',
      'K02 is shown on SQLite, embedded, the table says –',
      'K02 is not shown everywhere, and nothing says why',
      'K02 is not in b.test.ts',
    ]);
    expect(complaints.filter((complaint) => complaint.endsWith('has no row'))).toHaveLength(CASES.length - 2 + 1);
  });

  it('are asked for only where the servers are', () => {
    const page = '| case | what | embedded | RabbitMQ | shown by | why |\n| C01 | kept | yes | yes | `a.test.ts` |  |';
    const here = checkConformance(page, [{ file: 'a.test.ts', name: 'the transport embedded > C01 kept' }]);
    expect(here.filter((complaint) => complaint.startsWith('C01'))).toEqual([]);
    expect(rowsOf(page)).toMatchObject([{ id: 'C01', cells: { embedded: 'yes', RabbitMQ: 'yes' } }]);
  });
});
