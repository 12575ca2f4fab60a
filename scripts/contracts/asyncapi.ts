/**
 * docs/asyncapi.json: the messages and how they travel through RabbitMQ, for programs that want to hear or send some.
 *
 *   channel <type>            the routing key of an event at the exchange of events: bind a queue of your own there
 *   channel commands.<name>   the routing key of a service's queue at the exchange of commands: for these, and for what is sent to it again
 *   channel queue.<name>      the queue itself, read by the service alone
 *
 * Exchanges, queues, arguments and routing keys are asked of the transport, not written down again; what dead letters and strays go
 * through is nobody else's business and stands in `x-rabbitmq` only. Version 3.0.0 of AsyncAPI, the one most tools read.
 */
import { HOPS_MAX } from '../../src/contracts/envelope.ts';
import { PACK_MAX } from '../../src/messaging/outbox.ts';
import { addressOf } from '../../src/messaging/rabbit-publisher.ts';
import { type Topology, namesOf, topologyOf } from '../../src/messaging/rabbit-topology.ts';
import type { Queue } from '../../src/messaging/transport.ts';
import type { Contracts, Schema } from './schemas.ts';

export interface AsyncApiOptions {
  readonly version: string;
  /** What all names at the broker begin with. */
  readonly prefix: string;
  readonly contracts: Contracts;
  /** The queues of the services, and the events each takes. */
  readonly queues: readonly Queue[];
}
/** A part of the document. */
type Part = Readonly<Record<string, unknown>>;

const DESCRIPTION = `The events Waybill says and the commands its services give each other, as CloudEvents 1.0.

One message travels in binary mode: attributes are headers \`cloudEvents_…\`, the body is the data. Several of one type that one
transaction said travel as one JSON batch, so read both. To hear events, declare a queue of your own and bind it to the exchange of
events with their types as keys. Expect a message more than once, and know it by its id; one that is sent again keeps it. Pass over
fields you do not know: within a type, fields are only ever added. The program itself also reads structured mode.`;

const VERSION_OF_BINDINGS = '0.3.0';
const BINARY = 'application/json';
const BATCH = 'application/cloudevents-batch+json';

/** The attributes of the envelope as they look outside. */
const ATTRIBUTES: Readonly<Record<string, { readonly schema: Schema; readonly optional?: true }>> = {
  specversion: { schema: { const: '1.0' } },
  id: { schema: { type: 'string', minLength: 1, description: 'Unique for ever; a redelivery, a retry and a redrive keep it.' } },
  type: { schema: { type: 'string', description: 'The type of the message.' } },
  source: { schema: { type: 'string', description: 'The service that said it.' } },
  time: { schema: { type: 'string', format: 'date-time', description: 'When it was said.' } },
  subject: { schema: { type: 'string', description: 'The id of what it is about. Together with the source it names a stream.' } },
  sequence: {
    optional: true,
    schema: { type: 'string', pattern: '^\\d{20}$', description: 'Position in the stream from 1, twenty digits; absent on commands.' },
  },
  partitionkey: { schema: { type: 'string', description: 'Messages of one key keep their order on the way.' } },
  correlationid: { schema: { type: 'string', description: 'The order the conversation belongs to, where there is one.' } },
  causationid: { optional: true, schema: { type: 'string', description: 'The id of the message that led to this one.' } },
  hops: { schema: { type: 'integer', minimum: 1, maximum: HOPS_MAX, description: 'How many messages led to this one, itself included.' } },
  attempt: { optional: true, schema: { type: 'integer', description: 'How many attempts of one queue failed before this copy.' } },
  redrive: { optional: true, schema: { type: 'string', description: 'The dead letter this copy was sent again from.' } },
  traceparent: { optional: true, schema: { type: 'string', description: 'W3C trace context of the moment it was said.' } },
};

/** The attributes as an object whose fields are called `nameOf(attribute)`. */
function envelope(nameOf: (attribute: string) => string): Schema {
  const attributes = Object.entries(ATTRIBUTES);
  return {
    type: 'object',
    properties: Object.fromEntries(attributes.map(([name, { schema }]) => [nameOf(name), schema])),
    required: attributes.filter(([, { optional }]) => !optional).map(([name]) => nameOf(name)),
  };
}

/** Tracing has a header of its own, which everybody knows by that name. */
const headerOf = (attribute: string): string => (attribute === 'traceparent' ? attribute : `cloudEvents_${attribute}`);

