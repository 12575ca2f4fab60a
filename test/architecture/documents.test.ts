import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PAGES, errorsPage, eventsPage, strayPages } from '../../scripts/docs.ts';
import { RELEASED } from '../../scripts/contracts.ts';
import { COMMANDS, EVENTS } from '../../src/contracts/messages.ts';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { checkDependencies, checkErrors, checkEvents } from './documents.ts';
import { ROOT } from './source.ts';

const page = (path: string): string => readFileSync(ROOT + path, 'utf8');

describe('the page of errors', () => {
  it('and the catalogue know the same codes', () => {
    expect(checkErrors(page('docs/errors.md'), Object.keys(CATALOGUE))).toEqual([]);
  });

  it('is complained about when either knows more', () => {
    const entry = { sort: 'busy', retryable: true, meaning: 'It is.', next: 'Wait.' };
    expect(checkErrors(errorsPage({ known: entry, gone: entry }), ['known', 'added'])).toEqual([
      'docs/errors.md does not know added: run npm run docs',
      'docs/errors.md tells of gone, which src/kernel/errors.ts does not have: run npm run docs',
    ]);
  });
});

describe('the page of events', () => {
  it('and the contracts know the same messages', () => {
    expect(checkEvents(page('docs/events.md'), EVENTS, COMMANDS)).toEqual([]);
  });

  it('is complained about when it tells of other names, kinds, receivers or fields', () => {
    const data = z.object({ order_id: z.string(), lines: z.array(z.object({ sku: z.string() })) });
    const written = eventsPage(
      { 'order.gone': data, 'order.placed': data, 'stock.check': data },
      { 'stock.reserve': { to: 'orders', data }, 'stock.release': { to: 'inventory', data } },
    );
    const less = z.object({ order_id: z.string() });
    expect(
      checkEvents(
        written,
        { 'order.placed': data, 'order.added': data },
        { 'stock.check': { to: 'inventory', data }, 'stock.reserve': { to: 'inventory', data }, 'stock.release': { to: 'inventory', data: less } },
      ),
    ).toEqual([
      'docs/events.md tells of order.gone, which nobody defines: run npm run docs',
      'docs/events.md does not know order.added: run npm run docs',
      'docs/events.md calls stock.check an event, it is a command: run npm run docs',
      'docs/events.md sends stock.reserve to orders, it goes to inventory: run npm run docs',
      'docs/events.md gives stock.release the fields order_id, lines; they are order_id: run npm run docs',
    ]);
  });

  it('writes inner fields with their path', () => {
    const data = z.object({
      lines: z.array(z.object({ sku: z.string() })),
      ship_to: z.record(z.string(), z.string()).optional(),
      reason: z.enum(['a', 'b']),
    });
    expect(eventsPage({ 'order.placed': data }, {})).toContain(
      ['| `lines[].sku` | string |', '| `ship_to?` | names and string values |', '| `reason` | `a` or `b` |'].join('\n'),
    );
  });
});

describe('generated pages', () => {
  it('are all there is, but for what was released', () => {
    expect(strayPages()).toEqual([]);
    expect(strayPages(['docs/schemas/order.gone.json', 'docs/schemas/order.placed.json', 'docs\\schemas\\stock.gone.json'])).toEqual([
      'docs/schemas/order.gone.json',
      'docs/schemas/stock.gone.json',
    ]);
    expect(Object.keys(PAGES)).not.toContain(RELEASED);
  });

  it('the page of events leads to the schema of each type', () => {
    const links = [...page('docs/events.md').matchAll(/\(schemas\/(.+)\)/g)].map(([, file]) => `docs/schemas/${file}`);
    expect(links).toEqual(Object.keys(PAGES).filter((path) => path.startsWith('docs/schemas/')));
  });

  it.each(Object.keys(PAGES))('%s is what npm run docs writes', (path) => {
    expect(page(path)).toBe(PAGES[path]!());
  });
});

describe('dependencies', () => {
  it('each have a reason', () => {
    const { dependencies, devDependencies } = JSON.parse(page('package.json')) as Record<string, Record<string, string>>;
    expect(checkDependencies(page('docs/decisions/0003-dependencies.md'), Object.keys({ ...dependencies, ...devDependencies }))).toEqual([]);
  });

  it('are complained about without one', () => {
    const written = ['| package | why |', '|---|---|', '| `kept` | Good. |', '| `gone`, `@a/kept` | Good. |'].join('\n');
    expect(checkDependencies(written, ['kept', '@a/kept', 'added'])).toEqual([
      'added has no reason: give it a row in docs/decisions/0003-dependencies.md',
      'docs/decisions/0003-dependencies.md gives a reason for gone, which is not in package.json',
    ]);
  });
});
