/**
 * What Waybill keeps in a RabbitMQ: exchanges, queues and bindings as data. Everything is durable, and declared at every start.
 *
 *   <p>.events    topic    key: the event's type ───────────────> <p>.q.<service> …     nobody bound: <p>.unrouted
 *   <p>.commands  direct   key: the queue's name, mandatory ────> <p>.q.<service>       nobody bound: back to the sender
 *   <p>.q.<service>   quorum; handed out 20 times in vain ──> <p>.dlx ──> <p>.dead.<service>     nobody bound: <p>.parking
 *
 * Retries and redrives for one queue go through <p>.commands, too, not straight to the queue: so a queue can be replaced
 * under its name while programs are running.
 */
import { EVENTS } from '../contracts/messages.ts';
import type { Queue } from './transport.ts';

/** How often a message may be handed out without being settled. The consumer gives up far earlier; this is the last net. */
export const DELIVERY_LIMIT = 20;
/** Unlimited, for queues whose messages must not be dropped: since RabbitMQ 4.0 the limit is 20 unless one is given. */
const NO_LIMIT = 1_000_000;

export interface Exchange {
  readonly name: string;
  readonly type: 'topic' | 'direct' | 'fanout';
  readonly arguments: Arguments;
}
export type Arguments = Readonly<Record<string, string | number>>;
export interface BrokerQueue {
  readonly name: string;
  readonly arguments: Arguments;
}
export interface Binding {
  readonly queue: string;
  readonly exchange: string;
  readonly key: string;
}
export interface Topology {
  readonly exchanges: readonly Exchange[];
  readonly queues: readonly BrokerQueue[];
  readonly bindings: readonly Binding[];
  /** Bindings an earlier version may have left: event types a queue does not take any more. */
  readonly unwanted: readonly Binding[];
}

export interface Names {
  readonly events: string;
  readonly commands: string;
  readonly dlx: string;
  readonly parking: string;
  readonly unrouted: string;
  queue(service: string): string;
  dead(service: string): string;
}

export const namesOf = (prefix: string): Names => ({
  events: `${prefix}.events`,
  commands: `${prefix}.commands`,
  dlx: `${prefix}.dlx`,
  parking: `${prefix}.parking`,
  unrouted: `${prefix}.unrouted`,
  queue: (service) => `${prefix}.q.${service}`,
  dead: (service) => `${prefix}.dead.${service}`,
});

const quorum = (more: Arguments): Arguments => ({ 'x-queue-type': 'quorum', ...more });

/** A queue of work. Arguments cannot be changed once a queue is there, so those that only later versions honour are given from the start. */
const workArguments = (names: Names, service: string): Arguments =>
  quorum({
    'x-delivery-limit': DELIVERY_LIMIT,
    'x-dead-letter-exchange': names.dlx,
    'x-dead-letter-routing-key': names.queue(service),
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish', // which the strategy needs; without a length limit nothing is ever rejected
    'x-queue-leader-locator': 'balanced',
    'x-consumer-timeout': 300_000, // honoured since 3.12
  });

const DAY_MS = 86_400_000;

/** What belongs to everybody. */
export function commonTopology(prefix: string): Topology {
  const names = namesOf(prefix);
  const sink = (name: string): Binding => ({ queue: name, exchange: name, key: '' });
  return {
    exchanges: [
      { name: names.unrouted, type: 'fanout', arguments: {} },
      { name: names.parking, type: 'fanout', arguments: {} },
      { name: names.events, type: 'topic', arguments: { 'alternate-exchange': names.unrouted } },
      { name: names.commands, type: 'direct', arguments: {} }, // no alternate: a command nobody takes must come back
      // Without an alternate, one dead letter nobody is bound for would hold up all behind it (seen on 3.10).
      { name: names.dlx, type: 'direct', arguments: { 'alternate-exchange': names.parking } },
    ],
    queues: [
      { name: names.parking, arguments: quorum({ 'x-delivery-limit': NO_LIMIT }) },
      // Evidence, not work: the oldest goes first.
      { name: names.unrouted, arguments: quorum({ 'x-delivery-limit': NO_LIMIT, 'x-message-ttl': 7 * DAY_MS, 'x-max-length': 100_000 }) },
    ],
    bindings: [sink(names.parking), sink(names.unrouted)],
    unwanted: [],
  };
}

/** What belongs to one service. */
export function serviceTopology(prefix: string, { name, types }: Queue): Topology {
  const names = namesOf(prefix);
  const queue = names.queue(name);
  const event = (type: string): Binding => ({ queue, exchange: names.events, key: type });
  const wanted = new Set(types);
  return {
    exchanges: [],
    queues: [
      { name: names.dead(name), arguments: quorum({ 'x-delivery-limit': NO_LIMIT }) },
      { name: queue, arguments: workArguments(names, name) },
    ],
    bindings: [
      { queue: names.dead(name), exchange: names.dlx, key: queue },
      { queue, exchange: names.commands, key: queue },
      ...[...wanted].map(event),
    ],
    unwanted: Object.keys(EVENTS)
      .filter((type) => !wanted.has(type))
      .map(event),
  };
}

/** Everything there should be. Pure. */
export function topologyOf(prefix: string, queues: readonly Queue[]): Topology {
  const parts = [commonTopology(prefix), ...queues.map((queue) => serviceTopology(prefix, queue))];
  return {
    exchanges: parts.flatMap(({ exchanges }) => exchanges),
    queues: parts.flatMap((part) => part.queues),
    bindings: parts.flatMap(({ bindings }) => bindings),
    unwanted: parts.flatMap(({ unwanted }) => unwanted),
  };
}
