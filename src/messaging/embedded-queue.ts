/**
 * One queue of the embedded transport, as it is in memory: what waits, who takes it, and what is only on disk.
 *
 *   offered ──room in memory──> ready ──room at a consumer──> handed out ──ack──> settled
 *      └──── memory is full ──> on disk ──read in order──┘        └─release─> ready
 *
 * While anything is only on disk, what is offered stays there too, so that nothing overtakes.
 */
import type { Message } from '../contracts/envelope.ts';
import type { Delivery } from './transport.ts';

/** Messages kept in memory and not handed out, at most. */
const READY_MAX = 8_000;
/** Packs read from disk at a time. */
const READ_PACKS = 32;
/** Packs handed out at first after a start, and how that grows with each round that was settled. */
const SLOW_FIRST = 1;
const SLOW_FACTOR = 8;
const SLOW_LAST = 64;

export interface Entry {
  readonly seq: number;
  /** Messages in it. */
  readonly count: number;
  readonly messages: readonly Message[];
  /** `messages` as JSON. */
  readonly body: string;
  readonly deliveries: number;
  /** Not read back from disk. */
  readonly trusted: boolean;
  readonly undecodable?: string;
}

export interface QueueStore {
  /** Reads rows from `seq` on, in order; with `claim`, counts a delivery of each in the same transaction. */
  read(queue: string, from: { readonly seq: number; readonly to?: number; readonly limit: number; readonly claim: boolean }): Promise<Entry[]>;
  /** The pack is done with. */
  settle(seq: number): void;
  /** The last consumer has gone. */
  orphaned(): void;
  failed(error: unknown): void;
}

interface Taker {
  readonly prefetch: number;
  unsettled: number;
  deliver(delivery: Delivery): void;
}

export interface EmbeddedQueue {
  /** A committed row, or a pack that need not be one. They are offered in the order of `seq`. */
  offer(entry: Entry): void;
  /** May a pack be offered that has no row? Only when a consumer is there, all fits into memory, and no row before it is still to come. */
  takesDirectly(): boolean;
  /** A row of this queue is being written: nothing may overtake it. Answers the queue. */
  awaitRow(): EmbeddedQueue;
  /** The row was offered, or will not be. */
  rowCame(): void;
  /** Adds a consumer; answers how to remove it. */
  take(prefetch: number, deliver: (delivery: Delivery) => void): () => void;
  /** Messages waiting or unsettled. */
  depth(): number;
  /** Packs handed out and neither acked nor released. */
  unsettled(): number;
  /** Who takes from it, and how many messages they have in hand. */
  takers(): { readonly count: number; readonly messages: number };
  /** Goes on after `failed`. */
  retry(): void;
}

/**
 * @param leftoverTo  rows up to this seq were there at the start and may have been handed out before: they are counted and come slowly
 * @param depth       messages in those rows
 */
export function openQueue(name: string, store: QueueStore, leftoverTo: number, depth: number): EmbeddedQueue {
  const ready: Entry[] = [];
  const takers: Taker[] = [];
  let readyMessages = 0;
  let turn = 0;
  /** The first row that is not in memory; undefined when all are. */
  let diskFrom = depth > 0 ? 1 : undefined;
  let reading = false;
  let offeredMeanwhile = false;
  let slowWindow = SLOW_FIRST;
  let slowUnsettled = 0;
  let out = 0;
  let rowsToCome = 0;

  function offer(entry: Entry): void {
    depth += entry.count;
    if (diskFrom !== undefined || readyMessages >= READY_MAX) {
      diskFrom ??= entry.seq;
      offeredMeanwhile = true;
      return;
    }
    push(entry);
    pump();
  }

  function push(entry: Entry): void {
    ready.push(entry);
    readyMessages += entry.count;
  }

  function pump(): void {
    while (ready.length > 0) {
      const taker = nextWithRoom();
      if (taker === undefined) return;
      const entry = ready.shift()!;
      readyMessages -= entry.count;
      taker.deliver(handOut(taker, entry));
    }
    if (diskFrom !== undefined && !reading && nextWithRoom() !== undefined) void fill();
  }

  /** Consumers take turns. One that holds nothing has room for any pack, however small its prefetch. */
  function nextWithRoom(): Taker | undefined {
    for (let i = 0; i < takers.length; i += 1) {
      const taker = takers[(turn + i) % takers.length]!;
      if (taker.unsettled === 0 || taker.unsettled + (ready[0]?.count ?? 1) <= taker.prefetch) {
        turn = (turn + i + 1) % takers.length;
        return taker;
      }
    }
    return undefined;
  }

  function handOut(taker: Taker, entry: Entry): Delivery {
    let settled = false;
    out += 1;
    taker.unsettled += entry.count;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      out -= 1;
      taker.unsettled -= entry.count;
      act();
      pump();
    };
    return {
      get messages() {
        return entry.messages;
      },
      body: entry.body,
      trusted: entry.trusted,
      ...(entry.undecodable === undefined ? {} : { undecodable: entry.undecodable }),
      deliveries: entry.deliveries,
      ack: () =>
        settle(() => {
          depth -= entry.count;
          if (entry.seq <= leftoverTo) slowUnsettled -= 1;
          store.settle(entry.seq);
        }),
      release: () =>
        settle(() => {
          const at = ready.findIndex(({ seq }) => seq > entry.seq);
          ready.splice(at === -1 ? ready.length : at, 0, entry);
          readyMessages += entry.count;
        }),
    };
  }

  /** Reads from disk into memory. What may have been handed out before a crash comes in rounds: 1 pack, then 8, then 64. */
  async function fill(): Promise<void> {
    const from = diskFrom!;
    const slow = from <= leftoverTo;
    if (slow && slowUnsettled > 0 && slowWindow <= SLOW_LAST) return; // the round before is not settled; its last ack comes back here
    reading = true;
    offeredMeanwhile = false;
    try {
      const limit = slow ? Math.min(slowWindow, READ_PACKS) : READ_PACKS;
      const entries = await store.read(name, { seq: from, ...(slow ? { to: leftoverTo } : {}), limit, claim: slow });
      for (const entry of entries) push(entry);
      if (slow) {
        slowUnsettled += entries.length;
        slowWindow *= SLOW_FACTOR;
      }
      const last = entries.at(-1);
      if (entries.length === limit) diskFrom = last!.seq + 1;
      else if (slow) diskFrom = leftoverTo + 1;
      else diskFrom = offeredMeanwhile ? (last?.seq ?? from - 1) + 1 : undefined;
    } catch (error) {
      store.failed(error);
      return;
    } finally {
      reading = false;
    }
    pump();
  }

  const queue: EmbeddedQueue = {
    offer,
    takesDirectly: () => takers.length > 0 && diskFrom === undefined && readyMessages < READY_MAX && rowsToCome === 0,
    awaitRow() {
      rowsToCome += 1;
      return queue;
    },
    rowCame: () => void (rowsToCome -= 1),
    take(prefetch, deliver) {
      const taker: Taker = { prefetch, unsettled: 0, deliver };
      takers.push(taker);
      queueMicrotask(pump); // after the caller has what it needs to settle deliveries
      return () => {
        const at = takers.indexOf(taker);
        if (at !== -1) takers.splice(at, 1);
        turn = 0;
        if (takers.length === 0) store.orphaned();
      };
    },
    depth: () => depth,
    unsettled: () => out,
    takers: () => ({ count: takers.length, messages: takers.reduce((sum, taker) => sum + taker.unsettled, 0) }),
    retry: pump,
  };
  return queue;
}
