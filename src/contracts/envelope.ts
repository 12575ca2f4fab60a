/**
 * The envelope of every message: CloudEvents 1.0 attributes, lower case without separators as that specification asks.
 */
import { Fault } from '../kernel/errors.ts';

export interface Message<Data = unknown> {
  /** Unique for ever; a redelivery, a retry and a redrive keep it. */
  readonly id: string;
  /** The type's name: `order.placed` (an event, past tense) or `stock.reserve` (a command, imperative). */
  readonly type: string;
  /** The service that said it. */
  readonly source: string;
  /** When it was said, milliseconds UTC (RFC 3339 on a foreign wire). */
  readonly time: number;
  /** What it is about: an id. Together with `source` it names a stream. */
  readonly subject: string;
  /** Position in the stream, 1, 2, …; absent on commands. */
  readonly sequence?: number;
  /** Messages of one key keep their order on the way. */
  readonly partitionkey: string;
  /** The order the whole conversation belongs to, where there is one. */
  readonly correlationid: string;
  /** The id of the message or request that led to this one. */
  readonly causationid?: string;
  /** W3C trace context of the moment it was said; never rewritten on the way. */
  readonly traceparent?: string;
  /** How many messages led to this one; above `HOPS_MAX` it is a loop. */
  readonly hops: number;
  /** How many attempts of one queue failed before this copy; absent on what was never tried. */
  readonly attempt?: number;
  /** The dead letter this copy was sent again from. */
  readonly redrive?: string;
  readonly data: Data;
}

export const HOPS_MAX = 64;

/** Messages larger than this are refused before commit, where the caller still learns of it. */
export const MESSAGE_BYTES_MAX = 1_048_576;

/** The text of a message, refused when it is larger than any broker is asked to take. */
export function encodeMessage(message: Message): string {
  const text = JSON.stringify(message);
  if (text.length > MESSAGE_BYTES_MAX)
    throw new Fault('contract_violation', `${message.type} about ${message.subject} is larger than ${MESSAGE_BYTES_MAX} bytes`);
  return text;
}
