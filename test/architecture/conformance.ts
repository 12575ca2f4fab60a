/**
 * The table of docs/operating/conformance.md against the tests there are, both ways: each case is shown on each combination the table says,
 * by the files it names, and every test that bears the name of a case is in the table.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT, sourcesOf } from './source.ts';

/** A test as it is collected: with the names of the suites it is in, for every combination it runs on here. */
export interface CollectedTest {
  /** From the root of the repository. */
  readonly file: string;
  /** e.g. `on SQLite, embedded > K05 five copies …` */
  readonly name: string;
}

const CASE = /(?:^| > )([CK]\d\d) /;
const TITLED = /['"`][CK]\d\d /;

/** Collects the tests that bear the name of a case, without running any. Those whose server is missing here are not among them. */
export function collectCases(): CollectedTest[] {
  const files = sourcesOf('{src,test}/**/*.test.ts')
    .filter(({ path, text }) => TITLED.test(text) || path.startsWith('test/conformance/transport'))
    .map(({ path }) => path);
  const folder = mkdtempSync(join(tmpdir(), 'waybill-cases-'));
  try {
    const list = join(folder, 'list.json');
    const program = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { status, stderr } = spawnSync(process.execPath, [program, 'list', '--no-static-parse', `--json=${list}`, ...files], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`the tests cannot be collected:\n${stderr}`);
    const found = JSON.parse(readFileSync(list, 'utf8')) as CollectedTest[];
    return found.filter(({ name }) => CASE.test(name)).map(({ file, name }) => ({ file: relative(ROOT, file), name }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Row {
  readonly id: string;
  /** What the cell of each combination says. */
  readonly cells: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly why: string;
}

/** The rows of all tables whose first column is `case`: a column for each combination, then `shown by` and the reasons. */
export function rowsOf(page: string): Row[] {
  let columns: string[] = [];
  return page.split('\n').flatMap((line): Row[] => {
    if (!line.startsWith('| ')) return [];
    const cells = line.slice(2, -2).split(' | ');
    if (cells[0] === 'case') columns = cells.slice(2, -2);
    if (!/^[CK]\d\d$/.test(cells[0]!)) return [];
    const files = [...cells.at(-2)!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!);
    return [{ id: cells[0]!, cells: Object.fromEntries(columns.map((name, i) => [name, cells[i + 2]!])), files, why: cells.at(-1)! }];
  });
}

/** Every case there should be. */
export const CASES: readonly string[] = [
  ...Array.from({ length: 20 }, (_, i) => `C${String(i + 1).padStart(2, '0')}`),
  ...Array.from({ length: 24 }, (_, i) => `K${String(i + 1).padStart(2, '0')}`),
];

export function checkConformance(page: string, tests: readonly CollectedTest[]): string[] {
  const rows = rowsOf(page);
  const idOf = ({ name }: CollectedTest): string => CASE.exec(name)![1]!;
  const known = new Set(rows.map(({ id }) => id));
  const twice = rows.filter(({ id }, i) => rows.findIndex((row) => row.id === id) !== i);
  return [
    ...CASES.filter((id) => !known.has(id)).map((id) => `${id} has no row`),
    ...twice.map(({ id }) => `${id} has two rows`),
    ...[...new Set(tests.map(idOf))].filter((id) => !known.has(id)).map((id) => `${id} is the name of a test and has no row`),
    ...rows.flatMap((row) =>
      checkRow(
        row,
        tests,
        tests.filter((test) => idOf(test) === row.id),
      ),
    ),
  ];
}

/** Whether a test runs on a combination: its suites say so. */
const runsOn = ({ name }: CollectedTest, column: string): boolean => name.slice(0, CASE.exec(name)!.index).includes(column);

function checkRow({ id, cells, files, why }: Row, all: readonly CollectedTest[], mine: readonly CollectedTest[]): string[] {
  const complaints = Object.entries(cells).flatMap(([column, cell]): string[] => {
    if (!all.some((test) => runsOn(test, column))) return []; // its server is missing here, and that was said
    const shown = mine.some((test) => runsOn(test, column));
    if (cell === 'yes') return shown ? [] : [`${id} is not shown on ${column}`];
    return shown ? [`${id} is shown on ${column}, the table says ${cell}`] : [];
  });
  const there = new Set(mine.map(({ file }) => file));
  return [
    ...complaints,
    ...(why === '' && Object.values(cells).some((cell) => cell !== 'yes') ? [`${id} is not shown everywhere, and nothing says why`] : []),
    ...files.filter((file) => !there.has(file)).map((file) => `${id} is not in ${file}`),
    ...[...there].filter((file) => !files.includes(file)).map((file) => `${id} is in ${file}, too`),
  ];
}
