import { afterEach, describe, expect, it } from 'vitest';
import { Fault } from '../kernel/errors.ts';
import { createTelemetry } from '../kernel/telemetry.ts';
import { testWorld } from '../../test/support/world.ts';
import type { Mailbox, Unit } from './mailbox.ts';
import { LEASE_MS, PERFORM_MS, type TaskKind, runTasks } from './tasks.ts';

interface Task {
  readonly id: string;
}
const task = (id: string): Task => ({ id });
const turns = async (n = 20): Promise<void> => {
  for (let i = 0; i < n; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

/** A service without a database: rows are a map from id to when they are due, answers are given by hand. */
function scene(options: { concurrency?: number; dialect?: 'sqlite' | 'postgres'; rows?: Record<string, number> } = {}) {
  const world = testWorld();
  const start = world.now();
  const due = new Map(Object.entries(options.rows ?? {}).map(([id, ms]) => [id, start + ms]));
  const calls: string[] = [];
  const concluded: [string, string][] = [];
  const answer = new Map<string, (outcome: string) => void>();
  let refuse: (ids: string[]) => Error | undefined = () => undefined;
  const mailbox = {
    service: 'test',
    world,
    db: { dialect: { name: options.dialect ?? 'postgres' } },
    write: (work: (unit: Unit) => Promise<unknown>) => work({ now: world.now() } as Unit),
  } as unknown as Mailbox;
  const kind: TaskKind<Task, string> = {
    name: 'toys',
    concurrency: options.concurrency ?? 100,
    async claim({ now }, { limit, leaseUntil }) {
      const taken = [...due].filter(([, at]) => at <= now).slice(0, limit);
      for (const [id] of taken) due.set(id, leaseUntil);
      return taken.map(([id]) => task(id));
    },
    perform({ id }) {
      calls.push(id);
      return new Promise((resolve) => answer.set(id, resolve));
    },
    unanswered: 'unanswered',
    async conclude(_, done) {
      const error = refuse(done.map((one) => one.task.id));
      if (error) throw error;
      for (const one of done) {
        due.delete(one.task.id);
        concluded.push([one.task.id, one.outcome]);
      }
    },
  };
  const tasks = runTasks(mailbox, createTelemetry({ level: 'silent' }), kind);
  close = async () => {
    const stopped = tasks.stop();
    await turns();
    world.advance(PERFORM_MS); // whoever has not answered by now is not waited for
    await stopped;
  };
  return {
    world,
    tasks,
    calls,
    concluded,
    answer: (id: string, outcome = 'done') => answer.get(id)!(outcome),
    refuseWhen: (rule: typeof refuse) => (refuse = rule),
    /** Another process leases a row. */
    lose: (id: string) => due.set(id, world.now() + 2 * LEASE_MS),
    /** Rows as if just committed with a lease of their own. */
    insert: (...ids: string[]) => {
      for (const id of ids) due.set(id, world.now() + LEASE_MS);
      tasks.poke(ids.map(task));
    },
  };
}

describe('tasks', () => {
  it('are performed once and concluded together', async () => {
    const { tasks, calls, concluded, answer, insert } = scene({ rows: { a: 0 } });
    await tasks.start();
    insert('b', 'c');
    await turns();
    expect(calls.toSorted()).toEqual(['a', 'b', 'c']);
    for (const id of calls) answer(id);
    await turns();
    expect(concluded.map((both) => both.join(' ')).toSorted()).toEqual(['a done', 'b done', 'c done']);
  });

  it('a poisonous outcome fails alone; its call is made again when the lease has run out', async () => {
    const { tasks, world, calls, concluded, answer, insert, refuseWhen } = scene();
    refuseWhen((ids) => (ids.includes('bad') ? new Error('poison') : undefined));
    await tasks.start();
    insert('a', 'b', 'bad', 'c', 'd');
    await turns();
    for (const id of calls) answer(id);
    await turns();
    expect(concluded.map(([id]) => id)).toEqual(['a', 'b', 'c', 'd']);
    world.advance(LEASE_MS);
    await turns();
    expect(calls.filter((id) => id === 'bad')).toHaveLength(2);
  });

  it('a database that is away is waited for; what was answered is not asked again', async () => {
    const { tasks, world, calls, concluded, answer, insert, refuseWhen } = scene();
    let asked = 0;
    refuseWhen(() => ((asked += 1), new Fault('unavailable', 'away')));
    await tasks.start();
    insert('a', 'b', 'c');
    await turns();
    for (const id of calls) answer(id);
    await turns();
    expect(asked).toBe(1); // together, not one by one
    world.advance(LEASE_MS);
    await turns();
    expect(asked).toBe(2);
    expect(concluded).toEqual([]);
    refuseWhen(() => undefined);
    world.advance(1_000);
    await turns();
    expect(concluded.map(([id]) => id)).toEqual(['a', 'b', 'c']);
    expect(calls).toEqual(['a', 'b', 'c']);
  });

  it('a call without an answer gives its place up, and is not heard any more', async () => {
    const { tasks, world, calls, concluded, answer, insert } = scene({ concurrency: 1 });
    await tasks.start();
    insert('mute', 'next');
    await turns();
    expect(calls).toEqual(['mute']);
    world.advance(PERFORM_MS);
    await turns();
    expect(concluded).toEqual([['mute', 'unanswered']]);
    expect(calls).toEqual(['mute', 'next']);
    answer('mute');
    answer('next');
    await turns();
    expect(concluded).toEqual([
      ['mute', 'unanswered'],
      ['next', 'done'],
    ]);
  });

  it('one whose lease ran out while it waited is left to whoever has leased it since', async () => {
    const { tasks, world, calls, insert, lose } = scene({ concurrency: 1 });
    await tasks.start();
    insert('mute', 'lost', 'renewed');
    await turns();
    lose('lost');
    world.advance(LEASE_MS); // at once, as if this process had stood still
    await turns();
    expect(calls).toEqual(['mute', 'renewed']);
  });

  it('those a dead process had leased are taken at once where only one process can be at work', async () => {
    const rows = { leased: LEASE_MS - 1, later: LEASE_MS + 1 };
    const alone = scene({ dialect: 'sqlite', rows });
    await alone.tasks.start();
    await turns();
    expect(alone.calls).toEqual(['leased']);
    alone.answer('leased');
    await alone.tasks.stop();
    const shared = scene({ dialect: 'postgres', rows });
    await shared.tasks.start();
    await turns();
    expect(shared.calls).toEqual([]);
  });

  it('a stop waits for answers, but not for ever', async () => {
    const { tasks, world, calls, concluded, answer, insert } = scene();
    await tasks.start();
    insert('quick', 'mute');
    await turns();
    expect(calls).toHaveLength(2);
    const stopped = tasks.stop();
    answer('quick');
    await turns();
    world.advance(5_000);
    await stopped;
    answer('mute');
    await turns();
    expect(concluded).toEqual([['quick', 'done']]);
  });

  it('leaves to whoever runs it what was inserted where nothing runs', async () => {
    const { tasks, world } = scene();
    expect(tasks.leaseFrom(world.now())).toBe(world.now());
    await tasks.start();
    expect(tasks.leaseFrom(world.now())).toBe(world.now() + LEASE_MS);
  });
});
