/**
 * A TCP proxy that does what networks do: cuts, silences, delays, trickles. For tests that put it between a program and its broker or
 * database. Chance comes from a seed, so that what went wrong once can be made to go wrong again.
 *
 *   client ⇄ proxy ⇄ server        cut: both ends are reset        hold: both stay open and hear nothing, until released
 *                                  vanish: the client is reset, the server is not told (a process whose machine lost its power)
 */
import { once } from 'node:events';
import { type Server, type Socket, connect, createServer } from 'node:net';

export interface Proxy {
  readonly port: number;
  /** Connections at the moment. */
  connections(): number;
  /** How many were accepted in all. */
  accepted(): number;
  /** Resets all connections. New ones are accepted. */
  cut(): void;
  /** Resets all connections once `bytes` more have gone to the server: in the middle of a frame, if need be. */
  cutAfter(bytes: number): void;
  /** Resets the clients' side only; the server goes on believing in them until `cut` or `close`. */
  vanish(): void;
  /** Nothing passes any more, in either direction, and nobody is told: half-open on both sides. What was sent is kept until `release`. */
  hold(): void;
  release(): void;
  /** Whether new connections are reset at once. */
  refuse(refusing: boolean): void;
  /** Milliseconds each chunk waits, plus up to `jitter` more, by chance. Order is kept. */
  delay(ms: number, jitter?: number): void;
  /** Bytes a second and direction; Infinity lifts it. */
  throttle(bytesPerSecond: number): void;
  /** Resets all and stops listening. */
  close(): Promise<void>;
}

export interface ProxyOptions {
  readonly host?: string;
  /** Where a new connection goes; asked for each, when there are several places. */
  readonly port: number | (() => number);
  /** Of chance; the same seed gives the same jitter. */
  readonly seed?: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** The server is not told of the client's end. */
  silent: boolean;
}

export async function openProxy({ host = '127.0.0.1', port, seed = 1 }: ProxyOptions): Promise<Proxy> {
  const pairs = new Set<Pair>();
  const chance = seededChance(seed);
  let accepted = 0;
  let refusing = false;
  let delayMs = 0;
  let jitterMs = 0;
  let rate = Number.POSITIVE_INFINITY;
  let allowance = Number.POSITIVE_INFINITY; // bytes to the server before a cut
  let held: PromiseWithResolvers<void> | undefined;

  const listener: Server = createServer({ noDelay: true }, (client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    accepted += 1;
    const server = connect({ host, port: typeof port === 'number' ? port : port(), noDelay: true });
    const pair: Pair = { client, server, silent: false };
    pairs.add(pair);
    for (const socket of [client, server]) {
      socket.on('error', () => undefined); // its closing tells
      socket.on('close', () => void ended(pair, socket));
    }
    void carry(client, server, true);
    void carry(server, client, false);
  });

  /** One end is gone: the other is told, unless nothing passes. */
  async function ended(pair: Pair, socket: Socket): Promise<void> {
    await held?.promise;
    const other = socket === pair.client ? pair.server : pair.client;
    if (pair.silent && !pair.server.destroyed) return;
    if (pairs.has(pair)) other.end();
    if (pair.client.destroyed && pair.server.destroyed) pairs.delete(pair);
  }

  async function carry(from: Socket, to: Socket, toServer: boolean): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        await pace(chunk.length);
        await held?.promise;
        if (toServer) allowance -= chunk.length;
        const passing = allowance < 0 && toServer ? chunk.subarray(0, Math.max(0, chunk.length + allowance)) : chunk;
        if (passing.length > 0 && !to.destroyed && !to.write(passing)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
        if (toServer && allowance <= 0) {
          allowance = Number.POSITIVE_INFINITY;
          to.end(() => cut());
        }
      }
    } catch {
      // The socket was reset; its `close` does the rest.
    }
  }

  async function pace(bytes: number): Promise<void> {
    const wait = delayMs + jitterMs * chance() + (rate === Number.POSITIVE_INFINITY ? 0 : (bytes / rate) * 1_000);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  function cut(): void {
    for (const pair of pairs) {
      pairs.delete(pair);
      pair.client.resetAndDestroy();
      pair.server.resetAndDestroy();
    }
  }

  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  return {
    port: address.port,
    connections: () => pairs.size,
    accepted: () => accepted,
    cut,
    cutAfter: (bytes) => void (allowance = bytes),
    vanish() {
      for (const pair of pairs) {
        pair.silent = true;
        pair.client.resetAndDestroy();
      }
    },
    hold: () => void (held ??= Promise.withResolvers()),
    release() {
      held?.resolve();
      held = undefined;
    },
    refuse: (now) => void (refusing = now),
    delay(ms, jitter = 0) {
      delayMs = ms;
      jitterMs = jitter;
    },
    throttle: (bytesPerSecond) => void (rate = bytesPerSecond),
    async close() {
      refusing = true;
      held?.resolve();
      held = undefined;
      cut();
      const closed = once(listener, 'close');
      listener.close();
      await closed;
    },
  };
}

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function seededChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
