/**
 * Whether types of messages still keep what was promised of them.
 *
 * A message lives longer than the program that said it: in outboxes, queues, timers and dead letters, and beside programs of another
 * version that are not replaced yet. So old data must fit the new schema and new data the old one. What leaves both true is adding an
 * optional field to an object that may have more; a new type; and words about a field. Everything else is a new type. That includes what looks
 * harmless from one side: one more value of an enum is refused by every consumer that does not know it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Contract, Contracts } from './schemas.ts';

/** Keywords that promise nothing. */
const WORDS = new Set(['$schema', '$id', '$comment', 'title', 'description', 'examples', 'default', 'deprecated']);

type Keywords = Readonly<Record<string, unknown>>;

/** What was promised and is not kept, one sentence each, with the way out. Pure. */
export function breaches(released: Contracts, current: Contracts): string[] {
  return Object.entries(released).flatMap(([type, before]) => {
    const after = current[type];
    if (after === undefined) return [`${type} was released and is gone: define it again, and make what replaces it ${successorOf(type)}`];
    return changes(before, after).map((change) => `${type}: ${change}: leave it as it was and make it ${successorOf(type)}`);
  });
}

/** `order.placed.v2` after `order.placed`, `.v3` after `.v2`. */
function successorOf(type: string): string {
  const version = /^(.+)\.v(\d+)$/.exec(type);
  return version ? `${version[1]}.v${Number(version[2]) + 1}` : `${type}.v2`;
}

function changes(before: Contract, after: Contract): string[] {
  if (before.kind !== after.kind) return [`it was ${article(before.kind)}, is ${article(after.kind)}`];
  if (before.to !== after.to) return [`it went to ${before.to}, goes to ${after.to}`];
  return changesOf('', { ...before.data }, { ...after.data });
}

const article = (kind: Contract['kind']): string => (kind === 'event' ? 'an event' : 'a command');

/** The changes of a schema and of those inside it. `path` is the field it is of, empty for the data as a whole. */
function changesOf(path: string, before: Keywords, after: Keywords): string[] {
  // Another type has other keywords, too; that goes without saying.
  if (!same('type', before['type'], after['type'])) return [changed('type', path, before['type'], after['type'])];
  const keywords = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((keyword) => !WORDS.has(keyword));
  return keywords.flatMap((keyword) => {
    const [was, is] = [before[keyword], after[keyword]];
    if (keyword === 'properties') return fieldChanges(path, before, after);
    if (keyword === 'required') return requiredChanges(path, before, after);
    if (keyword === 'items' && isSchema(was) && isSchema(is)) return changesOf(`${path}[]`, was, is);
    if (keyword === 'additionalProperties' && isSchema(was) && isSchema(is)) return changesOf(join(path, '*'), was, is);
    if (isChoice(keyword) && areSchemas(was) && areSchemas(is) && was.length === is.length)
      return was.flatMap((one, i) => changesOf(path, one, is[i]!));
    return same(keyword, was, is) ? [] : [changed(keyword, path, was, is)];
  });
}

function fieldChanges(path: string, before: Keywords, after: Keywords): string[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const added = Object.keys(now).filter((name) => !Object.hasOwn(old, name));
  return [
    ...Object.entries(old).flatMap(([name, was]) =>
      Object.hasOwn(now, name) ? changesOf(join(path, name), was, now[name]!) : [`${join(path, name)} is gone`],
    ),
    ...added.filter(() => !isOpen(before)).map((name) => `${join(path, name)} is new where no other field was allowed`),
  ];
}

function requiredChanges(path: string, before: Keywords, after: Keywords): string[] {
  const [old, now] = [requiredOf(before), requiredOf(after)];
  const [known, kept] = [fieldsOf(before), fieldsOf(after)];
  return [
    ...now
      .filter((name) => !old.includes(name))
      .map((name) => `${join(path, name)} is ${Object.hasOwn(known, name) ? 'required now' : 'new and required'}`),
    // A field that is gone has been told already.
    ...old.filter((name) => !now.includes(name) && Object.hasOwn(kept, name)).map((name) => `${join(path, name)} is not required any more`),
  ];
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
const isSchema = (value: unknown): value is Keywords => typeof value === 'object' && value !== null && !Array.isArray(value);
const areSchemas = (value: unknown): value is readonly Keywords[] => Array.isArray(value) && value.every(isSchema);
const isChoice = (keyword: string): boolean => ['anyOf', 'oneOf', 'allOf'].includes(keyword);
const requiredOf = ({ required }: Keywords): readonly string[] => (Array.isArray(required) ? required.map(String) : []);

function fieldsOf({ properties }: Keywords): Readonly<Record<string, Keywords>> {
  if (!isSchema(properties)) return {};
  // `true` and `false` are schemas, too; as keywords they differ from everything else.
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, isSchema(schema) ? schema : { schema }]));
}

/** May the object have fields beside those it names, of any kind? */
const isOpen = ({ additionalProperties: others }: Keywords): boolean =>
  others === undefined || others === true || (isSchema(others) && Object.keys(others).length === 0);

const changed = (keyword: string, path: string, was: unknown, is: unknown): string =>
  `${keyword} of ${path || 'its data'} was ${told(was)}, is ${told(is)}`;

const same = (keyword: string, was: unknown, is: unknown): boolean => isDeepStrictEqual(sorted(keyword, was), sorted(keyword, is));

/** The order of the values of an enum means nothing. */
const sorted = (keyword: string, value: unknown): unknown =>
  (keyword === 'enum' || keyword === 'type') && Array.isArray(value) ? value.map((one) => JSON.stringify(one)).toSorted() : value;

const told = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value));
