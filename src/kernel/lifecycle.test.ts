import { describe, expect, it } from 'vitest';
import { backoff, loop, runnable, startAll, stopAll } from './lifecycle.ts';
import { realWorld } from './world.ts';

const recorder = (): { log: string[]; thing: (name: string, fail?: 'start' | 'stop') => ReturnType<typeof runnable> } => {
  const log: string[] = [];
  const step = (name: string, verb: 'start' | 'stop', fail?: string) => (): void => {
    log.push(`${verb} ${name}`);
    if (fail === verb) throw new Error(`${name} cannot ${verb}`);
  };
  return { log, thing: (name, fail) => runnable(name, step(name, 'start', fail), step(name, 'stop', fail)) };
};

describe('runnable', () => {
  it('starts once and stops once, however often it is asked', async () => {
    const { log, thing } = recorder();
    const a = thing('a');
    await Promise.all([a.start(), a.start()]);
    await Promise.all([a.stop(), a.stop(), a.stop()]);
    expect(log).toEqual(['start a', 'stop a']);
  });

  it('can be stopped without ever having been started', async () => {
    const { log, thing } = recorder();
    await thing('a').stop();
    expect(log).toEqual([]);
  });

  it('stops after the start that is under way', async () => {
    const { log, thing } = recorder();
    const a = thing('a');
    const starting = a.start();
    await a.stop();
    await starting;
    expect(log).toEqual(['start a', 'stop a']);
  });
});

describe('startAll and stopAll', () => {
  it('stop in the reverse order, all of them, and tell every failure', async () => {
    const { log, thing } = recorder();
    const things = [thing('a'), thing('b', 'stop'), thing('c')];
    await startAll(things);
    await expect(stopAll(things)).rejects.toThrow(AggregateError);
    expect(log).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  it('a failing start stops what had been started and throws its error', async () => {
    const { log, thing } = recorder();
    await expect(startAll([thing('a'), thing('b', 'start'), thing('c')])).rejects.toThrow('b cannot start');
    expect(log).toEqual(['start a', 'start b', 'stop a']);
  });
});

describe('loop', () => {
  it('goes on after a turn that throws, and tells', async () => {
    const failures: unknown[] = [];
    let turns = 0;
    const { promise: third, resolve } = Promise.withResolvers<void>();
    const looping = loop({
      name: 'test',
      world: { ...realWorld(), sleep: async () => undefined },
      async turn() {
        turns += 1;
        if (turns === 1) throw new Error('first');
        if (turns === 3) resolve();
        return 0;
      },
      failed: (error) => failures.push(error),
    });
    await looping.start();
    await third;
    await looping.stop();
    expect(failures).toEqual([new Error('first')]);
    const after = turns;
    await new Promise((done) => setImmediate(done));
    expect(turns).toBe(after);
  });

  it('a wake ends a rest', async () => {
    let turn = Promise.withResolvers<void>();
    const looping = loop({ name: 'test', world: realWorld(), turn: async () => (turn.resolve(), 1e9), failed: () => undefined });
    await looping.start();
    for (let i = 0; i < 3; i += 1) {
      await turn.promise;
      turn = Promise.withResolvers<void>();
      await new Promise((done) => setImmediate(done)); // now it rests
      looping.wake();
    }
    await turn.promise;
    await looping.stop();
  });
});

describe('backoff', () => {
  it('doubles, stays between half and whole, and ends at the most', () => {
    const limits = { first: 100, most: 1_000 };
    expect([1, 2, 3, 4, 5, 500].map((n) => backoff(n, limits, 0))).toEqual([50, 100, 200, 400, 500, 500]);
    expect([1, 2, 3, 4, 5, 500].map((n) => backoff(n, limits, 1))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });
});
