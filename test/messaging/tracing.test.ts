/** Spans of messages: one trace through outbox, relay, transport, consumer and what follows; K24, and what happens when a batch fails. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeMessage } from '../../src/contracts/envelope.ts';
import { readTraceparent } from '../../src/kernel/tracing.ts';
import { openMailbox } from '../../src/messaging/mailbox.ts';
import { runTasks } from '../../src/messaging/tasks.ts';
import { databases } from '../support/databases.ts';
import { type SeenSpan, type SeenTraces, keepTraces } from '../support/tracing.ts';
import { type Bench, command, handTransport, openBench, recording, until } from './support.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const SAMPLED = `00-${TRACE}-${CALLER}-01`;
const UNSAMPLED = `00-${TRACE}-${CALLER}-00`;
/** A traceparent of a trace of its own. */
const traced = (n: number): string => `00-${String(n).padStart(32, 'a')}-${String(n).padStart(16, 'b')}-01`;

const release = (subject: string) => ({ type: 'stock.release' as const, subject, data: { order_id: subject, reason: 'test' } });
const released = (subject: string) => ({ type: 'stock.released' as const, subject, data: { order_id: subject } });
const named = (spans: readonly SeenSpan[], name: string): SeenSpan[] => spans.filter((span) => span.name === name);

