import type { GetMessage } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type World, realWorld } from '../../src/kernel/world.ts';
import { type RabbitTransport, rabbitTransport } from '../../src/messaging/rabbit.ts';
import { type Pack, packsOf } from '../../src/messaging/outbox.ts';
import { namesOf } from '../../src/messaging/rabbit-topology.ts';
import type { Delivery } from '../../src/messaging/transport.ts';
import { event, telemetry, until } from '../messaging/support.ts';
import { type Proxy, openProxy } from '../support/proxy.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix, withRabbit } from '../support/rabbit.ts';
import { until as patiently } from '../support/server.ts';
import { type OpenTransport, transportSuite } from './transport.ts';

const world = realWorld();
// Rests between two attempts to connect are short here; what is tested is that they end.
const eager: World = { ...world, random: () => 0.02 };

interface OpenRabbit extends OpenTransport {
  readonly transport: RabbitTransport;
  readonly prefix: string;
  /** Between the present transport and the broker. */
  proxy(): Proxy;
}

function throughProxy(url: string, proxy: Proxy): string {
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(proxy.port);
  return through.href;
}

async function open(url: string): Promise<OpenRabbit> {
  const prefix = throwAwayPrefix();
  const used = new Set<string>();
  const started: { transport: RabbitTransport; proxy: Proxy }[] = [];
  const start = async (): Promise<RabbitTransport> => {
    const { hostname, port } = new URL(url);
    const proxy = await openProxy({ host: hostname, port: Number(port || 5672) });
    const transport = rabbitTransport({ broker: { url: throughProxy(url, proxy) }, prefix, world: eager, telemetry });
    started.push({ transport, proxy });
    await transport.start();
    return transport;
  };
  return {
    prefix,
    transport: await start(),
    proxy: () => started.at(-1)!.proxy,
    queue(name) {
      used.add(name);
      return name;
    },
    async crash() {
      const { transport, proxy } = started.at(-1)!;
      await proxy.close(); // reset, with all that was in hand; whatever the old one still does reaches nobody
      void transport.stop();
      return start();
    },
    async restart() {
      await started.at(-1)!.transport.stop();
      return start();
    },
    async drop() {
      for (const { transport, proxy } of started) {
        await transport.stop();
        await proxy.close();
      }
      await removeTopology(url, prefix, used);
    },
  };
}

