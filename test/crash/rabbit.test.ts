/** A RabbitMQ that is killed, frozen, starved, restarted: what was confirmed is there, and the transport comes back by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type World, realWorld } from '../../src/kernel/world.ts';
import { packsOf } from '../../src/messaging/outbox.ts';
import type { Broker } from '../../src/messaging/rabbit-connection.ts';
import { type RabbitTransport, rabbitTransport } from '../../src/messaging/rabbit.ts';
import type { Delivery } from '../../src/messaging/transport.ts';
import { event, telemetry, until } from '../messaging/support.ts';
import { until as patiently } from '../support/server.ts';
import { type PrivateBroker, brokerPrograms, startBroker } from '../support/broker.ts';
import { throwAwayPrefix } from '../support/rabbit.ts';

// Rests between two attempts to connect are short here; what is tested is that they end.
const world: World = { ...realWorld(), random: () => 0.05 };
const queue = { name: 'inventory', types: ['stock.released'] };

describe.skipIf(brokerPrograms === undefined)('a RabbitMQ of our own', () => {
  let broker: PrivateBroker;
  const started: RabbitTransport[] = [];
  beforeAll(async () => {
    broker = await startBroker({ tls: true });
  });
  afterAll(() => broker.drop());
  let prefix: string;
  beforeEach(() => {
    prefix = throwAwayPrefix();
  });
  afterEach(async () => {
    for (const transport of started.splice(0)) await transport.stop();
  });

  async function open(options: Partial<Broker> = {}): Promise<RabbitTransport> {
    const transport = rabbitTransport({ broker: { url: broker.url, ...options }, prefix, world, telemetry });
    started.push(transport);
    await transport.start();
    await transport.declare([queue]);
    return transport;
  }

  /** Takes and acks everything; answers the subjects that came, in order. */
  async function drain(transport: RabbitTransport): Promise<string[]> {
    const subjects: string[] = [];
    await transport.consume(queue.name, {
      prefetch: 1_000,
      deliver({ messages, ack }) {
        subjects.push(...messages.map(({ subject }) => subject));
        ack();
      },
    });
    return subjects;
  }

  it('killed again and again while it is published to: nothing confirmed is lost', async () => {
    const transport = await open();
    // 3.10 writes the list of its queues half a second late: one killed right after a declaration forgets the queue, and what is in it.
    await broker.control('eval', '[dets:sync(Table) || Table <- dets:all()].');
    const confirmed = new Set<string>();
    let kills = 0;
    let n = 0;
    const killing = (async () => {
      for (; kills < 2; kills += 1) {
        const enough = confirmed.size + 500;
        await patiently(async () => confirmed.size > enough || undefined, 'some more are confirmed');
        await broker.kill();
        await broker.start();
      }
    })();
    const ended = killing.catch(() => (kills = 2)); // told below
    while (kills < 2) {
      const subjects = Array.from({ length: 20 }, () => `o${(n += 1)}`);
      // The relay's rule: the same again, in the same order, until it is confirmed.
      const publish = (): Promise<true | undefined> =>
        transport.publish(subjects.map((subject) => packsOf([event(subject, 1)])[0]!)).then(
          () => true,
          () => undefined,
        );
      await patiently(publish, 'it is confirmed');
      for (const subject of subjects) confirmed.add(subject);
    }
    await ended;
    await killing;
    expect(confirmed.size).toBeGreaterThan(1_000);
    const received = await drain(transport);
    await patiently(async () => confirmed.isSubsetOf(new Set(received)) || undefined, 'everything confirmed came');
  });

  it('C15 short of memory: nothing is sent twice, health says why, consumers go on, and all is confirmed when it has room again', async () => {
    const transport = await open();
    const subjects = await drain(transport);
    await transport.publish(packsOf([event('before', 1)]));
    await broker.control('set_vm_memory_high_watermark', '0.0000001');
    const waiting = transport.publish(packsOf([event('during', 1)])); // a broker tells only those who publish that it is blocked
    await until('health says so', async () => (await transport.health()).reason?.includes('low on memory') === true);
    expect((await transport.health()).blocked).toBe(true); // what waybill_broker_blocked tells
    const later = transport.publish(packsOf([event('later', 1)]));
    expect(await transport.depths()).toEqual({ inventory: 0 }); // the consuming connection still answers
    await broker.control('set_vm_memory_high_watermark', '0.4');
    expect(await Promise.all([waiting, later])).toEqual([['confirmed'], ['confirmed']]);
    await until('all came', () => subjects.length >= 3);
    expect(subjects).toEqual(['before', 'during', 'later']);
    expect(await transport.health()).toEqual({ ok: true });
  });

  it('C15 short of disk: the same', async () => {
    const transport = await open();
    const subjects = await drain(transport);
    await transport.publish(packsOf([event('before', 1)]));
    await broker.control('set_disk_free_limit', '900GB');
    const waiting = transport.publish(packsOf([event('during', 1)]));
    await until('health says so', async () => (await transport.health()).reason?.includes('low on disk') === true);
    await broker.control('set_disk_free_limit', '50MB');
    expect(await waiting).toEqual(['confirmed']);
    await until('all came', () => subjects.length >= 2);
    expect(subjects).toEqual(['before', 'during']);
    expect(await transport.health()).toEqual({ ok: true });
  });

  it('tired of a consumer that settles nothing: it takes the channel away, the consumer subscribes again, and its late ack is no harm', async () => {
    // What takes 30 minutes takes a second here; the broker looks at channels that are opened from now on every half second.
    await broker.control('eval', 'application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 500).');
    try {
      const transport = await open();
      const deliveries: Delivery[] = [];
      await transport.consume(queue.name, { prefetch: 10, deliver: (delivery) => void deliveries.push(delivery) });
      await transport.publish(packsOf([event('slow', 1)]));
      await patiently(async () => deliveries.length >= 2 || undefined, 'it came again');
      expect(deliveries[1]!.deliveries).toBe(1);
      deliveries[0]!.ack(); // of an epoch that is over
      deliveries[1]!.ack();
      await transport.publish(packsOf([event('next', 1)]));
      await patiently(async () => deliveries.some(({ messages }) => messages[0]!.subject === 'next') || undefined, 'the next one came');
      expect(deliveries.filter(({ messages }) => messages[0]!.subject === 'slow')).toHaveLength(2);
    } finally {
      await broker.control(
        'eval',
        'application:set_env(rabbit, consumer_timeout, 1800000), application:set_env(rabbit, channel_tick_interval, 60000).',
      );
    }
  });

  it('frozen: it is noticed by its silence, and left; when it thaws all goes on', async () => {
    const transport = await open({ heartbeat: 1 });
    await broker.signal('SIGSTOP');
    try {
      await expect(transport.publish(packsOf([event('lost in between', 1)]))).rejects.toMatchObject({ code: 'unavailable' });
      expect((await transport.health()).ok).toBe(false);
    } finally {
      await broker.signal('SIGCONT');
    }
    await until('it is back', async () => (await transport.health()).ok);
    expect(await transport.publish(packsOf([event('o1', 1)]))).toEqual(['confirmed']);
  });

  it('stopped in order and started: subscriptions are taken up again', async () => {
    const transport = await open();
    const subjects = await drain(transport);
    await broker.control('stop_app');
    await until('it is gone', async () => !(await transport.health()).ok);
    await expect(transport.publish(packsOf([event('meanwhile', 1)]))).rejects.toThrow('RabbitMQ at 127.0.0.1');
    await broker.control('start_app');
    await until('it is back', async () => (await transport.health()).ok);
    await transport.publish(packsOf([event('o1', 1)]));
    await until('it came', () => subjects.includes('o1'));
  });

  it('over TLS, with a client certificate', async () => {
    const transport = await open({ url: broker.tlsUrl, tls: broker.certificates });
    const subjects = await drain(transport);
    expect(await transport.publish(packsOf([event('o1', 1)]))).toEqual(['confirmed']);
    await until('it came', () => subjects.includes('o1'));
  });

  it('over TLS, does not speak to a broker whose certificate nobody vouches for', async () => {
    const { certificate, key } = broker.certificates;
    const transport = await open({ url: broker.tlsUrl, tls: { certificate, key } });
    expect((await transport.health()).reason).toMatch(/self-signed certificate|unable to verify/);
  });

  it('does not start with a password the broker refuses', async () => {
    const url = new URL(broker.url);
    url.password = 'wrong';
    const transport = rabbitTransport({ broker: { url: url.href }, prefix, world, telemetry });
    await expect(transport.start()).rejects.toThrow(/ACCESS.REFUSED/);
  });
});
