/**
 * Publishing with confirms: many packs under way at once, each answered for itself.
 *
 *   written ──ack──> confirmed      a return before the ack: unroutable (seen on 3.10: what is returned is acked all the same)
 *      └─ nack, channel or connection lost ──> the whole publish rejects: nothing is known, the relay sends it again
 *
 * Nothing is ever sent again because it took long (such a rule made 12,600 duplicates out of one restart). Instead a connection on
 * which no confirm came for 30 s, although the broker does not say that it is blocked, is dropped as a whole.
 */
import { once } from 'node:events';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { COMMANDS, isCommand } from '../contracts/messages.ts';
import { Fault } from '../kernel/errors.ts';
import { type Runnable, loop } from '../kernel/lifecycle.ts';
import type { Logger, Telemetry } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';
import type { Pack } from './outbox.ts';
import type { Link } from './rabbit-connection.ts';
import type { Names } from './rabbit-topology.ts';
import { encode } from './rabbit-wire.ts';
import type { PublishOutcome } from './transport.ts';

const SILENCE_MS = 30_000;
const LOOK_MS = 5_000;
/** What amqplib says of a pack the broker did not take; of one whose channel was closed it says something else. */
const NACKED = 'message nacked';
/** The header by which what comes back is known. */
const TICKET = 'waybill_ticket';

export interface PublisherOptions {
  readonly names: Names;
  readonly link: () => Link;
  readonly world: World;
  readonly telemetry: Telemetry;
  readonly log: Logger;
}

export interface Publisher {
  /** Opens a channel on a new connection. */
  prepare(model: ChannelModel): Promise<void>;
  /** The connection is gone. */
  lost(): void;
  publish(packs: readonly Pack[]): Promise<PublishOutcome[]>;
  /** Drops connections that have gone silent. */
  readonly watch: Runnable;
}

/** Where a pack goes. A command, and what is for one queue, must find a queue. */
export function addressOf(
  { type, destination }: Pick<Pack, 'type' | 'destination'>,
  names: Names,
): { exchange: string; key: string; mandatory: boolean } {
  const service = destination ?? (isCommand(type) ? COMMANDS[type].to : undefined);
  return service === undefined
    ? { exchange: names.events, key: type, mandatory: false }
    : { exchange: names.commands, key: names.queue(service), mandatory: true };
}

export function openPublisher({ names, link, world, telemetry, log }: PublisherOptions): Publisher {
  let channel: ConfirmChannel | undefined;
  let unconfirmed = 0;
  let heardAt = 0;
  let tickets = 0;
  let writing: Promise<unknown> = Promise.resolve();
  /** Keys of packs that came back and whose ack has not come yet. */
  const returned = new Set<string>();

  async function prepare(model: ChannelModel): Promise<void> {
    const opened = await model.createConfirmChannel();
    opened.on('error', (error: Error) => log.warn({ err: error }, 'the broker closed the publishing channel'));
    opened.on('return', ({ fields, properties }) => void returned.add(`${fields.routingKey} ${properties.headers?.[TICKET]}`));
    opened.on('close', () => {
      if (channel !== opened) return;
      channel = undefined;
      link().drop('the publishing channel was closed'); // with the connection everything is prepared anew, exchanges included
    });
    channel = opened;
  }

  function lost(): void {
    channel = undefined;
    returned.clear();
  }

  const away = (why: string): Fault => new Fault('unavailable', why);

  /** Resolves once the broker has answered for the pack. */
  function send(on: ConfirmChannel, pack: Pack): { readonly room: boolean; readonly outcome: Promise<PublishOutcome> } {
    const { exchange, key, mandatory } = addressOf(pack, names);
    const { body, properties } = encode(pack);
    const ticket = (tickets = (tickets % 1_000_000_000) + 1);
    const { promise, resolve, reject } = Promise.withResolvers<PublishOutcome>();
    if (unconfirmed === 0) heardAt = world.now();
    unconfirmed += 1;
    const answered = (error: Error | null): void => {
      unconfirmed -= 1;
      heardAt = world.now();
      if (error?.message === NACKED) telemetry.metrics.nacks.inc();
      if (error !== null) return reject(away(`not confirmed: ${error.message}`));
      resolve(mandatory && returned.delete(`${key} ${ticket}`) ? 'unroutable' : 'confirmed');
    };
    // What may come back carries a ticket: the same message may be under way to two queues, or twice to one.
    const headers = mandatory ? { ...properties.headers, [TICKET]: ticket } : properties.headers;
    const room = on.publish(exchange, key, body, { ...properties, ...(headers === undefined ? {} : { headers }), mandatory }, answered);
    return { room, outcome: promise };
  }

  /** Publishes are written one after another, so that their order is kept; their confirms are waited for side by side. */
  async function publish(packs: readonly Pack[]): Promise<PublishOutcome[]> {
    const written = writing.then(() => write(packs));
    writing = written.catch(() => undefined);
    return Promise.all(await written);
  }

  /** Writes packs to the line; answers what becomes of each. */
  async function write(packs: readonly Pack[]): Promise<Promise<PublishOutcome>[]> {
    await link().whenUnblocked();
    const outcomes: Promise<PublishOutcome>[] = [];
    for (const pack of packs) {
      const on = channel;
      if (on === undefined) throw away(link().reason() ?? 'RabbitMQ is away');
      const { room, outcome } = send(on, pack);
      outcome.catch(() => undefined); // heard by `publish`, together with the others
      outcomes.push(outcome);
      if (!room) await roomOn(on, outcome);
    }
    return outcomes;
  }

  const watch = loop({
    name: 'RabbitMQ confirms',
    world,
    failed: (error) => log.error({ err: error }, 'the watch over confirms failed'),
    async turn() {
      if (link().state() === 'blocked') heardAt = world.now();
      if (unconfirmed > 0 && world.now() - heardAt > SILENCE_MS) link().drop(`no confirm for ${SILENCE_MS / 1_000} s`);
      return LOOK_MS;
    },
  });

  return { prepare, lost, publish, watch };
}

/** Resolves when the socket has taken what was written, or the broker has answered for it. */
async function roomOn(channel: ConfirmChannel, outcome: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  await Promise.race([once(channel, 'drain', { signal: done.signal }), outcome]).catch(() => undefined);
  done.abort();
}
