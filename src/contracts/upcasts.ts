/**
 * How what was said in an old type reads in the one that took its place.
 *
 * Messages outlive programs: in queues, timers and dead letters. A listener that has moved to `order.cancelled.v2` hears no new
 * `order.cancelled`, but what waits for it still is one; it is read through here, and keeps its id, its sequence and all the rest. Producers
 * never convert: while both types are said, each listener takes one of them.
 */
import type { Message } from './envelope.ts';
import type { DataOf, MessageType } from './messages.ts';

export interface Upcast {
  readonly from: string;
  readonly to: string;
  data(old: unknown): unknown;
}

/** Ties the data to their types; `data` is told what has passed the contract of `from`. */
export const reads = <From extends MessageType, To extends MessageType>(from: From, to: To, data: (old: DataOf<From>) => DataOf<To>): Upcast => ({
  from,
  to,
  data: data as (old: unknown) => unknown,
});

export const UPCASTS: readonly Upcast[] = [];

/** The message in the first type on its way that is wanted; as it is when none is. Pure. */
export function upcast(message: Message, wanted: (type: string) => boolean, upcasts: readonly Upcast[] = UPCASTS): Message {
  let read = message;
  for (const seen = new Set<string>(); !wanted(read.type) && !seen.has(read.type);) {
    seen.add(read.type);
    const step = upcasts.find(({ from }) => from === read.type);
    if (step === undefined) return message;
    read = { ...read, type: step.to, data: step.data(read.data) };
  }
  return wanted(read.type) ? read : message;
}
