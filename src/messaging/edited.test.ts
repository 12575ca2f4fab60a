import { expect, test } from 'vitest';
import { changesOf } from './edited.ts';

test.each<[string, unknown, unknown, string[]]>([
  ['nothing', { a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }, []],
  ['a field', { quantity: '2' }, { quantity: 2 }, ['quantity: "2" → 2']],
  [
    'fields of lines, added and gone',
    { lines: [{ sku: 'A', n: 1 }] },
    { lines: [{ sku: 'B' }, { sku: 'C' }] },
    ['lines.0.sku: "A" → "B"', 'lines.0.n: 1 → nothing', 'lines.1: nothing → {"sku":"C"}'],
  ],
  ['an object into a list', { a: {} }, { a: [] }, ['a: {} → []']],
  ['all of it', 'garbage', { a: 1 }, ['data: "garbage" → {"a":1}']],
  ['a token, unseen', { token: 'tok_old' }, { token: 'tok_new' }, ['token: [redacted] → [redacted]']],
])('tells what was changed: %s', (_, before, after, changes) => {
  expect(changesOf(before, after)).toEqual(changes);
});
