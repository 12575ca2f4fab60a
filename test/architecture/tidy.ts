/**
 * House rules a machine can watch. Each complaint names the replacement, because a ban that does not say what to do instead is
 * only in the way.
 */
import { type Node, Visitor } from 'oxc-parser';
import { type Source, importsOf, isTest, lineAt, parse } from './source.ts';

interface Ban {
  /** How it is written. */
  readonly call: RegExp;
  readonly instead: string;
  /** Where it is allowed. */
  readonly home: RegExp;
}

const WORLD = /^src\/kernel\/(world|lifecycle|failpoints)\.ts$/;

/** Calls and member accesses that belong to one place. */
const BANS: readonly Ban[] = [
  { call: /^(globalThis\.)?Date\.now$/, instead: 'ask world.now()', home: WORLD },
  { call: /^performance\.now$|^process\.hrtime/, instead: 'ask world.now()', home: WORLD },
  { call: /^new Date\(\)$|^Date\(\)$/, instead: 'build it from world.now()', home: WORLD },
  { call: /^Math\.random$/, instead: 'ask world.random()', home: WORLD },
  { call: /(^|\.)(randomUUID|randomUUIDv7|randomBytes|randomInt|getRandomValues)$/, instead: 'ask world.id() or world.random()', home: WORLD },
  { call: /^(globalThis\.)?setTimeout$/, instead: 'await world.sleep(), or set a timer in the mailbox', home: WORLD },
  { call: /^(globalThis\.)?setInterval$/, instead: 'use loop() of kernel/lifecycle.ts', home: WORLD },
  { call: /^process\.env$/, instead: 'take it from the Config that app.ts hands down', home: /^src\/(config|cli)(\.ts$|\/)/ },
];
const BANNED_PACKAGES: Readonly<Record<string, string>> = {
  'node:timers': 'use world.sleep() or loop()',
  'node:timers/promises': 'use world.sleep()',
};

/** Time, chance, waiting and configuration taken from elsewhere than their one home. */
export function checkBans(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const source of sources.filter(({ path }) => !isTest(path))) {
    const look = (node: Node, written: string): void => {
      const ban = BANS.find(({ call, home }) => call.test(written) && !home.test(source.path));
      if (ban) complaints.push(`${source.path}:${lineAt(source.text, node.start)} uses ${written}: ${ban.instead}`);
    };
    new Visitor({
      MemberExpression: (node) => look(node, source.text.slice(node.start, node.end)),
      NewExpression: (node) => look(node, source.text.slice(node.start, node.end)),
      CallExpression(node) {
        if (node.callee.type !== 'Identifier') return;
        look(node, node.callee.name === 'Date' ? 'Date()' : node.callee.name);
      },
    }).visit(parse(source).program);
    for (const { target, line } of importsOf(source)) {
      const instead = BANNED_PACKAGES[target];
      if (instead !== undefined && !WORLD.test(source.path)) complaints.push(`${source.path}:${line} imports ${target}: ${instead}`);
    }
  }
  return complaints;
}

const SQL =
  /^\s*(select\s[\s\S]*\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|create\s+(table|index|unique)\s|alter\s+table\s|with\s+\w+\s*(\([^)]*\)\s*)?as\s*\()/i;
const SENTENCE = /^\s*[A-Z][a-z]/;
const SQL_HOME = /\/store(-[a-z-]+)?\.ts$|^src\/(messaging|sites|auditor|db)\//;

/** SQL outside the rooms and files that may speak it. */
export function checkSql(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const source of sources.filter(({ path }) => !isTest(path) && !SQL_HOME.test(path))) {
    const look = (node: Node, text: string): void => {
      if (SQL.test(text) && !SENTENCE.test(text))
        complaints.push(`${source.path}:${lineAt(source.text, node.start)} speaks SQL: move it to the store.ts of the room`);
    };
    new Visitor({
      Literal: (node) => look(node, typeof node.value === 'string' ? node.value : ''),
      TemplateLiteral: (node) => look(node, node.quasis.map(({ value }) => value.raw).join(' ')),
    }).visit(parse(source).program);
  }
  return complaints;
}

// An outside party's own answers may be read where that party is spoken to, and the CLI is a client of ours.
const STATUS_HOME = /^src\/(edge|facades|cli)(\/|\.ts$)|^src\/(payments\/gateway|shipping\/carrier|notifications\/channels)/;
const STATUS = /^[1-5]\d\d$/;

/** HTTP status codes outside the doors. */
export function checkStatusCodes(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const source of sources.filter(({ path }) => !isTest(path) && !STATUS_HOME.test(path))) {
    const say = (node: Node): void => {
      complaints.push(
        `${source.path}:${lineAt(source.text, node.start)} knows an HTTP status code: throw a Refusal or a Fault, the edge gives it its code`,
      );
    };
    const isStatus = (node: Node): boolean => node.type === 'Literal' && STATUS.test(source.text.slice(node.start, node.end));
    const isNamed = (node: Node): boolean => /(^|\.)(status|statusCode|httpStatus)$/.test(source.text.slice(node.start, node.end));
    new Visitor({
      Property: (node) => (isNamed(node.key) && isStatus(node.value) ? say(node) : undefined),
      BinaryExpression: (node) =>
        (isNamed(node.left) && isStatus(node.right)) || (isNamed(node.right) && isStatus(node.left)) ? say(node) : undefined,
      CallExpression(node) {
        const callee = source.text.slice(node.callee.start, node.callee.end);
        if (/\.(status|code|writeHead|sendStatus)$/.test(callee) && node.arguments[0] && isStatus(node.arguments[0])) say(node);
      },
    }).visit(parse(source).program);
  }
  return complaints;
}

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

