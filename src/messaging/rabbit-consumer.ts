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
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { loop } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import { type Link, aborted, fullJitter } from './rabbit-connection.ts';
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
  readonly message: ConsumeMessage;
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
    if (model === undefined) throw new Error(link.reason() ?? 'RabbitMQ is away');
    await options.ensure(model);
    const opened = await openSubscription(model, options, () => cancelled);
    if (cancelled) await opened.cancel();
    else subscription = opened;
    failures = 0;
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
      const last = subscription;
      await last?.cancel();
      await keeper.stop();
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
async function openSubscription(model: ChannelModel, { queue, prefetch, log, deliver, unpacked }: ConsumptionOptions, cancelled: () => boolean): Promise<Subscription> {
  const over = Promise.withResolvers<void>();
  const channel = await model.createChannel();
  /** By tag, in the order they came. */
  const pending = new Map<number, Pending>();
  let open = true;
  let messagesOut = 0;
  let packsOut = 0;
  let tag: string | undefined;
  let window = 1;
  let pace: 'probing' | 'slow' | 'full' = 'probing';
  let flushing = false;
  let widening: Promise<void> = Promise.resolve();

  channel.on('error', (error: Error) => log.warn({ err: error, queue }, 'the broker closed a consuming channel'));
  channel.on('close', () => {
    open = false;
    pending.clear();
    over.resolve();
  });

  function received(message: ConsumeMessage | null): void {
    if (message === null) {
      log.warn({ queue }, 'the broker ended a subscription: the queue was deleted, or its consumer took too long');
      void closeChannel(channel);
      return;
    }
    pending.set(message.fields.deliveryTag, { message, state: 'waiting' });
    if (pace !== 'full') judge(message);
    pump();
  }

  /** The oldest come first: one that is not suspicious says that no suspects are left behind it. */
  function judge({ properties, fields }: ConsumeMessage): void {
    if (deliveriesOf(properties, fields.redelivered) >= SUSPECT) {
      pace = 'slow';
    } else {
      pace = 'full';
      widen(Math.max(1, Math.min(PACKS_MAX, prefetch) - packsOut - 1));
    }
  }

  /** Asks for more at a time: a limit is fixed when a subscription begins, so another one follows it on the same channel. */
  function widen(packs: number): void {
    if (packs === window) return;
    window = packs;
    widening = widening.then(async () => {
      if (!open || cancelled() || tag === undefined) return;
      await channel.cancel(tag);
      await consume();
    });
    widening.catch((error: unknown) => {
      if (open) log.warn({ err: error, queue }, 'a wider subscription failed; beginning anew');
      void closeChannel(channel);
    });
  }

  async function consume(): Promise<void> {
    tag = undefined;
    await channel.prefetch(window);
    ({ consumerTag: tag } = await channel.consume(queue, received));
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
      deliver(handOut(message, one, count));
    }
  }

  function handOut({ properties, fields }: ConsumeMessage, one: Pending, count: number): Delivery {
    const { messages, undecodable } = one.decoded!;
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      packsOut -= 1;
      messagesOut -= count;
      if (!open) return; // of an epoch that is over: the broker hands it out again
      act();
      afterSettling();
    };
    return {
      messages,
      ...(undecodable === undefined ? {} : { undecodable }),
      deliveries: deliveriesOf(properties, fields.redelivered),
      ack: () => settle(() => void (one.state = 'acked')),
      release: () =>
        settle(() => {
          pending.delete(fields.deliveryTag);
          flush();
          channel.nack(one.message, false, true);
        }),
    };
  }

  function afterSettling(): void {
    if (pace === 'slow' && packsOut === 0 && pending.values().every(({ state }) => state === 'acked')) {
      if (window < SLOW_LAST) widen(Math.min(SLOW_LAST, window * SLOW_FACTOR, Math.max(1, prefetch)));
    }
    if (!flushing) {
      flushing = true;
      queueMicrotask(() => {
        flushing = false;
        flush();
        if (cancelled() && packsOut === 0) void closeChannel(channel);
        else pump();
      });
    }
  }

  /** Acks what is done: one frame, and one entry of the queue's log, for all up to the first that is not. */
  function flush(): void {
    if (!open) return;
    let upTo: ConsumeMessage | undefined;
    let hole = false;
    for (const [deliveryTag, { message, state }] of pending) {
      if (state !== 'acked') {
        hole = true;
        continue;
      }
      pending.delete(deliveryTag);
      if (hole) channel.ack(message);
      else upTo = message;
    }
    if (upTo !== undefined) channel.ack(upTo, true);
  }

  if (prefetch === 1) pace = 'full';
  await consume();
  return {
    over: over.promise,
    async cancel() {
      await widening.catch(() => undefined);
      if (!open) return;
      if (tag !== undefined) await channel.cancel(tag).catch(() => undefined);
      // What waits here unread goes back, in its order, when the channel closes: now, or when what was handed out is settled.
      if (packsOut === 0) {
        flush();
        await closeChannel(channel);
      }
    },
    held: () => ({ packs: pending.values().filter(({ state }) => state === 'waiting').toArray().length, messages: messagesOut }),
  };
}

const closeChannel = (channel: Channel): Promise<void> => channel.close().catch(() => undefined);
