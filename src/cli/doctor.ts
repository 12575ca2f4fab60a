/**
 * `waybill doctor`: looks at everything that commonly goes wrong and says of each what to do.
 */
import { access, constants, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { World } from '../kernel/world.ts';
import type { Audit, Consumer, Health } from './answers.ts';
import type { Client } from './client.ts';
import { type Output, bad, good, plural, warning } from './print.ts';
import { CommandError, EXIT, type ExitCode } from './problems.ts';

export interface Diagnosis {
  readonly what: string;
  readonly state: 'good' | 'warning' | 'bad';
  readonly found: string;
  /** What to do; absent when there is nothing to do. */
  readonly remedy?: string;
}

/** The oldest Node the program runs on. */
const NODE_OLDEST = [24, 15] as const;
/** Below this much free space, bytes, writing may stop soon. */
const SPACE_LEAST = 1_000_000_000;
/** A clock this far from the server's makes times hard to compare, milliseconds. */
const CLOCK_MOST_MS = 5_000;

export async function doctor(client: Client, world: World, output: Output, dataDir: string): Promise<ExitCode> {
  const found = await server(client, world);
  // A server that answers looks after its own folder and disk, wherever they are; else the next thing is a start from here.
  const unreachable = found[0]?.state === 'bad';
  const diagnoses = [nodeVersion(process.versions.node), ...found, ...(unreachable ? await dataFolder(dataDir) : [])];
  output.answer(diagnoses, () => diagnoses.map(diagnosisText).join('\n'));
  if (unreachable) return EXIT.unreachable;
  return diagnoses.some(({ state }) => state === 'bad') ? EXIT.no : EXIT.ok;
}

function diagnosisText({ what, state, found, remedy }: Diagnosis): string {
  const mark = state === 'good' ? good('good   ') : state === 'warning' ? warning('look   ') : bad('wrong  ');
  return `${mark} ${what.padEnd(13)} ${found}${remedy === undefined ? '' : `\n${' '.repeat(22)}→ ${remedy}`}`;
}

/** Pure. */
export function nodeVersion(version: string): Diagnosis {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > NODE_OLDEST[0] || (major === NODE_OLDEST[0] && minor >= NODE_OLDEST[1]);
  const what = { what: 'node', found: `version ${version}` };
  return enough
    ? { ...what, state: 'good' }
    : { ...what, state: 'bad', remedy: `Use Node.js ${NODE_OLDEST.join('.')} or newer, or run \`npm install\` to get the one that comes along.` };
}

/** Where `waybill start` would keep its data, from here and with these settings. */
async function dataFolder(dataDir: string): Promise<Diagnosis[]> {
  const folder = resolve(dataDir);
  const exists = await access(folder, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const parent = exists ? folder : dirname(folder);
  const writable =
    exists ||
    (await access(parent, constants.W_OK).then(
      () => true,
      () => false,
    ));
  const data: Diagnosis = writable
    ? { what: 'data folder', state: 'good', found: exists ? folder : `${folder}, made at the first start` }
    : { what: 'data folder', state: 'bad', found: `${folder} cannot be written to`, remedy: 'Change its owner, or set DATA_DIR to another folder.' };
  const space = await statfs(parent).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
  return space === undefined ? [data] : [data, diskSpace(space)];
}

/** Pure. */
export function diskSpace(bytes: number): Diagnosis {
  const found = `${(bytes / 1e9).toFixed(1)} GB free`;
  return bytes >= SPACE_LEAST
    ? { what: 'disk', state: 'good', found }
    : { what: 'disk', state: 'bad', found, remedy: 'Make room: when the disk is full, nothing can be written until there is.' };
}

async function server(client: Client, world: World): Promise<Diagnosis[]> {
  let now: number;
  try {
    now = await client.now();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [{ what: 'server', state: 'bad', found: error.message, remedy: error.more[0] ?? 'Start it with `waybill start`.' }];
  }
  return [
    { what: 'server', state: 'good', found: client.url },
    clock(now - world.now()),
    await asked('health', () => client.look<Health>('/health'), health),
    await asked('consumers', () => client.get<{ items: Consumer[] }>('/v1/consumers'), consumers),
    await asked('dead letters', () => client.get<Groups>('/v1/dead-letters/groups?limit=200'), deadLetters),
    await asked('audit', () => client.get<Audit>('/v1/audit'), audited),
  ];
}

/** One question that must not keep the others from being asked. */
async function asked<Answer>(what: string, ask: () => Promise<Answer>, judge: (answer: Answer) => Diagnosis): Promise<Diagnosis> {
  try {
    return judge(await ask());
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { what, state: 'bad', found: error.message, ...(error.more[0] === undefined ? {} : { remedy: error.more.join(' ') }) };
  }
}

/** Pure; `ahead` is how far the server's clock is ahead of ours, milliseconds. The server tells whole seconds. */
export function clock(ahead: number): Diagnosis {
  const off = Math.round(Math.abs(ahead) / 1000);
  return Math.abs(ahead) <= CLOCK_MOST_MS
    ? { what: 'clock', state: 'good', found: 'the same here and at the server' }
    : {
        what: 'clock',
        state: 'warning',
        found: `the server is ${plural(off, 'second')} ${ahead > 0 ? 'ahead' : 'behind'}`,
        remedy: 'Set both machines by NTP: deadlines are times of the server.',
      };
}

/** What the server says of its parts. Its consumers have a line of their own. */
function health({ version, checks }: Health): Diagnosis {
  const parts = Object.entries(checks).filter(([name]) => !name.startsWith('consumer '));
  const wrong = parts.filter(([, check]) => check.status !== 'ok');
  if (wrong.length === 0) return { what: 'health', state: 'good', found: `version ${version}, ${plural(parts.length, 'check')} passed` };
  const found = wrong.map(([name, { detail }]) => `${name}: ${detail ?? 'not well'}`).join('; ');
  const down = wrong.some(([, check]) => check.status === 'down');
  return { what: 'health', state: down ? 'bad' : 'warning', found, remedy: 'The log of the server says more.' };
}

function consumers({ items }: { readonly items: readonly Consumer[] }): Diagnosis {
  const still = items.filter(({ status }) => status !== 'running' && status !== 'elsewhere');
  if (still.length === 0) return { what: 'consumers', state: 'good', found: `${items.length} running` };
  const paused = still.find((consumer) => consumer.paused);
  return {
    what: 'consumers',
    state: 'warning',
    found: still.map(({ consumer, status, reason }) => `${consumer} is ${status}${reason === '' ? '' : ` (${reason})`}`).join('; '),
    ...(paused === undefined ? {} : { remedy: `When the reason is gone: waybill consumers resume ${paused.consumer}` }),
  };
}

interface Groups {
  readonly items: readonly { readonly open: number }[];
  readonly next_cursor: string | null;
}

function deadLetters({ items, next_cursor }: Groups): Diagnosis {
  const open = items.reduce((sum, group) => sum + group.open, 0);
  const more = next_cursor === null ? '' : 'more than ';
  return open === 0
    ? { what: 'dead letters', state: 'good', found: 'none open' }
    : {
        what: 'dead letters',
        state: 'warning',
        found: `${more}${plural(open, 'open one')} of ${more}${plural(items.length, 'kind')}`,
        remedy: 'Look at them with `waybill dead-letters groups`, mend the cause, then redrive or discard them.',
      };
}

function audited({ ok, violations, equations }: Audit): Diagnosis {
  return ok
    ? { what: 'audit', state: 'good', found: `${plural(equations.length, 'equation')} hold` }
    : {
        what: 'audit',
        state: 'bad',
        found: plural(violations, 'violation'),
        remedy: 'See which with `waybill audit`, and keep a copy of the data before anything is repaired.',
      };
}
