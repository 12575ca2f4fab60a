import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeCursor, encodeCursor, idSchema, localeSchema, pageFrom, pageQuerySchema, skuSchema, textSchema } from './rest.ts';

const key = z.tuple([z.int(), z.string()]);

describe('cursors', () => {
  it('come back as they were given out', () => {
    expect(decodeCursor(encodeCursor([17, 'prd_é']), key)).toEqual([17, 'prd_é']);
    expect(decodeCursor(undefined, key)).toBeUndefined();
  });

  it.each(['', 'nonsense', encodeCursor(['17', 'prd_1']), encodeCursor([17]), Buffer.from('{').toString('base64url')])('refuses %j', (text) => {
    expect(() => decodeCursor(text, key)).toThrow(expect.objectContaining({ code: 'invalid_cursor' }));
  });

  it('end where the rows end', () => {
    const rows = [1, 2, 3];
    expect(pageFrom(rows, 3, (n) => [n])).toEqual({ items: [1, 2, 3], next_cursor: null });
    expect(pageFrom(rows, 2, (n) => [n])).toEqual({ items: [1, 2], next_cursor: encodeCursor([2]) });
    expect(pageFrom([], 2, () => [0])).toEqual({ items: [], next_cursor: null });
  });
});

describe('inputs', () => {
  it('limits a page to 1..200 and takes 50 when nothing is said', () => {
    expect(pageQuerySchema.parse({})).toEqual({ limit: 50 });
    expect(pageQuerySchema.parse({ limit: '7' }).limit).toBe(7);
    for (const limit of ['0', '201', '1.5', 'x']) expect(pageQuerySchema.safeParse({ limit }).success).toBe(false);
  });

  it('trims a sku and keeps its case', () => expect(skuSchema.parse('  a-B ')).toBe('a-B'));

  it.each(['', '   ', 'a\u0000b', 'a\nb', '\u200b', 'x'.repeat(65)])('refuses the sku %j', (sku) =>
    expect(skuSchema.safeParse(sku).success).toBe(false),
  );

  it('refuses what no id can be, not what no id is', () => {
    expect(idSchema('prd').safeParse('never-was').success).toBe(true);
    expect(idSchema('prd').safeParse("1' or '1").success).toBe(false);
  });

  it('refuses a NUL in a text', () => expect(textSchema(10).safeParse('a\u0000').success).toBe(false));
});

it('a language has one form, however it is written', () => {
  expect(['de-at', 'DE-AT', 'de'].map((text) => localeSchema.parse(text))).toEqual(['de-AT', 'de-AT', 'de']);
  for (const wrong of ['', 'german please', 'de_AT', 'de-a1-']) expect(localeSchema.safeParse(wrong).success).toBe(false);
});
