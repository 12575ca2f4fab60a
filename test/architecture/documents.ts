/**
 * The reference pages against the code they tell of, both ways. The generator could be wrong; this reads the finished page.
 */
import { z } from 'zod';

/** The codes of the first column of a page, and those the catalogue has. */
export function checkErrors(page: string, codes: readonly string[]): string[] {
  const written = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code]) => code!);
  return [
    ...difference(codes, written).map((code) => `docs/errors.md does not know ${code}: run npm run docs`),
    ...difference(written, codes).map((code) => `docs/errors.md tells of ${code}, which src/kernel/errors.ts does not have: run npm run docs`),
  ];
}

interface Told {
  readonly kind: 'event' | 'command';
  /** The service a command is for. */
  readonly to: string | undefined;
  readonly fields: string[];
}

/** Names, kinds, receivers and outermost fields of all messages. */
export function checkEvents(
  page: string,
  events: Readonly<Record<string, z.ZodType>>,
  commands: Readonly<Record<string, { to: string; data: z.ZodType }>>,
): string[] {
  const written = readEvents(page);
  const defined = new Map<string, Told>([
    ...Object.entries(events).map(([type, data]): [string, Told] => [type, { kind: 'event', to: undefined, fields: namesOf(data) }]),
    ...Object.entries(commands).map(([type, { to, data }]): [string, Told] => [type, { kind: 'command', to, fields: namesOf(data) }]),
  ]);
  const complaints = difference([...written.keys()], [...defined.keys()]).map((type) => `docs/events.md tells of ${type}, which nobody defines`);
  for (const [type, { kind, to, fields }] of defined) {
    const told = written.get(type);
    if (told === undefined) complaints.push(`docs/events.md does not know ${type}`);
    else if (told.kind !== kind) complaints.push(`docs/events.md calls ${type} ${article(told.kind)}, it is ${article(kind)}`);
    else if (told.to !== to) complaints.push(`docs/events.md sends ${type} to ${told.to}, it goes to ${to}`);
    else if (told.fields.join() !== fields.join())
      complaints.push(`docs/events.md gives ${type} the fields ${told.fields.join(', ')}; they are ${fields.join(', ')}`);
  }
  return complaints.map((complaint) => `${complaint}: run npm run docs`);
}

function readEvents(page: string): Map<string, Told> {
  const found = new Map<string, Told>();
  let kind: Told['kind'] = 'event';
  let current: Told | undefined;
  for (const line of page.split('\n')) {
    if (line.startsWith('## ')) kind = line === '## Commands' ? 'command' : 'event';
    const heading = /^### `([^`]+)`(?: to (\w+))?$/.exec(line);
    if (heading) {
      current = { kind, to: heading[2], fields: [] };
      found.set(heading[1]!, current);
    }
    const field = /^\| `(\w+)/.exec(line)?.[1];
    if (field !== undefined && current !== undefined && !current.fields.includes(field)) current.fields.push(field);
  }
  return found;
}

/** The packages a page gives reasons for, and those package.json asks for. The bundled Node has a page of its own. */
export function checkDependencies(page: string, dependencies: readonly string[]): string[] {
  const reasons = [...page.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, names]) => [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
  return [
    ...difference(dependencies, reasons).map((name) => `${name} has no reason: give it a row in docs/decisions/0003-dependencies.md`),
    ...difference(reasons, dependencies).map(
      (name) => `docs/decisions/0003-dependencies.md gives a reason for ${name}, which is not in package.json`,
    ),
  ];
}

const article = (kind: Told['kind']): string => (kind === 'event' ? 'an event' : 'a command');

const namesOf = (schema: z.ZodType): string[] => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []);

const difference = (all: readonly string[], known: readonly string[]): string[] => all.filter((one) => !known.includes(one));
