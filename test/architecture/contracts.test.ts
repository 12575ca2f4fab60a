/** The messages against what the last release promised, and what the check says to each way of breaking a promise. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RELEASED, type Release, complaintsAbout, releaseIn, releaseOf, thisVersion } from '../../scripts/contracts.ts';
import { breaches } from '../../scripts/contracts/compatibility.ts';
import { type Contract, contractsOf } from '../../scripts/contracts/schemas.ts';
import { ROOT } from './source.ts';

describe('the messages of this version', () => {
  it('keep what was released', () => {
    expect(complaintsAbout(releaseIn(ROOT + RELEASED), thisVersion())).toEqual([]);
  });

  it('are known to the release, which is not empty', () => {
    expect(Object.keys(releaseIn(ROOT + RELEASED).contracts)).toContain('order.placed');
  });
});

const line = z.object({ sku: z.string(), quantity: z.int().min(1) });
const placed = z.object({
  order_id: z.string().max(64),
  at: z.iso.datetime(),
  reason: z.enum(['new', 'again']),
  note: z.string().optional(),
  lines: z.array(line),
  ship_to: z.record(z.string(), z.string()),
  paid: z.union([z.int(), z.object({ token: z.string() })]),
});
const events = (data: z.ZodType, type = 'order.placed') => contractsOf({ [type]: data }, {});
/** What is said when the data of `order.placed` becomes this. */
const becoming = (data: z.ZodType): string[] => breaches(events(placed), events(data));

describe('within a type', () => {
  it.each<[string, z.ZodType]>([
    ['nothing', placed],
    ['one more optional field', placed.extend({ gift: z.boolean().optional() })],
    ['one with a default', placed.extend({ gift: z.boolean().default(false) })],
    ['one more optional field of each line', placed.extend({ lines: z.array(line.extend({ gift: z.boolean().optional() })) })],
    ['one within a choice', placed.extend({ paid: z.union([z.int(), z.object({ token: z.string(), by: z.string().optional() })]) })],
    [
      'words about a field',
      placed.extend({
        note: z
          .string()
          .optional()
          .meta({ description: 'By the customer.', examples: ['Ring twice'] }),
      }),
    ],
    [
      'another order of fields and of values',
      z.object({ ...placed.omit({ order_id: true }).shape, ...placed.shape, reason: z.enum(['again', 'new']) }),
    ],
  ])('%s may be added', (_, data) => {
    expect(becoming(data)).toEqual([]);
  });

  it.each<[string, z.ZodType]>([
    ['gift is new and required', placed.extend({ gift: z.boolean() })],
    ['lines[].gift is new and required', placed.extend({ lines: z.array(line.extend({ gift: z.boolean() })) })],
    ['note is required now', placed.extend({ note: z.string() })],
    ['order_id is not required any more', placed.extend({ order_id: z.string().max(64).optional() })],
    ['order_id is gone', placed.omit({ order_id: true })],
    ['note is gone', placed.omit({ note: true })],
    ['lines[].sku is gone', placed.extend({ lines: z.array(line.omit({ sku: true })) })],
    ['type of note was "string", is "boolean"', placed.extend({ note: z.boolean().optional() })],
    ['type of lines[].quantity was "integer", is "number"', placed.extend({ lines: z.array(line.extend({ quantity: z.number().min(1) })) })],
    ['type of ship_to.* was "string", is "boolean"', placed.extend({ ship_to: z.record(z.string(), z.boolean()) })],
    ['enum of reason was ["new","again"], is ["new"]', placed.extend({ reason: z.enum(['new']) })],
    ['enum of reason was ["new","again"], is ["new","again","gift"]', placed.extend({ reason: z.enum(['new', 'again', 'gift']) })],
    ['enum of reason was ["new","again"], is not set', placed.extend({ reason: z.string() })],
    ['maxLength of order_id was 64, is 32', placed.extend({ order_id: z.string().max(32) })],
    ['maxLength of order_id was 64, is 128', placed.extend({ order_id: z.string().max(128) })],
    ['minimum of lines[].quantity was 1, is 2', placed.extend({ lines: z.array(line.extend({ quantity: z.int().min(2) })) })],
    ['format of note was not set, is "email"', placed.extend({ note: z.email().optional() })],
    ['paid.token is gone', placed.extend({ paid: z.union([z.int(), z.object({})]) })],
    ['additionalProperties of its data was not set, is false', z.strictObject(placed.shape)],
  ])('is refused: %s', (change, data) => {
    expect(becoming(data)).toContain(`order.placed: ${change}: leave it as it was and make it order.placed.v2`);
  });

  it('a format is refused when it changes, not only when it comes', () => {
    expect(becoming(placed.extend({ at: z.iso.date() }))).toContain(
      'order.placed: format of at was "date-time", is "date": leave it as it was and make it order.placed.v2',
    );
  });

  it('another type is one complaint, whatever comes with it', () => {
    expect(becoming(placed.extend({ note: z.int().optional() }))).toEqual([
      'order.placed: type of note was "string", is "integer": leave it as it was and make it order.placed.v2',
    ]);
  });

  it('one change is one complaint, and each change is told', () => {
    expect(becoming(placed.omit({ note: true }).extend({ order_id: z.string().max(9), gift: z.boolean() }))).toEqual([
      'order.placed: maxLength of order_id was 64, is 9: leave it as it was and make it order.placed.v2',
      'order.placed: note is gone: leave it as it was and make it order.placed.v2',
      'order.placed: gift is new and required: leave it as it was and make it order.placed.v2',
    ]);
  });

  it('no field may be added where no other field, or only fields of one kind, were allowed', () => {
    const closed = z.strictObject({ a: z.string(), names: z.object({ b: z.string() }).catchall(z.string()) });
    const more = z.strictObject({
      a: z.string(),
      c: z.string().optional(),
      names: z.object({ b: z.string(), d: z.string().optional() }).catchall(z.string()),
    });
    expect(breaches(events(closed), events(more))).toEqual([
      expect.stringContaining('names.d is new where no other field was allowed'),
      expect.stringContaining('c is new where no other field was allowed'),
    ]);
  });

  it('fields are told from what every object has', () => {
    const odd = z.object({ constructor: z.string() });
    expect(breaches(events(odd), events(z.object({})))).toEqual([expect.stringContaining('constructor is gone')]);
  });
});

