/**
 * What came in, checked against a route's schemas, and what is wrong with it in words a person can act on.
 *
 * All parts are checked and all faults named at once. Fields nobody knows are refused, in bodies and in queries: a misspelt optional
 * field would otherwise be dropped without a word, and `discuont` costs money. They are looked for in what is otherwise right.
 */
import type { z } from 'zod';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { Route } from '../messaging/service.ts';

export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  /** Undefined without a body. */
  readonly body: unknown;
}
/** Typed by the route that declared the schemas; here nobody looks inside. */
export type Input = { readonly params: never; readonly query: never; readonly body: never };

/** The checked input of a route. Throws the Refusal `invalid_request` that names every field. */
export function readInput(route: Route, raw: RawInput): Input {
  const errors: FieldError[] = [];
  const params = read(route.params, raw.params, errors);
  const query = read(route.query, raw.query, errors, true);
  const body = read(route.body, raw.body === undefined ? {} : raw.body, errors, true);
  if (errors.length > 0) throw new Refusal('invalid_request', sentence(errors), errors);
  return { params: params as never, query: query as never, body: body as never };
}

function read(schema: z.ZodType | undefined, given: unknown, errors: FieldError[], refuseUnknown = false): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) errors.push(...explain(issue, given));
    return undefined;
  }
  if (refuseUnknown) for (const field of unknownFields(given, parsed.data)) errors.push(unknownField(field));
  return parsed.data;
}

const sentence = ([first, ...others]: readonly FieldError[]): string =>
  `${first!.field === '' ? 'the request' : first!.field} ${first!.rule}${others.length === 0 ? '' : `, and ${others.length} more`}`;

const unknownField = (field: string): FieldError => ({
  field,
  rule: 'is not a field of this request',
  remedy: 'Leave it out, or correct its name; /docs lists the fields.',
});

/**
 * The paths of fields that were given and not taken. Zod drops what a schema does not name, so what is missing afterwards was
 * unknown. A value the schema turned into something else (not an object any more) is taken.
 */
export function unknownFields(given: unknown, taken: unknown, path = ''): string[] {
  if (Array.isArray(given)) return Array.isArray(taken) ? given.flatMap((item, i) => unknownFields(item, taken[i], `${path}${i}.`)) : [];
  if (!isObject(given) || !isObject(taken)) return [];
  let found: string[] | undefined;
  for (const key of Object.keys(given)) {
    const value = given[key];
    if (!Object.hasOwn(taken, key)) (found ??= []).push(path + key);
    else if (typeof value === 'object' && value !== null) {
      const inner = unknownFields(value, taken[key], `${path}${key}.`);
      if (inner.length > 0) (found ??= []).push(...inner);
    }
  }
  return found ?? [];
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

type Issue = z.core.$ZodIssue;

/** A broken rule of a schema as field, rule and remedy. */
function explain(issue: Issue, given: unknown): FieldError[] {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField(field === '' ? key : `${field}.${key}`));
  if (at(given, issue.path) === undefined && issue.code !== 'custom') return [{ field, rule: 'is required', remedy: `Send ${expected(issue)}.` }];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return explainUnion(issue.errors, issue.path, given);
  const [rule, remedy] = words(issue, at(given, issue.path));
  return [{ field, rule, remedy }];
}

/** A union was not met: what is wrong with the alternative that came closest (the deepest fault, then the fewest). */
function explainUnion(alternatives: readonly (readonly Issue[])[], path: readonly PropertyKey[], given: unknown): FieldError[] {
  const depth = (issues: readonly Issue[]): number => Math.max(...issues.map((issue) => issue.path.length));
  const [closest] = [...alternatives].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
  return closest!.flatMap((issue) => explain({ ...issue, path: [...path, ...issue.path] }, given));
}

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (found, key) => (typeof found === 'object' && found !== null ? (found as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );

const NOUNS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};
const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'a moment such as 2026-03-01T09:30:00Z',
  date: 'a date such as 2026-03-01',
  email: 'a mail address',
  url: 'a URL',
  safeint: 'a whole number',
};

const nounOf = (name: string): string => NOUNS[name] ?? `a ${name}`;
const oneOf = (values: readonly unknown[]): string => (values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`);
const units = (origin: string, count: number | bigint): string => {
  const unit = { string: 'character', array: 'item', object: 'field' }[origin];
  return unit === undefined ? String(count) : `${count} ${unit}${count === 1 ? '' : 's'}`;
};

/** What a missing field should have been. */
function expected(issue: Issue): string {
  if (issue.code === 'invalid_type') return nounOf(issue.expected);
  if (issue.code === 'invalid_value') return oneOf(issue.values);
  return 'it';
}

/** Rule (follows the field's name) and remedy (a sentence of its own). */
function words(issue: Issue, value: unknown): [rule: string, remedy: string] {
  switch (issue.code) {
    case 'invalid_type':
      return [`must be ${nounOf(issue.expected)}`, `Send ${nounOf(issue.expected)}${typeof value === 'string' ? ', without quotes' : ''}.`];
    case 'too_small': {
      const least = units(issue.origin, issue.minimum);
      const more = issue.inclusive === false ? 'more than' : 'at least';
      return issue.origin === 'string' && issue.minimum === 1
        ? ['must not be empty', 'Send a text.']
        : [`must ${have(issue.origin)} ${more} ${least}`, `Send ${more} ${least}.`];
    }
    case 'too_big': {
      const most = units(issue.origin, issue.maximum);
      const less = issue.inclusive === false ? 'less than' : 'at most';
      return [`must ${have(issue.origin)} ${less} ${most}`, `Send ${less} ${most}.`];
    }
    case 'invalid_format': {
      // A schema that gives its pattern words (`.regex(…, 'letters and digits')`) says it better than the pattern does.
      const what = issue.format === 'regex' ? issue.message : (FORMATS[issue.format] ?? issue.format);
      return issue.format === 'regex' ? [`is not of the form asked for: ${what}`, `Write it with ${what}.`] : [`must be ${what}`, `Send ${what}.`];
    }
    case 'invalid_value':
      return [`must be ${oneOf(issue.values)}`, `Send ${oneOf(issue.values)}.`];
    case 'not_multiple_of':
      return [`must be a multiple of ${issue.divisor}`, `Send a multiple of ${issue.divisor}.`];
    case 'invalid_union':
      return [
        'is of none of the kinds known',
        `Send ${'options' in issue && Array.isArray(issue.options) ? oneOf(issue.options) : 'one of those in /docs'}.`,
      ];
    default:
      return [issue.message, 'Correct it; /docs says what it may be.'];
  }
}

const have = (origin: string): string => (['string', 'array', 'object'].includes(origin) ? 'have' : 'be');
