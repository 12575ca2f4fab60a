/**
 * What a service hands to the program: data about its doors and subscriptions. The program (app.ts) introduces it to edge and messaging.
 */
import type { z } from 'zod';
import type { Message } from '../contracts/envelope.ts';
import type { DataOf, MessageType } from '../contracts/messages.ts';
import type { Runnable } from '../kernel/lifecycle.ts';
import type { Unit } from './mailbox.ts';

/**
 * How a handler keeps a duplicate from having an effect. Declared, never assumed:
 * - `natural`: its own rows are keyed so that a second run changes nothing and says nothing;
 * - `inbox`: the kernel keeps a row for each message id;
 * - `latest`: the kernel keeps the last sequence of each stream and drops what is not newer (state-carrying events);
 * - `strict`: the same, and what is too new waits until the gap is closed.
 */
export type Dedupe = 'natural' | 'inbox' | 'latest' | 'strict';

export type AnyMessage<T extends MessageType> = { [K in T]: Message<DataOf<K>> & { readonly type: K } }[T];

export interface Subscription<T extends MessageType = MessageType> {
  /** What its dedupe rows are filed under; the first of `types` when absent. Keep it when that type goes. */
  readonly name?: string;
  readonly types: readonly T[];
  readonly dedupe: Dedupe;
  /**
   * Handles messages, in order, in one transaction shared by all of them. Throwing rolls all back; the consumer then finds out which
   * one it was. A business "no" is not thrown: it is said, as an event.
   */
  handle(unit: Unit, messages: readonly AnyMessage<T>[]): Promise<void>;
}

/** Keeps the types of `handle` tied to `types`. */
export const subscription = <T extends MessageType>(definition: Subscription<T>): Subscription => definition as unknown as Subscription;

/** What a request brings beyond its input. */
export interface RequestContext {
  readonly requestId: string;
  /** Who asks; `local` without keys. */
  readonly client: string;
  /** Present when the request carried an Idempotency-Key. `hash` is of method, path and body. */
  readonly idempotency?: { readonly key: string; readonly hash: string };
  /** The `operation-name` header: what the client calls what it is doing. Recorded with the write. */
  readonly operation?: string;
  /** The span of the request (kernel/tracing.ts), when there are traces. */
  readonly traceparent?: string;
  /** Of a route that is `signed`: the body as it came, and the headers, one by one. */
  readonly raw?: { readonly body: string; header(name: string): string | undefined };
}

/** One REST route as data. The edge validates the input, calls `handle`, checks and writes the answer. */
export interface Route<Params = never, Query = never, Body = never, Output = unknown, Preview = never> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** e.g. `/v1/orders/{order_id}` */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  readonly output: z.ZodType<Output>;
  /** Its answer when the body says `dry_run`, if that is another one: then nothing was made, and the status is 200. */
  readonly previews?: z.ZodType<Preview>;
  /** `created` when it makes a thing, `file` when its answer is a document (`fileSchema`), `ok` otherwise. */
  readonly answers: 'created' | 'ok' | 'file';
  /** Somebody has signed its body: the context brings that as it came. */
  readonly signed?: true;
  /** Error codes it may answer, for the documentation. */
  readonly refuses?: readonly string[];
  handle(input: { readonly params: Params; readonly query: Query; readonly body: Body; readonly context: RequestContext }): Promise<Output | Preview>;
}

/** Keeps the input types of a route tied to its schemas while routes of all kinds sit in one list. */
export const route = <Params, Query, Body, Output, Preview = never>(definition: Route<Params, Query, Body, Output, Preview>): Route =>
  definition as unknown as Route;

export interface Service {
  readonly name: string;
  /** The folder of its numbered migrations, both dialects side by side. */
  readonly migrations: URL;
  readonly routes: readonly Route[];
  readonly subscriptions: readonly Subscription[];
  /** Whatever else it runs (calls to providers); started with the part `worker`. */
  readonly runnables: readonly Runnable[];
  /** Brings its own gauges up to date; called when metrics are read. */
  readonly measure?: () => Promise<void>;
}

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}
