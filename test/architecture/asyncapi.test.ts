/** docs/asyncapi.json is valid AsyncAPI, its parts fit together, and what the transport really sends is as it says. */
import { readFileSync } from 'node:fs';
import specifications from '@asyncapi/specs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../scripts/contracts/schemas.ts';
import type { Message } from '../../src/contracts/envelope.ts';
import { COMMANDS, EVENTS, schemaOf } from '../../src/contracts/messages.ts';
import { packsOf } from '../../src/messaging/outbox.ts';
import { addressOf } from '../../src/messaging/rabbit-publisher.ts';
import { namesOf } from '../../src/messaging/rabbit-topology.ts';
import { encode } from '../../src/messaging/rabbit-wire.ts';
import { ROOT } from './source.ts';

interface Ref {
  $ref: string;
}
interface Channel {
  address: string;
  messages: Record<string, Ref>;
  bindings: { amqp: { is: string; exchange?: { name: string; type: string }; queue?: { name: string }; 'x-arguments': Record<string, unknown> } };
}
interface Document {
  channels: Record<string, Channel>;
  operations: Record<string, { action?: string; channel: Ref; messages: Ref[]; bindings: { amqp: { mandatory?: boolean } } }>;
  components: { messages: Record<string, { contentType: string; headers?: Schema; payload: Schema }>; schemas: Record<string, Schema> };
  'x-rabbitmq': { bindings: { queue: string; exchange: string; key: string }[] };
}
const written = readFileSync(`${ROOT}docs/asyncapi.json`, 'utf8');
const document = JSON.parse(written) as Document;
const changed = (change: (copy: Document) => void): Document => {
  const copy = structuredClone(document);
  change(copy);
  return copy;
};

const specification: object = specifications.schemas['3.0.0'];
// It brings draft 07 along, which ajv has, too.
const isAsyncApi = new Ajv({ strict: false, meta: false, validateSchema: false, validateFormats: false, allErrors: true }).compile(specification);
/** Where the specification is broken. */
const faultsOf = (what: Document): string[] =>
  isAsyncApi(what) ? [] : isAsyncApi.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);

/** References that lead nowhere; AsyncAPI's schema does not follow them. */
function lostReferences(what: Document): string[] {
  const found: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('$ref' in value && typeof value.$ref === 'string' && at(what, value.$ref) === undefined) found.push(value.$ref);
    Object.values(value).forEach(look);
  };
  look(what);
  return found;
}

const at = (what: unknown, pointer: string): unknown =>
  pointer
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((value, step) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined), what);

describe('docs/asyncapi.json', () => {
  it('is valid AsyncAPI 3', () => {
    expect(faultsOf(document)).toEqual([]);
  });

  it('would not be without an action, with a kind of exchange nobody knows, or with both an exchange and a queue', () => {
    expect(faultsOf(changed(({ operations }) => delete operations['say.order.placed']!.action))).toContain(
      "/operations/say.order.placed must have required property 'action'",
    );
    const odd = changed(({ channels }) => (channels['order.placed']!.bindings.amqp.exchange!.type = 'round'));
    expect(faultsOf(odd)).toContain('/channels/order.placed/bindings/amqp/exchange/type must be equal to one of the allowed values');
    const both = changed(({ channels }) => (channels['order.placed']!.bindings.amqp.queue = { name: 'q' }));
    expect(faultsOf(both)).toContain('/channels/order.placed/bindings/amqp must NOT be valid');
  });

  it('refers to what is there', () => {
    expect(lostReferences(document)).toEqual([]);
    expect(lostReferences(changed(({ components }) => delete components.messages['stock.reserve.batch']))).toContain(
      '#/components/messages/stock.reserve.batch',
    );
  });

  it('has every event said on a channel, and every command told to its service', () => {
    const said = Object.entries(document.operations).filter(([name]) => name.startsWith('say.'));
    expect(said.map(([name]) => name)).toEqual(Object.keys(EVENTS).map((type) => `say.${type}`));
    for (const [type, { to }] of Object.entries(COMMANDS)) {
      expect(document.channels[`commands.${to}`]!.messages).toHaveProperty([type]);
      expect(document.operations[`hear.${to}`]!.messages).toContainEqual({ $ref: `#/channels/queue.${to}/messages/${type}` });
    }
  });

  it('lets a queue hear the events that are bound to it, and no others', () => {
    for (const [name, { address, messages }] of Object.entries(document.channels).filter(([key]) => key.startsWith('queue.'))) {
      const bound = document['x-rabbitmq'].bindings.filter(({ queue, exchange }) => queue === address && exchange === 'waybill.events');
      const heard = Object.keys(messages).filter((type) => Object.hasOwn(EVENTS, type));
      expect(bound.map(({ key }) => key).toSorted(), name).toEqual(heard.toSorted());
    }
    expect(document.channels['queue.notifications']!.messages).toHaveProperty(['order.shipped']);
  });

  it('tells of exchanges, queues and arguments as the transport declares them', () => {
    expect(document.channels['order.placed']!.bindings.amqp).toMatchObject({
      is: 'routingKey',
      exchange: { name: 'waybill.events', type: 'topic', durable: true },
      'x-arguments': { 'alternate-exchange': 'waybill.unrouted' },
    });
    expect(document.channels['commands.inventory']).toMatchObject({
      address: 'waybill.q.inventory',
      bindings: { amqp: { exchange: { name: 'waybill.commands', type: 'direct' } } },
    });
    expect(document.channels['queue.inventory']!.bindings.amqp).toMatchObject({
      is: 'queue',
      queue: { name: 'waybill.q.inventory', durable: true },
      'x-arguments': { 'x-queue-type': 'quorum', 'x-dead-letter-exchange': 'waybill.dlx' },
    });
  });
});

