/** Messages older than the memory of who handled what: nothing knows any more whether they had their effect. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import * as deadLetters from '../../src/messaging/dead-letters.ts';
import { WINDOW_MS } from '../../src/messaging/dedupe.ts';
import type { Dedupe } from '../../src/messaging/service.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, effects, event, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('a message that comes late on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
  });
  afterEach(() => bench.close());

  const service = (dedupe: Dedupe): Promise<Station> =>
    bench.service('inventory', { transport, subscriptions: [recording(['stock.release'], dedupe), recording(['stock.released'], 'latest')] });
  const old = (subject: string, more: Partial<Message> = {}): Message => command(subject, { time: bench.world.now() - WINDOW_MS - 1, ...more });
  const subjectsOf = async (station: Station): Promise<string[]> => (await effects(station)).map(({ subject }) => subject);
  const letters = async (station: Station): Promise<readonly deadLetters.DeadLetter[]> =>
    (await deadLetters.list(station.mailbox.db, {}, undefined, 50)).items;

  it('K19 is refused where an inbox would have to remember it, and nothing else is', async () => {
    const station = await service('inbox');
    const messages = [command('young', { time: bench.world.now() - WINDOW_MS + 60_000 }), old('old'), command('timeless', { time: 0 })];
    expect(await transport.deliver([...messages, event('stream', 1, { time: 5 })])).toBe('acked');
    expect((await subjectsOf(station)).toSorted()).toEqual(['stream', 'timeless', 'young']);
    expect(await letters(station)).toMatchObject([
      {
        subject: 'old',
        code: 'outside_dedupe_window',
        error: 'stock.release about old was said 13 days ago; whether it was handled then is forgotten',
      },
    ]);
    expect(await station.count('timer')).toBe(0);
  });

  it('K19 is taken where its own rows know duplicates', async () => {
    const station = await service('natural');
    await transport.deliver([old('old')]);
    expect(await subjectsOf(station)).toEqual(['old']);
  });

  it('K19 is not let in by a redrive of another cause; whoever sends it again after that knows', async () => {
    const station = await service('inbox');
    await transport.deliver([old('old', { data: { order_id: 7, reason: 'test' } })]);
    const [{ id }] = (await letters(station)) as [deadLetters.DeadLetter];
    await station.mailbox.db.write((tx) => tx.raw(`update dead_letter set message = replace(message, '"order_id":7', '"order_id":"old"')`));
    for (const [expected, effect] of [
      [{ status: 'open', code: 'outside_dedupe_window', redrives: 1 }, []],
      [{ status: 'resolved', redrives: 1 }, ['old']],
    ] as const) {
      await station.mailbox.write((unit) => deadLetters.redrive(unit, id, 'ada'));
      await until('it is on its way', () => transport.published.some(({ destination }) => destination === 'inventory'));
      const at = transport.published.findIndex(({ destination }) => destination === 'inventory');
      await transport.deliver(transport.published.splice(at, 1)[0]!.messages);
      expect(await deadLetters.get(station.mailbox.db, id)).toMatchObject(expected);
      expect(await subjectsOf(station)).toEqual(effect);
    }
  });

  it('K19 is not what a timer says that was set long ago', async () => {
    const station = await service('inbox');
    const data = { order_id: 'o1', reason: 'test' };
    await station.mailbox.write((unit) =>
      unit.setTimers([{ key: 'o1', dueAt: unit.now + 20 * 24 * 3_600_000, saying: { type: 'stock.release', subject: 'o1', data } }]),
    );
    bench.world.advance(20 * 24 * 3_600_000);
    await until('it is said', () => transport.published.length > 0);
    await transport.deliver(transport.published[0]!.messages);
    expect(await subjectsOf(station)).toEqual(['o1']);
  });
});