describe('types', () => {
  const reserve: Contract = { kind: 'command', to: 'inventory', data: { type: 'object' } };

  it('may be new', () => {
    expect(breaches(events(placed), { ...events(placed), ...events(placed, 'order.placed.v2') })).toEqual([]);
  });

  it('may not go', () => {
    expect(breaches(events(placed), {})).toEqual([
      'order.placed was released and is gone: define it again, and make what replaces it order.placed.v2',
    ]);
  });

  it('may not become the other kind, nor go to another service', () => {
    const became = (now: Contract): string[] => breaches({ 'stock.reserve': reserve }, { 'stock.reserve': now });
    expect(became({ kind: 'event', data: reserve.data })).toEqual([
      'stock.reserve: it was a command, is an event: leave it as it was and make it stock.reserve.v2',
    ]);
    expect(became({ ...reserve, to: 'shipping' })).toEqual([
      'stock.reserve: it went to inventory, goes to shipping: leave it as it was and make it stock.reserve.v2',
    ]);
  });

  it('count on from the version they have', () => {
    const twelve = events(placed, 'order.placed.v12');
    expect(breaches(twelve, events(placed.omit({ note: true }), 'order.placed.v12'))[0]).toMatch(/make it order\.placed\.v13$/);
  });
});

describe('a release', () => {
  const released: Release = { version: '1.0.0', contracts: events(placed) };

  it('is asked for when the version is another', () => {
    expect(complaintsAbout(released, { ...released, version: '1.1.0' })).toEqual([
      `this is version 1.1.0, ${RELEASED} is of 1.0.0: npm run contracts:release`,
    ]);
  });

  it('writes down what is promised from then on', () => {
    const next: Release = { version: '1.1.0', contracts: { ...released.contracts, ...events(placed, 'order.placed.v2') } };
    const written = JSON.parse(releaseOf(released, next)) as Release;
    expect(complaintsAbout(written, next)).toEqual([]);
    expect(complaintsAbout(written, { ...next, contracts: released.contracts })[0]).toMatch(/^order\.placed\.v2 was released and is gone/);
  });

  it('refuses to forget a promise', () => {
    expect(() => releaseOf(released, { version: '1.1.0', contracts: events(placed.omit({ note: true })) })).toThrow('order.placed: note is gone');
  });
});
