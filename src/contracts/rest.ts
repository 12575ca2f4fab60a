/**
 * What the REST answers of all services have in common: pages and their cursors, and the schemas of ids, times, money and texts.
 *
 * Lists are paged by key, not by offset: a cursor holds the sort key of the last item given out, so that page 10,000 costs what page
 * one costs and an item inserted meanwhile shifts nothing. A cursor is opaque to clients and checked like any other input.
 */
import { z } from 'zod';
import { Refusal } from '../kernel/errors.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import type { IdPrefix } from '../kernel/world.ts';

/** The most lines one request may carry, whatever it does with them. */
export const LINES_MAX = 1_000;
/** The largest quantity of one thing accepted anywhere. */
export const QUANTITY_MAX = 1_000_000_000;

/**
 * Text of one line, 1 to `max` characters: no control characters (PostgreSQL cannot keep a NUL, terminals obey the others) and no halves
 * of characters (no database can keep them).
 */
export const textSchema = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'no control characters');

/** Text that may have several lines. */
export const longTextSchema = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^(?:[^\p{Cc}\p{Cs}]|[\t\r\n])*$/u, 'no control characters but line breaks and tabs');

/** An id as input. Only its alphabet is checked: an id that never was is not found, as any other unknown id. */
export const idSchema = (prefix: IdPrefix) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, _ and -, at most 64')
    .meta({ description: `An id of the form ${prefix}_…`, examples: [`${prefix}_01jm8r3v9qe7bvkc1xk6w2t4nz`] });

/** A sku is what the owner of the goods calls them: case matters, blanks around it do not. */
export const skuSchema = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'printable characters only')
  .meta({ description: 'The stock keeping unit: case-sensitive, unique.', examples: ['TSHIRT-M'] });

/** `de-at` as `de-AT`; undefined for what is no language. */
function canonicalLocale(text: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(text)[0];
  } catch {
    return undefined;
  }
}

/** A language, perhaps of a country, in its canonical form: what templates are written in. */
export const localeSchema = z
  .string()
  .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/, 'a language as in BCP 47, e.g. de or de-AT')
  .refine((text) => canonicalLocale(text) !== undefined, 'must be a language as in BCP 47, e.g. de or de-AT')
  .meta({ description: 'A language as in BCP 47.', examples: ['de-AT'] })
  .transform((text) => canonicalLocale(text)!);

export const currencySchema = z
  .string()
  .regex(/^[A-Z]{3}$/, 'three capital letters')
  .meta({ description: 'An ISO 4217 currency code.', examples: ['EUR'] });

export const quantitySchema = z
  .int()
  .min(1)
  .max(QUANTITY_MAX)
  .meta({ description: 'A number of pieces.', examples: [2] });

export const amountSchema = z
  .int()
  .min(0)
  .max(AMOUNT_MAX)
  .meta({ description: 'An amount in minor units of its currency: 1250 is 12.50 EUR.', examples: [1250] });

/** A moment in an answer. Rows keep milliseconds; `rfc3339` of kernel/time.ts makes these. */
export const timestamp = z.iso.datetime().meta({ description: 'RFC 3339, UTC.', examples: ['2026-03-01T09:30:00.000Z'] });

/** `true` or `false` in a query string. */
export const flagSchema = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Ask what would come of a command. */
export const dryRunSchema = z
  .boolean()
  .optional()
  .meta({ description: 'Say what would come of it, and change nothing; ids in the answer are examples. Its Idempotency-Key stays unused.' });

/** The answer of a command that was only rehearsed. */
export const rehearsed = <Shape extends z.ZodRawShape>(answer: z.ZodObject<Shape>) =>
  answer.extend({ dry_run: z.literal(true) }).meta({ id: undefined });

/** The version a client believes it changes: another one is refused as `version_mismatch`. */
export const expectedVersionSchema = z.int().min(1).optional().meta({ description: 'Refuse the change unless the thing still has this version.' });

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\u0021-\u007e]{1,255}$/, 'visible ASCII characters, at most 255')
  .meta({ description: 'Repeating a request with its key has one effect and gets the same answer, for 30 days.' });

/** The query parameters every list has; extend it with filters. */
export const pageQuerySchema = z.object({
  cursor: z.string().min(1).max(1_024).optional().meta({ description: '`next_cursor` of the page before; the first page without.' }),
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: 'Items on a page, at most.' }),
});

/** The answer of a list. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: 'For the next page; null on the last one.' }),
  });

export type CursorValue = string | number;

/** The sort key of an item as an opaque text. */
export const encodeCursor = (values: readonly CursorValue[]): string => Buffer.from(JSON.stringify(values)).toString('base64url');

/**
 * The sort key out of a cursor; undefined without one. `schema` says what this list's keys look like, e.g. `z.tuple([z.int(), z.string()])`.
 * Throws the Refusal `invalid_cursor` for anything else.
 */
export function decodeCursor<Values extends readonly CursorValue[]>(text: string | undefined, schema: z.ZodType<Values>): Values | undefined {
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(parseJsonOrUndefined(Buffer.from(text, 'base64url').toString()));
  if (!parsed.success || parsed.data.some((value) => typeof value === 'string' && /[\p{Cc}\p{Cs}]/u.test(value)))
    throw new Refusal('invalid_cursor', 'the cursor was not given out by this list', [{ field: 'cursor', rule: 'not a cursor of this list' }]);
  return parsed.data;
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A page out of `limit + 1` rows read: the row too many says that there is a next page. `keyOf` is the sort key of an item. */
export function pageFrom<Item>(
  rows: readonly Item[],
  limit: number,
  keyOf: (item: Item) => readonly CursorValue[],
): { items: Item[]; next_cursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next_cursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}

/** The answer of a route that hands out a document instead of JSON. */
export interface FileAnswer {
  /** Its media type. */
  readonly type: string;
  readonly body: Uint8Array;
  readonly sha256: string;
  /** What to call it when it is saved. */
  readonly name: string;
}

/** `types`: the media types it may have. */
export const fileSchema = (types: readonly string[]) => z.custom<FileAnswer>((answer) => types.includes((answer as FileAnswer).type)).meta({ types });
