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

async function exchangeExists(model: ChannelModel, name: string): Promise<boolean> {
  try {
    await onOwnChannel(model, (channel) => channel.checkExchange(name));
    return true;
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return false;
    throw error;
  }
}

/** Declares an exchange. Throws a Mismatch when it is there and different. */
export async function ensureExchange(model: ChannelModel, exchange: Exchange): Promise<void> {
  const refused = await refusal(model, (channel) =>
    channel.assertExchange(exchange.name, exchange.type, { durable: true, arguments: exchange.arguments }),
  );
  if (refused !== undefined) throw new Mismatch(`exchange ${exchange.name}`, [refused]);
}

/** Declares a queue. Throws a Mismatch with all its differences when it is there and different. */
export async function ensureQueue(model: ChannelModel, queue: BrokerQueue): Promise<void> {
  const refused = await refusal(model, (channel) => channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments }));
  if (refused === undefined) return;
  const differences = await differencesOfQueue(model, queue);
  if (differences === undefined) await ensureQueue(model, queue); // it went away meanwhile
  else throw new Mismatch(`queue ${queue.name}`, differences);
}

/** What differs at an exchange; undefined when there is none. */
export async function differencesOfExchange(model: ChannelModel, exchange: Exchange): Promise<Difference[] | undefined> {
  if (!(await exchangeExists(model, exchange.name))) return undefined;
  const refused = await refusal(model, (channel) =>
    channel.assertExchange(exchange.name, exchange.type, { durable: true, arguments: exchange.arguments }),
  );
  return refused === undefined ? [] : [refused];
}

/** What differs at a queue, argument by argument; undefined when there is none. */
export async function differencesOfQueue(model: ChannelModel, { name, arguments: wanted }: BrokerQueue): Promise<Difference[] | undefined> {
  const differences: Difference[] = [];
  let args = wanted;
  while ((await lookAtQueue(model, name)) !== undefined) {
    const asked = args;
    const refused = await refusal(model, (channel) => channel.assertQueue(name, { durable: true, arguments: asked }));
    if (refused === undefined || differences.some(({ argument }) => argument === refused.argument)) return differences;
    differences.push(refused);
    if (!refused.argument.startsWith('x-')) return differences; // not one that can be asked for with another value
    args = adopted(args, refused);
  }
  return undefined;
}

/** Asks for a declaration; answers what the broker finds different. */
async function refusal(model: ChannelModel, declare: (channel: Channel) => Promise<unknown>): Promise<Difference | undefined> {
  try {
    await onOwnChannel(model, declare);
    return undefined;
  } catch (error) {
    const difference = differenceIn(error);
    if (difference === undefined) throw error;
    return difference;
  }
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

/** `none`, `'20'`, `the value '20' of type 'signedint'`, `'true'`: as different versions write it. */
function valueIn(text: string): Difference['found'] {
  const value = /'([^']*)'/.exec(text)?.[1];
  if (value === undefined) return null;
  if (value === 'true' || value === 'false') return value === 'true';
  return /^-?\d+$/.test(value) ? Number(value) : value;
}

/** Binds and unbinds; both may be repeated without harm. */
export async function ensureBindings(model: ChannelModel, { bindings, unwanted }: Pick<Topology, 'bindings' | 'unwanted'>): Promise<void> {
  await onOwnChannel(model, async (channel) => {
    for (const { queue, exchange, key } of bindings) await channel.bindQueue(queue, exchange, key);
    for (const { queue, exchange, key } of unwanted) await channel.unbindQueue(queue, exchange, key);
  });
}
