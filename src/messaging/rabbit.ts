/**
 * RabbitMQ as a transport. It carries, fans out and buffers; whatever waits for long waits in databases (README.md).
 *
 *   rabbit-connection.ts   a connection that comes back      rabbit-topology.ts   what there should be at the broker
 *   rabbit-publisher.ts    packs out, with confirms          rabbit-declare.ts    making it so
 *   rabbit-consumer.ts     packs in, with settlement         rabbit-wire.ts       packs as CloudEvents
 *
 * Publishing and consuming have a connection each: a broker that is short of memory stops reading from connections that publish, and the
 * acks that would relieve it must still get through. Declarations and looks at queues go over the consuming one for the same reason.
 */
import type { ChannelModel } from 'amqplib';
import { COMMANDS, isCommand } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import { runnable, startAll, stopAll } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import type { Pack } from './outbox.ts';
import { type Broker, describe, openLink } from './rabbit-connection.ts';
import { type RabbitConsumption, openConsumption } from './rabbit-consumer.ts';
import { Mismatch, ensureBindings, ensureExchange, ensureQueue, lookAtQueue } from './rabbit-declare.ts';
import { openPublisher } from './rabbit-publisher.ts';
import { type Topology, commonTopology, namesOf, serviceTopology } from './rabbit-topology.ts';
import type { Consumption, Delivery, PublishOutcome, Queue, Transport } from './transport.ts';

/** A start waits so long for the outcome of the first attempt; the program then goes on without a broker, and keeps trying. */
const START_MS = 5_000;

export interface RabbitOptions {
  readonly broker: Broker;
  /** All names at the broker begin with it. */
  readonly prefix: string;
  readonly world: World;
  readonly telemetry: Telemetry;
}

export interface RabbitTransport extends Transport {
  /** Hands out what the broker gave up of a service's queue. */
  consumeDead(service: string, options: { readonly prefetch: number; deliver(delivery: Delivery): void }): Promise<Consumption>;
}

