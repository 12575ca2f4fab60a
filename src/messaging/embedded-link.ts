/**
 * The embedded transport, as a thread sees it that does not run it: the bus is one, and lives in the main thread.
 *
 *   thread of services                         main thread
 *   linkedTransport ── publish, consume ────> serveTransport ──> embedded transport
 *                   <── confirms, deliveries ──
 *
 * What crosses is the text of a pack. The thread that handles it parses it; the one that passes it on does not.
 */
import type { Message } from '../contracts/envelope.ts';
import { runnable } from '../kernel/lifecycle.ts';
import type { Peer } from '../kernel/peer.ts';
import type { Pack } from './outbox.ts';
import type { Consumption, Delivery, PublishOutcome, Queue, Transport } from './transport.ts';

type SentPack = Omit<Pack, 'messages'>;

interface SentDelivery {
  readonly consumption: number;
  readonly id: number;
  readonly body: string;
  readonly trusted: boolean;
  readonly undecodable?: string | undefined;
  readonly deliveries: number;
}

/** The half beside the bus. */
export function serveTransport(peer: Peer, transport: Transport): void {
  const consumptions = new Map<number, Consumption>();
  const outside = new Map<number, Delivery>();
  let lastId = 0;

  const settle = (act: 'ack' | 'release') => (ids: readonly number[]) => {
    for (const id of ids) {
      outside.get(id)?.[act]();
      outside.delete(id);
    }
  };

  peer.answer<SentPack[]>('publish', (packs) => transport.publish(packs.map(unread)));
  peer.answer<Queue[]>('declare', (queues) => transport.declare(queues));
  peer.answer('depths', () => transport.depths());
  peer.answer('bus health', () => transport.health());
  peer.answer<{ consumption: number; queue: string; prefetch: number }>('consume', async ({ consumption, queue, prefetch }) => {
    const deliver = (delivery: Delivery): void => {
      const id = (lastId += 1);
      outside.set(id, delivery);
      const { undecodable, deliveries, trusted = false } = delivery;
      const sent: SentDelivery = { consumption, id, body: bodyOf(delivery), trusted, undecodable, deliveries };
      peer.tell('delivery', sent);
    };
    consumptions.set(consumption, await transport.consume(queue, { prefetch, deliver }));
  });
  peer.answer<number>('cancel', async (consumption) => {
    await consumptions.get(consumption)?.cancel();
    consumptions.delete(consumption);
  });
  peer.hear('ack', settle('ack'));
  peer.hear('release', settle('release'));
}

const bodyOf = ({ body, messages }: Delivery): string => body ?? JSON.stringify(messages);

/** A pack whose messages are parsed only where somebody reads them. */
function unread(sent: SentPack): Pack {
  let messages: readonly Message[] | undefined;
  return {
    ...sent,
    get messages() {
      return (messages ??= JSON.parse(sent.body) as Message[]);
    },
  };
}

/** The half in the other thread: a transport like any other. Starting and stopping the bus is not its business. */
export function linkedTransport(peer: Peer): Transport {
  const delivering = new Map<number, (delivery: Delivery) => void>();
  let lastId = 0;

  peer.hear<SentDelivery>('delivery', ({ consumption, id, body, trusted, undecodable, deliveries }) => {
    let settled = false;
    const settle = (act: 'ack' | 'release') => () => {
      if (settled) return;
      settled = true;
      peer.tell(act, [id]);
    };
    const deliver = delivering.get(consumption);
    const delivery: Delivery = {
      messages: undecodable === undefined ? (JSON.parse(body) as Message[]) : [],
      body,
      trusted,
      ...(undecodable === undefined ? {} : { undecodable }),
      deliveries,
      ack: settle('ack'),
      release: settle('release'),
    };
    if (deliver === undefined) delivery.release();
    else deliver(delivery);
  });

  return {
    ...runnable(
      'bus link',
      () => undefined,
      () => undefined,
    ),
    declare: (queues) => peer.ask('declare', queues),
    publish: (packs) =>
      peer.ask<PublishOutcome[]>(
        'publish',
        packs.map(({ seq, shard, type, destination, count, body, again = false }): SentPack => ({
          seq,
          shard,
          type,
          destination,
          count,
          body,
          again,
        })),
      ),
    async consume(queue, { prefetch, deliver }) {
      const consumption = (lastId += 1);
      delivering.set(consumption, deliver);
      await peer.ask('consume', { consumption, queue, prefetch }).catch((error: unknown) => {
        delivering.delete(consumption);
        throw error;
      });
      return {
        async cancel() {
          await peer.ask('cancel', consumption);
          delivering.delete(consumption);
        },
      };
    },
    depths: () => peer.ask('depths'),
    health: () => peer.ask('bus health'),
  };
}
