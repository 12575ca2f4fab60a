/**
 * A pack as one AMQP message, and back: CloudEvents 1.0, so that programs that know nothing of Waybill can read and write it.
 *
 *   one message   binary mode: attributes are headers `cloudEvents_…`, the body is the data; `traceparent` is there without the
 *                 prefix, too, where programs look for it that trace AMQP and know nothing of CloudEvents
 *   several       JSON batch: application/cloudevents-batch+json, the body is an array of events
 *   from others   both, and structured mode (application/cloudevents+json); unknown attributes and headers are passed over
 *
 * Outside, time is RFC 3339 and a sequence 20 digits, which sort as text; inside both are numbers.
 */
import { isUtf8 } from 'node:buffer';
import type { MessageProperties, Options } from 'amqplib';
import type { Message } from '../contracts/envelope.ts';
import { rfc3339 } from '../kernel/time.ts';
import { readTraceparent } from '../kernel/tracing.ts';
import type { Pack } from './outbox.ts';
import type { Told } from './transport.ts';

const BATCH = 'application/cloudevents-batch+json';
const STRUCTURED = 'application/cloudevents+json';
const JSON_TYPE = 'application/json';
/** A short string of AMQP 0-9-1. */
const SHORT_BYTES = 255;

export interface Wire {
  readonly body: Buffer;
  /** Properties and headers. */
  readonly properties: Options.Publish;
}

/** Pure. */
export function encode({ type, messages }: Pack): Wire {
  const [first] = messages;
  const shorts = [first!.id, first!.correlationid, first!.source, type];
  const properties: Options.Publish = {
    deliveryMode: 2,
    timestamp: Math.floor(first!.time / 1_000),
    // What does not fit into a property is in the body all the same.
    ...(shorts.every(isShort) ? { messageId: first!.id, correlationId: first!.correlationid, appId: first!.source, type } : {}),
  };
  if (messages.length > 1 || !shorts.every(isShort))
    return { body: Buffer.from(JSON.stringify(messages.map(toEvent))), properties: { ...properties, contentType: BATCH } };
  const { data, ...attributes } = toEvent(first!);
  const { traceparent } = attributes;
  const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`cloudEvents_${name}`, value]));
  return {
    body: Buffer.from(JSON.stringify(data) ?? ''),
    properties: { ...properties, contentType: JSON_TYPE, headers: traceparent === undefined ? headers : { ...headers, traceparent } },
  };
}

const isShort = (text: string): boolean => Buffer.byteLength(text) <= SHORT_BYTES;

type Event = Omit<Message, 'time' | 'sequence'> & { readonly specversion: '1.0'; readonly time: string; readonly sequence?: string };

function toEvent({ time, sequence, ...message }: Message): Event {
  const event = { specversion: '1.0' as const, ...message, time: rfc3339(time) };
  return sequence === undefined ? event : { ...event, sequence: String(sequence).padStart(20, '0') };
}

/** What came out of an AMQP message: messages, or what could not be read, as text. */
export type Decoded =
  | { readonly messages: readonly Message[]; readonly undecodable?: never; readonly about?: never }
  | { readonly messages: readonly []; readonly undecodable: string; readonly about: Told };

/** Reads what anybody may have sent. What is missing in an envelope is left for the consumer to complain about. Pure. */
export function decode(body: Buffer, properties: MessageProperties): Decoded {
  try {
    const contentType = typeof properties.contentType === 'string' ? properties.contentType.split(';')[0]!.trim().toLowerCase() : JSON_TYPE;
    if (contentType === BATCH) {
      const events: unknown = JSON.parse(body.toString());
      if (Array.isArray(events) && events.length > 0 && events.every(isRecord))
        return { messages: events.map((event) => toMessage(event, event['data'])) };
    } else if (contentType === STRUCTURED) {
      const event: unknown = JSON.parse(body.toString());
      if (isRecord(event)) return { messages: [toMessage(event, event['data'])] };
    } else {
      const attributes = attributesOf(properties);
      if (attributes['id'] !== undefined && attributes['type'] !== undefined)
        return { messages: [toMessage(attributes, body.length === 0 ? undefined : JSON.parse(body.toString()))] };
    }
  } catch {
    // Not JSON: told below, as it came.
  }
  return { messages: [], undecodable: isUtf8(body) ? body.toString() : `base64:${body.toString('base64')}`, about: toldBy(properties) };
}

/** What properties and headers say of a message, without anything made up. */
function toldBy(properties: MessageProperties): Told {
  const given = attributesOf(properties);
  const { id, type, source, time, subject, sequence, partitionkey, correlationid } = toMessage(given, undefined);
  const told = Object.entries({ id, type, source, time, subject, sequence, partitionkey, correlationid });
  return Object.fromEntries(told.filter(([name, value]) => given[name] !== undefined && value !== undefined && value !== '')) as Told;
}

type Attributes = Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Attributes => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Binary mode. The binding for AMQP 1.0 writes `cloudEvents_`, and allows `cloudEvents:`; properties stand in for what has no header. */
function attributesOf({ headers = {}, messageId, type, appId, correlationId, timestamp }: MessageProperties): Attributes {
  const attributes: Record<string, unknown> = {
    id: messageId,
    type,
    source: appId,
    correlationid: correlationId,
    traceparent: headers['traceparent'],
  };
  if (typeof timestamp === 'number') attributes['time'] = rfc3339(timestamp * 1_000);
  for (const [name, value] of Object.entries(headers)) {
    const match = /^cloudEvents[_:](.+)$/.exec(name);
    if (match) attributes[match[1]!] = value;
  }
  return attributes;
}

function toMessage(attributes: Attributes, data: unknown): Message {
  const text = (name: string): string | undefined => (typeof attributes[name] === 'string' ? attributes[name] : undefined);
  const count = (name: string): number | undefined => {
    const value = attributes[name];
    return typeof value === 'number' || (typeof value === 'string' && /^\d{1,20}$/.test(value)) ? Number(value) : undefined;
  };
  const id = text('id') ?? '';
  const subject = text('subject') ?? id;
  const correlationid = text('correlationid') ?? subject;
  const time = Date.parse(text('time') ?? '');
  const optional = {
    sequence: count('sequence'),
    causationid: text('causationid'),
    traceparent: readTraceparent(text('traceparent')) && text('traceparent'),
    attempt: count('attempt'),
    redrive: text('redrive'),
  };
  return {
    id,
    type: text('type') ?? '',
    source: text('source') ?? '',
    time: Number.isNaN(time) ? 0 : time,
    subject,
    partitionkey: text('partitionkey') ?? correlationid,
    correlationid,
    hops: count('hops') ?? 1,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Partial<Message>),
    ...(data === undefined ? {} : { data }),
  } as Message;
}

/**
 * How often a message was handed out before. Quorum queues count; a queue that does not count still tells the second time.
 */
export function deliveriesOf({ headers = {} }: MessageProperties, redelivered: boolean): number {
  const count: unknown = headers['x-delivery-count'];
  return typeof count === 'number' ? count : redelivered ? 1 : 0;
}
