/**
 * docs/operating/failures.md against the tests there are: every fault has one row, and each test a row names stands in the file it names.
 * What a row tells operators to look for must be an alert that there is.
 */
import { Visitor } from 'oxc-parser';
import { type Source, parse } from './source.ts';

/** The faults there should be rows for, by number. */
const FAULTS = 60;

/** Titles of tests, as they are written: of a table of cases with its placeholders. */
export function titlesOf(source: Source): Set<string> {
  const titles = new Set<string>();
  new Visitor({
    CallExpression({ callee, arguments: [title] }) {
      const written = source.text.slice(callee.start, callee.end);
      if (title === undefined || !/^(it|test)\b/.test(written)) return;
      if (title.type === 'Literal' && typeof title.value === 'string') titles.add(title.value);
      if (title.type === 'TemplateLiteral') titles.add(source.text.slice(title.start + 1, title.end - 1));
    },
  }).visit(parse(source).program);
  return titles;
}

/** The page's complaints; `alerts` are the headings of the page about them. */
export function checkFailures(page: string, sources: readonly Source[], alerts: readonly string[]): string[] {
  const rows = page
    .split('\n')
    .filter((line) => /^\| \d+ \|/.test(line))
    .map((line) => line.slice(2, -2).split(' | '));
  const numbers = rows.map(([number]) => Number(number));
  const wanted = Array.from({ length: FAULTS }, (_, i) => i + 1);
  return [
    ...wanted.filter((number) => !numbers.includes(number)).map((number) => `fault ${number} has no row`),
    ...numbers.filter((number, i) => numbers.indexOf(number) !== i).map((number) => `fault ${number} has two rows`),
    ...numbers.filter((number) => !wanted.includes(number)).map((number) => `fault ${number} is none of the ${FAULTS}`),
    ...rows.flatMap((row) => checkRow(row, sources)),
    ...[...page.matchAll(/\bWaybill[A-Z][A-Za-z]+/g)].filter(([name]) => !alerts.includes(name)).map(([name]) => `there is no alert ${name}`),
  ];
}

function checkRow(row: readonly string[], sources: readonly Source[]): string[] {
  const [number, ...cells] = row;
  if (cells.length !== 4) return [`fault ${number} has ${cells.length + 1} cells instead of 5`];
  return checkShown(`fault ${number}`, cells[3]!, sources);
}

/** Each test that is named must stand in the file it is named in; where there is none, there must be a reason. */
export function checkShown(who: string, shown: string, sources: readonly Source[]): string[] {
  const named = [...shown.matchAll(/`([^`]+\.ts)` “([^”]+)”/g)].map(([, path, title]) => ({ path: path!, title: title! }));
  if (named.length === 0 && !/^not shown: \S/.test(shown)) return [`${who} names no test, and does not say why`];
  return named.flatMap(({ path, title }) => {
    const source = sources.find((one) => one.path === path);
    if (source === undefined) return [`${who} names ${path}, which is not there`];
    return titlesOf(source).has(title) ? [] : [`${who} names “${title}”, which is not in ${path}`];
  });
}
