import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ROOT, programSources, sourcesOf } from './source.ts';
import { type Exceptions, checkBans, checkLengths, checkMigrations, checkSql, checkStatusCodes, checkWords } from './tidy.ts';

/** What is longer than the rule allows, and why. The list may only shrink. */
const EXCEPTIONS: Exceptions = {};

const file = (path: string, text: string): { path: string; text: string } => ({ path, text });

describe('time, chance and configuration', () => {
  it('come from one place each', () => {
    expect(checkBans(programSources())).toEqual([]);
  });

  it.each([
    ['const now = Date.now();', 'uses Date.now: ask world.now()'],
    ['const clock = Date.now;', 'uses Date.now: ask world.now()'],
    ['const began = performance.now();', 'uses performance.now: ask world.now()'],
    ['const today = new Date();', 'uses new Date(): build it from world.now()'],
    ['const dice = Math.random();', 'uses Math.random: ask world.random()'],
    ['const id = crypto.randomUUID();', 'uses crypto.randomUUID: ask world.id() or world.random()'],
    [`import { randomUUID } from 'node:crypto'; randomUUID();`, 'uses randomUUID: ask world.id() or world.random()'],
    ['setTimeout(() => undefined, 10);', 'uses setTimeout: await world.sleep(), or set a timer in the mailbox'],
    ['globalThis.setInterval(() => undefined, 10);', 'uses globalThis.setInterval: use loop() of kernel/lifecycle.ts'],
    ['const port = process.env.PORT;', 'uses process.env: take it from the Config that app.ts hands down'],
    [`import { setTimeout as sleep } from 'node:timers/promises';`, 'imports node:timers/promises: use world.sleep()'],
  ])('complain about %s', (text, complaint) => {
    expect(checkBans([file('src/orders/use-cases.ts', text)])).toEqual([`src/orders/use-cases.ts:1 ${complaint}`]);
  });

  it('may be written about, and used at home and in tests', () => {
    const clean = [
      file(
        'src/orders/domain.ts',
        `// never Date.now()\nexport const day = (ms: number) => new Date(ms).toISOString();\nconst hint = 'setTimeout(';`,
      ),
      file('src/kernel/world.ts', 'export const now = Date.now;'),
      file('src/config.ts', 'export const port = process.env.PORT;'),
      file('src/orders/domain.test.ts', 'setTimeout(() => undefined, 1);'),
    ];
    expect(checkBans(clean)).toEqual([]);
  });
});

describe('SQL', () => {
  it('is spoken in stores, messaging, sites, auditor and db only', () => {
    expect(checkSql(programSources())).toEqual([]);
  });

  it.each([
    'const q = `select id from orders where id = ${id}`;',
    `const q = 'INSERT INTO orders (id) values ($1)';`,
    'const q = `\n  with row (id) as (select 1) select * from row`;',
    'const q = `update orders set status = 1`;',
  ])('is complained about: %s', (text) => {
    expect(checkSql([file('src/orders/use-cases.ts', text)])).toEqual(['src/orders/use-cases.ts:1 speaks SQL: move it to the store.ts of the room']);
  });

  it('is not what people say', () => {
    const clean = [
      file('src/orders/api.ts', `const help = 'Select an order from the list, update it, set nothing.'; // select 1 from x`),
      file('src/orders/store.ts', 'const q = `select id from orders`;'),
    ];
    expect(checkSql(clean)).toEqual([]);
  });
});

describe('HTTP status codes', () => {
  it('are known to the doors only', () => {
    expect(checkStatusCodes(programSources())).toEqual([]);
  });

  it.each(['reply.code(404).send();', 'throw { statusCode: 409 };', 'if (answer.status === 503) retry();', 'res.writeHead(200);'])(
    'are complained about: %s',
    (text) => {
      expect(checkStatusCodes([file('src/orders/api.ts', text)])).toEqual([
        'src/orders/api.ts:1 knows an HTTP status code: throw a Refusal or a Fault, the edge gives it its code',
      ]);
    },
  );

  it('may be read where an outside party is spoken to', () => {
    const clean = [
      file('src/notifications/channels.ts', 'if (answer.status === 410) gone();'),
      file('src/orders/domain.ts', `if (order.status === 'open') limit(200);`),
    ];
    expect(checkStatusCodes(clean)).toEqual([]);
  });
});

