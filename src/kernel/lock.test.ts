import { expect, it } from 'vitest';
import { alone, lockWord } from './lock.ts';

it('one after another, in the order of coming, whatever becomes of each', async () => {
  const lock = lockWord();
  const seen: string[] = [];
  const work = (name: string, fails = false) =>
    alone(lock, async () => {
      seen.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const ends = await Promise.allSettled([work('a'), work('b', true), work('c')]);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
