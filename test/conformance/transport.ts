/**
 * What the kernel relies on in a transport, whichever it is. A transport passes when all of this holds; adding one is a file of wiring.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { type Pack, packsOf } from '../../src/messaging/outbox.ts';
import type { Delivery, Transport } from '../../src/messaging/transport.ts';
import { until } from '../messaging/support.ts';

export interface TransportUnderTest {
  readonly name: string;
  open(): Promise<OpenTransport>;
}

export interface OpenTransport {
  /** Started. */
  readonly transport: Transport;
  /** Leaves everything as a `kill -9` of the program would, and starts anew on the same data. */
  crash(): Promise<Transport>;
  /** Stops in order and starts anew on the same data. */
  restart(): Promise<Transport>;
  /** Stops it and removes what it kept. */
  drop(): Promise<void>;
  /** Names of queues are global in a broker; a test's own are made with this. */
  queue(name: string): string;
}

const world = realWorld();
const EVENT = 'stock.released';
const OTHER = 'stock.committed';

function message(type: string, subject: string, data: unknown = { order_id: subject, reason: 'test' }): Message {
  return { id: world.id('msg'), type, source: 'orders', time: world.now(), subject, partitionkey: subject, correlationid: subject, hops: 1, data };
}

/** One pack of one message. */
const pack = (type: string, subject: string, destination: string | null = null): Pack => packsOf([message(type, subject)], destination)[0]!;

/** Collects deliveries and settles nothing by itself. */
class Collector {
  readonly deliveries: Delivery[] = [];
  readonly deliver = (delivery: Delivery): void => void this.deliveries.push(delivery);
  get subjects(): string[] {
    return this.deliveries.flatMap(({ messages }) => messages.map(({ subject }) => subject));
  }
  async atLeast(deliveries: number): Promise<void> {
    await until(`${deliveries} deliveries came`, () => this.deliveries.length >= deliveries);
  }
  ack(): void {
    for (const delivery of this.deliveries) delivery.ack();
  }
}

/** Once a later pack has been through a queue, an earlier one that did not come will not come. */
async function nothingCame(transport: Transport, queue: string, collector: Collector): Promise<void> {
  const before = collector.deliveries.length;
  await transport.publish([pack(OTHER, 'marker', queue)]);
  await collector.atLeast(before + 1);
  expect(collector.subjects.slice(before)).toEqual(['marker']);
  collector.deliveries.at(-1)!.ack();
}

