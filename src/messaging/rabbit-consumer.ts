/**
 * One consumer of one queue: what RabbitMQ hands over, into deliveries, and their settlement back.
 *
 *                         channel and subscription, epoch n                     lost (connection, channel, queue deleted)
 *   apart ──subscribe──────────────────────────────────────────> consuming ──────────────────────────────────> apart, epoch n + 1
 *                                                                   │ cancel
 *                                                                   └──> settling what was handed out ──> closed
 *
 * A settlement belongs to the epoch of its delivery; one that comes later is dropped here, because on another channel its tag would
 * mean another message. The broker counts packs, the consumer messages: packs beyond its prefetch wait here, unread.
 *
 * A pack that was handed out twice before may be one the process died of. While such packs come, the next one is only asked for when
 * the one before is settled, then 8, then 64 at a time: a crash would count for all that are out, and at 20 the broker gives them up.
 */
import type { ChannelModel, Message } from 'amqplib';
import { Fault } from '../kernel/errors.ts';
import { loop } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { type Link, aborted, closeChannel, fullJitter } from './rabbit-connection.ts';
import { type Decoded, decode, deliveriesOf } from './rabbit-wire.ts';
import type { Consumption, Delivery } from './transport.ts';

/** Packs asked for at a time, at most: 40,000 messages if all are full. */
const PACKS_MAX = 200;
const SLOW_FACTOR = 8;
const SLOW_LAST = 64;
/** From this many deliveries on, slowly. */
const SUSPECT = 2;

export interface ConsumptionOptions {
  /** The queue's name at the broker. */
  readonly queue: string;
  readonly prefetch: number;
  readonly link: Link;
  readonly world: World;
  readonly log: Logger;
  /** Makes sure the queue is there, as it should be. */
  ensure(model: ChannelModel): Promise<void>;
  deliver(delivery: Delivery): void;
  /** Told how many messages a pack had. */
  unpacked(messages: number): void;
}

export interface RabbitConsumption extends Consumption {
  /** Packs that wait here, and messages that were handed out and are not settled. */
  held(): { readonly packs: number; readonly messages: number };
}

interface Pending {
  readonly message: Message;
  decoded?: Decoded;
  state: 'waiting' | 'out' | 'acked';
}

/** Subscribes and stays subscribed until cancelled. Rejects when the first subscription fails. */
export async function openConsumption(options: ConsumptionOptions): Promise<RabbitConsumption> {
  const { queue, link, world, log } = options;
  let subscription: Subscription | undefined;
  let cancelled = false;
  let failures = 0;

  async function subscribe(): Promise<void> {
    const model = link.model();
    if (model === undefined) throw new Fault('unavailable', link.reason() ?? 'RabbitMQ is away');
    const opened = await begin(model).catch((error: unknown) => {
      throw error instanceof Fault ? error : new Fault('unavailable', `${queue} could not be consumed: ${String(error)}`, { cause: error });
    });
    if (cancelled) await opened.cancel();
    else subscription = opened;
    failures = 0;
  }

  async function begin(model: ChannelModel): Promise<Subscription> {
    await options.ensure(model);
    return openSubscription(model, options, () => cancelled);
  }

  const keeper = loop({
    name: `${queue} subscription`,
    world,
    failed: (error) => log.error({ err: error, queue }, 'the keeper of a subscription failed'),
    async turn(signal) {
      if (subscription !== undefined) await Promise.race([subscription.over, aborted(signal)]);
      if (signal.aborted) return 0;
      subscription = undefined;
      await link.whenUp(signal);
      if (signal.aborted) return 0;
      try {
        await subscribe();
        log.info({ queue }, 'subscribed again');
        return 0;
      } catch (error) {
        failures += 1;
        log.warn({ err: error, queue }, 'could not subscribe; trying again');
        return fullJitter(failures, world.random());
      }
    },
  });

  await subscribe();
  await keeper.start();
  return {
    async cancel() {
      cancelled = true;
      await keeper.stop(); // first, or it would subscribe again
      await subscription?.cancel();
    },
    held: () => subscription?.held() ?? { packs: 0, messages: 0 },
  };
}

interface Subscription {
  /** Resolves when the channel is gone. */
  readonly over: Promise<void>;
  cancel(): Promise<void>;
  held(): { readonly packs: number; readonly messages: number };
}

