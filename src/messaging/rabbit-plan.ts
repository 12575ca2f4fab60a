/**
 * What differs between a RabbitMQ and what this version needs there, and putting it right. For `waybill topology plan` and `apply`.
 *
 * A start creates what is missing and touches nothing else. What is there and different can only be replaced, and only a person says so:
 *
 *   apply --migrate, a queue Q:   declare Q~2, bind it, unbind Q ──> move all from Q to Q~2 ──> delete Q, empty and without consumers
 *                                 declare Q, bind it, unbind Q~2 ──> move all from Q~2 to Q ──> delete Q~2, likewise
 *
 * At each step what is published finds a queue, and every message is in one of them, or for a moment in both: it is confirmed where it
 * goes before it is acked where it was. Stopped anywhere, the same command goes on from there.
 */
import type { ChannelModel, GetMessage, Options } from 'amqplib';
import { Fault } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import { type Broker, closeConnection, openConnection } from './rabbit-connection.ts';
import {
  type Difference,
  differencesOfExchange,
  differencesOfQueue,
  ensureBindings,
  ensureExchange,
  ensureQueue,
  lookAtQueue,
  onOwnChannel,
} from './rabbit-declare.ts';
import { type Binding, type BrokerQueue, type Topology, topologyOf } from './rabbit-topology.ts';
import type { Queue } from './transport.ts';

export interface Finding {
  readonly kind: 'exchange' | 'queue';
  readonly name: string;
  /** `left`: of a migration that was stopped half way. */
  readonly state: 'same' | 'missing' | 'different' | 'left';
  readonly differences: readonly Difference[];
}

export interface TopologyPlan {
  /** Nothing is missing or different. Bindings cannot be read over AMQP; `apply` makes sure of them. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

export interface Applied {
  /** What was done, in words, in order. */
  readonly steps: readonly string[];
  /** How things are afterwards. */
  readonly plan: TopologyPlan;
}

export interface TopologyOptions {
  readonly broker: Broker;
  readonly prefix: string;
  /** Of all services. */
  readonly queues: readonly Queue[];
  readonly world: World;
}

/** Messages taken from the old queue before the new one has confirmed them. */
const MOVED_TOGETHER = 100;
/** How long acks may take to arrive at a queue, and how often it is looked at meanwhile. */
const ACKS_MS = 5_000;
const LOOK_AGAIN_MS = 50;

const otherOf = (name: string): string => `${name}~2`;

/** Looks, and changes nothing. Throws when the broker is away. */
export const planTopology = (options: TopologyOptions): Promise<TopologyPlan> =>
  connected(options, (model) => plan(model, topologyOf(options.prefix, options.queues)));

/** Creates what is missing, binds what should be bound, and with `migrate` replaces queues that differ. */
export const applyTopology = (options: TopologyOptions, { migrate = false }: { readonly migrate?: boolean } = {}): Promise<Applied> =>
  connected(options, async (model) => {
    const topology = topologyOf(options.prefix, options.queues);
    const before = await plan(model, topology);
    const steps: string[] = [];
    const stateOf = new Map(before.findings.map(({ name, state }) => [name, state]));
    for (const exchange of topology.exchanges.filter(({ name }) => stateOf.get(name) === 'missing')) {
      await ensureExchange(model, exchange);
      steps.push(`created exchange ${exchange.name}`);
    }
    for (const queue of topology.queues) {
      const state = stateOf.get(queue.name);
      if (migrate && (state === 'different' || stateOf.get(otherOf(queue.name)) === 'left'))
        steps.push(...(await replace(model, { topology, queue, different: state === 'different', world: options.world })));
      else if (state === 'missing') {
        await ensureQueue(model, queue);
        steps.push(`created queue ${queue.name}`);
      }
    }
    await ensureBindings(model, sound(topology, await plan(model, topology)));
    return { steps, plan: await plan(model, topology) };
  });

