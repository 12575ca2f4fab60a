/**
 * Who may import whom. The map is docs/decisions/0001 as data: rooms stand on floors; a file may import from the floors below its
 * own, never from another room of its own floor, never from above.
 */
import { Visitor } from 'oxc-parser';
import { type Import, type Source, importsOf, isTest, lineAt, parse } from './source.ts';

/** From the ground up. Rooms of one floor are siblings. */
export const FLOORS: readonly (readonly string[])[] = [
  ['kernel'],
  ['contracts', 'db'],
  ['messaging'],
  ['edge', 'orders', 'payments', 'inventory', 'shipping', 'notifications', 'sites', 'facades', 'auditor'],
  ['composition'],
  ['cli'],
];
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));

/** The room of a file below src/: its folder; app.ts, main.ts and config.ts compose the program, cli.ts commands it. */
export function roomOf(path: string): string {
  const [, folder, rest] = path.split('/');
  if (rest !== undefined) return folder!;
  return folder === 'cli.ts' || folder === 'cli.test.ts' ? 'cli' : 'composition';
}

/** Imports across rooms that the map forbids. */
export function checkRooms(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    importsOf(source)
      .filter(({ target }) => target.includes('/') && isOurs(target))
      .flatMap((imported) => {
        const why = whyForbidden(source.path, imported);
        return why === undefined ? [] : [`${source.path}:${imported.line} imports ${imported.target}: ${why}`];
      }),
  );
}

const isOurs = (target: string): boolean => /^(src|test|scripts|bench|bin)\//.test(target);

function whyForbidden(path: string, { target, typeOnly }: Import): string | undefined {
  if (!target.startsWith('src/')) return isTest(path) ? undefined : 'the program stands on nothing outside src/';
  const [from, to] = [roomOf(path), roomOf(target)];
  if (floorOf(from) < 0) return `nobody has placed the room ${from}: give it a floor in test/architecture/rooms.ts`;
  if (floorOf(to) < 0) return `nobody has placed the room ${to}: give it a floor in test/architecture/rooms.ts`;
  if (from === to) return undefined;
  if (from === 'cli')
    return to === 'kernel' || target === 'src/main.ts' || target === 'src/version.ts'
      ? undefined
      : 'the CLI knows the program by its HTTP API, and src/main.ts to start it';
  if (from === 'edge' && to === 'db' && !typeOnly) return 'the edge may know the types of db, not its code';
  if (floorOf(to) < floorOf(from)) return undefined;
  if (floorOf(to) > floorOf(from)) return `${to} stands above ${from}; what ${from} needs of it is handed down by app.ts`;
  return 'siblings never import each other; services meet in contracts/';
}

/** `domain.ts` decides and does nothing else: it imports the kernel and types of what it is told in, and never waits. */
export function checkDomains(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const source of sources.filter(({ path }) => /(^|\/)domain(-[a-z-]+)?\.ts$/.test(path))) {
    const say = (line: number, what: string): number => complaints.push(`${source.path}:${line} ${what}`);
    for (const { target, line, typeOnly } of importsOf(source)) {
      const pure = target.startsWith('src/kernel/') || /\/domain(-[a-z-]+)?\.ts$/.test(target);
      const told = typeOnly && /^src\/(contracts\/|messaging\/service\.ts$)/.test(target);
      if (!pure && !told) say(line, `imports ${target}: a domain knows the kernel, and types of contracts/ and messaging/service.ts`);
    }
    const waits = (node: { start: number }): number => say(lineAt(source.text, node.start), 'waits: a domain is functions of what it was given');
    const ifAsync = (node: { start: number; async: boolean }): void => {
      if (node.async) waits(node);
    };
    new Visitor({
      FunctionDeclaration: ifAsync,
      FunctionExpression: ifAsync,
      ArrowFunctionExpression: ifAsync,
      AwaitExpression: waits,
    }).visit(parse(source).program);
  }
  return complaints;
}

/** Cycles among imports that exist at run time, each told once, from its alphabetically first file. */
export function checkCycles(sources: readonly Source[]): string[] {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source)
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ target }) => target),
    ]),
  );
  const cycles = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.add(fromFirst(trail.slice(at)).join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) if (graph.has(target)) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return [...cycles].map((cycle) => `these import each other in a circle: ${cycle}`);
}

function fromFirst(cycle: readonly string[]): string[] {
  const first = cycle.indexOf(cycle.toSorted()[0]!);
  return [...cycle.slice(first), ...cycle.slice(0, first), cycle[first]!];
}
