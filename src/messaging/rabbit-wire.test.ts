import type { MessageProperties } from 'amqplib';
import { describe, expect, test } from 'vitest';
import type { Message } from '../contracts/envelope.ts';
import { packsOf } from './outbox.ts';
import { decode, deliveriesOf, encode } from './rabbit-wire.ts';

const message = (more: Partial<Message> = {}): Message => ({
  id: 'msg_1',
  type: 'stock.released',
  source: 'inventory',
  time: 1_700_000_000_123,
  subject: 'ord_1',
  partitionkey: 'ord_1',
  correlationid: 'ord_1',
  hops: 3,
  data: { order_id: 'ord_1' },
  ...more,
});
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const full = message({ sequence: 7, causationid: 'msg_0', traceparent, attempt: 2, redrive: 'dl_1' });

/** As a broker hands it over. */
const read = ({ body, properties }: ReturnType<typeof encode>) => decode(body, properties as unknown as MessageProperties);
const foreign = (body: string | Buffer, properties: Partial<MessageProperties> = {}) => decode(Buffer.from(body), properties as MessageProperties);

describe('a pack of one message', () => {
  test('is a CloudEvent in binary mode: attributes as headers, the data as body', () => {
    const { body, properties } = encode(packsOf([full])[0]!);
    expect(JSON.parse(body.toString())).toEqual({ order_id: 'ord_1' });
    expect(properties).toMatchObject({
      contentType: 'application/json',
      deliveryMode: 2,
      messageId: 'msg_1',
      type: 'stock.released',
      correlationId: 'ord_1',
      appId: 'inventory',
      timestamp: 1_700_000_000,
    });
    expect(properties.headers).toEqual({
      cloudEvents_specversion: '1.0',
      cloudEvents_id: 'msg_1',
      cloudEvents_type: 'stock.released',
      cloudEvents_source: 'inventory',
      cloudEvents_time: '2023-11-14T22:13:20.123Z',
      cloudEvents_subject: 'ord_1',
      cloudEvents_sequence: '00000000000000000007',
      cloudEvents_partitionkey: 'ord_1',
      cloudEvents_correlationid: 'ord_1',
      cloudEvents_causationid: 'msg_0',
      cloudEvents_hops: 3,
      cloudEvents_attempt: 2,
      cloudEvents_redrive: 'dl_1',
      cloudEvents_traceparent: traceparent,
      traceparent, // for programs that trace AMQP and know nothing of CloudEvents
    });
  });

  test.each([message(), full, message({ data: {} }), message({ data: null })])('arrives as it was sent', (sent) =>
    expect(read(encode(packsOf([sent])[0]!))).toEqual({ messages: [sent] }),
  );

  test('with a name longer than a property may be is sent as a batch of one', () => {
    const sent = message({ correlationid: 'x'.repeat(300) });
    const wire = encode(packsOf([sent])[0]!);
    expect(wire.properties.contentType).toBe('application/cloudevents-batch+json');
    expect(read(wire)).toEqual({ messages: [sent] });
  });
});

test('a pack of several is a JSON batch', () => {
  const sent = [full, message({ id: 'msg_2' })];
  const wire = encode(packsOf(sent)[0]!);
  expect(wire.properties.contentType).toBe('application/cloudevents-batch+json');
  expect(JSON.parse(wire.body.toString())[0]).toMatchObject({
    specversion: '1.0',
    time: '2023-11-14T22:13:20.123Z',
    sequence: '00000000000000000007',
  });
  expect(read(wire)).toEqual({ messages: sent });
});

