/**
 * Source files as data, so that every check of this room is a function from files to complaints and can be shown a bad one.
 */
import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { type EcmaScriptModule, type Program, parseSync } from 'oxc-parser';

export const ROOT = new URL('../../', import.meta.url).pathname;

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** The file imported, from the root; or the specifier as written when it is a package. */
  readonly target: string;
  readonly line: number;
  /** Does nothing of it exist at run time? */
  readonly typeOnly: boolean;
  /** The names taken; `*` for all. */
  readonly names: readonly string[];
}

/** The files of the repository that match. */
export function sourcesOf(...patterns: string[]): Source[] {
  const paths = globSync(patterns, { cwd: ROOT, exclude: ['**/node_modules/**'] }).map((path) => path.replaceAll('\\', '/'));
  return paths.toSorted().map((path) => ({ path, text: readFileSync(ROOT + path, 'utf8') }));
}

/** The lines of code the program is made of; their tests stand beside them. */
export const programSources = (): Source[] => sourcesOf('src/**/*.ts');

export const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.startsWith('test/');

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

interface Parsed {
  readonly program: Program;
  readonly module: EcmaScriptModule;
  readonly comments: readonly { readonly value: string; readonly start: number }[];
}
const parsedTexts = new Map<string, Parsed>();

/** The syntax tree of a file; each text is parsed once. Throws on a file that is no TypeScript. */
export function parse({ path, text }: Source): Parsed {
  let parsed = parsedTexts.get(text);
  if (parsed === undefined) {
    const { program, module, comments, errors } = parseSync(path, text);
    if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]!.message}`);
    parsed = { program, module, comments };
    parsedTexts.set(text, parsed);
  }
  return parsed;
}

/** What a file imports: statically, dynamically by a literal, or by passing it on. */
export function importsOf(source: Source): Import[] {
  const { staticImports, staticExports, dynamicImports } = parse(source).module;
  const found: Import[] = [];
  const add = (specifier: string, start: number, typeOnly: boolean, names: string[]): void => {
    const target = specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(source.path), specifier)) : specifier;
    found.push({ target, line: lineAt(source.text, start), typeOnly, names });
  };
  for (const { moduleRequest, entries, start } of staticImports) {
    const typeOnly = entries.length > 0 && entries.every(({ isType }) => isType);
    add(
      moduleRequest.value,
      start,
      typeOnly,
      entries.map(({ importName }) => importName.name ?? '*'),
    );
  }
  for (const { entries, start } of staticExports) {
    for (const { moduleRequest, isType, importName } of entries) {
      if (moduleRequest) add(moduleRequest.value, start, isType, [importName.name ?? '*']);
    }
  }
  for (const { moduleRequest, start } of dynamicImports) {
    const literal = /^['"](.+)['"]$/.exec(source.text.slice(moduleRequest.start, moduleRequest.end));
    if (literal) add(literal[1]!, start, false, ['*']);
  }
  return found;
}
