/**
 * Everything that can be said about the code without running it, one line a check: `npm run check`. CI runs exactly this.
 * `--report FILE` also writes how many passed and failed.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** npm scripts, the quick ones first. */
const CHECKS = ['lock:check', 'format:check', 'types', 'lint', 'dead', 'docs:check', 'contracts:check'];

const failed: string[] = [];
for (const check of CHECKS) {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', check], { encoding: 'utf8', shell: process.platform === 'win32' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${check}`);
  if (status === 0) continue;
  failed.push(check);
  console.log(`${stdout}${stderr}`.trimEnd());
}

const reportAt = process.argv.indexOf('--report');
const file = process.argv[reportAt + 1];
if (reportAt > 0 && file !== undefined) writeFileSync(file, JSON.stringify({ passed: CHECKS.length - failed.length, failed: failed.length }));
console.log(failed.length === 0 ? `${CHECKS.length} checks passed` : `${failed.length} of ${CHECKS.length} checks failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