/** Something longer than the rule, with the reason it has to be. */
export interface Exception {
  readonly lines: number;
  readonly reason: string;
}
export type Exceptions = Readonly<Record<string, Exception>>;

/**
 * Files and functions longer than they may be. The lines of a function declared inside another count for itself only, so that a
 * factory may hold many small ones, and a list that is returned as written is a table, which may be long. Exceptions are a ratchet: one that allows more than is needed is a complaint too.
 */
export function checkLengths(sources: readonly Source[], exceptions: Exceptions): string[] {
  const complaints: string[] = [];
  const needed = new Set<string>();
  const measure = (name: string, at: string, lines: number, most: number, advice: string): void => {
    const exception = exceptions[name];
    if (lines <= most) return;
    needed.add(name);
    if (lines > (exception?.lines ?? most)) complaints.push(`${at} has ${lines} lines, ${exception?.lines ?? most} are allowed: ${advice}`);
    else if (lines < exception!.lines) complaints.push(`${at} has only ${lines} lines: lower its exception from ${exception!.lines}`);
  };
  for (const source of sources) {
    const lines = source.text.trimEnd().split('\n').length;
    measure(source.path, source.path, lines, FILE_LINES_MAX, 'which two things does it want to be?');
    if (isTest(source.path)) continue; // there functions are chapters
    for (const { name, line, own } of functionsOf(source)) {
      measure(`${source.path} ${name}`, `${source.path}:${line} ${name}`, own, FUNCTION_LINES_MAX, 'name its steps and move them out');
    }
  }
  for (const name of Object.keys(exceptions)) {
    if (!needed.has(name)) complaints.push(`${name} needs no exception any more: remove it`);
  }
  return complaints;
}

interface Measured {
  readonly name: string;
  readonly line: number;
  /** Its lines without those of functions declared inside it, and of lists it returns. */
  own: number;
  /** Is what comes next part of such a list? */
  listing: boolean;
}

function functionsOf(source: Source): Measured[] {
  const measured: Measured[] = [];
  const open: Measured[] = [];
  const linesOf = (node: Node): number => lineAt(source.text, node.end) - lineAt(source.text, node.start) + 1;
  const enter = (node: Node): void => {
    for (const outer of open.slice(-1)) if (!outer.listing) outer.own -= linesOf(node);
    const named = /^(?:export\s+)?(?:async\s+)?function\*?\s+(\w+)/.exec(source.text.slice(node.start));
    const assigned = /(\w+)\s*(?::[^=;]*)?=\s*$/.exec(source.text.slice(0, node.start));
    const one = { name: named?.[1] ?? assigned?.[1] ?? 'a function', line: lineAt(source.text, node.start), own: linesOf(node), listing: false };
    open.push(one);
    measured.push(one);
  };
  const leave = (): void => {
    open.pop();
  };
  new Visitor({
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
    ReturnStatement(node) {
      const inside = open.at(-1);
      if (inside === undefined || node.argument?.type !== 'ArrayExpression') return;
      inside.own -= linesOf(node.argument);
      inside.listing = true;
    },
    'ReturnStatement:exit'() {
      const inside = open.at(-1);
      if (inside) inside.listing = false;
    },
  }).visit(parse(source).program);
  return measured;
}

// Written in two halves, so that this file does not find itself. Three quoted X are a currency: none (ISO 4217).
const LATER = new RegExp(`(?<!['"\`])\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);
const MACHINE_PATH = /(?:^|[\s"'`(=:])(\/(?:home|Users|root|work)\/[\w.-]+)/;
const REGISTRY = /https?:\/\/(?:registry\.[\w.-]+|[\w.-]+\/(?:npm|artifactory)\/)/;

/** Text of any kind that promises to be finished later, or names a place only its writer has. */
export function checkWords(files: readonly Source[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, i) => {
      const at = `${path}:${i + 1}`;
      const later = LATER.exec(line);
      const machine = MACHINE_PATH.exec(line);
      return [
        ...(later ? [`${at} says ${later[1]}: do it now, or write down in docs/decisions why not`] : []),
        ...(machine ? [`${at} names ${machine[1]}, a path of somebody's machine`] : []),
        ...(REGISTRY.test(line) ? [`${at} names a package registry: which one to use is the installer's business`] : []),
      ];
    }),
  );
}

/** Migrations are numbered from 1 without gaps, and each stands there for both databases. */
export function checkMigrations(paths: readonly string[]): string[] {
  const complaints: string[] = [];
  const folders = Map.groupBy(paths, (path) => path.slice(0, path.lastIndexOf('/')));
  for (const [folder, files] of folders) {
    const found = new Map<string, string[]>();
    for (const path of files) {
      const match = /\/(\d{4}_[a-z0-9_]+)\.(sqlite|postgres)\.sql$/.exec(path);
      if (match) found.set(match[1]!, [...(found.get(match[1]!) ?? []), match[2]!]);
      else complaints.push(`${path}: call it NNNN_name.sqlite.sql or NNNN_name.postgres.sql`);
    }
    for (const [i, [name, dialects]] of [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).entries()) {
      if (Number(name.slice(0, 4)) !== i + 1) complaints.push(`${folder}/${name}: the number ${String(i + 1).padStart(4, '0')} comes next`);
      for (const dialect of ['sqlite', 'postgres']) {
        if (!dialects.includes(dialect)) complaints.push(`${folder}/${name}.${dialect}.sql is missing: every migration has both dialects`);
      }
    }
  }
  return complaints;
}
