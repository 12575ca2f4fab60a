/**
 * Plants bugs in a copy of the program, one at a time, and lets the model and the auditor look for them: does what watches us see anything?
 *
 *   npm run planted -- [--minutes 0.4] [--only TEXT]
 *
 * Prints a line for each, and ends with 1 when fewer than 95 % are found. The copy lies in a folder that is thrown away.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PLANTED, type Planted } from '../test/model/planted.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const ENOUGH = 0.95;
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '0.4' }, only: { type: 'string', default: '' } } });

const copy = mkdtempSync(join(tmpdir(), 'waybill-planted-'));
try {
  for (const name of ['src', 'test', 'bench', 'package.json']) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const sound = search();
  if (sound.found) throw new Error(`the program as it is is found fault with: ${sound.by}`);
  const bugs = PLANTED.filter(({ bug, file }) => `${file} ${bug}`.includes(values.only));
  let found = 0;
  for (const [i, planted] of bugs.entries()) {
    const { found: isFound, by, seconds } = plant(planted);
    found += Number(isFound);
    console.log(
      `${String(i + 1).padStart(2)} of ${bugs.length}  ${isFound ? 'found ' : 'MISSED'}  ${String(seconds).padStart(3)} s  ${planted.bug}: ${by}`,
    );
  }
  console.log(`${found} of ${bugs.length} found`);
  process.exitCode = found >= ENOUGH * bugs.length ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

interface Search {
  readonly found: boolean;
  /** What gave it away, in a line. */
  readonly by: string;
  readonly seconds: number;
}

function plant({ file, find, replace }: Planted): Search {
  const path = join(copy, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(find).length !== 2) throw new Error(`${file} does not have exactly once: ${find}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  try {
    return search();
  } finally {
    writeFileSync(path, text);
  }
}

/** Random scripts until something differs or the time is over. */
function search(): Search {
  const begun = performance.now();
  const args = ['bench/model.ts', '--minutes', values.minutes, '--patience', '4', '--plateau', '1000'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', timeout: 300_000, killSignal: 'SIGKILL' });
  const [by = 'no difference'] = /(?<=cause\]: ).*/.exec(stderr) ?? /^\w*Error.*$/m.exec(stderr) ?? [];
  return { found: status !== 0, by: by.slice(0, 90), seconds: Math.round((performance.now() - begun) / 1_000) };
}
