/**
 * Making a RabbitMQ hold what it should, and saying what is different where it cannot.
 *
 * Whatever the broker refuses closes the channel it was asked on, so each thing that may be refused has a channel of its own. A queue's
 * arguments cannot be read over AMQP; but the refusal of a declaration names one argument that differs and its value, and declaring
 * again with that value finds the next.
 */
import type { Channel, ChannelModel } from 'amqplib';
import { Fault } from '../kernel/errors.ts';
import { closeChannel } from './rabbit-connection.ts';
import type { Arguments, BrokerQueue, Exchange, Topology } from './rabbit-topology.ts';

const NOT_FOUND = 404;
const LOCKED = 405;
const DIFFERENT = 406;

export interface Difference {
  readonly argument: string;
  /** Null: none. */
  readonly wanted: string | number | boolean | null;
  readonly found: string | number | boolean | null;
}

/** A thing is there and is another one than it should be. */
export class Mismatch extends Fault {
  readonly thing: string;
  readonly differences: readonly Difference[];

  constructor(thing: string, differences: readonly Difference[]) {
    const list = differences.map(({ argument, wanted, found }) => `${argument} is ${found ?? 'not set'}, should be ${wanted ?? 'not set'}`);
    super('unavailable', `${thing} is not as this version needs it: ${list.join('; ')}`);
    this.thing = thing;
    this.differences = differences;
  }
}

/** Runs `work` on a channel that may be closed by what it does. */
export async function onOwnChannel<T>(model: ChannelModel, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await model.createChannel();
  let open = true;
  channel.on('error', () => undefined); // told by the call that caused it
  channel.on('close', () => (open = false));
  try {
    return await work(channel);
  } finally {
    if (open) await closeChannel(channel);
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

const declareQueue = (channel: Channel, { name, arguments: args }: BrokerQueue) => channel.assertQueue(name, { durable: true, arguments: args });
const declareExchange = (channel: Channel, { name, type, arguments: args }: Exchange) =>
  channel.assertExchange(name, type, { durable: true, arguments: args });

/** Messages that are ready and consumers of a queue; undefined when there is no such queue. */
export async function lookAtQueue(model: ChannelModel, name: string): Promise<{ readonly messages: number; readonly consumers: number } | undefined> {
  try {
    const { messageCount, consumerCount } = await onOwnChannel(model, (channel) => channel.checkQueue(name));
    return { messages: messageCount, consumers: consumerCount };
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}

export async function exchangeExists(model: ChannelModel, name: string): Promise<boolean> {
  try {
    await onOwnChannel(model, (channel) => channel.checkExchange(name));
    return true;
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return false;
    throw error;
  }
}

/** Declares a thing. Throws a Mismatch when it is there and different. */
export async function ensureExchange(model: ChannelModel, exchange: Exchange): Promise<void> {
  try {
    await onOwnChannel(model, (channel) => declareExchange(channel, exchange));
  } catch (error) {
    const found = differenceIn(error);
    throw found === undefined ? error : new Mismatch(`exchange ${exchange.name}`, [found]);
  }
}

/** Declares a queue. Throws a Mismatch with all its differences when it is there and different. */
export async function ensureQueue(model: ChannelModel, queue: BrokerQueue): Promise<void> {
  const differences: Difference[] = [];
  let args = queue.arguments;
  // Each refusal names one difference; there cannot be more of them than arguments, theirs and ours.
  for (let asked = 0; asked < 30; asked += 1) {
    try {
      if (asked === 0) await onOwnChannel(model, (channel) => declareQueue(channel, { ...queue, arguments: args }));
      else if ((await lookAtQueue(model, queue.name)) === undefined) return await ensureQueue(model, queue); // gone meanwhile
      else await onOwnChannel(model, (channel) => declareQueue(channel, { ...queue, arguments: args }));
      break;
    } catch (error) {
      const found = differenceIn(error);
      if (found === undefined) throw error;
      if (differences.some(({ argument }) => argument === found.argument)) break;
      differences.push(found);
      if (!found.argument.startsWith('x-')) break; // not an argument that can be given as another value
      args = adopted(args, found);
    }
  }
  if (differences.length > 0) throw new Mismatch(`queue ${queue.name}`, differences);
}

function adopted(args: Arguments, { argument, found }: Difference): Arguments {
  const { [argument]: _other, ...rest } = args;
  return found === null || typeof found === 'boolean' ? rest : { ...rest, [argument]: found };
}

/** Reads the refusal of a declaration; undefined when it is another error. */
export function differenceIn(error: unknown): Difference | undefined {
  if (!(error instanceof Error) || (codeOf(error) !== DIFFERENT && codeOf(error) !== LOCKED)) return undefined;
  const match = /inequivalent arg '([^']+)'.*?: received (.+?) but current is (.+?)"?$/.exec(error.message.trim());
  if (match === null) return undefined;
  return { argument: match[1]!, wanted: valueIn(match[2]!), found: valueIn(match[3]!) };
}

/** `none`, `the value '20' of type 'signedint'`, `'true'`. */
function valueIn(text: string): Difference['found'] {
  const value = /'([^']*)'/.exec(text)?.[1];
  if (value === undefined) return null;
  if (value === 'true' || value === 'false') return value === 'true';
  return /of type '[a-z]*(int|byte|short|long)'/.test(text) && /^-?\d+$/.test(value) ? Number(value) : value;
}

/** Binds and unbinds; both may be repeated without harm. */
export async function ensureBindings(model: ChannelModel, { bindings, unwanted }: Pick<Topology, 'bindings' | 'unwanted'>): Promise<void> {
  await onOwnChannel(model, async (channel) => {
    for (const { queue, exchange, key } of bindings) await channel.bindQueue(queue, exchange, key);
    for (const { queue, exchange, key } of unwanted) await channel.unbindQueue(queue, exchange, key);
  });
}
