/** A consumer most of whose messages fail: it spares the attempts of those that wait, tries a few, and goes on by itself. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import { databases } from '../support/databases.ts';
import { type Bench, type HandTransport, type Station, command, effects, handTransport, openBench, recording, until } from './support.ts';

describe.each(databases())('a storm on $name', (database) => {
  let bench: Bench;
  let transport: HandTransport;
  let station: Station;
  const telemetry = createTelemetry({ level: 'silent' });
  /** Which messages fail now. */
  let fails: (message: Message) => boolean;
  let executed: number;
  beforeEach(async () => {
    bench = await openBench(database);
    transport = handTransport();
    fails = () => true;
    executed = 0;
    const subscriptions = [
      recording(['stock.release'], 'inbox', (_, messages) => {
        executed += messages.length;
        if (messages.some(fails)) throw new TypeError('a bug');
      }),
    ];
    station = await bench.service('inventory', { transport, telemetry, subscriptions, parts: ['consumer'] });
  });
  afterEach(() => bench.close());

  const messages = (n: number): Message[] => Array.from({ length: n }, (_, i) => command(`o${i}`));
  const status = async (): Promise<string> => (await station.control.state()).status;
  const reaches = (wanted: string): Promise<void> => until(`the consumer is ${wanted}`, async () => (await status()) === wanted);
  const attempts = () => station.count('failure');
  const storms = async (): Promise<number> =>
    Number(/^waybill_consumer_storms_total\{service="inventory"\} (\d+)$/m.exec(await telemetry.metrics.registry.metrics())?.[1] ?? 0);

  it('rests after twenty failures, holding what it has; tries one, and rests longer when that fails', async () => {
    const before = await storms();
    const settled = transport.deliver(messages(200));
    await reaches('storm');
    expect(await attempts()).toBe(20);
    const { last_error } = await station.control.state();
    expect(last_error).toBe('20 of the last 20 messages failed; it tries again by itself, or at once when it is resumed');
    for (const expected of [21, 22]) {
      const executedBefore = executed;
      bench.world.advance(20_000);
      await until('one more has failed', async () => (await attempts()) === expected);
      await reaches('storm');
      expect(executed).toBe(executedBefore + 1);
    }
    expect(await Promise.race([settled, Promise.resolve('held')])).toBe('held');
    expect(await station.count('dead_letter')).toBe(0);
    expect(await storms()).toBe(before + 3);
  });

  it('is over when the cause is mended: what waits is handled, slowly first, and each once', async () => {
    const all = messages(200);
    const settled = transport.deliver(all);
    await reaches('storm');
    fails = () => false;
    bench.world.advance(60_000);
    expect(await settled).toBe('acked');
    await reaches('running');
    const failed = new Set(
      (await station.mailbox.db.read.raw<{ message_id: string }>('select message_id from failure')).map(({ message_id }) => message_id),
    );
    expect(failed.size).toBe(20);
    const handled = (await effects(station)).map(({ message_id }) => message_id);
    expect(handled.toSorted()).toEqual(
      all
        .map(({ id }) => id)
        .filter((id) => !failed.has(id))
        .toSorted(),
    );
    expect(await station.count('timer')).toBe(20); // their retries
  });

  it('one message that fails whenever it is tried does not hold up the others', async () => {
    const settled = transport.deliver(messages(60));
    await reaches('storm');
    fails = ({ subject }) => subject === 'o25';
    let over = false;
    void settled.then(() => (over = true));
    while (!over) {
      const rests = await storms();
      bench.world.advance(60_000); // only while it rests: a handler that takes a minute fails
      await until('it rests again or is done', async () => over || (await storms()) > rests);
    }
    expect(await attempts()).toBe(21);
    expect(await effects(station)).toHaveLength(39);
  });

  it('ends at once when a person resumes the consumer', async () => {
    const settled = transport.deliver(messages(30));
    await reaches('storm');
    // The next rests are longer than this test may take.
    for (let trial = 0; trial < 4; trial += 1) {
      const rests = await storms();
      bench.world.advance(60_000);
      await until('it rests again', async () => (await storms()) > rests);
    }
    fails = () => false;
    bench.world.advance(1);
    await station.control.resume('ada');
    expect(await settled).toBe('acked');
    await reaches('running');
  });

  it('does not begin with what breaks its contract or is redriven, nor while most is handled', async () => {
    fails = ({ subject, redrive }) => subject.startsWith('bad') || redrive !== undefined;
    await transport.deliver(Array.from({ length: 30 }, (_, i) => command(`x${i}`, { data: { order_id: 7 } })));
    await transport.deliver(Array.from({ length: 30 }, (_, i) => command(`y${i}`, { redrive: `dl_${i}` })));
    await transport.deliver([...messages(60), ...Array.from({ length: 25 }, (_, i) => command(`bad${i}`))]);
    expect(await attempts()).toBe(25);
    expect(await status()).toBe('running');
  });
});