describe('lengths', () => {
  const lines = (n: number): string => Array.from({ length: n }, (_, i) => `  use(${i});`).join('\n');

  it('stay within what a reader can hold', () => {
    expect(checkLengths(sourcesOf('{src,test,scripts,bench}/**/*.ts'), EXCEPTIONS)).toEqual([]);
  });

  it('complain about long files and long functions', () => {
    const bad = [file('src/a.ts', lines(401)), file('src/b.ts', `function long() {\n${lines(69)}\n}\nconst arrow = () => {\n${lines(70)}\n};`)];
    expect(checkLengths(bad, {})).toEqual([
      'src/a.ts has 401 lines, 400 are allowed: which two things does it want to be?',
      'src/b.ts:1 long has 71 lines, 70 are allowed: name its steps and move them out',
      'src/b.ts:72 arrow has 72 lines, 70 are allowed: name its steps and move them out',
    ]);
  });

  it('let a factory hold many small functions, and tests have long chapters', () => {
    const factory = `function factory() {\n  function a() {\n${lines(60)}\n  }\n  const b = () => {\n${lines(60)}\n  };\n}`;
    expect(checkLengths([file('src/a.ts', factory), file('src/a.test.ts', `it('x', () => {\n${lines(99)}\n});`)], {})).toEqual([]);
  });

  it('let a list that is returned be long, not the steps before it', () => {
    const list = `  return [\n${lines(60).replaceAll(';', ',')}\n    () => {\n${lines(30)}\n    },\n  ];`;
    expect(checkLengths([file('src/a.ts', `function routes() {\n${lines(60)}\n${list}\n}`)], {})).toEqual([]);
    expect(checkLengths([file('src/a.ts', `function routes() {\n${lines(70)}\n${list}\n}`)], {})).toEqual([
      'src/a.ts:1 routes has 72 lines, 70 are allowed: name its steps and move them out',
    ]);
  });

  it('only ever get shorter', () => {
    const one = file('src/a.ts', lines(420));
    expect(checkLengths([one], { 'src/a.ts': { lines: 420, reason: 'a table' } })).toEqual([]);
    expect(checkLengths([one], { 'src/a.ts': { lines: 410, reason: 'a table' } })).toEqual([
      'src/a.ts has 420 lines, 410 are allowed: which two things does it want to be?',
    ]);
    expect(checkLengths([one], { 'src/a.ts': { lines: 450, reason: 'a table' } })).toEqual([
      'src/a.ts has only 420 lines: lower its exception from 450',
    ]);
    expect(checkLengths([file('src/a.ts', lines(3))], { 'src/a.ts': { lines: 420, reason: 'a table' } })).toEqual([
      'src/a.ts needs no exception any more: remove it',
    ]);
  });
});

describe('words', () => {
  it('promise nothing for later and name no place only their writer has', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
    const own = ['test/architecture/tidy.test.ts', 'package-lock.json'];
    const files = sourcesOf(
      ...tracked.filter((path) => /\.(ts|mjs|md|json|sql|ya?ml|html)$|^\.(ci|npmrc)|^\.[^/]+$/.test(path) && !own.includes(path)),
    );
    expect(files.length).toBeGreaterThan(20);
    expect(checkWords(files)).toEqual([]);
  });

  it.each([
    ['// TODO: retry', 'says TODO: do it now, or write down in docs/decisions why not'],
    ['see FIXME below', 'says FIXME: do it now, or write down in docs/decisions why not'],
    ['cd /home/ada/waybill', "names /home/ada, a path of somebody's machine"],
    ['open("/home/ada/src")', "names /home/ada, a path of somebody's machine"],
    ['registry=https://registry.example.org/', "names a package registry: which one to use is the installer's business"],
  ])('complain about %s', (text, complaint) => {
    expect(checkWords([file('docs/a.md', `fine\n${text}`)])).toEqual([`docs/a.md:2 ${complaint}`]);
  });

  it('leave ordinary words alone', () => {
    expect(
      checkWords([file('docs/a.md', 'todo lists, GET /v1/work/items, a hackney carriage, "XXX" for no currency, https://example.org/npm-tips')]),
    ).toEqual([]);
  });
});

describe('migrations', () => {
  it('exist for both databases, in one unbroken row of numbers', () => {
    const paths = sourcesOf('src/**/migrations/*').map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(0);
    expect(checkMigrations(paths)).toEqual([]);
  });

  it('complain about a missing twin, a gap and a name', () => {
    const paths = [
      'src/a/migrations/0001_a.sqlite.sql',
      'src/a/migrations/0003_b.sqlite.sql',
      'src/a/migrations/0003_b.postgres.sql',
      'src/a/migrations/0004-c.sql',
    ];
    expect(checkMigrations(paths)).toEqual([
      'src/a/migrations/0004-c.sql: call it NNNN_name.sqlite.sql or NNNN_name.postgres.sql',
      'src/a/migrations/0001_a.postgres.sql is missing: every migration has both dialects',
      'src/a/migrations/0003_b: the number 0002 comes next',
    ]);
  });
});
