/** Three RabbitMQ nodes that lose one another: nothing is confirmed that is not kept, and nothing confirmed is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type World, realWorld } from '../../src/kernel/world.ts';
import { packsOf } from '../../src/messaging/outbox.ts';
import { namesOf } from '../../src/messaging/rabbit-topology.ts';
import { type RabbitTransport, rabbitTransport } from '../../src/messaging/rabbit.ts';
import { event, telemetry } from '../messaging/support.ts';
import { type PrivateBroker, brokerPrograms, startBroker } from '../support/broker.ts';
import { throwAwayPrefix } from '../support/rabbit.ts';
import { until } from '../support/server.ts';

// Rests between two attempts to connect are short here; what is tested is that they end.
const world: World = { ...realWorld(), random: () => 0.05 };
const queue = { name: 'inventory', types: ['stock.released'] };

describe.skipIf(brokerPrograms === undefined)('a RabbitMQ of three nodes', () => {
  let nodes: PrivateBroker[];
  const started: RabbitTransport[] = [];
  beforeAll(async () => {
    const first = await startBroker();
    nodes = [first];
    for (let n = 0; n < 2; n += 1) nodes.push(await startBroker({ joins: first }));
  });
  afterAll(async () => {
    for (const node of nodes.toReversed()) await node.drop();
  });
  afterEach(async () => {
    for (const transport of started.splice(0)) await transport.stop();
  });

  async function open({ url }: PrivateBroker, prefix: string): Promise<RabbitTransport> {
    const transport = rabbitTransport({ broker: { url }, prefix, world, telemetry });
    started.push(transport);
    await transport.start();
    await transport.declare([queue]);
    return transport;
  }
  /** The relay's rule: the same again until it is confirmed. */
  const publish = (transport: RabbitTransport, subject: string): Promise<unknown> =>
    until(() => transport.publish(packsOf([event(subject, 1)])).catch(() => undefined), `${subject} is confirmed`, 120);
  async function received(transport: RabbitTransport): Promise<Set<string>> {
    const subjects = new Set<string>();
    await transport.consume(queue.name, {
      prefetch: 1_000,
      deliver({ messages, ack }) {
        for (const { subject } of messages) subjects.add(subject);
        ack();
      },
    });
    return subjects;
  }

  it('without two of them nothing is confirmed; when one is back, everything is, and is there', async () => {
    const [here, other, third] = nodes as [PrivateBroker, PrivateBroker, PrivateBroker];
    const transport = await open(here, throwAwayPrefix());
    await publish(transport, 'before');
    await Promise.all([other.kill(), third.kill()]);
    let confirmed = false;
    const during = publish(transport, 'during').then(() => (confirmed = true));
    await here.control('eval', 'node().'); // it lives, and pauses because it is in the minority
    expect(confirmed).toBe(false);
    await Promise.all([other.start(), third.start()]);
    await during;
    const subjects = await received(transport);
    await until(async () => (subjects.has('before') && subjects.has('during')) || undefined, 'both came');
  });

  it('when the leader of a queue dies another one leads: what was confirmed is there, and publishing goes on', async () => {
    const prefix = throwAwayPrefix();
    await open(nodes[0]!, prefix);
    const name = namesOf(prefix).queue(queue.name);
    const listed = await nodes[0]!.control('list_queues', 'name', 'leader');
    const leader = nodes.find(({ node }) => listed.split('\n').some((line) => line.startsWith(`${name}\t`) && line.includes(node)))!;
    const transport = await open(
      nodes.find((node) => node !== leader)!,
      prefix,
    );
    const all = Array.from({ length: 60 }, (_, i) => `o${i}`);
    for (const [i, subject] of all.entries()) {
      if (i === 20) await leader.kill();
      await publish(transport, subject);
    }
    const subjects = await received(transport);
    await until(async () => new Set(all).isSubsetOf(subjects) || undefined, 'all came');
    await leader.start();
  });
});
