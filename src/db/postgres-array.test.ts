import { expect, it } from 'vitest';
import { ArrayParameter } from './postgres-array.ts';

const hex = (parameter: ArrayParameter): string => parameter.toPostgres().toString('hex');

it('texts, as PostgreSQL sends them itself', () => {
  // select encode(array_send(array['a', null, 'é"\\']), 'hex')
  expect(hex(new ArrayParameter('text', ['a', null, 'é"\\']))).toBe(
    '0000000100000001000000190000000300000001' + '0000000161' + 'ffffffff' + '00000004c3a9225c',
  );
});

it('whole numbers, to the last one that can be held exactly', () => {
  // select encode(array_send(array[1, -1, 9007199254740991, -9007199254740991]::bigint[]), 'hex')
  expect(hex(new ArrayParameter('bigint', [1, -1, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]))).toBe(
    '0000000100000000000000140000000400000001' +
      '000000080000000000000001' +
      '00000008ffffffffffffffff' +
      '00000008001fffffffffffff' +
      '00000008ffe0000000000001',
  );
  // select encode(array_send(array[2147483647, null]::integer[]), 'hex')
  expect(hex(new ArrayParameter('integer', [2_147_483_647, null]))).toBe(
    '0000000100000001000000170000000200000001' + '000000047fffffff' + 'ffffffff',
  );
});

it('refuses what would not come back as it went', () => {
  for (const value of [0.5, 2 ** 53, Number.NaN, 'x']) expect(() => hex(new ArrayParameter('bigint', [value]))).toThrow(RangeError);
  expect(() => hex(new ArrayParameter('integer', [2 ** 31]))).toThrow(RangeError);
});
