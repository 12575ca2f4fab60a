import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complaintsAbout } from '../../scripts/lock.ts';
import { ROOT } from './source.ts';

type Packages = Readonly<Record<string, { version?: string; dev?: boolean; optional?: boolean }>>;

describe('ensure-install', () => {
  let clone: string;
  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), 'waybill-install-'));
    lock('package-lock.json', { '': {}, 'node_modules/a': { version: '1.0.0' }, 'node_modules/d': { version: '1.0.0', dev: true } });
  });
  afterEach(() => rmSync(clone, { recursive: true }));

  function lock(path: string, packages: Packages): void {
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    writeFileSync(join(clone, path), JSON.stringify({ packages }));
  }

  /** Runs the script in the clone; instead of npm, something that writes down how it was called and ends with `npmEnds`. */
  function ensure(given: readonly string[] = [], npmEnds = 0): { status: number | null; said: string; npm: string | undefined } {
    const npm = join(clone, 'npm.mjs');
    writeFileSync(npm, `import fs from 'node:fs'; fs.writeFileSync('called', process.argv.slice(2).join(' ')); process.exit(${npmEnds});`);
    const env = { ...process.env, npm_execpath: npm, npm_node_execpath: process.execPath };
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/ensure-install.mjs'), ...given], {
      cwd: clone,
      env,
      encoding: 'utf8',
    });
    const called = join(clone, 'called');
    return { status, said: stderr, npm: existsSync(called) ? readFileSync(called, 'utf8') : undefined };
  }

  it('installs into a fresh clone, and says so', () => {
    expect(ensure()).toEqual({
      status: 0,
      said: 'waybill: the dependencies are not installed yet. Running npm ci: it needs the network and takes about a minute.\n',
      npm: 'ci --include=dev --include=optional',
    });
  });

  it('does nothing, and says nothing, when all is in place', () => {
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/d': { version: '1.0.0' } });
    expect(ensure()).toEqual({ status: 0, said: '', npm: undefined });
  });

  it.each([
    [
      { 'node_modules/a': { version: '0.9.0' }, 'node_modules/d': { version: '1.0.0' } },
      'node_modules/a is 0.9.0, and package-lock.json says 1.0.0.',
    ],
    [{ 'node_modules/a': { version: '1.0.0' } }, 'node_modules/d is not installed.'],
  ])('installs anew after the lock has changed: %o', (installed, reason) => {
    lock('node_modules/.package-lock.json', installed);
    const { said, npm } = ensure();
    expect(said).toContain(reason);
    expect(npm).toBeDefined();
  });

  it('is content without what only development needs, when asked', () => {
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0' } });
    expect(ensure(['--without-dev']).npm).toBeUndefined();
  });

  it('is content without packages of other platforms', () => {
    lock('package-lock.json', { 'node_modules/a-win': { version: '1.0.0', optional: true } });
    lock('node_modules/.package-lock.json', {});
    expect(ensure().npm).toBeUndefined();
  });

  it('ends as npm ends, and says what a person without network can hope for', () => {
    const { status, said } = ensure([], 3);
    expect(status).toBe(3);
    expect(said).toContain('npm ci failed, for the reason above. Once it has succeeded, no network is needed any more.');
  });

  it('puts the bundled Node where npm scripts find it', () => {
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/d': { version: '1.0.0' } });
    ensure();
    expect(lstatSync(join(clone, 'node_modules/.bin/node')).isSymbolicLink()).toBe(true);
  });
});

describe('package-lock.json', () => {
  const fine = { version: '1.0.0', integrity: 'sha512-x' };

  it('can be installed from anywhere', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Parameters<typeof complaintsAbout>[0] };
    expect(complaintsAbout(packages)).toEqual([]);
  });

  it.each([
    [{ ...fine, optionalDependencies: { 'a-darwin': '1.0.0' } }, 'a wants a-darwin, which the lock does not contain: npm ci will refuse it'],
    [{ version: '1.0.0' }, 'a has no integrity hash'],
    [{ ...fine, resolved: 'https://example.org/a.tgz' }, 'a names the registry it came from: install with the .npmrc of this repository'],
    [{ ...fine, hasInstallScript: true }, 'a runs a script when installed: choose a version or a package that does not'],
  ])('is complained about when it holds %o', (locked, complaint) => {
    expect(complaintsAbout({ '': {}, 'node_modules/a': locked })).toEqual([complaint]);
  });

  it('may hold an optional dependency next to the package or further up', () => {
    const wants = { ...fine, optionalDependencies: { b: '1.0.0', c: '1.0.0' } };
    expect(complaintsAbout({ 'node_modules/@x/a': wants, 'node_modules/@x/a/node_modules/b': fine, 'node_modules/c': fine })).toEqual([]);
  });
});
