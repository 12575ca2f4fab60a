/**
 * One connection to RabbitMQ that is there again after it was lost, for as long as it takes.
 *
 *            ┌────────────── rest: 250 ms … 15 s, full jitter ───────────────┐
 *            v                                                               │
 *   down ──> opening ──connected, prepared──> up ⇄ blocked ──lost, dropped───┘        any ──stop──> draining ──> down
 *
 * amqplib's own recovery brings back connections, not what was done on them; here everything that depends on a connection is
 * prepared anew in one place (`prepare`) before anybody may use it. Frames are answered by heartbeats: a peer that is silent for 40 s
 * (a pulled cable, a frozen broker) counts as lost.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import { type Channel, type ChannelModel, type SocketOptions, connect } from 'amqplib';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/telemetry.ts';
import type { World } from '../kernel/world.ts';

const FIRST_REST_MS = 250;
const MOST_REST_MS = 15_000;
/** For the TCP and TLS handshakes and the opening of AMQP. */
const OPEN_MS = 10_000;
/** For an orderly end. */
const CLOSE_MS = 2_000;
const HEARTBEAT_S = 20;

/** Where a RabbitMQ is and how it is spoken to. */
export interface Broker {
  /** `amqp://user:secret@host:5672/vhost`, or `amqps://`. */
  readonly url: string;
  /** Files in PEM; read at each connect, so that renewed ones are taken up. */
  readonly tls?: { readonly ca?: string; readonly certificate?: string; readonly key?: string };
  /** How this process calls itself in the broker's list of connections. */
  readonly client?: string;
  /** Seconds; for tests. */
  readonly heartbeat?: number;
}

/** The address without its secret. */
export function describe({ url }: Broker): string {
  const { host, pathname } = new URL(url);
  return `RabbitMQ at ${host}${pathname.length > 1 ? ` (vhost ${decodeURIComponent(pathname.slice(1))})` : ''}`;
}

export type LinkState = 'down' | 'opening' | 'up' | 'blocked' | 'draining';

export interface Link extends Runnable {
  state(): LinkState;
  /** Why it does not work now; undefined when it does. */
  reason(): string | undefined;
  /** Since when it does not work, milliseconds UTC; undefined when it does. */
  since(): number | undefined;
  /** The connection while it is up or blocked. */
  model(): ChannelModel | undefined;
  /** Resolves when it is up, or `signal` is aborted. */
  whenUp(signal: AbortSignal): Promise<void>;
  /** Resolves when the first attempt has succeeded or failed. */
  readonly tried: Promise<void>;
  /** Resolves while the broker takes messages, or the connection is gone. */
  whenUnblocked(): Promise<void>;
  /** Ends the present connection as if the cable had been pulled; another one follows. */
  drop(why: string): void;
}

export interface LinkOptions {
  readonly role: 'publish' | 'consume';
  readonly broker: Broker;
  readonly world: World;
  readonly log: Logger;
  /** Puts up everything that is needed on a new connection; a failure ends it, and it is tried again. */
  prepare(model: ChannelModel): Promise<void>;
  /** The connection `prepare` was called with is gone. */
  lost(): void;
}

/** Opens a connection outside of any link. Rejects with a reason for people. */
export async function openConnection({ url, tls = {}, client = 'waybill', heartbeat = HEARTBEAT_S }: Broker, role: string): Promise<ChannelModel> {
  const address = new URL(url);
  address.searchParams.set('heartbeat', String(heartbeat));
  const options: SocketOptions = {
    noDelay: true, // 44 ms a confirm without it
    timeout: OPEN_MS,
    keepAlive: true,
    clientProperties: { connection_name: `${client} ${role}` },
    ...(tls.ca === undefined ? {} : { ca: await readFile(tls.ca) }),
    ...(tls.certificate === undefined ? {} : { cert: await readFile(tls.certificate) }),
    ...(tls.key === undefined ? {} : { key: await readFile(tls.key) }),
  };
  const model = await connect(address.href, options);
  // Errors are told by `close`, too, where all is undone; without a listener they would end the process.
  model.on('error', () => undefined);
  return model;
}

/** Ends a connection without a word, so that nothing of it stays open. */
function cut({ connection }: ChannelModel, why: string): void {
  const inside: object = connection;
  if ('stream' in inside && inside.stream instanceof Duplex) inside.stream.destroy(new Error(why));
}

