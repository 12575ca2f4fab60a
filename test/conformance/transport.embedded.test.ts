import { copyFileSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../src/contracts/envelope.ts';
import type { Database } from '../../src/db/database.ts';
import { openSqlite } from '../../src/db/sqlite.ts';
import { stopAll } from '../../src/kernel/lifecycle.ts';
import { realWorld } from '../../src/kernel/world.ts';
import { openPeer } from '../../src/kernel/peer.ts';
import { linkedTransport, serveTransport } from '../../src/messaging/embedded-link.ts';
import { embeddedTransport } from '../../src/messaging/embedded.ts';
import { type Pack, packsOf } from '../../src/messaging/outbox.ts';
import type { Delivery, Transport } from '../../src/messaging/transport.ts';
import { telemetry, until } from '../messaging/support.ts';
import { type OpenTransport, transportSuite } from './transport.ts';

const world = realWorld();

async function open(writeAfterMs = 0): Promise<OpenTransport & { readonly file: string }> {
  const root = await mkdtemp(join(tmpdir(), 'waybill-bus-'));
  const started: Transport[] = [];
  let folder = join(root, '0');
  const start = async (): Promise<Transport> => {
    await mkdir(folder, { recursive: true });
    const transport = embeddedTransport({ file: join(folder, 'bus.db'), world, telemetry, writeAfterMs });
    started.push(transport);
    await transport.start();
    return transport;
  };
  const transport = await start();
  return {
    transport,
    file: join(folder, 'bus.db'),
    queue: (name) => name,
    async crash() {
      // Another program finds what is in the files at this instant; whatever the first one still does, it does elsewhere.
      const crashed = folder;
      folder = join(root, String(started.length));
      await mkdir(folder);
      for (const file of ['bus.db', 'bus.db-wal']) if (existsSync(join(crashed, file))) copyFileSync(join(crashed, file), join(folder, file));
      return start();
    },
    async restart() {
      await started.at(-1)!.stop();
      return start();
    },
    async drop() {
      await stopAll(started);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The same bus as a thread sees it that does not run it. */
async function openLinked(): Promise<OpenTransport> {
  const opened = await open(20);
  const lines: MessageChannel[] = [];
  const link = (transport: Transport): Transport => {
    const line = new MessageChannel();
    lines.push(line);
    serveTransport(openPeer(line.port1), transport);
    const linked = linkedTransport(openPeer(line.port2));
    return { ...linked, start: () => transport.start(), stop: () => transport.stop() };
  };
  return {
    ...opened,
    transport: link(opened.transport),
    crash: async () => link(await opened.crash()),
    restart: async () => link(await opened.restart()),
    async drop() {
      await opened.drop();
      for (const { port1 } of lines) port1.close();
    },
  };
}

transportSuite({ name: 'embedded, from another thread', open: openLinked });
transportSuite({ name: 'embedded, handing over at once', open: () => open(20) });
transportSuite({ name: 'embedded, writing everything', open: () => open(0) });

function event(subject: string): Message {
  return {
    id: world.id('msg'),
    type: 'stock.released',
    source: 'inventory',
    time: world.now(),
    subject,
    partitionkey: subject,
    correlationid: subject,
    hops: 1,
    data: { order_id: subject },
  };
}
const pack = (subject: string): Pack => packsOf([event(subject)])[0]!;
const queue = { name: 'a', types: ['stock.released'] };

describe('the embedded transport alone', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeEach(async () => {
    opened = await open();
    await opened.transport.declare([queue]);
  });
  afterEach(() => opened.drop());

  it('hands over the very messages that were published, and marks what it read back', async () => {
    const published = pack('o1');
    const deliveries: Delivery[] = [];
    await opened.transport.consume('a', { prefetch: 10, deliver: (delivery) => void deliveries.push(delivery) });
    await opened.transport.publish([published]);
    expect(deliveries[0]!.messages[0]).toBe(published.messages[0]);
    expect(deliveries[0]!.trusted).toBe(true);
    const restarted = await opened.restart();
    const again: Delivery[] = [];
    await restarted.consume('a', { prefetch: 10, deliver: (delivery) => void again.push(delivery) });
    await until('it came again', () => again.length === 1);
    expect(again[0]!.trusted).toBe(false);
  });

  it('hands out what a crash left behind slowly: 1 pack, then 8, then 32 at a time', async () => {
    await opened.transport.publish(Array.from({ length: 100 }, (_, i) => pack(`o${i}`)));
    const transport = await opened.crash();
    const deliveries: Delivery[] = [];
    await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void deliveries.push(delivery) });
    const rounds: number[] = [];
    for (let seen = 0; seen < 41;) {
      await until('a round came', () => deliveries.length > seen);
      const round = deliveries.slice(seen);
      rounds.push(round.length);
      seen = deliveries.length;
      for (const delivery of round) delivery.ack();
    }
    expect(rounds).toEqual([1, 8, 32]);
    await until('all came', () => deliveries.length === 100);
    expect(deliveries.map(({ messages }) => messages[0]!.subject)).toEqual(Array.from({ length: 100 }, (_, i) => `o${i}`));
    expect(new Set(deliveries.map((delivery) => delivery.deliveries))).toEqual(new Set([1]));
  });

  it('what is published while old packs are still being read does not overtake them, and is not counted', async () => {
    await opened.transport.publish([pack('old1'), pack('old2')]);
    const transport = await opened.crash();
    const deliveries: Delivery[] = [];
    await transport.publish([pack('new')]);
    await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void deliveries.push(delivery) });
    for (let i = 0; i < 3; i += 1) {
      await until('the next came', () => deliveries.length > i);
      deliveries[i]!.ack();
    }
    expect(deliveries.map(({ messages, deliveries: count }) => [messages[0]!.subject, count])).toEqual([
      ['old1', 1],
      ['old2', 1],
      ['new', 0],
    ]);
  });

  it('a stop in order is no crash: what was released or never handed out is neither counted nor slow', async () => {
    await opened.transport.publish(Array.from({ length: 50 }, (_, i) => pack(`o${i}`)));
    let transport = await opened.crash(); // so that some are counted
    for (let round = 0; round < 3; round += 1) {
      const deliveries: Delivery[] = [];
      const consumption = await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void deliveries.push(delivery) });
      await until('some came', () => deliveries.length > 0);
      await consumption.cancel();
      for (const delivery of deliveries) delivery.release();
      transport = await opened.restart();
    }
    const deliveries: Delivery[] = [];
    await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void deliveries.push(delivery) });
    await until('all came at once', () => deliveries.length === 50);
    expect(deliveries.map((delivery) => delivery.deliveries)).toEqual(Array.from({ length: 50 }, () => 0));
    expect(deliveries.map(({ messages }) => messages[0]!.subject)).toEqual(Array.from({ length: 50 }, (_, i) => `o${i}`));
    transport = await opened.crash();
    const after: Delivery[] = [];
    await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void after.push(delivery) });
    await until('one came', () => after.length === 1);
    expect(after[0]!.deliveries).toBe(1);
  });

  it('a row nobody can decode is delivered as it is', async () => {
    await opened.transport.publish([pack('o1')]);
    await opened.transport.stop();
    const file = new DatabaseSync(opened.file);
    file.exec(`update bus_message set body = 'not { json'`);
    file.close();
    const transport = await opened.restart();
    const deliveries: Delivery[] = [];
    await transport.consume('a', { prefetch: 10, deliver: (delivery) => void deliveries.push(delivery) });
    await until('it came', () => deliveries.length === 1);
    expect(deliveries[0]).toMatchObject({ messages: [], undecodable: 'not { json' });
  });

  it('C15 refuses to publish while the disk is full, says so, and goes on when there is room', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-full-'));
    let db: Database | undefined;
    const transport = embeddedTransport({ file: join(folder, 'bus.db'), world, telemetry, open: (file) => (db = openSqlite({ name: 'bus', file })) });
    try {
      await transport.start();
      await transport.declare([queue]);
      const small: Delivery[] = [];
      const consumption = await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void small.push(delivery) });
      await transport.publish([pack('small')]);
      await consumption.cancel();
      await db!.write((tx) => tx.raw('pragma max_page_count = 12'));
      small[0]!.ack(); // its delete is lost with the publish it goes along with
      const large = packsOf(Array.from({ length: 200 }, (_, i) => event(`o${i}`)));
      await expect(transport.publish(large)).rejects.toMatchObject({ code: 'storage_full' });
      expect(await transport.health()).toEqual({ ok: false, reason: 'the disk is full' });
      await db!.write((tx) => tx.raw('pragma max_page_count = 1000000'));
      expect(await transport.health()).toEqual({ ok: true });
      expect(await transport.publish(large)).toEqual(['confirmed']);
      expect(await db!.read.raw('select seq from bus_message')).toHaveLength(1);
      const deliveries: Delivery[] = [];
      await transport.consume('a', { prefetch: 1_000, deliver: (delivery) => void deliveries.push(delivery) });
      await until('all came', () => deliveries.length === 1);
      expect(deliveries[0]!.messages).toHaveLength(200);
    } finally {
      await transport.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('refuses a file another process is using, and lets go of it when it stops', async () => {
    const second = embeddedTransport({ file: opened.file, world, telemetry });
    await expect(second.start()).rejects.toThrow(`another process is using ${opened.file}: stop it first, or give this one a data folder of its own`);
    await opened.transport.stop();
    const third = embeddedTransport({ file: opened.file, world, telemetry });
    await third.start();
    await third.stop();
  });
});

