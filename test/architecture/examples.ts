/**
 * Documented commands, and what documents say they answer.
 *
 * In README.md and docs/ every ```sh block says what it is for:
 *
 *   ```sh run      it is executed, from a scratch folder, against a server of the document's own; variables last until its end
 *   ```sh until    it is executed until its answer is as written: things that happen a moment later
 *   ```sh by-hand  it is not executed, because it installs, starts or deploys something; the text around it says when to use it
 *
 * A line `<!-- begins with: NAME -->` names what lies in the databases of that server before (test/support/scenes.ts).
 *
 * A ```json or ```text block right after a `run` or `until` is its answer. In an answer …
 * - an id (`ord_01k…`) stands for any id with that prefix, and from then on for the one really answered: later commands of the
 *   document may use it, as a reader would. So does a number such as `ORD-2026-000123`.
 * - an RFC 3339 time stands for any such time;
 * - `…` inside a string stands for any text, `"…": "…"` for more fields, a last `"…"` of a list for more items.
 */

export interface Example {
  readonly mode: 'run' | 'until';
  /** The line of the document it begins at. */
  readonly line: number;
  readonly command: string;
  readonly answer?: { readonly kind: 'json' | 'text'; readonly text: string };
}

interface Fence {
  readonly info: string;
  readonly line: number;
  readonly text: string;
  /** Is there nothing but blank lines between it and the fence before? */
  readonly follows: boolean;
}

/** The fenced blocks of a Markdown text. */
function fencesOf(markdown: string): Fence[] {
  const fences: Fence[] = [];
  let open: { info: string; line: number; lines: string[] } | undefined;
  let follows = false;
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^ {0,3}```(.*)$/.exec(line);
    if (fence && open) {
      fences.push({ info: open.info, line: open.line, text: open.lines.join('\n'), follows });
      open = undefined;
      follows = true;
    } else if (fence) {
      open = { info: fence[1]!.trim(), line: i + 1, lines: [] };
    } else if (open) {
      open.lines.push(line);
    } else if (line.trim() !== '') {
      follows = false;
    }
  }
  return fences;
}

/** The examples of a document, in order. */
export function examplesOf(markdown: string): Example[] {
  const examples: Example[] = [];
  let last: Example | undefined;
  for (const { info, line, text, follows } of fencesOf(markdown)) {
    const mode = /^sh (run|until)$/.exec(info)?.[1];
    if (last && follows && (info === 'json' || info === 'text')) examples[examples.length - 1] = { ...last, answer: { kind: info, text } };
    last = mode === 'run' || mode === 'until' ? { mode, line, command: text } : undefined;
    if (last) examples.push(last);
  }
  return examples;
}

/** What a document says there is when its examples begin: `<!-- begins with: dead letters -->`. */
export const sceneOf = (markdown: string): string | undefined => /^<!-- begins with: ([a-z ]+) -->$/m.exec(markdown)?.[1];

/** Shell blocks that do not say whether they are executed, and `until` without an answer to wait for. */
export function checkExamples(path: string, markdown: string): string[] {
  const unmarked = fencesOf(markdown)
    .filter(({ info }) => /^(sh|bash|shell|console)\b/.test(info) && !/^sh (run|until|by-hand)$/.test(info))
    .map(({ line }) => `${path}:${line} does not say whether it is executed: mark it sh run, sh until or sh by-hand`);
  const endless = examplesOf(markdown)
    .filter(({ mode, answer }) => mode === 'until' && !answer)
    .map(({ line }) => `${path}:${line} waits for nothing: write the answer after it`);
  return [...unmarked, ...endless];
}

/** What ids and numbers of a document really are, in one run of it. */
export type Names = Map<string, string>;

const ID = /\b(?:[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{26}|[A-Z]{2,5}-\d{4}-\d{4,})\b/g;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
/** A pattern for names of the same kind: whatever the year a number is from. */
const familyOf = (name: string): string => (name.includes('_') ? `${name.split('_')[0]}_[0-9a-z]{26}` : `${name.split('-')[0]}-\\d{4}-\\d+`);

/** Puts the real ids and the real address into a command of a document. */
export function filledIn(command: string, names: Names, base: string): string {
  return command.replaceAll('http://127.0.0.1:8000', base).replaceAll(ID, (name) => names.get(name) ?? name);
}

/** How an answer differs from the one written, as `where: what`; nothing when it does not. Learns names on the way. */
export function differences(written: unknown, real: unknown, names: Names, where = 'the answer'): string[] {
  if (typeof written === 'string') return typeof real === 'string' && textMatches(written, real, names) ? [] : [unlike(where, written, real)];
  if (Array.isArray(written)) return Array.isArray(real) ? listDifferences(written, real, names, where) : [unlike(where, written, real)];
  if (!isObject(written)) return written === real ? [] : [unlike(where, written, real)];
  if (!isObject(real)) return [unlike(where, written, real)];
  const found = Object.entries(written).flatMap(([name, value]) => {
    if (name === '…') return [];
    return Object.hasOwn(real, name) ? differences(value, real[name], names, `${where}.${name}`) : [`${where}.${name} is missing`];
  });
  const more = '…' in written ? [] : Object.keys(real).filter((name) => !Object.hasOwn(written, name));
  return [...found, ...more.map((name) => `${where}.${name} is not written down`)];
}

function listDifferences(written: readonly unknown[], real: readonly unknown[], names: Names, where: string): string[] {
  const open = written.at(-1) === '…';
  const wanted = open ? written.slice(0, -1) : written;
  if (real.length < wanted.length || (!open && real.length > wanted.length))
    return [`${where} has ${real.length} items, ${wanted.length} are written down`];
  return wanted.flatMap((item, i) => differences(item, real[i], names, `${where}[${i}]`));
}

/** Does a text fit, with its ids, times and gaps? Learns names when it does. */
export function textMatches(written: string, real: string, names: Names): boolean {
  if (TIME.test(written)) return TIME.test(real);
  const asked: string[] = [];
  const pattern = written
    .split(ID)
    .map((part) => part.split('…').map(RegExp.escape).join('[^]*'))
    .reduce((before, after, i) => {
      const name = [...written.matchAll(ID)][i - 1]![0];
      asked.push(name);
      return `${before}(${names.has(name) ? RegExp.escape(names.get(name)!) : familyOf(name)})${after}`;
    });
  const match = new RegExp(`^${pattern}$`).exec(real);
  if (match) for (const [i, name] of asked.entries()) names.set(name, match[i + 1]!);
  return match !== null;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const unlike = (where: string, written: unknown, real: unknown): string =>
  `${where} is ${JSON.stringify(real)}, written down is ${JSON.stringify(written)}`;

/** How what a command printed differs from the answer written after it. */
export function answerDifferences({ answer }: Example, printed: string, names: Names): string[] {
  if (!answer) return [];
  if (answer.kind === 'text')
    return textMatches(answer.text.trim(), printed.trim(), names) ? [] : [`it printed\n${printed.trim()}\n  written down is\n${answer.text}`];
  let real: unknown;
  try {
    real = JSON.parse(printed);
  } catch {
    return [`it printed no JSON: ${printed.slice(0, 500)}`];
  }
  return differences(JSON.parse(answer.text), real, names);
}
