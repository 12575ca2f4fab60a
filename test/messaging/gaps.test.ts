/** What is missing in a stream of strict order: seen, closed by itself, or given up by somebody who says why. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { type Gap, countGaps, listGaps, listSkips, skipGap } from '../../src/messaging/gaps.ts';
import { databases } from '../support/databases.ts';
import { watchPlans } from '../support/plans.ts';
import { type Bench, type HandTransport, type Station, effects, event, handTransport, openBench, recording, until } from './support.ts';

const LIMIT = 600_000;

describe.each(databases())('gaps on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let station: Station;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    const subscriptions = [recording(['stock.released'], 'strict')];
    station = await bench.service('orders', { transport, subscriptions, parts: ['relay', 'consumer'] });
  });
  afterEach(() => bench.close());

  const db = () => station.mailbox.db;
  const gaps = (more: Partial<Parameters<typeof listGaps>[1]> = {}): Promise<Gap[]> =>
    listGaps(db(), { before: Number.MAX_SAFE_INTEGER, limit: 50, service: 'orders', ...more });
  const missing = async (): Promise<string[]> =>
    (await gaps()).map(({ subject, missing_from, missing_to, waiting }) => `${subject} ${missing_from}-${missing_to}, ${waiting} wait`);
  const skip = (seq: number): Promise<void> =>
    station.mailbox.write((unit) => skipGap(unit, seq, { actor: 'ada', reason: 'its sender lost it', limit: LIMIT, queue: 'orders' }));
  const handled = async (subject: string): Promise<number[]> =>
    (await effects(station)).filter((row) => row.subject === subject).map(({ note }) => Number(note));
  /** What was sent to the queue again, delivered. */
  const returned = async (): Promise<void> => {
    await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'orders'));
    const at = transport.published.findIndex(({ destination }) => destination === 'orders');
    await transport.deliver(transport.published.splice(at, 1)[0]!.messages);
  };

  it('are told with what is missing and how much waits, and close when it comes, however it comes', async () => {
    await transport.deliver([event('a', 1), event('a', 4), event('b', 3, { correlationid: 'ord_1' }), event('c', 1)]);
    expect(await missing()).toEqual(['a 2-3, 1 wait', 'b 1-2, 1 wait']);
    await transport.deliver([event('a', 6), event('a', 2), event('b', 3)]);
    expect(await missing()).toEqual(['b 1-2, 1 wait', 'a 3-3, 2 wait']);
    await transport.deliver([event('a', 3), event('b', 1), event('b', 2)]);
    expect(await missing()).toEqual(['a 5-5, 1 wait']);
    await transport.deliver([event('a', 5)]);
    expect([await missing(), await station.count('parked')]).toEqual([[], 0]);
  });

  it('are found by order and by age, and counted', async () => {
    await transport.deliver([event('a', 2, { correlationid: 'ord_1' })]);
    bench.world.advance(LIMIT);
    await transport.deliver([event('b', 2, { correlationid: 'ord_2' })]);
    const before = bench.world.now() - LIMIT / 2;
    expect((await gaps({ correlationid: 'ord_2' })).map(({ subject }) => subject)).toEqual(['b']);
    expect((await gaps({ before })).map(({ subject }) => subject)).toEqual(['a']);
    expect(await countGaps(db(), before)).toMatchObject({ gaps: 2, overdue: 1, waiting: 2, since: expect.any(Number) });
    const watched = watchPlans(db(), { lists: true });
    for (const correlationid of [undefined, 'ord_1']) await listGaps(watched.db, { before, correlationid, limit: 1, service: 'orders' });
    await listSkips(watched.db, { limit: 5 });
    expect(await watched.scans()).toEqual([]);
  });

  it('K07 are given up after the limit only; what waits follows in order, and what comes after all is a dead letter, not a duplicate', async () => {
    await transport.deliver([event('a', 1), event('a', 4), event('a', 5), event('a', 8)]);
    const [gap] = await gaps();
    await expect(skip(gap!.seq)).rejects.toMatchObject({ code: 'gap_is_young' });
    bench.world.advance(LIMIT);
    await skip(gap!.seq);
    expect(await handled('a')).toEqual([1]);
    await returned();
    expect(await handled('a')).toEqual([1, 4, 5]);
    expect(await missing()).toEqual(['a 6-7, 1 wait']); // another one, young
    await expect(skip(gap!.seq)).rejects.toMatchObject({ code: 'gap_not_found' });
    expect(await listSkips(db(), { limit: 50 })).toMatchObject([{ actor: 'ada', reason: 'its sender lost it', missing_from: 2, missing_to: 3 }]);

    await transport.deliver([event('a', 3), event('a', 4), event('b', 1)]);
    expect([await handled('a'), await handled('b')]).toEqual([[1, 4, 5], [1]]);
    const { items } = await deadLetters.list(db(), {}, undefined, 50);
    expect(items).toMatchObject([{ code: 'sequence_skipped', subject: 'a', sequence: 3, status: 'open' }]);
    expect(items[0]!.error).toContain('message 3 of inventory:a came after ada had given its place up: its sender lost it');
  });

  it('are not given up while what is missing is a dead letter: it closes them when it is redriven, or is discarded first', async () => {
    const died = async (message: ReturnType<typeof event>): Promise<string> => {
      const burial = { world: bench.world, destination: 'orders', attempts: 4, firstAt: 1 };
      await station.mailbox.write((unit) => deadLetters.bury(unit, [message], new Error('it broke'), burial));
      return (await deadLetters.list(db(), {}, undefined, 1)).items[0]!.id;
    };
    await transport.deliver([event('b', 1), event('a', 3), event('b', 4)]);
    const [dead, other] = [await died(event('a', 1)), await died(event('b', 3))];
    bench.world.advance(LIMIT);
    const found = await gaps();
    expect(found.map(({ subject, dead_letter_id }) => [subject, dead_letter_id])).toEqual([
      ['a', dead],
      ['b', other],
    ]);
    await expect(skip(found[1]!.seq)).rejects.toMatchObject({ code: 'gap_has_dead_letter' });
    await station.mailbox.write((unit) => deadLetters.discard(unit, other, 'its sender said it twice', 'ada'));
    await skip(found[1]!.seq);
    await returned();
    expect(await handled('b')).toEqual([1, 4]);
    await station.mailbox.write((unit) => deadLetters.redrive(unit, dead, 'ada'));
    await returned();
    expect([await handled('a'), await missing()]).toEqual([[1], ['a 2-2, 1 wait']]);
  });

  it('given up while what is missing comes: one of the two has its way, and nothing is handled twice or lost', async () => {
    for (let round = 0; round < 8; round += 1) {
      const subject = `s${round}`;
      await transport.deliver([event(subject, 2), event(subject, 3)]);
      bench.world.advance(LIMIT);
      const [gap] = (await gaps()).filter((one) => one.subject === subject);
      const [given] = await Promise.allSettled([skip(gap!.seq), transport.deliver([event(subject, 1)])]);
      if (given.status === 'fulfilled') await returned();
      const late = (await deadLetters.list(db(), {}, undefined, 50)).items.filter((letter) => letter.subject === subject);
      if (given.status === 'rejected') expect(given.reason).toMatchObject({ code: 'gap_not_found' });
      expect([...late.map(({ sequence }) => sequence), ...(await handled(subject))].toSorted((a, b) => a! - b!)).toEqual([1, 2, 3]);
      expect(late).toHaveLength(given.status === 'fulfilled' ? 1 : 0);
    }
  });
});
