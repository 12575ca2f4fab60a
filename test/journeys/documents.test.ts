/**
 * Executes what the documents tell a reader to type, against a server of the document's own, and compares the answers: the
 * same on every ground.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Example, type Names, answerDifferences, examplesOf, filledIn, sceneOf } from '../architecture/examples.ts';
import { sourcesOf } from '../architecture/source.ts';
import { type Ground, type OpenGround, onEveryGround } from '../support/grounds.ts';
import { SCENES } from '../support/scenes.ts';
import { ROOT, type Server, startServer, until } from '../support/server.ts';

const run = promisify(execFile);
const documents = sourcesOf('README.md', 'CONTRIBUTING.md', 'docs/**/*.md')
  .map(({ path, text }) => ({ path, examples: examplesOf(text), scene: sceneOf(text) }))
  .filter(({ examples }) => examples.length > 0);

/** A reader types all commands into one shell: what one of them puts into a variable (in small letters), later ones find there. */
const KEEPING_VARIABLES = `[ ! -f variables ] || . ./variables; trap 'declare -p | grep -E "^declare -- [a-z]" > variables || true' EXIT`;

onEveryGround((ground) => describe.each(documents)('$path', (document) => follow(document, ground)));

function follow({ path, examples, scene }: (typeof documents)[number], ground: Ground): void {
  const names: Names = new Map();
  let opened: OpenGround;
  let server: Server;
  let folder: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    opened = await ground.open();
    folder = mkdtempSync(join(tmpdir(), 'waybill-documents-'));
    const dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    if (scene !== undefined) await SCENES[scene]!({ ...opened.settings, DATA_DIR: dataDir });
    server = await startServer({ env: opened.settings, dataDir });
    writeFileSync(join(folder, 'waybill'), `#!/bin/sh\nexec '${process.execPath}' '${ROOT}bin/waybill.mjs' "$@"\n`, { mode: 0o755 });
    symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
    env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}`, WAYBILL_URL: server.url };
  });
  afterAll(async () => {
    await server?.stop();
    await opened?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  async function differencesNow({ command, ...example }: Example): Promise<string[]> {
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', `${KEEPING_VARIABLES}\n${filledIn(command, names, server.url)}`], {
      cwd: folder,
      env,
    });
    return answerDifferences({ command, ...example }, stdout, names);
  }

  async function differencesAtLast(example: Example): Promise<string[]> {
    let last: string[] = [];
    const fits = async (): Promise<true | undefined> => {
      last = await differencesNow(example);
      return last.length === 0 ? true : undefined;
    };
    await until(fits, 'the answer is as written').catch(() => undefined);
    return last;
  }

  // In order, and each leans on the ones before: a document is one story.
  it.each(examples)(`${path}:$line`, async (example) => {
    expect(await (example.mode === 'run' ? differencesNow(example) : differencesAtLast(example))).toEqual([]);
  });
}

it('documents have examples that are executed', () => {
  expect(documents.map(({ path }) => path)).toContain('README.md');
});