describe.each(databases())('traces of messages on $name', (database) => {
  let bench: Bench;
  let traces: SeenTraces;
  beforeEach(async () => {
    bench = await openBench(database);
    traces = keepTraces();
  });
  afterEach(async () => {
    await bench.close();
    await traces.stop();
  });
  const { telemetry } = keepTraces(); // for services whose spans nobody looks at
  const seen = () => ({ telemetry: traces.telemetry });
  const answering = recording(['stock.release'], 'inbox', (unit, messages) =>
    unit.say(messages.map((cause) => ({ ...released(cause.subject), cause }))),
  );

  it('a request, what it says, what is answered: each part of the one before', async () => {
    const inventory = await bench.service('inventory', { ...seen(), subscriptions: [answering] });
    const orders = await bench.service('orders', { ...seen(), subscriptions: [recording(['stock.released'], 'inbox')] });
    await orders.mailbox.write(async (unit) => unit.say([release('o1')]), SAMPLED);
    await until('the answer is handled', async () => (await orders.count('effect')) === 1);
    for (const station of [orders, inventory]) await station.stop();

    const spans = await traces.spans();
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      'create stock.release',
      'create stock.released',
      'process stock.release',
      'process stock.released',
      'send stock.release',
      'send stock.released',
    ]);
    expect(new Set(spans.map(({ trace }) => trace))).toEqual(new Set([TRACE]));
    const one = (name: string): SeenSpan => named(spans, name)[0]!;
    expect(one('create stock.release')).toMatchObject({ kind: 'producer', parent: CALLER });
    expect(one('send stock.release')).toMatchObject({ kind: 'client', parent: one('create stock.release').id, links: [] });
    expect(one('process stock.release')).toMatchObject({ kind: 'consumer', parent: one('create stock.release').id, links: [] });
    expect(one('create stock.released').parent).toBe(one('process stock.release').id);
    expect(one('process stock.released').parent).toBe(one('create stock.released').id);
    expect(one('process stock.release').attributes).toMatchObject({
      'messaging.system': 'waybill',
      'messaging.operation.name': 'process',
      'messaging.destination.name': 'stock.release',
      'messaging.message.conversation_id': 'o1',
    });
  });

  it('of many handled together only the sampled have spans; one span for all links to them', async () => {
    await bench.service('inventory', { ...seen(), subscriptions: [recording(['stock.release'], 'inbox')] });
    const orders = await bench.service('orders', seen());
    await orders.mailbox.write(async (unit) => {
      for (const n of [1, 2]) unit.say([{ ...release(`sampled${n}`), traceparent: traced(n) }]);
      unit.say([{ ...release('unsampled'), traceparent: UNSAMPLED }, release('without')]);
    });
    await until('all are handled', async () => (await traces.spans()).filter(({ name }) => name === 'process inventory').length === 1);
    const spans = await traces.spans();
    for (const operation of ['send', 'process']) {
      const [batch, ...more] = named(spans, `${operation} ${operation === 'send' ? 'orders' : 'inventory'}`);
      expect(more).toEqual([]);
      const creations = named(spans, 'create stock.release');
      expect(batch).toMatchObject({ parent: undefined, links: creations.map(({ trace, id }) => ({ trace, span: id })) });
      expect(batch!.attributes['messaging.batch.message_count']).toBe(4);
      const each = named(spans, `${operation} stock.release`);
      expect(each.map(({ trace, parent }) => ({ trace, parent }))).toEqual(creations.map(({ trace, id }) => ({ trace, parent: id })));
      expect(each.every(({ links }) => links[0]!.span === batch!.id)).toBe(true);
    }
  });

  it('what is not sampled keeps its context and has no spans', async () => {
    const transport = handTransport();
    const orders = await bench.service('orders', { ...seen(), transport });
    await orders.mailbox.write(async (unit) => unit.say([release('o1')]), UNSAMPLED);
    await until('it is out', () => transport.published.length === 1);
    expect(transport.published[0]!.messages[0]!.traceparent).toBe(UNSAMPLED);
    expect(await traces.spans()).toEqual([]);
  });

  it('a service without traces hands the context on, and adds nothing where there is none', async () => {
    const transport = handTransport();
    await bench.service('inventory', { transport, subscriptions: [answering] });
    await transport.deliver([command('o1', { traceparent: SAMPLED }), command('o2')]);
    await until('both answers are out', () => transport.published.flatMap(({ messages }) => messages).length === 2);
    const [first, second] = transport.published.flatMap(({ messages }) => messages);
    expect(first!.traceparent).toBe(SAMPLED);
    expect(second).not.toHaveProperty('traceparent');
  });

  it('what is rolled back was never said, and a message that fails shows why; its retry is part of the same trace', async () => {
    const transport = handTransport();
    let fails = 1;
    const throwing = recording(['stock.release'], 'inbox', (unit, messages) => {
      unit.say(messages.map((cause) => ({ ...released(cause.subject), cause })));
      if (messages.some(({ subject }) => subject === 'poison') && fails-- > 0) throw new Error('no');
    });
    const station = await bench.service('inventory', { ...seen(), transport, subscriptions: [throwing] });
    const poison = command('poison', { traceparent: SAMPLED });
    await transport.deliver([command('o1', { traceparent: traced(1) }), poison]);
    expect(await station.count('failure')).toBe(0); // the second half succeeded when it was alone
    fails = 1;
    await transport.deliver([command('poison', { traceparent: SAMPLED })]);
    const spans = await traces.spans();
    expect(named(spans, 'process inventory')).toMatchObject([{ error: 'no', attributes: { 'error.type': 'internal' } }]);
    expect(named(spans, 'process stock.release').map(({ error }) => error)).toEqual([undefined, undefined, 'no']);
    expect(named(spans, 'create stock.released')).toHaveLength(2);
    bench.world.advance(2_000);
    await until('the retry is out', () => transport.published.some(({ messages }) => messages.some(({ attempt }) => attempt === 1)));
    const retry = transport.published.flatMap(({ messages }) => messages).find(({ attempt }) => attempt === 1)!;
    expect(retry.traceparent).toBe(SAMPLED);
    await transport.deliver([retry]);
    expect(named(await traces.spans(), 'process stock.release').at(-1)).toMatchObject({ parent: CALLER, error: undefined });
  });

  it('what was said in a transaction whose commit fails has no span', async () => {
    const station = await bench.service('orders', { ...seen(), transport: handTransport(), parts: [] });
    const { db } = station.mailbox;
    const undone: typeof db = {
      ...db,
      write: (work) =>
        db.write(async (tx) => {
          await work(tx);
          throw new Error('the disk is full');
        }),
    };
    const mine = { service: 'orders', world: bench.world, committed: () => undefined, traces: station.mailbox.traces };
    const say = (on: typeof db) => openMailbox({ ...mine, db: on }).write(async (unit) => unit.say([release('o1')]), SAMPLED);
    await expect(say(undone)).rejects.toThrow('the disk is full');
    expect(await traces.spans()).toEqual([]);
    await say(db);
    expect((await traces.spans()).map(({ name }) => name)).toEqual(['create stock.release']);
  });

  it('a call to the outside, and what is said when it has answered, belong to the trace of their order', async () => {
    const transport = handTransport();
    const orders = await bench.service('inventory', { ...seen(), transport, subscriptions: [recording(['stock.release'], 'inbox')] });
    const tasks = runTasks<{ readonly id: string; readonly order_id: string }, { readonly result: string }>(orders.mailbox, telemetry, {
      name: 'shelf',
      claim: async () => [],
      perform: async () => ({ result: 'found' }),
      unanswered: { result: 'unknown' },
      conclude: async (unit, done) => unit.say(done.map(({ task }) => ({ ...released(task.order_id), correlationid: task.order_id }))),
    });
    await tasks.start();
    await transport.deliver([command('o1', { traceparent: SAMPLED })]);
    tasks.poke([
      { id: 'task1', order_id: 'o1' },
      { id: 'task2', order_id: 'of no trace' },
    ]);
    await until('both have answered', () => transport.published.flatMap(({ messages }) => messages).length === 2);
    await tasks.stop();
    const spans = await traces.spans();
    const [handled] = named(spans, 'process stock.release');
    expect(named(spans, 'call shelf')).toMatchObject([
      { kind: 'client', parent: handled!.id, attributes: { 'waybill.outcome': 'found', 'waybill.task_id': 'task1' } },
    ]);
    expect(named(spans, 'create stock.released')).toMatchObject([{ trace: TRACE, parent: handled!.id }]);
    const answer = transport.published.flatMap(({ messages }) => messages).find(({ subject }) => subject === 'o1')!;
    expect(readTraceparent(JSON.parse(encodeMessage(answer)).traceparent)).toMatchObject({ traceId: TRACE, sampled: true });
  });
});