/** Ends a channel in order. amqplib answers no `close` whose connection is lost before the broker's answer. */
export async function closeChannel(channel: Channel): Promise<void> {
  const done = new AbortController();
  const gone = once(channel, 'close', { signal: done.signal }).catch(() => undefined);
  await Promise.race([channel.close().catch(() => undefined), gone]);
  done.abort();
}

/** Ends a connection in order, or without a word when that takes too long. */
export async function closeConnection(model: ChannelModel, world: World): Promise<void> {
  const done = new AbortController();
  const gone = once(model, 'close', { signal: done.signal }).catch(() => undefined);
  const closed = model.close().catch(() => undefined);
  await Promise.race([closed, gone, world.sleep(CLOSE_MS, done.signal)]);
  done.abort();
  cut(model, 'closed');
}

export function openLink({ role, broker, world, log, prepare, lost }: LinkOptions): Link {
  let state: LinkState = 'down';
  let reason: string | undefined = 'not started';
  let since: number | undefined = world.now();
  let model: ChannelModel | undefined;
  let failures = 0;
  let changed = Promise.withResolvers<void>();
  const tried = Promise.withResolvers<void>();

  function become(next: LinkState, why?: string): void {
    state = next;
    reason = why;
    since = why === undefined ? undefined : (since ?? world.now());
    changed.resolve();
    changed = Promise.withResolvers();
  }

  /** One connection, from its beginning to its end. Answers why it ended. */
  async function live(signal: AbortSignal): Promise<string> {
    const opening = openConnection(broker, role);
    const opened = await Promise.race([opening, aborted(signal)]);
    if (opened === undefined) {
      opening.then(
        (late) => cut(late, 'stopping'),
        () => undefined,
      );
      return 'stopping';
    }
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, signal]);
    let why = 'closed';
    opened.on('close', (error?: Error) => {
      why = error?.message ?? why;
      model = undefined; // at once: whoever waits for an answer on it is told in this very moment
      over.abort();
    });
    opened.on('blocked', (text: string) => {
      log.warn({ role, reason: text }, 'RabbitMQ takes no messages for now; what is published waits');
      become('blocked', `RabbitMQ takes no messages for now: ${text}`);
    });
    opened.on('unblocked', () => {
      log.info({ role }, 'RabbitMQ takes messages again');
      become('up');
    });
    try {
      await Promise.race([prepare(opened), aborted(either).then(() => Promise.reject(new Error(why)))]);
      model = opened;
      failures = 0;
      log.info({ role, broker: describe(broker) }, 'connected');
      if (state === 'opening') become('up');
      tried.resolve();
      await aborted(either);
      if (signal.aborted) become('draining', 'stopping');
    } finally {
      model = undefined;
      lost();
      if (over.signal.aborted) cut(opened, why);
      else await closeConnection(opened, world);
    }
    return why;
  }

  const keeper = loop({
    name: `RabbitMQ ${role}`,
    world,
    failed: (error) => log.error({ err: error }, 'the connection keeper failed'),
    async turn(signal) {
      become('opening', reason ?? 'connecting');
      const why = await live(signal).catch((error: unknown) => messageOf(error));
      if (signal.aborted) return 0;
      failures += 1;
      const rest = fullJitter(failures, world.random());
      become('down', `${describe(broker)} is away: ${why}`);
      tried.resolve();
      log.warn({ role, reason: why, rest }, `${describe(broker)} is away; trying again`);
      return rest;
    },
  });

  return {
    ...runnable(
      `RabbitMQ ${role}`,
      () => keeper.start(),
      async () => {
        await keeper.stop();
        become('down', 'stopped');
      },
    ),
    state: () => state,
    reason: () => reason,
    since: () => since,
    model: () => model,
    tried: tried.promise,
    async whenUp(signal) {
      while (model === undefined && !signal.aborted) await Promise.race([changed.promise, aborted(signal)]);
    },
    async whenUnblocked() {
      while (state === 'blocked') await changed.promise;
    },
    drop(why) {
      if (model !== undefined) cut(model, why);
    },
  };
}

/** Between nothing and the doubled rest, never above the most. Pure: chance is an argument in [0, 1). */
export const fullJitter = (failures: number, chance: number): number =>
  Math.ceil(Math.min(MOST_REST_MS, FIRST_REST_MS * 2 ** Math.min(failures - 1, 10)) * chance);

export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** AggregateError of several addresses has no message of its own. */
const messageOf = (error: unknown): string =>
  error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error instanceof Error ? error.message || error.name : String(error);
