import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { clock, diskSpace, nodeVersion } from './doctor.ts';
import { forEach } from './import/pool.ts';
import { standingOf } from './import/settle.ts';
import { explanationText, linesOf } from './orders.ts';
import { bold, facts, plural, table } from './print.ts';
import { CommandError, EXIT, refused } from './problems.ts';
import { drawn } from './progress.ts';
import { DEFAULT_URL, urlFrom } from './settings.ts';
import { comparisonText } from './what-if.ts';

describe('where the server is', () => {
  test('--url, then WAYBILL_URL, then this machine', () => {
    expect(urlFrom('http://a/', { WAYBILL_URL: 'http://b' })).toBe('http://a');
    expect(urlFrom(undefined, { WAYBILL_URL: 'http://b//' })).toBe('http://b');
    expect(urlFrom(undefined, { WAYBILL_URL: '' })).toBe(DEFAULT_URL);
  });
});

describe('the lines of an order', () => {
  test.each([
    [['A', 'B'], [], [1, 1]],
    [['A', 'B'], [3], [3, 3]],
    [
      ['A', 'B'],
      [3, 4],
      [3, 4],
    ],
  ])('%j with the quantities %j', (sku, quantity, expected) => {
    expect(linesOf({ sku, quantity }).map((line) => line.quantity)).toEqual(expected);
  });

  test('that do not fit together are a mistake in the command', () => {
    expect(() => linesOf({ sku: ['A', 'B', 'C'], quantity: [1, 2] })).toThrow(expect.objectContaining({ exitCode: EXIT.usage }) as CommandError);
  });
});

describe('a problem of the server', () => {
  const problem = {
    detail: 'the order cannot be placed',
    code: 'unknown_sku',
    next: 'Create the product first.',
    retryable: false,
    errors: [
      { field: 'lines.0.sku', rule: '"X" is unknown' },
      { field: '', rule: 'is wrong', remedy: 'Mend it.' },
    ],
  };

  test('is told with its fields and what to do', () => {
    const error = refused(problem, 'no idea');
    expect(error).toMatchObject({ message: 'the order cannot be placed', code: 'unknown_sku', exitCode: EXIT.no });
    expect(error.more).toEqual(['  lines.0.sku: "X" is unknown', '  request: is wrong. Mend it.', 'Create the product first.']);
  });

  test('whose fields all say what to do needs no more words', () => {
    const errors = [{ field: 'currency', rule: 'is required', remedy: 'Send a text.' }];
    expect(refused({ ...problem, errors }, '').more).toEqual(['  currency: is required. Send a text.']);
  });

  test('that may pass is told by its exit code', () => {
    expect(refused({ ...problem, retryable: true }, '').exitCode).toBe(EXIT.unreachable);
  });

  test('of our own making asks for the request id', () => {
    expect(refused({ code: 'internal', request_id: 'req_1' }, 'it broke')).toMatchObject({
      message: 'it broke',
      more: ['Request id: req_1'],
      exitCode: EXIT.unreachable,
    });
  });
});

describe('what is printed', () => {
  test('numbers stand to the right, and no line ends in blanks', () => {
    expect(
      table(
        ['sku', 'pieces'],
        [
          ['A', 5],
          ['BB', 1200],
        ],
      ),
    ).toBe('sku  pieces\nA         5\nBB     1200');
  });

  test('so does money, bold or not', () => {
    expect(table(['total'], [['9.00 EUR'], [bold('1,691.32 GBP')]]).split('\n')[1]).toBe('    9.00 EUR');
  });

  test('nothing is said to be nothing', () => {
    expect(table(['sku'], [])).toBe('(none)');
  });

  test('facts line up, empty ones are left out', () => {
    expect(
      facts([
        ['a', 1],
        ['long', 'x'],
        ['none', null],
        ['empty', ''],
      ]),
    ).toBe('a     1\nlong  x');
  });

  test('one is not many', () => {
    expect([plural(1, 'line'), plural(2_000, 'line')]).toEqual(['1 line', '2,000 lines']);
  });

  test('progress is a bar', () => {
    expect(drawn('orders', 1, 2, 'the server is away')).toBe(`orders       ${'█'.repeat(15)}${'░'.repeat(15)} 1 of 2 (the server is away)`);
  });

  test('an order without blockers is finished', () => {
    expect(explanationText([])).toBe('It waits for nothing: it is finished.');
  });
});

