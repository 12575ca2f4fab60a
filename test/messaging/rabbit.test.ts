/** What surrounds the RabbitMQ transport: its topology planned, applied and migrated, and what the broker gave up, as dead letters. */
import type { Channel } from 'amqplib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { list, redrive } from '../../src/messaging/dead-letters.ts';
import { type Messaging, mailboxMigrations, messagingFor } from '../../src/messaging/messaging.ts';
import { type Pack, packsOf } from '../../src/messaging/outbox.ts';
import { openDeadIngester } from '../../src/messaging/rabbit-dead.ts';
import { type TopologyOptions, applyTopology, planTopology } from '../../src/messaging/rabbit-plan.ts';
import { namesOf } from '../../src/messaging/rabbit-topology.ts';
import { type RabbitTransport, rabbitTransport } from '../../src/messaging/rabbit.ts';
import { type OpenDatabase, sqlite } from '../support/databases.ts';
import { samplesIn, valueOf } from '../support/metrics.ts';
import { rabbitUrl, removeTopology, throwAwayPrefix, withRabbit } from '../support/rabbit.ts';
import { event, telemetry, until } from './support.ts';

const world = realWorld();
const service = 'inventory';
const queues = [{ name: service, types: ['stock.released'] }];

describe.skipIf(rabbitUrl === undefined)('at a RabbitMQ', () => {
  const url = rabbitUrl!;
  let prefix: string;
  let name: string;
  let options: TopologyOptions;
  beforeEach(() => {
    prefix = throwAwayPrefix();
    name = namesOf(prefix).queue(service);
    options = { broker: { url }, prefix, queues, world };
  });
  afterEach(() => removeTopology(url, prefix, [service]));

  const onChannel = <T>(work: (channel: Channel) => Promise<T>): Promise<T> =>
    withRabbit(url, async (model) => {
      const channel = await model.createChannel();
      channel.on('error', () => undefined);
      return work(channel);
    });

  /** A queue as an earlier version might have made it, with messages in it. */
  async function olderQueue(messages: number): Promise<void> {
    await applyTopology(options);
    await withRabbit(url, async (model) => {
      const channel = await model.createConfirmChannel();
      await channel.deleteQueue(name);
      await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 7 } });
      await channel.bindQueue(name, namesOf(prefix).commands, name);
      for (let i = 0; i < messages; i += 1)
        channel.sendToQueue(name, Buffer.from(`m${i}`), { persistent: true, messageId: `m${i}`, headers: { kind: 'old' } });
      await channel.waitForConfirms();
    });
  }

  async function contents(): Promise<{ id: unknown; body: string; kind: unknown }[]> {
    return onChannel(async (channel) => {
      const found = [];
      for (let message = await channel.get(name); message !== false; message = await channel.get(name))
        found.push({ id: message.properties.messageId, body: message.content.toString(), kind: message.properties.headers?.['kind'] });
      return found;
    });
  }

  it('a pack the broker does not take fails the publish and is counted in waybill_broker_nacks_total', async () => {
    const mine = createTelemetry({ level: 'silent' });
    const transport = rabbitTransport({ broker: { url }, prefix, world, telemetry: mine });
    await transport.start();
    try {
      await transport.declare(queues);
      await onChannel(async (channel) => {
        await channel.assertQueue(`${prefix}.full`, {
          durable: true,
          autoDelete: true,
          arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
        });
        await channel.bindQueue(`${prefix}.full`, namesOf(prefix).events, 'stock.released');
      });
      const publish = (n: number) => transport.publish(packsOf([event('a', n)]));
      expect(await publish(1)).toEqual(['confirmed']);
      await expect(publish(2)).rejects.toMatchObject({ code: 'unavailable' });
      expect(valueOf(await samplesIn(mine.metrics), 'waybill_broker_nacks_total')).toBe(1);
    } finally {
      await onChannel((channel) => channel.deleteQueue(`${prefix}.full`));
      await transport.stop();
    }
  });

  it('a plan says what is missing and changes nothing; applied, all is as it should be', async () => {
    const before = await planTopology(options);
    expect(before.ok).toBe(false);
    expect(new Set(before.findings.map(({ state }) => state))).toEqual(new Set(['missing']));
    expect(await planTopology(options)).toEqual(before);
    expect((await applyTopology(options)).plan.ok).toBe(true);
    expect(await applyTopology(options)).toMatchObject({ steps: [], plan: { ok: true } });
  });

  it('a queue that differs is named with all that differs, and left alone', async () => {
    await olderQueue(1);
    const { steps, plan } = await applyTopology(options);
    expect(steps).toEqual([]);
    expect(plan.findings.filter(({ state }) => state !== 'same')).toMatchObject([{ name, state: 'different' }]);
    const { differences } = plan.findings.find((finding) => finding.name === name)!;
    expect(differences).toContainEqual({ argument: 'x-delivery-limit', wanted: 20, found: 7 });
    expect(differences).toContainEqual({ argument: 'x-overflow', wanted: 'reject-publish', found: null });
    expect(await contents()).toHaveLength(1);
  });

  it('migrated, it is replaced under its name with everything in it, in order', async () => {
    await olderQueue(250);
    const { plan } = await applyTopology(options, { migrate: true });
    expect(plan.ok).toBe(true);
    expect(await contents()).toEqual(Array.from({ length: 250 }, (_, i) => ({ id: `m${i}`, body: `m${i}`, kind: 'old' })));
  });

  it('a migration that was stopped half way is taken up again', async () => {
    await olderQueue(3);
    await onChannel(async (channel) => {
      // As left by one that died after it had deleted the old queue.
      await channel.assertQueue(`${name}~2`, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      channel.sendToQueue(`${name}~2`, Buffer.from('first'), { persistent: true });
      await channel.deleteQueue(name);
    });
    expect((await planTopology(options)).findings).toContainEqual({ kind: 'queue', name: `${name}~2`, state: 'left', differences: [] });
    const { plan } = await applyTopology(options, { migrate: true });
    expect(plan.ok).toBe(true);
    expect((await contents()).map(({ body }) => body)).toEqual(['first']);
  });

  it('a queue somebody consumes is not replaced', async () => {
    await olderQueue(1);
    await onChannel(async (channel) => {
      await channel.consume(name, () => undefined);
      await expect(applyTopology(options, { migrate: true })).rejects.toThrow(`queue ${name} has 1 consumers: stop the processes`);
    });
    expect(await contents()).toHaveLength(1);
  });

  describe('what the broker gave up', () => {
    let open: OpenDatabase;
    let transport: RabbitTransport;
    let messaging: Messaging;
    let ingester: ReturnType<typeof openDeadIngester>;
    beforeEach(async () => {
      open = await sqlite.open();
      await migrate(open.db, [mailboxMigrations], world.now());
      transport = rabbitTransport({ broker: { url }, prefix, world, telemetry });
      await transport.start();
      await transport.declare(queues);
      messaging = messagingFor({ service, db: open.db, world, telemetry, transport });
      ingester = openDeadIngester({ mailbox: messaging.mailbox, transport, telemetry });
    });
    afterEach(async () => {
      await ingester.stop();
      await transport.stop();
      await open.drop();
    });

    const pack = (subject: string): Pack => packsOf([event(subject, 1)])[0]!;
    /** Straight into the dead queue, as the broker would put it. */
    const give = (...packs: readonly Pack[]): Promise<unknown> =>
      withRabbit(url, async (model) => {
        const other = rabbitTransport({ broker: { url }, prefix, world, telemetry });
        await other.start();
        const channel = await model.createChannel();
        await other.declare(queues);
        await channel.unbindQueue(name, namesOf(prefix).commands, name);
        await channel.bindQueue(namesOf(prefix).dead(service), namesOf(prefix).commands, name);
        await other.publish(packs.map((one) => ({ ...one, destination: service })));
        await channel.unbindQueue(namesOf(prefix).dead(service), namesOf(prefix).commands, name);
        await other.stop();
      });
    const letters = async (): Promise<{ id: string; message_id: string; code: string; status: string; redrives: number; attempts: number }[]> => [
      ...(await list(open.db, {}, undefined, 50)).items,
    ];

    it('becomes a dead letter of its service, once', async () => {
      await give(pack('o1'), pack('o1'), pack('o2'));
      await ingester.start();
      await until('both are kept', async () => (await letters()).length === 2);
      await give(pack('o1'), pack('o3'));
      await until('the third is kept', async () => (await letters()).length === 3);
      expect(await letters()).toMatchObject(
        ['o3', 'o2', 'o1'].map((subject) => ({ message_id: `msg_${subject}_1`, code: 'delivery_limit', status: 'open', redrives: 0 })),
      );
      const [said] = await open.db.read.raw<{ n: number }>(
        `select cast(sum(messages) as bigint) as n from outbox where type = 'message.dead_lettered'`,
      );
      expect(said!.n).toBe(3);
    });

    it('a redriven one that is given up again is open again', async () => {
      await give(pack('o1'));
      await ingester.start();
      await until('it is kept', async () => (await letters()).length === 1);
      const { id } = (await letters())[0]!;
      await messaging.mailbox.write((unit) => redrive(unit, id, 'test'));
      await give(packsOf([event('o1', 1, { redrive: id })])[0]!);
      await until('it is open again', async () => (await letters())[0]!.status === 'open');
      expect(await letters()).toMatchObject([{ id, redrives: 1 }]);
    });
  });
});