describe('handing over at once', () => {
  const later = async (ms: number): Promise<Awaited<ReturnType<typeof open>> & { readonly rows: () => number }> => {
    const opened = await open(ms);
    await opened.transport.declare([queue]);
    const rows = (): number => {
      const db = new DatabaseSync(opened.file, { readOnly: true });
      try {
        return (db.prepare('select count(*) as n from bus_message').get() as { n: number }).n;
      } finally {
        db.close();
      }
    };
    return { ...opened, rows };
  };
  const NEVER = 3_600_000;
  let opened: Awaited<ReturnType<typeof later>>;
  const taken: Delivery[] = [];
  const take = () => opened.transport.consume('a', { prefetch: 100, deliver: (delivery) => void taken.push(delivery) });
  beforeEach(() => taken.splice(0));
  afterEach(() => opened.drop());

  it('a pack is confirmed by the ack and is never written', async () => {
    opened = await later(NEVER);
    await take();
    const published = opened.transport.publish([pack('1')]);
    await until('it came', () => taken.length === 1);
    expect(opened.rows()).toBe(0);
    taken[0]!.ack();
    expect(await published).toEqual(['confirmed']);
    expect(opened.rows()).toBe(0);
  });

  it('one that is not acked in time is written and then confirmed; an ack after that deletes it', async () => {
    opened = await later(10);
    await take();
    expect(await opened.transport.publish([pack('1')])).toEqual(['confirmed']);
    expect([taken.length, opened.rows()]).toEqual([1, 1]);
    taken[0]!.ack();
    await until('its row is gone', () => opened.rows() === 0);
  });

  it('when the consumer goes away, what it had not acked is written at once', async () => {
    opened = await later(NEVER);
    const { cancel } = await take();
    const published = opened.transport.publish([pack('1')]);
    await until('it came', () => taken.length === 1);
    await cancel();
    taken[0]!.release();
    expect(await published).toEqual(['confirmed']);
    expect(opened.rows()).toBe(1);
  });

  it('a pack that may have been published before is written first, and after a crash it counts as delivered', async () => {
    opened = await later(NEVER);
    await take();
    expect(await opened.transport.publish([{ ...pack('1'), again: true }])).toEqual(['confirmed']);
    await until('it came', () => taken.length === 1);
    expect([taken[0]!.deliveries, taken[0]!.trusted, opened.rows()]).toEqual([1, false, 1]);
  });

  it('nothing overtakes a pack that is being written', async () => {
    opened = await later(NEVER);
    await take();
    const published = [
      opened.transport.publish([{ ...pack('1'), again: true }]),
      opened.transport.publish([pack('2')]),
      opened.transport.publish([pack('3')]),
    ];
    await until('all came', () => taken.length === 3);
    expect(taken.flatMap(({ messages }) => messages.map(({ subject }) => subject))).toEqual(['1', '2', '3']);
    for (const delivery of taken) delivery.ack();
    await Promise.all(published);
  });
});