describe('what others send', () => {
  test('may be the bare minimum of binary mode; unknown attributes and headers are passed over', () => {
    const headers = { 'cloudEvents:id': 'e1', cloudEvents_type: 'order.placed', cloudEvents_source: '/shop', cloudEvents_flavour: 'mint', other: 1 };
    expect(foreign('{"order_id":"o"}', { headers, contentType: 'application/json; charset=utf-8' })).toEqual({
      messages: [
        {
          id: 'e1',
          type: 'order.placed',
          source: '/shop',
          time: 0,
          subject: 'e1',
          partitionkey: 'e1',
          correlationid: 'e1',
          hops: 1,
          data: { order_id: 'o' },
        },
      ],
    });
  });

  test('may have its attributes in the properties of AMQP', () => {
    const { messages } = foreign('{}', { messageId: 'e1', type: 'order.placed', appId: 'shop', correlationId: 'o1', timestamp: 1_700_000_000 });
    expect(messages[0]).toMatchObject({ id: 'e1', type: 'order.placed', source: 'shop', correlationid: 'o1', time: 1_700_000_000_000 });
  });

  test('may carry a traceparent as a bare header; what is none is passed over', () => {
    const read = (text: string) => foreign('{}', { messageId: 'e1', type: 't', headers: { traceparent: text } }).messages[0];
    expect(read(traceparent)!.traceparent).toBe(traceparent);
    expect(read('x'.repeat(100_000))).not.toHaveProperty('traceparent');
  });

  test('may be structured, with any offset of time', () => {
    const event = { specversion: '1.0', id: 'e1', type: 't', source: 's', time: '2023-11-14T23:13:20+01:00', subject: 'o1', sequence: 4, data: [1] };
    const { messages } = foreign(JSON.stringify(event), { contentType: 'application/cloudevents+json' });
    expect(messages[0]).toMatchObject({ id: 'e1', time: 1_700_000_000_000, subject: 'o1', sequence: 4, data: [1] });
  });

  test.each([
    ['no JSON', 'not { json', { messageId: 'e1', type: 't' }],
    ['nothing that says what it is', '{}', {}],
    ['an empty batch', '[]', { contentType: 'application/cloudevents-batch+json' }],
    ['a batch of something else', '[1]', { contentType: 'application/cloudevents-batch+json' }],
    ['a batch that is none', '{}', { contentType: 'application/cloudevents-batch+json' }],
  ])('is kept as it came when it is %s', (_what, body, properties) => {
    expect(foreign(body, properties)).toMatchObject({ messages: [], undecodable: body });
  });

  test('that cannot be read is told of by its headers and properties, and by nothing made up', () => {
    const headers = { cloudEvents_subject: 'ord_1', cloudEvents_sequence: '00000000000000000007', cloudEvents_partitionkey: 'k' };
    const properties = { messageId: 'e1', type: 'stock.reserved', appId: 'inventory', correlationId: 'ord_9', timestamp: 1_700_000_000 };
    expect(foreign('not { json', { ...properties, headers })).toEqual({
      messages: [],
      undecodable: 'not { json',
      about: {
        id: 'e1',
        type: 'stock.reserved',
        source: 'inventory',
        time: 1_700_000_000_000,
        subject: 'ord_1',
        sequence: 7,
        partitionkey: 'k',
        correlationid: 'ord_9',
      },
    });
    expect(foreign('not { json', { contentType: 'application/cloudevents-batch+json', correlationId: 'ord_9' })).toMatchObject({
      about: { correlationid: 'ord_9' },
    });
    expect(foreign('not { json', { headers: { cloudEvents_subject: 5 } })).toEqual({ messages: [], undecodable: 'not { json', about: {} });
  });

  test('is kept in base 64 when it is no text', () => {
    expect(foreign(Buffer.from([0xff, 0x00, 0xfe]), { messageId: 'e1', type: 't' })).toMatchObject({ messages: [], undecodable: 'base64:/wD+' });
  });
});

test.each([
  [{ 'x-delivery-count': 3 }, true, 3],
  [{}, true, 1],
  [undefined, false, 0],
])('headers %o, redelivered %s: handed out %i times before', (headers, redelivered, times) => {
  expect(deliveriesOf({ headers } as unknown as MessageProperties, redelivered)).toBe(times);
});
