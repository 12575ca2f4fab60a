/** docs/operating/settings.md against the settings there are. The page is generated; this reads it back. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../src/config.ts';

const page = readFileSync(new URL('../../docs/operating/settings.md', import.meta.url), 'utf8');

test('the page names each setting with its default, and no other', () => {
  const written = [...page.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\|/gm)].map(([, name, initial]) => [name, initial ?? '']);
  expect(written).toEqual(Object.entries(SETTINGS).map(([name, { initial }]) => [name, initial ?? '']));
});

test('every setting says what it means, in a sentence', () => {
  for (const [name, { meaning }] of Object.entries(SETTINGS)) expect(meaning, name).toMatch(/^[^|]{20,}\.$/);
});