const ref = (...path: readonly string[]): Part => ({ $ref: `#/${path.join('/')}` });
const batchOf = (type: string): string => `${type}.batch`;
/** Both ways a message of these types may come. */
const formsOf = (types: readonly string[]): string[] => types.flatMap((type) => [type, batchOf(type)]);
const messagesOf = (types: readonly string[]): Part => Object.fromEntries(formsOf(types).map((form) => [form, ref('components', 'messages', form)]));
/** The document. Pure. */
export function asyncApiDocument({ version, prefix, contracts, queues }: AsyncApiOptions): Part {
  const types = Object.keys(contracts);
  const events = types.filter((type) => contracts[type]!.kind === 'event');
  const topology = topologyOf(prefix, queues);
  const toldTo = ({ name, types: heard }: Queue): string[] => [...types.filter((type) => contracts[type]!.to === name), ...heard];
  const channels: Record<string, Channel> = Object.fromEntries([
    ...events.map((type) => [type, eventChannel(type, prefix, topology)]),
    ...queues.map((queue) => [`commands.${queue.name}`, commandsChannel(queue.name, toldTo(queue), prefix, topology)]),
    ...queues.map((queue) => [`queue.${queue.name}`, queueChannel(queue.name, toldTo(queue), prefix, topology)]),
  ]);
  const operations = Object.fromEntries([
    ...events.map((type) => [`say.${type}`, sending(type, channels[type]!, false)]),
    ...queues.map(({ name }) => [`tell.${name}`, sending(`commands.${name}`, channels[`commands.${name}`]!, true)]),
    ...queues.map(({ name }) => [`hear.${name}`, receiving(`queue.${name}`, channels[`queue.${name}`]!)]),
  ]);
  return {
    asyncapi: '3.0.0',
    info: { title: 'Waybill', version, description: DESCRIPTION, license: { name: 'MIT' } },
    defaultContentType: BINARY,
    servers: { rabbitmq: { host: 'localhost:5672', protocol: 'amqp', protocolVersion: '0-9-1', description: 'The broker of AMQP_URL.' } },
    channels,
    operations,
    components: {
      messages: Object.assign({}, ...types.map((type) => messagesFor(type, contracts))) as Part,
      schemas: {
        Headers: envelope(headerOf),
        Attributes: envelope((name) => name),
        ...Object.fromEntries(types.map((type) => [type, contracts[type]!.data])),
      },
    },
    'x-rabbitmq': { exchanges: topology.exchanges, queues: topology.queues, bindings: topology.bindings },
  };
}

interface Channel extends Part {
  readonly messages: Part;
}

function eventChannel(type: string, prefix: string, topology: Topology): Channel {
  const { exchange, key } = addressOf({ type, destination: null }, namesOf(prefix));
  return {
    address: key,
    description: `Whoever binds a queue by this key hears ${type}.`,
    messages: messagesOf([type]),
    bindings: boundTo(exchange, topology),
  };
}

function commandsChannel(service: string, types: readonly string[], prefix: string, topology: Topology): Channel {
  const { exchange, key } = addressOf({ type: types[0]!, destination: service }, namesOf(prefix));
  return {
    address: key,
    description: `Commands to ${service}, and what is sent again to it alone.`,
    messages: messagesOf(types),
    bindings: boundTo(exchange, topology),
  };
}

/** An exchange by its name. Those of the transport are durable and stay. */
function boundTo(name: string, { exchanges }: Topology): Part {
  const { type, arguments: args } = exchanges.find((exchange) => exchange.name === name)!;
  const exchange = { name, type, durable: true, autoDelete: false };
  return { amqp: { is: 'routingKey', exchange, 'x-arguments': args, bindingVersion: VERSION_OF_BINDINGS } };
}

function queueChannel(service: string, types: readonly string[], prefix: string, { queues }: Topology): Channel {
  const name = namesOf(prefix).queue(service);
  const queue = { name, durable: true, exclusive: false, autoDelete: false };
  const args = queues.find((one) => one.name === name)!.arguments;
  return {
    address: name,
    description: `What ${service} is told and what it listens to. Its own: a second reader would take messages away from it.`,
    messages: messagesOf(types),
    bindings: { amqp: { is: 'queue', queue, 'x-arguments': args, bindingVersion: VERSION_OF_BINDINGS } },
  };
}

const operation = (action: 'send' | 'receive', channel: string, { messages }: Channel, amqp: Part): Part => ({
  action,
  channel: ref('channels', channel),
  messages: Object.keys(messages).map((message) => ref('channels', channel, 'messages', message)),
  bindings: { amqp: { ...amqp, bindingVersion: VERSION_OF_BINDINGS } },
});

/** A command must find its queue; an event need not. */
const sending = (channel: string, described: Channel, mandatory: boolean): Part =>
  operation('send', channel, described, { deliveryMode: 2, timestamp: true, mandatory });

const receiving = (channel: string, described: Channel): Part => operation('receive', channel, described, { ack: true });

/** Both forms of one type. */
function messagesFor(type: string, contracts: Contracts): Part {
  const { kind, to } = contracts[type]!;
  const data = ref('components', 'schemas', type);
  const shared = {
    summary: to === undefined ? `The ${kind} ${type}.` : `The ${kind} ${type} to ${to}.`,
    bindings: { amqp: { messageType: type, bindingVersion: VERSION_OF_BINDINGS } },
  };
  const of = (name: string): Part => ({ type: 'object', properties: { [name]: { const: type } } });
  const event = { type: 'object', properties: { type: { const: type }, data }, required: ['data'] };
  return {
    [type]: {
      name: type,
      ...shared,
      contentType: BINARY,
      headers: { allOf: [ref('components', 'schemas', 'Headers'), of(headerOf('type'))] },
      payload: data,
      correlationId: { location: `$message.header#/${headerOf('correlationid')}` },
    },
    [batchOf(type)]: {
      name: batchOf(type),
      ...shared,
      contentType: BATCH,
      payload: { type: 'array', minItems: 1, maxItems: PACK_MAX, items: { allOf: [ref('components', 'schemas', 'Attributes'), event] } },
    },
  };
}
