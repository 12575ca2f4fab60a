import { describe, expect, it } from 'vitest';
import { checkCycles, checkDomains, checkRooms } from './rooms.ts';
import { programSources } from './source.ts';

const file = (path: string, text: string): { path: string; text: string } => ({ path, text });

describe('rooms', () => {
  it('import only what stands below them', () => {
    expect(checkRooms(programSources())).toEqual([]);
  });

  it.each([
    [
      file('src/orders/use-cases.ts', `import { post } from '../kernel/ledger.ts';\nimport { authorize } from '../payments/use-cases.ts';`),
      'src/orders/use-cases.ts:2 imports src/payments/use-cases.ts: siblings never import each other; services meet in contracts/',
    ],
    [
      file('src/kernel/world.ts', `import type { Database } from '../db/database.ts';`),
      'src/kernel/world.ts:1 imports src/db/database.ts: db stands above kernel; what kernel needs of it is handed down by app.ts',
    ],
    [
      file('src/messaging/relay.ts', `export { config } from '../config.ts';`),
      'src/messaging/relay.ts:1 imports src/config.ts: composition stands above messaging; what messaging needs of it is handed down by app.ts',
    ],
    [
      file('src/contracts/messages.ts', `const db = await import('../db/database.ts');`),
      'src/contracts/messages.ts:1 imports src/db/database.ts: siblings never import each other; services meet in contracts/',
    ],
    [
      file('src/edge/http.ts', `import type { Database } from '../db/database.ts';\nimport { openSqlite } from '../db/sqlite.ts';`),
      'src/edge/http.ts:2 imports src/db/sqlite.ts: the edge may know the types of db, not its code',
    ],
    [
      file('src/cli/orders.ts', `import { main } from '../main.ts';\nimport { EVENTS } from '../contracts/messages.ts';`),
      'src/cli/orders.ts:2 imports src/contracts/messages.ts: the CLI knows the program by its HTTP API, and src/main.ts to start it',
    ],
    [
      file('src/orders/api.ts', `import { place } from '../../test/support/orders.ts';`),
      'src/orders/api.ts:1 imports test/support/orders.ts: the program stands on nothing outside src/',
    ],
    [
      file('src/billing/store.ts', `import { post } from '../kernel/ledger.ts';`),
      'src/billing/store.ts:1 imports src/kernel/ledger.ts: nobody has placed the room billing: give it a floor in test/architecture/rooms.ts',
    ],
  ])('complain about %o', (source, complaint) => {
    expect(checkRooms([source])).toEqual([complaint]);
  });

  it('leave a test beside the code its helpers', () => {
    expect(checkRooms([file('src/orders/api.test.ts', `import { make } from '../../test/support/make.ts';`)])).toEqual([]);
  });
});

describe('domains', () => {
  it('are functions of what they were given', () => {
    expect(checkDomains(programSources())).toEqual([]);
  });

  it('complain about what reaches out or waits', () => {
    const source = file(
      'src/orders/domain.ts',
      [
        `import { Refusal } from '../kernel/errors.ts';`,
        `import type { DataOf } from '../contracts/messages.ts';`,
        `import { schemaOf } from '../contracts/messages.ts';`,
        `import { readFileSync } from 'node:fs';`,
        `import { save } from './store.ts';`,
        `export const decide = async () => undefined;`,
      ].join('\n'),
    );
    expect(checkDomains([source])).toEqual([
      'src/orders/domain.ts:3 imports src/contracts/messages.ts: a domain knows the kernel, and types of contracts/ and messaging/service.ts',
      'src/orders/domain.ts:4 imports node:fs: a domain knows the kernel, and types of contracts/ and messaging/service.ts',
      'src/orders/domain.ts:5 imports src/orders/store.ts: a domain knows the kernel, and types of contracts/ and messaging/service.ts',
      'src/orders/domain.ts:6 waits: a domain is functions of what it was given',
    ]);
  });
});

describe('cycles', () => {
  it('do not exist', () => {
    expect(checkCycles(programSources())).toEqual([]);
  });

  it('are told once, whatever their length and wherever one looks from', () => {
    const circle = [
      file('src/a.ts', `import { b } from './b.ts';`),
      file('src/b.ts', `import { type A, c } from './c.ts';`),
      file('src/c.ts', `export * from './a.ts';`),
      file('src/d.ts', `import { b } from './b.ts';\nimport { d } from './d.ts';`),
    ];
    expect(checkCycles(circle)).toEqual([
      'these import each other in a circle: src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts',
      'these import each other in a circle: src/d.ts -> src/d.ts',
    ]);
  });

  it('of types alone are no cycles', () => {
    expect(checkCycles([file('src/a.ts', `import { type B } from './b.ts';`), file('src/b.ts', `import { a } from './a.ts';`)])).toEqual([]);
  });
});
