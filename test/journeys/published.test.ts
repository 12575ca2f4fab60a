/**
 * The program as npm would publish it: compiled, without its sources, below a folder where Node strips no types.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, startServer } from '../support/server.ts';

describe('the published package', () => {
  let home: string;
  let installed: string;

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'waybill-published-'));
    installed = join(home, 'node_modules/waybill');
    for (const part of ['bin', 'package.json']) cpSync(join(ROOT, part), join(installed, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
    const { status, stdout } = spawnSync(process.execPath, [join(ROOT, 'scripts/build.ts'), join(installed, 'dist')], { encoding: 'utf8' });
    expect(status, stdout).toBe(0);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('holds every source compiled, and every file that is read beside one', () => {
    const wanted = globSync('src/**/*.{ts,sql,html}', { cwd: ROOT })
      .filter((path) => !path.endsWith('.test.ts'))
      .map((path) => path.replace(/^src./, '').replace(/\.ts$/, '.js'));
    const built = globSync('**/*.{js,sql,html}', { cwd: join(installed, 'dist') });
    expect(built.toSorted()).toEqual(wanted.toSorted());
  });

  it('leaves sources, tests and scripts at home', () => {
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8' });
    const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
    const strangers = files.map(({ path }) => path).filter((path) => !/^(bin|dist)\/|^(package\.json|README\.md|LICENSE)$/.test(path));
    expect(strangers).toEqual([]);
  });

  it('starts, and ends cleanly', async () => {
    const server = await startServer({ command: ['node', join(installed, 'bin/waybill.mjs'), 'start'] });
    expect(await server.stop(), server.output()).toEqual({ code: 0, signal: null });
  });
});