export function rabbitTransport({ broker, prefix, world, telemetry }: RabbitOptions): RabbitTransport {
  const log = telemetry.log.child({ part: 'rabbitmq' });
  const names = namesOf(prefix);
  const declared = new Map<string, Queue>();
  /** Queues whose bindings are known to be as declared before, by these types. */
  const bound = new Map<string, readonly string[]>();
  const consumptions = new Map<RabbitConsumption, string>();
  const sizes = packSizes();
  let running = false;

  const publisher = openPublisher({ names, link: () => publishing, world, telemetry, log });
  const publishing = openLink({
    role: 'publish',
    broker,
    world,
    log,
    async prepare(model) {
      await ensureAll(model);
      await publisher.prepare(model);
    },
    lost: publisher.lost,
  });
  const consuming = openLink({ role: 'consume', broker, world, log, prepare: ensureAll, lost: () => undefined });

  async function ensureAll(model: ChannelModel): Promise<void> {
    for (const exchange of commonTopology(prefix).exchanges) await ensureExchange(model, exchange);
    await ensureParts(model, commonTopology(prefix));
    for (const queue of declared.values()) await ensureService(model, queue).catch(tellMismatch);
  }

  async function ensureParts(model: ChannelModel, topology: Topology): Promise<void> {
    for (const queue of topology.queues) await ensureQueue(model, queue);
    await ensureBindings(model, topology);
  }

  async function ensureService(model: ChannelModel, queue: Queue): Promise<void> {
    const topology = serviceTopology(prefix, queue);
    const before = bound.get(queue.name);
    const unwanted = topology.unwanted.filter(({ key }) => before === undefined || before.includes(key));
    await ensureParts(model, { ...topology, unwanted });
    bound.set(queue.name, queue.types);
  }

  /** One queue that is not as it should be keeps its own consumer from starting, nobody else's. */
  function tellMismatch(error: unknown): void {
    if (!(error instanceof Mismatch)) throw error;
    log.error({ differences: error.differences }, `${error.message}. Its consumer does not start; waybill topology apply --migrate replaces it`);
  }

  async function start(): Promise<void> {
    running = true;
    await startAll([publishing, consuming, publisher.watch]);
    const patience = new AbortController();
    await Promise.race([Promise.all([publishing.tried, consuming.tried]), world.sleep(START_MS, patience.signal)]);
    patience.abort();
    const reason = publishing.reason() ?? '';
    if (/ACCESS.REFUSED|NOT.ALLOWED/.test(reason)) {
      await stop();
      throw new Fault('unavailable', `${reason}: correct AMQP_URL, or the user's rights at the broker`);
    }
    if (publishing.model() === undefined) log.warn(`${describe(broker)} is not there yet; what is said waits in the outbox until it is`);
  }

  async function stop(): Promise<void> {
    running = false;
    await Promise.all([...consumptions.keys()].map((consumption) => consumption.cancel()));
    await stopAll([publishing, consuming, publisher.watch]);
  }

  function openModel(): ChannelModel {
    const model = consuming.model();
    if (model === undefined) throw new Fault('unavailable', consuming.reason() ?? `${describe(broker)} is away`);
    return model;
  }

  async function declare(queues: readonly Queue[]): Promise<void> {
    for (const queue of queues) declared.set(queue.name, queue);
    const model = consuming.model();
    if (model === undefined) return; // declared as soon as there is a connection
    for (const queue of queues) await ensureService(model, queue).catch(tellMismatch);
  }

  async function publish(packs: readonly Pack[]): Promise<PublishOutcome[]> {
    if (!running) throw new Fault('unavailable', 'the transport is not running');
    const outcomes = await publisher.publish(packs);
    for (const { type, destination, messages } of packs) for (const queue of takersOf(type, destination)) sizes.saw(queue, messages.length);
    return outcomes;
  }

  /** The queues declared here that take a pack, as far as this process knows. */
  function takersOf(type: string, destination: string | null): string[] {
    const name = destination ?? (isCommand(type) ? COMMANDS[type].to : undefined);
    return [...declared.values()]
      .filter((queue) => (name === undefined ? queue.types.includes(type) : queue.name === name))
      .map((queue) => queue.name);
  }

  type Taking = Parameters<Transport['consume']>[1] & {
    readonly name: string;
    readonly physical: string;
    ensure(model: ChannelModel, queue: Queue): Promise<void>;
  };

  async function take({ name, physical, prefetch, deliver, ensure }: Taking): Promise<Consumption> {
    const consumption = await openConsumption({
      queue: physical,
      prefetch,
      link: consuming,
      world,
      log,
      async ensure(model) {
        const queue = declared.get(name);
        if (queue !== undefined) await ensure(model, queue);
      },
      deliver,
      unpacked: (messages) => sizes.saw(name, messages),
    });
    consumptions.set(consumption, physical);
    return {
      cancel() {
        consumptions.delete(consumption);
        return consumption.cancel();
      },
    };
  }

  /** Messages of a queue that wait, counted from packs by their mean size, and those in hand here. */
  async function depth(name: string, physical: string): Promise<number> {
    const found = await lookAtQueue(openModel(), physical);
    const { queueUnsettled, queueConsumers } = telemetry.metrics;
    let waiting = found?.messages ?? 0;
    let out = 0;
    for (const [consumption, queue] of consumptions) {
      if (queue !== physical) continue;
      const { packs, messages } = consumption.held();
      waiting += packs;
      out += messages;
    }
    queueUnsettled.set({ queue: name }, out);
    queueConsumers.set({ queue: name }, found?.consumers ?? 0);
    return Math.round(waiting * sizes.mean(name)) + out;
  }

  async function measure(): Promise<Record<string, number>> {
    const services = [...declared.keys()];
    const depths = Object.fromEntries(await Promise.all(services.map(async (name) => [name, await depth(name, names.queue(name))] as const)));
    const aside = [names.parking, names.unrouted, ...services.map((name) => names.dead(name))];
    for (const [queue, messages] of Object.entries(depths)) telemetry.metrics.queueDepth.set({ queue }, messages);
    for (const queue of aside) telemetry.metrics.queueDepth.set({ queue }, (await lookAtQueue(openModel(), queue))?.messages ?? 0);
    return depths;
  }

  return {
    ...runnable('RabbitMQ', start, stop),
    declare,
    publish,
    consume: (name, options) => take({ ...options, name, physical: names.queue(name), ensure: ensureService }),
    // Whatever is wrong with the service's own queue: what it gave up is to be seen all the same.
    consumeDead: (name, options) =>
      take({ ...options, name, physical: names.dead(name), ensure: (model, queue) => ensureService(model, queue).catch(tellMismatch) }),
    async depths() {
      if (consuming.model() === undefined) return {}; // nothing is known of them now
      try {
        return await measure();
      } catch (error) {
        if (consuming.model() === undefined) return {};
        throw error;
      }
    },
    async health() {
      const link = publishing.reason() === undefined ? consuming : publishing;
      const reason = link.reason();
      const blocked = publishing.state() === 'blocked';
      return reason === undefined ? { ok: true } : { ok: false, reason, since: link.since()!, blocked };
    },
  };
}

/** How many messages a pack of a queue has, of late: brokers count packs. */
function packSizes(): { saw(queue: string, messages: number): void; mean(queue: string): number } {
  const seen = new Map<string, { packs: number; messages: number }>();
  return {
    saw(queue, messages) {
      const before = seen.get(queue) ?? { packs: 0, messages: 0 };
      const fade = before.packs >= 1_000 ? 0.5 : 1;
      seen.set(queue, { packs: before.packs * fade + 1, messages: before.messages * fade + messages });
    },
    mean(queue) {
      const { packs, messages } = seen.get(queue) ?? { packs: 1, messages: 1 };
      return messages / packs;
    },
  };
}