export function transportSuite({ name, open }: TransportUnderTest): void {
  describe(`the transport ${name}`, () => {
    let opened: OpenTransport;
    let transport: Transport;
    let q: (name: string) => string;
    beforeEach(async () => {
      opened = await open();
      ({ transport, queue: q } = opened);
    });
    afterEach(() => opened.drop());

    const consume = async (queue: string, prefetch = 100): Promise<Collector & { cancel(): Promise<void> }> => {
      const collector = new Collector();
      const { cancel } = await transport.consume(queue, { prefetch, deliver: collector.deliver });
      return Object.assign(collector, { cancel });
    };

    it('C01 what was confirmed survives a crash', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      expect(await transport.publish([pack(EVENT, 'o1'), pack(EVENT, 'o2')])).toEqual(['confirmed', 'confirmed']);
      transport = await opened.crash();
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const consumer = await consume(q('a'));
      await consumer.atLeast(1);
      consumer.ack();
      await consumer.atLeast(2);
      expect(consumer.subjects).toEqual(['o1', 'o2']);
    });

    it('C02 a publish that was cut short, done again, reaches every queue, each pack whole', async () => {
      const queues = [
        { name: q('a'), types: [EVENT] },
        { name: q('b'), types: [EVENT, OTHER] },
      ];
      await transport.declare(queues);
      const packs = Array.from({ length: 20 }, (_, i) => packsOf(Array.from({ length: 20 }, (_, n) => message(EVENT, `o${i}.${n}`)))[0]!);
      const cutShort = transport.publish(packs).catch(() => undefined);
      transport = await opened.crash(); // nothing is known of it
      await cutShort;
      await transport.declare(queues);
      expect(new Set(await transport.publish(packs))).toEqual(new Set(['confirmed']));
      for (const { name } of queues) {
        const sizes = new Set<number>();
        const subjects = new Set<string>();
        await transport.consume(name, {
          prefetch: 100,
          deliver({ messages, ack }) {
            sizes.add(messages.length);
            for (const { subject } of messages) subjects.add(subject);
            ack();
          },
        });
        await until('all came', () => subjects.size === 400);
        expect(sizes).toEqual(new Set([20]));
      }
    });

    it('C03 a command, or a pack for one queue, whose queue is not there is unroutable', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const outcomes = await transport.publish([pack(EVENT, 'o1'), pack(EVENT, 'o2', q('nobody')), pack(EVENT, 'o3', q('a'))]);
      expect(outcomes).toEqual(['confirmed', 'unroutable', 'confirmed']);
      const consumer = await consume(q('a'));
      await consumer.atLeast(2);
      expect(consumer.subjects).toEqual(['o1', 'o3']);
    });

    it('C04 an event nobody subscribes to is confirmed', async () => {
      expect(await transport.publish([pack(OTHER, 'o1')])).toEqual(['confirmed']);
    });

    it('C05 an event reaches every queue bound to its type, and no other', async () => {
      await transport.declare([
        { name: q('a'), types: [EVENT] },
        { name: q('b'), types: [EVENT, OTHER] },
        { name: q('c'), types: [OTHER] },
      ]);
      await transport.publish([pack(EVENT, 'o1')]);
      const [a, b, c] = [await consume(q('a')), await consume(q('b')), await consume(q('c'))];
      await Promise.all([a.atLeast(1), b.atLeast(1)]);
      await nothingCame(transport, q('c'), c);
      expect([a.subjects, b.subjects]).toEqual([['o1'], ['o1']]);
    });

    it('C06 a pack for one queue reaches that queue only, whoever subscribes', async () => {
      await transport.declare([
        { name: q('a'), types: [EVENT] },
        { name: q('b'), types: [EVENT] },
      ]);
      await transport.publish([pack(EVENT, 'o1', q('a'))]);
      const [a, b] = [await consume(q('a')), await consume(q('b'))];
      await a.atLeast(1);
      await nothingCame(transport, q('b'), b);
      expect(a.subjects).toEqual(['o1']);
    });

    it('C07 no more messages are handed out unsettled than the prefetch, and at least one delivery is', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.publish(Array.from({ length: 9 }, (_, i) => pack(EVENT, `o${i}`)));
      await transport.publish([packsOf(Array.from({ length: 20 }, (_, i) => message(EVENT, `big${i}`)))[0]!]);
      const consumer = await consume(q('a'), 4);
      for (let seen = 0; seen < 9;) {
        await consumer.atLeast(Math.min(seen + 4, 9));
        const unsettled = consumer.deliveries.slice(seen);
        expect(unsettled.length).toBeLessThanOrEqual(4);
        seen += unsettled.length;
        for (const delivery of unsettled) delivery.ack();
      }
      await consumer.atLeast(10);
      expect(consumer.deliveries[9]!.messages).toHaveLength(20);
    });

    it('C08 what is acked is done with, exactly; the rest comes again after a crash, counted', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.publish(['o1', 'o2', 'o3', 'o4'].map((subject) => pack(EVENT, subject)));
      const before = await consume(q('a'));
      await before.atLeast(4);
      expect(before.deliveries.map(({ deliveries }) => deliveries)).toEqual([0, 0, 0, 0]);
      before.deliveries[1]!.ack();
      before.deliveries[3]!.ack();
      await until('the acks are kept', async () => (await transport.depths())[q('a')] === 2);
      transport = await opened.restart();
      const after = await consume(q('a'));
      await after.atLeast(1);
      after.ack();
      await after.atLeast(2);
      expect(after.subjects).toEqual(['o1', 'o3']);
      for (const { deliveries } of after.deliveries) expect(deliveries).toBeGreaterThanOrEqual(1);
    });

    it('C09 acks and releases that come late or twice are no harm', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.publish([pack(EVENT, 'o1'), pack(EVENT, 'o2')]);
      const before = await consume(q('a'));
      await before.atLeast(2);
      before.deliveries[0]!.ack();
      before.deliveries[0]!.ack();
      before.deliveries[0]!.release();
      await before.cancel();
      before.deliveries[1]!.ack();
      await until('both are done', async () => (await transport.depths())[q('a')] === 0);
      const stale = before.deliveries;
      transport = await opened.restart();
      for (const delivery of stale) delivery.ack();
      const after = await consume(q('a'));
      await nothingCame(transport, q('a'), after);
    });

    it('C10 each crash with the pack in hand counts one delivery more', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.publish([pack(EVENT, 'o1')]);
      const counts: number[] = [];
      for (let crash = 0; crash < 3; crash += 1) {
        const consumer = await consume(q('a'));
        await consumer.atLeast(1);
        counts.push(consumer.deliveries[0]!.deliveries);
        transport = await opened.crash();
      }
      expect(counts).toEqual([0, 1, 2]);
    });

    it('C12 what is released comes again, before what is behind it', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.publish(['o1', 'o2', 'o3'].map((subject) => pack(EVENT, subject)));
      const before = await consume(q('a'), 2);
      await before.atLeast(2);
      await before.cancel();
      for (const delivery of before.deliveries) delivery.release();
      const after = await consume(q('a'));
      await after.atLeast(3);
      expect(after.subjects).toEqual(['o1', 'o2', 'o3']);
    });

    it('C13 after a cancel nothing is handed out, and it waits for the next consumer', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const before = await consume(q('a'));
      await before.cancel();
      await transport.publish([pack(EVENT, 'o1')]);
      const after = await consume(q('a'));
      await after.atLeast(1);
      expect(before.deliveries).toEqual([]);
    });

    it('C17 messages arrive as they were sent: every field, any text, a megabyte', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const sent: Message[] = [
        {
          ...message(EVENT, 'all'),
          sequence: 7,
          causationid: 'req_1',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          attempt: 2,
          redrive: 'dl_1',
        },
        message(EVENT, 'text', { empty: '', quotes: `"'\\`, lines: 'a\r\nb', beyond: '𝔘 ☕ \u2028', zero: 0, nothing: null, list: [] }),
        message(EVENT, 'large', { text: 'x'.repeat(1_000_000) }),
        message(EVENT, 'bare', {}),
      ];
      await transport.publish(sent.map((one) => packsOf([one])[0]!));
      const consumer = await consume(q('a'));
      await consumer.atLeast(4);
      expect(consumer.deliveries.flatMap(({ messages }) => messages)).toEqual(sent);
    });

    it('C18 one publisher, one consumer, nothing failing: first in, first out', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT, OTHER] }]);
      const sent = Array.from({ length: 400 }, (_, i) => `o${i}`);
      const consumer = await consume(q('a'), 10);
      const settling = (async () => {
        for (let i = 0; i < 400; i += 1) {
          await consumer.atLeast(i + 1);
          consumer.deliveries[i]!.ack();
        }
      })();
      for (let i = 0; i < 400; i += 20)
        await transport.publish(sent.slice(i, i + 20).map((subject, n) => pack(n % 2 === 0 ? EVENT : OTHER, subject)));
      await settling;
      expect(consumer.subjects).toEqual(sent);
    });

    it('C19 consumers of one queue share its packs, each pack at one of them', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const [one, two] = [await consume(q('a'), 5), await consume(q('a'), 5)];
      await transport.publish(Array.from({ length: 10 }, (_, i) => pack(EVENT, `o${i}`)));
      await until('all ten came', () => one.deliveries.length + two.deliveries.length === 10);
      expect(one.deliveries).toHaveLength(5);
      expect(new Set([...one.subjects, ...two.subjects]).size).toBe(10);
    });

    it('C20 declaring twice is no harm; a declaration replaces the types', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const consumer = await consume(q('a'));
      await transport.publish([pack(EVENT, 'once')]);
      await consumer.atLeast(1);
      await transport.declare([{ name: q('a'), types: [OTHER] }]);
      await transport.publish([pack(EVENT, 'no longer'), pack(OTHER, 'now')]);
      await consumer.atLeast(2);
      expect(consumer.subjects).toEqual(['once', 'now']);
    });

    it('C21 depths count what waits and what is unsettled, in messages', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.publish([packsOf([message(EVENT, 'o1'), message(EVENT, 'o2')])[0]!, pack(EVENT, 'o3')]);
      await until('three wait', async () => (await transport.depths())[q('a')] === 3);
      const consumer = await consume(q('a'));
      await consumer.atLeast(2);
      consumer.deliveries[0]!.ack();
      await until('one is unsettled', async () => (await transport.depths())[q('a')] === 1);
    });

    it('C22 a queue far longer than memory is handed out whole and in order', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      const sent: string[] = [];
      for (let round = 0; round < 100; round += 1) {
        const messages = Array.from({ length: 200 }, (_, i) => message(EVENT, `o${round * 200 + i}`));
        sent.push(...messages.map(({ subject }) => subject));
        await transport.publish(packsOf(messages));
      }
      const consumer = await consume(q('a'), 1_000);
      for (let i = 0; i < 100; i += 1) {
        await consumer.atLeast(i + 1);
        consumer.deliveries[i]!.ack();
      }
      expect(consumer.subjects).toEqual(sent);
      await until('nothing is left', async () => (await transport.depths())[q('a')] === 0);
    });

    it('starts and stops twice without harm, and publishes nothing after', async () => {
      await transport.declare([{ name: q('a'), types: [EVENT] }]);
      await transport.start();
      await transport.stop();
      await transport.stop();
      await expect(transport.publish([pack(EVENT, 'late')])).rejects.toThrow();
      expect((await transport.health()).ok).toBe(false);
    });

    it('is healthy while it runs', async () => {
      expect(await transport.health()).toEqual({ ok: true });
    });
  });
}
