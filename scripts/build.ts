/**
 * Makes `dist/` for publishing: JavaScript for the types Node does not strip inside node_modules, and the files the code reads at
 * run time beside it. `npm run build`, or `node scripts/build.ts FOLDER` to put it elsewhere.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const target = resolve(process.argv[2] ?? join(root, 'dist'));

rmSync(target, { recursive: true, force: true });
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', target], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const beside = globSync('src/**/*.{sql,html,svg,css,json}', { cwd: root });
for (const file of beside) cpSync(join(root, file), join(target, relative('src', file)));
console.log(`${target}: compiled, with ${beside.length} files read at run time`);
