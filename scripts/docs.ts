/**
 * Writes the reference pages that are nothing but code told to people: `npm run docs`. With `--check` it writes nothing and
 * fails when a page is not what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { SETTINGS } from '../src/config.ts';
import { COMMANDS, EVENTS } from '../src/contracts/messages.ts';
import { CATALOGUE } from '../src/kernel/errors.ts';

interface ErrorEntry {
  readonly sort: string;
  readonly retryable: boolean;
  readonly meaning: string;
  readonly next: string;
}
type Schema = z.core.JSONSchema.JSONSchema;

const row = (...cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
const code = (text: string): string => `\`${text}\``;

/** docs/errors.md: every code the program can answer or keep with a dead letter. */
export function errorsPage(catalogue: Readonly<Record<string, ErrorEntry>>): string {
  return [
    '# Errors',
    '',
    'Every error has a code that never changes its meaning. REST answers carry it in `code` of an RFC 9457 problem document, dead letters',
    'in `code`. *Again* says whether the same request may succeed later as it is. Written from `src/kernel/errors.ts` by `npm run docs`.',
    '',
    row('code', 'sort', 'again', 'what it means', 'what to do'),
    row('---', '---', '---', '---', '---'),
    ...Object.entries(catalogue).map(([name, { sort, retryable, meaning, next }]) => row(code(name), sort, retryable ? 'yes' : 'no', meaning, next)),
    '',
  ].join('\n');
}

/** docs/events.md: every event and command, who it is for, and the fields of its data. */
export function eventsPage(events: Readonly<Record<string, z.ZodType>>, commands: Readonly<Record<string, { to: string; data: z.ZodType }>>): string {
  const rows = (schema: z.ZodType): string[] => fieldsOf(z.toJSONSchema(schema)).map(([name, type]) => row(code(name), type));
  return [
    '# Events and commands',
    '',
    'An event says what happened and goes to whoever subscribes to it; a command asks one service to do something. Both travel in a',
    'CloudEvents 1.0 envelope (`src/contracts/envelope.ts`); below are the fields of `data`. A `?` marks a field that may be absent, `[]` a',
    'list. Fields are only ever added; ignore those you do not know. Written from `src/contracts/messages.ts` by `npm run docs`.',
    '',
    '## Events',
    '',
    ...Object.entries(events).flatMap(([type, schema]) => [`### ${code(type)}`, '', row('field', 'type'), row('---', '---'), ...rows(schema), '']),
    '## Commands',
    '',
    ...Object.entries(commands).flatMap(([type, { to, data }]) => [
      `### ${code(type)} to ${to}`,
      '',
      row('field', 'type'),
      row('---', '---'),
      ...rows(data),
      '',
    ]),
  ].join('\n');
}

/** docs/operating/settings.md: every setting, its default and what it means. */
export function settingsPage(settings: Readonly<Record<string, { readonly initial: string | undefined; readonly meaning: string }>>): string {
  return [
    '# Settings',
    '',
    'Settings are environment variables. All of them are read at start; everything that is wrong is named at once, and a combination that',
    'cannot work is refused rather than tried (exit code 78). Lists are separated by commas, durations read `90s`, `15m`, `1h` or `2d`. Written',
    'from `src/config.ts` by `npm run docs`.',
    '',
    row('setting', 'default', 'meaning'),
    row('---', '---', '---'),
    ...Object.entries(settings).map(([name, { initial, meaning }]) => row(code(name), initial ? code(initial) : '', meaning)),
    '',
  ].join('\n');
}

/** The fields of an object schema and of the objects inside it, as `lines[].sku` and their types. */
function fieldsOf(schema: Schema, prefix = ''): [string, string][] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]): [string, string][] => {
    if (typeof property === 'boolean') return [];
    const path = `${prefix}${name}${required.has(name) ? '' : '?'}`;
    const item = typeof property.items === 'object' && !Array.isArray(property.items) ? property.items : undefined;
    if (item?.properties) return fieldsOf(item, `${path}[].`);
    if (item) return [[`${path}[]`, typeOf(item)]];
    return property.properties ? fieldsOf(property, `${path}.`) : [[path, typeOf(property)]];
  });
}

function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(' or ');
  if (schema.anyOf) return schema.anyOf.map((one) => (typeof one === 'boolean' ? 'anything' : typeOf(one))).join(' or ');
  const map = typeof schema.additionalProperties === 'object' ? `names and ${typeOf(schema.additionalProperties)} values` : undefined;
  return map ?? (typeof schema.type === 'string' ? schema.type : 'anything');
}

/** The pages and what stands in them. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'docs/errors.md': () => errorsPage(CATALOGUE),
  'docs/events.md': () => eventsPage(EVENTS, COMMANDS),
  'docs/operating/settings.md': () => settingsPage(SETTINGS),
};

if (import.meta.main) {
  const checking = process.argv.includes('--check');
  for (const [path, write] of Object.entries(PAGES)) {
    if (!checking) {
      writeFileSync(path, write());
    } else if (readFileSync(path, 'utf8') !== write()) {
      console.error(`${path} is not what the code says: run npm run docs`);
      process.exitCode = 1;
    }
  }
}