describe.skipIf(rabbitUrl === undefined)('with a broker', () => {
  transportSuite({ name: 'RabbitMQ', open: () => open(rabbitUrl!) });

  describe('RabbitMQ alone', () => {
    const url = rabbitUrl!;
    const a = { name: 'a', types: ['stock.released'] };
    const pack = (subject: string, destination: string | null = null): Pack => packsOf([event(subject, 1)], destination)[0]!;
    let opened: OpenRabbit;
    let transport: RabbitTransport;
    beforeEach(async () => {
      opened = await open(url);
      ({ transport } = opened);
      opened.queue('a');
      opened.queue('b');
      await transport.declare([a]);
    });
    afterEach(() => opened.drop());

    /** Takes everything and settles it as told; answers what came. */
    async function take(queue: string, settle: (delivery: Delivery) => void = ({ ack }) => ack()): Promise<Delivery[]> {
      const deliveries: Delivery[] = [];
      await transport.consume(queue, {
        prefetch: 100,
        deliver(delivery) {
          deliveries.push(delivery);
          settle(delivery);
        },
      });
      return deliveries;
    }
    const subjectsOf = (deliveries: readonly Delivery[]): string[] => deliveries.flatMap(({ messages }) => messages.map(({ subject }) => subject));

    it('C03 tells a returned pack from its neighbours, whatever their ids', async () => {
      const one = packsOf([event('same', 1)], 'a')[0]!;
      const packs = Array.from({ length: 200 }, (_, i) => ({ ...one, destination: i % 3 === 0 ? 'nobody' : 'a' }));
      expect(await transport.publish(packs)).toEqual(packs.map(({ destination }) => (destination === 'a' ? 'confirmed' : 'unroutable')));
    });

    it('what was in hand at two deaths comes slowly: 1 pack, then 8, and the rest as it is fresh', async () => {
      await transport.publish(Array.from({ length: 14 }, (_, i) => pack(`o${i}`)));
      for (let death = 0; death < 2; death += 1) {
        const held: Delivery[] = [];
        await transport.consume('a', { prefetch: 14, deliver: (delivery) => void held.push(delivery) });
        await until('all are in hand', () => held.length === 14);
        transport = (await opened.crash()) as RabbitTransport;
        await transport.declare([a]);
      }
      await transport.publish([pack('fresh')]);
      const deliveries: Delivery[] = [];
      await transport.consume('a', { prefetch: 100, deliver: (delivery) => void deliveries.push(delivery) });
      const rounds: number[] = [];
      for (let seen = 0; seen < 15;) {
        const next = [1, 9, 15].find((total) => total > seen)!;
        await until('a round came', () => deliveries.length >= next);
        rounds.push(deliveries.length - seen);
        const round = deliveries.slice(seen);
        seen = deliveries.length;
        for (const delivery of round) delivery.ack();
      }
      expect(rounds).toEqual([1, 8, 6]);
      expect(subjectsOf(deliveries)).toEqual([...Array.from({ length: 14 }, (_, i) => `o${i}`), 'fresh']);
    });

    it('a line that goes dead without a word is noticed by its silence', async () => {
      const proxy = await openProxy({ port: Number(new URL(url).port || 5672), host: new URL(url).hostname });
      const other = rabbitTransport({ broker: { url: throughProxy(url, proxy), heartbeat: 1 }, prefix: opened.prefix, world: eager, telemetry });
      try {
        await other.start();
        proxy.hold();
        await expect(other.publish([pack('o1')])).rejects.toMatchObject({ code: 'unavailable' });
        proxy.release();
        expect(await patiently(() => other.publish([pack('o1')]).catch(() => undefined), 'it is back')).toEqual(['confirmed']);
      } finally {
        await other.stop();
        await proxy.close();
      }
    });

    it('C11 after twenty deliveries in vain a message lies in the dead queue, body and headers as they were', async () => {
      await transport.publish([pack('o1')]);
      const names = namesOf(opened.prefix);
      const before = await withRabbit(url, async (model) => {
        const message = await (await model.createChannel()).get(names.queue('a'));
        return message === false ? undefined : message; // not acked: the first of its deliveries
      });
      const deliveries = await take('a', ({ release }) => release());
      const dead = await patiently(() => getFrom(url, names.dead('a')), 'it is in the dead queue');
      expect(deliveries.at(-1)!.deliveries).toBe(20);
      expect(dead.content).toEqual(before!.content);
      expect(dead.properties).toMatchObject({ ...before!.properties, headers: before!.properties.headers });
      expect(dead.properties.deliveryMode).toBe(2);
    });

    it('C14 a queue deleted by hand is declared, bound and consumed again', async () => {
      const deliveries = await take('a');
      await withRabbit(url, async (model) => (await model.createChannel()).deleteQueue(namesOf(opened.prefix).queue('a')));
      await patiently(
        async () => ((await transport.publish([pack('o1'), pack('o2', 'a')]))[1] === 'confirmed' ? true : undefined),
        'the queue is there',
      );
      await until('it is consumed', () => subjectsOf(deliveries).includes('o2'));
    });

    it('a binding removed by hand is there again with the next connection', async () => {
      const deliveries = await take('a');
      const names = namesOf(opened.prefix);
      await withRabbit(url, async (model) => (await model.createChannel()).unbindQueue(names.queue('a'), names.events, 'stock.released'));
      expect(await transport.publish([pack('unheard')])).toEqual(['confirmed']); // an event without a queue is none that fails
      opened.proxy().cut();
      await patiently(() => transport.publish([pack('heard')]).catch(() => undefined), 'it is back');
      await patiently(async () => {
        await transport.publish([pack('heard')]).catch(() => undefined);
        return subjectsOf(deliveries).includes('heard') || undefined;
      }, 'it is bound');
      expect(subjectsOf(deliveries)).not.toContain('unheard');
      expect((await patiently(() => getFrom(url, names.unrouted), 'it is kept as evidence')).properties.headers!['cloudEvents_subject']).toBe(
        'unheard',
      );
    });

    it('an exchange deleted by hand costs one publish', async () => {
      await withRabbit(url, async (model) => (await model.createChannel()).deleteExchange(namesOf(opened.prefix).events));
      await expect(transport.publish([pack('o1')])).rejects.toMatchObject({ code: 'unavailable' });
      await patiently(() => transport.publish([pack('o2')]).catch(() => undefined), 'it is there again');
      const deliveries = await take('a');
      await until('it came', () => subjectsOf(deliveries).includes('o2'));
    });

    it('a queue that is there with other arguments stops its consumer with all that differs, and nobody else', async () => {
      const name = namesOf(opened.prefix).queue('b');
      await withRabbit(url, async (model) => {
        await (await model.createChannel()).assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 5 } });
      });
      await transport.declare([a, { name: 'b', types: [] }]);
      const refused = transport.consume('b', { prefetch: 1, deliver: () => undefined });
      await expect(refused).rejects.toThrow(`queue ${name} is not as this version needs it`);
      await expect(refused).rejects.toThrow('x-delivery-limit is 5, should be 20');
      await expect(refused).rejects.toThrow('x-dead-letter-strategy is not set, should be at-least-once');
      const deliveries = await take('a');
      await transport.publish([pack('o1')]);
      await until('a goes on', () => deliveries.length === 1);
      await withRabbit(url, async (model) => (await model.createChannel()).deleteQueue(name));
      await transport.consume('b', { prefetch: 1, deliver: () => undefined });
    });

    it('C16 fifty cuts in a row: everything confirmed arrives, and one connection each is left', async () => {
      const deliveries = await take('a');
      const confirmed = new Set<string>();
      for (let cut = 0; cut < 50; cut += 1) {
        if (cut % 3 === 0) opened.proxy().cutAfter(cut * 7);
        else opened.proxy().cut();
        const subject = `o${cut}`;
        await patiently(() => transport.publish([pack(subject)]).catch(() => undefined), 'it is confirmed');
        confirmed.add(subject);
      }
      await patiently(async () => (confirmed.isSubsetOf(new Set(subjectsOf(deliveries))) ? true : undefined), 'all came');
      expect(opened.proxy().connections()).toBe(2);
    });

    it('without a broker it says so, publishes nothing, and is back when the broker is', async () => {
      opened.proxy().refuse(true);
      opened.proxy().cut();
      await expect(transport.publish([pack('o1')])).rejects.toMatchObject({ code: 'unavailable' });
      expect((await transport.health()).reason).toMatch(/^RabbitMQ at 127.0.0.1:\d+ is away: /);
      expect(await transport.depths()).toEqual({});
      await expect(transport.consume('a', { prefetch: 1, deliver: () => undefined })).rejects.toMatchObject({ code: 'unavailable' });
      opened.proxy().refuse(false);
      expect(await patiently(() => transport.publish([pack('o1')]).catch(() => undefined), 'it is back')).toEqual(['confirmed']);
    });

    it('a program starts without a broker, and uses it as soon as it is there', async () => {
      const proxy = await openProxy({ port: Number(new URL(url).port || 5672), host: new URL(url).hostname });
      proxy.refuse(true);
      const early = rabbitTransport({ broker: { url: throughProxy(url, proxy) }, prefix: opened.prefix, world: eager, telemetry });
      try {
        await early.start();
        await early.declare([{ name: 'b', types: ['stock.released'] }]);
        expect((await early.health()).ok).toBe(false);
        proxy.refuse(false);
        expect(await patiently(() => early.publish([pack('o1', 'b')]).catch(() => undefined), 'it is there')).toEqual(['confirmed']);
      } finally {
        await early.stop();
        await proxy.close();
      }
    });

    it('a slow line holds writing back, and everything gets through', async () => {
      opened.proxy().throttle(20_000_000);
      const large = 'x'.repeat(4_000);
      const packs = Array.from({ length: 2_000 }, (_, i) => packsOf([event(`o${i}`, 1, { data: { order_id: `o${i}`, large } })])[0]!);
      expect(new Set(await transport.publish(packs))).toEqual(new Set(['confirmed']));
      await patiently(async () => ((await transport.depths())['a'] === 2_000 ? true : undefined), 'all are there');
    });

    it('what nobody can decode, and what strangers send, is delivered', async () => {
      const deliveries = await take('a');
      await withRabbit(url, async (model) => {
        const channel = await model.createConfirmChannel();
        channel.publish(namesOf(opened.prefix).events, 'stock.released', Buffer.from('not { json'), { contentType: 'application/json' });
        const headers = { cloudEvents_id: 'e1', cloudEvents_type: 'stock.released', cloudEvents_source: '/shop' };
        channel.publish(namesOf(opened.prefix).events, 'stock.released', Buffer.from('{"order_id":"o1"}'), { headers });
        await channel.waitForConfirms();
      });
      await until('both came', () => deliveries.length === 2);
      expect(deliveries[0]).toMatchObject({ messages: [], undecodable: 'not { json' });
      expect(deliveries[1]!.messages[0]).toMatchObject({ id: 'e1', source: '/shop', data: { order_id: 'o1' } });
    });

    it('an event nobody takes is kept as evidence', async () => {
      await transport.declare([{ ...a, types: [] }]);
      expect(await transport.publish([pack('unheard')])).toEqual(['confirmed']);
      const evidence = await patiently(() => getFrom(url, namesOf(opened.prefix).unrouted), 'it is kept');
      expect(evidence.properties.headers!['cloudEvents_subject']).toBe('unheard');
    });
  });
});

/** The next message of a queue, acked; undefined when there is none yet. */
const getFrom = (url: string, queue: string): Promise<GetMessage | undefined> =>
  withRabbit(url, async (model) => {
    const message = await (await model.createChannel()).get(queue, { noAck: true });
    return message === false ? undefined : message;
  });
