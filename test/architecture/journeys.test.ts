/** Every journey is made on every ground, or says here why not. */
import { expect, it } from 'vitest';
import { type Source, sourcesOf } from './source.ts';

const ELSEWHERE: Readonly<Record<string, string>> = {
  'broker-away.test.ts': 'is about the broker',
  'guides.test.ts': 'changes the code, and starts no program',
  'pgbouncer.test.ts': 'is about a pooler before PostgreSQL',
  'published.test.ts': 'is about the package, which is the same everywhere',
  'rabbit.test.ts': 'is about what only RabbitMQ makes possible: processes that divide the work',
  'split.test.ts': 'is about the split shape, which has both servers',
  'start.test.ts': 'is npm start with nothing beside it',
};

function complaintsAbout(journeys: readonly Source[], reasons: Readonly<Record<string, string>>): string[] {
  return [
    ...journeys.flatMap(({ path, text }) => {
      const name = path.split('/').at(-1)!;
      const everywhere = text.includes('onEveryGround(');
      if (everywhere === name in reasons)
        return [everywhere ? `${name} is made on every ground: its reason is none` : `${name} is not made on every ground`];
      return [];
    }),
    ...Object.keys(reasons)
      .filter((name) => !journeys.some(({ path }) => path.endsWith(`/${name}`)))
      .map((name) => `${name} is not there`),
  ];
}

it('every journey is made on every ground, or has a reason', () => {
  expect(complaintsAbout(sourcesOf('test/journeys/*.test.ts'), ELSEWHERE)).toEqual([]);
});

it('one that is not is complained about, and so is a reason for nothing', () => {
  const files = [
    { path: 'test/journeys/a.test.ts', text: 'onEveryGround((ground) => {})' },
    { path: 'test/journeys/b.test.ts', text: 'startApp()' },
    { path: 'test/journeys/c.test.ts', text: 'startApp()' },
  ];
  expect(complaintsAbout(files, { 'a.test.ts': 'x', 'c.test.ts': 'y', 'd.test.ts': 'z' })).toEqual([
    'a.test.ts is made on every ground: its reason is none',
    'b.test.ts is not made on every ground',
    'd.test.ts is not there',
  ]);
});
