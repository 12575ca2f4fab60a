/** A few scripts of the model on each database; `npm run model` makes as many as there is time for. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApp, startApp } from '../support/app.ts';
import { postgresUrl } from '../support/databases.ts';
import { testWorld } from '../support/world.ts';
import { Model } from './model.ts';
import { type Seen, follow } from './script.ts';

const SCRIPTS = 2;
const STEPS = 40;

describe.each([
  { name: 'SQLite', there: true, postgres: undefined },
  { name: 'PostgreSQL', there: postgresUrl !== undefined, postgres: postgresUrl },
])('beside a model of plain maps, on $name', ({ there, postgres }) => {
  let app: TestApp;
  beforeAll(async () => {
    if (there) app = await startApp({ postgres });
  });
  afterAll(() => app?.stop());

  it.skipIf(!there)('the whole program is the same after every step', { timeout: 120_000 }, async () => {
    const seen: Seen = new Set();
    for (let seed = 1; seed <= SCRIPTS; seed += 1) await follow(app, { name: `seed-${seed}`, steps: STEPS, chance: testWorld(seed).random, seen });
    expect([...seen].filter((one) => one.includes('done')).length).toBeGreaterThan(8);
    expect([...seen].some((one) => one.includes('refused'))).toBe(true);
  });

  it.skipIf(!there)(
    'a program that differs by one piece is found out',
    async () => {
      const wrong = {
        ...app,
        get: async <Body>(path: string): Promise<Body> => {
          const body = await app.get<Body & { items?: { on_hand: number }[] }>(path);
          return path.startsWith('/v1/stock?')
            ? ({ ...body, items: body.items!.map((one) => ({ ...one, on_hand: one.on_hand + 1 })) } as Body)
            : body;
        },
      };
      const impatient = follow(wrong, { name: 'wrong', steps: 1, chance: testWorld(1).random, seen: new Set(), patience: 1 });
      await expect(impatient).rejects.toThrow('on_hand');
    },
    60_000,
  );
});

it('the model takes nothing that is not there', () => {
  const model = new Model();
  expect(model.obey({ do: 'take away', sku: 'A', quantity: 1 })).toBe('refused');
  model.obey({ do: 'place', lines: [{ sku: 'A', quantity: 1 }], declined: false });
  expect(model.orders).toMatchObject([{ status: 'cancelled', held: 0 }]);
});
