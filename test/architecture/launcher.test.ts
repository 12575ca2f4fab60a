import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundledPackage, isNewEnough } from '../../bin/bundled-node.mjs';
import { ROOT } from './source.ts';

describe('the oldest Node', () => {
  it.each([
    ['20.20.2', false],
    ['24.14.9', false],
    ['24.15.0', true],
    ['26.10.0', true],
  ])('%s will do: %s', (version, will) => {
    expect(isNewEnough(version)).toBe(will);
  });
});

describe('the launcher', () => {
  let installed: string;
  let launcher: string;

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(installed, path)), { recursive: true });
    writeFileSync(join(installed, path), text, { mode: 0o755 });
  };

  beforeAll(() => {
    installed = mkdtempSync(join(tmpdir(), 'waybill-launcher-'));
    launcher = join(installed, 'bin/waybill.mjs');
    cpSync(join(ROOT, 'bin'), join(installed, 'bin'), { recursive: true });
    write('package.json', '{"type": "module"}');
    write('dist/cli.js', `console.log('dist', ...process.argv.slice(2)); process.exitCode = 3;`);
  });
  afterAll(() => rmSync(installed, { recursive: true }));

  const launch = (...given: readonly string[]) => spawnSync(process.execPath, [launcher, ...given], { encoding: 'utf8' });

  it('runs the published program where there is no source', () => {
    expect(launch('orders', '--limit', '2')).toMatchObject({ status: 3, stdout: 'dist orders --limit 2\n' });
  });

  describe('under a Node that is too old', () => {
    // Any Node is too old for a program that asks for the year 999. The bundled one is played by a program that tells what it was given.
    beforeAll(() => {
      const text = readFileSync(join(ROOT, 'bin/bundled-node.mjs'), 'utf8');
      write('bin/bundled-node.mjs', text.replace('const OLDEST = [24, 15]', 'const OLDEST = [999, 0]'));
    });

    it('says what is missing', () => {
      const { status, stderr } = launch('start');
      expect(status).toBe(1);
      expect(stderr).toBe(
        `waybill needs Node.js 999.0 or newer. This is ${process.version}, and the one that comes with waybill (${bundledPackage}) is not installed.\n` +
          'Install with optional dependencies (npm ci --include=optional), or use a newer Node.js.\n',
      );
    });

    function bundle(program: string): void {
      write('bundled.mjs', program);
      write(`node_modules/${bundledPackage}/bin/node`, `#!/bin/sh\nexec '${process.execPath}' '${join(installed, 'bundled.mjs')}' "$@"\n`);
    }

    it('goes on under the bundled one, with the same arguments and its exit code', () => {
      bundle('console.log(process.argv.slice(2).join(" ")); process.exitCode = 7;');
      expect(launch('orders', '--limit', '2')).toMatchObject({ status: 7, stdout: `${launcher} orders --limit 2\n`, stderr: '' });
    });

    async function started(program: string): Promise<ChildProcess> {
      bundle(program);
      const child = spawn(process.execPath, [launcher, 'start'], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      return child;
    }

    it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('passes %s on, and lets the program end by itself', async (signal) => {
      const child = await started(`process.on('${signal}', () => process.exit(5)); setInterval(() => undefined, 1000); console.log('ready');`);
      child.kill(signal);
      expect(await once(child, 'exit')).toEqual([5, null]);
    });

    it('dies of the signal the program died of', async () => {
      const child = await started(`console.log('ready'); setInterval(() => undefined, 1000);`);
      child.kill('SIGTERM');
      expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
    });
  });
});
