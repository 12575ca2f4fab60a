/**
 * Follows the guides for people who work on the code, in a copy of the repository: a `diff` or `ts` block that names a file changes it, a shell
 * block is typed, and the `text` after it is what must be printed. Elsewhere `by-hand` means not executed; here it is.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textMatches } from '../architecture/examples.ts';
import { sourcesOf } from '../architecture/source.ts';
import { ROOT } from '../support/server.ts';

const NEEDED = ['bin', 'src', 'scripts', 'docs', 'test', 'package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'vitest.config.ts'];

interface Step {
  readonly line: number;
  readonly kind: string;
  /** What follows the kind: a file, or `by-hand`. */
  readonly of: string;
  readonly text: string;
  /** What it must print. */
  readonly answer: string | undefined;
}

/** The blocks of a guide that do something, in order. */
function stepsOf(markdown: string): Step[] {
  const blocks = [...markdown.matchAll(/^```(diff|ts|sh) (\S+)\n([^]*?)^```$(?:\n+```text\n([^]*?)^```$)?/gm)];
  return blocks.map(({ index, 1: kind, 2: of, 3: text, 4: answer }) => ({
    line: markdown.slice(0, index).split('\n').length,
    kind: kind!,
    of: of!,
    text: text!,
    answer,
  }));
}

/** A text after a diff without line numbers, whose old lines must stand in it once. */
function patched(text: string, diff: string): string {
  const lines = diff.trimEnd().split('\n');
  const side = (sign: '+' | '-'): string =>
    lines
      .filter((line) => line.startsWith(' ') || line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  expect(text.split(side('-')), `these lines, once:\n${side('-')}`).toHaveLength(2);
  return text.replace(side('-'), () => side('+'));
}

// The others are for people who use the program, and are followed with a server: documents.test.ts.
const guides = sourcesOf('docs/guides/*.md')
  .map(({ path, text }) => ({ path, steps: stepsOf(text) }))
  .filter(({ steps }) => steps.some(({ kind }) => kind !== 'sh'));

it('there are guides that change the code', () => {
  expect(guides.map(({ path }) => path)).toContain('docs/guides/add-an-event.md');
});

describe.each(guides)('$path', ({ path, steps }) => {
  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'waybill-guide-'));
    for (const name of NEEDED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  function type(command: string): { readonly status: number | null; readonly printed: string } {
    const env = {
      ...process.env,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
      NO_COLOR: '1',
      npm_config_loglevel: 'silent', // no banners
      npm_config_ignore_scripts: 'true', // nothing is installed first: the dependencies are those of the original
    };
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: copy, env, encoding: 'utf8' });
    return { status, printed: `${stdout}${stderr}` };
  }

  it.each(steps)(`${path}:$line $kind $of`, ({ kind, of, text, answer }) => {
    if (kind === 'diff') return writeFileSync(join(copy, of), patched(readFileSync(join(copy, of), 'utf8'), text));
    if (kind === 'ts') return writeFileSync(join(copy, of), text);
    const { status, printed } = type(text);
    if (answer === undefined) expect(status, printed).toBe(0);
    else expect(textMatches(answer.trim(), printed.trim(), new Map()), `it printed\n${printed}`).toBe(true);
  });

  it('leaves behind what is well', () => {
    const { status, printed } = type('npm run docs:check && npm run contracts:check && npm run types');
    expect(status, printed).toBe(0);
  });
});

describe('guides', () => {
  it('are followed, with all that is shown in them', () => {
    expect(guides.map(({ path, steps }) => [path, steps.length])).toContainEqual(['docs/guides/add-an-event.md', 14]);
  });

  it('cannot be followed where the code has moved on', () => {
    expect(patched('a\nb\nc\n', ' a\n-b\n+d\n')).toBe('a\nd\nc\n');
    expect(() => patched('a\nc\n', ' a\n-b\n+d\n')).toThrow('these lines, once');
  });
});