describe('what if', () => {
  const was = { orders: 1_200, parcels: 1_300, split_orders: 100, unfilled_orders: 0, unfilled_pieces: 0, distance_km: 9_000 };
  const comparison = {
    from: '2026-03-01T00:00:00.000Z',
    to: '2026-03-02T00:00:00.000Z',
    was: { ...was, parcels_of_unknown_distance: 3, cost: null },
    would_be: { ...was, parcels: 1_250, unfilled_orders: 1, unfilled_pieces: 2, parcels_of_unknown_distance: 3, cost: null },
    different_orders: 2,
    differences: [
      { order_id: 'ord_1', was: ['north', 'south'], would_be: ['south'], unfilled_was: 0, unfilled_would_be: 2 },
      { order_id: 'ord_2', was: ['north'], would_be: ['south'], unfilled_was: 0, unfilled_would_be: 0 },
    ],
    missing_pieces: 0,
  };
  const plain = (told: object, limit: number) => stripVTControlCharacters(comparisonText({ ...comparison, ...told }, limit));

  test('what differs is told with its sign, what nobody priced is left out', () => {
    const told = plain({}, 10);
    expect(told).toMatch(/^parcels +1,300 +1,250 +-50$/m);
    expect(told).toMatch(/^pieces not held +0 +2 +\+2$/m);
    expect(told).toMatch(/^orders +1,200 +1,200$/m);
    expect(told).not.toContain('cost');
    expect(plain({ was: { ...comparison.was, cost: 10 }, would_be: { ...comparison.would_be, cost: 7 } }, 10)).toMatch(/^cost.* 10 +7 +-3$/m);
  });

  test('orders that differ are named, as many as asked for', () => {
    expect(plain({}, 10)).toMatch(/^2 orders would have come from elsewhere:$/m);
    expect(plain({}, 10)).toMatch(/^ord_1 +north, south +south, 2 pieces not held$/m);
    expect(plain({}, 1)).toMatch(/elsewhere, 1 of them:$/m);
    expect(plain({}, 1)).not.toContain('ord_2');
    expect(plain({ different_orders: 0, differences: [] }, 10)).toContain('No order would have come from elsewhere.');
  });

  test('pieces taken by hand that would have been missing are a warning', () => {
    expect(plain({ missing_pieces: 1 }, 10)).toContain('1 piece taken by hand');
    expect(plain({}, 10)).not.toContain('by hand');
  });
});

describe('the doctor', () => {
  test.each([
    [nodeVersion('26.10.0'), 'good'],
    [nodeVersion('24.15.0'), 'good'],
    [nodeVersion('24.14.9'), 'bad'],
    [nodeVersion('22.0.0'), 'bad'],
    [diskSpace(5e9), 'good'],
    [diskSpace(5e8), 'bad'],
    [clock(-1_500), 'good'],
    [clock(60_000), 'warning'],
  ])('%j', (diagnosis, state) => {
    expect(diagnosis.state).toBe(state);
    expect(diagnosis.remedy === undefined).toBe(state === 'good');
  });
});

describe('where an order stands', () => {
  const stop = (state: string) => ({ stop: 'shipping', state, since: '' });
  test.each([
    ['pending', 'waiting', 'moving'],
    ['confirmed', 'requested', 'moving'],
    ['confirmed', 'done', 'ready'],
    ['shipped', 'settled', 'shipped'],
    ['delivered', 'settled', 'delivered'],
    ['cancelled', 'undone', 'over'],
    ['on_hold', 'requested', 'held'],
  ])('%s, shipping %s → %s', (status, state, standing) => {
    expect(standingOf({ status, stops: [stop(state)] })).toBe(standing);
  });
});

describe('many at once', () => {
  test('never more than allowed, and all of them', async () => {
    let now = 0;
    let most = 0;
    const done: number[] = [];
    await forEach(
      Array.from({ length: 20 }, (_, i) => i),
      3,
      async (i) => {
        most = Math.max(most, (now += 1));
        await new Promise<void>((resolve) => setImmediate(resolve));
        now -= 1;
        done.push(i);
      },
    );
    expect(most).toBe(3);
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('the first error stops the taking and is thrown, after what had begun has ended', async () => {
    let begun = 0;
    let ended = 0;
    const work = forEach(
      Array.from({ length: 100 }, (_, i) => i),
      4,
      async (i) => {
        begun += 1;
        await new Promise<void>((resolve) => setImmediate(resolve));
        ended += 1;
        if (i === 2) throw new Error('no');
      },
    );
    await expect(work).rejects.toThrow('no');
    expect(begun).toBeLessThan(20);
    expect(ended).toBe(begun);
  });
});
