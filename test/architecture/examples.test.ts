import { describe, expect, it } from 'vitest';
import { type Names, answerDifferences, checkExamples, differences, examplesOf, filledIn, sceneOf, textMatches } from './examples.ts';
import { sourcesOf } from './source.ts';

const ORDER = 'ord_01kahzq3v8fhsb2m5d0c9xk7ty';
const REAL = 'ord_01kb0000000000000000000001';
const markdown = (...lines: readonly string[]): string => lines.join('\n').replaceAll("'''", '```');

describe('documents', () => {
  it('say of every command whether it is executed', () => {
    expect(sourcesOf('README.md', 'CONTRIBUTING.md', 'docs/**/*.md').flatMap(({ path, text }) => checkExamples(path, text))).toEqual([]);
  });

  it('are complained about when they do not', () => {
    expect(
      checkExamples(
        'docs/a.md',
        markdown('# A', "'''sh", 'curl x', "'''", "'''bash run", 'y', "'''", "'''sh until", 'z', "'''", "'''sh by-hand", 'npm ci', "'''"),
      ),
    ).toEqual([
      'docs/a.md:2 does not say whether it is executed: mark it sh run, sh until or sh by-hand',
      'docs/a.md:5 does not say whether it is executed: mark it sh run, sh until or sh by-hand',
      'docs/a.md:8 waits for nothing: write the answer after it',
    ]);
  });
});

describe('examples', () => {
  it('are found with the answer that follows at once', () => {
    const text = markdown(
      "'''sh run",
      'a \\',
      '  b',
      "'''",
      '',
      "'''json",
      '{"x": 1}',
      "'''",
      "'''sh until",
      'c',
      "'''",
      'Some text.',
      "'''json",
      '{}',
      "'''",
      "'''text",
      'no',
      "'''",
    );
    expect(examplesOf(text)).toEqual([
      { mode: 'run', line: 1, command: 'a \\\n  b', answer: { kind: 'json', text: '{"x": 1}' } },
      { mode: 'until', line: 9, command: 'c' },
    ]);
  });

  it('begin with what the document names, where it names something', () => {
    expect(sceneOf('# Title\n\n<!-- begins with: dead letters -->\n\ntext')).toBe('dead letters');
    expect(sceneOf('# Title\n\n<!-- something else -->')).toBeUndefined();
  });

  it('use the address of the server and the ids it gave out', () => {
    const names: Names = new Map([[ORDER, REAL]]);
    expect(filledIn(`curl http://127.0.0.1:8000/v1/orders/${ORDER}?x=prd_01kahzq3v8fhsb2m5d0c9xk7ty`, names, 'http://127.0.0.1:9')).toBe(
      `curl http://127.0.0.1:9/v1/orders/${REAL}?x=prd_01kahzq3v8fhsb2m5d0c9xk7ty`,
    );
  });
});

describe('an answer', () => {
  it('fits with other ids, numbers and times, and teaches the names', () => {
    const names: Names = new Map();
    const written = { order_id: ORDER, number: 'ORD-2026-000001', created_at: '2026-11-21T10:00:00.000Z', lines: [{ quantity: 2 }, '…'], '…': '…' };
    const real = { order_id: REAL, number: 'ORD-2031-000042', created_at: '2031-01-01T00:00:00Z', lines: [{ quantity: 2 }, 3], more: null };
    expect(differences(written, real, names)).toEqual([]);
    expect([...names]).toEqual([
      [ORDER, REAL],
      ['ORD-2026-000001', 'ORD-2031-000042'],
    ]);
  });

  it.each([
    [{ a: 1 }, { a: 2 }, 'the answer.a is 2, written down is 1'],
    [{ a: 1 }, {}, 'the answer.a is missing'],
    [{ a: 1 }, { a: 1, b: 2 }, 'the answer.b is not written down'],
    [{ a: [1, 2] }, { a: [1] }, 'the answer.a has 1 items, 2 are written down'],
    [{ a: [1] }, { a: [1, 2] }, 'the answer.a has 2 items, 1 are written down'],
    [{ a: { b: null } }, { a: null }, 'the answer.a is null, written down is {"b":null}'],
    [{ at: '2026-11-21T10:00:00Z' }, { at: 'soon' }, 'the answer.at is "soon", written down is "2026-11-21T10:00:00Z"'],
    [{ id: ORDER }, { id: 'shp_01kb0000000000000000000001' }, `the answer.id is "shp_01kb0000000000000000000001", written down is "${ORDER}"`],
    [['a'], 'a', 'the answer is "a", written down is ["a"]'],
  ])('%j is not %j', (written, real, complaint) => {
    expect(differences(written, real, new Map())).toEqual([complaint]);
  });

  it('keeps to the names it has taught', () => {
    const names: Names = new Map([[ORDER, REAL]]);
    expect(textMatches(`order ${ORDER} is …`, `order ${REAL} is ready`, names)).toBe(true);
    expect(textMatches(`order ${ORDER} is …`, `order ${ORDER} is ready`, names)).toBe(false);
  });

  it('may be text, with gaps', () => {
    const [example] = examplesOf(markdown("'''sh run", 'x', "'''", "'''text", `placed ${ORDER}`, '… lines (2)', "'''"));
    expect(answerDifferences(example!, `placed ${REAL}\n17 lines (2)\n`, new Map())).toEqual([]);
    expect(answerDifferences(example!, 'refused\n', new Map())).toEqual([`it printed\nrefused\n  written down is\nplaced ${ORDER}\n… lines (2)`]);
  });

  it('is no JSON when a command failed', () => {
    expect(answerDifferences({ mode: 'run', line: 1, command: 'x', answer: { kind: 'json', text: '{}' } }, 'oh', new Map())).toEqual([
      'it printed no JSON: oh',
    ]);
  });
});
