/** An outbox divided among relays: each shard has one, all have their part, the order of a key is kept, and nothing is lost on the way. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pack } from '../../src/messaging/outbox.ts';
import type { PublishOutcome } from '../../src/messaging/transport.ts';
import { postgresAt, postgresUrl } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, handTransport, openBench, until } from './support.ts';

describe.skipIf(postgresUrl === undefined)('relays that share an outbox', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await openBench(postgresAt(postgresUrl!));
  });
  afterEach(() => bench.close());

  const SHARDS = 4;
  const options = (transport: HandTransport) => ({ transport, shards: SHARDS, parts: ['relay'] as const });
  const say = (station: Station, subjects: readonly string[], note: string): Promise<void> =>
    station.mailbox.write(async (unit) =>
      unit.say(subjects.map((subject) => ({ type: 'stock.release', subject, data: { order_id: subject, reason: note } }))),
    );
  const empty = (station: Station) => (): Promise<boolean> => station.count('outbox').then((n) => n === 0);
  const shardsOf = ({ published }: HandTransport): number[] => [...new Set(published.map(({ shard }) => shard))].toSorted((a, b) => a - b);
  const holders = async ({ mailbox }: Station): Promise<string[]> =>
    (await mailbox.db.read.raw<{ owner: string }>(`select owner from lease where name like 'relay:orders:%' order by name`)).map(
      ({ owner }) => owner,
    );
  const keys = Array.from({ length: 40 }, (_, i) => `ord_${i}`);
  /** Lets what is due every second or five become due. */
  const pass = (what: string, condition: () => boolean | Promise<boolean>): Promise<void> =>
    until(what, async () => {
      bench.world.advance(500);
      return condition();
    });

  it('a pack holds messages of one shard; one relay alone takes all of them', async () => {
    const transport = handTransport();
    const first = await bench.service('orders', options(transport));
    await say(first, keys, '1');
    await until('all are out', empty(first));
    expect(transport.published).toHaveLength(SHARDS);
    expect(shardsOf(transport)).toEqual([0, 1, 2, 3]);
    expect(transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject)).toSorted()).toEqual(keys.toSorted());
  });

  it('a second one gets its half, what is under way is finished first, and each key stays in order through all of it', async () => {
    const [a, b] = [handTransport(), handTransport()];
    const log: { subject: string; note: number }[] = [];
    const publishing = (packs: readonly Pack[]): Promise<PublishOutcome[]> => {
      for (const { messages } of packs)
        for (const { subject, data } of messages) log.push({ subject, note: Number((data as { reason: string }).reason) });
      return Promise.resolve(packs.map(() => 'confirmed'));
    };
    a.publishing(publishing);
    b.publishing(publishing);
    const first = await bench.service('orders', options(a));
    let round = 0;
    const both: Station[] = [first];
    // Each round every key is spoken of once more, by either process.
    const rounds = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        round += 1;
        await say(both[round % both.length]!, keys, String(round));
      }
    };
    await rounds(5);
    both.push(await bench.sibling(first, options(b)));
    await pass('the shards are shared', async () => {
      await rounds(1);
      const owners = await holders(first);
      return owners.length === SHARDS && new Set(owners).size === 2 && owners.filter((owner) => owner === owners[0]).length === 2;
    });
    await rounds(10);
    await pass('all are out', empty(first));
    expect(a.published.length * b.published.length).toBeGreaterThan(0);
    await both[1]!.stop();
    both.pop();
    await rounds(3);
    await pass('one is enough', empty(first));
    for (const key of keys) {
      const notes = log.filter(({ subject }) => subject === key).map(({ note }) => note);
      expect([key, notes]).toEqual([key, Array.from({ length: round }, (_, i) => i + 1)]);
    }
  });

  it('the shards of one that died are taken over when their leases have run out', async () => {
    const [a, b] = [handTransport(), handTransport()];
    const first = await bench.service('orders', options(a));
    const second = await bench.sibling(first, options(b));
    await pass('the shards are shared', async () => new Set(await holders(first)).size === 2);
    b.publishing(() => new Promise(() => undefined)); // it hangs with what it has in hand
    await say(first, keys, '1');
    await until('it has something in hand', async () => (await first.count('outbox')) < SHARDS);
    // What a dead one leaves: leases nobody renews.
    const [{ owner } = { owner: '' }] = await first.mailbox.db.read.raw<{ owner: string }>(
      `select owner from lease where name like 'relay:orders@%' order by name desc limit 1`,
    );
    const kill = () => first.mailbox.db.write((tx) => tx.raw('delete from lease where owner = $1', [owner]));
    await pass('all are out', async () => {
      await kill();
      return empty(first)();
    });
    expect(a.published.flatMap(({ messages }) => messages.map(({ subject }) => subject)).toSorted()).toEqual(keys.toSorted());
    void second;
  });

  it('what lies in shards there are no more is published, too', async () => {
    const transport = handTransport();
    const before = await bench.service('orders', { ...options(transport), parts: [] });
    await say(before, keys, '1');
    const now = await bench.sibling(before, { transport, shards: 2, parts: ['relay'] });
    await pass('all are out', empty(now));
    expect(transport.published.flatMap(({ messages }) => messages.map(({ subject }) => subject)).toSorted()).toEqual(keys.toSorted());
  });

  it('where others write into the outbox, too, what is told of here waits for a look', async () => {
    const transport = handTransport();
    const relaying = await bench.service('orders', { transport, divided: true, parts: ['relay'] });
    const writing = await bench.sibling(relaying, { transport: handTransport(), divided: true, parts: [] });
    for (let i = 1; i <= 30; i += 1) await say(i % 2 === 0 ? relaying : writing, ['ord_1'], String(i));
    await until('all are out', empty(relaying));
    const notes = transport.published.flatMap(({ messages }) => messages.map(({ data }) => Number((data as { reason: string }).reason)));
    expect(notes).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });

  it('that others write, too, is found out when nobody says so', async () => {
    const transport = handTransport();
    const relaying = await bench.service('orders', { transport, parts: ['relay'] });
    const writing = await bench.sibling(relaying, { transport: handTransport(), parts: [] });
    for (let i = 0; i < 4; i += 1) {
      await say(writing, ['ord_0'], '0');
      await until('it is out', empty(relaying));
      bench.world.advance(1_100); // nobody has told of it within a second
    }
    for (let i = 1; i <= 30; i += 1) await say(i % 2 === 0 ? relaying : writing, ['ord_1'], String(i));
    await until('all are out', empty(relaying));
    const said = transport.published.flatMap(({ messages }) => messages).filter(({ subject }) => subject === 'ord_1');
    expect(said.map(({ data }) => Number((data as { reason: string }).reason))).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });
});
