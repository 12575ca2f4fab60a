import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { leash } from './leash.ts';
import { until } from './server.ts';

const isThere = (pid: number): true | undefined => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return undefined;
  }
};

it('kills what carries the name of its folder, frozen or not, nobody else, and removes the folder', async () => {
  const { folder, letGo } = await leash('test');
  const sleeper = (env: object) => spawn('sleep', ['600'], { env: { PATH: process.env['PATH'], ...env }, stdio: 'ignore' });
  const own = [sleeper({ HOME: folder }), sleeper({ DATA: `${folder}/data` })];
  const other = sleeper({ HOME: `${folder.slice(0, -1)}` });
  own[0]!.kill('SIGSTOP');
  const ended = own.map((child) => once(child, 'close'));
  await letGo();
  expect(await Promise.all(ended)).toEqual([
    [null, 'SIGKILL'],
    [null, 'SIGKILL'],
  ]);
  expect(existsSync(folder)).toBe(false);
  expect(isThere(other.pid!)).toBe(true);
  other.kill();
  await once(other, 'close');
});

it('does so, too, when whoever opened it is killed', async () => {
  const program = `
    import { spawn } from 'node:child_process';
    import { leash } from ${JSON.stringify(new URL('leash.ts', import.meta.url).href)};
    const { folder } = await leash('test');
    const { pid } = spawn('sleep', ['600'], { env: { PATH: process.env.PATH, HOME: folder }, stdio: 'ignore' });
    console.log(JSON.stringify({ folder, pid }));
  `;
  const opener = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(opener.stdout, 'data')) as [Buffer];
  const { folder, pid } = JSON.parse(line.toString()) as { folder: string; pid: number };
  expect([existsSync(folder), isThere(pid)]).toEqual([true, true]);
  opener.kill('SIGKILL');
  await until(async () => (existsSync(folder) || isThere(pid) ? undefined : true), 'both are gone');
});
