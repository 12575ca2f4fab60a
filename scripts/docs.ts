/**
 * Writes the reference pages that are nothing but code told to people: `npm run docs`. With `--check` it writes nothing and
 * fails when a page is not what it would write, or is one it would not.
 */
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { allQueues } from '../src/app.ts';
import { SECRETS, SETTINGS, loadConfig } from '../src/config.ts';
import { COMMANDS, EVENTS } from '../src/contracts/messages.ts';
import { CATALOGUE } from '../src/kernel/errors.ts';
import { type MetricDefinition, createTelemetry, metricDefinitions } from '../src/kernel/telemetry.ts';
import { realWorld } from '../src/kernel/world.ts';
import { VERSION } from '../src/version.ts';
import { asyncApiDocument } from './contracts/asyncapi.ts';
import { type Schema, contractsOf, schemaFile, schemaPath } from './contracts/schemas.ts';

interface ErrorEntry {
  readonly sort: string;
  readonly retryable: boolean;
  readonly meaning: string;
  readonly next: string;
}

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
  const link = (type: string): string => `[JSON Schema](${schemaPath(type).replace(/^docs\//, '')})`;
  const rows = (schema: z.ZodType): string[] => fieldsOf(z.toJSONSchema(schema)).map(([name, type]) => row(code(name), type));
  const section = (type: string, heading: string, schema: z.ZodType): string[] => [
    `### ${heading}`,
    '',
    link(type),
    '',
    row('field', 'type'),
    row('---', '---'),
    ...rows(schema),
    '',
  ];
  return [
    '# Events and commands',
    '',
    'An event says what happened and goes to whoever subscribes to it; a command asks one service to do something. Both travel in a',
    'CloudEvents 1.0 envelope (`src/contracts/envelope.ts`); below are the fields of `data`. A `?` marks a field that may be absent, `[]` a',
    'list. Fields are only ever added; ignore those you do not know. Each type has a JSON Schema, [asyncapi.json](asyncapi.json) says how',
    'they travel through RabbitMQ, and [a guide](guides/add-an-event.md) how one is added or replaced. Written from',
    '`src/contracts/messages.ts` by `npm run docs`.',
    '',
    '## Events',
    '',
    ...Object.entries(events).flatMap(([type, data]) => section(type, code(type), data)),
    '## Commands',
    '',
    ...Object.entries(commands).flatMap(([type, { to, data }]) => section(type, `${code(type)} to ${to}`, data)),
  ].join('\n');
}

/** docs/operating/settings.md: every setting, its default and what it means. */
export function settingsPage(settings: Readonly<Record<string, { readonly initial: string | undefined; readonly meaning: string }>>): string {
  return [
    '# Settings',
    '',
    'Settings are environment variables. All of them are read at start; everything that is wrong is named at once, and a combination that',
    'cannot work is refused rather than tried (exit code 78). Lists are separated by commas, durations read `90s`, `15m`, `1h` or `2d`.',
    `${SECRETS.map((name) => code(name)).join(', ')} may be kept in files: \`DATABASE_URL_FILE=/run/secrets/database_url\` takes the first line of that file. Written`,
    'from `src/config.ts` by `npm run docs`.',
    '',
    row('setting', 'default', 'meaning'),
    row('---', '---', '---'),
    ...Object.entries(settings).map(([name, { initial, meaning }]) => row(code(name), initial ? code(initial) : '', meaning)),
    '',
  ].join('\n');
}

/** docs/metrics.md: every metric of /metrics. */
export function metricsPage(metrics: readonly MetricDefinition[]): string {
  return [
    '# Metrics',
    '',
    'All of `/metrics`, in the format of Prometheus. Times are seconds. A histogram has `_bucket`, `_sum` and `_count`. What to watch of them, and',
    'what to do, is in [observability.md](operating/observability.md). Written from `src/kernel/telemetry.ts` by `npm run docs`.',
    '',
    row('metric', 'type', 'labels', 'what it tells'),
    row('---', '---', '---', '---'),
    ...metrics.map(({ name, type, labels, help }) => row(code(name), type, labels.map(code).join(', '), help)),
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

const CONTRACTS = contractsOf(EVENTS, COMMANDS);

/** docs/asyncapi.json, of a program with nothing but its defaults. */
function asyncApi(): object {
  const tools = { world: realWorld(), telemetry: createTelemetry({ level: 'silent' }) };
  return asyncApiDocument({ version: VERSION, prefix: SETTINGS.AMQP_PREFIX.initial, contracts: CONTRACTS, queues: allQueues(loadConfig({}), tools) });
}

/** The pages and what stands in them. */
export const PAGES: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(Object.entries(CONTRACTS).map(([type, contract]) => [schemaPath(type), () => schemaFile(type, contract)])),
  'docs/asyncapi.json': () => `${JSON.stringify(asyncApi(), null, 2)}\n`,
  'docs/errors.md': () => errorsPage(CATALOGUE),
  'docs/metrics.md': () => metricsPage(metricDefinitions()),
  'docs/events.md': () => eventsPage(EVENTS, COMMANDS),
  'docs/operating/settings.md': () => settingsPage(SETTINGS),
};

/** Pages nobody writes any more: schemas of types that are gone. A type has a dot in its name, what was released (released.json) has none. */
export const strayPages = (paths = globSync('docs/schemas/*.*.json')): string[] =>
  paths.map((path) => path.replaceAll('\\', '/')).filter((path) => !Object.hasOwn(PAGES, path));

if (import.meta.main) {
  const checking = process.argv.includes('--check');
  const complain = (complaint: string): void => {
    console.error(`${complaint}: run npm run docs`);
    process.exitCode = 1;
  };
  for (const [path, write] of Object.entries(PAGES)) {
    if (!checking) writeFileSync(path, write());
    else if (!existsSync(path)) complain(`${path} is not there`);
    else if (readFileSync(path, 'utf8') !== write()) complain(`${path} is not what the code says`);
  }
  for (const path of strayPages()) {
    if (checking) complain(`${path} tells of a type that is gone`);
    else rmSync(path);
  }
}