async function connected<T>({ broker, world }: TopologyOptions, work: (model: ChannelModel) => Promise<T>): Promise<T> {
  const model = await openConnection(broker, 'topology').catch((error: unknown) => {
    throw new Fault('unavailable', `RabbitMQ does not answer: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  });
  try {
    return await work(model);
  } finally {
    await closeConnection(model, world);
  }
}

async function plan(model: ChannelModel, { exchanges, queues }: Topology): Promise<TopologyPlan> {
  const findings: Finding[] = [];
  const note = (kind: Finding['kind'], name: string, differences: readonly Difference[] | undefined): void => {
    const state = differences === undefined ? 'missing' : differences.length === 0 ? 'same' : 'different';
    findings.push({ kind, name, state, differences: differences ?? [] });
  };
  for (const exchange of exchanges) note('exchange', exchange.name, await differencesOfExchange(model, exchange));
  for (const queue of queues) {
    note('queue', queue.name, await differencesOfQueue(model, queue));
    if ((await lookAtQueue(model, otherOf(queue.name))) !== undefined)
      findings.push({ kind: 'queue', name: otherOf(queue.name), state: 'left', differences: [] });
  }
  return { ok: findings.every(({ state }) => state === 'same'), findings };
}

/** The bindings between things that are as they should be. */
function sound({ bindings, unwanted }: Topology, { findings }: TopologyPlan): Pick<Topology, 'bindings' | 'unwanted'> {
  const same = new Set(findings.filter(({ state }) => state === 'same').map(({ name }) => name));
  const between = ({ queue, exchange }: Binding): boolean => same.has(queue) && same.has(exchange);
  return { bindings: bindings.filter(between), unwanted: unwanted.filter(between) };
}

interface Replacing {
  readonly topology: Topology;
  readonly queue: BrokerQueue;
  /** Else only what a migration that was stopped has left is taken up. */
  readonly different: boolean;
  readonly world: World;
}

async function replace(model: ChannelModel, { topology, queue, different, world }: Replacing): Promise<string[]> {
  const { name } = queue;
  const other = { ...queue, name: otherOf(name) };
  const bindings = topology.bindings.filter((binding) => binding.queue === name);
  const bindingsOf = (to: string): Binding[] => bindings.map((binding) => ({ ...binding, queue: to }));
  const all = [...bindings, ...topology.unwanted.filter((binding) => binding.queue === name)];
  const steps: string[] = [];
  if (different) {
    await unused(model, name);
    await ensureQueue(model, other);
    await ensureBindings(model, { bindings: bindingsOf(other.name), unwanted: all });
    steps.push(`moved ${await move(model, name, other.name)} messages from ${name} to ${other.name}`);
    await remove(model, name, world);
  }
  await ensureQueue(model, queue);
  await ensureBindings(model, { bindings, unwanted: bindingsOf(other.name) });
  steps.push(`moved ${await move(model, other.name, name)} messages from ${other.name} to ${name}`);
  await remove(model, other.name, world);
  return [...steps, `replaced queue ${name}`];
}

async function unused(model: ChannelModel, name: string): Promise<void> {
  const { consumers } = (await lookAtQueue(model, name)) ?? { consumers: 0 };
  if (consumers > 0)
    throw new Fault('unavailable', `queue ${name} has ${consumers} consumers: stop the processes that run its service, then say it again`);
}

/**
 * Deletes a queue that is empty and unused; quorum queues cannot be told to look themselves. What was taken out of one counts as a consumer of it
 * until its ack has arrived, a moment later.
 */
async function remove(model: ChannelModel, name: string, world: World): Promise<void> {
  for (const giveUpAt = world.now() + ACKS_MS; ((await lookAtQueue(model, name))?.consumers ?? 0) > 0 && world.now() < giveUpAt;)
    await world.sleep(LOOK_AGAIN_MS);
  await unused(model, name);
  const { messages } = (await lookAtQueue(model, name)) ?? { messages: 0 };
  if (messages > 0) throw new Fault('unavailable', `${messages} messages came into ${name} meanwhile: say it again`);
  await onOwnChannel(model, (channel) => channel.deleteQueue(name));
}

/** Everything from one queue into another, in order, some at a time; answers how many. */
async function move(model: ChannelModel, from: string, to: string): Promise<number> {
  const confirming = await model.createConfirmChannel();
  let returned = 0;
  confirming.on('error', () => undefined); // told by waitForConfirms
  confirming.on('return', () => (returned += 1));
  const moved = await onOwnChannel(model, async (channel) => {
    for (let count = 0; ;) {
      let last: GetMessage | undefined;
      for (let taken = 0; taken < MOVED_TOGETHER; taken += 1) {
        const message: GetMessage | false = await channel.get(from);
        if (message === false) break;
        confirming.sendToQueue(to, message.content, { ...propertiesOf(message), mandatory: true });
        last = message;
        count += 1;
      }
      if (last === undefined) return count;
      await confirming.waitForConfirms();
      if (returned > 0) throw new Fault('unavailable', `queue ${to} went away while ${from} was moved: say it again`);
      channel.ack(last, true);
    }
  });
  await confirming.close();
  return moved;
}

/** As they were, but for what a broker wrote into the headers, which is about the old queue. */
function propertiesOf({ properties: { headers = {}, ...properties } }: GetMessage): Options.Publish {
  const given = Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
  return { ...given, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-'))) };
}