/** One epoch: a channel of its own, so that no tag can be mistaken. */
async function openSubscription(
  model: ChannelModel,
  { queue, prefetch, log, deliver, unpacked }: ConsumptionOptions,
  cancelled: () => boolean,
): Promise<Subscription> {
  const over = Promise.withResolvers<void>();
  const channel = await model.createChannel();
  /** By tag, in the order they came. */
  const pending = new Map<number, Pending>();
  let empty = Promise.withResolvers<void>();
  let open = true;
  let messagesOut = 0;
  let packsOut = 0;
  let consumerTag: string | undefined;
  let flushing = false;

  channel.on('error', (error: Error) => log.warn({ err: error, queue }, 'the broker closed a consuming channel'));
  channel.on('close', () => {
    open = false;
    pending.clear();
    empty.resolve();
    over.resolve();
  });

  /** The epoch ends here; what is not settled comes again in the next. */
  function end(): Promise<void> {
    open = false;
    return closeChannel(channel);
  }

  function send(act: () => void): void {
    try {
      if (open) act();
    } catch {
      open = false; // the connection is being closed, and its channels are told in a moment
    }
  }

  async function subscribe(): Promise<void> {
    await channel.prefetch(Math.min(prefetch, PACKS_MAX));
    ({ consumerTag } = await channel.consume(queue, (message) => {
      if (message !== null) return received(message);
      log.warn({ queue }, 'the broker ended a subscription: the queue was deleted, or its consumer took too long');
      void end();
    }));
  }

  /** Takes the oldest pack that waits, if there is one; a redelivered one comes before all others. */
  async function takeOne(): Promise<'none' | 'suspect' | 'fresh'> {
    // amqplib answers no `get` whose connection is lost between its frames.
    const message = await Promise.race([channel.get(queue), over.promise]);
    if (message === undefined) throw new Error('the channel was closed');
    if (message === false) return 'none';
    received(message);
    return deliveriesOf(message.properties, message.fields.redelivered) >= SUSPECT ? 'suspect' : 'fresh';
  }

  /** Rounds of one pack, then 8, then 64, each after the one before is settled, until no suspect is left. */
  async function slowly(): Promise<void> {
    for (let round = SLOW_FACTOR; ; round = Math.min(SLOW_LAST, round * SLOW_FACTOR)) {
      if (pending.size > 0) await empty.promise;
      for (let taken = 0; taken < round; taken += 1) {
        if (!open || cancelled()) return;
        if ((await takeOne()) !== 'suspect') return subscribe();
      }
    }
  }

  function received(message: Message): void {
    if (!open) return;
    pending.set(message.fields.deliveryTag, { message, state: 'waiting' });
    pump();
  }

  function pump(): void {
    for (const one of pending.values()) {
      if (one.state !== 'waiting') continue;
      if (cancelled() || !open) return;
      const { message } = one;
      one.decoded ??= decode(message.content, message.properties);
      const count = Math.max(1, one.decoded.messages.length);
      if (packsOut > 0 && messagesOut + count > prefetch) return;
      one.state = 'out';
      packsOut += 1;
      messagesOut += count;
      unpacked(count);
      deliver(handOut(one, one.decoded, count));
    }
  }

  function handOut(one: Pending, { messages, undecodable, about }: Decoded, count: number): Delivery {
    const { message } = one;
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      packsOut -= 1;
      messagesOut -= count;
      if (!open) return; // of an epoch that is over: the broker hands it out again
      act();
      soon();
    };
    return {
      messages,
      ...(undecodable === undefined ? {} : { undecodable, about }),
      deliveries: deliveriesOf(message.properties, message.fields.redelivered),
      ack: () => settle(() => void (one.state = 'acked')),
      release: () =>
        settle(() => {
          pending.delete(message.fields.deliveryTag);
          send(() => channel.nack(message, false, true)); // before any ack that says "all up to here"
        }),
    };
  }

  /** Acks and what follows from them, once for all that is settled in one go. */
  function soon(): void {
    if (flushing) return;
    flushing = true;
    queueMicrotask(() => {
      flushing = false;
      flush();
      if (pending.size === 0) {
        empty.resolve();
        empty = Promise.withResolvers();
      }
      if (cancelled() && packsOut === 0) void end();
      else pump();
    });
  }

  /** Acks what is done: one frame, and one entry of the queue's log, for all up to the first that is not. */
  function flush(): void {
    let upTo: Message | undefined;
    let hole = false;
    for (const [tag, { message, state }] of pending) {
      if (state !== 'acked') {
        hole = true;
        continue;
      }
      pending.delete(tag);
      if (hole) send(() => channel.ack(message));
      else upTo = message;
    }
    const last = upTo;
    if (last !== undefined) send(() => channel.ack(last, true));
  }

  if ((await takeOne()) !== 'suspect') await subscribe();
  else
    void slowly().catch((error: unknown) => {
      if (open) log.warn({ err: error, queue }, 'the broker ended a slow beginning; beginning anew');
      void end();
    });
  return {
    over: over.promise,
    async cancel() {
      if (open && consumerTag !== undefined) await channel.cancel(consumerTag).catch(() => undefined);
      // What waits here unread goes back, in its order, when the channel closes: now, or when what was handed out is settled.
      if (open && packsOut === 0) {
        flush();
        await end();
      }
    },
    held: () => ({ packs: [...pending.values()].filter(({ state }) => state === 'waiting').length, messages: messagesOut }),
  };
}
