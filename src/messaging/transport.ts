/**
 * What carries packs from an outbox to queues. Two implementations pass one conformance suite: the embedded one (bus.db) and RabbitMQ.
 *
 * - A confirmed pack is durable in every queue it goes to; it survives `kill -9` of the broker.
 * - A pack may arrive more than once, never in part. Consumers dedupe.
 * - Packs of one publisher reach a queue in the order published, as long as nothing fails.
 * - An event nobody subscribes to is confirmed. A command without its queue is `unroutable`: that is an error, the event is not.
 * - A delivery that is neither acked nor released when its consumer goes away (or the process dies) is delivered again, counted.
 */
import type { Message } from '../contracts/envelope.ts';
import type { Runnable } from '../kernel/lifecycle.ts';
import type { Pack } from './outbox.ts';

export type PublishOutcome = 'confirmed' | 'unroutable';

/** A queue and the event types it takes; commands to `name` arrive by name. */
export interface Queue {
  readonly name: string;
  readonly types: readonly string[];
}

/** Attributes of a message whose body nobody can read; of the first one, where there were several. As they came: nobody has checked them. */
export type Told = Partial<Pick<Message, 'id' | 'type' | 'source' | 'time' | 'subject' | 'sequence' | 'partitionkey' | 'correlationid'>>;

export interface Delivery {
  readonly messages: readonly Message[];
  /** `messages` as JSON, where the transport has them so. */
  readonly body?: string;
  /** This process validated these very messages when they were said; everything else is validated when it arrives. */
  readonly trusted?: boolean;
  /** What could not be decoded; then there are no messages. */
  readonly undecodable?: string;
  /** What the transport itself could tell of that: its headers are apart from the body. */
  readonly about?: Told;
  /** How often it was handed out before: 0 the first time. After a crash it may count one more than were seen. */
  readonly deliveries: number;
  /** Done with: will not come again. Late or double calls are no harm. */
  ack(): void;
  /** Not done: will come again, to this consumer or another. */
  release(): void;
}

export interface Consumption {
  /** No more deliveries; what was handed out may still be acked or released. */
  cancel(): Promise<void>;
}

export interface TransportHealth {
  readonly ok: boolean;
  readonly reason?: string;
  /** Milliseconds UTC. */
  readonly since?: number;
  /** The broker is there and takes no messages. */
  readonly blocked?: boolean;
}

export interface Transport extends Runnable {
  /** Makes sure queues exist and are bound as given. Idempotent. */
  declare(queues: readonly Queue[]): Promise<void>;
  /** Publishes packs and answers what became of each, in the same order. Rejects when the broker is away: then nothing is known, publish again. */
  publish(packs: readonly Pack[]): Promise<PublishOutcome[]>;
  /** Hands out deliveries of a queue, at most `prefetch` messages (but at least one delivery) at a time unsettled. */
  consume(queue: string, options: { readonly prefetch: number; deliver(delivery: Delivery): void }): Promise<Consumption>;
  /** Messages waiting or unsettled in each queue. */
  depths(): Promise<Record<string, number>>;
  /** Whether publishing works now; the reason when it does not (disk full, broker away), and since when. */
  health(): Promise<TransportHealth>;
}
