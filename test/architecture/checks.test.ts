/**
 * The tools of `npm run check`, each with the settings of this repository and a small project that is wrong in one way.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './source.ts';

const SETTINGS = ['package.json', 'tsconfig.json', '.oxlintrc.json', '.oxfmtrc.json', 'knip.json'];
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

describe('npm run', () => {
  let project: string;
  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), 'waybill-checks-'));
    for (const file of SETTINGS) cpSync(join(ROOT, file), join(project, file));
    symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
    symlinkSync(join(ROOT, 'bin'), join(project, 'bin'));
  });
  afterEach(() => rmSync(project, { recursive: true }));

  /** What a script of package.json says about a project of these files, and whether it is content. */
  function run(script: string, files: Readonly<Record<string, string>>): { content: boolean; said: string } {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(project, path)), { recursive: true });
      writeFileSync(join(project, path), text);
    }
    const [tool, ...given] = scripts[script]!.split(' ');
    const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin', tool!), given, { cwd: project, encoding: 'utf8' });
    return { content: status === 0, said: `${stdout}${stderr}` };
  }

  const clean = `export const sum = (a: number, b: number): number => a + b;\n`;

  it.each([
    [
      'a promise nobody waits for',
      { 'src/a.ts': `const save = async (): Promise<void> => undefined;\nsave();\n` },
      'typescript(no-floating-promises)',
    ],
    [
      'a cycle',
      {
        'src/a.ts': `import { b } from './b.ts';\nexport const a = () => b;\n`,
        'src/b.ts': `import { a } from './a.ts';\nexport const b = () => a;\n`,
      },
      'import(no-cycle)',
    ],
    ['any', { 'src/a.ts': `export const a = (x: any): unknown => x;\n` }, 'typescript(no-explicit-any)'],
    [
      'a test that is switched off',
      { 'test/a.test.ts': `import { expect, it } from 'vitest';\nit.skip('x', () => expect(1).toBe(1));\n` },
      'vitest(no-disabled-tests)',
    ],
  ])('lint complains about %s', (_, files, complaint) => {
    const { content, said } = run('lint', files);
    expect(said).toContain(complaint);
    expect(content).toBe(false);
  });

  it.each([
    ['lint', { 'src/a.ts': clean }],
    ['types', { 'src/a.ts': clean }],
    ['format:check', { 'src/a.ts': clean }],
  ])('%s is content with what is fine', (script, files) => {
    expect(run(script, files)).toMatchObject({ content: true });
  });

  it('types complains about what may be undefined', () => {
    const { content, said } = run('types', { 'src/a.ts': `export const first = (list: readonly string[]): string => list[0];\n` });
    expect(said).toContain("src/a.ts(1,59): error TS2322: Type 'string | undefined' is not assignable to type 'string'.");
    expect(content).toBe(false);
  });

  it('format:check complains about another style', () => {
    const { content, said } = run('format:check', { 'src/a.ts': `export const a = "b"\n` });
    expect(said).toContain('src/a.ts');
    expect(content).toBe(false);
  });

  it('dead complains about files and exports nobody uses', () => {
    const { content, said } = run('dead', {
      'src/cli.ts': `import { used } from './a.ts';\nused();\n`,
      'src/a.ts': `export const used = (): void => undefined;\nexport const unused = (): void => undefined;\n`,
      'src/dead.ts': clean,
    });
    expect(said).toMatch(/Unused files \(1\)\nsrc\/dead\.ts/);
    expect(said).toMatch(/Unused exports \(1\)\nunused +src\/a\.ts:2:14/);
    expect(content).toBe(false);
  });
});