/** Some data a schema is content with: every field, the optional ones, too. */
function sample(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const one = (inner: Schema['additionalProperties'] | Schema['items']): unknown => sample(inner as Schema);
  if (schema.type === 'array') return [one(schema.items), one(schema.items)];
  if (schema.type === 'integer') return Math.max(2, Number(schema.minimum));
  if (schema.type === 'boolean') return true;
  if (schema.format === 'date-time') return '2026-01-01T00:00:00.000Z';
  if (schema.type === 'string') return 'x'.repeat(schema.minLength ?? 3);
  const named = Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, one(inner)]);
  const others = typeof schema.additionalProperties === 'object' ? [['any', one(schema.additionalProperties)]] : [];
  return Object.fromEntries([...named, ...others]);
}

const messages = new Ajv({ strict: false, validateFormats: false }).addSchema(document, 'document');
const fits = (pointer: string, value: unknown): boolean => messages.validate({ $ref: `document#/${pointer}` }, value) as boolean;

const types = [...Object.keys(EVENTS), ...Object.keys(COMMANDS)];
const message = (type: string, data: unknown, more: Partial<Message> = {}): Message => ({
  id: 'msg_1',
  type,
  source: 'orders',
  time: 1_700_000_000_000,
  subject: 'ord_1',
  partitionkey: 'ord_1',
  correlationid: 'ord_1',
  hops: 1,
  data,
  ...more,
});
const everything = {
  sequence: 7,
  causationid: 'msg_0',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  attempt: 1,
  redrive: 'dl_1',
};
const wireOf = (sent: readonly Message[]) => {
  const { body, properties } = encode(packsOf(sent)[0]!);
  return { properties, body: JSON.parse(body.toString()) as unknown, headers: JSON.parse(JSON.stringify(properties.headers ?? null)) as unknown };
};

describe('what is sent is as the document says', () => {
  it.each(types)('%s', (type) => {
    const data = sample(document.components.schemas[type]!);
    expect(schemaOf(type)!.safeParse(data).success, 'the sample fits the contract').toBe(true);
    for (const more of [{}, everything]) {
      const { properties, body, headers } = wireOf([message(type, data, more)]);
      expect(properties.contentType).toBe(document.components.messages[type]!.contentType);
      expect(fits(`components/messages/${type}/headers`, headers), messages.errorsText()).toBe(true);
      expect(fits(`components/messages/${type}/payload`, body), messages.errorsText()).toBe(true);
    }
    const { properties, body } = wireOf([message(type, data), message(type, data, everything)]);
    expect(properties.contentType).toBe(document.components.messages[`${type}.batch`]!.contentType);
    expect(fits(`components/messages/${type}.batch/payload`, body), messages.errorsText()).toBe(true);
  });

  it.each(types)('%s goes where its channel is', (type) => {
    const { exchange, key, mandatory } = addressOf({ type, destination: null }, namesOf('waybill'));
    const command = Object.entries(COMMANDS).find(([name]) => name === type)?.[1];
    const name = command === undefined ? type : `commands.${command.to}`;
    const { address, bindings } = document.channels[name]!;
    expect({ address, exchange: bindings.amqp.exchange!.name }).toEqual({ address: key, exchange });
    expect(document.operations[command === undefined ? `say.${type}` : `tell.${command.to}`]!.bindings.amqp.mandatory).toBe(mandatory);
  });

  it('and it is not content with anything: another type, a missing attribute, data that do not fit', () => {
    const data = sample(document.components.schemas['payment.voided']!);
    const { headers, body } = wireOf([message('payment.voided', data)]);
    expect(fits('components/messages/payment.captured/headers', headers)).toBe(false);
    expect(fits('components/messages/payment.voided/headers', { ...(headers as object), cloudEvents_sequence: 7 })).toBe(false);
    expect(fits('components/messages/payment.voided/headers', { cloudEvents_type: 'payment.voided' })).toBe(false);
    expect(fits('components/messages/payment.voided/payload', { ...(body as object), refunded: '1.00' })).toBe(false);
    expect(fits('components/messages/payment.voided.batch/payload', [{ type: 'payment.voided', data }])).toBe(false);
    expect(fits('components/messages/payment.voided.batch/payload', [])).toBe(false);
  });
});

describe('the schemas in docs/schemas', () => {
  it.each(types)('%s agrees with the contract on what fits', (type) => {
    const schema = JSON.parse(readFileSync(`${ROOT}docs/schemas/${type}.json`, 'utf8')) as object;
    const valid = new Ajv({ formats: { 'date-time': true } }).compile(schema); // what a moment is, is the pattern's business
    const data = sample(document.components.schemas[type]!) as Record<string, unknown>;
    const variants = [data, { ...data, unheard_of: 1 }, ...Object.keys(data).flatMap((name) => [without(data, name), { ...data, [name]: null }])];
    for (const variant of variants) expect(valid(variant), `${type} ${JSON.stringify(variant)}`).toBe(schemaOf(type)!.safeParse(variant).success);
  });
});

function without(data: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  const { [name]: _, ...rest } = data;
  return rest;
}
