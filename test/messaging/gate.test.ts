/** Order of a stream, whatever order its messages come in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Message } from '../../src/contracts/envelope.ts';
import type { Dedupe } from '../../src/messaging/service.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, effects, event, handTransport, openBench, recording } from './support.ts';

/** A repeatable shuffle. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const out = [...items];
  let state = seed;
  for (let i = out.length - 1; i > 0; i -= 1) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const j = state % (i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

describe.each(databases())('the gate of a stream on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
  });
  afterEach(() => bench.close());

  const service = (dedupe: Dedupe, handle: (messages: readonly Message[]) => void = () => undefined): Promise<Station> =>
    bench.service('orders', { transport, subscriptions: [recording(['stock.released'], dedupe, (_, messages) => handle(messages))] });
  const sequencesOf = async (station: Station, subject: string): Promise<number[]> =>
    (await effects(station)).filter((row) => row.subject === subject).map(({ note }) => Number(note));

  it.each([1, 2, 3, 4, 5])('K06 strict: any order and duplicates give the order of the stream (shuffle %i)', async (seed) => {
    const station = await service('strict');
    const all = ['a', 'b', 'c'].flatMap((stream) => Array.from({ length: 20 }, (_, i) => event(stream, i + 1)));
    const coming = shuffled([...all, ...all], seed);
    for (let i = 0; i < coming.length; i += 7) await transport.deliver(coming.slice(i, i + 7));
    const whole = Array.from({ length: 20 }, (_, i) => i + 1);
    for (const stream of ['a', 'b', 'c']) expect(await sequencesOf(station, stream)).toEqual(whole);
    expect(await station.count('parked')).toBe(0);
  });

  it('K07 strict: what is behind a gap is parked and visible, and follows in the transaction that closes the gap', async () => {
    const calls: number[][] = [];
    const station = await service('strict', (messages) => calls.push(messages.map(({ sequence }) => sequence!)));
    await transport.deliver([event('a', 1), event('a', 3), event('a', 4)]);
    expect(await sequencesOf(station, 'a')).toEqual([1]);
    expect(await station.control.state()).toMatchObject({ parked: 2 });
    await transport.deliver([event('a', 6), event('a', 2)]);
    expect(await sequencesOf(station, 'a')).toEqual([1, 2, 3, 4]);
    expect(calls).toEqual([[1], [2, 3, 4]]);
    expect(await station.count('parked')).toBe(1);
  });

  it('strict: a message that fails holds back its own stream only, and its retry releases it', async () => {
    let broken = true;
    const station = await service('strict', (messages) => {
      if (broken && messages.some(({ subject, sequence }) => subject === 'a' && sequence === 2)) throw new Error('bug');
    });
    await transport.deliver([event('a', 1), event('a', 2), event('a', 3), event('b', 1), event('b', 2)]);
    expect([await sequencesOf(station, 'a'), await sequencesOf(station, 'b')]).toEqual([[1], [1, 2]]);
    broken = false;
    await transport.deliver([event('a', 2, { attempt: 1 })]);
    expect(await sequencesOf(station, 'a')).toEqual([1, 2, 3]);
    expect(await station.count('failure')).toBe(0);
  });

  it('latest: what is not newer is dropped, gaps are no matter', async () => {
    const station = await service('latest');
    await transport.deliver([event('a', 3), event('a', 2), event('b', 1)]);
    await transport.deliver([event('a', 3), event('a', 7)]);
    expect([await sequencesOf(station, 'a'), await sequencesOf(station, 'b')]).toEqual([[3, 7], [1]]);
  });

  it('a message without a sequence does not fit a subscription that needs one', async () => {
    const station = await service('latest');
    const { sequence: _, ...bare } = event('a', 1);
    await transport.deliver([bare, event('b', 1)]);
    expect(await sequencesOf(station, 'b')).toEqual([1]);
    expect(await station.count('dead_letter')).toBe(1);
  });

  it('two processes at one stream keep its order between them', async (context) => {
    if (database.name !== 'postgres') context.skip(); // SQLite files belong to one process
    const first = await service('strict');
    const other = handTransport();
    await bench.sibling(first, { transport: other, subscriptions: [recording(['stock.released'], 'strict')] });
    const all = Array.from({ length: 60 }, (_, i) => event('a', i + 1));
    const [one, two] = [shuffled(all, 11), shuffled(all, 12)];
    for (let i = 0; i < 60; i += 5) await Promise.all([transport.deliver(one.slice(i, i + 5)), other.deliver(two.slice(i, i + 5))]);
    const sequences = (await first.mailbox.db.read.raw<{ note: string }>('select note from effect order by ctid')).map(({ note }) => Number(note));
    expect(sequences).toHaveLength(60);
    expect(new Set(sequences).size).toBe(60);
    expect(await first.count('parked')).toBe(0);
  });
});
